"""The folder of what visitors leave: gone with the page, or with the next one."""

import functools
import os
import time
from pathlib import Path

import pytest

from stylize.apps.page import keeping

pytest.importorskip("fcntl", reason="Windows has no such locks")


def leave(folder):
    """What a page that was killed leaves."""
    folder.mkdir()
    (folder / keeping.LOCK).touch()
    (folder / "picture.png").touch()
    return folder


def test_folder_is_gone_with_the_page(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with keeping.own_folder() as folder:
        Path(folder, "picture.png").touch()
        assert Path(folder).parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_next_page_removes_what_a_killed_one_has_left_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    stale = leave(tmp_path / "style_transfer_stale")
    other = leave(tmp_path / "other")
    (tmp_path / "style_transfer_link").symlink_to(other)
    (tmp_path / "style_transfer_file").touch()
    (tmp_path / "style_transfer_starting").mkdir()
    waits = tmp_path / "style_transfer_pipe"
    waits.mkdir()
    os.mkfifo(waits / keeping.LOCK)
    (tmp_path / "style_transfer_elsewhere").mkdir()
    (tmp_path / "style_transfer_elsewhere" / keeping.LOCK).symlink_to(other / keeping.LOCK)
    with keeping.own_folder() as running, keeping.own_folder():
        assert Path(running, keeping.LOCK).exists()
        assert not stale.exists()
        assert (other / "picture.png").exists()
    left = {path.name.removeprefix("style_transfer_") for path in tmp_path.iterdir()}
    assert left - {"pipe"} == {"other", "link", "file", "starting", "elsewhere"}


def test_preview_goes_with_what_it_shows(tmp_path, monkeypatch):
    """It is younger, and would be painted in its place."""
    (tmp_path / "upload").mkdir()
    (tmp_path / "upload" / "photo.heic").touch()
    time.sleep(0.05)
    (tmp_path / "upload" / "photo.heic.preview.jpg").touch()
    born = (tmp_path / "upload" / "photo.heic").stat().st_ctime
    monkeypatch.setattr(keeping.time, "time", lambda: born + 0.02)
    keeping.remove_old(str(tmp_path), [], age=0.01)
    assert list(tmp_path.iterdir()) == []


def test_what_is_old_goes_and_what_is_the_page_s_own_stays(tmp_path):
    (tmp_path / "upload").mkdir()
    for name in ("upload/picture.png", "unfinished", "example.jpg"):
        (tmp_path / name).touch()
    keeping.remove_old(str(tmp_path), [tmp_path / "example.jpg"], age=60)
    assert len(list(tmp_path.rglob("*"))) == 4
    keeping.remove_old(str(tmp_path), [tmp_path / "example.jpg"], age=-1)
    assert list(tmp_path.rglob("*")) == [tmp_path / "example.jpg"]


def test_what_is_old_goes_while_the_page_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(keeping, "LOOK_EVERY", 0.01)
    monkeypatch.setattr(keeping, "remove_old", functools.partial(keeping.remove_old, age=-1))
    (tmp_path / "example.jpg").touch()
    keeping.remove_old_from(str(tmp_path))
    (tmp_path / "upload.jpg").touch()
    give_up = time.monotonic() + 20
    while (tmp_path / "upload.jpg").exists():
        assert time.monotonic() < give_up
        time.sleep(0.01)
    assert (tmp_path / "example.jpg").exists()
