"""Neural neighbours: every place of the combination is compared with the place of a style whose
features are most like its own.

A Gram matrix says how often channels respond together, wherever they do. Matching place by place
makes brush strokes follow the forms of the photo. After Kolkin, Kucera, Paris, Sýkora, Shechtman
and Shakhnarovich, "Neural Neighbor Style Transfer" (2022, arXiv:2203.13215). Two things differ
here: how much of a query comes from the photo depends on the place (`detail_map`), and Gram
matrices, content and total variation may be terms of the same objective.
"""

from collections.abc import Callable, Sequence
from typing import Any

from stylize.losses.hypercolumns import GRID_LAYER, hypercolumns, resizing
from stylize.losses.term import Canvas, Term


class Neighbors(Term):
    """How unlike the combination's positions are to their nearest neighbours in the styles.

    Args:
        distance: the script's `neighbor_loss`.
        canvas: the picture that is painted.
        targets: (positions, channels) of each layer, from `find_neighbors`.
        weight: of the term.
    """

    name = column = "neighbors"

    def __init__(
        self,
        distance: Callable[[Sequence[Any], Sequence[Any]], Any],
        canvas: Canvas,
        targets: Sequence[Any],
        weight: float,
    ):
        shapes, grid = canvas.shapes, canvas.shapes[GRID_LAYER]
        positions, _ = canvas.positions_and_channels(GRID_LAYER)
        self._distance, self.shared = distance, weight / positions
        self.targets = canvas.keep(
            ([tile.positions(own, GRID_LAYER, grid) for own in targets], resizing(shapes, tile))
            for tile in canvas.tiles
        )

    def value(self, combination, features, tile, targets, shared):
        nearest, weights = targets
        return shared * self._distance(hypercolumns(features, tile, weights), nearest)
