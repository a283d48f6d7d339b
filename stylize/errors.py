"""The errors that a caller may want to catch. Their messages are one line and name the remedy."""

import errno


class InputError(ValueError):
    """Something the caller gave cannot be used."""


class NoRoom(InputError):
    """The disk has no room for what a run needs; another machine's may have."""

    errno = errno.ENOSPC


class WeightsError(RuntimeError):
    """The network's weights cannot be had, or a file does not hold them."""


class NonFiniteLoss(FloatingPointError):
    """A term of the loss became NaN or infinite."""


def one_line(error: object) -> str:
    """What an error from elsewhere says, in a line of at most 200 printable characters."""
    text = "".join(c if c.isprintable() else " " for c in str(error))
    return " ".join(text.split())[:200] or type(error).__name__
