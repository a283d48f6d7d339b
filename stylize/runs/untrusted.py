"""What a file from a stranger may say in JSON: names, types and ranges, before it is used.

A *check* is a function of a value that raises InputError unless the value is what it must be. The
functions here that return one make it from others.
"""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from stylize.errors import InputError

Check = Callable[[Any], object]

DEEPEST = 10  # lists and dictionaries within each other
LONGEST = 2000  # characters of a text


def parse(text: str) -> Any:
    """Returns what JSON says, in numbers that fit into a float, not too deep, of short texts.

    Infinity and NaN are let through. Raises InputError.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):  # of numbers with thousands of digits, too
        raise InputError("is no JSON that can be read") from None
    _bound(value, DEEPEST)
    return value


def _bound(value, levels):
    """Raises InputError where a value of JSON is nested too deep, too long or too large."""
    if isinstance(value, dict | list):
        if not levels:
            raise InputError("is nested too deep")
        inner = [*value, *value.values()] if isinstance(value, dict) else value
        for item in inner:
            _bound(item, levels - 1)
    elif isinstance(value, str):
        text(value)
    elif isinstance(value, int) and abs(value) >= 2**1023:
        raise InputError("has a number that is too large")


def text(value: Any) -> None:
    """A check: a text of at most `LONGEST` characters, in bytes that a name may have."""
    if not isinstance(value, str) or len(value) > LONGEST:
        raise InputError(f"must be a text of at most {LONGEST} characters")
    try:
        value.encode(errors="surrogateescape")
    except UnicodeEncodeError:  # half a character, as JSON may have it: "\ud800"
        raise InputError("must be valid Unicode text") from None


def nothing(value: Any) -> None:
    """A check: null."""
    if value is not None:
        raise InputError("must be null")


def number(least: float = -math.inf, most: float = math.inf, whole: bool = False) -> Check:
    """A check: a number from `least` to `most`, perhaps a whole one."""
    kinds = int if whole else int | float

    def check(value):
        if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value <= most:
            kind = "whole number" if whole else "number"
            raise InputError(f"must be a {kind} from {least} to {most}")

    return check


def any_of(*checks: Check) -> Check:
    """A check: one of these is content."""

    def check(value):
        problems = []
        for each in checks:
            try:
                each(value)
                return
            except InputError as error:
                problems.append(str(error))
        raise InputError(" or ".join(problems))

    return check


def items(each: Check, most: int = 1000) -> Check:
    """A check: a list of at most so many values."""

    def check(value):
        if not isinstance(value, list) or len(value) > most:
            raise InputError(f"must be a list of at most {most}")
        for item in value:
            each(item)

    return check


def mapping(each: Check) -> Check:
    """A check: names with such values."""

    def check(value):
        _dictionary(value)
        for name, item in value.items():
            _named(name, each, item)

    return check


def fields(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """A check: the values that must be there and those that may be; others do not matter."""

    def check(value):
        _dictionary(value)
        if missing := required.keys() - value.keys():
            raise InputError(f"lacks {', '.join(sorted(missing))}")
        for name, each in {**required, **(optional or {})}.items():
            if name in value:
                _named(name, each, value[name])

    return check


def _dictionary(value):
    if not isinstance(value, dict):
        raise InputError("must be names with values")


def _named(name, each, value):
    """Has a value checked. Raises InputError that names it."""
    try:
        each(value)
    except InputError as error:
        raise InputError(f"{name} {error}") from None
