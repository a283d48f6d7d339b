"""A hostile visitor of the page, who writes requests by hand: what each is answered."""

import asyncio
import contextlib
import itertools
import json
import os
import re
import signal
import socket
import time
from pathlib import Path

import pytest
from conftest import served
from PIL import Image

pytest.importorskip("gradio", reason="the page needs requirements-app.txt")
httpx = pytest.importorskip("httpx")
from fuzz_page import fuzz_page  # noqa: E402

from stylize.apps.page import guard, keeping, previews  # noqa: E402
from stylize.errors import InputError  # noqa: E402

LOOKS = (
    "show",
    "example_given",
    "show_last",
    "mask_given",
    "mask_for_photos",
    "remove_mask",
    "foresee",
    "changed",
)
EXAMPLES = ("load_example", "load_example_1")
NAMES = (*EXAMPLES, *LOOKS, "enter", "enter_for_choices", "paint_entered", "offer", "stop", "leave")
NAMES += ("paint",)  # for programs
META = {"_type": "gradio.FileData"}
CONTROLS = [0.5, 32, 1, "none", 0.025, 1, 1, 0, 0, "area"]
ONLY_UPLOADS = "Give pictures or a clip that you have uploaded here, or an example."
NOT_OURS = "This request is not one that the page sends."
GIGABYTES = 0.01


@pytest.fixture(scope="module")
def page(full_weights_path, tmp_path_factory):
    """(The page's address, the folder of all its files). It keeps ten megabytes."""
    folder = tmp_path_factory.mktemp("page")
    limits = ("--max_size", "64", "--max_seconds", "20", "--max_gigabytes", str(GIGABYTES))
    limits += ("--max_pixels", "10000")
    with served(folder, full_weights_path, *limits, ends_by=signal.SIGHUP) as address:
        yield address, folder
    assert not list(folder.glob("style_transfer_*"))  # what visitors left is gone, on SIGHUP too
    assert "Traceback" not in (folder / "log").read_text()


@pytest.fixture
def visitor(page):
    return Visitor(page[0])


class Visitor:
    """Sends what it likes."""

    sessions = itertools.count()

    def __init__(self, address):
        # One connection for each request: a refused body leaves the last one unusable.
        self.client = httpx.Client(base_url=address, headers={"connection": "close"}, timeout=30)
        self.session = f"visitor{next(self.sessions)}"
        config = self.client.get("/config").json()
        self.scripts = [each["id"] for each in config["dependencies"] if not each["backend_fn"]]
        self.events = {each["api_name"]: each["id"] for each in config["dependencies"]}

    def upload(self, path):
        """The file object of an upload."""
        with open(path, "rb") as file:
            answer = self.client.post("/gradio_api/upload", files={"files": file})
        return {"path": answer.json()[0], "meta": META}

    def join(self, event, data, session=None):
        """Has an event run. Returns the last message about it."""
        event = self.events[event] if event in NAMES else event
        asked = {"fn_index": event, "data": data, "session_hash": session or self.session}
        answer = self.client.post(
            "/gradio_api/queue/join",
            content=json.dumps(asked),  # NaN and Infinity too, which httpx does not send
            headers={"content-type": "application/json"},
        )
        if answer.status_code != 200:
            return answer
        return self.messages(session or self.session)[-1]

    def messages(self, session):
        url = "/gradio_api/queue/data"
        with self.client.stream("GET", url, params={"session_hash": session}) as lines:
            told = [json.loads(line[6:]) for line in lines.iter_lines() if line]
        return [each for each in told if each["msg"] == "process_completed"]

    def enter(self, photos, painting, controls=CONTROLS, mask=None):
        """What the page says to pictures."""
        return self.join("enter", [photos, painting, mask, *controls])["output"]

    def paint(self):
        """The words in which painting ends."""
        output = self.join("paint_entered", [])["output"]
        return output.get("error") or output["data"][0]


@pytest.fixture
def photo_of(visitor, photo_path):
    """The file object of an uploaded photo."""
    return visitor.upload(photo_path)


def in_gallery(file):
    return [{"image": file, "caption": None}]


def looks_of(gallery):
    """What the page says of pictures before they are painted, event by event."""
    pictures = {"show": [gallery, "a path"], "example_given": [gallery], "show_last": [gallery]}
    pictures["mask_given"] = [gallery, gallery]
    pictures |= {"mask_for_photos": [gallery, gallery, "a path"], "remove_mask": [gallery]}
    inputs = [gallery, gallery, gallery, *CONTROLS]
    return pictures | {"foresee": inputs, "changed": inputs}


# ---------------------------------------------------------------------------------------------
# Files
# ---------------------------------------------------------------------------------------------


@pytest.fixture
def elsewhere(tmp_path, photo_path, page):
    """Paths of what a visitor has not uploaded."""
    os.mkfifo(tmp_path / "pipe.png")
    (own,) = page[1].glob("style_transfer_*")
    place = own / ("0" * 64)
    place.mkdir(exist_ok=True)
    for name, target in (("link.png", photo_path), ("pipe.png", tmp_path / "pipe.png")):
        if not (place / name).is_symlink():
            (place / name).symlink_to(target)
    if not (place / "fifo.png").exists():
        os.mkfifo(place / "fifo.png")
    (own / "state.png").write_bytes(photo_path.read_bytes())
    return [
        *(str(tmp_path / name) for name in ("photo.png", "pipe.png", "missing.png")),
        *map(str, (own, own / "state.png")),
        *(str(place / name) for name in ("link.png", "pipe.png", "fifo.png", "missing.png", "..")),
        f"{place}/../../../{photo_path}",
        *("/dev/zero", "/dev/stdin", "/etc/passwd", "/etc/passwd\0.png", "", "\0", "~/a.png"),
        *("http://127.0.0.1:1/a.png", "file:///etc/passwd", "ftp://example.com/a.png"),
        *(None, 5, [], {}, True),
    ]


BESIDE = [{}, {"meta": META}, {"meta": {}}, {"url": "/etc/passwd"}]  # a path


@pytest.mark.parametrize("more", BESIDE)
def test_only_what_was_uploaded_is_an_upload(more, elsewhere, page):
    (own,) = page[1].glob("style_transfer_*")
    for path in elsewhere:
        with pytest.raises(InputError, match=re.escape(ONLY_UPLOADS)):
            guard.check_uploads([{"path": path, **more}], str(own))


@pytest.mark.parametrize("more", BESIDE)
def test_only_uploads_are_read(more, visitor, photo_of, elsewhere):
    """Gradio reads a path without "meta" wherever it is; with it, a few paths tell enough."""
    for path in elsewhere[::8] if more else elsewhere:
        file = {"path": path, **more}
        own, given = in_gallery(photo_of), in_gallery(file)
        for photos, painting, mask in (
            (given, own, None),
            ([{"video": file, "caption": None}], own, None),
            (own, given, None),
            (own, own, given),
        ):
            answer = visitor.enter(photos, painting, mask=mask)
            assert answer["error"] == ONLY_UPLOADS, path
        for event, data in looks_of(in_gallery(file)).items():
            assert visitor.join(event, data)["output"]["error"] == ONLY_UPLOADS, path
        for name, data in {  # as programs give them
            "photo": [file, photo_of, *CONTROLS],
            "painting": [photo_of, file, *CONTROLS],
            "keep_mask": [photo_of, photo_of, *CONTROLS, file],
        }.items():
            said = visitor.join("paint", data)["output"]["error"]
            assert said == f"{name}: {ONLY_UPLOADS}", path
    for index in range(len(CONTROLS)):
        controls = [*CONTROLS[:index], {"path": "/etc/passwd", **more}, *CONTROLS[index + 1 :]]
        assert (
            visitor.enter(in_gallery(photo_of), in_gallery(photo_of), controls)["error"]
            == ONLY_UPLOADS
        )


def test_no_files_but_its_own_are_served(visitor, page):
    (own,) = page[1].glob("style_transfer_*")
    for path in ("/etc/passwd", "http://127.0.0.1:1/", f"{own}/%2e%2e/log", str(page[1] / "log")):
        assert visitor.client.get(f"/gradio_api/file={path}").status_code in (403, 404), path


def test_preview_stands_for_the_upload_beside_it_alone(visitor, page, tmp_path):
    """Another visitor cannot have theirs taken for it, and it goes when the upload does."""
    pytest.importorskip("pillow_heif").register_heif_opener()
    Image.effect_noise((40, 30), 80).save(tmp_path / "photo.heic")
    file = visitor.upload(tmp_path / "photo.heic")
    shown = visitor.join("show", [in_gallery(file), None])["output"]["data"][0][0]
    shown = shown["image"]["path"]
    assert shown == file["path"] + previews.PREVIEW and guard.is_upload(shown, str(own_of(page)))
    assert previews.original(shown) == file["path"]
    (tmp_path / f"other.png{previews.PREVIEW}").write_bytes(b"1")
    alone = visitor.upload(tmp_path / f"other.png{previews.PREVIEW}")["path"]
    assert previews.original(alone) == alone
    others = {each for each in own_of(page).rglob("*") if each.parent != Path(shown).parent}
    keeping.remove_old(str(own_of(page)), others, age=-1)
    assert not os.path.exists(shown) and not os.path.exists(file["path"])


def own_of(page):
    """The folder of what visitors leave."""
    (own,) = page[1].glob("style_transfer_*")
    return own


def test_uploaded_page_is_not_shown_as_one(visitor, tmp_path):
    (tmp_path / "page.html").write_text("<script>alert(1)</script>")
    path = visitor.upload(tmp_path / "page.html")["path"]
    headers = visitor.client.get(f"/gradio_api/file={path}").headers
    assert headers["content-disposition"].startswith("attachment")


def test_name_of_an_upload_leads_nowhere_else(visitor, page):
    files = {"files": ("../../../escaped.png", b"1")}
    (path,) = visitor.client.post("/gradio_api/upload", files=files).json()
    (own,) = page[1].glob("style_transfer_*")
    assert guard.is_upload(path, str(own))


# ---------------------------------------------------------------------------------------------
# Events and endpoints
# ---------------------------------------------------------------------------------------------

NONSENSE = [None, "x", "", [], {}, [[]], {"a": {}}, True, -1, 1e300, 10**400, float("nan")]


def test_nonsense_in_any_field_of_any_event_is_answered(visitor, photo_of):
    gallery = in_gallery(photo_of)
    events = {"enter": [gallery, gallery, gallery, *CONTROLS], **looks_of(gallery)}
    for event, given in events.items():
        for index, nonsense in itertools.product(range(len(given)), [*NONSENSE, float("inf")]):
            answer = visitor.join(event, [*given[:index], nonsense, *given[index + 1 :]])
            assert answer["success"] or answer["output"]["error"], (event, index, nonsense)
    for event, nonsense in itertools.product(EXAMPLES, NONSENSE):
        assert visitor.join(event, [nonsense])["msg"] == "process_completed"
    for event in NAMES:
        for data in ([], [None], [1] * 50):
            assert visitor.join(event, data)["msg"] == "process_completed"


def test_any_value_in_any_field_of_any_request_is_answered(page, photo_path):
    outcomes = fuzz_page(page[0], photo_path, 40, seed=1)
    assert outcomes["read"] + outcomes["refused"] == 40, outcomes
    assert min(outcomes.values()) > 5


def test_settings_that_cannot_be_are_answered_in_words(visitor, photo_of):
    for index, value in ((0, "x"), (1, 10**9), (3, "violet"), (4, -1), (9, -1)):
        controls = [*CONTROLS[:index], value, *CONTROLS[index + 1 :]]
        visitor.enter(in_gallery(photo_of), in_gallery(photo_of), controls)
        assert re.search("must be|the limit here is 64|choose a smaller size", visitor.paint())


def test_settings_that_no_control_has_are_not_kept(visitor, photo_of):
    """What is asked for stays in memory for a while."""
    for index, value in ((1, [32, 100]), (3, {"a": 1}), (8, [1]), (9, "x" * 100)):
        controls = [*CONTROLS[:index], value, *CONTROLS[index + 1 :]]
        said = visitor.enter(in_gallery(photo_of), in_gallery(photo_of), controls)
        assert said["error"] == NOT_OURS


@pytest.mark.parametrize(("size", "scale"), [((16, 600), 2.0), ((80, 60), 100)])
def test_paintings_are_not_enlarged_without_end(visitor, photo_of, tmp_path, size, scale):
    """Whatever their shape, and however coarse the strokes."""
    Image.new("RGB", size, "red").save(tmp_path / "painting.png")
    painting = visitor.upload(tmp_path / "painting.png")
    visitor.enter(in_gallery(photo_of), in_gallery(painting), [*CONTROLS[:-1], scale])
    assert "too many here. Choose finer strokes, or a smaller size." in visitor.paint()


def test_events_that_do_not_exist_are_answered(visitor):
    for event, status in ((99, 400), (-1, 400), ("x", 422), (None, 400), ([], 422)):
        assert visitor.join(event, []).status_code == status
    for body in ("", "[", "[" * 100_000, "{}", "null"):
        answer = visitor.client.post("/gradio_api/queue/join", content=body)
        assert answer.status_code in (400, 422)


def test_what_only_a_browser_does_is_refused(visitor):
    """Drawing a mask, say."""
    assert visitor.scripts
    for event in visitor.scripts:
        assert visitor.join(event, [])["output"]["error"] == guard.NOT_OURS


def test_what_is_nested_deep_is_refused(visitor):
    deep = []
    for _ in range(400):
        deep = [deep]
    assert visitor.enter(deep, None)["error"] == "This request is nested too deeply."


def test_what_the_page_does_not_ask_for_is_not_there(visitor):
    for name in NAMES:
        for place in ("run", "api", "call", "call/v2"):
            answer = visitor.client.post(f"/gradio_api/{place}/{name}", json={"data": []})
            assert answer.status_code == (400 if (place, name) == ("call/v2", "paint") else 404)
            answer = visitor.client.get(f"/gradio_api/{place}/{name}/x")
            assert answer.status_code == 404
    assert visitor.client.post("/gradio_api/info").status_code == 404
    for path in (
        *("openapi.json", "runs", "run-history/records", "proxy=http://127.0.0.1/"),
        *("component_server", "process_recording", "vibe-edit", "dev/reload", "token", "user"),
        *("custom_component/1/client/component/x", "stream/a/b/1/playlist.m3u8", "deep_link"),
        *("profiling/traces", "file/etc/passwd"),
    ):
        for method in ("GET", "POST"):
            answer = visitor.client.request(method, f"/gradio_api/{path}")
            assert answer.status_code == 404, path
    for path in ("/monitoring", "/monitoring/summary", "/login", "/docs", "/redoc", "/logout"):
        assert visitor.client.get(path).status_code == 404, path
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        assert visitor.client.request(method, "/gradio_api/upload").status_code == 404
    asked = {"fn_index": visitor.events["paint_entered"], "data": []}
    answer = visitor.client.post("/gradio_api/run/predict", json=asked)
    assert answer.status_code == 404  # painting has a queue


def test_what_gradio_trips_over_is_answered(visitor, photo_of):
    """None of it leaves a traceback in the page's log, see `page`."""
    get, file = visitor.client.get, f"/gradio_api/file={photo_of['path']}"
    for bytes_wanted in ("0-0,1-1", "--5", "1-" + "9" * 5000):
        assert get(file, headers={"range": f"bytes={bytes_wanted}"}).status_code == 400
    assert get("/assets/" + "a" * 300).status_code == 400  # too long for a file's name
    for address in ("/assets/" + "a" * 5000, "/theme.css?v=" + "a" * 5000):
        assert get(address).status_code == 414
    assert get("/gradio_api/queue/data?session_hash=%ED%B3%BF").status_code == 400  # not Unicode
    surrogate = '{"fn_index": 3, "data": [], "session_hash": "\\ud800", "event_id": "\\ud800"}'
    json_type = {"content-type": "application/json"}
    for path in ("run/predict", "queue/join", "cancel", "reset"):
        visitor.client.post(f"/gradio_api/{path}", content=surrogate, headers=json_type)
    with contextlib.suppress(httpx.RemoteProtocolError):  # it is told that there is none, and ends
        get("/gradio_api/queue/data?session_hash=nobody")


# ---------------------------------------------------------------------------------------------
# Uploads
# ---------------------------------------------------------------------------------------------


def multipart(*parts):
    """The body of an upload of (more of the header, bytes) each."""
    lines = [
        f"--x\r\nContent-Disposition: form-data; {about}\r\n\r\n".encode() + given + b"\r\n"
        for about, given in parts
    ]
    return b"".join(lines) + b"--x--\r\n"


FILE = 'name="files"; filename="a.png"'
MULTIPART = "multipart/form-data; boundary=x"


@pytest.mark.parametrize(
    ("body", "kind"),
    {
        "a field, which would be kept in memory": (multipart(('name="a"', b"1")), MULTIPART),
        "a file, then a field": (multipart((FILE, b"1"), ('name="files"', b"1")), MULTIPART),
        "a file of another name": (multipart(('name="a"; filename="a"', b"1")), MULTIPART),
        "a file called ..": (multipart(('name="files"; filename=".."', b"1")), MULTIPART),
        "a file that does not end": (multipart((FILE, b"1"))[:-9], MULTIPART),
        "a file, then something else": (multipart((FILE, b"1")) + b"x" * 99, MULTIPART + "y"),
        "a header of nonsense": (b"--x\r\n\0: a\r\n\r\n", MULTIPART),
        "too many files": (multipart(*[(FILE, b"1")] * 1001), MULTIPART),
        "a boundary that is too long": (b"", MULTIPART + "x" * 300),
        "a character set that is none": (
            multipart((FILE, b"1")),
            MULTIPART + "; charset=undefined",
        ),
        "no form": (b"1", "text/plain"),
    }.values(),
)
def test_upload_that_cannot_be_used_leaves_nothing(body, kind, visitor, page):
    (own,) = page[1].glob("style_transfer_*")
    before = set(own.iterdir())
    for progress in ("", "?upload_id=a"):
        url, headers = f"/gradio_api/upload{progress}", {"content-type": kind}
        answer = visitor.client.post(url, content=body, headers=headers)
        assert answer.status_code in (400, 413)
    assert set(own.iterdir()) == before


def test_upload_that_ends_early_leaves_nothing(page):
    (own,) = page[1].glob("style_transfer_*")
    before, port = set(own.iterdir()), int(page[0].rpartition(":")[2])
    header = (
        f"POST /gradio_api/upload HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Content-Type: {MULTIPART}\r\nContent-Length: 100000\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(header.encode() + multipart((FILE, b"1" * 1000))[:-7])
        wait_until(lambda: set(own.iterdir()) != before)
    wait_until(lambda: set(own.iterdir()) == before)


def wait_until(there):
    give_up = time.monotonic() + 10
    while not there():
        assert time.monotonic() < give_up
        time.sleep(0.05)


# ---------------------------------------------------------------------------------------------
# Other visitors
# ---------------------------------------------------------------------------------------------


def test_one_visitor_neither_stops_nor_sees_another(visitor, page, photo_of):
    other = Visitor(page[0])
    visitor.enter(in_gallery(photo_of), in_gallery(photo_of))
    for session in (other.session, "", "null"):
        for event in ("stop", "leave", "paint_entered"):
            other.join(event, [], session=session)
    assert "please ask again" in other.paint()  # it has asked for nothing
    assert visitor.paint().startswith("Done: 38x32 pixels\n\n")
    for path in ("/config", "/", "/gradio_api/startup-events"):
        assert visitor.session not in other.client.get(path).text
    answer = other.client.post(
        "/gradio_api/cancel",
        json={"session_hash": "x", "fn_index": other.events["paint_entered"], "event_id": "x"},
    )
    assert answer.json() == {"success": True}  # of nothing


# ---------------------------------------------------------------------------------------------
# Hosts and origins
# ---------------------------------------------------------------------------------------------


def test_foreign_names_are_refused(visitor, page):
    port = page[0].rpartition(":")[2]
    for name in ("localhost", "LOCALHOST", "127.0.0.1", "[::1]"):
        assert visitor.client.get("/", headers={"host": f"{name}:{port}"}).status_code == 200
    for name in ("evil.example", f"127.0.0.1.evil.example:{port}", "", "[", "0.0.0.0", "10.0.0.1"):
        for path in ("/", "/config", "/gradio_api/startup-events"):
            answer = visitor.client.get(path, headers={"host": name})
            assert answer.status_code == 400, name


def test_page_is_not_told_another_name_by_a_visitor(visitor, page):
    own = page[0].removeprefix("http://")
    get = visitor.client.get
    assert get("/config", headers={"x-forwarded-host": own}).status_code == 200
    for headers in (
        {"x-forwarded-host": "evil.example"},
        {"x-forwarded-host": f"evil.example, {own}"},
        {"x-forwarded-host": "["},
        {"x-gradio-server": "http://evil.example"},
    ):
        assert get("/", headers=headers).status_code == 400, headers


def test_other_pages_are_refused(visitor, page):
    own, port = page[0], page[0].rpartition(":")[2]
    foreign = ("http://evil.example", f"http://evil.example:{port}", "http://localhost:3000")
    strange = ("null", "file://", "", "http://[", f"{own}.evil.example", f"{own}@evil.example")
    for origin in (*foreign, *strange):
        for method, path in (("GET", "/config"), ("POST", "/gradio_api/upload")):
            answer = visitor.client.request(method, path, headers={"origin": origin})
            assert answer.status_code == 403, origin
        asked = {"origin": origin, "access-control-request-method": "POST"}
        answer = visitor.client.options("/gradio_api/upload", headers=asked)
        assert answer.status_code == 403, origin
        assert not any(name.startswith("access-control-") for name in answer.headers)
    assert visitor.client.get("/config", headers={"origin": own}).status_code == 200


@pytest.mark.parametrize(
    ("host", "taken", "refused"),
    [
        ("127.0.0.1", ["localhost:1", "[::1]:1", "painter.example"], ["10.0.0.1", "x.example"]),
        ("0.0.0.0", ["localhost", "10.0.0.1:7860", "[fe80::1]"], ["x.example", "10.0.0.1.example"]),
        ("10.0.0.1", ["10.0.0.1", "painter.example:443"], ["localhost", "10.0.0.2"]),
    ],
)
def test_names_follow_from_where_the_page_is_served(host, taken, refused):
    page = guard.Guard(None, host, ["painter.example"], "", 0)
    for name in taken:
        assert page._refusal("GET", "/", {"host": name}) is None
    for name in refused:
        assert page._refusal("GET", "/", {"host": name})[0] == 400
    behind = {"host": taken[0], "origin": "https://painter.example"}  # a server that is before it
    assert page._refusal("GET", "/", behind) is None


# ---------------------------------------------------------------------------------------------
# Too much
# ---------------------------------------------------------------------------------------------


def test_picture_of_too_many_pixels_is_not_decoded(visitor, photo_of, tmp_path):
    Image.new("RGB", (101, 100)).save(tmp_path / "large.png")
    visitor.enter(in_gallery(photo_of), in_gallery(visitor.upload(tmp_path / "large.png")))
    words = "the painting: 101x100 pixels are too many; at most 10,000 are taken: make it smaller"
    assert visitor.paint() == words


def test_long_requests_are_refused(visitor):
    url, long = "/gradio_api/queue/join", b" " * (guard.LARGEST_REQUEST + 1)
    assert visitor.client.post(url, content=long).status_code == 413
    assert visitor.client.post(url, content=iter([b"{}"])).status_code == 411  # who knows how long


def ask(page, headers, bodies=(), wait=0.0):
    """What a `Guard` answers to an upload that comes in such pieces: the status."""
    coming, answers = iter(bodies), []

    async def receive():
        for body in coming:
            return {"type": "http.request", "body": body, "more_body": True}
        await asyncio.sleep(wait)
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        answers.append(message)

    headers = [(name.encode(), text.encode()) for name, text in {"host": "x", **headers}.items()]
    scope = {"type": "http", "method": "POST", "path": guard.UPLOAD, "query_string": b""}
    asyncio.run(page(scope | {"headers": headers}, receive, send))
    return answers[0]["status"]


async def read_all(scope, receive, send):
    """Stands in for Gradio."""
    while (await receive())["more_body"]:
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})


def test_upload_takes_room_only_when_it_comes(tmp_path):
    page = guard.Guard(read_all, "x", [], str(tmp_path), max_bytes=1000)
    assert ask(page, {"content-length": "1001"}) == 413
    assert ask(page, {"content-length": "2", "transfer-encoding": "chunked"}) == 411  # two lengths
    assert ask(page, {"content-length": "900"}, [b"a" * 500]) == 200  # the rest never comes ...
    assert page._coming == 0
    page._coming = 400  # ... of another's, either
    assert ask(page, {"content-length": "500"}, [b"a" * 500]) == 200
    assert ask(page, {"content-length": "500"}, [b"a" * 500, b"a" * 500]) == 413
    assert page._coming == 400


def test_visitor_who_stops_sending_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(guard, "LONGEST_PAUSE", 0.05)
    page = guard.Guard(read_all, "x", [], str(tmp_path), max_bytes=1000)
    assert ask(page, {"content-length": "900"}, [b"a"], wait=30) == 408


def test_browsers_keep_nothing_of_what_was_painted(visitor):
    assert visitor.client.get("/config").json()["run_history"] is False


def test_all_uploads_together_have_a_limit(visitor, photo_of, page):
    """The last test: nothing more can be uploaded, or painted."""
    (own,) = page[1].glob("style_transfer_*")
    answers = []
    for _ in range(12):
        files = [("files", (f"{i}.png", os.urandom(1000))) for i in range(20)]
        answers.append(visitor.client.post("/gradio_api/upload", files=files))
    assert {answer.status_code for answer in answers} == {200, 413}
    assert answers[-1].text == "The page has no room for this now; come back later."
    assert guard.bytes_in(str(own)) < GIGABYTES * 2**30 + 20 * guard.SMALLEST_FILE
    assert visitor.client.get("/").status_code == 200
    (own / "result.png").write_bytes(bytes(10**6))
    visitor.enter(in_gallery(photo_of), in_gallery(photo_of))
    assert visitor.paint() == "The page has no room for this now; come back later."
    answer = visitor.join("paint", [photo_of, photo_of, *CONTROLS, None])
    assert answer["output"]["error"] == "The page has no room for this now; come back later."
