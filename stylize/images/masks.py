"""Masks: gray pictures that say where something applies."""

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from stylize.errors import InputError
from stylize.images.formats import Picture
from stylize.images.reading import load_image


def layer_mask(mask: ArrayLike | None, shape: Sequence[int]) -> np.ndarray | None:
    """A mask (rows, cols) averaged down to a layer's positions, (positions, 1), or None."""
    if mask is None:
        return None
    image = Image.fromarray(np.asarray(mask, np.float32))
    return np.asarray(image.resize((shape[2], shape[1]), Image.Resampling.BOX)).reshape(-1, 1)


def load_mask(picture: Picture | None) -> Image.Image | None:
    """Reads a mask: a Pillow image of mode L, None for None.

    Raises:
        InputError: what `load_image` raises, and where all of it is black.
    """
    if picture is None:
        return None
    mask = load_image(picture).convert("L")
    if not mask.getbbox():
        raise InputError(
            f"mask {_name(picture)}: it is all black; paint white where it should apply"
        )
    return mask


def load_keep_mask(picture: Picture | None) -> Image.Image | None:
    """Reads a mask as `load_mask` does. Raises InputError where all of it is white, too."""
    mask = load_mask(picture)
    if mask and mask.getextrema() == (255, 255):
        raise InputError(
            f"mask {_name(picture)}: it is all white, so that nothing would be painted; paint "
            "black where the painting should go"
        )
    return mask


def _name(picture):
    """What to call a mask in an error."""
    return picture if isinstance(picture, (str, os.PathLike)) else "given"


def resize_mask(mask: Image.Image, rows: int, cols: int) -> np.ndarray:
    """A mask as an array (rows, cols), float32, 0..1."""
    return np.asarray(mask.resize((cols, rows), Image.Resampling.BILINEAR), np.float32) / 255
