"""The page for programs, as docs/http.md has it, and what it refuses, with random weights."""

import asyncio
import concurrent.futures
import contextlib
import json
import math
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import APP, served
from PIL import Image

import neural_style_transfer as nst
from stylize.images.clips import open_clip
from stylize.images.ffmpeg import Mp4Writer
from stylize.runs import metadata

pytest.importorskip("gradio", reason="the page needs requirements-app.txt")
httpx = pytest.importorskip("httpx")
gradio_client = pytest.importorskip("gradio_client")
from starlette.exceptions import HTTPException  # noqa: E402
from starlette.requests import Request  # noqa: E402

from stylize.apps.page import guard  # noqa: E402

TEXT = (APP.parent / "docs" / "http.md").read_text(encoding="utf-8")
META = {"_type": "gradio.FileData"}
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Of all the page's files, and what it prints."""
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def address(full_weights_path, folder):
    """The page's address. It may paint up to 64 pixels, for two minutes."""
    limits = "--max_size", "64", "--max_seconds", "120", "--max_pixels", "10000"
    with served(folder, full_weights_path, *limits) as address:
        yield address
    assert not list(folder.glob("style_transfer_*"))  # what programs left is gone with the page
    assert "Traceback" not in (folder / "log").read_text()


@pytest.fixture(autouse=True)
def pictures(photo_path, painting_path, tmp_path, monkeypatch):
    """The names in docs/http.md, in the current folder."""
    for path, name in ((photo_path, "photo.jpg"), (painting_path, "painting.jpg")):
        nst.load_image(path).save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))  # where the client puts results


@pytest.fixture
def client(address):
    with httpx.Client(base_url=f"{address}/gradio_api", timeout=60) as client:
        yield client


def example(language, address):
    """A block of docs/http.md, at a size for tests."""
    (code,) = re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    size = {"python": "size=32, iterations=2", "sh": '"size": 32, "iterations": 2'}
    code = re.sub(r'size=400|"size": 400', size[language], code)
    return code.replace("http://127.0.0.1:7860", address)


def uploaded(client, path="photo.jpg"):
    """What an upload is called from then on."""
    with open(path, "rb") as file:
        return {"path": client.post("/upload", files={"files": file}).json()[0]}


def told(client, asked):
    """The (event, data) of each message about what is asked for; the answer if it is refused."""
    answer = client.post("/call/v2/paint", content=json.dumps(asked), headers=JSON)
    if answer.status_code != 200:
        return answer.text
    lines = client.get(f"/call/paint/{answer.json()['event_id']}").text.split("\n\n")
    return [re.match("event: (.*)\ndata: (.*)", line).groups() for line in lines if line]


def test_the_python_example_paints(address, capsys):
    exec(example("python", address), {})
    *words, path = capsys.readouterr().out.splitlines()  # of the example
    assert words[-1] == "Done: 38x32 pixels"
    assert any(re.fullmatch(r"Painting at .*: \d+%, about \d+s left", each) for each in words)
    assert metadata.read_record(path)["settings"]["iterations"] == 2


@pytest.mark.skipif(not (shutil.which("bash") and shutil.which("curl")), reason="needs curl")
def test_the_curl_example_paints_the_same(address, full_weights_path, tmp_path):
    subprocess.run(["bash", "-euc", example("sh", address)], check=True, timeout=60)
    assert '"Painting at' in (tmp_path / "progress.txt").read_text()
    expected = nst.style_transfer(
        "photo.jpg", "painting.jpg", size=32, iterations=2, weights=str(full_weights_path)
    )
    assert np.array_equal(Image.open("picture.png"), expected)


@pytest.mark.skipif(not (shutil.which("bash") and shutil.which("curl")), reason="needs curl")
@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ('"size"', '"sise"', "only names that /gradio_api/info lists"),
        ("@painting.jpg", "@none.jpg", "Failed to open"),
        ('"size": 32', '"size": 100', '"error": "size: The result would be 120x100 pixels'),
    ],
)
def test_the_curl_example_stops_at_what_is_wrong(right, wrong, said, address, tmp_path):
    script = example("sh", address).replace(right, wrong)
    ended = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1 and said in ended.stdout + ended.stderr
    assert not (tmp_path / "picture.png").exists()


def test_a_mask_keeps_a_part_of_the_photo(address, cut_out_path):
    files = {"photo": "photo.jpg", "painting": "painting.jpg", "keep_mask": str(cut_out_path)}
    given = {name: gradio_client.handle_file(path) for name, path in files.items()}
    with contextlib.closing(gradio_client.Client(address, verbose=False)) as page:
        words, picture = page.predict(**given, size=32, iterations=1, api_name="/paint")
    assert words.startswith("Done: 38x32 pixels\n\nmask cut_out.png: a cut-out: opaque parts")
    assert metadata.read_record(picture)["keep_mask"] == metadata.describe_file(cut_out_path)


def test_a_clip_becomes_a_film(address):
    writer = Mp4Writer(Path("clip.mp4"), (48, 40))
    writer.write(Image.open("photo.jpg"), 2)
    writer.finish()
    given = map(gradio_client.handle_file, ("clip.mp4", "painting.jpg"))
    with contextlib.closing(gradio_client.Client(address, verbose=False)) as page:
        words, film = page.predict(*given, size=32, iterations=1, api_name="/paint")
    assert words == "Done: 2 of 2 frames"
    assert [image.size for image in open_clip(film).frames()] == [(38, 32)] * 2


def test_programs_see_one_endpoint(address, client):
    described = client.get("/info?all_endpoints=True").json()
    endpoints = described["named_endpoints"]
    assert list(endpoints) == ["/paint"] and not described["unnamed_endpoints"]
    assert "http:" not in client.get("/info").text  # no address that another visitor made up
    named = [each["parameter_name"] for each in endpoints["/paint"]["parameters"]]
    assert set(re.findall("`([a-z_]+)`", TEXT)) >= set(named)
    visitor = gradio_client.Client(address, verbose=False)
    with contextlib.closing(visitor), pytest.raises(ValueError, match="Cannot find a function"):
        visitor.predict(api_name="/enter")


def test_numbers_may_be_sent_as_text(client):
    """As a form in a browser has them: what was painted is not lost for it."""
    both = {"photo": uploaded(client), "painting": uploaded(client, "painting.jpg")}
    *_, (event, said) = told(client, both | {"strength": "0.5", "size": "32", "iterations": 1})
    assert event == "complete", said


def test_notes_are_in_plain_text(client, cut_out_path):
    mask = cut_out_path.rename("a&b.png")
    both = {"photo": uploaded(client), "painting": uploaded(client, "painting.jpg")}
    *_, (_, said) = told(client, both | {"keep_mask": uploaded(client, mask), "size": 32})
    assert "mask a&b.png: a cut-out" in json.loads(said)[0]


def test_what_cannot_be_painted_is_one_line(client):
    photo = uploaded(client)
    for asked, words in (
        ({"size": 100}, "size: The result would be 120x100 pixels; the limit here is 64"),
        (
            {"style_scale": 100, "size": 32},
            "style_scale: For strokes of this size the painting would be",
        ),
        ({"strength": math.nan}, "strength"),
        ({"strength": "much"}, "strength"),
        ({"size": 1e308}, "size"),
        ({"iterations": 0}, "iterations"),
        ({"iterations": [1]}, "iterations"),
        ({"preserve_colors": "all"}, "preserve_colors"),
        ({"seed": -1}, "seed"),
        ({"size": None}, "size: give a value, or leave it out"),
        ({"keep_mask": 5}, "keep_mask: upload a file and give"),
    ):
        *_, (event, data) = told(client, {"photo": photo, "painting": photo} | asked)
        assert event == "error" and words in json.loads(data)["error"], asked


def test_what_is_refused_in_its_turn_has_a_line_in_the_log(client, address, folder):
    photo = uploaded(client)
    right = {"photo": photo, "painting": photo, "size": 32}
    before = (folder / "log").read_text()
    for wrong in ({"photo": {"path": "/etc/passwd"}}, {"photo": "a name"}, {"size": None}):
        *_, (event, _) = told(client, right | wrong)
        assert event == "error"
    new = (folder / "log").read_text().removeprefix(before).splitlines()
    assert [line[20:].partition(": ")[2][:12] for line in new] == [
        *("photo: Give ", "photo: uploa", "size: give a"),
    ]


@pytest.mark.parametrize("more", [{}, {"meta": META}, {"url": "/etc/passwd"}])
def test_only_uploads_are_painted(more, client, tmp_path):
    photo = uploaded(client)
    os.mkfifo(tmp_path / "pipe.png")
    for path in (
        *map(str, (tmp_path / "photo.jpg", tmp_path / "pipe.png", tmp_path)),
        *("/dev/zero", "/etc/passwd", "http://127.0.0.1:1/a.png", "", None, 5, [], {}),
    ):
        for name in ("photo", "painting", "keep_mask"):
            asked = {"photo": photo, "painting": photo, name: {"path": path, **more}}
            *_, (event, data) = told(client, asked)
            said = json.loads(data)["error"]
            assert event == "error" and said.startswith(f"{name}: ") and "uploaded here" in said


def test_what_is_no_request_for_a_picture_is_refused(client):
    photo = uploaded(client)
    both = {"photo": photo, "painting": photo}
    for asked, named in (
        ({}, "photo: is missing. "),
        ({"photo": photo}, "painting: is missing. "),
        (both | {"sise": 1}, "sise: is not a parameter. "),
        (both | {"\n\ud800`": 1}, "`: is not a parameter. "),
        (both | {"x" * 2000: 1}, f"{'x' * 200}: is not a parameter. "),
    ):
        assert told(client, asked).startswith(f"{named}Send JSON")
        assert "only names that /gradio_api/info lists" in told(client, asked)
        content = json.dumps(asked)  # lone surrogates too, which httpx does not send
        answer = client.post("/call/v2/paint", content=content, headers=JSON)
        assert answer.status_code == 400
    for asked in ([], 5, None, "{}"):
        assert "Send JSON (Content-Type: application/json)" in told(client, asked)
    for content in (b"[" * 9000, b'"\xff"', b"9" * 5000):  # Gradio calls these no error of JSON
        answer = client.post("/call/v2/paint", content=content, headers=JSON)
        assert (answer.status_code, answer.text) == (422, told(client, []))
    form = client.post("/call/v2/paint", data={"photo": json.dumps(photo)})  # as curl -d does
    assert (form.status_code, form.text) == (422, told(client, []))
    long = {"photo": photo | {"size": "9" * 2**14}, "painting": photo}
    assert told(client, long) == "This request is too long."
    for file in ("a.png", None, 5, [], {"name": "a.png"}):
        *_, (event, data) = told(client, {"photo": photo, "painting": file})
        assert event == "error" and "painting: upload a file" in json.loads(data)["error"]
    unknown = "0" * 32
    answer = client.get(f"/call/paint/{unknown}")
    said = f"{unknown}: there is no such event, or it has ended. Ask again."
    assert (answer.status_code, answer.text) == (404, said)
    for event in ("..%2f..%2fconfig", "x" * 9, "0/0", ""):
        assert client.get(f"/call/paint/{event}").status_code == 404


@pytest.mark.parametrize("path", [guard.PAINT, f"{guard.PAINT}/"])
def test_a_program_is_told_in_a_line_that_too_many_wait(path):
    """In JSON, the curl example would take the words for the name of what it has asked for."""
    request = Request({"type": "http", "path": path, "headers": []})
    answer = asyncio.run(guard.not_taken(request, HTTPException(503, "Queue is full.")))
    assert answer.status_code == 503
    assert answer.body == b"Too many requests are waiting; try again later."


def test_the_page_reads_gradios_own_answer():
    request = Request({"type": "http", "path": "/gradio_api/queue/join", "headers": []})
    answer = asyncio.run(guard.not_taken(request, HTTPException(503, "Queue is full.")))
    assert json.loads(answer.body) == {"detail": "Queue is full."}


def test_what_is_told_is_told_once(client):
    """Gradio would send heartbeats for ever to who reads it again."""
    photo = uploaded(client)
    asked = {"photo": photo, "painting": photo, "size": 1}
    event = client.post("/call/v2/paint", json=asked).json()["event_id"]
    assert "the result, must be" in client.get(f"/call/paint/{event}").text
    for address in (f"/call/paint/{event}", f"/call/paint/{event}/"):
        again = client.get(address)
        assert again.status_code == 410 and "read only once" in again.text


def hang_up(client, asked):
    """Asks for a picture, and goes when it is being painted."""
    event = client.post("/call/v2/paint", json=asked).json()["event_id"]
    with client.stream("GET", f"/call/paint/{event}") as lines:
        assert any("Painting at" in line for line in lines.iter_lines())


def cancel(client, asked):
    """The same, as Gradio's client does it."""
    page = gradio_client.Client(str(client.base_url).partition("/gradio_api")[0], verbose=False)
    files = dict.fromkeys(("photo", "painting"), gradio_client.handle_file("photo.jpg"))
    with contextlib.closing(page):
        job = page.submit(**asked | files, api_name="/paint")
        assert any("Painting at" in words for words, _ in job)
        job.cancel()


def test_cancelling_what_waits_stops_nothing_else(address):
    """Both are of one client, and so of one session, to which Gradio's own answer would apply."""
    page = gradio_client.Client(address, verbose=False)
    files = [gradio_client.handle_file("photo.jpg")] * 2
    with contextlib.closing(page):
        first = page.submit(*files, size=48, iterations=40, api_name="/paint")
        assert any("Painting at" in words for words, _ in first)
        second = page.submit(*files, size=32, iterations=1, api_name="/paint")
        deadline = time.monotonic() + 30
        while second.status().code is not gradio_client.utils.Status.IN_QUEUE:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert not first.done()
        second.cancel()
        with pytest.raises((KeyError, concurrent.futures.CancelledError)):
            second.result(timeout=30)
        words, _ = first.result(timeout=60)
        assert words.startswith("Done: ")


@pytest.mark.parametrize("gives_up", [hang_up, cancel])
def test_who_gives_up_holds_nobody(gives_up, client):
    photo = uploaded(client)
    asked = {"photo": photo, "painting": photo, "size": 32}
    gives_up(client, asked | {"iterations": 5000})
    started = time.monotonic()
    *_, (event, _) = told(client, asked | {"iterations": 1})
    assert event == "complete" and time.monotonic() - started < 60
