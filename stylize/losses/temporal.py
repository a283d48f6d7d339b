"""The term of the loss that keeps a film's frame close to the one before it."""

from typing import Any

from stylize.losses.content import masked_squares
from stylize.losses.term import Canvas, Term


class Temporal(Term):
    """The mean square difference from the frame before, moved to where things are now.

    Args:
        canvas: the picture that is painted.
        previous: the frame before, a `Previous`.
        weight: of the term.

    Source: Ruder et al. 2016 (arXiv:1604.08610), eq. 4.
    """

    name = column = "temporal"

    def __init__(self, canvas: Canvas, previous: Any, weight: float):
        self._scale = weight / (3 * (canvas.rows * canvas.cols))
        self.targets = canvas.keep(previous.of(tile) for tile in canvas.tiles)

    def value(self, combination, features, tile, targets):
        rows, cols = tile.shape
        before, hold = targets  # (1, rows, cols, 3), (rows*cols, 1)
        return self._scale * masked_squares(before, tile.pairs(combination)[:, :rows, :cols], hold)
