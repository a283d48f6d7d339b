"""Sends all kinds of values in all fields of all events to a running page, for `fuzz.py`."""

import collections
import json
import random
import re
import urllib.parse
from collections.abc import Mapping
from typing import Any

import httpx
from strange_files import mutated, nonsense, several

META = {"_type": "gradio.FileData"}
CONTROLS = [0.5, 32, 1, "none", 0.025, 1, 1, 0, 0, "area"]
NAMED = {"strength": 0.5, "size": 32, "iterations": 1, "preserve_colors": "none", "seed": 0}
PAINT_EACH = 10  # requests, one is painted
SECONDS = 60  # that an answer may take
FIELDS = ("fn_index", "data", "session_hash", "event_data", "trigger_id", "event_id", "simple")


class Stranger:
    """Sends requests as `case` says, one after another.

    Args:
        client: of the page.
        photo: the path of a picture that may be painted.
    """

    def __init__(self, client: httpx.Client, photo: Any):
        self._client = client
        config = self._client.get("/config").json()
        self._events = {each["id"]: each["api_name"] for each in config["dependencies"]}
        with open(photo, "rb") as file:
            sent = self._client.post("/gradio_api/upload", files={"files": file})
        self._file = {"path": sent.json()[0], "meta": META}

    def send(self, seed: int, case: int) -> str:
        """What becomes of a request: "read", "refused", or what is wrong with the answer."""
        rng = random.Random(f"{seed} {case}")
        session = f"{seed}.{case}"
        named = rng.random() < 0.2
        event, body = ("", self._names(rng)) if named else self._request(rng, session)
        try:
            outcome = self._called(body) if named else self._outcome(body)
            if event == "enter" and case % PAINT_EACH == 0:
                numbers = {name: number for number, name in self._events.items()}
                asked = {"fn_index": numbers["paint_entered"], "data": [], "session_hash": session}
                outcome = self._outcome(asked)
        except httpx.HTTPError as error:
            return f"{type(error).__name__}: {error} for {json.dumps(body)[:300]}"
        return outcome

    def _request(self, rng, session):
        """(name, body) of the request for an event, with something else in it somewhere."""
        gallery = [{"image": self._file, "caption": None}]
        inputs = [gallery, gallery, rng.choice([None, gallery]), *CONTROLS]
        right = {
            "enter": inputs,
            "changed": inputs,
            "paint": [self._file, self._file, *CONTROLS, rng.choice([None, self._file])],
            "foresee": inputs,
            "show": [gallery, None],
            "example_given": [gallery],
            "show_last": [gallery],
            "mask_given": [gallery, gallery],
            "mask_for_photos": [gallery, gallery, "a path"],
            "remove_mask": [gallery],
            "load_example": [0],
            "load_example_1": [0],
        }
        number = rng.choice(sorted(self._events))
        name = self._events[number]
        name = "enter" if rng.random() < 0.4 else name
        number = next(each for each, called in self._events.items() if called == name)
        data = right.get(name, [])
        if data and rng.random() < 0.8:
            field = rng.randrange(len(data))
            data = [*data[:field], mutated(data[field], rng), *data[field + 1 :]]
        else:
            data = several(data, rng)
        body = {"fn_index": number, "data": data, "session_hash": session}
        if rng.random() < 0.2:
            body |= {rng.choice(FIELDS): nonsense(rng)}
        return name, body

    def _names(self, rng):
        """The body of a program's request, with something else in it somewhere."""
        mask = rng.choice([None, self._file])
        files = {"photo": self._file, "painting": self._file, "keep_mask": mask}
        return several(files | NAMED, rng)

    def _called(self, body):
        """What becomes of a program's request."""
        asked = self._post("call/v2/paint", body)
        if asked.status_code != 200:
            return _refusal(asked)
        told = self._client.get(f"/gradio_api/call/paint/{asked.json()['event_id']}").text
        event, data = re.findall("event: (.*)\ndata: (.*)", told)[-1]
        return _answer({"success": event == "complete", "output": json.loads(data)})

    def _post(self, path, body):
        return self._client.post(
            f"/gradio_api/{path}",
            content=json.dumps(body),
            headers={"content-type": "application/json"},
        )

    def _outcome(self, body):
        asked = self._post("queue/join", body)
        if asked.status_code != 200:
            return _refusal(asked)
        session = body.get("session_hash")
        parameters = {"session_hash": session} if isinstance(session, str) else {}
        asked_for = urllib.parse.urlencode(parameters, errors="surrogatepass")
        with self._client.stream("GET", f"/gradio_api/queue/data?{asked_for}") as lines:
            if lines.status_code >= 500:
                return f"status {lines.status_code}"
            told = [json.loads(line[6:]) for line in lines.iter_lines() if line[:6] == "data: "]
        ends = [each for each in told if each["msg"] == "process_completed"]
        return _answer(ends[-1]) if ends else "refused"


def _refusal(answer: httpx.Response) -> str:
    """ "refused", or what is wrong with the answer to a request that is not taken."""
    fault = answer.status_code >= 500 or "Traceback" in answer.text
    return f"status {answer.status_code}: {answer.text[:300]}" if fault else "refused"


def _answer(message: Mapping[str, Any]) -> str:
    """ "read", "refused", or what is wrong with the last message about an event."""
    if message["success"]:
        return "read"
    said = message["output"].get("error")
    good = isinstance(said, str) and len(said) < 1000 and "Traceback" not in said
    return "refused" if good else f"message {said!r}"


def fuzz_page(address: str, photo: Any, count: int, seed: int) -> collections.Counter:
    """Sends `count` requests and returns how many had which outcome, as `fuzz.fuzz` does."""
    outcomes: collections.Counter = collections.Counter()
    with httpx.Client(base_url=address, timeout=SECONDS) as client:
        stranger = Stranger(client, photo)
        for case in range(count):
            result = stranger.send(seed, case)
            outcomes[result if result in ("read", "refused") else f"case {case}: {result}"] += 1
    return outcomes
