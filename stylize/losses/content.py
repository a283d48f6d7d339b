"""The term of the loss that keeps what the photo shows."""

import math
from collections.abc import Callable, Mapping
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
        self._distance = distance
        self.targets = canvas.keep(self._find_targets(canvas, base, weights, mask))
        self._scales = {
            layer: weight * formula.content(*canvas.positions_and_channels(layer))
            for layer, weight in weights.items()
        }
        if relative:
            for layer in weights:
                own = (targets[layer][0] for targets in self.targets)
                squares = sum(float(keras.ops.sum(keras.ops.square(features))) for features in own)
                self._scales[layer] /= squares / math.prod(canvas.shapes[layer]) or 1.0

    @staticmethod
    def _find_targets(canvas, base, layers, mask):
        """Yields each tile's targets: layer name -> (features, mask (positions, 1) or None).

        The Keras example runs base and style in every evaluation, concatenated with the
        combination. They never change, so here every evaluation runs the combination alone: the
        same numbers for a third of the work.
        """
        shapes = canvas.shapes
        masks = {layer: layer_mask(mask, shapes[layer]) for layer in layers}
        for tile, features in features_by_tile(canvas.network, layers, base, canvas.tiles):
            yield {
                layer: (
                    tile.local.own(own, layer),
                    tile.positions(masks[layer], layer, shapes[layer]),
                )
                for layer, own in features.items()
            }

    def value(self, combination, features, tile, targets):
        total = 0.0
        for layer, scale in self._scales.items():
            base, mask = targets[layer]
            own = tile.own(features[layer], layer)
            if mask is None:
                total = total + scale * self._distance(base, own)
            else:
                total = total + scale * masked_squares(base, own, mask)
        return total


def masked_squares(target: Any, own: Any, mask: Any) -> Any:
    """Returns sum mask * (own - target)^2, a scalar.

    Args:
        target, own: (1, rows, cols, channels).
        mask: weights of the positions, (rows*cols, 1).
    """
    squares = keras.ops.square(keras.ops.subtract(own, target))
    return keras.ops.sum(mask * keras.ops.reshape(squares, (-1, squares.shape[-1])))
