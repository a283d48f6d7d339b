"""The term of the loss that keeps alike what is alike in the photo.

The parts of a sky resemble one another, and nothing else in the photo. Gram matrices and neighbours
do not mind a wave across it; this term does, since a wave makes those parts differ.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from stylize.backend.memoize import remembered
from stylize.backend.tensors import keras
from stylize.images.masks import layer_mask
from stylize.losses.hypercolumns import GRID_LAYER
from stylize.losses.search import unit
from stylize.losses.term import Canvas, TermOfSums
from stylize.losses.tiles import Tile, features_by_tile, whole_picture

LAYERS = "block2_conv1", "block3_conv1", "block4_conv1"
CELLS = 400  # of the picture, at most: what is smaller than one is left to the painting
SMALL = 0.03  # differences of E below this hardly count, so the loss has no corner at the start
LEAST = 1e-3  # a cell's mean distance from all counts as at least this, as where all are alike

PAINTINGS_KEPT = 64  # their variety, for the next size, photo or frame
PARTS = 12  # of a painting, each large enough for a form
MEASURED = 76_800  # pixels that a painting has when its parts are compared
VARIED = 0.14  # the mean distance of parts at which the weight is as given
MOST = 2.0  # times the weight, for the most varied of paintings


class SelfSimilarity(TermOfSums):
    """How far distances between the combination's cells are from those between the photo's.

    The picture is cut into `CELLS` cells at most, none smaller than a position of `GRID_LAYER`. A
    cell's features are its means of all `LAYERS`. E_ij is the cosine distance of cells i and j,
    divided by the mean distance of cell j from all. The term is the mean over all pairs of
    |E_ij(C) - E_ij(B)|, smoothed below `SMALL`, times its weight. It fixes which cells look alike,
    not what any of them looks like: that is left to the painting.

    Args:
        canvas: the picture that is painted.
        base: what it is compared with, (rows, cols, 3), as `preprocess_image` makes it.
        weight: of the term.
        mask: (rows, cols), 0..1: how much counts where. A cell counts by its mean, a pair of cells
            by the product of both, and the term by the mean of all. None: all count alike.

    Source: Kolkin, Salavon and Shakhnarovich, "Style Transfer by Relaxed Optimal Transport and
    Self-Similarity" (2019, arXiv:1904.12785), the content loss, which compares single positions.
    """

    name = column = "similarity"

    def __init__(
        self, canvas: Canvas, base: np.ndarray, weight: float, mask: np.ndarray | None = None
    ):
        _, rows, cols, _ = canvas.shapes[GRID_LAYER]
        self._cells = cells_of(rows, cols)
        self._channels = sum(canvas.shapes[layer][-1] for layer in LAYERS)
        shares = _shares_by_layer(canvas.shapes, self._cells)
        self.targets = canvas.keep(
            {layer: _own_shares(tile, layer, *shares[layer]) for layer in LAYERS}
            for tile in canvas.tiles
        )
        counts = np.ones(math.prod(self._cells), np.float32)
        if mask is not None:
            counts = np.array(layer_mask(mask, (1, *self._cells)), np.float32).ravel()
        area = float(counts.mean())
        counts /= max(area, 1e-6)
        distances = _distances(self._features_of(canvas, base), counts)
        self.shared = weight * area, keras.ops.convert_to_numpy(distances), counts

    def _features_of(self, canvas, picture):
        """The features of a picture's cells, (cells, channels)."""
        total: Any = 0.0
        parts = features_by_tile(canvas.network, LAYERS, picture, canvas.tiles)
        for (tile, features), targets in zip(parts, self.targets, strict=True):
            sums = self.sums(features, tile.local, targets)
            total = total + keras.ops.convert_to_numpy(sums).astype(np.float64)
        return self._by_cell(total.astype(np.float32))

    def value(self, combination, features, tile, targets, shared):
        return self.value_of_sums(self.sums(features, tile, targets), shared)

    def sums(self, features: Mapping[str, Any], tile: Tile, targets: Any) -> Any:
        """Returns what the tile's positions add to the features of all cells, a vector."""
        own = {layer: tile.own(features[layer], layer) for layer in LAYERS}
        return keras.ops.ravel(_features_by_cell(own, targets))

    def value_of_sums(self, sums: Any, shared: Any) -> Any:
        weight, distances, counts = shared
        apart = _distances(self._by_cell(sums), counts) - distances
        apart = keras.ops.sqrt(keras.ops.square(apart) + SMALL**2) - SMALL
        return weight * keras.ops.mean(counts * keras.ops.expand_dims(counts, 1) * apart)

    def slope_value(self, features, tile, targets, slopes):
        return keras.ops.sum(self.sums(features, tile, targets) * keras.ops.stop_gradient(slopes))

    def _by_cell(self, sums):
        """The features of all cells, (cells, channels), from `sums` as one vector."""
        return keras.ops.reshape(sums, (math.prod(self._cells), self._channels))


def cells_of(rows: int, cols: int, number: int = CELLS) -> tuple[int, int]:
    """Returns the (rows, columns) of cells, at most so many, of a grid of positions."""
    if rows > cols:
        return cells_of(cols, rows, number)[::-1]
    fewer = min(1.0, math.sqrt(number / (rows * cols)))
    down = max(1, round(rows * fewer))
    return down, max(1, min(round(cols * fewer), number // down))


@remembered(PAINTINGS_KEPT)
def variety(network: Any, picture: np.ndarray) -> float:
    """Returns what a painting multiplies the term's weight by, 0..`MOST`.

    Only in a varied painting is there something that would be out of place in a sky. It is the
    square of how far apart `PARTS` parts of the painting are on average (from themselves, too),
    1 at `VARIED`: 0.02 for img/stained_glass.jpg and 0.5 for swirling_night.jpg, which look the
    same all over, 1.3 for engraving.jpg, 2 for woodcut.jpg.

    Args:
        network: gives features of `LAYERS`.
        picture: the painting, (rows, cols, 3), as `preprocess_image` makes it, of about `MEASURED`
            pixels.
    """
    whole = [whole_picture(*picture.shape[:2])]
    ((_, features),) = features_by_tile(network, LAYERS, picture, whole)
    _, rows, cols, _ = features[GRID_LAYER].shape
    parts, shapes = cells_of(rows, cols, PARTS), {n: x.shape for n, x in features.items()}
    by_part = _features_by_cell(features, _shares_by_layer(shapes, parts))
    apart = float(keras.ops.mean(_cosine_distances(by_part)))
    return min(MOST, (apart / VARIED) ** 2)


def _shares_by_layer(shapes, cells):
    """Layer name -> `means` of its rows and of its columns; shapes: as `Canvas` has them."""
    return {
        layer: [means(size, own) for size, own in zip(shapes[layer][1:3], cells, strict=True)]
        for layer in LAYERS
    }


def _features_by_cell(features, shares):
    """The features of cells, (cells, channels), from those of layers, (1, rows, cols, channels)."""
    by_layer = []
    for layer in LAYERS:
        down, across = shares[layer]
        x = keras.ops.tensordot(down, features[layer][0], axes=(1, 0))  # (down, cols, channels)
        x = keras.ops.matmul(across, x)  # (down, across, channels)
        by_layer.append(keras.ops.reshape(x, (down.shape[0] * across.shape[0], x.shape[-1])))
    return keras.ops.concatenate(by_layer, axis=-1)


def _own_shares(tile, layer, down, across):
    """Of the shares of all positions in cells, by axis, those of a tile's own positions."""
    if tile.is_whole:
        return down, across
    own_rows, own_cols = tile.at(layer, (down.shape[1], across.shape[1]))
    return (
        down[:, own_rows.first : own_rows.last].copy(),  # or all of it would stay in memory
        across[:, own_cols.first : own_cols.last].copy(),
    )


def _distances(cells: Any, counts: Any) -> Any:
    """E of `cells` (cells, channels), weighted by `counts` (cells,), whose mean is 1."""
    distances = _cosine_distances(cells)
    mean = keras.ops.mean(keras.ops.expand_dims(counts, 1) * distances, axis=0)
    return distances / keras.ops.maximum(mean, LEAST)


def _cosine_distances(cells):
    """Those of every two cells, (cells, cells), of their features (cells, channels)."""
    directions = unit(cells)
    return 1.0 - keras.ops.matmul(directions, keras.ops.transpose(directions))


def means(size: int, cells: int) -> np.ndarray:
    """Returns the matrix (cells, size) that averages positions along an axis, float32.

    A position that straddles two cells counts in each by the part that lies there.
    """
    ends = np.linspace(0, size, cells + 1)[:, np.newaxis]
    position = np.arange(size)
    parts = np.minimum(ends[1:], position + 1) - np.maximum(ends[:-1], position)
    return (np.clip(parts, 0, 1) * cells / size).astype(np.float32)
