"""A preconditioner: coordinates of a picture in which an optimiser's steps are longer where smooth.

A loss of deep features bends least along what is smooth in a picture, and L-BFGS, which begins with
the same step for every pixel, needs many steps to find that out.
"""

from typing import Any

import numpy as np

from stylize.arrays import ArrayNamespace

LOWEST = 1 / 32  # cycles per pixel, below which all frequencies are treated alike


class Preconditioner:
    """The coordinates z of a picture x = start + K z.

    K multiplies each frequency f by (f^2 + LOWEST^2) ** (-exponent / 4), with a root mean square of
    one. So L-BFGS in z begins with an inverse Hessian of K K^T, about f ** -exponent, in x.

    Args:
        start: the picture at z = 0, an array (1, rows, cols, 3) of `arrays`.
        exponent: at 0, L-BFGS would begin as it does without.
        arrays: what is computed with.
    """

    def __init__(self, start: Any, exponent: float, arrays: ArrayNamespace):
        self._start, self._arrays = arrays.asarray(start), arrays
        self._gains = arrays.constant(_gains(*start.shape[1:3], exponent))

    def picture(self, z: Any) -> Any:
        """The picture at z."""
        given = [self._start, self._arrays.filtered(z, self._gains)]
        (picture,), _ = self._arrays.blockwise(lambda blocks: ([sum(blocks)], ()), given)
        return picture

    def gradient(self, gradient: Any) -> Any:
        """The gradient by z, from that by the picture: K is symmetric."""
        return self._arrays.filtered(gradient, self._gains)


def _gains(rows, cols, exponent):
    """(rows, cols): what each frequency is multiplied by, as an FFT orders them."""
    squares = np.add.outer(np.fft.fftfreq(rows) ** 2, np.fft.fftfreq(cols) ** 2)
    gains = (squares + LOWEST**2) ** (-exponent / 4)
    return gains / np.sqrt(np.mean(gains**2))
