"""Plain margins around a painting. The oracle is where the painting was put."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from stylize.images.margins import Box, without_margins

ROOT = Path(__file__).resolve().parents[2]
PAINTINGS = sorted((ROOT / "img").glob("*.jpg"))


@pytest.fixture
def painting():
    return Image.open(ROOT / "img" / "woodcut.jpg").convert("RGB").resize((320, 240))


def as_jpeg(image, quality=75):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file)


@pytest.mark.parametrize("quality", [60, 95])
@pytest.mark.parametrize(
    ("sides", "color"),
    [
        ((20, 20, 20, 20), "white"),
        ((12, 30, 25, 70), "beige"),
        ((0, 40, 0, 40), "black"),
        ((60, 0, 60, 0), "black"),
    ],
)
def test_margin_is_found(sides, color, quality, painting):
    framed = as_jpeg(ImageOps.expand(painting, sides, color), quality)
    left, upper, _, _ = sides
    box = without_margins(framed)
    np.testing.assert_allclose(box, (left, upper, left + 320, upper + 240), atol=3)
    assert box.of(framed).size == (box.right - box.left, box.lower - box.upper)


def test_caption_belongs_to_the_margin(painting):
    framed = ImageOps.expand(painting, (20, 20, 20, 60), "ivory")
    ImageDraw.Draw(framed).text((60, 280), "The Wave, woodcut, about 1830, room 12", "black")
    np.testing.assert_allclose(without_margins(as_jpeg(framed)), (20, 20, 340, 260), atol=3)


def test_wall_frame_and_mat_are_found_one_in_another(painting):
    for width, color in (20, "ivory"), (15, "maroon"), (50, "silver"):
        painting = ImageOps.expand(painting, width, color)
    np.testing.assert_allclose(without_margins(as_jpeg(painting)), (85, 85, 405, 325), atol=3)


def test_large_pictures_are_looked_at_smaller_and_nothing_of_the_margin_stays():
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 255, (1501, 1999, 3), np.uint8))
    left, upper, right, lower = without_margins(ImageOps.expand(noise, 101, "white"))
    assert 101 <= left <= 107 and 101 <= upper <= 107
    assert 2094 <= right <= 2100 and 1596 <= lower <= 1602


@pytest.mark.parametrize("path", PAINTINGS, ids=lambda path: path.stem)
def test_our_own_pictures_have_none(path):
    image = Image.open(path)
    assert without_margins(image) == Box.whole(image)
    assert Box.whole(image).of(image) is image


ROWS, COLS = np.mgrid[:240, :320]
BESIDE, BELOW = np.abs(COLS - 160), ROWS - 120
WITHOUT_MARGINS = {
    "one colour": np.zeros_like(ROWS),
    "fades to the edges": np.clip(1.3 - np.hypot(BESIDE / 128, BELOW / 96), 0, 1),
    "fades from top to bottom": ROWS / 239,
    "flat sky over a straight horizon": ROWS > 90,
    "head and shoulders before a dark wall": (ROWS > 72) & (BESIDE < 40 + ROWS / 4),
    "moon": np.hypot(BESIDE, BELOW) < 55,
    "uneven block on a plain ground": (120 + 5 * np.sin(ROWS / 7) > BESIDE)
    & (np.abs(BELOW) < 90 + 5 * np.sin(COLS / 7)),
    "thin line around": (BESIDE < 158) & (np.abs(BELOW) < 118),
}


@pytest.mark.parametrize("name", WITHOUT_MARGINS)
def test_plain_edges_of_a_painting_are_no_margin(name):
    noise = np.random.default_rng(0).normal(0, 3, (240, 320, 3))
    values = 20 + 200 * np.asarray(WITHOUT_MARGINS[name], float)[..., np.newaxis] + noise
    image = as_jpeg(Image.fromarray(values.clip(0, 255).astype(np.uint8)))
    assert without_margins(image) == Box.whole(image)


@pytest.mark.parametrize("size", [(20000, 16), (16, 20000)])
def test_ribbons_are_left_whole(size):
    image = Image.new("RGB", size, "white")
    assert without_margins(image) == Box.whole(image)
