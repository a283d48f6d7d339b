"""What the page takes from visitors: whose requests, which ones, how much, and which files.

A page that only this computer can reach is open to every other page that its user looks at, and to
names that their owners make point here (DNS rebinding). So requests that a browser sends for
another page are refused, and those for a name that is not the page's. Of all that Gradio answers,
only what the page itself asks for is let through, and what programs need to paint (`PAINT`).
"""

import asyncio
import ipaddress
import os
import re
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from anyio import to_thread
from fastapi.exception_handlers import http_exception_handler
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stylize.apps.page.cancelling import cancelling_one
from stylize.apps.page.log import log
from stylize.errors import InputError, one_line

API = "/gradio_api"
UPLOAD = f"{API}/upload"
CANCEL = f"{API}/cancel"
FILE = f"{API}/file="  # before the path of an upload or a result
PAINT = f"{API}/call/v2/paint"  # for programs, see `api`
TOLD = f"{API}/call/paint/"  # before the name of what was asked for: how far it is
NOT_FOUND = b'data: "404: Not Found"'  # what Gradio tells of something that nobody asked for
ASKED = {  # what the page, and programs, ask for besides: method, then paths
    "GET": re.compile(
        r"/|/(config|favicon\.ico|manifest\.json|robots\.txt|theme\.css)/?|/(assets|static|svelte)/.+"
        rf"|{API}/(app_id|heartbeat/[^/]+|login_check|queue/data|startup-events|upload_progress)/?"
        rf"|{API}/(info|call/paint/[0-9a-f]+)/?"
    ),
    "HEAD": re.compile("/"),
    "POST": re.compile(rf"({PAINT}|{API}/(cancel|queue/join|reset|run/predict|upload))/?"),
}
LARGEST_REQUEST = 2**20  # bytes of one that uploads nothing
LARGEST_OF_PROGRAMS = 2**14  # the same: three names of files and a few numbers, which Gradio keeps
LONGEST_ADDRESS = 4096  # bytes of a path, or of what follows it
LONGEST_PAUSE = 60  # seconds that a visitor may be silent before a request is whole
SMALLEST_FILE = 2**16  # bytes that a file counts at least: so there is an end to their number too
MOST_TOLD = 1000  # streams of `TOLD` that are remembered
DEEPEST = 6  # lists and dictionaries within each other, of what the page sends
PLACE = re.compile("[0-9a-f]{64}")  # of an upload in the page's folder: the hash of its bytes
NOT_OURS = "This request is not one that the page sends."
NOT_TAKEN = (
    "Send JSON (Content-Type: application/json) with photo, painting and only names that "
    f"{API}/info lists."
)
MISNAMED = {  # how Gradio names a parameter -> what is wrong with it
    re.compile("Parameter `(.+)` is not", re.DOTALL): "is not a parameter",
    re.compile("No value provided for required argument: (.+)"): "is missing",
}
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class _Refused(Exception):
    """A request is not passed on, with a status and for a reason."""


class Guard:
    """An ASGI middleware that answers what nobody has to ask for, and passes on the rest.

    Args:
        app: the page.
        host: what it is served on.
        hosts: more names of it, such as that of a server that passes requests on to it.
        folder: of uploads and results.
        max_bytes: of these.
    """

    def __init__(
        self, app: ASGIApp, host: str, hosts: Iterable[str], folder: str, max_bytes: float
    ) -> None:
        self._app, self._folder, self._max_bytes = app, folder, max_bytes
        self._hosts = {name.lower() for name in hosts}
        self._names = names_of(host) | self._hosts
        self._any_address = is_unspecified(host)
        self._told: dict[str, None] = {}  # paths of streams that were read, the oldest first
        self._coming = 0  # bytes of uploads that have come, and may not lie in the folder yet

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or passes it on. Nothing that a visitor sends is an error of ours."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._pass_on(scope, receive, sending)
            return
        except _Refused as refused:
            status, reason = refused.args
        except Exception as error:  # Gradio trips over much that no browser sends
            if started and scope["path"].startswith(TOLD):  # it was refused, or its visitor left
                return
            status, reason = 400, _not_taken(scope["path"], str(error))
            named = reason not in (NOT_OURS, NOT_TAKEN)  # these do not say what it was
            what = reason if named else f"{type(error).__name__}: {error}"
            log(f"not understood: {scope['method']} {scope['path']}: {what}")
        if not started:
            await PlainTextResponse(reason, status)(scope, receive, send)

    async def _pass_on(self, scope, receive, send):
        """Passes a request on. Raises _Refused, or whatever Gradio does."""
        if refused := self._refusal(scope["method"], scope["path"], Headers(scope=scope)):
            raise _Refused(*refused)
        if max(len(scope["path"]), len(scope["query_string"])) > LONGEST_ADDRESS:
            raise _Refused(414, "This address is too long.")
        unquote_to_bytes(scope["query_string"]).decode()  # Gradio would break off its answer
        if scope["method"] == "POST":
            receive = _impatient(receive)
        if scope["path"].rstrip("/") == CANCEL:
            receive = cancelling_one(receive)
        if scope["path"].startswith(TOLD):
            self._tell_once(scope["path"].rstrip("/"))
            send = _refusing_unknown(scope, receive, send)
        if scope["path"].rstrip("/") == UPLOAD:
            await self._upload(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, method, path, headers):
        """The status and the words for what is not passed on; None for the rest."""
        host = headers.get("host", "").lower()
        forwarded = headers.get("x-forwarded-host", host).lower().partition(",")[0]
        if not all(self._is_ours(_name(name)) for name in (host, forwarded)):
            return (
                400,
                "This page does not go by that name. Whoever runs it can add --allow_host NAME.",
            )
        if "x-gradio-server" in headers:  # another way of naming the page, which nobody needs here
            return 400, NOT_OURS
        origin = headers.get("origin", f"http://{host}").lower().partition("://")[2]
        if origin != host and _name(origin) not in self._hosts:
            return 403, "Another page sent this request. Open this page itself."
        if not self._is_asked_for(method, path):
            return 404, "There is nothing here."
        if method == "POST":
            length = headers.get("content-length", "")
            # Chunks may be longer than a length that is given beside them.
            if not length.isdecimal() or "transfer-encoding" in headers:
                return 411, "Give the request's length."
            most = LARGEST_OF_PROGRAMS if path.rstrip("/") == PAINT else LARGEST_REQUEST
            if path.rstrip("/") != UPLOAD and int(length) > most:
                return 413, "This request is too long."
        return None

    def _is_ours(self, name):
        """Whether the page may be called so. No stranger can point an address elsewhere."""
        return name in self._names or (self._any_address and is_address(name))

    def _is_asked_for(self, method, path):
        """Whether the page itself, or a program that paints, asks for such things."""
        if method in ("GET", "HEAD") and path.startswith(f"{FILE}{self._folder}{os.sep}"):
            return True
        return method in ASKED and bool(ASKED[method].fullmatch(path))

    def _tell_once(self, path):
        """Raises _Refused where a stream is read again: Gradio's would never end."""
        if path in self._told:
            raise _Refused(410, "This stream has been read; it can be read only once. Ask again.")
        self._told[path] = None
        if len(self._told) > MOST_TOLD:
            del self._told[next(iter(self._told))]

    async def _upload(self, scope, receive, send):
        """Passes an upload on as long as there is room for it. What has not come takes none."""
        came, kept = 0, await to_thread.run_sync(bytes_in, self._folder)

        def check_room(more):
            if kept + self._coming + more > self._max_bytes:
                raise _Refused(413, "The page has no room for this now; come back later.")

        async def receiving():
            nonlocal came
            message = await receive()
            size = len(message.get("body", b""))
            came, self._coming = came + size, self._coming + size
            check_room(0)
            return message

        check_room(int(Headers(scope=scope)["content-length"]))
        try:
            await self._app(scope, receiving, send)
        finally:
            self._coming -= came


def _impatient(receive: Receive) -> Receive:
    """A `receive` for a request that ends with its body. It does not wait for ever for the next."""
    is_whole = False

    async def receiving() -> Message:
        nonlocal is_whole
        try:
            message = await asyncio.wait_for(receive(), None if is_whole else LONGEST_PAUSE)
        except TimeoutError:
            raise _Refused(408, "This request stopped arriving.") from None
        is_whole = not message.get("more_body", False)
        return message

    return receiving


def _refusing_unknown(scope: Scope, receive: Receive, send: Send) -> Send:
    """A `send` for a stream about an event, which refuses one that Gradio knows nothing of.

    Gradio has begun an answer by then, and breaks it off: it is held back until it has words.
    """
    event = one_line(scope["path"].rstrip("/").removeprefix(TOLD))
    start: Message | None = None
    is_refused = False

    async def sending(message: Message) -> None:
        nonlocal start, is_refused
        if is_refused:
            return
        if message["type"] == "http.response.start":
            start = message
            return
        if start and NOT_FOUND in message.get("body", b""):
            is_refused = True
            said = f"{event}: there is no such event, or it has ended. Ask again."
            await PlainTextResponse(said, 404)(scope, receive, send)
            return
        if start:
            begun, start = start, None
            await send(begun)
        await send(message)

    return sending


async def no_such_request(request: Request, error: Exception) -> Response:
    """What a visitor is told whose request has other fields or values than those of the page.

    FastAPI would send these back, and trips over NaN and what is no Unicode.
    """
    return PlainTextResponse(_not_taken(request.url.path), 422)


async def not_taken(request: Request, error: HTTPException) -> Response:
    """What Gradio does not take. A program is told in plain text, as it is by the `Guard`."""
    if request.url.path.rstrip("/") != PAINT:  # the page reads Gradio's own answer
        return await http_exception_handler(request, error)
    if error.status_code == 503:
        return PlainTextResponse("Too many requests are waiting; try again later.", 503)
    return await no_such_request(request, error)  # a body that it cannot read


def _not_taken(path, error=""):
    """What is told whose request is not one of those that are understood at a path.

    Args:
        error: what Gradio says of it, which may name a parameter.
    """
    if path.rstrip("/") != PAINT:
        return NOT_OURS
    for pattern, problem in MISNAMED.items():
        if named := pattern.match(error):
            return f"{one_line(named[1])}: {problem}. {NOT_TAKEN}"
    return NOT_TAKEN


def _name(host):
    """The name or the address in a Host header, without the port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:  # "[" without "]"
        return ""


def names_of(host: str) -> set[str]:
    """What a page may be called that is served on `host`, a name or an address."""
    if is_unspecified(host):
        return LOOPBACK | {socket.gethostname().lower()}
    return {host.lower()} | (LOOPBACK if host.lower() in LOOPBACK else set())


def is_address(name: str) -> bool:
    """Whether it is an IP address, not a name."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_unspecified(host: str) -> bool:
    """Whether a page on this `host` is on all addresses of the machine."""
    return is_address(host) and ipaddress.ip_address(host).is_unspecified


def bytes_in(folder: str) -> int:
    """How much the files in a folder take, however deep; each counts `SMALLEST_FILE` at least."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                size = os.lstat(os.path.join(place, name)).st_size
            except OSError:  # removed in between
                continue
            total += max(SMALLEST_FILE, size)
    return total


def check_uploads(given: Any, folder: str, deepest: int = DEEPEST) -> None:
    """Checks all files that are named in what a browser sends, wherever they are named.

    Gradio's `ImageData` takes any path where "meta" is left out; elsewhere it fetches addresses.

    Args:
        given: as JSON has it.
        folder: of the uploads; each lies in a folder of its own, which no other visitor can guess.
        deepest: how many lists and dictionaries may be within each other.

    Raises:
        InputError: something else than a file that was uploaded, or is an example.
    """
    if not isinstance(given, dict | list):
        return
    if deepest == 0:
        raise InputError("This request is nested too deeply.")
    if isinstance(given, dict) and "path" in given and not is_upload(given["path"], folder):
        raise InputError("Give pictures or a clip that you have uploaded here, or an example.")
    for each in given.values() if isinstance(given, dict) else given:
        check_uploads(each, folder, deepest - 1)


def is_upload(path: Any, folder: str) -> bool:
    """Whether `path` is that of a regular file where the page keeps uploads and examples."""
    if not isinstance(path, str) or "\0" in path:
        return False
    place = Path(path).parent
    if place.parent != Path(folder) or not PLACE.fullmatch(place.name):
        return False  # not looked at: whether it exists is nobody's business
    return os.path.realpath(path) == path and os.path.isfile(path)
