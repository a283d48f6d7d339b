"""What a stranger has sent is read in processes that can be ended."""

import os
import sys
import threading
import time

import numpy as np
import pytest
from conftest import BAD_PICTURES, make_bad_picture
from PIL import Image

from stylize.apps.page.watch import Limit
from stylize.errors import InputError
from stylize.images.apart import ask, load_image_apart, load_keep_mask_apart
from stylize.images.masks import load_keep_mask, surprises_of
from stylize.images.reading import load_image

GO_ON = threading.Event()


def test_picture_is_the_same_as_read_here(photo_path):
    apart = load_image_apart(str(photo_path), "the photo", 48 * 40, GO_ON)
    assert np.array_equal(apart, load_image(photo_path))


@pytest.mark.parametrize("kind", ["missing", "no picture", "truncated", "a pipe"])
def test_what_is_wrong_is_said_as_here(kind, tmp_path):
    path = make_bad_picture(kind, tmp_path)
    with pytest.raises(InputError, match=f"^the photo: .*{BAD_PICTURES[kind]}"):
        load_image_apart(str(path), "the photo", 10_000, GO_ON)


def test_too_many_pixels_are_not_decoded(photo_path):
    with pytest.raises(InputError, match="the photo: 48x40 pixels are too many; at most 1,919"):
        load_image_apart(str(photo_path), "the photo", 48 * 40 - 1, GO_ON)


def test_reading_ends_where_it_is_stopped_or_the_time_is_up(photo_path):
    stop = threading.Event()
    stop.set()
    assert load_image_apart(str(photo_path), "the photo", 10_000, stop) is None
    for ending in (stop, Limit(threading.Event(), 0.2)):
        started = time.monotonic()
        told = ask([sys.executable, "-c", "import time; time.sleep(60)"], ending)
        assert told.returncode != 0
        assert time.monotonic() - started < 20


@pytest.mark.skipif(os.name == "nt", reason="no shell there")
def test_picture_that_is_decoded_for_ever_is_given_up(photo_path, tmp_path, monkeypatch):
    hanging = tmp_path / "python"
    hanging.write_text("#!/bin/sh\nexec sleep 60\n")
    hanging.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(hanging))
    started = time.monotonic()
    ending = Limit(threading.Event(), 0.2)
    assert load_image_apart(str(photo_path), "the photo", 10_000, ending) is None
    assert time.monotonic() - started < 30


def test_mask_and_its_surprises_are_the_same_as_read_here(cut_out_path):
    apart = load_keep_mask_apart(str(cut_out_path), "mask mine.png", 48 * 40, GO_ON)
    assert np.array_equal(apart.image, load_keep_mask(cut_out_path))
    assert apart.size == apart.image.size == (48, 40)
    assert apart.surprises == [own.line for own in surprises_of(cut_out_path, "mask mine.png")]
    assert apart.surprises[0].startswith("mask mine.png: a cut-out: opaque parts count as white")


def test_mask_may_come_smaller(cut_out_path):
    apart = load_keep_mask_apart(str(cut_out_path), "mask mine.png", 48 * 40, GO_ON, 12)
    assert (apart.image.size, apart.size) == ((12, 10), (48, 40))


@pytest.mark.parametrize("level", [0, 255])
def test_what_is_wrong_with_a_mask_is_said_by_its_name(level, tmp_path):
    path = tmp_path / "upload.png"
    Image.new("L", (48, 40), level).save(path)
    for most, said in ((48 * 40, "it is all (black|white)"), (48 * 40 - 1, "too many; at most")):
        with pytest.raises(InputError, match=f"^mask mine.png: .*{said}"):
            load_keep_mask_apart(str(path), "mask mine.png", most, GO_ON)
