"""How much a visitor may ask for."""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from stylize.errors import InputError
from stylize.images.clips import SUFFIXES

SMALLER = "Choose a smaller size."
MOST_ENLARGED = 2  # times the side of the largest result: a painting's, however it is scaled


class TooMuch(InputError):
    """A visitor asks for more than the page allows.

    Args:
        parameter: what programs call that which asks for it.
    """

    def __init__(self, parameter: str, message: str):
        super().__init__(message)
        self.parameter = parameter


class Allowance(NamedTuple):
    """How much a visitor may ask for.

    Attributes:
        size: pixels of a result's longer side.
        seconds: that a photo or a clip is painted.
        photos: that are given at once.
        frames: of a clip.
        pixels: of an upload, or of a frame of it.
        bytes: of all visitors' uploads and results; once they take more, nothing more is painted.
    """

    size: int
    seconds: float
    photos: int
    frames: int
    pixels: int
    bytes: float = math.inf

    def check_photos(self, photos: Sequence[str]) -> None:
        """Raises InputError where there are too many, or clips among them."""
        if len(photos) > 1 and any(map(is_clip, photos)):
            raise InputError("Give either one clip or photos.")
        if len(photos) > self.photos:
            raise InputError(
                f"{len(photos)} photos are too many: at most {self.photos} at once. Leave some out."
            )

    def check_size(self, rows: int, cols: int) -> None:
        """Raises InputError where a result would be too large."""
        if max(rows, cols) > self.size:
            raise TooMuch(
                "size",
                f"The result would be {cols}x{rows} pixels; the limit here is {self.size} on the "
                f"longer side. {SMALLER}",
            )

    def check_painting(self, rows: int, cols: int) -> None:
        """Raises InputError where a painting would be enlarged too much, for coarse strokes."""
        if rows * cols > (MOST_ENLARGED * self.size) ** 2:
            raise TooMuch(
                "style_scale",
                f"For strokes of this size the painting would be {cols}x{rows} pixels, too many "
                f"here. Choose finer strokes, or a smaller size.",
            )


def is_clip(path: str | os.PathLike) -> bool:
    """Whether an upload is a video, by its suffix."""
    return Path(path).suffix.lower() in SUFFIXES
