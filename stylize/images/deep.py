"""Pictures of more than eight bits a channel, as those of eight."""

import logging
from collections.abc import Callable
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image

from stylize.errors import InputError

UNPACKED, SEPARATE = 1, 2  # TIFF's compression, and planar configuration
# Python prints what a library logs and nobody handles; what is wrong is raised, too.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


def eight_bits(values: np.ndarray) -> np.ndarray:
    """A picture of whole numbers up to 65535, or of floats up to 1 or 255, as uint8."""
    if values.dtype.kind == "f":
        values = np.nan_to_num(values)  # no maximum is above NaN, which stands for "no data"
        factor = 255 if values.max() <= 1 else 1
        return np.rint(values * factor).clip(0, 255).astype(np.uint8)
    table = np.arange(65536) if values.max() <= 255 else np.rint(np.arange(65536) / 257)
    return table.astype(np.uint8)[values.clip(0, 65535)]


def open_float_tiff(
    file: BinaryIO, name: str, check_size: Callable[[tuple[int, int]], None]
) -> Image.Image | None:
    """A TIFF of floats with colours, which Pillow does not read; None: it is none.

    Args:
        file: the TIFF.
        name: what errors call it.
        check_size: called with (width, height) before anything is decoded.

    Raises:
        InputError: it is compressed: what it would unpack to is not known before.
    """
    import tifffile  # a tenth of a second, which only those who use it should wait for

    file.seek(0)
    with tifffile.TiffFile(file) as tiff:
        page = tiff.pages.first
        assert isinstance(page, tifffile.TiffPage)
        of_floats = page.dtype is not None and page.dtype.kind == "f" and page.imagedepth == 1
        if not of_floats or page.samplesperpixel not in (3, 4):
            return None
        check_size((page.imagewidth, page.imagelength))
        if page.compression != UNPACKED:
            raise InputError(
                f"{name}: a compressed TIFF of floats is not read; save it uncompressed"
            )
        values = page.asarray()
        if page.planarconfig == SEPARATE:
            values = np.moveaxis(values, 0, -1)
        image = Image.fromarray(eight_bits(values))
        if orientation := page.tags.get(ExifTags.Base.Orientation):
            image.getexif()[ExifTags.Base.Orientation] = int(orientation.value)
    return image
