"""Neural neighbours: every place of the combination is compared with the place of a style whose
features are most like its own.

A Gram matrix says how often channels respond together, wherever they do. Matching place by place
makes brush strokes follow the forms of the photo. After Kolkin, Kucera, Paris, Sýkora, Shechtman
and Shakhnarovich, "Neural Neighbor Style Transfer" (2022, arXiv:2203.13215). Two things differ
here: how much of a query comes from the photo depends on the place (`detail_map`), and Gram
matrices, content and total variation may be terms of the same objective.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from stylize.backend.tensors import keras
from stylize.images.masks import layer_mask
from stylize.losses.search import nearest, unit
from stylize.losses.term import Canvas, Term
from stylize.losses.tiles import Tile, features_by_tile, make_tiles

# VGG16's convolutions up to block4_conv3, but for block1, whose features of single pixels, averaged
# over a place, change nothing that can be seen and would take half of the memory.
HYPERCOLUMN_LAYERS = (
    *("block2_conv1", "block2_conv2"),
    *("block3_conv1", "block3_conv2", "block3_conv3"),
    *("block4_conv1", "block4_conv2", "block4_conv3"),
)


BEYOND = dict.fromkeys(HYPERCOLUMN_LAYERS, 2)  # positions around a place that resizing may use


GRID_LAYER = "block3_conv1"  # its positions are the places: one in 4 x 4 pixels


BALANCING_STEPS = 60


def hypercolumns(
    features: Mapping[str, Any], tile: Tile | None = None, resizing: Mapping | None = None
) -> list[Any]:
    """All features of each place, those of finer layers averaged, those of coarser ones enlarged.

    Args:
        features: layer name -> (1, rows, cols, channels), `HYPERCOLUMN_LAYERS` among them.
        tile: where they are, in a picture of just the tile and its margin; None: everywhere.
        resizing: from `resizing`, where the tile is not the whole picture.

    Returns:
        (places, channels) of each layer, float32; the places are those of `GRID_LAYER` that are
        the tile's own. Concatenated they are the hypercolumns; an evaluation does not need that
        copy.

    Source: Kolkin et al. 2022, sec. 3.1; they have block1 too.
    """
    rows, cols = features[GRID_LAYER].shape[1:3]
    parts = []
    for layer in HYPERCOLUMN_LAYERS:
        x = features[layer]
        if (step := _step(layer)) > 1:
            x = keras.ops.average_pool(x, step, step, padding="valid", data_format="channels_last")
        if tile is not None and not tile.is_whole:
            x = _own(x, tile, (resizing or {}).get(layer))
        elif tuple(x.shape[1:3]) != (rows, cols):
            x = keras.ops.image.resize(
                x, (rows, cols), interpolation="bilinear", data_format="channels_last"
            )
        parts.append(keras.ops.reshape(x, (math.prod(x.shape[:3]), x.shape[-1])))
    return parts


def _step(layer):
    """How many positions of a layer are averaged along each axis for a place; 0: it is enlarged."""
    return 4 >> (int(layer[5]) - 1)


def _own(x, tile, weights):
    """A tile's places of features at the grid's resolution, or else resized with the weights."""
    if weights is None:
        return tile.own(x, GRID_LAYER)
    by_rows, by_cols = weights
    x = keras.ops.tensordot(by_rows, x[0], axes=(1, 0))  # (own rows, cols, channels)
    return keras.ops.matmul(by_cols, x)[np.newaxis]  # (1, own rows, own cols, channels)


def resizing(shapes: Mapping[str, Sequence[int]], tile: Tile) -> dict[str, tuple]:
    """How a tile's places are interpolated between the positions of layers that have others.

    The enlargement of a tile alone would be another one: where a picture's sides are odd, positions
    of coarser layers drift against the places. So each place has its weights from the whole.

    Args:
        shapes: layer name -> (1, rows, cols, channels) of the features of the whole picture.
        tile: of it.

    Returns:
        layer name -> (weights of the rows, of the columns), each float32, (own places, positions of
        the tile and its margin). Layers with the same positions as `GRID_LAYER` are not in it.
    """
    grid, weights = tuple(shapes[GRID_LAYER][1:3]), {}
    for layer in () if tile.is_whole else HYPERCOLUMN_LAYERS:
        step, stride = max(1, _step(layer)), tile.strides[layer]
        sizes = tuple(size // step for size in shapes[layer][1:3])
        if sizes != grid:
            weights[layer] = tuple(
                _bilinear(span, tile.strides[GRID_LAYER], stride * step, places, size)
                for span, places, size in zip((tile.rows, tile.cols), grid, sizes, strict=True)
            )
    return weights


def _bilinear(span, place_stride, stride, places, size):
    """The weights along one axis of `size` positions, from a whole enlarged to `places`."""
    own, given = span.at(place_stride, places), span.at(stride, size)
    index = np.arange(own.first, own.last)
    position = np.clip((index + 0.5) * size / places - 0.5, 0, size - 1)
    distance = np.abs(position[:, np.newaxis] - np.arange(given.start, given.stop))
    return np.maximum(0, 1 - distance).astype(np.float32)


def centered(columns: Any) -> Any:
    """Columns (places, channels) less their mean: what is common to all tells no place apart."""
    return columns - keras.ops.mean(columns, axis=0, keepdims=True)


def share_out(scores: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Which style each place takes: the one that it is most like, as often as the shares say.

    Args:
        scores: cosines (styles, places).
        shares: (styles, places), at least 0: where each style goes, and how often; a style
            is never taken where its share is 0. Where all shares are 0, any style may be taken.

    Returns:
        (places,), the index of a style. A style's number of places is as near as can be to the sum
        of its shares, those of a place taken to add up to one.
    """
    shares = np.where(shares.sum(0) > 0, shares, 1.0)
    shares = shares / shares.sum(0)
    scores = np.where(shares > 0, scores, -np.inf)
    wanted, handicap = shares.mean(1), np.zeros((len(scores), 1))
    step = 0.5
    chosen = scores.argmax(0)
    for _ in range(BALANCING_STEPS):  # an auction: who gets too much has to be much more alike
        taken = np.bincount(chosen, minlength=len(scores)) / len(chosen)
        handicap += step * np.sign(taken - wanted)[:, np.newaxis]
        step *= 0.8
        chosen = (scores - handicap).argmax(0)
    return chosen


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
        self._distance, self._scale = distance, weight / positions
        self.targets = canvas.keep(
            ([tile.positions(own, GRID_LAYER, grid) for own in targets], resizing(shapes, tile))
            for tile in canvas.tiles
        )

    def value(self, combination, features, tile, targets):
        nearest, weights = targets
        return self._scale * self._distance(hypercolumns(features, tile, weights), nearest)


class Candidates(NamedTuple):
    """A style's places, to find neighbours among."""

    columns: Any  # (m, channels)
    share: np.ndarray  # (places of the combination,): where the style goes, and how often


def match(
    queries: Any,
    candidates: Sequence[Candidates],
    dtype: str = "float32",
    number: int | None = None,
) -> Any:
    """The targets of `neighbor_loss`: each place's nearest column, found by its query.

    Args:
        queries: (places, channels), centred.
        candidates: of each style.
        dtype: as in `nearest`.
        number: of the first queries, which count; None: all do.

    Returns:
        (places, channels), float32, of length 1.
    """
    found = [
        [part[:number] for part in nearest(queries, centered(style.columns), dtype)]
        for style in candidates
    ]
    chosen = share_out(
        np.stack([cosines for _, cosines in found]), np.stack([style.share for style in candidates])
    )
    targets = unit(keras.ops.take(candidates[0].columns, found[0][0], axis=0))
    for index, style in enumerate(candidates[1:], start=1):
        own = unit(keras.ops.take(style.columns, found[index][0], axis=0))
        targets = keras.ops.where((chosen == index)[:, np.newaxis], own, targets)
    return targets


def find_neighbors(
    network: Any,
    base: np.ndarray,
    x: np.ndarray,
    styles: Sequence[Any],
    query_content: np.ndarray,
    turns: int = 0,
    tile: int | None = None,
    where: np.ndarray | None = None,
) -> list[Any]:
    """The targets of `neighbor_loss` for a combination.

    A query is the photo's column and the combination's, each less its mean, mixed.

    Args:
        network: gives features of `HYPERCOLUMN_LAYERS`, in the precision that is used here too.
        base, x: the photo and the combination, (rows, cols, 3), as `preprocess_image` makes them.
        styles: with a `picture` of any size, a `share`, and a `mask` (rows, cols) or None.
        query_content: (rows, cols), 0..1: how much of a query is the photo's.
        turns: how many copies of each style, turned by 90 degrees each, to look in too.
        tile: rows and columns that the network sees at once, without the margins; None: all.
        where: (rows, cols), not all 0: targets are looked up where it is above 0; None:
            everywhere. Elsewhere they are 0.

    Returns:
        (places, channels) of each layer, float32.
    """

    shape = network.compute_output_shape((1, *base.shape))[GRID_LAYER]
    content = keras.ops.convert_to_tensor(layer_mask(query_content, shape), "float32")
    queries = content * centered(_columns(network, base, tile))  # large: one at a time
    queries += (1 - content) * centered(_columns(network, x, tile))
    candidates, covered = [], np.zeros(shape[1] * shape[2])
    for style in styles:
        everywhere = np.ones(query_content.shape)
        mask = layer_mask(everywhere if style.mask is None else style.mask, shape)
        columns = _style_columns(network, style.picture, turns, tile)
        candidates.append(Candidates(columns, style.share * np.asarray(mask).ravel()))
        covered += np.asarray(mask).ravel()
    low = network.get_layer(GRID_LAYER).compute_dtype == "bfloat16"
    given = queries, candidates, "bfloat16" if low else "float32"
    if where is None:
        targets = match(*given)
    else:
        targets = _match_where(np.asarray(layer_mask(where, shape)) > 0, *given)
    # Where no style goes there is nothing to be like: a target of 0 has no gradient.
    covered = keras.ops.convert_to_tensor(np.minimum(covered, 1)[:, np.newaxis], "float32")
    targets = targets * covered
    channels = [network.output[layer].shape[-1] for layer in HYPERCOLUMN_LAYERS]
    if tile:  # each takes its places of them; on the device they would not be cut
        targets = keras.ops.convert_to_numpy(targets)
        return np.split(targets, np.cumsum(channels)[:-1], axis=-1)
    return keras.ops.split(targets, np.cumsum(channels)[:-1].tolist(), axis=-1)


def _match_where(asked, queries, candidates, dtype):
    """`match` at the places that are `asked`, a boolean (places, 1); elsewhere targets are 0."""
    places = np.flatnonzero(asked)
    candidates = [style._replace(share=style.share[places]) for style in candidates]
    # Some backends compile anew for each number of queries: there are few, as powers of two.
    filled = np.resize(places, min(len(asked), 2 ** math.ceil(math.log2(len(places)))))
    found = match(keras.ops.take(queries, filled, axis=0), candidates, dtype, len(places))
    number = np.maximum(np.cumsum(asked) - 1, 0)  # of each place among those that are asked
    return keras.ops.take(found, number, axis=0) * keras.ops.cast(asked, "float32")


def _style_columns(network, picture, turns, tile):
    """The hypercolumns of a style and of copies of it, each turned by 90 degrees more."""
    turned = [np.rot90(picture, turn).copy() for turn in range(turns + 1)]
    columns = [_columns(network, each, tile) for each in turned]
    return keras.ops.concatenate(columns) if turns else columns[0]


def _columns(network, picture, tile=None):
    """The hypercolumns of a picture (rows, cols, 3), (places, channels)."""
    if tile is None:
        features = network(keras.ops.convert_to_tensor(picture[np.newaxis], "float32"))
        return keras.ops.concatenate(hypercolumns(features), axis=-1)
    outputs = {layer: network.output[layer] for layer in HYPERCOLUMN_LAYERS}
    network = keras.Model(network.input, outputs)
    rows, cols, _ = picture.shape
    shapes = network.compute_output_shape((1, rows, cols, 3))
    channels = sum(shape[-1] for shape in shapes.values())
    columns = np.empty((*shapes[GRID_LAYER][1:3], channels), np.float32)
    tiles = make_tiles(network, rows, cols, tile, BEYOND)
    for part, features in features_by_tile(network, HYPERCOLUMN_LAYERS, picture, tiles):
        own_rows, own_cols = part.at(GRID_LAYER, columns.shape[:2])
        own = columns[own_rows.first : own_rows.last, own_cols.first : own_cols.last]
        parts = hypercolumns(features, part.local, resizing(shapes, part))
        own[...] = keras.ops.convert_to_numpy(keras.ops.concatenate(parts, axis=-1)).reshape(
            own.shape
        )
    return keras.ops.convert_to_tensor(columns.reshape(-1, channels))
