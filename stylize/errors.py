"""The errors that a caller may want to catch. Their messages are one line and name the remedy."""


class InputError(ValueError):
    """Something the caller gave cannot be used."""


class WeightsError(RuntimeError):
    """The network's weights cannot be had, or a file does not hold them."""


class NonFiniteLoss(FloatingPointError):
    """A term of the loss became NaN or infinite."""
