"""What a setting may be: each function returns the value as it is used, or raises InputError."""

import difflib
import functools
import math
import os
import re
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from stylize.errors import InputError, SettingError
from stylize.images.resize import SMALLEST_SIDE
from stylize.vgg.weights import CONVOLUTIONS

# What nobody wants more of; far beyond it, numbers that are computed from these overflow.
LARGEST, LARGEST_SIDE, LARGEST_FACTOR, MOST_SCALES = 10**9, 10**6, 1000, 100

SLIP = re.compile(r"(\d{1,9})(?:[.,](\d{1,9}))?(%?)")  # a number as it is written in other places
SIZE = re.compile(r"(\d{1,9})(?:[x*](\d{0,9})| ?(%|px|p|k))")  # what people write besides rows
PAPERS_LAYER = re.compile(r"(?i)^(?:conv|relu)_?(\d)_(\d)$")  # how papers call a layer
ROUNDINGS = {"int": int, "round": round}
SIZE_REMEDIES = {  # what comes after a number -> what to write
    "%": "must be a number of rows, such as 400, or own for the photo's size",
    "px": "must be a number of rows: {}",
    "p": "must be a number of rows: {}",
    "k": "must be a number of rows, such as 2160",
}


def checked(flag, check, value, name=""):
    """Returns what `check`, a function of this module, makes of `value`. Raises SettingError."""
    try:
        return check(value)
    except InputError as error:
        raise SettingError(flag, str(error), name) from None


def meant(name, known):
    """Returns what to say of an unknown name: which of the known ones it may mean, or all."""
    longer = [each for each in known if each.startswith(name)]
    close = difflib.get_close_matches(name, known, n=1) or longer
    return f"did you mean {close[0]}" if close else f"there are {', '.join(known)}"


def shown(value):
    """Returns a value as a message shows it: in a line, however long it is."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:80]}..."


def _or_word(words, check, value):
    """Returns what `check` makes of `value`; its error names the words that do as well."""
    try:
        return check(value)
    except InputError as error:
        wanted, received, rest = str(error).partition(", received ")
        raise InputError(f"{wanted}, or {words}{received}{rest}") from None


def whole_number(value, minimum=1, maximum=LARGEST):
    """Returns `value` as an int from `minimum` to `maximum`. Raises InputError."""
    try:
        number = int(value)
        whole = isinstance(value, str) or (number == value and not isinstance(value, bool))
    except (TypeError, ValueError, OverflowError):
        number, whole = 0, False
    if not whole or not minimum <= number <= maximum:
        most = f" and at most {maximum}" if maximum < LARGEST or number > maximum else ""
        raise InputError(
            f"must be a whole number of at least {minimum}{most}, received {shown(value)}"
        )
    return number


def side(value):
    """Returns `value` as the pixels of a side that VGG19 can see. Raises InputError."""
    return whole_number(value, SMALLEST_SIDE)


def weight(value):
    """Returns `value` as a finite float of at least 0. Raises InputError."""
    number = _number(value)
    if not 0 <= number < math.inf:
        raise InputError(
            f"must be a finite number of at least 0, received {shown(value)}{_meant(value)}"
        )
    return number


def _number(value):
    """Returns `value` as a float, NaN where it is none, as True is none."""
    try:
        return math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _meant(value):
    """Says what somebody may mean who writes a percentage, or a comma for the point."""
    number = _slip(value)
    return "" if math.isnan(number) else f"; did you mean {number:.6g}"


def _slip(value):
    """The number that a percentage, or one with a comma for the point, stands for; NaN if none."""
    if not isinstance(value, str) or not (match := SLIP.fullmatch(value.strip())):
        return math.nan
    return float(f"{match[1]}.{match[2] or 0}") / (100 if match[3] else 1)


def fraction(value):
    """Returns `value` as a float from 0 to 1. Raises InputError."""
    number = _number(value)
    if not 0 <= number <= 1:
        likely = number / 100 if 10 <= number <= 100 else _slip(value)
        meaning = f"; did you mean {likely:.6g}" if likely <= 1 else ""
        raise InputError(f"must be from 0 to 1, received {shown(value)}{meaning}")
    return number


def below_one(value):
    """Returns `value` as a float of at least 0 and below 1. Raises InputError."""
    number = weight(value)
    if number >= 1:
        raise InputError(f"must be at least 0 and below 1, received {shown(value)}")
    return number


def any_number(value):
    """Returns `value` as a finite float. Raises InputError."""
    if not math.isfinite(number := _number(value)):
        raise InputError(f"must be a finite number, received {shown(value)}{_meant(value)}")
    return number


def above_one(value):
    """Returns `value` as a finite float above 1. Raises InputError."""
    if (number := positive(value)) <= 1:
        raise InputError(f"must be above 1, received {shown(value)}")
    return number


def positive(value):
    """Returns `value` as a finite float above 0. Raises InputError."""
    number = _number(value)
    if not 0 < number < math.inf:
        meaning = "" if number == 0 else _meant(value)
        raise InputError(f"must be a finite number above 0, received {shown(value)}{meaning}")
    return number


def factor(value):
    """Returns `value` as a float above 0, up to `LARGEST_FACTOR`. Raises InputError."""
    number = positive(value)
    if number > LARGEST_FACTOR:
        raise InputError(f"must be at most {LARGEST_FACTOR}, received {shown(value)}")
    return number


def fit_area_or_scales(value):
    """Returns "fit", "area", or `value`, a number or several, as a list of floats above 0."""
    values = _as_list(value)
    if len(values) == 1 and is_word(values[0], "fit", "area"):
        return values[0]
    return [_or_word("fit or area", factor, scale) for scale in values]


def shares(value):
    """Returns None for "none", else `value`, numbers of at least 0, as floats that add up to 1."""
    values = _as_list(value)
    if len(values) == 1 and is_word(values[0], "none"):
        return None
    numbers = [weight(number) for number in values]
    if not math.isfinite(sum(numbers)):
        raise InputError(f"must add up to a finite number, received {list(numbers)}")
    if not sum(numbers):
        raise InputError(f"must not add up to 0, received {numbers}")
    return [number / sum(numbers) for number in numbers]


def rows_or_own(value):
    """Returns "own", a number of columns as "800x", or `value` as an int or (rows, cols).

    Only Python's callers can give (rows, cols). Each is at least `SMALLEST_SIDE`, and at most
    `LARGEST_SIDE`. Raises InputError.
    """
    if isinstance(value, (list, tuple)):
        if len(value) != 2:
            raise InputError(f"must be a number of rows, or rows and columns, received {value!r}")
        rows, cols = (whole_number(side, SMALLEST_SIDE, LARGEST_SIDE) for side in value)
        return rows, cols
    if isinstance(value, str) and (match := SIZE.fullmatch(value.strip().lower())):
        first, second, unit = match.groups()
        if unit or second:
            sides = (
                "takes one side, the other follows from the photo: {1} for rows, {0}x for columns"
            )
            remedy = SIZE_REMEDIES.get(unit, sides).format(first, second)
            raise InputError(f"{remedy}; received {shown(value)}")
        return f"{whole_number(first, SMALLEST_SIDE, LARGEST_SIDE)}x"
    if is_word(value, "own"):
        return value
    rows = functools.partial(whole_number, minimum=SMALLEST_SIDE, maximum=LARGEST_SIDE)
    return _or_word("own, or a number of columns such as 800x", rows, value)


def picture_or_word(value):
    """Returns `value`, a picture or a word for one; whether it can be read shows when it is.

    Raises InputError: it is an empty name.
    """
    if is_word(value, ""):
        raise InputError("must not be an empty name")
    return value


def mask_or_none(value):
    """Returns None for "none", else `value`, as `picture_or_word` does."""
    return None if is_word(value, "none") else picture_or_word(value)


def masks_or_none(value):
    """Returns None for "none", else `value`, a picture or several, as a list."""
    value = list(value) if isinstance(value, (list, tuple)) else [value]
    none = len(value) == 1 and mask_or_none(value[0]) is None
    return None if none else [*map(picture_or_word, value)]


def scale_count(value):
    """Returns "auto" or `value` as an int from 1 to `MOST_SCALES`. Raises InputError."""
    count = functools.partial(whole_number, maximum=MOST_SCALES)
    return value if is_word(value, "auto") else _or_word("auto", count, value)


def gibibytes(value):
    """Returns "auto" or `value` as a float above 0. Raises InputError."""
    return value if is_word(value, "auto") else _or_word("auto", positive, value)


def tile_size(value):
    """Returns "auto", "off" or `value` as an int, at least `SMALLEST_SIDE`. Raises InputError."""
    return value if is_word(value, "auto", "off") else _or_word("auto or off", side, value)


def folder_or_auto(value):
    """Returns "auto" or `value`, the path of a folder to write in. Raises InputError."""
    is_path = isinstance(value, str | os.PathLike)
    if is_path and (value == "auto" or (Path(value).is_dir() and os.access(value, os.W_OK))):
        return value
    raise InputError(
        f"must be a writable folder, or auto, received {shown(str(value) if is_path else value)}"
    )


def _as_list(value):
    """Returns several values as a list, a single one as a list of it."""
    several = isinstance(value, Iterable) and not isinstance(value, str)
    return list(value) if several else [value]


def is_word(value, *words):
    """Whether a value is one of these words; arrays, too, may be asked."""
    return isinstance(value, str) and value in words


def yes_or_no(value):
    """Returns `value`, True or False. Raises InputError."""
    if not isinstance(value, bool):
        raise InputError(f"must be True or False, received {shown(value)}")
    return value


def rows_or_last(value):
    """Returns "last" or `value` as an int above 0. Raises InputError."""
    return value if is_word(value, "last") else _or_word("last", whole_number, value)


def two(check):
    """Returns a check that lets pairs of what `check` lets pass."""

    def check_both(value):
        values = _as_list(value)
        if len(values) != 2:
            raise InputError(f"must be two values, received {shown(value)}")
        first, second = map(check, values)
        return first, second

    return check_both


def resize_filter(value):
    """Returns `value`, a filter of Pillow's, as such. Raises InputError."""
    if not isinstance(value, int) or value not in [*Image.Resampling]:
        names = ", ".join(each.name for each in Image.Resampling)
        raise InputError(f"must be a PIL.Image.Resampling: {names}; received {shown(value)}")
    return Image.Resampling(value)


def rounding(value):
    """Returns `value`, a function that rounds a number, or the function of that name.

    Records hold names, as they cannot hold functions. Raises InputError.
    """
    named = ROUNDINGS.get(value) if isinstance(value, str) else value
    if not callable(named):
        raise InputError(f"must be a function, such as int or round, received {shown(value)}")
    return named


def one_of(*names):
    """Returns a check that lets only `names` pass."""

    def check(value):
        if not isinstance(value, str | int) or value not in names:  # an array is equal to nothing
            # Another letter may be a slip, another number is none: float64 does not mean float16.
            alike = [name for name in map(str, names) if _digits(name) in ("", _digits(str(value)))]
            close = difflib.get_close_matches(str(value).lower(), alike, n=1)
            slip = f"; did you mean {close[0]}" if close else ""
            raise InputError(
                f"must be one of {', '.join(map(str, names))}, received {shown(value)}{slip}"
            )
        return value

    check.names = names  # for whoever completes what is typed
    return check


def _digits(text):
    """The digits in a text, one after another."""
    return re.sub(r"\D", "", text)


def layer_weights(value):
    """Returns layers with their shares, which add up to 1.

    Args:
        value: {"block4_conv2": 0.6, ...}, or ["block4_conv2:0.6", "block5_conv2", ...], where a
            layer without a number counts 1, or the same as one text with spaces between; numbers
            are relative.

    Raises:
        InputError: an unknown layer, or shares that add up to 0.
    """
    if not isinstance(value, dict):
        value = value if isinstance(value, (list, tuple)) else str(value).split()
        pairs = [str(item).partition(":") for item in value]
        value = {name: share or 1 for name, _, share in pairs}
    unknown = [name for name in value if name not in CONVOLUTIONS]
    if unknown or not value:
        ours = [PAPERS_LAYER.sub(r"block\1_conv\2", str(name)) for name in unknown]
        found = " ".join(name for name in ours if name in CONVOLUTIONS)
        remedy = f"; did you mean {found}" if found else ""
        received = unknown or "nothing"
        raise InputError(f"must be among {', '.join(CONVOLUTIONS)}, received {received}{remedy}")
    for name, share in value.items():
        try:
            weight(share)
        except InputError as error:
            raise InputError(f"has a bad share for {name}: it {error}") from None
    return dict(zip(value, shares(value.values()), strict=True))
