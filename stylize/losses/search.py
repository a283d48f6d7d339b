"""The nearest of many columns of features, by comparing every pair or, faster, a shortlist.

At 400 rows a photo and a painting have 10,000 places each, of 2560 channels: comparing every pair
takes as many multiplications as three evaluations. So many columns are compared along the axes in
which the candidates vary most, and all channels decide between the few that are nearest there.
"""

from typing import Any

import numpy as np

from stylize.backend.tensors import keras

SIMILARITIES = 2**25  # at most so many at once
FEW, FEW_QUERIES = 4096, 256  # with fewer, every pair is compared: the axes would take longer
SAMPLE = 2048  # candidates of which the axes are found
AXES, ROUNDS = 128, 2  # how many axes; how often they are turned towards the largest variance
SHORTLIST = 8  # candidates that are compared in all channels


def unit(columns: Any) -> Any:
    """Returns columns (places, channels) at length 1; those without any response stay 0."""
    squares = keras.ops.sum(keras.ops.square(columns), axis=-1, keepdims=True)
    return columns / keras.ops.sqrt(keras.ops.maximum(squares, 1e-12))


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
    axes = keras.ops.convert_to_tensor(principal_axes(candidates))
    along = keras.ops.transpose(keras.ops.cast(keras.ops.matmul(candidates, axes), dtype))
    indices, cosines = [], []
    for own in _blocks(queries, candidates):
        similarities = keras.ops.matmul(keras.ops.cast(keras.ops.matmul(own, axes), dtype), along)
        _, shortlist = keras.ops.top_k(similarities, SHORTLIST)
        of_each = [  # one at a time, to save memory
            keras.ops.sum(own * keras.ops.take(candidates, shortlist[:, place], axis=0), axis=-1)
            for place in range(SHORTLIST)
        ]
        of_each = keras.ops.convert_to_numpy(keras.ops.stack(of_each, axis=-1))
        best = of_each.argmax(1)[:, np.newaxis]
        shortlist = keras.ops.convert_to_numpy(shortlist)
        indices.append(np.take_along_axis(shortlist, best, axis=1)[:, 0])
        cosines.append(np.take_along_axis(of_each, best, axis=1)[:, 0])
    return np.concatenate(indices), np.concatenate(cosines)


def nearest_of_all(queries: Any, candidates: Any, dtype: str = "float32") -> tuple[Any, Any]:
    """`nearest`, with every candidate compared in every channel, however many there are."""
    candidates = unit(candidates)
    others = keras.ops.transpose(keras.ops.cast(candidates, dtype))
    indices, cosines = [], []
    for own in _blocks(queries, candidates):
        similarities = keras.ops.matmul(keras.ops.cast(own, dtype), others)
        index = keras.ops.argmax(similarities, axis=1)
        best = keras.ops.max(similarities, axis=1)
        indices.append(keras.ops.convert_to_numpy(index))
        cosines.append(keras.ops.convert_to_numpy(keras.ops.cast(best, "float32")))
    return np.concatenate(indices), np.concatenate(cosines)


def principal_axes(columns: Any) -> np.ndarray:
    """Orthogonal directions in which columns vary most, found in a sample of them.

    Args:
        columns: (m, channels); what their mean has in common takes one of the axes.

    Returns:
        (channels, `AXES`), or as many axes as channels if these are fewer, of length 1, float32.

    Source: Halko, Martinsson and Tropp, "Finding structure with randomness" (2011), alg. 4.4.
    """
    rng = np.random.default_rng(0)
    number = columns.shape[0]
    places = np.sort(rng.choice(number, min(SAMPLE, number), replace=False)).astype(np.int32)
    sample = keras.ops.convert_to_numpy(keras.ops.take(columns, places, axis=0))
    axes = rng.normal(size=(sample.shape[1], AXES)).astype(np.float32)
    for _ in range(ROUNDS):
        axes, _ = np.linalg.qr(sample.T @ (sample @ axes))
    return axes


def _blocks(queries, candidates):
    """The queries at length 1, block after block, so that memory is bounded."""
    block = max(64, SIMILARITIES // candidates.shape[0])
    for first in range(0, queries.shape[0], block):
        yield unit(queries[first : first + block])
