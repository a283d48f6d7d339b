"""Masks: grey pictures, or cut-outs, that say where something applies."""

import math
import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from stylize.errors import InputError
from stylize.images.formats import Picture, name_of
from stylize.images.reading import load_image, load_opacity

KIND = "mask"  # what errors call one
OPAQUE, DARK = 128, 64  # at least so opaque, and darker than that: a cut-out has none of it
LOOKED_AT = 256  # pixels of the longer side in which colours are looked for
BENT = 0.05  # of its shape: what a mask may differ from its photo by, so that nobody is told
COLORFUL, MANY = 48, 0.01  # what a pixel's channels differ by, beyond JPEG's noise; share of them


class Surprise(NamedTuple):
    """What somebody may not expect of how a mask is read: a warning, or only a note, in a line."""

    line: str
    is_warning: bool = True


def layer_mask(mask: ArrayLike | None, shape: Sequence[int]) -> np.ndarray | None:
    """A mask (rows, cols) averaged down to a layer's positions, (positions, 1), or None."""
    if mask is None:
        return None
    image = Image.fromarray(np.asarray(mask, np.float32))
    return np.asarray(image.resize((shape[2], shape[1]), Image.Resampling.BOX)).reshape(-1, 1)


def load_mask(
    picture: Picture | None, name: str | None = None, max_pixels: float = math.inf
) -> Image.Image | None:
    """Reads a mask: a Pillow image of mode L, None for None.

    Where parts of it are transparent, opaque ones are white and transparent ones black.

    Args:
        picture, name, max_pixels: what `load_image` takes.

    Raises:
        InputError: as `load_image`; if all of it is black; or if it has both black and transparent
            parts, so that either could be the black of the mask.
    """
    if picture is None:
        return None
    image = load_image(picture, name, max_pixels, KIND)
    opacity, named = load_opacity(picture, name, KIND), name_of(picture, name, KIND)
    mask = opacity or image.convert("L")
    if opacity and _is_drawn(image, opacity):
        raise InputError(
            f"{named}: it has both black and transparent parts; save it in black and white, "
            "without transparency"
        )
    if not mask.getbbox():
        what = "transparent" if opacity else "black"
        raise InputError(f"{named}: it is all {what}; paint white where it should apply")
    return mask


def load_keep_mask(
    picture: Picture | None, name: str | None = None, max_pixels: float = math.inf
) -> Image.Image | None:
    """Reads a mask as `load_mask` does. Raises InputError where all of it is white, too."""
    if picture is None:
        return None
    mask = load_mask(picture, name, max_pixels)
    if mask and mask.getextrema() == (255, 255):
        raise InputError(
            f"{name_of(picture, name, KIND)}: it is all white, so nothing would be painted; "
            "paint black where the painting should go"
        )
    return mask


def surprises_of(
    picture: str | os.PathLike, name: str | None = None, photo_size: tuple[int, int] | None = None
) -> list[Surprise]:
    """What may surprise about how a mask is read, in lines that call it `name`.

    Args:
        picture, name: as for `load_mask`.
        photo_size: (cols, rows) of the photo that it is for, if there is one.

    Raises:
        InputError: as `load_mask`.
    """
    image = load_image(picture, name, kind=KIND)
    surprises: list[Surprise] = []
    if photo_size:
        surprises += map(Surprise, stretched(image.size, photo_size))
    if load_opacity(picture, name, KIND):
        cut_out = "a cut-out: opaque parts count as white, transparent ones as black"
        surprises.append(Surprise(cut_out, is_warning=False))
    elif (colored := _colored(image)).mean() > MANY:
        white = np.median(np.asarray(_small(image).convert("L"))[colored]) / 255
        surprises.append(
            Surprise(
                f"its colours count by their brightness, here as about {white:.0%} white; paint it "
                "in black and white, or save a cut-out with a transparent background"
            )
        )
    named = name_of(picture, name, KIND)
    return [own._replace(line=f"{named}: {own.line}") for own in surprises]


def stretched(size: tuple[int, int], photo_size: tuple[int, int]) -> list[str]:
    """The line that says that a mask has another shape than the photo, each (cols, rows), if so."""
    (cols, rows), (photo_cols, photo_rows) = size, photo_size
    if abs(np.log(cols * photo_rows / (rows * photo_cols))) <= BENT:
        return []
    return [
        f"it has {cols}x{rows} pixels and is stretched over the photo's {photo_cols}x{photo_rows}; "
        "save it, or the cut-out, in the photo's shape"
    ]


def _is_drawn(image, opacity):
    """Whether what is opaque in an RGB image is drawn in black, or in black and white."""
    small, opaque = _small(image), np.asarray(_small(opacity)) >= OPAQUE
    if not opaque.any() or _colored(image)[opaque].mean() > MANY:
        return False
    return (np.asarray(small.convert("L"))[opaque] < DARK).mean() > MANY


def _colored(image):
    """Where an RGB image, made small, is no grey: a boolean array."""
    return np.ptp(np.asarray(_small(image)), axis=2) > COLORFUL


def _small(image):
    """An image with at most `LOOKED_AT` pixels a side."""
    small = image.copy()
    small.thumbnail((LOOKED_AT, LOOKED_AT))
    return small


def resize_mask(mask: Image.Image, rows: int, cols: int) -> np.ndarray:
    """A mask as an array (rows, cols), float32, 0..1."""
    return np.asarray(mask.resize((cols, rows), Image.Resampling.BILINEAR), np.float32) / 255
