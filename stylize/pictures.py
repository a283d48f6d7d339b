"""Pictures: reading, resizing, conversion to what VGG19 expects and back, colours, writing.

A *picture* is a path, a Pillow image or a uint8 array; once read it is a Pillow RGB image in sRGB.
"""

import contextlib
import functools
import glob
import io
import math
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import ArrayLike
from PIL import ExifTags, Image, ImageCms, ImageOps, PngImagePlugin

from stylize.errors import InputError
from stylize.formats import Picture, name_of, opened
from stylize.weights import IMAGENET_MEAN_BGR

Pixels = Image.Image | ArrayLike  # what NumPy makes an array of

STRIP = 2**20  # pixels: what is computed in float64 is computed of so many at once
SMALLEST_SIDE = 16  # pixels: four poolings lie before the deepest layer
FORMATS = ("png", "jpg", "webp", "tiff")
SUFFIXES = {f".{name}": name for name in FORMATS} | {".jpeg": "jpg", ".tif": "tiff"}
LARGEST_SIDES = {"webp": 16383, "jpg": 65500}  # pixels, that a format can hold
DEEP_FORMATS = ("png", "tiff")  # those that can hold 16 bits a channel


# ---------------------------------------------------------------------------------------------
# Reading
# ---------------------------------------------------------------------------------------------


def load_image(
    picture: Picture, name: str | None = None, max_pixels: float = math.inf
) -> Image.Image:
    """Reads a picture as a person sees it: upright, in sRGB, transparency on white.

    Args:
        picture: a path, a Pillow image, or a uint8 array of shape (rows, cols), (rows, cols, 3) or
            (rows, cols, 4). Of an animation, the first frame counts. A file has one of the formats
            `READABLE`.
        name: what errors call it; None: its path.
        max_pixels: that a file may have. It is not decoded where it has more.

    Returns:
        A Pillow image of mode RGB, not to be changed: it may be the one given.

    Raises:
        InputError: missing, not a picture, damaged, too large, or with a side under `SMALLEST_SIDE`
            pixels.
    """
    with opened(picture, name, max_pixels) as image:
        if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
            image = ImageOps.exif_transpose(image)
        rgb = _to_rgb(image)
        rgb.load()
    if min(rgb.size) < SMALLEST_SIDE:
        raise InputError(
            f"{name_of(picture, name)}: {rgb.width}x{rgb.height} pixels is too small; VGG19 needs "
            f"at least {SMALLEST_SIDE}x{SMALLEST_SIDE}"
        )
    return rgb


def _to_rgb(image):
    """Any Pillow mode to RGB: 16-bit grays scaled down, transparency composited on white.

    Colours of another space than sRGB, as phones and cameras write them, are converted.
    """
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_eight_bits(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        opaque = _to_srgb(rgba.convert("RGB"), image.info.get("icc_profile"))
        return Image.composite(opaque, Image.new("RGB", image.size, "white"), rgba.getchannel("A"))
    if image.mode == "P":
        image = image.convert("RGB")
    return _to_srgb(image, image.info.get("icc_profile"))


def _eight_bits(gray):
    """A gray picture of whole numbers up to 65535, or of floats up to 1 or 255, as uint8."""
    brightest = gray.max()
    if gray.dtype.kind == "f":
        gray = np.nan_to_num(gray) * (255 if brightest <= 1 else 1)
        return np.rint(gray).clip(0, 255).astype(np.uint8)
    table = np.arange(65536) if brightest <= 255 else np.rint(np.arange(65536) / 257)
    return table.astype(np.uint8)[gray.clip(0, 65535)]


def _to_srgb(image, profile):
    """A Pillow image of mode RGB, L, CMYK ... to RGB, by its ICC profile, bytes, if it has one.

    Where it is RGB and has none, it is returned itself, not copied.
    """
    if profile:
        image.load()  # so that an error below is the profile's
        # A damaged profile, or one of another mode, says nothing: the picture is taken as sRGB.
        with contextlib.suppress(Exception):
            return ImageCms.profileToProfile(
                image, io.BytesIO(profile), ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
    return image if image.mode == "RGB" else image.convert("RGB")


# ---------------------------------------------------------------------------------------------
# Sizes and values
# ---------------------------------------------------------------------------------------------


def working_size(
    image: Image.Image,
    size: int | str | tuple[int, int],
    longer_side: Callable[[float], int] | None = None,
) -> tuple[int, int]:
    """(rows, cols) of the result, with the aspect of `image`.

    Args:
        image: the photo.
        size: its rows, or "own"; (rows, cols) are taken as they are.
        longer_side: makes whole numbers of the sides, where `size` is the longer one; else None.

    Raises:
        InputError: a side would be too small for VGG19.
    """
    if isinstance(size, tuple):
        return size
    if longer_side:
        longer = max(image.size) if isinstance(size, str) else size
        rows, cols = fitted_size(image, longer, longer_side)
    else:
        rows = image.height if isinstance(size, str) else size
        cols = int(image.width * rows / image.height)
    if min(rows, cols) < SMALLEST_SIDE:
        raise InputError(
            f"the result would have {rows} rows and {cols} columns; VGG19 needs at least "
            f"{SMALLEST_SIDE} of each: raise --size"
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


def preprocess_image(image: Pixels) -> np.ndarray:
    """Turns a picture into what VGG19 expects: BGR minus ImageNet's mean pixel.

    Args:
        image: a Pillow RGB image or an array of shape (..., rows, cols, 3), RGB, 0..255; it is not
            changed.

    Returns:
        float32 of the same shape, BGR, about -124..152.
    """
    x = np.asarray(image)[..., ::-1].astype(np.float32, order="C")
    x -= np.asarray(IMAGENET_MEAN_BGR, np.float32)
    return x


def deprocess_image(x: ArrayLike) -> np.ndarray:
    """The exact inverse of `preprocess_image`, rounded and clipped to 0..255.

    Args:
        x: array of shape (..., rows, cols, 3), BGR minus the mean pixel; it is not changed.

    Returns:
        uint8 of the same shape, RGB.
    """
    return quantize(rgb_values(x))


def rgb_values(x: ArrayLike) -> np.ndarray:
    """The same as `deprocess_image`, but not rounded: float64 RGB, clipped to 0..255."""
    return (np.asarray(x, np.float64) + IMAGENET_MEAN_BGR)[..., ::-1].clip(0, 255)


def quantize(rgb: Pixels, bits: int = 8) -> np.ndarray:
    """RGB values 0..255, of any shape, rounded to uint8, or to uint16 with 65535 for 255.

    An array of that type already is returned as it is.
    """
    scale, dtype = {8: (1, np.uint8), 16: (257, np.uint16)}[bits]
    if isinstance(rgb, np.ndarray) and rgb.dtype == dtype:
        return rgb
    return np.rint(np.asarray(rgb, np.float64) * scale).astype(dtype)


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
        name = picture if isinstance(picture, (str, os.PathLike)) else "given"
        raise InputError(f"mask {name}: it is all black; paint white where it should apply")
    return mask


def resize_mask(mask: Image.Image, rows: int, cols: int) -> np.ndarray:
    """A mask as an array (rows, cols), float32, 0..1."""
    return np.asarray(mask.resize((cols, rows), Image.Resampling.BILINEAR), np.float32) / 255


# ---------------------------------------------------------------------------------------------
# Writing
# ---------------------------------------------------------------------------------------------


def suffix_of(path: str | os.PathLike) -> str:
    """The one of `FORMATS` that the suffix of `path` stands for. Raises InputError."""
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"{path}: no format for {suffix!r}; name it .png, .jpg, .webp or .tiff")
    return SUFFIXES[suffix]


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
        bits: of a channel, 8, or 16 for .png and .tiff.
        description: text to store with the picture, see `read_description`.

    Raises:
        InputError: no format has this suffix, or the format cannot have so many `bits`.
        OSError: the folder cannot be written, or the disk is full.
    """
    format = suffix_of(path)
    if (format, bits) not in WRITERS:
        deep = " or ".join(f".{name}" for name in DEEP_FORMATS)
        raise InputError(f"{path}: {bits} bits per channel do not fit in it; name it {deep}")
    pixels = quantize(picture, bits)
    with replacing(path) as temporary:
        WRITERS[format, bits](pixels, temporary, description)


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """A path to write to, which takes the place of `path` when all went well, and is gone if not.

    The folder is created where it is missing. Raises OSError.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_name(path)
    try:
        yield temporary
        with temporary.open("r+b") as file:  # on the disk before the name is, come a power cut
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def temporary_name(path: Path) -> Path:
    """What `path` is called until it is whole: a hidden name beside it with the same suffix."""
    return path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")


def remove_leftovers(prefix: str | os.PathLike) -> None:
    """Removes the files that runs which were killed left unfinished. Raises OSError.

    Args:
        prefix: their names begin with, after the dot of `temporary_name`.
    """
    prefix = Path(prefix)
    for path in prefix.parent.glob(f".{glob.escape(prefix.name)}[._]*.tmp.*"):
        process = path.name.split(".")[-3]
        if process.isdecimal() and not psutil.pid_exists(int(process)):
            path.unlink(missing_ok=True)


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


def read_description(path: str | os.PathLike) -> str:
    """The text that `save_image` stored with the picture at `path`, "" where there is none.

    It is the text chunk "Description" of a PNG, the image description of EXIF or TIFF otherwise.

    Raises:
        InputError: not a picture that can be read.
    """
    with opened(path) as image:
        text = image.info.get("Description") or image.getexif().get(ExifTags.Base.ImageDescription)
    return text if isinstance(text, str) else ""
