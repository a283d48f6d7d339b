"""Masks: gray pictures that say where something applies."""

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from stylize.errors import InputError
from stylize.images.formats import Picture, opened
from stylize.images.reading import load_image

TRANSPARENT = "its transparent parts count as white; save it without transparency"
LOOKED_AT = 256  # pixels of the longer side in which colours are looked for
COLORFUL, MANY = 48, 0.01  # what a pixel's channels differ by, beyond JPEG's noise; share of them


def layer_mask(mask: ArrayLike | None, shape: Sequence[int]) -> np.ndarray | None:
    """A mask (rows, cols) averaged down to a layer's positions, (positions, 1), or None."""
    if mask is None:
        return None
    image = Image.fromarray(np.asarray(mask, np.float32))
    return np.asarray(image.resize((shape[2], shape[1]), Image.Resampling.BOX)).reshape(-1, 1)


def load_mask(picture: Picture | None, name: str | None = None) -> Image.Image | None:
    """Reads a mask: a Pillow image of mode L, None for None.

    Args:
        picture: what `load_image` takes.
        name: what errors call it; None: its path.

    Raises:
        InputError: what `load_image` raises, and where all of it is black.
    """
    if picture is None:
        return None
    mask = load_image(picture, name).convert("L")
    if not mask.getbbox():
        raise InputError(
            f"{name or f'mask {picture}'}: it is all black; paint white where it should apply"
        )
    return mask


def load_keep_mask(picture: Picture | None, name: str | None = None) -> Image.Image | None:
    """Reads a mask as `load_mask` does. Raises InputError where all of it is white, too."""
    mask = load_mask(picture, name)
    if mask and mask.getextrema() == (255, 255):
        named = name or f"mask {picture}"
        if _is_transparent(picture):
            raise InputError(f"{named}: {TRANSPARENT}, with black where the painting should go")
        raise InputError(
            f"{named}: it is all white, so that nothing would be painted; paint black where the "
            "painting should go"
        )
    return mask


def surprises_of(picture: str | os.PathLike) -> list[str]:
    """What somebody may not expect of how a mask is read, in lines. Raises InputError."""
    lines = []
    if _is_transparent(picture):
        lines.append(TRANSPARENT)
    if _has_colors(load_image(picture)):
        lines.append("it has colours, and is taken as gray; paint it in black and white")
    return [f"mask {picture}: {line}" for line in lines]


def _is_transparent(picture):
    """Whether parts of a picture let through what is behind it. Raises InputError."""
    with opened(picture) as image:
        if image.mode[0] in "IF" or not image.has_transparency_data:  # as `load_image` reads it
            return False
        return image.convert("RGBA").getchannel("A").getextrema()[0] < 255


def _has_colors(image):
    """Whether some part of an RGB image is no gray."""
    small = image.copy()
    small.thumbnail((LOOKED_AT, LOOKED_AT))
    return bool((np.ptp(np.asarray(small), axis=2) > COLORFUL).mean() > MANY)


def resize_mask(mask: Image.Image, rows: int, cols: int) -> np.ndarray:
    """A mask as an array (rows, cols), float32, 0..1."""
    return np.asarray(mask.resize((cols, rows), Image.Resampling.BILINEAR), np.float32) / 255
