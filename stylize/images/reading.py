"""Reading pictures as a person sees them: upright, in sRGB, transparency on white."""

import contextlib
import io
import math
import numbers
import os

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageOps

from stylize.errors import InputError, require
from stylize.images.deep import eight_bits
from stylize.images.formats import Picture, check_scans, name_of, opened
from stylize.images.resize import SMALLEST_SIDE


def load_image(
    picture: Picture,
    name: str | None = None,
    max_pixels: float = math.inf,
    kind: str = "picture",
) -> Image.Image:
    """Reads a picture as a person sees it: upright, in sRGB, transparency on white.

    Args:
        picture: a path, a Pillow image, or a uint8 array of shape (rows, cols), (rows, cols, 3) or
            (rows, cols, 4). Of an animation, the first frame counts. A file has one of the formats
            `READABLE`.
        name: what errors call it; None: its path.
        max_pixels: the most that a file may have; a larger one is not decoded.
        kind: what errors call it where it has no name, such as "mask".

    Returns:
        A Pillow image of mode RGB, not to be changed: it may be the one given.

    Raises:
        InputError: missing, not a picture, damaged, too large, or with a side under `SMALLEST_SIDE`
            pixels.
    """
    require("max_pixels", max_pixels, numbers.Real, "a number")
    with opened(picture, name, max_pixels, kind) as image:
        check_scans(image, name_of(picture, name, kind))
        rgb = _to_rgb(_upright(image))
        rgb.load()
    if min(rgb.size) < SMALLEST_SIDE:
        raise InputError(
            f"{name_of(picture, name, kind)}: {rgb.width}x{rgb.height} pixels is too small; "
            f"a {kind} needs at least {SMALLEST_SIDE}x{SMALLEST_SIDE}"
        )
    return rgb


def load_opacity(
    picture: Picture, name: str | None = None, kind: str = "picture"
) -> Image.Image | None:
    """How opaque a picture is, upright: of mode L, 255 where it is opaque; None: everywhere.

    Args:
        picture: what `load_image` has read.
        name, kind: as for `load_image`.
    """
    with opened(picture, name, kind=kind) as image:
        if _is_deep(image) or not image.has_transparency_data:
            return None
        alpha = _upright(image).convert("RGBA").getchannel("A")
    return alpha if alpha.getextrema()[0] < 255 else None


def _upright(image):
    """An image as the camera was held."""
    if image.getexif().get(ExifTags.Base.Orientation, 1) == 1:
        return image
    return ImageOps.exif_transpose(image)


def _is_deep(image):
    """Whether a Pillow image has greys of more than 8 bits, which are all opaque."""
    return image.mode[0] in "IF"


def _to_rgb(image):
    """Any Pillow mode to RGB: 16-bit greys scaled down, transparency composited on white.

    Colours of another space than sRGB, as phones and cameras write them, are converted.
    """
    if _is_deep(image):
        return Image.fromarray(eight_bits(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        opaque = _to_srgb(rgba.convert("RGB"), image.info.get("icc_profile"))
        return Image.composite(opaque, Image.new("RGB", image.size, "white"), rgba.getchannel("A"))
    if image.mode == "P":
        image = image.convert("RGB")
    return _to_srgb(image, image.info.get("icc_profile"))


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


def read_description(path: str | os.PathLike) -> str:
    """The text that `save_image` stored with the picture at `path`, "" where there is none.

    It is the text chunk "Description" of a PNG, the image description of EXIF or TIFF otherwise.

    Raises:
        InputError: not a picture that can be read.
    """
    with opened(path) as image:
        text = image.info.get("Description") or image.getexif().get(ExifTags.Base.ImageDescription)
    return text if isinstance(text, str) else ""
