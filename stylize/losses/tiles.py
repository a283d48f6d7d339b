"""Tiles: the parts in which a picture too large for the network at once goes through it.

A tile has a margin around it as wide as the features inside can see. Tiles begin at multiples of
the network's coarsest step, so that pooling sees the same pixels as in the whole picture. At the
picture's own border a tile ends, and is padded, where the picture does.
"""

import functools
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from stylize.backend.memoize import SHAPES_KEPT, kept
from stylize.backend.tensors import compiled, keras, to_numpy

FEATURES_KEPT = 3 * SHAPES_KEPT  # of each shape, for content and for similarity; and of paintings


class Span(NamedTuple):
    """A tile along one axis: the positions from `first` to before `last` are its own; with its
    margin it goes from `start` to before `stop`."""

    first: int
    last: int
    start: int
    stop: int

    def at(self, stride: int, size: int) -> "Span":
        """The same on a layer with a position every `stride` pixels, `size` of them."""
        return Span(*(min(size, -(-pixel // stride)) for pixel in self))

    @property
    def local(self) -> "Span":
        """The same counted from `start`."""
        return Span(*(pixel - self.start for pixel in self))


class Tile(NamedTuple):
    """A part of a picture.

    Attributes:
        rows, cols: where it is.
        strides: layer name -> pixels from one position to the next.
    """

    rows: Span
    cols: Span
    strides: Mapping[str, int]

    @property
    def local(self) -> "Tile":
        """The same tile in a picture that is nothing but the tile and its margin."""
        return Tile(self.rows.local, self.cols.local, self.strides)

    @property
    def shape(self) -> tuple[int, int]:
        """Its rows and columns, without margins."""
        return self.rows.last - self.rows.first, self.cols.last - self.cols.first

    @property
    def is_whole(self) -> bool:
        """Whether there is no margin: it is all of its picture."""
        return all(span[:2] == span[2:] for span in (self.rows, self.cols))

    @property
    def outer(self) -> tuple[slice, slice]:
        """The rows and columns of the picture that the tile and its margin have."""
        return slice(*self.rows[2:]), slice(*self.cols[2:])

    def own(self, features: Any, layer: str) -> Any:
        """A layer's features (1, rows, cols, channels) of this tile's picture, without margins."""
        if self.is_whole:
            return features  # not even sliced: that might change the last digit
        rows, cols = self.at(layer, features.shape[1:3])
        return features[:, rows.first : rows.last, cols.first : cols.last]

    def positions(self, values: Any, layer: str, shape: Sequence[int]) -> Any:
        """This tile's own of what its picture has for each position of a layer.

        Args:
            values: (positions, channels), or None.
            layer: its name.
            shape: of its features of the picture, (1, rows, cols, ...).

        Returns:
            (own positions, channels), a NumPy array, or None.
        """
        if values is None or self.is_whole:
            return values
        grid = keras.ops.convert_to_numpy(values).reshape(*shape[1:3], values.shape[-1])
        rows, cols = self.at(layer, shape[1:3])
        own = grid[rows.first : rows.last, cols.first : cols.last]
        return own.reshape(-1, values.shape[-1])

    def pairs(self, picture: Any) -> Any:
        """This tile's own of a picture (1, rows, cols, 3), and one row and column more of it.

        They hold every pair of pixels, one below or right of the other, whose first is in the tile.
        """
        if self.is_whole:
            return picture
        return picture[
            :, self.rows.first : self.rows.last + 1, self.cols.first : self.cols.last + 1
        ]

    def at(self, layer: str, size: Sequence[int]) -> tuple[Span, Span]:
        """Its rows and columns on a layer of `size` rows and columns."""
        stride = self.strides[layer]
        return self.rows.at(stride, size[0]), self.cols.at(stride, size[1])


def whole_picture(rows: int, cols: int) -> Tile:
    """The one tile of a picture that is not cut."""
    return Tile(Span(0, rows, 0, rows), Span(0, cols, 0, cols), {})


def strides_and_reach(
    network: Any, layers: Iterable[str] | None = None
) -> tuple[dict[str, int], dict[str, int]]:
    """How far apart a layer's positions are, and how far around its pixels each one sees.

    Args:
        network: a Keras model with a dictionary of outputs, convolutions and poolings in a row.
        layers: of its outputs, those in use; None: all.

    Returns:
        (strides, reach), layer name -> pixels. A position of a layer with stride s has the s x s
        pixels at s times its place; what is more than the reach away from them does not change it.
    """
    strides, reaches = {}, {}
    for name in network.output if layers is None else layers:
        stride, reach = 1, 0
        for layer in keras.Model(network.input, network.output[name]).layers:
            if isinstance(layer, keras.layers.Conv2D):
                reach += stride * (layer.kernel_size[0] // 2)
            elif hasattr(layer, "pool_size"):
                stride *= layer.pool_size[0]
        strides[name], reaches[name] = stride, reach
    return strides, reaches


def make_tiles(
    network: Any,
    rows: int,
    cols: int,
    size: int,
    beyond: Mapping[str, int] | None = None,
    around: int = 1,
    layers: Iterable[str] | None = None,
) -> list[Tile]:
    """Cuts a picture into tiles of nearly equal shape.

    Args:
        network: as for `strides_and_reach`.
        rows, cols: of the picture.
        size: rows and columns of a tile without its margin, at most; at least the network's
            coarsest step.
        beyond: layer name -> how many of its positions outside the tile are needed too.
        around: pixels that a term itself sees around the tile, which begins at a multiple of them.
        layers: whose margins the tiles have, as for `strides_and_reach`.
    """
    strides, reaches = strides_and_reach(network, layers)
    seen = [reaches[n] + strides[n] * (beyond or {}).get(n, 0) for n in strides]
    grid, margin = grid_and_margin(strides.values(), seen, around)
    return [
        Tile(own_rows, own_cols, strides)
        for own_rows in _spans(rows, size, grid, margin)
        for own_cols in _spans(cols, size, grid, margin)
    ]


def grid_and_margin(
    strides: Iterable[int], reaches: Iterable[int], around: int = 1
) -> tuple[int, int]:
    """The pixels between two places where a tile may begin, and those around a tile that it sees.

    Args:
        strides, reaches: of the layers, in pixels.
        around: as for `make_tiles`.
    """
    grid = max(around, *strides)
    return grid, _up_to(grid, max(around, *reaches))


def _spans(length, size, grid, margin):
    """The spans of an axis: as few as can be, alike, at multiples of the grid."""
    step = _up_to(grid, length / math.ceil(length / max(grid, size // grid * grid)))
    return [
        Span(first, min(length, first + step), max(0, first - margin), stop)
        for first in range(0, length, step)
        for stop in [min(length, first + step + margin)]
    ]


def _up_to(grid, length):
    """The smallest multiple of `grid` that is at least `length`."""
    return math.ceil(length / grid) * grid


def features_by_tile(
    network: Any, layers: Iterable[str], picture: np.ndarray, tiles: Sequence[Tile]
) -> Iterator[tuple[Tile, dict[str, np.ndarray]]]:
    """Yields each tile with the features of the tile and its margin, by layer name.

    Args:
        network: as for `strides_and_reach`.
        layers: of the network's, those wanted.
        picture: (rows, cols, 3), as `preprocess_image` makes it.
        tiles: of the picture, from `make_tiles`.
    """
    layers = tuple(layers)
    for tile in tiles:
        part = picture[tile.outer][np.newaxis]
        features = _features_of(network, layers, part.shape)(part)
        yield tile, {layer: to_numpy(values) for layer, values in features.items()}


@functools.partial(kept, shapes=FEATURES_KEPT)
def _features_of(network, layers, shape):
    """The function from pictures of a shape to features, compiled.

    Keras's `predict_on_batch` soon compiles for any shape, and then our layers would not know
    theirs.
    """
    return compiled(keras.Model(network.input, {layer: network.output[layer] for layer in layers}))


def sums_over_tiles(
    function: Callable,
    network: Any,
    layers: Collection[str],
    picture: np.ndarray,
    size: int,
) -> dict[str, np.ndarray]:
    """Adds up a function of all tiles' features. Returns its values, float32, by layer name.

    Args:
        function: from features (1, rows, cols, channels) to a tensor; a sum over positions, so that
            the whole picture's is the sum of the tiles'.
        network, layers, picture: as for `features_by_tile`.
        size: as for `make_tiles`.
    """
    sums: dict[str, Any] = dict.fromkeys(layers, 0.0)
    rows, cols, _ = picture.shape
    tiles = make_tiles(network, rows, cols, size, layers=layers)
    for tile, features in features_by_tile(network, layers, picture, tiles):
        for layer, values in features.items():
            part = function(tile.local.own(values, layer))
            sums[layer] = sums[layer] + keras.ops.convert_to_numpy(part).astype(np.float64)
    return {layer: total.astype(np.float32) for layer, total in sums.items()}
