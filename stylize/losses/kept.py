"""The part of a photo that is kept: no loss is spent there, and no pixel moves."""

import functools
from typing import Any

import numpy as np

from stylize.backend.tensors import to_tensors


class KeptPhoto:
    """The photo B where it is kept, the combination C elsewhere: (1 - P) B + P C.

    Args:
        photo: B, (rows, cols, 3), as `preprocess_image` makes it.
        painted: P, (rows, cols), 0..1: how much is painted.
    """

    def __init__(self, photo: np.ndarray, painted: np.ndarray):
        painted = painted[np.newaxis, ..., np.newaxis].astype(np.float32)
        self._arrays = (1 - painted) * photo, painted  # (1, rows, cols, 3), (1, rows, cols, 1)

    def laid_over(self, combination: Any) -> Any:
        """Returns the picture of a combination (1, rows, cols, 3), an array or a tensor."""
        kept, painted = self._factors(combination)
        return kept + painted * combination

    def slope(self, gradient: Any) -> Any:
        """Returns the gradient by the combination, from that by the picture."""
        _, painted = self._factors(gradient)
        return painted * gradient

    def _factors(self, x):
        """The photo where it is kept, and how much is painted, as x is: arrays, or tensors."""
        return self._arrays if isinstance(x, np.ndarray) else self._tensors

    @functools.cached_property
    def _tensors(self):
        return to_tensors(self._arrays)


class KeptLossAndGrads:
    """The losses of the picture with the kept photo, and the gradient by the combination.

    It is called as the objective that it is made of.

    Args:
        objective: a `LossAndGrads` or a `TiledLossAndGrads`.
        kept: the photo.
    """

    def __init__(self, objective: Any, kept: KeptPhoto):
        self.shape, self.names = objective.shape, objective.names
        self._objective, self._kept = objective, kept

    def __call__(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        terms, gradient = self._objective(self._kept.laid_over(x.reshape(self.shape)).ravel())
        return terms, self._kept.slope(gradient.reshape(self.shape)).ravel()

    def on_device(self, combination: Any) -> tuple[Any, Any]:
        """The same of and in tensors or arrays, (1, rows, cols, 3)."""
        terms, gradient = self._objective.on_device(self._kept.laid_over(combination))
        return terms, self._kept.slope(gradient)
