"""Writing pictures: the formats, their bits, and the text they carry."""

import functools
import io
import os
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageCms, PngImagePlugin

from stylize.backend.files import replacing
from stylize.errors import InputError, SettingError, one_line, require
from stylize.images.formats import Pixels

FORMATS = ("png", "jpg", "webp", "tiff")
SUFFIXES = {f".{name}": name for name in FORMATS} | {".jpeg": "jpg", ".tif": "tiff"}
LARGEST_SIDES = {"webp": 16383, "jpg": 65500}  # pixels, that a format can hold
DEEP_FORMATS = ("png", "tiff")  # those that can hold 16 bits a channel


def quantize(rgb: Pixels, bits: int = 8) -> np.ndarray:
    """RGB values 0..255, of any shape, rounded to uint8, or to uint16 with 65535 for 255.

    An array of that type already is returned as it is.
    """
    scale, dtype = {8: (1, np.uint8), 16: (257, np.uint16)}[bits]
    if isinstance(rgb, np.ndarray) and rgb.dtype == dtype:
        return rgb
    return np.rint(np.asarray(rgb, np.float64) * scale).astype(dtype)


def suffix_of(path: str | os.PathLike) -> str:
    """The one of `FORMATS` that the suffix of `path` stands for. Raises InputError."""
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"{path}: no format for {suffix!r}; name it .png, .jpg, .webp or .tiff")
    return SUFFIXES[suffix]


def check_bits(bits: int, suffix: str) -> None:
    """Raises SettingError where a format, by its suffix, cannot have so many bits per channel."""
    if (suffix, bits) not in WRITERS:
        raise SettingError("--bits", f"{bits} needs --format {' or '.join(DEEP_FORMATS)}")


def save_image(
    picture: Pixels,
    path: str | os.PathLike,
    bits: int = 8,
    description: str = "",
) -> None:
    """Writes a picture in the format of its suffix, tagged as sRGB, whole or not at all.

    It is written under another name in the same folder (created where missing), then renamed, so
    that an interrupted or failed write leaves what was there before.

    Args:
        picture: a Pillow RGB image, or an array (rows, cols, 3), RGB 0..255, or rounded to 16 bits.
        bits: per channel: 8, or 16 for .png and .tiff.
        description: text to store with the picture, see `read_description`; in ASCII, but for
            .png with 8 bits.

    Raises:
        InputError: an argument of another kind, no format has this suffix, the format cannot have
            so many `bits`, or not this `description`.
        OSError: the folder cannot be written, or the disk is full.
    """
    require("path", path, str | os.PathLike, "a path")
    require("description", description, str, "a text")
    format = suffix_of(path)
    if np.ndim(bits) or bits not in (8, 16):
        raise InputError(f"bits must be 8 or 16, received {one_line(repr(bits))}")
    if (format, bits) not in WRITERS:
        deep = " or ".join(f".{name}" for name in DEEP_FORMATS)
        raise InputError(f"{path}: {bits} bits per channel do not fit in it; name it {deep}")
    if not description.isascii() and (format, bits) != ("png", 8):
        raise InputError(
            f"{path}: description must be in ASCII, unless it is a .png of 8 bits; json.dumps "
            "makes it so"
        )
    pixels = quantize(_checked_pixels(picture, bits), bits)
    with replacing(path) as temporary:
        WRITERS[format, bits](pixels, temporary, description)


def _checked_pixels(picture, bits):
    """A picture as an array that can be rounded. Raises InputError."""
    pixels = np.asarray(picture)
    if (
        pixels.ndim != 3
        or pixels.shape[2] != 3
        or not pixels.size
        or pixels.dtype.kind not in "uif"
    ):
        raise InputError(
            "picture must be a Pillow RGB image or an array of numbers (rows, cols, 3), received "
            f"{pixels.dtype} of shape {pixels.shape}"
        )
    rounded = pixels.dtype == np.uint8 or (bits == 16 and pixels.dtype == np.uint16)
    if not rounded and not (0 <= pixels.min() <= pixels.max() <= 255):
        raise InputError(
            f"picture must have values from 0 to 255, received {pixels.min()} to {pixels.max()}"
        )
    return pixels


@functools.cache
def srgb_profile() -> bytes:
    """sRGB's ICC profile, bytes, without the time at which it was made: 588 bytes."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile[:24] + bytes(12) + profile[36:]


def _write_8_bits(pixels, path, description):
    # Without the first two a JPEG or WebP would smear the strokes; the others ignore them.
    options = {"quality": 95, "subsampling": 0, "icc_profile": srgb_profile()}
    if description and suffix_of(path) == "png":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_text("Description", description)
    elif description:
        options["exif"] = Image.Exif()
        options["exif"][ExifTags.Base.ImageDescription] = description
    Image.fromarray(pixels).save(path, **options)


def _write_16_bit_png(pixels, path, description):
    """As Pillow, which has no 16-bit RGB, would write it."""
    import png

    rows, cols, _ = pixels.shape
    buffer = io.BytesIO()
    png.Writer(cols, rows, greyscale=False, bitdepth=16).write(buffer, pixels.reshape(rows, -1))
    buffer.seek(0)
    header, *chunks = png.Reader(buffer).chunks()
    text = [(b"tEXt", b"Description\0" + description.encode("latin-1"))] if description else []
    with path.open("wb") as file:
        png.write_chunks(file, [header, (b"sRGB", b"\0"), *text, *chunks])


def _write_16_bit_tiff(pixels, path, description):
    import tifffile

    tifffile.imwrite(
        path,
        pixels,
        photometric="rgb",
        compression="zlib",
        iccprofile=srgb_profile(),
        description=description or None,
        metadata=None,  # of tifffile's own
        software=False,
    )


WRITERS = {  # (format, bits of a channel): function of pixels, path, description
    **{(format, 8): _write_8_bits for format in FORMATS},
    ("png", 16): _write_16_bit_png,
    ("tiff", 16): _write_16_bit_tiff,
}
