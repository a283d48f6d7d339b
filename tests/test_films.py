"""Films of the growing picture."""

import imageio.v3 as iio
import numpy as np
import pytest

from stylize.films import FILM_FRAMES, Film
from stylize.progress import Evaluation, Losses


def gray(value):
    """An evaluation whose picture is gray."""
    return Evaluation(Losses(0, 0, 0, 0), None, lambda _: np.full((20, 25, 3), float(value)))


# What imageio starts to read a video it leaves to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("suffix", ["gif", "mp4"])
def test_film_has_the_frames_in_order(suffix, tmp_path):
    """A growing brightness, read back by imageio, at most `FILM_ROWS` high."""
    path = tmp_path / f"film.{suffix}"
    film = Film(path, 801, 1001)
    for value in (0, 100, 200):
        film.add((value + 1) / 201, gray(value))
    film.save()
    frames = iio.imread(path, plugin={"gif": "pillow", "mp4": "FFMPEG"}[suffix])
    assert frames.shape[1:] == (400, 500, 3)
    brightness = frames.mean((1, 2, 3))
    np.testing.assert_allclose(brightness[:3], [0, 100, 200], atol=4)
    np.testing.assert_allclose(brightness[-1], 200, atol=4)


def test_long_runs_have_films_of_bounded_length():
    film = Film("film.gif", 20, 20)
    for step in range(1199):
        film.add((step + 1) / 1199, gray(0))
    assert len(film._frames) == FILM_FRAMES
