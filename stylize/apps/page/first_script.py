"""A script of ours that runs before all of Gradio's, which has no place for one."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEAD = b"<head>"


class FirstScript:
    """An ASGI middleware that puts a script at the head of the page.

    Args:
        app: the page.
        script: JavaScript.
    """

    def __init__(self, app: ASGIApp, script: str) -> None:
        self._app, self._script = app, f"<script>{script}</script>".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on; the script is in the answer if that is the page itself."""
        if scope["type"] == "http" and scope["path"] == "/":
            send = _adding(self._script, send)
        await self._app(scope, receive, send)


def _adding(script: bytes, send: Send) -> Send:
    """A `send` for an HTML page, which puts a script at its head."""
    start: Message | None = None

    async def sending(message: Message) -> None:
        nonlocal start
        if message["type"] == "http.response.start":
            start = message  # held back: it says how long the page is
            return
        if start:
            begun, start = start, None
            if HEAD in (body := message.get("body", b"")):
                headers = MutableHeaders(scope=begun)
                headers["content-length"] = str(int(headers["content-length"]) + len(script))
                message = {**message, "body": body.replace(HEAD, HEAD + script, 1)}
            await send(begun)
        await send(message)

    return sending
