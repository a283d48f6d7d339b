"""Pictures: reading any, resizing, what VGG19 expects of them and back, colours, writing.

A *picture* is a path, a Pillow image or a uint8 array; once read it is a Pillow RGB image in sRGB.
"""

import contextlib
import functools
import io
import os
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, PngImagePlugin

from stylize.errors import InputError
from stylize.weights import IMAGENET_MEAN_BGR

SMALLEST_SIDE = 16  # pixels: four poolings lie before the deepest layer
FORMATS = ("png", "jpg", "webp", "tiff")
SUFFIXES = {f".{name}": name for name in FORMATS} | {".jpeg": "jpg", ".tif": "tiff"}
DEEP_FORMATS = ("png", "tiff")  # those that can hold 16 bits a channel
LUMA = (0.299, 0.587, 0.114)  # of red, green, blue: Rec. 601
IMAGE_DESCRIPTION = 270  # the tag of EXIF and TIFF


# ---------------------------------------------------------------------------------------------
# Reading
# ---------------------------------------------------------------------------------------------


def load_image(picture, name=None):
    """Reads a picture as a person sees it: upright, in sRGB, transparency on white.

    Args:
        picture: a path, a Pillow image, or a uint8 array of shape (rows, cols), (rows, cols, 3) or
            (rows, cols, 4). Of an animation, the first frame counts.
        name: what errors call it; None: its path.

    Returns:
        A Pillow image of mode RGB.

    Raises:
        InputError: missing, not a picture, damaged, or with a side under `SMALLEST_SIDE` pixels.
    """
    name, opened = _open_image(picture, name)
    try:
        with opened as image:
            rgb = _to_rgb(ImageOps.exif_transpose(image))
    except Exception as error:  # Pillow's decoders raise whatever a damaged file makes them
        raise InputError(f"{name}: damaged or truncated ({error}); save it anew") from error
    if min(rgb.size) < SMALLEST_SIDE:
        raise InputError(
            f"{name}: {rgb.width}x{rgb.height} pixels is too small; VGG19 needs at least "
            f"{SMALLEST_SIDE}x{SMALLEST_SIDE}"
        )
    return rgb


def _open_image(picture, name=None):
    """(what to call it, the Pillow image, not yet decoded) for anything `load_image` takes."""
    if isinstance(picture, Image.Image):
        return name or "picture", picture.copy()
    if isinstance(picture, np.ndarray):
        if picture.dtype != np.uint8 or picture.ndim not in (2, 3):
            raise InputError(
                "a picture array must be uint8 of shape (rows, cols, 3); "
                f"received {picture.dtype} of shape {picture.shape}"
            )
        return name or "picture", Image.fromarray(picture)
    name = name or f"picture {os.fspath(picture)}"
    try:
        if os.path.getsize(picture) == 0:
            raise InputError(f"{name}: the file is empty")
        return name, Image.open(picture)
    except FileNotFoundError:
        raise InputError(f"{name}: no such file; check the path") from None
    except IsADirectoryError:
        raise InputError(f"{name}: is a folder; give one picture in it") from None
    except Image.UnidentifiedImageError:
        raise InputError(
            f"{name}: not a picture that can be read; save it as JPEG or PNG"
        ) from None
    except Image.DecompressionBombError as error:
        raise InputError(f"{name}: too large to be safe ({error}); make it smaller") from None
    except OSError as error:
        raise InputError(f"{name}: cannot be read ({error.strerror or error})") from None


def _to_rgb(image):
    """Any Pillow mode to RGB: 16-bit grays scaled down, transparency composited on white.

    Colours of another space than sRGB, as phones and cameras write them, are converted.
    """
    if image.mode.startswith("I") or image.mode == "F":
        gray = np.asarray(image, np.float64)
        if image.mode == "F":
            gray = gray * 255 if gray.max() <= 1 else gray
        elif gray.max() > 255:
            gray = gray / 257
        return Image.fromarray(np.clip(np.rint(gray), 0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        opaque = _to_srgb(rgba.convert("RGB"), image.info.get("icc_profile"))
        return Image.composite(opaque, Image.new("RGB", image.size, "white"), rgba.getchannel("A"))
    if image.mode == "P":
        image = image.convert("RGB")
    return _to_srgb(image, image.info.get("icc_profile"))


def _to_srgb(image, profile):
    """A Pillow image of mode RGB, L, CMYK ... to RGB, by its ICC profile, bytes, if it has one."""
    if profile:
        # A damaged profile, or one of another mode, says nothing: the picture is taken as sRGB.
        with contextlib.suppress(ImageCms.PyCMSError, OSError):
            return ImageCms.profileToProfile(
                image, io.BytesIO(profile), ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
    return image.convert("RGB")


# ---------------------------------------------------------------------------------------------
# Sizes and values
# ---------------------------------------------------------------------------------------------


def working_size(image, rows):
    """(rows, cols) of the result: `rows` as asked or "own", columns by the aspect of `image`.

    Where `rows` is (rows, cols) already, these are taken.

    Raises:
        InputError: a side would be too small for VGG19.
    """
    if isinstance(rows, tuple):
        return rows
    rows = image.height if rows == "own" else rows
    cols = int(image.width * rows / image.height)
    if min(rows, cols) < SMALLEST_SIDE:
        raise InputError(
            f"the result would have {rows} rows and {cols} columns; VGG19 needs at least "
            f"{SMALLEST_SIDE} of each: raise --size"
        )
    return rows, cols


def scaled_size(image, factor):
    """(rows, cols) of an image times `factor`, each at least `SMALLEST_SIDE`."""
    rows, cols = (max(SMALLEST_SIDE, int(side * factor)) for side in (image.height, image.width))
    return rows, cols


def resize_image(image, rows, cols, resample):
    """Resizes a Pillow image with a Pillow filter.

    Keras's `load_img` takes `Resampling.NEAREST`; `Resampling.LANCZOS` does not alias.
    """
    return image.resize((cols, rows), resample)


def enlarge(x, rows, cols):
    """Resizes a combination (rows, cols, 3), float, without rounding or clipping it."""
    channels = [
        Image.fromarray(np.ascontiguousarray(channel, np.float32)).resize(
            (cols, rows), Image.Resampling.BICUBIC
        )
        for channel in np.moveaxis(x, -1, 0)
    ]
    return np.stack(channels, axis=-1)  # (rows, cols, 3)


def preprocess_image(image):
    """Turns a picture into what VGG19 expects: BGR minus ImageNet's mean pixel.

    Args:
        image: a Pillow RGB image or an array of shape (..., rows, cols, 3), RGB, 0..255; it is not
            changed.

    Returns:
        float32 of the same shape, BGR, about -124..152.
    """
    return np.asarray(image, np.float32)[..., ::-1] - np.float32(IMAGENET_MEAN_BGR)


def deprocess_image(x):
    """The exact inverse of `preprocess_image`, rounded and clipped to 0..255.

    Args:
        x: array of shape (..., rows, cols, 3), BGR minus the mean pixel; it is not changed.

    Returns:
        uint8 of the same shape, RGB.
    """
    return quantize(rgb_values(x))


def rgb_values(x):
    """The same as `deprocess_image`, but not rounded: float64 RGB, clipped to 0..255."""
    return (np.asarray(x, np.float64) + IMAGENET_MEAN_BGR)[..., ::-1].clip(0, 255)


def quantize(rgb, bits=8):
    """RGB values 0..255, of any shape, rounded to uint8, or to uint16 with 65535 for 255."""
    scale, dtype = {8: (1, np.uint8), 16: (257, np.uint16)}[bits]
    return np.rint(np.asarray(rgb, np.float64) * scale).astype(dtype)


def layer_mask(mask, shape):
    """A mask (rows, cols) averaged down to a layer's positions, (positions, 1), or None."""
    if mask is None:
        return None
    image = Image.fromarray(np.asarray(mask, np.float32))
    return np.asarray(image.resize((shape[2], shape[1]), Image.Resampling.BOX)).reshape(-1, 1)


def load_mask(picture):
    """Reads a mask: a Pillow image of mode L, None for None.

    Raises:
        InputError: what `load_image` raises, and where all of it is black.
    """
    if picture is None:
        return None
    mask = load_image(picture).convert("L")
    if not mask.getbbox():
        name = picture if isinstance(picture, (str, os.PathLike)) else "given"
        raise InputError(f"mask {name}: all of it is black; paint white where it should count")
    return mask


def resize_mask(mask, rows, cols):
    """A mask as an array (rows, cols), float32, 0..1."""
    return np.asarray(mask.resize((cols, rows), Image.Resampling.BILINEAR), np.float32) / 255


# ---------------------------------------------------------------------------------------------
# Colours
# ---------------------------------------------------------------------------------------------


def match_mean_and_covariance(style, content, cholesky=False):
    """Moves a style's colours linearly so that their mean and covariance are the content's.

    Args:
        style, content: Pillow RGB images or arrays (rows, cols, 3), RGB, 0..255.
        cholesky: take A = L_c L_s^-1 of the Cholesky factors, else A = C_c^(1/2) C_s^(-1/2) of the
            symmetric roots, which turns no colour into another without need. Where the style's
            covariance is singular (a gray picture), only the symmetric roots can be had; a colour
            that does not vary there stays as it is.

    Returns:
        float64 (rows, cols, 3), RGB, not clipped.

    Source: Gatys et al. 2016, "Preserving Color in Neural Artistic Style Transfer"
    (arXiv:1606.05897), sec. 5.1.
    """
    style, content = (np.asarray(image, np.float64) for image in (style, content))
    covariances = [np.cov(image.reshape(-1, 3), rowvar=False) for image in (style, content)]
    singular = min(np.linalg.cond(c) for c in covariances) > 1e10 or any(
        np.linalg.eigvalsh(c)[0] <= 1e-6 for c in covariances
    )
    if cholesky and not singular:
        of_style, of_content = map(np.linalg.cholesky, covariances)
        matrix = of_content @ np.linalg.inv(of_style)
    else:
        of_style, of_content = map(_symmetric_root, covariances)
        matrix = of_content @ np.linalg.pinv(of_style, rcond=1e-6)
    return (style - style.mean((0, 1))) @ matrix.T + content.mean((0, 1))


def _symmetric_root(covariance):
    """The symmetric square root of a covariance matrix."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(values.clip(0))) @ vectors.T


def match_histograms(style, content):
    """Gives each channel of a style the content's histogram. Arguments as above."""
    from skimage.exposure import match_histograms

    return match_histograms(np.asarray(style), np.asarray(content), channel_axis=-1)


def keep_luma(result, content):
    """The brightness of `result` with the colours of `content`, arrays (rows, cols, 3), RGB 0..255.

    In YCbCr, Y of the one and Cb, Cr of the other: that adds the difference in Y to every channel.

    Source: Gatys et al. 2016 (arXiv:1606.05897), sec. 5.2, with Rec. 601's luma.
    """
    result, content = np.asarray(result, np.float64), np.asarray(content, np.float64)
    difference = (result - content) @ LUMA  # (rows, cols)
    return (content + difference[..., np.newaxis]).clip(0, 255)


COLOR_TRANSFERS = {  # applied to the style before a run; luma is applied to the result
    "linear": match_mean_and_covariance,
    "linear_cholesky": functools.partial(match_mean_and_covariance, cholesky=True),
    "histogram": match_histograms,
}
COLOR_METHODS = ("none", "luma", *COLOR_TRANSFERS)


# ---------------------------------------------------------------------------------------------
# Writing
# ---------------------------------------------------------------------------------------------


def suffix_of(path):
    """The one of `FORMATS` that the suffix of `path` stands for. Raises InputError."""
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"{path}: no format for {suffix!r}; name it .png, .jpg, .webp or .tiff")
    return SUFFIXES[suffix]


def save_image(picture, path, bits=8, description=""):
    """Writes a picture in the format of its suffix, tagged as sRGB, whole or not at all.

    It is written under another name in the same folder (created where missing), then renamed, so
    that an interrupted or failed write leaves what was there before.

    Args:
        picture: a Pillow RGB image, or an array (rows, cols, 3), RGB 0..255.
        bits: of a channel, 8, or 16 for .png and .tiff.
        description: text to store with the picture, see `read_description`.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    pixels = quantize(picture, bits)
    write = {8: _write_8_bits, 16: _write_16_bits}[bits]
    with replacing(path) as temporary:
        write(pixels, temporary, description)


@contextlib.contextmanager
def replacing(path):
    """A path to write to, which takes the place of `path` when all went well, and is gone if not.

    The folder is created where it is missing. Raises OSError.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@functools.cache
def srgb_profile():
    """sRGB's ICC profile, bytes, without the time at which it was made: 588 bytes."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile[:24] + bytes(12) + profile[36:]


def _write_8_bits(pixels, path, description):
    # Without the first two a JPEG or WebP would smear the strokes; the others ignore them.
    options = {"quality": 95, "subsampling": 0, "icc_profile": srgb_profile()}
    if description and path.suffix == ".png":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_text("Description", description)
    elif description:
        options["exif"] = Image.Exif()
        options["exif"][IMAGE_DESCRIPTION] = description
    Image.fromarray(pixels).save(path, **options)


def _write_16_bits(pixels, path, description):
    """As Pillow, which has no 16-bit RGB, would write them."""
    rows, cols, _ = pixels.shape
    if path.suffix == ".png":
        import png

        buffer = io.BytesIO()
        png.Writer(cols, rows, greyscale=False, bitdepth=16).write(buffer, pixels.reshape(rows, -1))
        buffer.seek(0)
        header, *chunks = png.Reader(buffer).chunks()
        text = [(b"tEXt", b"Description\0" + description.encode("latin-1"))] if description else []
        with path.open("wb") as file:
            png.write_chunks(file, [header, (b"sRGB", b"\0"), *text, *chunks])
    else:
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


def read_description(path):
    """The text that `save_image` stored with the picture at `path`, "" where there is none.

    It is the text chunk "Description" of a PNG, the image description of EXIF or TIFF otherwise.

    Raises:
        InputError: not a picture that can be read.
    """
    name, opened = _open_image(path)
    try:
        with opened as image:
            return image.info.get("Description") or image.getexif().get(IMAGE_DESCRIPTION, "")
    except Exception as error:  # as in load_image
        raise InputError(f"{name}: damaged or truncated ({error})") from error
