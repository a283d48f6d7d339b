"""Films of the growing picture."""

import errno
import gc
import os
import subprocess

import imageio.v3 as iio
import imageio_ffmpeg
import numpy as np
import psutil
import pytest
from PIL import Image

from stylize.apps.timelapse import FILM_COLS, FILM_FRAMES, FILM_ROWS, HELD, Film, GifWriter
from stylize.backend.files import Unfinished
from stylize.optimize.state import Losses
from stylize.runs.progress import Evaluation

SUFFIXES = ["gif", "mp4"]


def gray(value, rows=20, cols=25):
    """An evaluation whose picture is gray."""
    return shown(np.full((rows, cols, 3), value))


def shown(values):
    """An evaluation whose picture has these values."""
    return Evaluation(Losses(0, {}), None, lambda x, bits: values.astype(np.uint8))


def brightness_of_frames(path):
    """The mean of each frame, and the size that all have."""
    if path.suffix == ".gif":
        frames = iio.imread(path, plugin="pillow")
        return list(frames.mean((1, 2, 3))), frames.shape[1:3]
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    command = [ffmpeg, "-loglevel", "error", "-i", path, "-f", "image2pipe", "-c:v", "ppm", "-"]
    data = subprocess.run(command, capture_output=True, check=True).stdout
    cols, rows = map(int, data.split(maxsplit=3)[1:3])
    length = len(f"P6\n{cols} {rows}\n255\n")
    frames = np.frombuffer(data, np.uint8).reshape(-1, length + rows * cols * 3)[:, length:]
    return list(frames.mean(1)), (rows, cols)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_film_has_the_frames_in_order(suffix, tmp_path):
    """A growing brightness, the last of which stays; at most `FILM_ROWS` high."""
    path = tmp_path / "a folder" / f"film.{suffix}"
    film = Film(path, 801, 1001)
    for value in (0, 100, 200):
        film.add((value + 1) / 201, gray(value))
    film.save()
    brightness, size = brightness_of_frames(path)
    assert size == (400, 500)
    np.testing.assert_allclose(brightness[:3], [0, 100, 200], atol=4)
    np.testing.assert_allclose(brightness[2:], 200, atol=4)
    assert len(brightness) == {"gif": 3, "mp4": 3 + HELD}[suffix]
    assert os.listdir(path.parent) == [path.name]


def test_last_frame_of_a_gif_stays_a_second(tmp_path):
    film = Film(tmp_path / "film.gif", 20, 25)
    for fraction in (0, 1):
        film.add(fraction, gray(9 * fraction))
    film.save()
    with Image.open(film.path) as image:
        assert image.info["loop"] == 0
        assert image.info["duration"] == 60
        image.seek(1)
        assert image.info["duration"] == 1060


@pytest.mark.parametrize(
    ("fractions", "frames"),
    [
        (np.linspace(0, 1, 1199), FILM_FRAMES),
        ((0, *np.linspace(0.5, 1.1, 2000)), 2 + FILM_FRAMES // 2),  # a leap, then many
        (np.linspace(0, 1, 7), 7),
    ],
)
def test_films_have_a_frame_for_each_part_of_the_run(fractions, frames, tmp_path):
    film = Film(tmp_path / "film.gif", 20, 20)
    for fraction in fractions:
        film.add(fraction, gray(200 * min(1, fraction)))
    film.save()
    brightness, _ = brightness_of_frames(film.path)
    assert len(brightness) == frames
    assert brightness == sorted(brightness)
    np.testing.assert_allclose([brightness[0], brightness[-1]], [0, 200], atol=2)


def test_frames_are_not_kept_in_memory(tmp_path):
    """Of all the pictures added, no more than two are alive at any time."""
    film = Film(tmp_path / "film.gif", 20, 25)

    def alive():
        return sum(issubclass(type(thing), Image.Image) for thing in gc.get_objects())

    before = alive()
    for step in range(9):
        film.add(step / 9, gray(step))
        assert alive() - before <= 2
    film.discard()
    assert alive() == before


@pytest.mark.parametrize(
    ("rows", "cols", "expected"),
    [(400, 6000, (48, 712)), (6000, 400, (400, 26)), (33, 17, (32, 16)), (16, 9000, (2, 712))],
)
def test_both_sides_are_limited_and_even(rows, cols, expected, tmp_path):
    film = Film(tmp_path / "film.mp4", rows, cols)
    film.add(0, gray(50))
    film.save()
    _, size = brightness_of_frames(film.path)
    assert size == expected
    assert size[0] <= FILM_ROWS and size[1] <= FILM_COLS


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_same_frames_give_the_same_bytes(suffix, tmp_path):
    for name in "ab":
        film = Film(tmp_path / f"{name}.{suffix}", 20, 25)
        for step in range(9):
            film.add(step / 8, gray(20 * step))
        film.save()
    first, second = (tmp_path / f"{name}.{suffix}" for name in "ab")
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("end", ["discard", "forget"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_film_that_is_not_wanted_leaves_nothing(suffix, end, tmp_path):
    path = tmp_path / f"film.{suffix}"
    path.write_bytes(b"precious")
    film = Film(path, 20, 25)
    for fraction in (0, 0.5, 1):
        film.add(fraction, gray(0))
    if end == "discard":
        film.discard()
        film.discard()
    del film
    assert os.listdir(tmp_path) == [path.name]
    assert path.read_bytes() == b"precious"
    assert not [child for child in psutil.Process().children() if "ffmpeg" in child.name()]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_film_without_a_frame_is_no_file(suffix, tmp_path):
    Film(tmp_path / f"film.{suffix}", 20, 25).save()
    assert os.listdir(tmp_path) == []


def test_full_disk_does_not_end_the_run_but_is_told_in_the_end(tmp_path, monkeypatch):
    def full(self, frame, count):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(GifWriter, "write", full)
    film = Film(tmp_path / "film.gif", 20, 25)
    for step in range(5):
        film.add(step / 4, gray(0))
    assert os.listdir(tmp_path) == []
    for _ in range(2):
        with pytest.raises(OSError, match="No space left"):
            film.save()


def test_missing_ffmpeg_does_not_end_the_run(tmp_path, monkeypatch):
    def missing():
        raise RuntimeError("No ffmpeg exe could be found.\nInstall it.")

    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", missing)
    film = Film(tmp_path / "film.mp4", 20, 25)
    for fraction in (0, 0.5, 1):
        film.add(fraction, gray(0))
    with pytest.raises(OSError, match=r"no FFmpeg \(No ffmpeg exe could be found. Install it"):
        film.save()


class OnAFullDisk(Unfinished):
    def __init__(self, path):
        super().__init__(path)
        self.path.unlink()
        self.path.symlink_to("/dev/full")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's /dev/full")
@pytest.mark.parametrize("frames", [1, 100])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_full_disk_leaves_nothing(suffix, frames, tmp_path, monkeypatch):
    """Whether it is full at the first frame or when the last bytes are written."""
    monkeypatch.setattr("stylize.apps.timelapse.Unfinished", OnAFullDisk)
    film = Film(tmp_path / f"film.{suffix}", 400, 500)
    noise = np.random.default_rng(0).uniform(0, 255, (400, 500, 3))
    for step in range(frames):
        film.add(step / 100, shown(noise))
    with pytest.raises(OSError, match="No space left|FFmpeg cannot write it") as caught:
        film.save()
    assert "\n" not in str(caught.value) and f"film.{suffix}" in str(caught.value)
    assert os.listdir(tmp_path) == []
    assert not [child for child in psutil.Process().children() if "ffmpeg" in child.name()]
