"""The term of the loss that keeps neighbouring pixels close."""

from collections.abc import Callable
from typing import Any

from stylize.losses.formulas import Formula
from stylize.losses.term import Canvas, Term


class TotalVariation(Term):
    """How rough the combination is.

    Args:
        roughness: the script's `total_variation_loss`.
        canvas: the picture that is painted.
        weight: of the term.
        formula: has the constant that the weight is multiplied with, and may have another measure.
    """

    name, column = "total_variation", "tv"

    def __init__(
        self, roughness: Callable[[Any], Any], canvas: Canvas, weight: float, formula: Formula
    ):
        self._shape = canvas.rows, canvas.cols
        self.shared = weight * formula.total_variation(canvas.rows * canvas.cols)
        self._roughness, self._of_tile = roughness, formula.roughness
        self.targets = [None] * len(canvas.tiles)

    def value(self, combination, features, tile, targets, shared):
        pairs = tile.pairs(combination)
        if self._of_tile:
            return shared * self._of_tile(pairs, tile, self._shape)
        return shared * self._roughness(pairs)
