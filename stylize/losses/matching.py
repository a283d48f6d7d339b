"""Which place of a style each place of the combination is compared with: its nearest neighbour.

    find_neighbors   of a whole picture, or of a part of it
      match          each place with the most similar of all styles' places
      share_out      between several styles, so that each gets its share

Where a photo or a style has many places, they are compared along a few axes, blocks of them first;
neither the time nor, with tiles, the memory then grows much faster than the picture. Each style has
axes of its own, along which cosines of two styles do not compare: those of the neighbours found are
computed again, in all channels.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from stylize.backend.scratch import Folder, empty_in_file, empty_in_memory, release
from stylize.backend.tensors import keras
from stylize.images.masks import layer_mask
from stylize.losses.hypercolumns import (
    GRID_LAYER,
    HYPERCOLUMN_LAYERS,
    centered,
    columns_by_tile,
    columns_of,
    shape_of_columns,
)
from stylize.losses.search import (
    MANY,
    MANY_AXES,
    STRIP,
    blocks,
    columns_at,
    nearest,
    nearest_by_blocks,
    principal_axes,
    unit,
    unit_deviations,
)

BALANCING_STEPS = 60


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
        had = np.bincount(chosen, minlength=len(scores)) / len(chosen)
        handicap += step * np.sign(had - wanted)[:, np.newaxis]
        step *= 0.8
        chosen = (scores - handicap).argmax(0)
    return chosen


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
        (places, channels), or as many as `number` says, float32, of length 1 or 0.
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
    wanted: np.ndarray | None = None,
    scratch: Folder = None,
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
        wanted: (rows, cols), not all 0: targets are looked up where it is above 0; None:
            everywhere. Elsewhere they are 0.
        scratch: the folder for columns that are too large for memory, where there are tiles.

    Returns:
        (places, channels) of each layer, float32.
    """
    shape = network.compute_output_shape((1, *base.shape))[GRID_LAYER]
    masks = [np.ones(base.shape[:2]) if style.mask is None else style.mask for style in styles]
    covered = [np.asarray(layer_mask(mask, shape)).ravel() for mask in masks]
    # Where no style goes there is nothing to be like: a target of 0 has no gradient.
    coverage = np.minimum(np.sum(covered, axis=0, dtype=np.float64), 1).astype(np.float32)
    pictures = [style.picture for style in styles]
    lookup = Lookup(
        network,
        base,
        x,
        pictures,
        photo_share=np.asarray(layer_mask(query_content, shape)),
        style_shares=[style.share * own for style, own in zip(styles, covered, strict=True)],
        coverage=coverage[:, np.newaxis],
        wanted=None if wanted is None else np.asarray(layer_mask(wanted, shape)).ravel() > 0,
        turns=turns,
        tile=tile,
        scratch=scratch,
    )
    many = max(math.prod(shape_of_columns(network, each)[0]) for each in (base, *pictures)) > MANY
    targets = _targets_among_many(lookup) if many else _targets_among_few(lookup)
    channels = [network.output[layer].shape[-1] for layer in HYPERCOLUMN_LAYERS]
    if isinstance(targets, np.ndarray):  # each tile takes its places of them
        return np.split(targets, np.cumsum(channels)[:-1], axis=-1)
    return keras.ops.split(targets, np.cumsum(channels)[:-1].tolist(), axis=-1)


class Lookup(NamedTuple):
    """The arguments of `find_neighbors`, its maps as numbers for each place of the combination.

    Attributes:
        network, base, x, turns, tile, scratch: as given.
        pictures: the styles'.
        photo_share: (places, 1), 0..1: how much of a query is the photo's.
        style_shares: of each style, (places,): where it goes, and how often.
        coverage: (places, 1), 0..1: how much the styles' masks cover, and so a target counts.
        wanted: (places,), whether a target is looked up; None: all are.
    """

    network: Any
    base: np.ndarray
    x: np.ndarray
    pictures: Sequence[np.ndarray]
    photo_share: np.ndarray
    style_shares: Sequence[np.ndarray]
    coverage: np.ndarray
    wanted: np.ndarray | None
    turns: int
    tile: int | None
    scratch: Folder

    @property
    def wanted_places(self) -> np.ndarray:
        """The indices of the places whose targets are looked up."""
        return np.arange(len(self.coverage)) if self.wanted is None else np.flatnonzero(self.wanted)

    @property
    def dtype(self) -> str:
        """Of products that need not be exact."""
        low = self.network.get_layer(GRID_LAYER).compute_dtype == "bfloat16"
        return "bfloat16" if low else "float32"


def _targets_among_few(lookup):
    """The targets, (places, channels), by comparing places with places, see `nearest`."""
    network, tile = lookup.network, lookup.tile
    share = keras.ops.convert_to_tensor(lookup.photo_share, "float32")
    queries = share * centered(columns_of(network, lookup.base, tile))  # large: one at a time
    queries += (1 - share) * centered(columns_of(network, lookup.x, tile))
    candidates = [
        Candidates(_style_columns(network, picture, lookup.turns, tile), own)
        for picture, own in zip(lookup.pictures, lookup.style_shares, strict=True)
    ]
    if lookup.wanted is None:
        targets = match(queries, candidates, lookup.dtype)
    else:
        targets = _match_wanted(lookup, queries, candidates)
    targets = targets * keras.ops.convert_to_tensor(lookup.coverage, "float32")
    return keras.ops.convert_to_numpy(targets) if tile else targets


def _match_wanted(lookup, queries, candidates):
    """`match` at the wanted places; elsewhere targets are 0."""
    wanted, places = lookup.wanted, lookup.wanted_places
    candidates = [style._replace(share=style.share[places]) for style in candidates]
    repeated = np.resize(places, _up_to_a_power(len(places), len(wanted)))
    found = match(keras.ops.take(queries, repeated, axis=0), candidates, lookup.dtype, len(places))
    rank = np.maximum(np.cumsum(wanted) - 1, 0)  # of each place among the wanted ones
    wanted = keras.ops.cast(wanted[:, np.newaxis], "float32")
    return keras.ops.take(found, rank, axis=0) * wanted


def _up_to_a_power(number, most):
    """So many, or more: some backends compile anew for each number, so there are to be few."""
    return min(most, 2 ** math.ceil(math.log2(number)))


def _style_columns(network, picture, turns, tile):
    """The hypercolumns of a style and of copies of it, each turned by 90 degrees more."""
    columns = [columns_of(network, each, tile) for each in _turned(picture, turns)]
    return keras.ops.concatenate(columns) if turns else columns[0]


def _turned(picture, turns):
    """A picture and so many copies, each turned by 90 degrees more."""
    return [np.rot90(picture, turn).copy() for turn in range(turns + 1)]


class ManyCandidates(NamedTuple):
    """A style with so many places that they are compared along axes.

    Attributes:
        columns: (m, channels): a NumPy array, which may be in a file, or a tensor.
        mean: (channels,), of the columns.
        axes: (channels, axes), the principal ones.
        along: (m, axes): the columns, less their mean and at length 1, along these.
        blocks: of places, see `blocks`.
    """

    columns: Any
    mean: np.ndarray
    axes: Any
    along: np.ndarray
    blocks: np.ndarray


def _targets_among_many(lookup):
    """The targets, (places, channels), a NumPy array, by comparing blocks of places along axes."""
    styles = [_many_candidates(lookup, picture) for picture in lookup.pictures]
    queries, means = _queries_along(lookup, [style.axes for style in styles])
    query_blocks = _wanted_blocks(lookup)
    found = [
        nearest_by_blocks(own, style.along, query_blocks, style.blocks, lookup.dtype)
        for own, style in zip(queries, styles, strict=True)
    ]
    places, scores = lookup.wanted_places, np.stack([cosines for _, cosines in found])
    if len(styles) > 1:
        scores = _cosines_in_all_channels(lookup, means, styles, [indices for indices, _ in found])
    chosen = share_out(
        scores[:, places],
        np.stack([share[places] for share in lookup.style_shares]),
    )
    _, channels = shape_of_columns(lookup.network, lookup.base)
    targets = _empty(lookup, (len(lookup.coverage), channels))
    if lookup.wanted is not None:
        targets[...] = 0
    for index, (style, (indices, _)) in enumerate(zip(styles, found, strict=True)):
        for strip in _strips(places[chosen == index]):
            columns = unit(columns_at(style.columns, indices[strip]))
            targets[strip] = keras.ops.convert_to_numpy(columns) * lookup.coverage[strip]
        release(style.columns)
    release(targets)
    return targets


def _wanted_blocks(lookup):
    """The blocks of the combination that have a wanted place, see `blocks`."""
    grid, _ = shape_of_columns(lookup.network, lookup.base)
    every = blocks(*grid)
    if lookup.wanted is None:
        return every
    found = every[lookup.wanted[every].any(axis=1)]
    return np.resize(found, (_up_to_a_power(len(found), len(every)), every.shape[1]))


def _many_candidates(lookup, picture):
    """A style and its turned copies, as `ManyCandidates`."""
    pictures = _turned(picture, lookup.turns)
    _, channels = shape_of_columns(lookup.network, picture)
    grids = [shape_of_columns(lookup.network, each)[0] for each in pictures]
    ends = np.cumsum([math.prod(grid) for grid in grids])
    columns, total = _empty(lookup, (ends[-1], channels)), np.zeros(channels)
    for each, end, grid in zip(pictures, ends, grids, strict=True):
        for places, own in columns_by_tile(lookup.network, each, lookup.tile):
            own = keras.ops.convert_to_numpy(own)
            columns[end - math.prod(grid) + places] = own
            total += own.sum(axis=0, dtype=np.float64)
    mean = (total / ends[-1]).astype(np.float32)
    axes = principal_axes(columns, MANY_AXES, mean)
    along = _empty(lookup, (ends[-1], axes.shape[1]))
    for places in _strips(np.arange(ends[-1])):
        own = unit_deviations(columns_at(columns, places), mean)
        along[places] = keras.ops.convert_to_numpy(keras.ops.matmul(own, axes))
    release(columns)
    of_copies = [
        end - math.prod(grid) + blocks(*grid) for end, grid in zip(ends, grids, strict=True)
    ]
    own_blocks = np.concatenate(of_copies).astype(np.int32)
    return ManyCandidates(columns, mean, axes, along, own_blocks)


def _queries_along(lookup, every_axes):
    """The queries along the axes of each style, (places, axes), NumPy arrays; and two means.

    These are of the photo's columns and of the combination's, (channels,).
    """
    photo_share = lookup.photo_share.astype(np.float32)
    queries, mean = _centered_along(lookup, lookup.base, every_axes)
    of_x, mean_of_x = _centered_along(lookup, lookup.x, every_axes)
    for own, x in zip(queries, of_x, strict=True):  # in place: they may be larger than memory
        for places in _strips(np.arange(len(own))):
            share = photo_share[places]
            own[places] = share * own[places] + (1 - share) * x[places]
    return queries, (mean, mean_of_x)


def _cosines_in_all_channels(lookup, means, styles, found):
    """The cosines of queries and neighbours found, (styles, places); 0 where none is wanted.

    Args:
        lookup: what is asked for.
        means: from `_queries_along`.
        styles: as `ManyCandidates`.
        found: of each style, the index of each place's neighbour, (places,).
    """
    cosines = np.zeros((len(styles), len(lookup.coverage)), np.float32)
    photo_share = lookup.photo_share.astype(np.float32)
    photo, combination = (
        columns_by_tile(lookup.network, picture, lookup.tile) for picture in (lookup.base, lookup.x)
    )
    for (places, of_photo), (_, of_x) in zip(photo, combination, strict=True):
        columns = [keras.ops.convert_to_numpy(own) for own in (of_photo, of_x)]
        wanted = slice(None) if lookup.wanted is None else lookup.wanted[places]
        for strip in _strips(np.arange(len(places))[wanted]):
            own, x = (each[strip] - mean for each, mean in zip(columns, means, strict=True))
            at, share = places[strip], photo_share[places[strip]]
            queries = unit(share * own + (1 - share) * x)
            for index, (style, neighbors) in enumerate(zip(styles, found, strict=True)):
                others = unit_deviations(columns_at(style.columns, neighbors[at]), style.mean)
                products = keras.ops.sum(queries * others, axis=-1)
                cosines[index, at] = keras.ops.convert_to_numpy(products)
    return cosines


def _centered_along(lookup, picture, every_axes):
    """A picture's columns, less their mean, along several axes; and that mean, (channels,)."""
    grid, channels = shape_of_columns(lookup.network, picture)
    number, total = math.prod(grid), np.zeros(channels)
    along = [_empty(lookup, (number, axes.shape[1])) for axes in every_axes]
    for places, own in columns_by_tile(lookup.network, picture, lookup.tile):
        for result, axes in zip(along, every_axes, strict=True):
            result[places] = keras.ops.convert_to_numpy(keras.ops.matmul(own, axes))
        total += keras.ops.convert_to_numpy(own).sum(axis=0, dtype=np.float64)
    mean = (total / number).astype(np.float32)
    for result, axes in zip(along, every_axes, strict=True):
        result -= mean @ axes
    return along, mean


def _empty(lookup, shape):
    """A float32 array: in a file where there are tiles, since it is larger than one of them."""
    return empty_in_file(shape, lookup.scratch) if lookup.tile else empty_in_memory(shape)


def _strips(places):
    """A few thousand places after others."""
    for first in range(0, len(places), STRIP):
        yield places[first : first + STRIP]
