"""The arrays that an optimiser computes with: NumPy's, in memory or in files, or the backend's."""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from stylize.backend import tensors


class ArrayNamespace(NamedTuple):
    """What an optimiser computes with, and so where its vectors are.

    Attributes:
        ops: `numpy` or `keras.ops`; functions that both have under the same name.
        dot: of two float32 arrays of one shape, a scalar.
        compiled: of a function of arrays and lists of arrays, the same function in one call.
        asarray: a float32 array of this kind, from NumPy's or the backend's.
        constant: the same, for what always stays in memory.
        to_numpy: the way back.
        blockwise: called as blockwise(function, arrays, *constants), where the function takes
            blocks of arrays of as many rows, and the constants (in blocks too, if of the first
            array's shape), and returns (list of blocks, list of sums over the block). Returns
            (list of whole arrays, sums over all of them).
        filtered: called as filtered(x, gains), where x is a picture (1, rows, cols, 3) and gains
            (rows, cols) is an even function of frequency, in FFT order. Returns x with each
            frequency multiplied by its gain.
        retraces: whether `compiled` starts over when the number of arguments changes.
    """

    ops: Any
    dot: Callable[[Any, Any], Any]
    compiled: Callable[[Callable], Callable]
    asarray: Callable[[Any], Any]
    constant: Callable[[Any], Any]
    to_numpy: Callable[[Any], np.ndarray]
    blockwise: Callable[..., tuple[list, Any]]
    filtered: Callable[[Any, Any], Any]
    retraces: bool


BLOCK = 2**18  # values of an array that are computed with at once: they stay in the cache


def numpy_arrays(
    empty: Callable[[tuple[int, ...]], np.ndarray] | None = None,
    release: Callable[[np.ndarray], None] = lambda array: None,
) -> ArrayNamespace:
    """NumPy's arrays, in memory or elsewhere.

    Args:
        empty: makes a float32 array of a shape; None: in memory.
        release: is told of an array of which a block was read or written.
    """
    make = empty or functools.partial(np.empty, dtype=np.float32)

    def blockwise(function, arrays, *constants):
        shape, results, sums = arrays[0].shape, None, 0.0
        for block in _blocks(shape):
            given = [each[block] if each.shape == shape else each for each in constants]
            own, added = function([array[block] for array in arrays], *given)
            if results is None:
                results = [make(shape) for _ in own]
            for result, values in zip(results, own, strict=True):
                result[block] = values
            sums = sums + np.asarray(added, np.float64)
            for array in (*arrays, *results):
                release(array)
        return results, sums

    def filtered(x, gains):
        result = make(x.shape)
        for channel in range(x.shape[-1]):  # one at a time, to save memory
            spectrum = np.fft.rfft2(x[0, ..., channel])
            spectrum *= gains[:, : spectrum.shape[1]]
            result[0, ..., channel] = np.fft.irfft2(spectrum, x.shape[1:3])
            release(x)
            release(result)
        return result

    def asarray(array):
        if empty and getattr(array, "_mmap", None) is not None:
            return array  # it is in a file already
        array = tensors.to_numpy(array).astype(np.float32, copy=False)
        return blockwise(lambda blocks: (blocks, ()), [array])[0][0] if empty else array

    return ArrayNamespace(
        ops=np,
        dot=np.vdot,
        compiled=lambda function: function,
        asarray=asarray,
        constant=lambda array: np.asarray(array, np.float32),
        to_numpy=np.asarray,
        blockwise=blockwise,
        filtered=filtered,
        retraces=False,
    )


def _blocks(shape):
    """Slices along the last axis but two, of about `BLOCK` values; of other shapes, all."""
    if len(shape) < 3:
        return [...]
    rows = max(1, BLOCK // math.prod(shape[-2:]))
    return [(..., slice(row, row + rows), *[slice(None)] * 2) for row in range(0, shape[-3], rows)]


NUMPY = numpy_arrays()


def device_arrays() -> ArrayNamespace:
    """The backend's tensors, on its GPU where it has one."""
    ops = tensors.keras.ops

    def filtered(x, gains):
        real = ops.transpose(x, (0, 3, 1, 2))
        real, imaginary = ops.fft2((real, ops.zeros_like(real)))
        real, _ = ops.ifft2((real * gains, imaginary * gains))
        return ops.transpose(real, (0, 2, 3, 1))

    return ArrayNamespace(
        ops=ops,
        # Not a matrix product, which GPUs may round to ten bits (TF32).
        dot=lambda a, b: ops.sum(a * b),
        compiled=tensors.framework().compiled,
        asarray=lambda array: ops.convert_to_tensor(array, "float32"),
        constant=lambda array: ops.convert_to_tensor(array, "float32"),
        to_numpy=tensors.to_numpy,
        blockwise=lambda function, arrays, *constants: function(arrays, *constants),
        filtered=filtered,
        retraces=True,
    )


def array_namespace() -> ArrayNamespace:
    """For an optimiser: tensors on a GPU, so that nothing of picture size leaves it; else NumPy."""
    return device_arrays() if tensors.uses_gpu() else NUMPY
