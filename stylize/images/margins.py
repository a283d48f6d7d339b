"""Plain margins around a picture: the paper, mat or bars that it is shown on."""

from typing import NamedTuple

import numpy as np
from PIL import Image

from stylize.images.resize import SMALLEST_SIDE

LOOKED_AT = 800  # pixels of the longer side: smaller pictures show margins as well, without noise
LIKE = 14  # levels by which a margin's pixels may differ from its colour: the noise of JPEG
PLAIN = 0.95  # share of a line's pixels with the margin's colour: at least so many of a margin's,
CAPTION = 0.4  # or of a caption's in a margin,
PICTURE = 0.35  # and at most so many of the picture's outermost lines
SOFT = 6  # lines between margin and picture that may be of both: a JPEG block, an edge resized
BLEND = 2  # of these, that may be more margin than picture: left out too
SMALLEST = 0.4  # of a side that is left: a margin is less than what it surrounds
NESTED = 4  # margins around each other: a wall, a frame, a mat


class Box(NamedTuple):
    """A part of a picture, in pixels, as Pillow crops it."""

    left: int
    upper: int
    right: int
    lower: int

    @classmethod
    def whole(cls, image: Image.Image) -> "Box":
        """Returns that of all of an image."""
        return cls(0, 0, *image.size)

    @property
    def is_cut(self) -> bool:
        """Whether it is less than all: margins are at two opposite sides, or at four."""
        return self.left > 0 or self.upper > 0

    def of(self, image: Image.Image) -> Image.Image:
        """Returns the part of an image; the image itself where that is all of it."""
        return image if self == Box.whole(image) else image.crop(self)


def without_margins(image: Image.Image) -> Box:
    """Finds what of a picture lies within plain margins: all of it where there are none.

    A margin has one colour, captions in it aside, and ends at a straight edge along the whole
    picture. So dark corners, skies and backgrounds that fade or end unevenly are none. It
    surrounds the picture, or is above and below, or left and right of it, in the same colour: a
    flat sky over a straight horizon is none.
    """
    factor = max(1.0, max(image.size) / LOOKED_AT)
    small = image.convert("RGB").resize(
        [max(1, round(side / factor)) for side in image.size], Image.Resampling.BOX
    )
    if min(small.size) < SMALLEST_SIDE:  # a ribbon
        return Box.whole(image)
    pixels = np.asarray(small, np.int16)
    box = Box.whole(small)
    for _ in range(NESTED):
        inner = _within_one(pixels, box)
        if inner == box:
            break
        box = inner
    if box == Box.whole(small):
        return Box.whole(image)
    x, y = (own / reduced for own, reduced in zip(image.size, small.size, strict=True))
    scaled = np.ceil([box.left * x, box.upper * y, -box.right * x, -box.lower * y])
    box = Box(*np.abs(scaled.astype(int)).tolist())
    large_enough = min(box.right - box.left, box.lower - box.upper) >= SMALLEST_SIDE
    return box if large_enough else Box.whole(image)


def _within_one(pixels, box):
    """The part of the box within the margin at its border; the box itself where there is none."""
    inside = pixels[box.upper : box.lower, box.left : box.right]
    rows, cols = inside.shape[:2]
    by_row, by_col = _like_outermost(inside), _like_outermost(inside.swapaxes(0, 1))
    # The middle half first, as a margin beside the picture has the colour of that above it; then
    # along the whole picture.
    left, right = _depths(by_col[:, rows // 4 : rows - rows // 4])
    upper, lower = _depths(by_row[:, left : cols - right])
    left, right = _depths(by_col[:, upper : rows - lower])
    if rows - upper - lower < SMALLEST * rows or cols - left - right < SMALLEST * cols:
        return box
    return Box(box.left + left, box.upper + upper, box.right - right, box.lower - lower)


def _like_outermost(pixels):
    """Where (lines, length, 3) has the colour of its outermost lines: (lines, length)."""
    color = np.median(pixels[[0, 1, 2, -3, -2, -1]], axis=(0, 1))
    return np.abs(pixels - color).max(-1) <= LIKE


def _depths(like):
    """How many lines at the beginning and at the end are margin; (0, 0) unless there are at both.

    Args:
        like: (lines, length), True where a pixel has the margin's colour.
    """
    shares = like.mean(1)
    depths = _depth(shares), _depth(shares[::-1])
    return depths if all(depths) else (0, 0)


def _depth(shares):
    """How many lines of the shares, from the first on, are a margin that ends at an edge; or 0."""
    edge = int(np.argmax(shares <= PICTURE))  # the picture's first line
    before = shares[: max(0, edge - SOFT)]
    after = shares[edge : edge + max(SOFT, len(shares) // 50)]
    is_margin = (
        before.size and min(before[0], before[-1]) >= PLAIN and before.min() >= CAPTION
    ) and np.median(after) <= PICTURE
    return edge + BLEND if is_margin else 0
