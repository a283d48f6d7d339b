"""The term of the loss that keeps what the photo shows."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from stylize.backend.tensors import keras
from stylize.images.masks import layer_mask
from stylize.losses.formulas import Formula
from stylize.losses.term import Canvas, Term
from stylize.losses.tiles import features_by_tile


class Content(Term):
    """The distance of the combination's features from the photo's.

    Args:
        distance: the script's `content_loss`.
        canvas: the picture that is painted.
        weights: layer name -> weight.
        formula: has the constants that weights are multiplied with.
        base: what it is compared with, (rows, cols, 3), as `preprocess_image` makes it.
        mask: (rows, cols), 0..1: where the content counts; None: everywhere.
        relative: whether distances are measured by the mean square of the photo's own features.
    """

    name = column = "content"

    def __init__(
        self,
        distance: Callable[[Any, Any], Any],
        canvas: Canvas,
        weights: Mapping[str, float],
        formula: Formula,
        base: np.ndarray,
        mask: np.ndarray | None = None,
        relative: bool = False,
    ):
        self._distance, self._layers = distance, tuple(weights)
        squares = dict.fromkeys(weights, 0.0)  # of the photo's features
        self.targets = canvas.keep(self._find_targets(canvas, base, weights, mask, squares))
        self.shared = {
            layer: weight * formula.content(*canvas.positions_and_channels(layer))
            for layer, weight in weights.items()
        }
        if relative:
            for layer in weights:
                self.shared[layer] /= squares[layer] / math.prod(canvas.shapes[layer]) or 1.0

    @staticmethod
    def _find_targets(canvas, base, layers, mask, squares):
        """Yields each tile's targets: layer name -> (features, root of the mask or None).

        Features are multiplied by the root, (1, rows, cols, 1), so that their squared distances are
        by the mask. The Keras example runs base and style in every evaluation, concatenated with
        the combination. They never change, so here every evaluation runs the combination alone:
        the same numbers for a third of the work.
        """
        shapes = canvas.shapes
        masks = {layer: layer_mask(mask, shapes[layer]) for layer in layers}
        for tile, features in features_by_tile(canvas.network, layers, base, canvas.tiles):
            targets = {}
            for layer, values in features.items():
                own = tile.local.own(values, layer)
                squares[layer] += float(keras.ops.sum(keras.ops.square(own)))
                root = root_of(tile.positions(masks[layer], layer, shapes[layer]), own.shape)
                targets[layer] = own if root is None else own * root, root
            yield targets

    def value(self, combination, features, tile, targets, shared):
        total = 0.0
        for layer in self._layers:
            base, root = targets[layer]
            own = tile.own(features[layer], layer)
            total = total + shared[layer] * self._distance(
                base, own if root is None else own * root
            )
        return total


def root_of(mask: np.ndarray | None, shape: Sequence[int]) -> np.ndarray | None:
    """Returns the square root of a mask (positions, 1), (1, rows, cols, 1); None for None."""
    return None if mask is None else np.sqrt(mask).reshape(1, *shape[1:3], 1)
