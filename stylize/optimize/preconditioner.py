"""Preconditioners: coordinates in which an optimiser takes longer steps where they are needed.

A loss on deep features curves least along smooth changes of a picture; in a film, least at pixels
that nothing holds to the frame before. L-BFGS begins by treating all frequencies and all pixels
alike, and needs many steps to learn the difference.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from stylize.backend.arrays import ArrayNamespace

LOWEST = 1 / 32  # cycles per pixel, below which frequencies are treated nearly alike


class Preconditioner:
    """The coordinates z, (1, rows, cols, 3) as the picture is, of a picture x = start + K z.

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


class Scaling:
    """The coordinates z of a picture x = start + gains z: a diagonal preconditioner.

    L-BFGS in z amounts to L-BFGS in x with the squares of the gains as the diagonal of the initial
    inverse Hessian.

    Args:
        start: the picture at z = 0, an array (1, rows, cols, 3) of `arrays`.
        gains: (rows, cols), above 0.
        arrays: what to compute with.
    """

    def __init__(self, start: Any, gains: np.ndarray, arrays: ArrayNamespace):
        self._start, self._arrays = arrays.asarray(start), arrays
        self._gains = arrays.constant(gains[np.newaxis, :, :, np.newaxis])

    def picture(self, z: Any) -> Any:
        """The picture at z."""
        return self._each(lambda z, start, gains: start + gains * z, z, self._start)

    def gradient(self, gradient: Any) -> Any:
        """The gradient with respect to z, from that with respect to the picture."""
        return self._each(lambda gradient, gains: gains * gradient, gradient)

    def bounds(self, bounds: Sequence[Any]) -> list[Any]:
        """The bounds of z, (1, rows, cols, 3), from the picture's, (cols, 3)."""
        limits = map(self._arrays.constant, bounds)
        return [
            self._each(lambda start, gains, limit=limit: (limit - start) / gains, self._start)
            for limit in limits
        ]

    def _each(self, function, *arrays):
        given = [*arrays, self._gains]
        (result,), _ = self._arrays.blockwise(lambda blocks: ([function(*blocks)], ()), given)
        return result


def _gains(rows, cols, exponent):
    """(rows, cols): the gain of each frequency, in FFT order."""
    down, across = (np.fft.fftfreq(side).astype(np.float32) ** 2 for side in (rows, cols))
    gains = np.add.outer(down + np.float32(LOWEST**2), across)  # in place from here on, for memory
    np.power(gains, np.float32(-exponent / 4), out=gains)
    gains /= np.sqrt(np.mean(np.square(gains), dtype=np.float64)).astype(np.float32)
    return gains
