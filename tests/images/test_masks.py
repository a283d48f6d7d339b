"""What a mask may be, and what is said of one that is read otherwise than it looks."""

import re

import numpy as np
import pytest
from PIL import Image

from stylize.errors import InputError
from stylize.images import masks


@pytest.fixture
def face():
    """White with a hole: what a paint program exports of a face on a layer of its own."""
    mask = Image.new("LA", (40, 40))
    mask.paste((255, 255), (10, 10, 20, 30))
    return mask


def said_of(picture, tmp_path):
    """What is said of a picture in a file."""
    path = tmp_path / "mask.png"
    picture.save(path)
    lines = masks.surprises_of(path)
    assert all(line.startswith(f"mask {path}: ") for line in lines)
    return lines


def test_white_on_nothing_would_keep_everything_and_says_why(face, tmp_path):
    face.save(tmp_path / "face.png")
    with pytest.raises(InputError, match=r"face\.png: its transparent parts count as white; save"):
        masks.load_keep_mask(tmp_path / "face.png")
    Image.new("L", (40, 40), 255).save(tmp_path / "white.png")
    with pytest.raises(InputError, match=r"white\.png: it is all white, so that nothing"):
        masks.load_keep_mask(tmp_path / "white.png")


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparent_parts_are_told_of(mode, face, tmp_path):
    face.paste((0, 255), (0, 0, 10, 10))
    (line,) = said_of(face.convert(mode), tmp_path)
    assert line.endswith("its transparent parts count as white; save it without transparency")
    face.putalpha(255)
    assert said_of(face.convert(mode), tmp_path) == []  # a layer without holes


def test_colours_are_told_of(photo, tmp_path):
    """A part of a photo painted over in red is no mask; grays with a JPEG's noise are one."""
    gray = photo.mean(2).astype(np.uint8)
    (line,) = said_of(Image.fromarray(photo), tmp_path)
    assert line.endswith("it has colours, and is taken as gray; paint it in black and white")
    painted = np.stack([gray] * 3, axis=2)
    painted[:8, :8] = 255, 0, 0
    assert re.search("has colours", *said_of(Image.fromarray(painted), tmp_path))
    noisy = gray[..., None] * 0.9 + np.random.default_rng(0).uniform(0, 20, photo.shape)
    assert said_of(Image.fromarray(noisy.astype(np.uint8)), tmp_path) == []


@pytest.mark.parametrize("mode", ["1", "L", "I;16"])
def test_nothing_is_said_of_grays(mode, tmp_path):
    assert said_of(Image.linear_gradient("L").convert(mode), tmp_path) == []
