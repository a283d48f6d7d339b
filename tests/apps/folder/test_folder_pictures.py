"""What is in a folder, what its results are called, and the page that shows them."""

import json
import os
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from conftest import BAD_PICTURES, make_bad_picture
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from stylize.apps.folder import pictures
from stylize.errors import InputError
from stylize.images.writing import save_image

RECORD = json.dumps({"settings": {}, "recipe": "keras", "base": {}})  # as in a result of ours


def put(path, description=""):
    """A small picture; returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_image(Image.new("RGB", (20, 20)), path, description=description)
    return path


def names(paths, folder):
    return [path.relative_to(folder).as_posix() for path in paths]


def test_pictures_of_a_folder_and_those_below_it(tmp_path):
    for name in ("b.png", "A.JPG", "sub/deep/c.webp"):
        put(tmp_path / name)
    (tmp_path / "broken.heic").touch()  # a picture by its name: what is wrong is said later
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")  # nobody writes to it
    (tmp_path / "gone.png").symlink_to("nowhere.png")
    (tmp_path / "link.png").symlink_to("b.png")
    (tmp_path / "linked").symlink_to("sub")  # it is not searched
    assert names(pictures.find_pictures(tmp_path, "none"), tmp_path) == [
        *("A.JPG", "b.png", "broken.heic", "gone.png", "link.png", "sub/deep/c.webp"),
    ]


def test_picture_that_vanishes_while_the_folder_is_listed_is_left_out(tmp_path, monkeypatch):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"")
    vanished = [tmp_path / "b.png", tmp_path / "c.png"]
    monkeypatch.setattr(pictures, "pictures_below", lambda *_: [tmp_path / "a.png", *vanished])
    vanished[0].unlink()
    assert names(pictures.find_pictures(tmp_path, "none"), tmp_path) == ["a.png"]


def test_hidden_files_and_results_of_ours_are_left_alone(tmp_path):
    put(tmp_path / "photo.png")
    put(tmp_path / ".hidden.png")
    put(tmp_path / ".thumbnails/photo.png")
    put(tmp_path / "results/anything.png")
    put(tmp_path / "painted.jpg", RECORD)
    (tmp_path / "painted_losses.csv").touch()
    put(tmp_path / "painted_losses.png")
    Image.new("RGB", (20, 20)).save(tmp_path / "painted.gif")
    found = pictures.find_pictures(tmp_path, tmp_path / "results")
    assert names(found, tmp_path) == ["photo.png"]


def test_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(InputError, match="is a folder without pictures; check the path"):
        pictures.find_pictures(tmp_path, "none")


def test_names_keep_the_suffix_only_where_they_must():
    paths = ["a.jpg", "a.png", "b.jpg", "sub/a.jpg", "c.jpg", "c.jpg.png", "d_at_iteration_0.jpg"]
    assert [name.as_posix() for name in pictures.unique_names(list(map(Path, paths)))] == [
        *("a.jpg", "a.png", "b", "sub/a", "c", "c.jpg.png", "d_at_iteration_0.jpg"),
    ]


def test_names_that_some_disks_do_not_tell_apart_keep_their_suffixes():
    for one, other in (("a.jpg", "A.png"), ("\u00e9.jpg", "e\u0301.png")):
        assert pictures.unique_names([Path(one), Path(other)]) == [Path(one), Path(other)]


@given(st.sets(st.from_regex(r"[ab]{1,2}(\.(jpg|png)){1,3}", fullmatch=True)))
def test_no_two_pictures_share_a_name(files):
    results = pictures.unique_names([Path(name) for name in sorted(files)])
    assert len(set(results)) == len(files)


@pytest.fixture
def album(tmp_path):
    """Two photos, one below the other, and two styles."""
    for name in ("photos/a.png", "photos/sub/b.png", "styles/x.png", "styles/y.png"):
        put(tmp_path / name)
    return tmp_path


@pytest.mark.parametrize(
    ("base", "style", "pairs", "expected"),
    [
        ("photos", "styles/x.png", False, "a:x:a sub/b:x:sub/b"),
        ("photos", "styles", False, "a:x:x/a sub/b:x:x/sub/b a:y:y/a sub/b:y:y/sub/b"),
        ("photos/a.png", "styles", False, "a:x:x a:y:y"),
        ("photos", "styles", True, "a:x:a sub/b:y:sub/b"),
    ],
)
def test_every_photo_in_every_style_or_one_by_one(album, base, style, pairs, expected):
    tasks = pictures.plan_tasks(album / base, album / style, "r", pairs)
    told = [
        f"{photo.relative_to(album / 'photos').with_suffix('').as_posix()}:{style.stem}:"
        f"{prefix.relative_to('r').as_posix()}"
        for photo, style, prefix in tasks
    ]
    assert told == expected.split()


def test_pairs_need_as_many_photos_as_styles(album):
    put(album / "styles/z.png")
    with pytest.raises(InputError, match="photos has 2 and .*styles 3"):
        pictures.plan_tasks(album / "photos", album / "styles", "r", pairs=True)
    with pytest.raises(InputError, match="needs a folder of photos and a folder of styles"):
        pictures.plan_tasks(album / "photos", album / "styles/x.png", "r", pairs=True)


class Page(HTMLParser):
    """What a browser finds on a page: texts, and the addresses that it loads or links to."""

    def __init__(self, path):
        super().__init__()
        self.shown, self.linked, self.tags, self.text = [], [], [], ""
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.tags.append(tag)
        self.shown += [values["src"]] if "src" in values else []
        self.linked += [values["href"]] if "href" in values else []

    def handle_data(self, data):
        self.text += data


def test_page_shows_pictures_where_they_lie_from_disk_alone(tmp_path):
    photo, style = put(tmp_path / "photos/100% <é> #1.png"), put(tmp_path / "style.tiff")
    result, other = put(tmp_path / "results/sub/a.png"), put(tmp_path / "results/a.png")
    rows = [(photo, style, result), (photo, style, other)]
    pictures.write_index(tmp_path / "results/index.html", rows)
    page = Page(tmp_path / "results/index.html")
    found = [(tmp_path / "results" / unquote(address)).resolve() for address in page.linked]
    assert found == [photo, style, result, photo, style, other]
    assert page.shown[0] == page.linked[0] and page.shown[2] == "sub/a.png"
    assert page.shown[1].startswith("data:image/jpeg;base64,")  # browsers show no TIFF
    assert "script" not in page.tags and "link" not in page.tags
    assert "100% <é> #1.png" in page.text and "sub/a.png" in page.text


def test_page_tells_pictures_of_one_name_apart(tmp_path):
    photos = [put(tmp_path / "photos" / name) for name in ("x/1.png", "y/1.png")]
    style, results = put(tmp_path / "style.png"), tmp_path / "results"
    rows = [(photo, style, "not painted yet") for photo in photos]
    pictures.write_index(results / "index.html", rows)
    text = Page(results / "index.html").text
    assert "x/1.pngstyle.pngnot painted yet" in text and "y/1.pngstyle.pngnot painted yet" in text


def test_page_shows_pictures_whose_names_are_not_utf_8(tmp_path):
    photo = put(tmp_path / os.fsdecode(b"caf\xe9.png"))
    pictures.write_index(tmp_path / "index.html", [(photo, photo, photo)])
    page = Page(tmp_path / "index.html")
    assert page.linked == ["caf%E9.png"] * 3
    assert "caf\\udce9.png" in page.text


def test_results_in_a_loop_of_links(tmp_path):
    photo, loop = put(tmp_path / "photos/photo.png"), tmp_path / "loop"
    loop.symlink_to(loop)
    assert pictures.find_pictures(tmp_path / "photos", loop) == [photo]


@pytest.mark.parametrize("kind", BAD_PICTURES)
def test_page_says_what_went_wrong(kind, tmp_path):
    bad = (
        make_bad_picture(kind, tmp_path).rename(tmp_path / "bad.tiff")
        if kind != "missing"
        else (tmp_path / "bad.tiff")
    )
    pictures.write_index(tmp_path / "index.html", [(bad, bad, "damaged <&>")])
    assert "damaged <&>" in Page(tmp_path / "index.html").text
    assert os.listdir(tmp_path).count("index.html") == 1


def test_log_has_an_object_a_line(tmp_path):
    pictures.append_line(tmp_path / "log.jsonl", photo="a\nb", seconds=1.5)
    pictures.append_line(tmp_path / "log.jsonl", photo="é", seconds=2)
    lines = (tmp_path / "log.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"photo": "a\nb", "seconds": 1.5},
        {"photo": "é", "seconds": 2},
    ]


def test_line_of_the_log_that_was_broken_off_spoils_no_other(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_text('{"time": "12:00"}\n{"ti')
    pictures.append_line(log, photo="a")
    assert log.read_text() == '{"time": "12:00"}\n{"ti\n{"photo": "a"}\n'
    log.write_text('{"ti')  # the first line
    pictures.check_ours(tmp_path / "index.html", log)


def test_name_that_is_no_text_is_one_in_the_log(tmp_path):
    """Not every reader takes lone surrogates, as Python has such names."""
    pictures.append_line(tmp_path / "log.jsonl", photo="m\udcfcnz")
    assert (tmp_path / "log.jsonl").read_bytes() == rb'{"photo": "m\\udcfcnz"}' + b"\n"


@pytest.mark.parametrize(
    ("names", "may_be"),
    [
        ([f"frame_{n:04d}.png" for n in range(95, 107)], True),
        ([f"{n}.png" for n in range(12)], True),
        ([f"frame_{n:04d}.png" for n in range(9)], False),  # too few
        ([f"frame_{n:04d}.png" for n in range(0, 24, 2)], False),
        ([f"{n}.png" for n in range(11)] + ["cat.png"], False),
        ([f"{'ab'[n % 2]}{n}.png" for n in range(12)], False),
    ],
)
def test_photos_that_may_be_frames_are_named_like_them(names, may_be):
    assert pictures.may_be_frames([Path("clip2", name) for name in names]) == may_be
