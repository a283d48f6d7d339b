"""The sizes of pictures, and changing them."""

import math
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

from stylize.errors import SettingError

STRIP = 2**20  # pixels: what is computed in float64 is computed of so many at once
SMALLEST_SIDE = 16  # pixels: four poolings lie before the deepest layer


def least_rows(cols: int, rows: int) -> int:
    """The rows at which neither side of a picture of (cols, rows) is below `SMALLEST_SIDE`."""
    return max(SMALLEST_SIDE, math.ceil(SMALLEST_SIDE * rows / cols))


def working_size(
    image: Image.Image,
    size: int | str | tuple[int, int],
    longer_side: Callable[[float], int] | None = None,
) -> tuple[int, int]:
    """(rows, cols) of the result, with the aspect of `image`.

    Args:
        image: the photo.
        size: its rows, its columns as "800x", or "own"; (rows, cols) are taken as they are.
        longer_side: makes whole numbers of the sides, where `size` is the longer one; else None.

    Raises:
        InputError: a side would be too small for VGG19.
    """
    if isinstance(size, tuple):
        rows, cols = size
    elif isinstance(size, str) and size.endswith("x"):
        cols = int(size[:-1])
        rows = round(image.height * cols / image.width)
    elif longer_side:
        longer = max(image.size) if isinstance(size, str) else size
        rows, cols = fitted_size(image, longer, longer_side)
    else:
        rows = image.height if isinstance(size, str) else size
        cols = int(image.width * rows / image.height)
    if min(rows, cols) < SMALLEST_SIDE:
        raise SettingError(
            "--size",
            f"must be larger: it gives {rows} rows and {cols} columns, and VGG19 needs at least "
            f"{SMALLEST_SIDE} of each",
        )
    return rows, cols


def fitted_size(
    image: Image.Image, longer: float, to_whole: Callable[[float], int]
) -> tuple[int, int]:
    """(rows, cols) of an image whose longer side is to have so many pixels."""
    factor = to_whole(longer) / max(image.size)
    return to_whole(factor * image.height), to_whole(factor * image.width)


def scaled_size(image: Image.Image, factor: float) -> tuple[int, int]:
    """(rows, cols) of an image times `factor`, each at least `SMALLEST_SIDE`."""
    rows, cols = (max(SMALLEST_SIDE, int(side * factor)) for side in (image.height, image.width))
    return rows, cols


def resize_image(
    image: Image.Image, rows: int, cols: int, resample: Image.Resampling
) -> Image.Image:
    """Resizes a Pillow image with a Pillow filter.

    Keras's `load_img` takes `Resampling.NEAREST`; `Resampling.LANCZOS` does not alias.
    """
    return image.resize((cols, rows), resample)


def enlarge(x: np.ndarray, rows: int, cols: int) -> np.ndarray:
    """Resizes a combination (rows, cols, 3), float, without rounding or clipping it."""
    enlarged = np.empty((rows, cols, 3), np.float32)
    for index, channel in enumerate(enlarged_channels(x, rows, cols)):
        enlarged[..., index] = channel
    return enlarged


def enlarged_channels(x: np.ndarray, rows: int, cols: int) -> Iterator[np.ndarray]:
    """The same channel by channel, each (rows, cols)."""
    for channel in np.moveaxis(x, -1, 0):
        image = Image.fromarray(np.ascontiguousarray(channel, np.float32))
        yield np.asarray(image.resize((cols, rows), Image.Resampling.BICUBIC))


def strips(rows: int, cols: int) -> list[slice]:
    """Cuts the rows of a picture into slices of at most about a million pixels each."""
    step = max(1, STRIP // cols)
    return [slice(row, min(rows, row + step)) for row in range(0, rows, step)]
