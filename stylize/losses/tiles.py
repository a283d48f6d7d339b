"""The exact loss and gradient of a picture that is too large for the network at once.

All that a loss needs of the whole picture is its Gram matrices, and these are sums over places. So
the picture is cut into tiles, and each goes through the network twice, with a margin around it as
wide as the features inside can see:

    1. G_l = sum over tiles of F^T F, where F are layer l's features inside the tile
    2. with D_l = dLoss/dG_l, now constants: the gradient of sum over layers of <D_l, F^T F>, and of
       those terms that are sums over places already, for the tile and its margin, is added up

Tiles begin at multiples of the network's coarsest step, so that pooling sees the same pixels as in
the whole picture. At the picture's own border a tile ends, and is padded, where the picture does.
"""

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from stylize.backend.tensors import ValueAndGrad, compiled, keras, to_numpy

# ---------------------------------------------------------------------------------------------
# Geometry
# ---------------------------------------------------------------------------------------------


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


def strides_and_reach(network: Any) -> tuple[dict[str, int], dict[str, int]]:
    """How far apart a layer's positions are, and how far around its pixels each one sees.

    Args:
        network: a Keras model with a dictionary of outputs, convolutions and poolings in a row.

    Returns:
        (strides, reach), layer name -> pixels. A position of a layer with stride s has the s x s
        pixels at s times its place; what is more than the reach away from them does not change it.
    """
    strides, reaches = {}, {}
    for name, output in network.output.items():
        stride, reach = 1, 0
        for layer in keras.Model(network.input, output).layers:
            if isinstance(layer, keras.layers.Conv2D):
                reach += stride * (layer.kernel_size[0] // 2)
            elif hasattr(layer, "pool_size"):
                stride *= layer.pool_size[0]
        strides[name], reaches[name] = stride, reach
    return strides, reaches


def make_tiles(
    network: Any, rows: int, cols: int, size: int, beyond: Mapping[str, int] | None = None
) -> list[Tile]:
    """Cuts a picture into tiles of nearly equal shape.

    Args:
        network: as for `strides_and_reach`.
        rows, cols: of the picture.
        size: rows and columns of a tile without its margin, at most; at least the network's
            coarsest step.
        beyond: layer name -> how many of its positions outside the tile are needed too.
    """
    strides, reaches = strides_and_reach(network)
    grid = max(strides.values())
    reach = max(reaches[n] + strides[n] * (beyond or {}).get(n, 0) for n in strides)
    margin = _up_to(grid, reach)
    return [
        Tile(own_rows, own_cols, strides)
        for own_rows in _spans(rows, size, grid, margin)
        for own_cols in _spans(cols, size, grid, margin)
    ]


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
    model = keras.Model(network.input, {layer: network.output[layer] for layer in layers})
    for tile in tiles:
        yield tile, model.predict_on_batch(picture[tile.outer][np.newaxis])


def sums_over_tiles(
    function: Callable,
    network: Any,
    layers: Iterable[str],
    picture: np.ndarray,
    size: int,
) -> dict[str, np.ndarray]:
    """A function of features that is a sum over places, of a picture's, float32, by layer name.

    Args:
        function: from features (1, rows, cols, channels) to a tensor.
        network, layers, picture: as for `features_by_tile`.
        size: as for `make_tiles`.
    """
    model = keras.Model(network.input, {layer: network.output[layer] for layer in layers})
    sums: dict[str, Any] = dict.fromkeys(layers, 0.0)
    rows, cols, _ = picture.shape
    tiles = make_tiles(model, rows, cols, size)
    for tile, features in features_by_tile(model, layers, picture, tiles):
        for layer, values in features.items():
            part = function(tile.local.own(values, layer))
            sums[layer] = sums[layer] + keras.ops.convert_to_numpy(part).astype(np.float64)
    return {layer: total.astype(np.float32) for layer, total in sums.items()}


# ---------------------------------------------------------------------------------------------
# The objective
# ---------------------------------------------------------------------------------------------


class Targets(NamedTuple):
    """What a tile of the combination is compared with place by place; it never changes."""

    content: dict  # layer name -> features (1, rows, cols, channels)
    content_mask: dict  # layer name -> (positions, 1), or None
    neighbors: Sequence | None  # (places, channels) of each layer
    resizing: dict  # see `neighbors.hypercolumns`
    previous: tuple | None  # of a film: pixels (1, rows, cols, 3), weights (rows*cols, 1)


class Objective(Protocol):
    """What `TiledLossAndGrads` has to know of a loss.

    Attributes:
        mask_scales: for each style: layer name -> what a Gram matrix of masked features is
            multiplied with, None where there is no mask.
        channels: from features (..., channels) to those whose Gram matrices are compared.
    """

    mask_scales: Sequence[Mapping[str, Any]]
    channels: Callable[[Any], Any]

    def style_term(self, gram: Callable[[str, int], Any]) -> Any:
        """The style's term, of Gram matrices by layer name and number of the style."""

    def terms(
        self, combination: Any, features: Mapping, targets: Any, tile: Tile, style: Callable
    ) -> Any:
        """A tile's terms, a tensor (5,), in which the style's is what `style()` returns."""


STYLE = 1  # its place among the terms


class TilePasses:
    """The two passes of a combination's tiles through the network, one tile after another.

    What runs them elsewhere has the same `map`, which yields in the order of the tiles: sums taken
    in the same order are the same to the last bit.

    Args:
        network: gives an objective's features.
        objective: the loss.
        tiles: of the combination, from `make_tiles`.
        masks: for each tile and style, layer name -> (own positions, 1), or None.
        targets: for each tile, what the objective's `terms` wants.
    """

    def __init__(
        self, network: Any, objective: Objective, tiles: Sequence[Tile], masks: Any, targets: Any
    ):
        self._network, self._objective = network, objective
        self._tiles, self._masks, self._targets = tiles, masks, targets
        self._views = _views(objective)
        self._passes: dict[Any, tuple[Callable, Callable]] = {}  # compiled, by shape of the tile

    def map(self, name: str, picture: np.ndarray, *others: Any) -> Iterator:
        """Yields what the method `name`, "grams" or "losses", returns for each tile, in order.

        Args:
            name: of the method.
            picture: (rows, cols, 3), float32.
            others: what the method wants besides a tile.
        """
        for index, tile in enumerate(self._tiles):
            yield getattr(self, name)(index, picture[tile.outer], *others)

    def grams(self, index: int, part: np.ndarray) -> np.ndarray:
        """The first pass of a tile: F^T F for all views one after another, a vector.

        Args:
            index: of the tile.
            part: the tile and its margin of the picture, (rows, cols, 3).
        """
        grams, _ = self._passes_of(self._tiles[index].local)
        return keras.ops.convert_to_numpy(grams(part[np.newaxis], self._masks[index]))

    def losses(self, index: int, part: np.ndarray, slopes: Sequence) -> Sequence[np.ndarray]:
        """The second pass of a tile: its terms (5,), and the gradient of their sum by `part`.

        Args:
            index, part: as for `grams`.
            slopes: D by the Gram matrix of each view, (channels, channels).
        """
        _, losses = self._passes_of(self._tiles[index].local)
        kept = self._masks[index], self._targets[index]
        terms, gradient = losses(part[np.newaxis], slopes, *kept)
        return keras.ops.convert_to_numpy(terms), keras.ops.convert_to_numpy(gradient)[0]

    def _passes_of(self, tile):
        """The two passes for tiles of this shape, compiled at the first of them."""
        key = tile.rows, tile.cols
        if key not in self._passes:
            grams = compiled(functools.partial(self._grams, tile))
            self._passes[key] = grams, ValueAndGrad(functools.partial(self._losses, tile))
        return self._passes[key]

    def _grams(self, tile, combination, masks):
        """The first pass: F^T F of the tile, for all views one after another, a vector."""
        features = self._style_features(self._network(combination), masks, tile)
        products = [keras.ops.matmul(keras.ops.transpose(f), f) for f in features]
        return keras.ops.concatenate([keras.ops.ravel(product) for product in products])

    def _losses(self, tile, combination, slopes, masks, targets):
        """The second pass: terms whose gradient, all tiles' added up, is the loss's."""
        features = self._network(combination)

        def style():
            # The gradient of <D, F^T F> is 2 F D, as D is symmetric: no product on the way back.
            own = self._style_features(features, masks, tile)
            return 2 * sum(
                keras.ops.sum(f * keras.ops.stop_gradient(keras.ops.matmul(f, slope)))
                for f, slope in zip(own, slopes, strict=True)
            )

        return self._objective.terms(combination, features, targets, tile, style)

    def _style_features(self, features, masks, tile):
        """F for each view: the tile's own features times the mask, (positions, channels)."""
        views = []
        for layer, index in self._views:
            own = self._objective.channels(tile.own(features[layer], layer))
            flat = keras.ops.reshape(own, (-1, own.shape[-1]))
            views.append(flat if index is None else flat * masks[index][layer])
        return views


def _views(objective):
    """The layer and the style of each Gram matrix; styles without a mask share one, of None."""
    views = (
        (layer, None if scale is None else index)
        for index, scales in enumerate(objective.mask_scales)
        for layer, scale in scales.items()
    )
    return list(dict.fromkeys(views))


class TiledLossAndGrads:
    """The losses of a combination and the gradient of their sum, tile by tile.

    Calling it is what calling a `LossAndGrads` is, but that the gradient is float32.

    Args:
        network, objective, tiles, masks, targets: as for `TilePasses`.
        passes: makes a `TilePasses`, or what has the same `map`, of these.
    """

    def __init__(
        self,
        network: Any,
        objective: Objective,
        tiles: Sequence[Tile],
        masks: Sequence,
        targets: Sequence,
        passes: Callable = TilePasses,
    ):
        self.shape = (1, tiles[-1].rows.last, tiles[-1].cols.last, 3)
        self.tiles = tiles
        self._objective = objective
        self._passes = passes(network, objective, tiles, masks, targets)
        self._style = ValueAndGrad(self._style_of)
        self._views = _views(objective)
        features = [objective.channels(network.output[layer]) for layer, _ in self._views]
        self._channels = [own.shape[-1] for own in features]

    def __call__(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        picture = np.asarray(x, np.float32).reshape(self.shape[1:])
        style, slopes = self._style_and_slopes(picture)
        terms: Any = 0.0
        gradient = np.zeros_like(picture)
        losses = self._passes.map("losses", picture, slopes)
        for tile, (own, added) in zip(self.tiles, losses, strict=True):
            terms = terms + own.astype(np.float64)
            gradient[tile.outer] += added
        terms[STYLE] = style
        return terms, gradient.ravel()

    def on_device(self, combination: Any) -> tuple[Any, Any]:
        """The same of a tensor or an array (1, rows, cols, 3), to arrays (losses, gradient)."""
        terms, gradient = self(to_numpy(combination))
        return terms, gradient.reshape(self.shape)

    def _style_and_slopes(self, picture):
        """The style's term, and its slopes D by the Gram matrices."""
        sums: Any = 0.0
        for own in self._passes.map("grams", picture):
            sums = sums + own.astype(np.float64)
        (style,), slopes = self._style(sums.astype(np.float32))
        return float(style), self._split(slopes)

    def _style_of(self, sums):
        """The style's term, (1,), of F^T F for all views, added up over the tiles, a vector."""
        by_view = dict(zip(self._views, self._split(sums), strict=True))

        def gram(layer, index):
            scale = self._objective.mask_scales[index][layer]
            return by_view[layer, None] if scale is None else scale * by_view[layer, index]

        return keras.ops.reshape(self._objective.style_term(gram), (1,))

    def _split(self, vector):
        """The matrix of each view from the vector of all."""
        ends = np.cumsum(np.square(self._channels)).tolist()
        return [
            keras.ops.reshape(vector[end - n * n : end], (n, n))
            for end, n in zip(ends, self._channels, strict=True)
        ]
