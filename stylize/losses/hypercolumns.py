"""Hypercolumns: all features of a place, a block of 4 x 4 pixels, from eight layers.

After Kolkin, Kucera, Paris, Sýkora, Shechtman and Shakhnarovich, "Neural Neighbor Style Transfer"
(2022, arXiv:2203.13215), sec. 3.1.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from stylize.backend.tensors import keras
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


def columns_of(network: Any, picture: np.ndarray, tile: int | None = None) -> Any:
    """The hypercolumns of a picture, (places, channels), float32.

    Args:
        network: gives features of `HYPERCOLUMN_LAYERS`.
        picture: (rows, cols, 3), as `preprocess_image` makes it.
        tile: rows and columns that the network sees at once, without the margins; None: all.
    """
    grid, channels = shape_of_columns(network, picture)
    if tile is None:
        return next(columns_by_tile(network, picture, None))[1]
    columns = np.empty((math.prod(grid), channels), np.float32)
    for places, own in columns_by_tile(network, picture, tile):
        columns[places] = keras.ops.convert_to_numpy(own)
    return keras.ops.convert_to_tensor(columns)


def shape_of_columns(network: Any, picture: np.ndarray) -> tuple[tuple[int, int], int]:
    """((rows, cols) of the places of a picture, channels of a hypercolumn)."""
    shapes = network.compute_output_shape((1, *picture.shape))
    return shapes[GRID_LAYER][1:3], sum(shapes[layer][-1] for layer in HYPERCOLUMN_LAYERS)


def columns_by_tile(
    network: Any, picture: np.ndarray, tile: int | None
) -> Iterator[tuple[np.ndarray, Any]]:
    """Yields places, as indices, and their hypercolumns, for one tile after another, or for all.

    Arguments as for `columns_of`.
    """
    grid, _ = shape_of_columns(network, picture)
    places = np.arange(math.prod(grid), dtype=np.int32)
    if tile is None:
        features = network(keras.ops.convert_to_tensor(picture[np.newaxis], "float32"))
        yield places, keras.ops.concatenate(hypercolumns(features), axis=-1)
        return
    rows, cols, _ = picture.shape
    shapes = network.compute_output_shape((1, rows, cols, 3))
    tiles = make_tiles(network, rows, cols, tile, BEYOND, layers=HYPERCOLUMN_LAYERS)
    for part, features in features_by_tile(network, HYPERCOLUMN_LAYERS, picture, tiles):
        own_rows, own_cols = part.at(GRID_LAYER, grid)
        own = places.reshape(grid)[own_rows.first : own_rows.last, own_cols.first : own_cols.last]
        parts = hypercolumns(features, part.local, resizing(shapes, part))
        yield own.ravel(), keras.ops.concatenate(parts, axis=-1)
