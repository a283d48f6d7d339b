"""The term of the loss that keeps a film's frame close to the one before it."""

from collections.abc import Callable
from typing import Any

from stylize.losses.content import root_of
from stylize.losses.term import Canvas, Term


class Temporal(Term):
    """The mean square difference from the frame before, moved to where things are now.

    Args:
        distance: the script's `content_loss`.
        canvas: the picture that is painted.
        previous: the frame before, a `Previous`.
        weight: of the term.

    Source: Ruder et al. 2016 (arXiv:1604.08610), eq. 4.
    """

    name = column = "temporal"

    def __init__(
        self,
        distance: Callable[[Any, Any], Any],
        canvas: Canvas,
        previous: Any,
        weight: float,
    ):
        self._distance = distance
        self.shared = weight / (3 * (canvas.rows * canvas.cols))
        self.targets = canvas.keep(self._find_targets(canvas, previous))

    @staticmethod
    def _find_targets(canvas, previous):
        """Yields each tile's pixels times the root of how much each counts, and that root."""
        for tile in canvas.tiles:
            before, hold = previous.of(tile)  # (1, rows, cols, 3), (rows*cols, 1)
            root = root_of(hold, before.shape)
            yield before * root, root

    def value(self, combination, features, tile, targets, shared):
        rows, cols = tile.shape
        before, root = targets
        own = tile.pairs(combination)[:, :rows, :cols]
        return shared * self._distance(before, own * root)
