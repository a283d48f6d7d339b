"""Winograd's minimal filtering: a 3x3 convolution with a quarter of the multiplications.

An output of 4x4 positions depends on a tile of 6x6. Tiles and kernel are taken to where the
convolution is a product, value by value, of 36 instead of 144 for each pair of channels, and the
sums over channels are 36 matrix products. Source: Lavin and Gray 2015 (arXiv:1509.09308), sec. 4.
"""

from typing import Any

import numpy as np

from stylize.backend import tensors
from stylize.backend.tensors import keras

STEP, TILE = 4, 6  # positions of an output's side, and of the tile's that it depends on
CHANNELS = 128  # of input or output, from which on it pays: with fewer, copies take what it saves
TILES = 64  # from which on it pays: with fewer, making the kernel's form takes what it saves

# B^T, G and A^T of F(4x4, 3x3), sec. 4.2, for an axis
_BT: list[list[float]] = [
    [4, 0, -5, 0, 1, 0],
    [0, -4, -4, 1, 1, 0],
    [0, 4, -4, -1, 1, 0],
    [0, -2, -1, 2, 1, 0],
    [0, 2, -1, -2, 1, 0],
    [0, 4, 0, -5, 0, 1],
]
_G: list[list[float]] = [
    [1 / 4, 0, 0],
    [-1 / 6, -1 / 6, -1 / 6],
    [-1 / 6, 1 / 6, -1 / 6],
    [1 / 24, 1 / 12, 1 / 6],
    [1 / 24, -1 / 12, 1 / 6],
    [0, 0, 1],
]
_AT: list[list[float]] = [
    [1, 1, 1, 1, 1, 0],
    [0, 1, -1, 2, -2, 0],
    [0, 1, 1, 4, 4, 0],
    [0, 1, -1, 8, -8, 1],
]
# For both axes at once: a matrix product is faster than sums of slices.
FROM_INPUT, FROM_KERNEL, TO_OUTPUT = (  # (36, 36), (36, 9), (16, 36)
    np.kron(matrix, matrix).astype(np.float32) for matrix in map(np.array, (_BT, _G, _AT))
)


def convolution(x: Any, kernel: Any, turned: Any) -> Any:
    """Returns a 3x3 convolution with stride 1 and padding "same", by the faster of two methods.

    Its gradient is with respect to x alone, and computed as such a convolution too: of the gradient
    with respect to the output, with the turned kernel.

    Args:
        x: (n, rows, cols, channels), of a shape that is known, float32.
        kernel: (3, 3, channels, filters), float32.
        turned: that kernel turned, (3, 3, filters, channels), from `turned_kernel`.
    """
    n, rows, cols, _ = x.shape
    pays = max(kernel.shape[2:]) >= CHANNELS and n * rows * cols >= TILES * STEP**2
    convolve = minimal_filtering if pays else _direct_form
    # What is made of a kernel is four times as large, so it is not to be made before it is needed.
    kernel = tensors.after(x, kernel)

    def gradient(upstream):
        return convolve(upstream, tensors.after(upstream, turned))

    return keras.ops.custom_gradient(lambda x: (convolve(x, kernel), gradient))(x)


def turned_kernel(kernel: np.ndarray) -> Any:
    """Returns a kernel turned by 180 degrees, its channels swapped, (3, 3, filters, channels).

    Turning takes as long as a small picture's convolution, so it is not done at each evaluation.
    """
    turned = np.flip(kernel, (0, 1)).swapaxes(2, 3)
    return keras.ops.convert_to_tensor(np.ascontiguousarray(turned))


def _direct_form(x, kernel):
    return keras.ops.conv(x, kernel, padding="same", data_format="channels_last")


def minimal_filtering(x: Any, kernel: Any) -> Any:
    """Returns a 3x3 convolution with stride 1 and padding "same", by minimal filtering.

    Args:
        x: (n, rows, cols, channels), of a shape that is known, float32.
        kernel: (3, 3, channels, filters), float32.

    Source: Lavin and Gray 2015, algorithm 1.
    """
    ops = keras.ops
    n, rows, cols, channels = x.shape
    filters = kernel.shape[-1]
    down, across = -(-rows // STEP), -(-cols // STEP)  # tiles
    below, right = down * STEP - rows, across * STEP - cols
    x = ops.pad(x, [[0, 0], [1, 1 + below], [1, 1 + right], [0, 0]])
    # The 36 positions of a tile are the first axis, so that nothing has to be transposed later.
    positions = tile_positions(n, down, across)  # (36, tiles)
    x = ops.take(ops.reshape(x, (-1, channels)), positions, axis=0)  # (36, tiles, channels)
    x = ops.matmul(FROM_INPUT, ops.reshape(x, (TILE**2, -1)))
    # Made again each time: kept, these would be four times as large as all kernels.
    u = ops.matmul(FROM_KERNEL, ops.reshape(kernel, (9, -1)))
    u = ops.reshape(u, (TILE**2, channels, filters))
    x = ops.matmul(ops.reshape(x, (TILE**2, -1, channels)), u)  # (36, tiles, filters)
    x = ops.matmul(TO_OUTPUT, ops.reshape(x, (TILE**2, -1)))  # (16, tiles * filters)
    x = ops.reshape(x, (STEP, STEP, n, down, across, filters))
    x = ops.transpose(x, (2, 3, 0, 4, 1, 5))
    return ops.reshape(x, (n, down * STEP, across * STEP, filters))[:, :rows, :cols]


def tile_positions(n: int, down: int, across: int) -> np.ndarray:
    """Returns where tiles are in n flat pictures of down x across of them, (36, tiles)."""
    shape = down * STEP + TILE - STEP, across * STEP + TILE - STEP
    flat = np.arange(n * shape[0] * shape[1], dtype=np.int32).reshape(n, *shape)
    tiles = np.lib.stride_tricks.sliding_window_view(flat, (TILE, TILE), axis=(1, 2))
    tiles = tiles[:, ::STEP, ::STEP]  # (n, down, across, 6, 6)
    return tiles.transpose(3, 4, 0, 1, 2).reshape(TILE**2, -1)
