"""Opening pictures: the formats that are read, and one line that says what is wrong with a file.

A *picture* is a path, a Pillow image or a uint8 array.
"""

import contextlib
import ctypes
import difflib
import functools
import io
import logging
import math
import os
import re
import stat
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from stylize.backend import machine
from stylize.errors import InputError, one_line
from stylize.images.deep import open_float_tiff

# Python prints what a library logs and nobody handles; Pillow also raises what it logs.
logging.getLogger("PIL").addHandler(logging.NullHandler())

Picture = str | os.PathLike | Image.Image | np.ndarray
Pixels = Image.Image | ArrayLike  # what NumPy makes an array of

READABLE = {  # what people call a format: what Pillow calls it
    "JPEG": "JPEG",
    "PNG": "PNG",
    "WebP": "WEBP",
    "TIFF": "TIFF",
    "BMP": "BMP",
    "GIF": "GIF",
    "HEIC": "HEIF",  # by pillow-heif
    "AVIF": "AVIF",
}
DECODED_BYTES = 27  # for each pixel, at the peak: with transparency, which takes the most
HEIF_FILE = rb"....ftyp(?!.*avi[fs]).*(hei[cxms]|hev[cxms]|mif1|msf1)"  # an AVIF is a mif1 too
JPEG_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd8\xff])")  # those that a segment follows
JPEG_SCAN, JPEG_END = b"\xda", b"\xd9"
MOST_SCANS = 100  # as in libtiff; programs write about ten
LARGEST_JPEG = 2**28  # bytes that are looked at
ADDRESS = re.compile(r"(?i)(https?|ftp|file):/|www\.")  # how one begins, that a browser shows
TIFF_FILE = (b"II*\0", b"MM\0*")
NUMPY = "; convert it to a NumPy array"
NO_SUCH_FILE = "no such file; check the path"
REASONS = {  # why a picture cannot be read: the first kind of error that fits
    FileNotFoundError: NO_SUCH_FILE,
    IsADirectoryError: "is a folder; give one picture in it",
    Image.UnidentifiedImageError: "not a picture that can be read; save it as "
    + " or ".join(", ".join(READABLE).rsplit(", ", 1)),
    Image.DecompressionBombError: "too large to be safe ({}); make it smaller",
    MemoryError: "too large for the memory that is left; make it smaller",
    ImportError: "a HEIC picture needs pillow-heif ({}); run pip install pillow-heif",
    Exception: "damaged or truncated ({}); save it again",
}
SHOWN_BY_BROWSERS = frozenset(  # by all that are in use
    {".apng", ".avif", ".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".webp"}
)


def picture_suffixes() -> set[str]:
    """The suffixes, with the dot and in lower case, of files in the formats `READABLE`."""
    registered = Image.registered_extensions()
    ours = {suffix for suffix, name in registered.items() if name in READABLE.values()}
    return ours | {".heic", ".heif", ".hif"}  # which Pillow knows with pillow-heif only


def name_of(picture: Picture, name: str | None = None, kind: str = "picture") -> str:
    """What errors call a picture, or a mask."""
    if isinstance(picture, Image.Image | np.ndarray):
        return name or kind
    return name or " ".join(f"{kind} {os.fspath(picture) or '(an empty name)'}".splitlines())


@contextlib.contextmanager
def opened(
    picture: Picture,
    name: str | None = None,
    max_pixels: float = math.inf,
    kind: str = "picture",
) -> Iterator[Image.Image]:
    """The Pillow image, not yet decoded, of anything `load_image` takes.

    Whatever goes wrong while it is used, in Pillow or a decoder, becomes an InputError of one
    line. Python's warnings of damage that a decoder could mend say nothing a person can use.
    """
    try:
        with warnings.catch_warnings(action="ignore"), contextlib.ExitStack() as stack:
            if isinstance(picture, Image.Image):
                yield picture
            elif isinstance(picture, np.ndarray):
                yield _from_array(picture, name or f"a {kind}")
            elif not isinstance(picture, str | os.PathLike):
                raise InputError(
                    f"{name or f'a {kind}'} must be a path, a Pillow image or a uint8 array; "
                    f"received {type(picture).__name__}{NUMPY * hasattr(picture, '__array__')}"
                )
            else:
                called = name_of(picture, name, kind)
                file = stack.enter_context(_open_file(picture, called))
                if not file.peek(1):
                    raise InputError(f"{called}: the file is empty")
                check = functools.partial(_check_size, called, max_pixels)
                image = stack.enter_context(_open_image(file, called, check))
                if image.format == "TIFF":
                    _silence_libtiff()
                check(image.size)
                yield image
    except InputError:
        raise
    except Exception as error:  # decoders raise whatever a damaged file makes them trip over
        raise _refusal(picture, name, kind, max_pixels, error) from error


def _refusal(picture, name, kind, max_pixels, error):
    """The InputError that says in a line why a picture cannot be read."""
    if isinstance(error, Image.DecompressionBombError) and max_pixels < math.inf:
        most = min(max_pixels, 2 * Image.MAX_IMAGE_PIXELS)  # the page's limit or Pillow's
        return _too_many_pixels(name_of(picture, name, kind), "the pixels", most)
    reason = next(text for cause, text in REASONS.items() if isinstance(error, cause))
    if reason is NO_SUCH_FILE:  # strangers, whose pictures have other names, see no folder of ours
        reason = why_missing(picture, look_around=name is None)
    else:
        reason = reason.format(one_line(error))
    return InputError(f"{name_of(picture, name, kind)}: {reason}")


def why_missing(path: str | os.PathLike, look_around: bool = True) -> str:
    """Says why there is no file at a path, and which file is there that is called nearly so.

    Without `look_around` nothing is said of what else is there, or is not.
    """
    if ADDRESS.match(os.fspath(path)):
        return "is an address, not a file; download it and give the file's name"
    if not look_around:
        return NO_SUCH_FILE
    folder, name = os.path.split(os.fspath(path))
    if folder and not os.path.isdir(folder):
        return f"no such file, as there is no folder {folder}; check the path"
    with contextlib.suppress(OSError, ValueError):
        others = sorted(set(os.listdir(folder or os.curdir)) - {name})  # a link that leads nowhere
        if there := _most_alike(name, others):
            return f"no such file; there is {there}"
    return NO_SUCH_FILE


def _most_alike(name, others):
    """The one of `others` called as `name` is but for capitals, a suffix, a slip or the end; "".

    But for capitals alone it may be any file, else it must be a picture.
    """
    wanted, (stem, _) = name.casefold(), os.path.splitext(name.casefold())
    pictures = {}  # the names of files, by what they are without a suffix
    for other in others:
        if other.casefold() == wanted:
            return other
        other_stem, suffix = os.path.splitext(other.casefold())
        if other_stem and suffix in picture_suffixes():
            pictures.setdefault(other_stem, other)
    slips = (
        each
        for each in difflib.get_close_matches(stem, pictures, cutoff=0.8)
        if re.findall(r"\d+", each) == re.findall(r"\d+", stem)  # else it is another picture
    )
    # As it begins, if there is one such; `photo1` is no part of `photo10`.
    longer = [n for n in pictures if n.startswith(stem) and not n[len(stem) :][:1].isdigit()]
    begun = longer if len(longer) == 1 and len(stem) > 3 else []
    return next((pictures[each] for each in (stem, wanted, *slips, *begun) if each in pictures), "")


def _check_size(name, max_pixels, size):
    """Raises InputError where a picture has too many pixels to be decoded."""
    width, height = size
    pixels = width * height
    if pixels > max_pixels:
        raise _too_many_pixels(name, f"{width}x{height} pixels", max_pixels)
    needed, free = pixels * DECODED_BYTES, machine.memory_left() * 2**20
    if needed > free:
        raise InputError(
            f"{name}: {width}x{height} pixels need {needed / 2**30:.1f} GiB to be read "
            f"and {free / 2**30:.1f} are free; make it smaller"
        )


def _too_many_pixels(name, so_many, max_pixels):
    """The InputError that says so."""
    most = f"at most {max_pixels:,} are taken: make it smaller"
    return InputError(f"{name}: {so_many} are too many; {most}")


def check_scans(image: Image.Image, name: str) -> None:
    """Raises InputError where a JPEG, not yet decoded, has so many scans that it would take hours.

    Each is decoded for all pixels, and may be a few bytes long.
    """
    file: Any = getattr(image, "fp", None)
    if image.format not in ("JPEG", "MPO") or not file:
        return
    before = file.tell()
    file.seek(0)
    data, position, scans = file.read(LARGEST_JPEG), 0, 0
    file.seek(before)
    while (marker := JPEG_MARKER.search(data, position)) and marker[1] != JPEG_END:
        scans += marker[1] == JPEG_SCAN
        if scans > MOST_SCANS:
            raise InputError(f"{name}: too many scans to be safe; save it again")
        segment = data[marker.end() : marker.end() + 2]  # its length, but for the marker's own
        position = marker.end() + int.from_bytes(segment)


def _from_array(array, name):
    """An array as a Pillow image. Raises InputError."""
    channels = array.shape[2:]
    if array.dtype != np.uint8 or array.ndim < 2 or channels not in ((), (3,), (4,)):
        raise InputError(
            f"{name} as an array must be uint8 of shape (rows, cols), "
            "(rows, cols, 3) or (rows, cols, 4); "
            f"received {array.dtype} of shape {array.shape}{_remedy(array)}"
        )
    return Image.fromarray(array)


def _remedy(array):
    """How to make a picture of an array that is none, as far as can be told from it."""
    if array.dtype.kind == "b":
        return "; for True and False, give (255 * x).astype('uint8')"
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            return "; some of its values are not finite numbers"
        if array.size and array.min() < -1:
            return "; some of its values are below 0"
        if array.size and array.min() < 0:
            return "; for values -1..1, give (127.5 * (x.clip(-1, 1) + 1)).round().astype('uint8')"
        if array.size and array.max() > 2:  # a picture of 0..1 that was resized has a little over 1
            return "; for values 0..255, give x.clip(0, 255).round().astype('uint8')"
        return "; for values 0..1, give (255 * x.clip(0, 1)).round().astype('uint8')"
    if array.dtype.kind in "iu" and array.size and array.max() > 255:
        return "; for values 0..65535, give (x / 257).round().astype('uint8')"
    if array.dtype.kind in "iu" and array.dtype != np.uint8:
        return "; for values 0..255, give x.astype('uint8')"
    if array.ndim == 4:
        return "; give one picture of it, such as x[0]"
    if array.ndim == 3 and 1 in (array.shape[0], array.shape[2]):
        return f"; leave the only channel out: {'x[0]' if array.shape[0] == 1 else 'x[:, :, 0]'}"
    if array.ndim == 3 and array.shape[0] in (3, 4):
        return "; move the channels to the end: np.moveaxis(x, 0, -1)"
    return ""


def _open_file(path, name):
    """The file of a picture."""
    try:
        file = open(path, "rb", opener=_at_once)  # noqa: SIM115, the caller closes it
    except (FileNotFoundError, IsADirectoryError):
        raise
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{name}: cannot be read ({reason})") from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise InputError(f"{name}: is a device or a pipe, not a file; save it first")
    return file


def _at_once(path, flags):
    """Opens what may be a pipe that nobody writes to without waiting for somebody who does."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _open_image(file: io.BufferedReader, name: str, check_size: Callable) -> Image.Image:
    """A file as a Pillow image, if it has one of the formats `READABLE`."""
    formats, start = set(READABLE.values()) - {"HEIF"}, file.peek(64)[:64]
    if re.match(HEIF_FILE, start, re.DOTALL):
        import pillow_heif  # not at the top: few pictures need it

        pillow_heif.register_heif_opener()
        formats = {"HEIF"}
    try:
        return Image.open(file, formats=sorted(formats))
    except Image.UnidentifiedImageError:
        is_tiff = start.startswith(TIFF_FILE)
        image = open_float_tiff(file, name, check_size) if is_tiff else None
        if image is None:
            raise
        return image


@functools.cache
def _silence_libtiff():
    """Keeps the C library that Pillow decodes TIFF with from printing what is wrong as well."""
    # Where Pillow's build does not show the library's functions, it goes on printing.
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(Image.core.__file__)
        library.TIFFSetErrorHandler(None)
        library.TIFFSetWarningHandler(None)
