"""The errors that a caller may want to catch. Their messages are one line and name the remedy."""

import errno
import textwrap
from collections.abc import Iterable
from typing import Any

LONGEST_LIST = 500  # characters
FULL = (errno.ENOSPC, errno.EDQUOT)  # no space is left: on the disk, or of a user's share of it


def printable(text: str) -> str:
    """A text with escapes for ends of lines and for what a terminal would take for commands."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class InputError(ValueError):
    """Something the caller gave cannot be used. Names in the message may be a stranger's."""

    def __str__(self) -> str:
        return printable(super().__str__())

    @property
    def option(self) -> str:
        """The same message for somebody who types options."""
        return str(self)


class SettingError(InputError):
    """A setting's value cannot be used: it is named as an argument, or `option` as an option.

    Args:
        flag: the setting's, as `SETTINGS` has it. A program with options of its own has another.
        problem: what must be otherwise, in words that follow the flag.
        name: the argument's, where it is not called like the flag.
    """

    def __init__(self, flag: str, problem: str, name: str = ""):
        super().__init__(flag, problem, name)  # all, so that it can be sent between processes
        self.flag, self.problem, self.name = flag, problem, name or flag.removeprefix("--")

    def __str__(self) -> str:
        return printable(f"{self.name} {self.problem.replace('--', '')}")

    @property
    def option(self) -> str:
        return printable(f"{self.flag} {self.problem}")


def is_full(error: BaseException) -> bool:
    """Whether something failed for lack of space on a disk."""
    return getattr(error, "errno", None) in FULL


class NoRoom(InputError):
    """The disk has no room for what a run needs; another machine's may have."""

    errno = errno.ENOSPC


class NoMemory(InputError):
    """A run needs more memory than it may take, however it is cut into tiles."""

    def __str__(self) -> str:
        return super().__str__().replace("--", "")

    @property
    def option(self) -> str:
        return super().__str__()


class WeightsError(RuntimeError):
    """The network's weights cannot be had, or a file does not hold them."""


class NonFiniteLoss(FloatingPointError):
    """A term of the loss became NaN or infinite."""


def require(name: str, value: object, kind: Any, words: str) -> None:
    """Raises InputError, which names an argument, unless its value is of a kind.

    Args:
        name: the argument's.
        value: that was given.
        kind: a class, or several.
        words: what the argument must be.
    """
    if not isinstance(value, kind):
        raise InputError(f"{name} must be {words}, received {type(value).__name__}")


def one_line(error: object) -> str:
    """What an error from elsewhere says, in a line of at most 200 printable characters."""
    text = "".join(c if c.isprintable() else " " for c in str(error))
    return " ".join(text.split())[:200] or type(error).__name__


def listed(items: Iterable[str], between: str = ", ") -> str:
    """What files from elsewhere say of several things, in a line that has an end."""
    return textwrap.shorten(between.join(items), LONGEST_LIST, placeholder=" ...")
