"""VGG19's layers with given weights, and what comes before and after them."""

from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np

from stylize.backend import tensors
from stylize.backend.tensors import keras
from stylize.errors import InputError, listed, require
from stylize.vgg.convolution import convolution, turned_kernel
from stylize.vgg.pooling import max_pooling
from stylize.vgg.weights import IMAGENET_MEAN_BGR, VGG19Weights, passes_through

OURS = {"dtype": "float32", "data_format": "channels_last"}  # what our own layers take
VALUES = {  # `vgg19_layers` takes one of each
    "precision": ("float32", "bfloat16", "float16"),  # Keras's names of its dtype policies
    "pooling": ("max", "avg"),
    "pool_padding": ("valid", "same"),
    "edges": ("zero", "replicate"),
    "data_format": ("channels_last", "channels_first"),
}
NARROWEST = 64  # channels, or filters: all of VGG19's layers; with fewer, ours was not measured


def check_network(weights: Any, layers: Any, *values: Any) -> None:
    """Checks what a network is to be built of: `values` are for `VALUES`, in order.

    Raises:
        InputError: not weights, a layer that they lack, or an unknown value.
    """
    require("weights", weights, VGG19Weights, "a VGG19Weights, from load_weights")
    require("layers", layers, Collection, "a list of names")
    poolings = {f"{name.partition('_')[0]}_pool" for name in weights.layers}
    names = {layers} if isinstance(layers, str) else set(layers)
    if unknown := sorted(map(str, names - poolings - weights.layers.keys())):
        there = " and ".join(f"{min(each)} to {max(each)}" for each in (weights.layers, poolings))
        raise InputError(f"layers: a VGG19 has no {listed(unknown)}; it has {there}")
    if not names or isinstance(layers, str):
        raise InputError(f"layers must be a list of at least one name, received {layers!r}")
    for (name, known), value in zip(VALUES.items(), values, strict=True):
        if value not in known:
            raise InputError(f"{name} must be {' or '.join(known)}, received {value!r}")


def vgg19_layers(
    weights: VGG19Weights,
    precision: str = "float32",
    pooling: str = "max",
    pool_padding: str = "valid",
    edges: str = "zero",
    data_format: str = "channels_last",
) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    """Yields the name and the function of each layer, from block1_conv1 to the last convolution.

    Args:
        weights: of the convolutions. One that only passes its input through is not computed.
        precision: of the convolutions, one of `VALUES`, like the arguments below.
        pooling: "max" or "avg".
        pool_padding: what happens to an odd last row: "valid" leaves it out, "same" pools it alone.
        edges: what lies around the picture: "zero", or with "replicate" its outermost pixels.
        data_format: of what goes through the layers.
    """
    options = {"dtype": precision, "data_format": data_format}
    block, padding = "block1", {"zero": "same", "replicate": "valid"}[edges]
    for name, (kernel, bias) in weights.layers.items():
        if not name.startswith(block):
            pool = f"{block}_pool"
            yield pool, _pooling(pool, pooling, pool_padding, options)
            block = name.partition("_")[0]
        if passes_through(kernel, bias):
            yield name, lambda x: x
        else:
            yield name, _convolution(name, kernel, bias, padding, options)
            padding = "same"


def _pooling(name, pooling, padding, options):
    """A pooling of 2x2 positions, as a function."""
    pool_class = {"max": keras.layers.MaxPooling2D, "avg": keras.layers.AveragePooling2D}[pooling]
    layer = pool_class(2, padding=padding, name=name, **options)
    if (pooling, padding, options) == ("max", "valid", OURS) and tensors.convolves_slowly():
        layer.call = max_pooling
    return layer


def _convolution(name, kernel, bias, padding, options):
    """A convolution with a ReLU, as a function: weights can be set when the layer has an input."""
    layer = keras.layers.Conv2D(
        kernel.shape[-1], 3, padding=padding, activation="relu", name=name, **options
    )
    wide = max(kernel.shape[2:]) >= NARROWEST
    if wide and padding == "same" and options == OURS and tensors.convolves_slowly():
        turned = turned_kernel(kernel)
        layer.convolution_op = lambda x, kernel: convolution(x, kernel, turned)

    def convolve(x):
        y = layer(x)
        layer.set_weights((kernel, bias))
        return y

    return convolve


def to_network(x: Any, weights: VGG19Weights, edges: str, data_format: str) -> Any:
    """Makes of pictures, as `preprocess_image` makes them, what the first layer takes."""
    if tuple(weights.mean_bgr) != IMAGENET_MEAN_BGR:
        x = x + np.float32(np.subtract(IMAGENET_MEAN_BGR, weights.mean_bgr))
    if edges == "replicate":
        x = replicate_edges(x)
    if data_format == "channels_first":
        tensors.require_channels_first()
        x = keras.ops.transpose(x, (0, 3, 1, 2))
    return x


def from_network(x: Any, data_format: str) -> Any:
    """Makes of a layer's output float32 features (n, rows, cols, channels)."""
    if data_format == "channels_first":
        x = keras.ops.transpose(x, (0, 2, 3, 1))
    return keras.ops.cast(x, "float32")


def replicate_edges(x: Any, rows: tuple[int, int] = (1, 1), cols: tuple[int, int] = (1, 1)) -> Any:
    """Pictures (n, rows, cols, channels) with their outermost pixels once more around them.

    Args:
        x: the pictures.
        rows, cols: 1 where that is wanted, 0 where not: (above, below), (left, right).
    """
    (above, below), (left, right) = rows, cols
    x = keras.ops.concatenate([x[:, :1]] * above + [x] + [x[:, -1:]] * below, axis=1)
    return keras.ops.concatenate([x[:, :, :1]] * left + [x] + [x[:, :, -1:]] * right, axis=2)
