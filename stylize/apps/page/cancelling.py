"""Lets a program's request to cancel end the job that it names, and no other.

Gradio also ends whatever is running for the same session and function, even if the job to cancel is
still waiting.
"""

import asyncio
import json

from starlette.types import Message, Receive

NAMED = "<gradio-sep>"  # in the names of Gradio's tasks, before the event's name
NONE = -1  # the number of no function: nothing runs for it


def cancelling_one(receive: Receive) -> Receive:
    """A `receive` for a request to cancel, which names no function unless its event is running."""
    answered = False

    async def receiving() -> Message:
        nonlocal answered
        if answered:
            return await receive()
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            if not message.get("more_body", False):
                answered = True
                return {"type": "http.request", "body": _of_one(body), "more_body": False}
        return message

    return receiving


def _of_one(body):
    """The body of a request, changed so that it cancels one event only."""
    try:
        asked = json.loads(body)
        if is_running(asked["event_id"]):
            return body
        return json.dumps(asked | {"fn_index": NONE}).encode()
    except (ValueError, TypeError, KeyError, RecursionError):  # Gradio says what is wrong
        return body


def is_running(event: str) -> bool:
    """Whether a task of Gradio's runs for an event. Called in its loop."""
    return any(task.get_name().endswith(f"{NAMED}{event}") for task in asyncio.all_tasks())
