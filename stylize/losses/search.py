"""The nearest of many columns of features: by comparing every pair, a shortlist, or blocks first.

At 400 rows a photo and a painting have 10,000 places each, of 2560 channels: comparing every pair
takes as many multiplications as three evaluations. So many columns are compared along the axes in
which the candidates vary most, and all channels decide between the few that are nearest there.

Even so the time grows with the square of the pixels. With more than `MANY`, blocks of places that
lie together, which are much alike, are compared by their means, and only the members of the best
one by one. The larger the picture, the larger are the blocks.
"""

import math
from typing import Any

import numpy as np

from stylize.backend.tensors import keras

SIMILARITIES = 2**25  # at most so many at once
STRIP = 4096  # columns that are in memory at once, where not all are
FEW, FEW_QUERIES = 4096, 256  # with fewer, every pair is compared: the axes would take longer
SAMPLE = 2048  # candidates of which the axes are found
AXES, ROUNDS = 128, 2  # how many axes; how often they are turned towards the largest variance
SHORTLIST = 8  # candidates that are compared in all channels
MANY = 2**14  # with more, blocks of places are compared first
MANY_AXES = 256  # along which they are compared, instead of in all channels
MOST_BLOCKS = 2**15  # of a picture
BEST = 64  # blocks whose members are compared


def unit(columns: Any) -> Any:
    """Returns columns (places, channels) at length 1; those without any response stay 0."""
    columns = keras.ops.convert_to_tensor(columns)  # PyTorch's, on a GPU, do not mix with NumPy's
    squares = keras.ops.sum(keras.ops.square(columns), axis=-1, keepdims=True)
    return columns / keras.ops.sqrt(keras.ops.maximum(squares, 1e-12))


def unit_deviations(columns: Any, mean: np.ndarray) -> Any:
    """Returns columns (places, channels) less their mean, (channels,), at length 1."""
    return unit(keras.ops.subtract(columns, mean))


def nearest(queries: Any, candidates: Any, dtype: str = "float32") -> tuple[Any, Any]:
    """For each query, a candidate at the smallest cosine distance, or nearly so among many.

    Args:
        queries: (n, channels).
        candidates: (m, channels). From `FEW` on, about one query in fifty gets another candidate
            than `nearest_of_all` finds, with a cosine that is lower by about 0.01.
        dtype: of the products: "bfloat16" where that is fast.

    Returns:
        (indices (n,) into the candidates, cosines (n,) float32), NumPy arrays.
    """
    if candidates.shape[0] < FEW or queries.shape[0] < FEW_QUERIES:
        return nearest_of_all(queries, candidates, dtype)
    candidates = unit(candidates)
    axes = keras.ops.convert_to_tensor(principal_axes(candidates, AXES))
    along = keras.ops.transpose(keras.ops.cast(keras.ops.matmul(candidates, axes), dtype))
    indices, cosines = [], []
    for batch in _batches(queries, candidates):
        similarities = keras.ops.matmul(keras.ops.cast(keras.ops.matmul(batch, axes), dtype), along)
        _, shortlist = keras.ops.top_k(similarities, SHORTLIST)
        in_all_channels = [  # one at a time, to save memory
            keras.ops.sum(batch * keras.ops.take(candidates, shortlist[:, rank], axis=0), axis=-1)
            for rank in range(SHORTLIST)
        ]
        in_all_channels = keras.ops.convert_to_numpy(keras.ops.stack(in_all_channels, axis=-1))
        best = in_all_channels.argmax(1)[:, np.newaxis]
        shortlist = keras.ops.convert_to_numpy(shortlist)
        indices.append(np.take_along_axis(shortlist, best, axis=1)[:, 0])
        cosines.append(np.take_along_axis(in_all_channels, best, axis=1)[:, 0])
    return np.concatenate(indices), np.concatenate(cosines)


def nearest_of_all(queries: Any, candidates: Any, dtype: str = "float32") -> tuple[Any, Any]:
    """`nearest`, with every candidate compared in every channel, however many there are."""
    candidates = unit(candidates)
    others = keras.ops.transpose(keras.ops.cast(candidates, dtype))
    indices, cosines = [], []
    for batch in _batches(queries, candidates):
        similarities = keras.ops.matmul(keras.ops.cast(batch, dtype), others)
        index = keras.ops.argmax(similarities, axis=1)
        best = keras.ops.max(similarities, axis=1)
        indices.append(keras.ops.convert_to_numpy(index))
        cosines.append(keras.ops.convert_to_numpy(keras.ops.cast(best, "float32")))
    return np.concatenate(indices), np.concatenate(cosines)


def nearest_by_blocks(
    queries: Any,
    candidates: Any,
    query_blocks: np.ndarray,
    candidate_blocks: np.ndarray,
    dtype: str = "float32",
) -> tuple[Any, Any]:
    """For each query, one of the nearest candidates, in a time that hardly grows faster than both.

    Args:
        queries: (n, axes), along the candidates' principal axes.
        candidates: (m, axes), of columns of length 1, along these. Both may be larger than memory.
        query_blocks, candidate_blocks: from `blocks`. Queries that are in none are not looked up.
        dtype: of the products of blocks: "bfloat16" where that is fast.

    Returns:
        (indices (n,) into the candidates, cosines (n,) float32), NumPy arrays; 0 for queries that
        were not looked up. A cosine is that of the query as far as the axes show it.
    """
    means = _block_means(candidates, candidate_blocks)
    means = keras.ops.transpose(keras.ops.cast(means, dtype))
    kept = min(BEST, len(candidate_blocks))  # blocks whose members are compared
    numbers = kept * candidate_blocks.shape[1] * candidates.shape[1]  # for each block of queries
    at_once = max(1, SIMILARITIES // max(len(candidate_blocks), numbers))
    indices = np.zeros(queries.shape[0], np.int32)
    cosines = np.zeros(queries.shape[0], np.float32)
    for first in range(0, len(query_blocks), at_once):
        places = query_blocks[first : first + at_once]
        own = unit(columns_at(queries, places))  # (blocks, members, axes)
        similarities = keras.ops.matmul(keras.ops.cast(keras.ops.mean(own, axis=1), dtype), means)
        _, found = keras.ops.top_k(similarities, kept)
        shortlist = candidate_blocks[keras.ops.convert_to_numpy(found)].reshape(len(places), -1)
        others = columns_at(candidates, shortlist)  # (blocks, members of those kept, axes)
        of_members = keras.ops.matmul(own, keras.ops.transpose(others, (0, 2, 1)))
        best = keras.ops.convert_to_numpy(keras.ops.argmax(of_members, axis=-1))
        indices[places] = np.take_along_axis(shortlist, best, axis=1)
        cosines[places] = keras.ops.convert_to_numpy(keras.ops.max(of_members, axis=-1))
    return indices, cosines


def _block_means(columns, grouped):
    """The mean of the columns of each block, (blocks, axes)."""
    return np.concatenate(
        [
            keras.ops.convert_to_numpy(keras.ops.mean(columns_at(columns, places), axis=1))
            for places in np.array_split(grouped, math.ceil(grouped.size / STRIP))
        ]
    )


def blocks(rows: int, cols: int) -> np.ndarray:
    """The places of a picture in square blocks: single ones, up to `MANY`.

    Returns:
        (blocks, places of each), int32; at the right and at the bottom some places are there twice.
    """
    places = rows * cols
    side = max(2, math.ceil(math.sqrt(places / MOST_BLOCKS))) if places > MANY else 1
    by_rows, by_cols = (
        np.minimum(np.arange(math.ceil(length / side) * side), length - 1).reshape(-1, side)
        for length in (rows, cols)
    )
    index = by_rows[:, np.newaxis, :, np.newaxis] * cols + by_cols[:, np.newaxis, :]
    return index.reshape(-1, side * side).astype(np.int32)


def principal_axes(columns: Any, number: int, mean: Any = None) -> np.ndarray:
    """Orthogonal directions in which columns vary most, found in a sample of them.

    Args:
        columns: (m, channels); what their mean has in common takes one of the axes.
        number: of axes.
        mean: (channels,): is taken off, and the rest taken at length 1; None: columns as they are.

    Returns:
        (channels, `number`), or as many axes as channels if these are fewer, of length 1, float32.

    Source: Halko, Martinsson and Tropp, "Finding structure with randomness" (2011), alg. 4.4.
    """
    rng = np.random.default_rng(0)
    places = rng.choice(columns.shape[0], min(SAMPLE, columns.shape[0]), replace=False)
    sample = columns_at(columns, np.sort(places).astype(np.int32))
    sample = keras.ops.convert_to_numpy(sample if mean is None else unit_deviations(sample, mean))
    axes = rng.normal(size=(sample.shape[1], number)).astype(np.float32)
    for _ in range(ROUNDS):
        axes, _ = np.linalg.qr(sample.T @ (sample @ axes))
    return axes


def columns_at(columns: Any, places: np.ndarray) -> Any:
    """The columns at some places: of a tensor, or of a NumPy array, perhaps larger than memory."""
    if isinstance(columns, np.ndarray):
        return keras.ops.convert_to_tensor(columns[places])
    return keras.ops.take(columns, places, axis=0)


def _batches(queries, candidates):
    """The queries at length 1, some thousand after others, so that memory is bounded."""
    size = max(64, SIMILARITIES // candidates.shape[0])
    for first in range(0, queries.shape[0], size):
        yield unit(queries[first : first + size])
