#!/usr/bin/env python3
# PYTHON_ARGCOMPLETE_OK
"""Paints a photo in the style of a picture by optimising pixels against VGG19 features.

    python neural_style_transfer.py base.jpg style_reference.jpg results/prefix
    python neural_style_transfer.py base.jpg style_reference.jpg results/prefix --iter 5 --size 300

The combination C starts as the base B and is changed by L-BFGS until the loss is small:

    loss            = content + style + total variation
    content         = content_weight * sum (F(B) - F(C))^2
    style           = style_weight/5 * sum over block1..5_conv1 of
                      sum (G(S) - G(C))^2 / (4 * 3^2 * (rows * cols)^2),      G = F^T F
    total variation = tv_weight * sum ((C[i,j] - C[i+1,j])^2 + (C[i,j] - C[i,j+1])^2)^1.25

F are VGG19's features after the ReLU, one row a position and one column a channel; S is the style
reference. The method is Gatys, Ecker and Bethge, "A Neural Algorithm of Artistic Style" (2015,
arXiv:1508.06576); the regulariser is Mahendran and Vedaldi's (2014, arXiv:1412.0035) with
beta = 2.5. Formulas, and with `--recipe keras` numbers, are those of the Keras example script. They
depart from the paper in starting from the photo instead of noise, in the constants in front of
the sums, and in the total variation, which the paper does not have. The default recipe, `pyramid`,
minimises them coarse to fine; `gatys` and `athalye` have formulas of their own (`FORMULAS`).
"""

import argparse
import contextlib
import dataclasses
import difflib
import functools
import importlib
import json
import logging
import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
import scipy.optimize
from PIL import Image
from threadpoolctl import threadpool_limits
from tqdm import tqdm

import records
from pictures import (
    COLOR_TRANSFERS,
    DEEP_FORMATS,
    FORMATS,
    SMALLEST_SIDE,
    InputError,
    enlarge,
    keep_luma,
    load_image,
    load_mask,
    preprocess_image,
    quantize,
    resize_image,
    resize_mask,
    rgb_values,
    save_image,
    working_size,
)
from recipes import (
    DEFAULT_RECIPE,
    EVALUATIONS_PER_ITERATION,
    RECIPES,
    SETTINGS,
    choose_settings,
)
from vgg19_weights import (
    IMAGENET_MEAN_BGR,
    VGG19Weights,
    WeightsError,
    load_weights,
)

__version__ = "0.1.0"

SMALLEST_SCALE = 100  # pixels of the short side at which a pyramid begins, or a little more
PROCESS_MIB = 900  # of memory, before a picture is there
BYTES_PER_PIXEL = {"float32": 2900, "bfloat16": 2350, "float16": 2350}  # of the largest size
NOISE = 0.256  # standard deviation of the noise to start from, around the mean pixel


class NonFiniteLoss(FloatingPointError):
    """A term of the loss became NaN or infinite."""


class _Keras:
    """The `keras` package, imported when first used.

    The import takes seconds, which `--help` and a mistyped path should not cost. TensorFlow's C++
    part logs its start-up to file descriptor 2 whatever its log level, so that is closed meanwhile.
    """

    def __getattr__(self, name):
        if "keras" not in sys.modules:
            os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
            with _silenced_stderr():
                keras = importlib.import_module("keras")
                keras.ops.zeros(())  # the backend starts its devices here
            # It would warn that a function is traced anew at each size, as it must be.
            logging.getLogger("tensorflow").setLevel(logging.ERROR)
        return getattr(sys.modules["keras"], name)


@contextlib.contextmanager
def _silenced_stderr():
    """Sends file descriptor 2 to nowhere, C and C++ code's messages included."""
    sys.stderr.flush()
    saved = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


keras = _Keras()


# ---------------------------------------------------------------------------------------------
# Features
# ---------------------------------------------------------------------------------------------


def build_network(weights, layers, precision="float32", pooling="max", pool_padding="valid"):
    """Builds the Keras VGG19, cut off after the deepest of `layers`.

    Args:
        weights: a `VGG19Weights`; the number of channels is taken from its kernels.
        layers: the Keras layer names whose outputs, after the ReLU, are wanted.
        precision: of the convolutions, one of `PRECISIONS`.
        pooling: "max", or "avg" as Gatys et al. suggest.
        pool_padding: what happens to an odd last row: "valid" leaves it out, "same" pools it alone.

    Returns:
        A Keras model from pictures (n, rows, cols, 3), as `preprocess_image` makes them, to a
        dictionary: layer name -> float32 features (n, rows, cols, channels). Keras's image data
        format decides how it computes, not what goes in and comes out.

    Raises:
        InputError: the data format is channels_first and the backend cannot compute that here.
    """
    channels_first = keras.config.image_data_format() == "channels_first"
    if channels_first:
        _require_channels_first()
    inputs = keras.Input((None, None, 3))
    x = inputs
    if tuple(weights.mean_bgr) != IMAGENET_MEAN_BGR:
        x = x + np.float32(np.subtract(IMAGENET_MEAN_BGR, weights.mean_bgr))
    if channels_first:
        x = keras.ops.transpose(x, (0, 3, 1, 2))
    outputs, convolutions, block = {}, [], "block1"
    pool_class = {"max": keras.layers.MaxPooling2D, "avg": keras.layers.AveragePooling2D}[pooling]
    for name, (kernel, bias) in weights.layers.items():
        if outputs.keys() >= set(layers):
            break
        if not name.startswith(block):
            pool = pool_class(2, name=f"{block}_pool", padding=pool_padding, dtype=precision)
            x = pool(x)
            block = name.partition("_")[0]
        if not _passes_through(kernel, bias):
            convolution = keras.layers.Conv2D(
                kernel.shape[-1],
                3,
                padding="same",
                activation="relu",
                name=name,
                dtype=precision,
            )
            x = convolution(x)
            convolutions.append(convolution)
        if name in layers:
            output = keras.ops.transpose(x, (0, 2, 3, 1)) if channels_first else x
            outputs[name] = keras.ops.cast(output, "float32")
    for convolution in convolutions:
        convolution.set_weights(weights.layers[convolution.name])
    network = keras.Model(inputs, outputs, name="vgg19")
    network.trainable = False  # no gradient is ever taken with respect to the weights
    return network


@functools.lru_cache(maxsize=2)
def _kept_network(*arguments):
    """The same network as the last time, for those who paint one picture after another."""
    return build_network(*arguments)


def _passes_through(kernel, bias):
    """Whether a convolution gives back what it is given, features being at least 0.

    The mirror's weights have three such layers, a fifth of the network's work.
    """
    identity = np.zeros_like(kernel)
    identity[1, 1] = np.eye(*kernel.shape[2:])
    return not bias.any() and np.array_equal(kernel, identity)


def _require_channels_first():
    """Raises InputError where this machine's backend has no channels_first convolution."""
    if keras.backend.backend() == "tensorflow" and not _tensorflow_gpus():
        raise InputError(
            "TensorFlow has no channels_first convolution on a CPU; set image_data_format to "
            "channels_last in ~/.keras/keras.json, or KERAS_BACKEND to jax or torch"
        )


def _tensorflow_gpus():
    import tensorflow as tf

    return tf.config.list_physical_devices("GPU")


# ---------------------------------------------------------------------------------------------
# Losses
# ---------------------------------------------------------------------------------------------


def gram_matrix(features, mask=None):
    """How often channels respond together, wherever they do: G = F^T F.

    Args:
        features: (rows, cols, channels), or any (..., channels).
        mask: weights of the positions, (rows*cols, 1), or None. G then is (T F)^T (T F), scaled to
            the number of positions: a mask of ones changes nothing.

    Returns:
        (channels, channels), not normalised.

    Source: Gatys et al. 2015, eq. 3; with a mask, Gatys et al. 2016 (arXiv:1611.07865), eq. 5.
    """
    flat = keras.ops.reshape(features, (-1, features.shape[-1]))  # (rows*cols, channels)
    if mask is None:
        return _symmetric_product(flat)
    return _symmetric_product(flat * mask) * (mask.shape[0] / keras.ops.sum(keras.ops.square(mask)))


def _symmetric_product(x):
    """x^T x, with half of the work for its gradient, in a loss that is a function of it.

    The gradient is x (D + D^T), two large products, where D is the loss's with respect to x^T x.
    The losses here make D symmetric, as x^T x is, so the gradient is twice that of one factor.
    """
    product = keras.ops.matmul(keras.ops.transpose(x), keras.ops.stop_gradient(x))
    return 2 * product - keras.ops.stop_gradient(product)


def style_loss(style_gram, combination_gram):
    """One layer's distance in style: sum (G(S) - G(C))^2.

    Args:
        style_gram, combination_gram: (channels, channels), from `gram_matrix`.

    Returns:
        A scalar, 0 where both are equal.

    Source: Gatys et al. 2015, eq. 4; the constant in front of it is in `FORMULAS`.
    """
    return keras.ops.sum(keras.ops.square(keras.ops.subtract(style_gram, combination_gram)))


def content_loss(base_features, combination_features, mask=None):
    """One layer's distance in content: sum (F(B) - F(C))^2.

    Args:
        base_features, combination_features: (1, rows, cols, channels).
        mask: weights of the positions, (rows*cols, 1), or None for ones.

    Returns:
        A scalar, 0 where both are equal.

    Source: Gatys et al. 2015, eq. 1; the constant in front of it is in `FORMULAS`.
    """
    squares = keras.ops.square(keras.ops.subtract(combination_features, base_features))
    if mask is None:
        return keras.ops.sum(squares)
    return keras.ops.sum(mask * keras.ops.reshape(squares, (-1, squares.shape[-1])))


def total_variation_loss(x):
    """Roughness: sum ((x[i,j] - x[i+1,j])^2 + (x[i,j] - x[i,j+1])^2)^1.25 over pixels and channels.

    Args:
        x: pictures (n, rows, cols, 3).

    Returns:
        A scalar, 0 for a constant picture.

    Source: Mahendran and Vedaldi 2014, sec. 3, with beta = 2.5. Not in Gatys.
    """
    down = keras.ops.square(x[:, :-1, :-1, :] - x[:, 1:, :-1, :])
    right = keras.ops.square(x[:, :-1, :-1, :] - x[:, :-1, 1:, :])
    return keras.ops.sum(keras.ops.power(down + right, 1.25))


def mean_square_variation(x):
    """Roughness: the mean of (x[i,j] - x[i+1,j])^2 plus the mean of (x[i,j] - x[i,j+1])^2.

    Args:
        x: pictures (n, rows, cols, 3).

    Returns:
        A scalar, 0 for a constant picture.

    Source: the TensorFlow neural-style program.
    """
    down = keras.ops.mean(keras.ops.square(x[:, 1:] - x[:, :-1]))
    right = keras.ops.mean(keras.ops.square(x[:, :, 1:] - x[:, :, :-1]))
    return down + right


class Formula(NamedTuple):
    """The constants in front of a layer's sums of squares, and the roughness.

    Attributes:
        content: function of the layer's (positions, channels).
        style: function of the layer's (positions, channels) and the picture's pixels.
        total_variation: function of the combination.
    """

    content: Callable[[int, int], float]
    style: Callable[[int, int, int], float]
    total_variation: Callable


FORMULAS = {
    # Gatys's M and N are positions and channels; the Keras example has the picture's here.
    "keras": Formula(
        content=lambda M, N: 1.0,
        style=lambda M, N, pixels: 1 / (4 * 3**2 * pixels**2),
        total_variation=total_variation_loss,
    ),
    "gatys": Formula(
        content=lambda M, N: 0.5,
        style=lambda M, N, pixels: 1 / (4 * N**2 * M**2),
        total_variation=total_variation_loss,
    ),
    # Means instead of sums: of squared differences, and of Gram matrices divided by M * N.
    "athalye": Formula(
        content=lambda M, N: 1 / (M * N),
        style=lambda M, N, pixels: 1 / (N**2 * (M * N) ** 2),
        total_variation=mean_square_variation,
    ),
}


# ---------------------------------------------------------------------------------------------
# The objective
# ---------------------------------------------------------------------------------------------


class Losses(NamedTuple):
    """The loss and its three weighted terms: `total` is their sum."""

    total: float
    content: float
    style: float
    total_variation: float


class LossWeights(NamedTuple):
    """What each layer's content and style loss, and the total variation, are multiplied with.

    `style_energy`, where it is not None, is what each style's energy is brought to.
    """

    content: dict[str, float]
    style: dict[str, float]
    total_variation: float
    style_energy: float | None = None


def loss_weights(settings, rows):
    """The `LossWeights` at `rows` rows: the settings' weights, turned by strength and size.

    Strength s multiplies content by (2 (1 - s))^2, style and total variation by (2 s)^2, which is
    one at 0.5. Content and total variation are sums over pixels and follow `reference_rows`; the
    style loss means the same at every size as it stands.
    """
    strength = settings["strength"]
    to_photo, to_painting = (2 * (1 - strength)) ** 2, (2 * strength) ** 2
    per_pixel = ((settings["reference_rows"] or rows) / rows) ** 2
    content = settings["content_weight"] * to_photo * per_pixel
    style = settings["style_weight"] * to_painting
    return LossWeights(
        content={layer: content * share for layer, share in settings["content_layers"].items()},
        style={layer: style * share for layer, share in settings["style_layers"].items()},
        total_variation=settings["tv_weight"] * to_painting * per_pixel,
        style_energy=settings["style_energy"],
    )


class Style(NamedTuple):
    """A style at one size of the combination."""

    picture: np.ndarray  # (rows, cols, 3), as `preprocess_image` makes it, of any size
    share: float = 1.0
    mask: np.ndarray | None = None  # (rows, cols) of the combination, 0..1: where the style goes


class Targets(NamedTuple):
    """What the combination is compared with; it never changes during a run."""

    content: dict  # layer name -> tensor of features (1, rows, cols, channels)
    content_mask: dict  # layer name -> (positions, 1), or None
    style: list  # for each style: layer name -> tensor of the Gram matrix (channels, channels)
    style_masks: list  # for each style: layer name -> (positions, 1), or None
    shapes: dict  # layer name -> (positions, channels)


def compute_targets(network, base, styles, weights, content_mask=None):
    """Runs VGG19 on the base and on each `Style`, once.

    The Keras example runs both in every evaluation, concatenated with the combination. They never
    change, so here every evaluation runs the combination alone: the same numbers for a third of
    the work. One picture at a time, and only what is needed of it, as all features of the three
    concatenated would take more memory than an evaluation.

    A style's Gram matrices are scaled to as many positions as the base has.
    """
    shapes = _feature_shapes(network, base)
    to_content = _model_of(network, weights.content)
    to_grams = _model_of(network, weights.style, gram_matrix)
    content = to_content.predict_on_batch(base[np.newaxis])
    style_grams = []
    for style in styles:
        grams = to_grams.predict_on_batch(style.picture[np.newaxis])
        own = _feature_shapes(network, style.picture)
        scales = {layer: math.prod(shapes[layer]) / math.prod(own[layer]) for layer in grams}
        style_grams.append(
            {layer: keras.ops.convert_to_tensor(grams[layer] * scales[layer]) for layer in grams}
        )
    return Targets(
        content={layer: keras.ops.convert_to_tensor(f) for layer, f in content.items()},
        content_mask={layer: _layer_mask(content_mask, shapes[layer]) for layer in weights.content},
        style=style_grams,
        style_masks=[
            {layer: _layer_mask(style.mask, shapes[layer]) for layer in weights.style}
            for style in styles
        ],
        shapes={
            layer: (rows * cols, channels) for layer, (_, rows, cols, channels) in shapes.items()
        },
    )


def _model_of(network, layers, function=lambda features: features):
    """The Keras model from pictures to a `function` of the features of `layers`, by layer name."""
    outputs = {layer: function(network.output[layer]) for layer in layers}
    return keras.Model(network.inputs, outputs)


def _feature_shapes(network, picture):
    """Layer name -> (1, rows, cols, channels) of its features of a picture (rows, cols, 3)."""
    return network.compute_output_shape((1, *picture.shape))


def _layer_mask(mask, shape):
    """A mask (rows, cols) averaged down to a layer's positions, (positions, 1), or None."""
    if mask is None:
        return None
    image = Image.fromarray(np.asarray(mask, np.float32))
    return np.asarray(image.resize((shape[2], shape[1]), Image.Resampling.BOX)).reshape(-1, 1)


def even_out(shares, grams, scales, energy):
    """The styles' `shares`, changed so that all weigh as a style of this `energy` would.

    A style's energy is sum over layers of scale * sum G(S)^2: the style loss of a picture without
    any response. Contrasts and edges that repeat have much of it. It differs so much from picture
    to picture that the same style_weight would paint over the photo with one and hardly show with
    another.

    Args:
        shares: of the styles.
        grams: for each style: layer name -> Gram matrix (channels, channels).
        scales: layer name -> what the layer's style loss is multiplied with.
        energy: what each style's is brought to; None changes nothing.
    """
    if energy is None:
        return shares
    energies = [
        sum(scale * float(style_loss(0.0, gram[layer])) for layer, scale in scales.items())
        for gram in grams
    ]
    return [
        share * energy / own if own else share for share, own in zip(shares, energies, strict=True)
    ]


def make_objective(network, base, styles, weights, formula="keras", content_mask=None):
    """Returns the `LossAndGrads` to minimise: content, style and total variation.

    Args:
        network: from `build_network`.
        base: (rows, cols, 3), as `preprocess_image` makes it.
        styles: a list of `Style`.
        weights: the `LossWeights`.
        formula: a name in `FORMULAS`.
        content_mask: (rows, cols), 0..1: where the content counts; None: everywhere.
    """
    rows, cols, _ = base.shape
    formula = FORMULAS[formula]
    targets = compute_targets(network, base, styles, weights, content_mask)
    content_scales = {
        layer: weight * formula.content(*targets.shapes[layer])
        for layer, weight in weights.content.items()
    }
    style_scales = {
        layer: weight * formula.style(*targets.shapes[layer], rows * cols)
        for layer, weight in weights.style.items()
    }
    energy = weights.style_energy and weights.style_energy * sum(weights.style.values())
    shares = even_out([style.share for style in styles], targets.style, style_scales, energy)

    def losses(combination):
        features = network(combination)
        gram = functools.cache(lambda layer: gram_matrix(features[layer]))
        content = style = 0.0
        for layer, scale in content_scales.items():
            content = content + scale * content_loss(
                targets.content[layer], features[layer], targets.content_mask[layer]
            )
        for layer, scale in style_scales.items():
            for index, share in enumerate(shares):
                mask = targets.style_masks[index][layer]
                own = gram(layer) if mask is None else gram_matrix(features[layer], mask)
                style = style + share * scale * style_loss(targets.style[index][layer], own)
        total_variation = weights.total_variation * formula.total_variation(combination)
        return keras.ops.stack([content, style, total_variation])

    return LossAndGrads(losses, rows, cols)


class LossAndGrads:
    """The losses of a combination and the gradient of their sum. Only this knows the backend.

    Calling it is what SciPy needs: from a flat float64 vector of rows*cols*3 values to (losses,
    gradient), NumPy arrays of shape (n,) and (rows*cols*3,), float64.

    Args:
        losses: function from a float32 tensor (1, rows, cols, 3) to a tensor (n,).
        rows, cols: of the picture.
    """

    def __init__(self, losses, rows, cols):
        self.shape = (1, rows, cols, 3)
        self._value_and_grad = _COMPILERS[keras.backend.backend()](losses)
        self._scale = np.float32(1)

    def __call__(self, x):
        values, gradient = self.on_device(np.asarray(x, np.float32).reshape(self.shape))
        values, gradient = map(keras.ops.convert_to_numpy, (values, gradient))
        return values.astype(np.float64), gradient.astype(np.float64).ravel()

    def on_device(self, combination):
        """The same for and in the backend's tensors: (1, rows, cols, 3) to (losses, gradient)."""
        values, gradient = self._value_and_grad(combination, self._scale)
        # On its way back through a float16 network a large gradient overflows: scale it down.
        while _is_finite(values) and not _is_finite(gradient) and self._scale > 1e-30:
            self._scale /= np.float32(256)
            values, gradient = self._value_and_grad(combination, self._scale)
        return values, gradient if self._scale == 1 else gradient / self._scale


def _is_finite(tensor):
    return bool(keras.ops.all(keras.ops.isfinite(tensor)))


def _tensorflow_value_and_grad(losses):
    import tensorflow as tf

    @tf.function
    def value_and_grad(combination, scale):
        with tf.GradientTape() as tape:
            tape.watch(combination)
            values = losses(combination)
            total = scale * tf.reduce_sum(values)
        return values, tape.gradient(total, combination)

    return lambda combination, scale: value_and_grad(
        tf.convert_to_tensor(combination), tf.convert_to_tensor(scale)
    )


def _jax_value_and_grad(losses):
    import jax

    def total(combination, scale):
        values = losses(combination)
        return scale * values.sum(), values

    value_and_grad = jax.jit(jax.value_and_grad(total, has_aux=True))

    def without_total(combination, scale):
        (_, values), gradient = value_and_grad(combination, scale)
        return values, gradient

    return without_total


def _torch_value_and_grad(losses):
    import torch

    def value_and_grad(combination, scale):
        x = keras.ops.convert_to_tensor(combination).detach().requires_grad_()
        values = losses(x)
        (gradient,) = torch.autograd.grad(float(scale) * values.sum(), x)
        return values.detach(), gradient

    return value_and_grad


_COMPILERS = {
    "tensorflow": _tensorflow_value_and_grad,
    "jax": _jax_value_and_grad,
    "torch": _torch_value_and_grad,
}


def _uses_gpu():
    """Whether the backend computes on a GPU."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        return bool(_tensorflow_gpus())
    module = importlib.import_module(backend)
    return module.cuda.is_available() if backend == "torch" else module.default_backend() != "cpu"


def peak_memory():
    """Peak MiB so far of this process, and of the backend's GPU where it has one."""
    peaks = {}
    with contextlib.suppress(ImportError):  # not on Windows
        import resource

        unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes on macOS, else KiB
        peaks["process"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    gpu = _GPU_PEAKS[keras.backend.backend()]()
    return {**peaks, "GPU": gpu / 2**20} if gpu else peaks


def _tensorflow_gpu_peak():
    import tensorflow as tf

    return tf.config.experimental.get_memory_info("GPU:0")["peak"] if _tensorflow_gpus() else 0


def _jax_gpu_peak():
    import jax

    return (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use", 0)


def _torch_gpu_peak():
    import torch

    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0


_GPU_PEAKS = {
    "tensorflow": _tensorflow_gpu_peak,
    "jax": _jax_gpu_peak,
    "torch": _torch_gpu_peak,
}


class Evaluator:
    """Gives SciPy the loss and the gradient, which it asks for separately, from one evaluation.

    It keeps a copy of the last x with both, and evaluates again only when x differs.

    Args:
        loss_and_grads: a `LossAndGrads`, or any function like it.
        on_evaluation: called with the `Losses` and x after every evaluation.
        evaluations: to count on from.
    """

    def __init__(self, loss_and_grads, on_evaluation=None, evaluations=0):
        self.evaluations = evaluations
        self._loss_and_grads = loss_and_grads
        self._on_evaluation = on_evaluation
        self._x = self._losses = self._grads = None

    def losses(self, x):
        """The `Losses` at x. Raises NonFiniteLoss."""
        if self._x is None or not np.array_equal(x, self._x):
            self._evaluate(x)
        return self._losses

    def loss(self, x):
        """The total loss at x, a float. Raises NonFiniteLoss."""
        return self.losses(x).total

    def grads(self, x):
        """The gradient of the total loss at x, a flat float64 vector. Raises NonFiniteLoss."""
        self.losses(x)
        return self._grads.copy()

    def on_device(self, combination):
        """(`Losses`, gradient) for and in the backend's tensors. Raises NonFiniteLoss."""
        terms, gradient = self._loss_and_grads.on_device(combination)
        terms = keras.ops.convert_to_numpy(terms)
        return self._count(combination, terms, _is_finite(gradient)), gradient

    def _evaluate(self, x):
        terms, grads = self._loss_and_grads(x)
        losses = self._count(x, terms, np.isfinite(grads).all())
        self._x, self._losses, self._grads = np.copy(x), losses, grads

    def _count(self, x, terms, grads_are_finite):
        """Counts an evaluation, checks and reports it. Returns its `Losses`."""
        self.evaluations += 1
        losses = Losses(float(np.sum(terms)), *map(float, terms))
        _require_finite(losses, grads_are_finite, self.evaluations)
        if self._on_evaluation:
            self._on_evaluation(losses, x)
        return losses


def _require_finite(losses, grads_are_finite, evaluation):
    """Raises NonFiniteLoss, naming the term, unless every number is finite."""
    for name in ("content", "style", "total_variation"):
        if not math.isfinite(value := getattr(losses, name)):
            raise NonFiniteLoss(
                f"the {name.replace('_', ' ')} loss became {value} at evaluation {evaluation}; "
                "lower its weight"
            )
    if not (math.isfinite(losses.total) and grads_are_finite):
        raise NonFiniteLoss(
            f"the gradient became infinite at evaluation {evaluation}; lower the weights"
        )


# ---------------------------------------------------------------------------------------------
# The optimizers
# ---------------------------------------------------------------------------------------------


def minimize_lbfgs(
    evaluator,
    x,
    iterations,
    on_iteration,
    evaluations=EVALUATIONS_PER_ITERATION,
    restart=False,
    bounds=None,
    tolerance=0.0,
):
    """Lowers the loss with SciPy's L-BFGS, in one run or in one per iteration.

    Where L-BFGS gives up before the last iteration (its line search finds no lower point, or the
    loss changes by less than float32 can tell), it is started once more from there.

    Args:
        evaluator: an `Evaluator`.
        x: the start, a flat float64 vector.
        iterations: at least 1.
        on_iteration: called as on_iteration(x, losses, stopped) after each; `stopped` says why no
            more follow, where there are fewer than asked for, and is empty otherwise.
        evaluations: of an iteration; SciPy may add one or two.
        restart: start L-BFGS anew, without its history, in each iteration.
        bounds: (lowest, highest) value of each element of x, two flat vectors, or None.
        tolerance: stop when an iteration lowers the loss by less than this part of it.

    Returns:
        The last x.
    """
    first, iteration, stalled, ended = evaluator.evaluations, 0, False, False
    loss = evaluator.loss(x)

    def finish_iteration(x, stopped=""):
        nonlocal iteration, loss, ended
        iteration += 1
        before, loss = loss, evaluator.loss(x)
        if iteration < iterations and not stopped:
            stopped = too_little(before, loss, tolerance)
        on_iteration(x, evaluator.losses(x), stopped)
        ended = bool(stopped) or iteration == iterations

    def after_step(x):
        due = first + (iteration + 1) * evaluations
        if iteration + 1 < iterations and evaluator.evaluations >= due:
            finish_iteration(x)
            if ended:
                raise StopIteration

    while True:
        left = first + iterations * evaluations - evaluator.evaluations
        # More threads of BLAS would, between SciPy's steps, wait for the next one in a loop, and
        # take a tenth of the processor from the network.
        with threadpool_limits(1, "blas"):
            x, _, _ = scipy.optimize.fmin_l_bfgs_b(
                evaluator.loss,
                x,
                fprime=evaluator.grads,
                bounds=None if bounds is None else np.stack(bounds, axis=1),
                maxfun=evaluations if restart else left,
                callback=None if restart else after_step,
            )
        if ended:  # by after_step
            return x
        if restart or evaluator.evaluations - first >= iterations * evaluations:
            finish_iteration(x)
        elif stalled:
            finish_iteration(x, "L-BFGS finds no lower point")
        stalled = True
        if ended:
            return x


def minimize_adam(
    evaluator,
    x,
    iterations,
    on_iteration,
    evaluations=EVALUATIONS_PER_ITERATION,
    tolerance=0.0,
    **hyperparameters,
):
    """Lowers the loss with Keras's Adam; everything but the losses stays on the device.

    Adam's steps may go up. What counts is the best combination of all steps so far: an evaluation
    tells the loss before a step, so one more evaluation follows the last step.

    Args:
        evaluator: an `Evaluator` of a `LossAndGrads`.
        x: the start, (1, rows, cols, 3).
        iterations, evaluations, tolerance: as in `minimize_lbfgs`; a step is one evaluation.
        on_iteration: as in `minimize_lbfgs`, with the best x so far, a tensor, and its losses.
        hyperparameters: of `keras.optimizers.Adam`.

    Returns:
        The best x, a tensor (1, rows, cols, 3).
    """
    combination = keras.Variable(x.astype(np.float32), name="combination")
    optimizer = keras.optimizers.Adam(**hyperparameters)
    optimizer.build([combination])
    losses, gradient = evaluator.on_device(combination.value)
    best, lowest, before = keras.ops.copy(combination.value), losses, losses
    for step in range(1, iterations * evaluations + 1):
        optimizer.apply([gradient], [combination])
        losses, gradient = evaluator.on_device(combination.value)
        if losses.total < lowest.total:
            best, lowest = keras.ops.copy(combination.value), losses
        if step % evaluations == 0:
            more = step < iterations * evaluations
            stopped = too_little(before.total, lowest.total, tolerance) if more else ""
            before = lowest
            on_iteration(best, lowest, stopped)
            if stopped:
                break
    return best


def too_little(before, loss, tolerance):
    """Why an iteration that took the loss from `before` to `loss` is the last, "" if it is not."""
    if not tolerance or before - loss >= tolerance * before:
        return ""
    gain = (before - loss) / before
    return f"an iteration gained {gain:.2%}, less than the tolerance of {tolerance:.2%}"


# ---------------------------------------------------------------------------------------------
# The run
# ---------------------------------------------------------------------------------------------


class Inputs(NamedTuple):
    """The pictures of a run, read and checked."""

    base: Image.Image
    styles: list[Image.Image]
    style_scales: list  # for each style: None (the size of the result) or a number
    style_shares: list[float]
    style_masks: list  # for each style: a gray Pillow image or None
    content_mask: Image.Image | None
    start: Image.Image
    noise: float  # share of noise in the start


def read_inputs(base, style_reference, settings):
    """Reads the pictures that the arguments and the settings name.

    Raises:
        InputError: a picture that cannot be used, or a number of them that does not fit.
    """
    several = isinstance(style_reference, (list, tuple))
    styles = [load_image(s) for s in (style_reference if several else [style_reference])]
    base = load_image(base)
    scales = [None] if settings["style_scale"] == "fit" else settings["style_scale"]
    blend = settings["style_blend"] or [1 / len(styles)] * len(styles)
    masks = settings["style_masks"] or [None] * len(styles)
    scales = scales * len(styles) if len(scales) == 1 else scales
    for flag, given in [("style_scale", scales), ("style_blend", blend), ("style_masks", masks)]:
        if len(given) != len(styles):
            raise InputError(f"--{flag}: give one for each style: {len(styles)}, not {len(given)}")
    init, noise = settings["init"], settings["noise_blend"]
    return Inputs(
        base=base,
        styles=styles,
        style_scales=scales,
        style_shares=blend,
        style_masks=[load_mask(mask) for mask in masks],
        content_mask=load_mask(settings["content_mask"]),
        start=base if isinstance(init, str) and init in ("base", "noise") else load_image(init),
        noise=1.0 if isinstance(init, str) and init == "noise" else noise,
    )


class Stage(NamedTuple):
    """A part of a run: so many iterations at one size and precision."""

    rows: int
    cols: int
    iterations: int
    evaluations: int  # of an iteration
    precision: str


def plan_stages(base, settings, evaluations=EVALUATIONS_PER_ITERATION):
    """The list of `Stage` of a run on the Pillow image `base`, from the coarsest to the result.

    Raises:
        InputError: a side would be too small for VGG19.
    """
    rows, cols = working_size(base, settings["size"])
    scales = settings["scales"]
    if scales == "auto":
        scales = 1 + max(0, math.floor(math.log2(min(rows, cols) / SMALLEST_SCALE)))
    precision = settings["precision"]
    if precision == "auto":
        precision = "bfloat16" if bfloat16_is_fast() else "float32"
    stages = []
    for halvings in reversed(range(scales)):
        size = working_size(base, round(rows / 2**halvings)) if halvings else (rows, cols)
        stages.append(Stage(*size, settings["iterations"], evaluations, precision))
    return stages


def needed_mib(stage):
    """About the peak MiB of a process that evaluates at the size of a `Stage`, on a CPU."""
    return PROCESS_MIB + stage.rows * stage.cols * BYTES_PER_PIXEL[stage.precision] / 2**20


def warn_of_memory(stage, report):
    """Says how much memory the largest size needs; warns where there is not as much.

    On a GPU it is the GPU's, of which nothing is known here.
    """
    needed, free = needed_mib(stage), psutil.virtual_memory().available / 2**20
    report.print(f"This needs about {needed / 1024:.1f} GiB of memory")
    if needed > free and not _uses_gpu():
        report.warn(
            f"{stage.cols}x{stage.rows} pixels need about {needed / 1024:.1f} GiB of memory and "
            f"{free / 1024:.1f} GiB are free; choose a smaller --size"
        )


def bfloat16_is_fast():
    """Whether this is TensorFlow on a CPU that computes in bfloat16.

    There an evaluation takes 0.6 of the time, and the result's loss, measured in float32, is no
    higher (docs/defaults.md has the figures). Elsewhere nothing is known, so it is not used.
    """
    if keras.backend.backend() != "tensorflow" or _uses_gpu():
        return False
    with contextlib.suppress(OSError):
        flags = Path("/proc/cpuinfo").read_text()
        return " avx512_bf16" in flags or " amx_bf16" in flags
    return False


@dataclasses.dataclass(frozen=True)
class Iterate:
    """What is known after an iteration.

    Attributes:
        iteration: from 0 at each size.
        losses: of this iterate, before it was rounded to 8 bits.
        evaluations: made since the start, at all sizes.
        seconds: that this iteration took.
        final: whether this is the size asked for, not a smaller one on the way to it.
        stopped: why no iteration follows at this size, where there are fewer than asked for.
        make_pixels: makes `pixels`, which cost nothing until they are asked for.
    """

    iteration: int
    losses: Losses
    evaluations: int
    seconds: float
    final: bool
    stopped: str
    make_pixels: Callable = dataclasses.field(repr=False)

    @functools.cached_property
    def pixels(self):
        """The picture so far, float64 (rows, cols, 3), RGB, 0..255, not rounded."""
        return self.make_pixels()

    @functools.cached_property
    def image(self):
        """The picture so far, a Pillow RGB image."""
        return Image.fromarray(quantize(self.pixels))


def style_transfer(
    base,
    style_reference,
    iterations=None,
    callback=None,
    *,
    recipe=DEFAULT_RECIPE,
    weights="imagenet",
    evaluations_per_iteration=EVALUATIONS_PER_ITERATION,
    on_stage=None,
    on_evaluation=None,
    on_estimate=None,
    **settings,
):
    """Paints `base` in the style of `style_reference`.

    Args:
        base: a path, a Pillow image or a uint8 array, see `load_image`.
        style_reference: the same, or a list of them.
        iterations: of `evaluations_per_iteration` evaluations each; the recipe's where None.
        callback: called with an `Iterate` after every iteration.
        recipe: a name in `RECIPES`.
        weights: what `vgg19_weights.load_weights` takes, or a `VGG19Weights`.
        on_stage: called with the list of `Stage` and the index of the one that begins.
        on_evaluation: called after every evaluation with the `Losses`, and a function that makes
            the picture evaluated, as `Iterate.pixels` is, and must be called at once if at all.
        on_estimate: called before the first iteration with the seconds that the run will take,
            from one timed evaluation.
        **settings: any other of `SETTINGS`, such as `content_weight` or `size`.

    Returns:
        The final picture, a Pillow RGB image.

    Raises:
        Whatever a callback raises, which ends the run, and
        InputError: a picture or a setting that cannot be used.
        WeightsError: no weights, or not those of a VGG19.
        NonFiniteLoss: a term of the loss became NaN or infinite.
    """
    settings = choose_settings(recipe, iterations=iterations, **settings)
    inputs = read_inputs(base, style_reference, settings)
    stages = plan_stages(inputs.base, settings, evaluations_per_iteration)
    if not isinstance(weights, VGG19Weights):
        weights = load_weights(weights)
    layers = tuple({**settings["content_layers"], **settings["style_layers"]})
    pooling = settings["pooling"], settings["pool_padding"]

    x, evaluations = None, 0
    for index, stage in enumerate(stages):
        x = start_picture(inputs, stage, settings) if x is None else enlarge(x, *stage[:2])
        network = _kept_network(weights, layers, stage.precision, *pooling)
        objective = stage_objective(network, inputs, stage, settings)
        if on_estimate and index == 0:
            on_estimate(estimate_seconds(objective, x, stages))
        if on_stage:
            on_stage(stages, index)
        to_pixels = _picture_maker(inputs.base, stage, settings)
        report = on_evaluation and (
            lambda losses, x, to_pixels=to_pixels: on_evaluation(losses, lambda: to_pixels(x))
        )
        evaluator = Evaluator(objective, report, evaluations)
        last = index + 1 == len(stages)
        x, iterate = _paint(evaluator, x, stage, settings, to_pixels, last, callback)
        evaluations = evaluator.evaluations
    return iterate.image


def estimate_seconds(objective, x, stages):
    """The seconds that all `Stage` will take: those of one evaluation, in proportion to pixels."""
    objective(x)  # compiles
    start = time.perf_counter()
    objective(x)
    seconds_per_pixel = (time.perf_counter() - start) / (stages[0].rows * stages[0].cols)
    return seconds_per_pixel * sum(map(pixels_evaluated, stages))


def pixels_evaluated(stage):
    """The pixels of all evaluations of a `Stage`; time goes with them."""
    return stage.rows * stage.cols * stage.iterations * stage.evaluations


def _picture_maker(base, stage, settings):
    """The function from a combination, a tensor or array of any shape, to `Iterate.pixels`."""
    size = stage.rows, stage.cols
    content = None
    if settings["preserve_colors"] == "luma":
        content = resize_image(base, *size, settings["resample"])

    def to_pixels(x):
        rgb = rgb_values(keras.ops.convert_to_numpy(x).reshape(*size, 3))
        return rgb if content is None else keep_luma(rgb, content)

    return to_pixels


def start_picture(inputs, stage, settings):
    """The first combination, (rows, cols, 3), as `preprocess_image` makes it."""
    x = preprocess_image(resize_image(inputs.start, stage.rows, stage.cols, settings["resample"]))
    if not inputs.noise:
        return x
    noise = np.random.default_rng(settings["seed"]).normal(0, NOISE, x.shape)
    return ((1 - inputs.noise) * x + inputs.noise * noise).astype(np.float32)


def stage_objective(network, inputs, stage, settings):
    """The `LossAndGrads` of a stage."""
    rows, cols, resample = stage.rows, stage.cols, settings["resample"]
    base = resize_image(inputs.base, rows, cols, resample)
    recolor = COLOR_TRANSFERS.get(settings["preserve_colors"], lambda style, content: style)
    styles = []
    for image, scale, share, mask in zip(*inputs[1:5], strict=True):
        size = rows, cols
        if scale is not None:
            factor = scale * cols / image.width
            size = (max(SMALLEST_SIDE, int(side * factor)) for side in (image.height, image.width))
        picture = preprocess_image(recolor(resize_image(image, *size, resample), base))
        styles.append(Style(picture, share, mask and resize_mask(mask, rows, cols)))
    return make_objective(
        network,
        preprocess_image(base),
        styles,
        loss_weights(settings, rows),
        settings["formula"],
        inputs.content_mask and resize_mask(inputs.content_mask, rows, cols),
    )


def _paint(evaluator, combination, stage, settings, to_pixels, final, callback):
    """Runs one `Stage`. Returns the combination (rows, cols, 3) and the last `Iterate`."""
    iterate, start = None, time.perf_counter()
    shape = combination.shape

    def on_iteration(x, losses, stopped):
        nonlocal iterate, start
        iterate = Iterate(
            iteration=iterate.iteration + 1 if iterate else 0,
            losses=losses,
            evaluations=evaluator.evaluations,
            seconds=time.perf_counter() - start,
            final=final,
            stopped=stopped,
            make_pixels=lambda: to_pixels(x),
        )
        if callback:
            callback(iterate)
        start = time.perf_counter()

    common = {
        "iterations": stage.iterations,
        "on_iteration": on_iteration,
        "evaluations": stage.evaluations,
        "tolerance": settings["tolerance"],
    }
    if settings["optimizer"] == "adam":
        names = ("learning_rate", "beta1", "beta2", "epsilon")
        adam = {name.replace("beta", "beta_"): settings[name] for name in names}
        x = minimize_adam(evaluator, combination[np.newaxis], **common, **adam)
        x = keras.ops.convert_to_numpy(x)
    else:
        x, bounds = combination.astype(np.float64).ravel(), None
        if settings["bounded"]:
            black = np.tile(np.negative(IMAGENET_MEAN_BGR), stage.rows * stage.cols)
            bounds = black, black + 255
            x = x.clip(*bounds)
        x = minimize_lbfgs(evaluator, x, restart=settings["restart"], bounds=bounds, **common)
    return x.reshape(shape), iterate


# ---------------------------------------------------------------------------------------------
# The command line
# ---------------------------------------------------------------------------------------------


GROUPS = {  # of the options, as --help shows them
    "pictures": "what to paint, and where the results go",
    "look": "what the result looks like",
    "optimisation": "how the loss is lowered",
    "output": "what is saved",
    "machine": "what it runs on",
}
EXAMPLE = """example:
  %(prog)s photo.jpg painting.jpg results/photo
  %(prog)s photo.jpg painting.jpg results/strong --strength 0.7 --size 800

Options may be spelled with hyphens too: --content-weight."""


class Parser(argparse.ArgumentParser):
    """Reports an error as one line, and suggests the option that a misspelt one may mean."""

    def error(self, message):
        self.exit(2, f"{self.prog}: error: {message}; see --help\n")

    def parse_args(self, args=None, namespace=None):
        args, unknown = self.parse_known_args(args, namespace)
        if unknown:
            name = unknown[0].partition("=")[0]
            options = [option for option in self._option_string_actions if option.startswith("--")]
            close = difflib.get_close_matches(name, options, n=1)
            suggestion = f"; did you mean {close[0]}" if close else ""
            self.error(f"unrecognized arguments: {' '.join(unknown)}{suggestion}")
        return args


class Show(argparse.Action):
    """Prints how a picture was made and exits."""

    def __call__(self, parser, namespace, path, option=None):
        status = exit_status(
            parser.prog, lambda: print(json.dumps(records.read_record(path), indent=2))
        )
        parser.exit(status)


def as_typed(value):
    """A setting's value as a person would type it."""
    if isinstance(value, dict):
        return " ".join(f"{name}:{share:.3g}" for name, share in value.items())
    return "none" if value is None else value


def build_parser():
    """The command line's parser. Settings that are not given stay None: the recipe has them."""
    parser = Parser(
        Path(__file__).name,
        usage="%(prog)s base style_reference result_prefix [options]",
        description="Paints a photo in the style of a picture.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    groups = {
        name: parser.add_argument_group(name, description) for name, description in GROUPS.items()
    }
    _add_pictures(groups["pictures"].add_argument)
    recipes = groups["look"].add_mutually_exclusive_group()
    recipes.add_argument(
        "--recipe",
        choices=RECIPES,
        help=f"the settings to start from (default: {DEFAULT_RECIPE})",
    )
    recipes.add_argument(
        "--like", metavar="RESULT", help="the settings that made an earlier result, a picture"
    )
    default = RECIPES[DEFAULT_RECIPE]
    for name, setting in SETTINGS.items():
        groups[setting.group].add_argument(
            setting.flag,
            dest=name,
            nargs=setting.nargs,
            metavar=setting.metavar,
            help=f"{setting.help} (default: {as_typed(default[name])})",
        )
    _add_output(groups["output"].add_argument)
    _add_machine(groups["machine"].add_argument)
    return parser


def _add_pictures(add):
    add("base", help="the photo")
    add("style_reference", help="the picture whose style is wanted")
    add("result_prefix", help="results are saved as PREFIX_...; folders are created")
    add("--styles", nargs="+", default=[], metavar="STYLE", help="further styles, blended with it")


def _add_output(add):
    add("--format", choices=FORMATS, help="of the results (default: png)")
    add("--bits", type=int, choices=(8, 16), help="of a channel (default: 8); 16: png and tiff")
    add("--plot", action="store_true", help="save a plot of the losses, PREFIX_losses.png")
    add("--gif", action="store_true", help="save a film of the growing picture, PREFIX.gif")
    add("--mp4", action="store_true", help="the same as PREFIX.mp4")
    add("--show", action=Show, metavar="RESULT", help="print how an earlier result was made; exit")
    add("--quiet", action="store_true", help="print nothing but errors")
    add("--verbose", action="store_true", help="print the peak memory at the end")
    add("--version", action="version", version=f"%(prog)s {__version__}")


def _add_machine(add):
    add(
        "--weights",
        default="imagenet",
        metavar="imagenet|mirror|PATH",
        help="VGG19's weights: Keras's own, those on the package index, or a .h5 or .mat file "
        "(default: %(default)s)",
    )


def underscored(arguments):
    """Spells long options with underscores, as they are declared: --tv-weight -> --tv_weight."""
    result = []
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if name.startswith("--") and "--" not in result:
            name = "--" + name[2:].replace("-", "_")
        result.append(name + equals + value)
    return result


def check_writable(prefix):
    """Raises InputError unless files can be created under `prefix`. Touches no other file."""
    folder = Path(f"{prefix}_").parent
    probe = folder / f".{os.getpid()}.probe"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        raise InputError(
            f"{prefix}: cannot write in {folder} ({error.strerror}); choose another folder"
        ) from None


def record_of(recipe, settings, stages, weights, base, styles):
    """`records.make_record` for a run of this program, the precision it takes included."""
    return records.make_record(
        f"neural_style_transfer {__version__}",
        recipe,
        settings | {"precision": stages[-1].precision},
        weights,
        base,
        styles,
        keras.backend.backend(),
    ) | {"format": "png", "bits": 8}


class Report:
    """Prints, shows progress and saves as a run goes on.

    Args:
        prefix: of the files that are saved.
        quiet: print nothing.

    Attributes:
        saved: the path of the last picture, None before the first.
        suffix, bits: of the pictures.
        record: how they are made, as `records.make_record` has it.
        films: the `records.Film` to add to.
    """

    def __init__(self, prefix, quiet=False):
        self.saved = None
        self.suffix, self.bits = "png", 8
        self.record = {}
        self.films = []
        self._prefix, self._quiet = prefix, quiet
        self._table = records.LossTable()
        self._stage = self._iteration = self._lowest = self._start = None
        self._bar = tqdm(
            bar_format="{percentage:3.0f}%|{bar}| {elapsed}, {remaining} left{postfix}",
            leave=False,
            disable=True if quiet else None,  # None: only on a terminal
        )

    def print(self, line):
        """Prints a line above the progress bar."""
        if not self._quiet:
            self._bar.write(line)
            sys.stdout.flush()

    def warn(self, line):
        """Prints a warning, on stderr."""
        self._bar.write(f"warning: {line}", file=sys.stderr)

    def on_estimate(self, seconds):
        self.print(f"This will take about {seconds:.0f}s")

    def on_stage(self, stages, index):
        """Announces a size. The bar counts pixels evaluated, as time goes with them."""
        self._start = self._start or time.perf_counter()
        self._bar.total = sum(map(pixels_evaluated, stages))
        self._stage, self._iteration, self._lowest = stages[index], 0, math.inf
        if index + 1 == len(stages):
            self.print("Start of iteration 0")

    def on_evaluation(self, losses, pixels):
        seconds = round(time.perf_counter() - self._start, 3)
        self._table.add(self._iteration, seconds, losses, self._stage.rows)
        if losses.total < self._lowest:
            self._lowest = losses.total
            for film in self.films:
                film.add(pixels)
        self._bar.set_postfix(loss=f"{losses.total:.4g}", refresh=False)
        self._bar.update(self._stage.rows * self._stage.cols)

    def on_iterate(self, iterate):
        """Reports an iteration; at the size asked for, saves its picture and announces the next."""
        self._iteration += 1
        if iterate.final:
            self._on_final_iterate(iterate)
        else:
            self.print(
                f"On the way, at {self._stage.cols}x{self._stage.rows} pixels: "
                f"loss {iterate.losses.total:.6g} after {iterate.seconds:.0f}s"
            )
        if iterate.stopped:
            self.print(f"Stopped at this size: {iterate.stopped}")

    def _on_final_iterate(self, iterate):
        path = Path(f"{self._prefix}_at_iteration_{iterate.iteration}.{self.suffix}")
        losses = iterate.losses
        self.print(f"Current loss value: {losses.total}")
        self.print(
            f"  content {losses.content:.6g}, style {losses.style:.6g}, "
            f"total variation {losses.total_variation:.6g}"
        )
        more = {"iteration": iterate.iteration, "losses": losses._asdict()}
        save_image(iterate.pixels, path, self.bits, records.to_text(self.record, **more))
        self.saved = path
        self.print(f"Image saved as {path}")
        self.print(f"Iteration {iterate.iteration} completed in {iterate.seconds:.0f}s")
        if iterate.iteration + 1 < self._stage.iterations and not iterate.stopped:
            self.print(f"Start of iteration {iterate.iteration + 1}")

    def save_extras(self, plot):
        """Saves the table of losses, the plot where it is wanted, and the films.

        A run that was interrupted has them too, if it finished a picture.
        """
        if not self.saved:
            return
        self._table.save(f"{self._prefix}_losses.csv")
        if plot:
            self._table.plot(f"{self._prefix}_losses.png")
        for film in self.films:
            film.save()
            self.print(f"Film saved as {film.path}")

    def kept(self):
        """What is left of a run that did not finish, in words."""
        return f"the last picture is {self.saved}" if self.saved else "no picture was finished"

    def close(self):
        self._bar.close()


def follow(result, args):
    """Fills in what is not given in `args` from the record of an earlier result. Returns it.

    Raises:
        InputError: it says nothing of how it was made, or was made with other pictures too.
    """
    record = records.read_record(result)
    given = {name: getattr(args, name) for name in SETTINGS}
    chosen = records.settings_like(record, given, result)
    chosen["recipe"] = record["recipe"]
    for name in ("format", "bits"):
        chosen[name] = getattr(args, name) or record[name]
    vars(args).update(chosen)
    return record


def run(args, report):
    """Checks everything that is cheap to check, then paints."""
    earlier = follow(args.like, args) if args.like else None
    given = {name: getattr(args, name) for name in SETTINGS}
    recipe = args.recipe or DEFAULT_RECIPE
    styles = [args.style_reference, *args.styles]
    settings = choose_settings(recipe, **given)
    inputs = read_inputs(args.base, styles, settings)
    check_writable(args.result_prefix)
    report.suffix, report.bits = args.format or "png", args.bits or 8
    if report.bits == 16 and report.suffix not in DEEP_FORMATS:
        raise InputError(f"--bits 16 needs --format {' or '.join(DEEP_FORMATS)}")
    stages = plan_stages(inputs.base, settings)
    warn_of_memory(stages[-1], report)
    weights = load_weights(args.weights, quiet=args.quiet)
    report.print(f"Using {weights.source}")

    report.record = record_of(recipe, settings, stages, weights, args.base, styles)
    report.record |= {"format": report.suffix, "bits": report.bits}
    if earlier and (others := records.differences(earlier, report.record)):
        report.warn(f"the result will differ a little from {args.like}: other {', '.join(others)}")
    evaluations = sum(stage.iterations * stage.evaluations for stage in stages)
    report.films = [
        records.Film(f"{args.result_prefix}.{suffix}", *stages[-1][:2], evaluations)
        for suffix in ("gif", "mp4")
        if getattr(args, suffix)
    ]
    try:
        style_transfer(
            args.base,
            styles,
            callback=report.on_iterate,
            recipe=recipe,
            weights=weights,
            on_stage=report.on_stage,
            on_evaluation=report.on_evaluation,
            on_estimate=report.on_estimate,
            **given,
        )
    finally:
        report.save_extras(args.plot)
    if args.verbose:
        for where, mib in peak_memory().items():
            report.print(f"Peak memory of the {where}: {mib:.0f} MiB")


def exit_status(program, action, kept=lambda: "nothing was written"):
    """Runs `action` and returns the exit status, having said on stderr in a line why it is not 0.

    Args:
        program: the name to begin the line with.
        action: a function without arguments.
        kept: a function that says what is left of an action that did not finish.
    """

    def fail(status, message):
        print(f"{program}: error: {message}", file=sys.stderr)
        return status

    try:
        action()
    except InputError as error:
        return fail(2, error)
    except WeightsError as error:
        return fail(1, error)
    except NonFiniteLoss as error:
        return fail(1, f"{error}; {kept()}")
    except OSError as error:
        what = error.filename or "cannot write"
        return fail(1, f"{what}: {error.strerror or error}; {kept()}")
    except KeyboardInterrupt:
        return fail(130, f"interrupted; {kept()}")
    return 0


def main(argv=None):
    """The command line. Returns 0, 1 (it failed), 2 (it cannot be done as asked), 130 (Ctrl-C)."""
    parser = build_parser()
    if "_ARGCOMPLETE" in os.environ:  # the shell asks how a line could go on
        import argcomplete

        argcomplete.autocomplete(parser)
    args = parser.parse_args(underscored(sys.argv[1:] if argv is None else argv))
    report = Report(args.result_prefix, args.quiet)
    try:
        return exit_status(Path(__file__).name, lambda: run(args, report), report.kept)
    finally:
        report.close()


if __name__ == "__main__":
    raise SystemExit(main())
