"""A preconditioner: coordinates in which an optimiser takes longer steps at low frequencies.

A loss on deep features curves least along smooth changes of a picture. L-BFGS begins by treating
all frequencies alike, and needs many steps to find that out.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from stylize.arrays import ArrayNamespace

LOWEST = 1 / 32  # cycles per pixel, below which frequencies are treated nearly alike


def exponent_of(settings: Mapping[str, Any]) -> float:
    """That of a run's `Preconditioner`; 0: it has none.

    Only our L-BFGS has one, and not where pixels are bounded: coordinates have no such bounds.
    """
    ours = settings["optimizer"] == "lbfgs" and not settings["bounded"]
    return settings["preconditioner"] if ours else 0.0


class Preconditioner:
    """The coordinates z of a picture x = start + K z.

    K multiplies each frequency f by a gain proportional to (f**2 + LOWEST**2) ** (-exponent / 4);
    the gains' root mean square is one. So L-BFGS in z amounts to L-BFGS in x with the initial
    inverse Hessian K K^T, about f ** -exponent.

    Args:
        start: the picture at z = 0, an array (1, rows, cols, 3) of `arrays`.
        exponent: 0: no preconditioning.
        arrays: what to compute with.
    """

    def __init__(self, start: Any, exponent: float, arrays: ArrayNamespace):
        self._start, self._arrays = arrays.asarray(start), arrays
        _, rows, cols, _ = start.shape
        self._gains = arrays.constant(_gains(rows, cols, exponent))

    def picture(self, z: Any) -> Any:
        """The picture at z."""
        given = [self._start, self._arrays.filtered(z, self._gains)]
        (picture,), _ = self._arrays.blockwise(lambda blocks: ([sum(blocks)], ()), given)
        return picture

    def gradient(self, gradient: Any) -> Any:
        """The gradient with respect to z, from that with respect to the picture: K is symmetric."""
        return self._arrays.filtered(gradient, self._gains)


def _gains(rows, cols, exponent):
    """(rows, cols): the gain of each frequency, in FFT order."""
    down, across = (np.fft.fftfreq(side).astype(np.float32) ** 2 for side in (rows, cols))
    gains = np.add.outer(down + np.float32(LOWEST**2), across)  # in place from here on, for memory
    np.power(gains, np.float32(-exponent / 4), out=gains)
    gains /= np.sqrt(np.mean(np.square(gains), dtype=np.float64)).astype(np.float32)
    return gains
