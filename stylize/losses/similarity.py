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
from stylize.losses.search import unit
from stylize.losses.term import Canvas, TermOfSums
from stylize.losses.tiles import Tile, features_by_tile, whole_picture

LAYERS = "block2_conv1", "block3_conv1", "block4_conv1"
GRID_LAYER = "block3_conv1"  # in a small picture, each of its positions is a cell
CELLS = 400  # of the picture, about: what is smaller than one is left to the painting
SMALL = 0.03  # differences of E below this hardly count, so the loss has no corner at the start
LEAST = 1e-3  # a cell's mean distance from all counts as at least this, as where all are alike

PAINTINGS_KEPT = 64  # their variety, for the next size, photo or frame
PARTS = 12  # of a painting, each large enough for a form
MEASURED = 76_800  # pixels that a painting has when its parts are compared
VARIED = 0.14  # the mean distance of parts at which the weight is as given
MOST = 2.0  # times the weight, for the most varied of paintings


class SelfSimilarity(TermOfSums):
    """How far distances between the combination's cells are from those between the photo's.

    The picture is cut into about `CELLS` cells, or fewer if it is small. A cell's features are its
    means of all `LAYERS`. E_ij is the cosine distance of cells i and j, divided by the mean
    distance of cell j from all. The term is the mean over all pairs of |E_ij(C) - E_ij(B)|,
    smoothed below `SMALL`, times its weight. It fixes which cells look alike, not what any of them
    looks like: that is left to the painting.

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
        shapes = {layer: canvas.shapes[layer][1:3] for layer in LAYERS}
        self._cells = cells_of(*shapes[GRID_LAYER])
        self._channels = sum(canvas.shapes[layer][-1] for layer in LAYERS)
        shares = {
            layer: [means(size, cells) for size, cells in zip(shape, self._cells, strict=True)]
            for layer, shape in shapes.items()
        }
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
        sums = []
        for layer in LAYERS:
            down, across = targets[layer]
            own = tile.own(features[layer], layer)[0]  # (rows, cols, channels)
            own = keras.ops.tensordot(down, own, axes=(1, 0))  # (cells down, cols, channels)
            own = keras.ops.matmul(across, own)  # (cells down, cells across, channels)
            sums.append(keras.ops.reshape(own, (math.prod(self._cells), own.shape[-1])))
        return keras.ops.ravel(keras.ops.concatenate(sums, axis=-1))

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
    down, across = cells_of(rows, cols, PARTS)
    parts = []
    for layer in LAYERS:
        own = features[layer][0]
        own = np.tensordot(means(own.shape[0], down), own, axes=1)
        own = means(own.shape[1], across) @ own
        parts.append(own.reshape(down * across, -1))
    directions = keras.ops.convert_to_numpy(unit(np.concatenate(parts, axis=-1)))
    apart = 1 - float((directions @ directions.T).mean())
    return min(MOST, (apart / VARIED) ** 2)


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
    directions = unit(cells)
    distances = 1.0 - keras.ops.matmul(directions, keras.ops.transpose(directions))
    mean = keras.ops.mean(keras.ops.expand_dims(counts, 1) * distances, axis=0)
    return distances / keras.ops.maximum(mean, LEAST)


def means(size: int, cells: int) -> np.ndarray:
    """Returns the matrix (cells, size) that averages positions along an axis, float32.

    A position that straddles two cells counts in each by the part that lies there.
    """
    ends = np.linspace(0, size, cells + 1)[:, np.newaxis]
    position = np.arange(size)
    parts = np.minimum(ends[1:], position + 1) - np.maximum(ends[:-1], position)
    return (np.clip(parts, 0, 1) * cells / size).astype(np.float32)
