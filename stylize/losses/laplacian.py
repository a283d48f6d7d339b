"""The term of the loss that holds the photo's edges where they are."""

from collections.abc import Callable
from typing import Any

import numpy as np

from stylize.backend.tensors import keras
from stylize.losses.term import Canvas, Term
from stylize.vgg.layers import replicate_edges

POOLED = (4, 16)  # pixels that are averaged along each axis: fine edges, and coarse ones


class Laplacian(Term):
    """The distance of the combination's edges from the photo's.

    It is the sum, over squares of each of the sizes `POOLED`, of the mean of (D(C) - D(B))^2. D is
    the Laplacian of the brightness averaged over squares, so that coarse edges count and brush
    strokes smaller than a square are unaffected.

    Args:
        distance: the script's `content_loss`.
        canvas: the picture that is painted.
        base: what it is compared with, (rows, cols, 3), as `preprocess_image` makes it.
        weight: of the term.

    Source: Li, Xu, Nie and Chua, "Laplacian-Steered Neural Style Transfer" (2017,
    arXiv:1707.01253), eq. 4 and 5, where it is a sum.
    """

    name = column = "laplacian"

    def __init__(
        self,
        distance: Callable[[Any, Any], Any],
        canvas: Canvas,
        base: np.ndarray,
        weight: float,
    ):
        self._distance = distance
        self.shared = [weight / max(1, (canvas.rows // p) * (canvas.cols // p)) for p in POOLED]
        self.targets = canvas.keep(
            [
                keras.ops.convert_to_numpy(own)
                for own in _own_laplacians(base[tile.outer][np.newaxis], tile.local)
            ]
            for tile in canvas.tiles
        )

    def value(self, combination, features, tile, targets, shared):
        own = _own_laplacians(combination, tile)
        return sum(
            scale * self._distance(target, edges)
            for scale, target, edges in zip(shared, targets, own, strict=True)
        )


def _own_laplacians(picture, tile):
    """The Laplacian of a picture (1, rows, cols, 3) at each of `POOLED`, where the tile is."""
    brightness = keras.ops.sum(picture, axis=-1, keepdims=True)  # (1, rows, cols, 1)
    result = []
    for pooled in POOLED:
        squares = keras.ops.average_pool(
            brightness, pooled, pooled, padding="valid", data_format="channels_last"
        )
        rows, cols = (
            span.at(pooled, size)
            for span, size in zip((tile.rows, tile.cols), squares.shape[1:3], strict=True)
        )
        edges = laplacian(squares)
        result.append(edges[:, rows.first : rows.last, cols.first : cols.last])
    return result


def laplacian(x: Any) -> Any:
    """Returns the sum of the four neighbours less four times the middle, edges repeated outside.

    Args:
        x: (n, rows, cols, channels).
    """
    around = replicate_edges(x)
    up, down = around[:, :-2, 1:-1], around[:, 2:, 1:-1]
    left, right = around[:, 1:-1, :-2], around[:, 1:-1, 2:]
    return up + down + left + right - 4 * x
