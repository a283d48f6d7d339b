#!/usr/bin/env python3
"""Paints a photo in the style of a picture by optimising pixels against VGG19 features.

    python neural_style_transfer.py base.jpg style_reference.jpg results/prefix
    python neural_style_transfer.py base.jpg style_reference.jpg results/prefix --iter 5 --size 300

The combination C starts as the base B and is changed by L-BFGS until the loss is small:

    loss            = content + style + total variation
    content         = content_weight * sum (F(B) - F(C))^2                    at block5_conv2
    style           = style_weight/5 * sum over block1..5_conv1 of
                      sum (G(S) - G(C))^2 / (4 * 3^2 * (rows * cols)^2),      G = F^T F
    total variation = tv_weight * sum ((C[i,j] - C[i+1,j])^2 + (C[i,j] - C[i,j+1])^2)^1.25

F are VGG19's features after the ReLU, one row a position and one column a channel; S is the style
reference. The method is Gatys, Ecker and Bethge, "A Neural Algorithm of Artistic Style" (2015,
arXiv:1508.06576); the regulariser is Mahendran and Vedaldi's (2014, arXiv:1412.0035) with
beta = 2.5. The numbers are those of the Keras example script. Both depart from the paper in the
content layer, in starting from the photo instead of noise, in the constants in front of the sums,
and in the total variation, which the paper does not have.
"""

import argparse
import contextlib
import dataclasses
import functools
import importlib
import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.optimize
from PIL import Image, ImageOps
from tqdm import tqdm

from vgg19_weights import (
    CONVOLUTIONS,
    IMAGENET_MEAN_BGR,
    VGG19Weights,
    WeightsError,
    load_weights,
)

__version__ = "0.1.0"

STYLE_LAYERS = ("block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1", "block5_conv1")
EVALUATIONS_PER_ITERATION = 20
SMALLEST_SIDE = 16  # pixels: four poolings lie before the deepest layer
SMALLEST_SCALE = 100  # pixels of the short side at which a pyramid begins, or a little more
FORMATS = ("png", "jpg", "webp", "tiff")
PRECISIONS = {  # what a person types: Keras's dtype policy, which keeps variables in float32
    "float32": "float32",
    "bfloat16": "mixed_bfloat16",
    "float16": "mixed_float16",
}


class InputError(ValueError):
    """Something the caller gave cannot be used. The message is one line and names the remedy."""


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
# Settings and recipes
# ---------------------------------------------------------------------------------------------


def whole_number(value, minimum=1):
    """Returns `value` as an int of at least `minimum`. Raises InputError."""
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = None
    if number is None or number != float(value) or number < minimum:
        raise InputError(f"must be a whole number of at least {minimum}, received {value!r}")
    return number


def weight(value):
    """Returns `value` as a finite float of at least 0. Raises InputError."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number < math.inf:
        raise InputError(f"must be a finite number of at least 0, received {value!r}")
    return number


def fraction(value):
    """Returns `value` as a float from 0 to 1. Raises InputError."""
    number = weight(value)
    if number > 1:
        raise InputError(f"must be from 0 to 1, received {value!r}")
    return number


def scale_count(value):
    """Returns "auto" or `value` as an int of at least 1. Raises InputError."""
    return value if value == "auto" else whole_number(value)


def one_of(*names):
    """Returns a check that lets only `names` pass."""

    def check(value):
        if value not in names:
            raise InputError(f"must be one of {', '.join(names)}, received {value!r}")
        return value

    return check


def layer_weights(value):
    """Returns layers with their shares, which add up to 1.

    Args:
        value: {"block4_conv2": 0.6, ...}, or ["block4_conv2:0.6", "block5_conv2", ...], where a
            layer without a number counts 1; numbers are relative.

    Raises:
        InputError: an unknown layer, or shares that add up to 0.
    """
    if not isinstance(value, dict):
        pairs = [str(item).partition(":") for item in value]
        value = {name: share or 1 for name, _, share in pairs}
    unknown = [name for name in value if name not in CONVOLUTIONS]
    if unknown or not value:
        raise InputError(f"must be among {', '.join(CONVOLUTIONS)}, received {unknown}")
    shares = {name: weight(share) for name, share in value.items()}
    total = sum(shares.values())
    if total == 0:
        raise InputError(f"must not add up to 0, received {value}")
    return {name: share / total for name, share in shares.items()}


class Setting(NamedTuple):
    """One choice of a run: how the command line spells it, and what it may be."""

    flag: str
    check: Callable
    metavar: str
    help: str
    nargs: str | None = None


SETTINGS = {
    "strength": Setting("--strength", fraction, "0..1", "from the photo (0) to the painting (1)"),
    "iterations": Setting(
        "--iter",
        whole_number,
        "N",
        f"iterations of {EVALUATIONS_PER_ITERATION} evaluations each, at every size",
    ),
    "content_weight": Setting("--content_weight", weight, "W", "faithfulness to the photo"),
    "style_weight": Setting("--style_weight", weight, "W", "faithfulness to the style"),
    "tv_weight": Setting("--tv_weight", weight, "W", "smoothness (total variation)"),
    "size": Setting(
        "--size",
        functools.partial(whole_number, minimum=SMALLEST_SIDE),
        "ROWS",
        "rows of the result; its columns follow from the photo",
    ),
    "scales": Setting(
        "--scales",
        scale_count,
        "auto|N",
        "sizes to paint at, each twice the one before; auto starts at about 100 pixels",
    ),
    "content_layers": Setting(
        "--content_layers", layer_weights, "LAYER[:SHARE]", "where content is compared", nargs="+"
    ),
    "style_layers": Setting(
        "--style_layers", layer_weights, "LAYER[:SHARE]", "where style is compared", nargs="+"
    ),
    "tolerance": Setting(
        "--tolerance", fraction, "0..1", "stop when an iteration lowers the loss by less than this"
    ),
    "precision": Setting(
        "--precision",
        one_of(*PRECISIONS, "auto"),
        "TYPE",
        f"of the network: {', '.join(PRECISIONS)}, or auto: bfloat16 where that is faster and as "
        "good",
    ),
}

# A recipe is a value for every setting, which the caller's wins over, and what makes the recipe:
#   resample       the filter that resizes pictures
#   restart        whether L-BFGS starts anew in every iteration, as in the Keras example
#   bounded        whether pixels are kept within black and white while they are optimised. Without
#                  it L-BFGS moves one in twenty outside, and clipping them undoes much of its work
#   reference_rows the rows at which content_weight and tv_weight mean what the formulas say. Both
#                  terms are sums over pixels; at other sizes they are weighted by the ratio of
#                  pixels, so that a weight gives the same look at any size. None: no such ratio.
RECIPES = {
    "pyramid": {
        "strength": 0.5,
        "iterations": 2,
        "content_weight": 0.05,
        "style_weight": 1.0,
        "tv_weight": 0.1,
        "size": 400,
        "scales": "auto",
        "content_layers": {"block4_conv2": 1.0},
        "style_layers": dict.fromkeys(STYLE_LAYERS, 0.2),
        "tolerance": 0.0,
        "precision": "auto",
        "resample": Image.Resampling.LANCZOS,
        "restart": False,
        "bounded": True,
        "reference_rows": 400,
    },
    "keras": {
        "strength": 0.5,
        "iterations": 10,
        "content_weight": 0.025,
        "style_weight": 1.0,
        "tv_weight": 1.0,
        "size": 400,
        "scales": 1,
        "content_layers": {"block5_conv2": 1.0},
        "style_layers": dict.fromkeys(STYLE_LAYERS, 0.2),
        "tolerance": 0.0,
        "precision": "float32",
        "resample": Image.Resampling.NEAREST,
        "restart": True,
        "bounded": False,
        "reference_rows": None,
    },
}
DEFAULT_RECIPE = "pyramid"


def choose_settings(recipe=DEFAULT_RECIPE, **given):
    """Returns the recipe's settings with the `given` ones (but for None) in place of its own.

    Raises:
        InputError: an unknown recipe or setting, or a value out of range.
    """
    if recipe not in RECIPES:
        raise InputError(f"recipe must be one of {', '.join(RECIPES)}; received {recipe!r}")
    settings = dict(RECIPES[recipe])
    for name, value in given.items():
        if name not in SETTINGS:
            raise InputError(f"unknown setting {name!r}; there are {', '.join(SETTINGS)}")
        if value is not None:
            try:
                settings[name] = SETTINGS[name].check(value)
            except InputError as error:
                raise InputError(f"{SETTINGS[name].flag} {error}") from None
    return settings


# ---------------------------------------------------------------------------------------------
# Pictures
# ---------------------------------------------------------------------------------------------


def load_image(picture):
    """Reads a picture as a person sees it: upright, in RGB, transparency on white.

    Args:
        picture: a path, a Pillow image, or a uint8 array of shape (rows, cols), (rows, cols, 3) or
            (rows, cols, 4). Of an animation, the first frame counts.

    Returns:
        A Pillow image of mode RGB.

    Raises:
        InputError: missing, not a picture, damaged, or with a side under `SMALLEST_SIDE` pixels.
    """
    name, opened = _open_image(picture)
    try:
        with opened as image:
            rgb = _to_rgb(ImageOps.exif_transpose(image))
    except Exception as error:  # Pillow's decoders raise whatever a damaged file makes them
        raise InputError(f"{name}: damaged or truncated ({error}); save it anew") from error
    if min(rgb.size) < SMALLEST_SIDE:
        raise InputError(
            f"{name}: {rgb.width}x{rgb.height} pixels is too small; VGG19 needs at least "
            f"{SMALLEST_SIDE}x{SMALLEST_SIDE}"
        )
    return rgb


def _open_image(picture):
    """(what to call it, the Pillow image, not yet decoded) for anything `load_image` takes."""
    if isinstance(picture, Image.Image):
        return "picture", picture.copy()
    if isinstance(picture, np.ndarray):
        if picture.dtype != np.uint8 or picture.ndim not in (2, 3):
            raise InputError(
                "a picture array must be uint8 of shape (rows, cols, 3); "
                f"received {picture.dtype} of shape {picture.shape}"
            )
        return "picture", Image.fromarray(picture)
    name = f"picture {os.fspath(picture)}"
    try:
        if os.path.getsize(picture) == 0:
            raise InputError(f"{name}: the file is empty")
        return name, Image.open(picture)
    except FileNotFoundError:
        raise InputError(f"{name}: no such file; check the path") from None
    except IsADirectoryError:
        raise InputError(f"{name}: is a folder; give one picture in it") from None
    except Image.UnidentifiedImageError:
        raise InputError(
            f"{name}: not a picture that can be read; save it as JPEG or PNG"
        ) from None
    except Image.DecompressionBombError as error:
        raise InputError(f"{name}: too large to be safe ({error}); make it smaller") from None
    except OSError as error:
        raise InputError(f"{name}: cannot be read ({error.strerror or error})") from None


def _to_rgb(image):
    """Any Pillow mode to RGB: 16-bit grays scaled down, transparency composited on white."""
    if image.mode.startswith("I") or image.mode == "F":
        gray = np.asarray(image, np.float64)
        if image.mode == "F":
            gray = gray * 255 if gray.max() <= 1 else gray
        elif gray.max() > 255:
            gray = gray / 257
        return Image.fromarray(np.clip(np.rint(gray), 0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def working_size(image, rows):
    """(rows, cols) of the result: `rows` as asked, columns by the aspect of `image`.

    Raises:
        InputError: a side would be too small for VGG19.
    """
    cols = int(image.width * rows / image.height)
    if min(rows, cols) < SMALLEST_SIDE:
        raise InputError(
            f"the result would have {rows} rows and {cols} columns; VGG19 needs at least "
            f"{SMALLEST_SIDE} of each: raise --size"
        )
    return rows, cols


def resize_image(image, rows, cols, resample):
    """Resizes a Pillow image with a Pillow filter.

    Keras's `load_img` takes `Resampling.NEAREST`; `Resampling.LANCZOS` does not alias.
    """
    return image.resize((cols, rows), resample)


def enlarge(x, rows, cols):
    """Resizes a combination (rows, cols, 3), float, without rounding or clipping it."""
    channels = [
        Image.fromarray(np.ascontiguousarray(channel, np.float32)).resize(
            (cols, rows), Image.Resampling.BICUBIC
        )
        for channel in np.moveaxis(x, -1, 0)
    ]
    return np.stack(channels, axis=-1)  # (rows, cols, 3)


def preprocess_image(image):
    """Turns a picture into what VGG19 expects: BGR minus ImageNet's mean pixel.

    Args:
        image: a Pillow RGB image or an array of shape (..., rows, cols, 3), RGB, 0..255; it is not
            changed.

    Returns:
        float32 of the same shape, BGR, about -124..152.
    """
    return np.asarray(image, np.float32)[..., ::-1] - np.float32(IMAGENET_MEAN_BGR)


def deprocess_image(x):
    """The exact inverse of `preprocess_image`, rounded and clipped to 0..255.

    Args:
        x: array of shape (..., rows, cols, 3), BGR minus the mean pixel; it is not changed.

    Returns:
        uint8 of the same shape, RGB.
    """
    rgb = (np.asarray(x, np.float64) + IMAGENET_MEAN_BGR)[..., ::-1]
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8)


def save_image(image, path):
    """Writes a Pillow image in the format of its suffix, whole or not at all.

    It is written under another name in the same folder (created where missing), then renamed, so
    that an interrupted or failed write leaves what was there before.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        # Without these a JPEG or WebP would smear the strokes; PNG and TIFF ignore them.
        image.save(temporary, quality=95, subsampling=0)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


# ---------------------------------------------------------------------------------------------
# Features
# ---------------------------------------------------------------------------------------------


def build_network(weights, layers, precision="float32"):
    """Builds the Keras VGG19, cut off after the deepest of `layers`.

    Args:
        weights: a `VGG19Weights`; the number of channels is taken from its kernels.
        layers: the Keras layer names whose outputs, after the ReLU, are wanted.
        precision: of the convolutions, a name in `PRECISIONS`.

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
    for name, (kernel, bias) in weights.layers.items():
        if outputs.keys() >= set(layers):
            break
        if not name.startswith(block):
            pooling = keras.layers.MaxPooling2D(
                2, name=f"{block}_pool", dtype=PRECISIONS[precision]
            )
            x = pooling(x)
            block = name.partition("_")[0]
        if not _passes_through(kernel, bias):
            convolution = keras.layers.Conv2D(
                kernel.shape[-1],
                3,
                padding="same",
                activation="relu",
                name=name,
                dtype=PRECISIONS[precision],
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


def _passes_through(kernel, bias):
    """Whether a convolution gives back what it is given, features being at least 0.

    The mirror's weights have three such layers, a fifth of the network's work.
    """
    identity = np.zeros_like(kernel)
    identity[1, 1] = np.eye(*kernel.shape[2:])
    return not bias.any() and np.array_equal(kernel, identity)


def _require_channels_first():
    """Raises InputError where this machine's backend has no channels_first convolution."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        if not tf.config.list_physical_devices("GPU"):
            raise InputError(
                "TensorFlow has no channels_first convolution on a CPU; set image_data_format to "
                "channels_last in ~/.keras/keras.json, or KERAS_BACKEND to jax or torch"
            )


# ---------------------------------------------------------------------------------------------
# Losses
# ---------------------------------------------------------------------------------------------


def gram_matrix(features):
    """How often channels respond together, wherever they do: G = F^T F.

    Args:
        features: (rows, cols, channels), or any (..., channels).

    Returns:
        (channels, channels), not normalised.

    Source: Gatys et al. 2015, eq. 3.
    """
    flat = keras.ops.reshape(features, (-1, features.shape[-1]))  # (rows*cols, channels)
    return keras.ops.matmul(keras.ops.transpose(flat), flat)


def style_loss(style_gram, combination_gram, rows, cols):
    """One layer's distance in style: sum (G(S) - G(C))^2 / (4 * 3^2 * (rows * cols)^2).

    Args:
        style_gram, combination_gram: (channels, channels), from `gram_matrix`.
        rows, cols: of the picture, not of the layer.

    Returns:
        A scalar, 0 where both are equal.

    Source: Gatys et al. 2015, eq. 4. Differs from Gatys: 3 and rows * cols are the picture's
    channels and pixels, as in the Keras example, where the paper has the layer's.
    """
    difference = keras.ops.sum(keras.ops.square(style_gram - combination_gram))
    return difference / (4.0 * 3**2 * (rows * cols) ** 2)


def content_loss(base_features, combination_features):
    """Distance in content: sum (F(B) - F(C))^2.

    Args:
        base_features, combination_features: of one shape.

    Returns:
        A scalar, 0 where both are equal.

    Source: Gatys et al. 2015, eq. 1. Differs from Gatys: no factor 1/2.
    """
    return keras.ops.sum(keras.ops.square(combination_features - base_features))


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
    """What each layer's content and style loss, and the total variation, are multiplied with."""

    content: dict[str, float]
    style: dict[str, float]
    total_variation: float


def loss_weights(settings, rows):
    """The `LossWeights` at `rows` rows: the settings' weights, turned by strength and size.

    Strength s multiplies content by 2 (1 - s) and style and total variation by 2 s: nothing at 0.5.
    Content and total variation are sums over pixels and follow `reference_rows`; the style loss
    means the same at every size as it stands.
    """
    to_photo, to_painting = 2 * (1 - settings["strength"]), 2 * settings["strength"]
    per_pixel = ((settings["reference_rows"] or rows) / rows) ** 2
    content = settings["content_weight"] * to_photo * per_pixel
    style = settings["style_weight"] * to_painting
    return LossWeights(
        content={layer: content * share for layer, share in settings["content_layers"].items()},
        style={layer: style * share for layer, share in settings["style_layers"].items()},
        total_variation=settings["tv_weight"] * to_painting * per_pixel,
    )


class Targets(NamedTuple):
    """What the combination is compared with; it never changes during a run."""

    content: dict  # layer name -> tensor of features (1, rows, cols, channels)
    style: dict  # layer name -> tensor of the Gram matrix (channels, channels)


def compute_targets(network, base, style_reference, weights):
    """Runs VGG19 on the base and the style reference, once.

    The Keras example runs both in every evaluation, concatenated with the combination. They never
    change, so here every evaluation runs the combination alone: the same numbers for a third of
    the work. One picture at a time, as the three concatenated take twice the memory.
    """
    features = network.predict_on_batch(base[np.newaxis])
    content = {layer: keras.ops.convert_to_tensor(features[layer]) for layer in weights.content}
    features = network.predict_on_batch(style_reference[np.newaxis])
    style = {layer: gram_matrix(features[layer]) for layer in weights.style}
    return Targets(content, style)


def make_objective(network, base, style_reference, weights):
    """Returns the loss and gradient to minimise, see `make_loss_and_grads`.

    Its losses are three: content, style and total variation, in this order.

    Args:
        network: from `build_network`.
        base, style_reference: (rows, cols, 3), as `preprocess_image` makes them.
        weights: the `LossWeights`.
    """
    rows, cols, _ = base.shape
    targets = compute_targets(network, base, style_reference, weights)

    def losses(combination):
        features = network(combination)
        content = sum(
            share * content_loss(targets.content[layer], features[layer])
            for layer, share in weights.content.items()
        )
        style = sum(
            share * style_loss(targets.style[layer], gram_matrix(features[layer]), rows, cols)
            for layer, share in weights.style.items()
        )
        total_variation = weights.total_variation * total_variation_loss(combination)
        return keras.ops.stack([content, style, total_variation])

    return make_loss_and_grads(losses, rows, cols)


def make_loss_and_grads(losses, rows, cols):
    """Compiles `losses` and the gradient of their sum for SciPy. All that knows the backend.

    Args:
        losses: function from a float32 tensor (1, rows, cols, 3) to a tensor (n,).
        rows, cols: of the picture.

    Returns:
        A function from a flat float64 vector of rows*cols*3 values to (losses, gradient): arrays
        of shape (n,) and (rows*cols*3,), float64.
    """
    value_and_grad = _COMPILERS[keras.backend.backend()](losses)
    scale = np.float32(1)

    def loss_and_grads(x):
        nonlocal scale
        combination = np.asarray(x, np.float32).reshape(1, rows, cols, 3)
        values, gradient = value_and_grad(combination, scale)
        # On its way back through a float16 network a large gradient overflows: scale it down.
        while not np.isfinite(gradient).all() and np.isfinite(values).all() and scale > 1e-30:
            scale /= np.float32(256)
            values, gradient = value_and_grad(combination, scale)
        return np.asarray(values, np.float64), np.asarray(gradient, np.float64).ravel() / scale

    return loss_and_grads


def _tensorflow_value_and_grad(losses):
    import tensorflow as tf

    @tf.function
    def value_and_grad(combination, scale):
        with tf.GradientTape() as tape:
            tape.watch(combination)
            values = losses(combination)
            total = scale * tf.reduce_sum(values)
        return values, tape.gradient(total, combination)

    def in_numpy(combination, scale):
        values, gradient = value_and_grad(tf.constant(combination), tf.constant(scale))
        return values.numpy(), gradient.numpy()

    return in_numpy


def _jax_value_and_grad(losses):
    import jax

    def total(combination, scale):
        values = losses(combination)
        return scale * values.sum(), values

    value_and_grad = jax.jit(jax.value_and_grad(total, has_aux=True))

    def in_numpy(combination, scale):
        (_, values), gradient = value_and_grad(combination, scale)
        return np.asarray(values), np.asarray(gradient)

    return in_numpy


def _torch_value_and_grad(losses):
    import torch

    def in_numpy(combination, scale):
        x = keras.ops.convert_to_tensor(combination).requires_grad_()
        values = losses(x)
        (gradient,) = torch.autograd.grad(float(scale) * values.sum(), x)
        return values.detach().cpu().numpy(), gradient.cpu().numpy()

    return in_numpy


_COMPILERS = {
    "tensorflow": _tensorflow_value_and_grad,
    "jax": _jax_value_and_grad,
    "torch": _torch_value_and_grad,
}


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

    gpu = tf.config.list_physical_devices("GPU")
    return tf.config.experimental.get_memory_info("GPU:0")["peak"] if gpu else 0


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
        loss_and_grads: from `make_loss_and_grads`.
        on_evaluation: called with the `Losses` after every evaluation.
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

    def _evaluate(self, x):
        terms, grads = self._loss_and_grads(x)
        losses = Losses(float(terms.sum()), *map(float, terms))
        self.evaluations += 1
        _require_finite(losses, grads, self.evaluations)
        self._x, self._losses, self._grads = np.copy(x), losses, grads
        if self._on_evaluation:
            self._on_evaluation(losses)


def _require_finite(losses, grads, evaluation):
    """Raises NonFiniteLoss, naming the term, unless every number is finite."""
    for name in ("content", "style", "total_variation"):
        if not math.isfinite(value := getattr(losses, name)):
            raise NonFiniteLoss(
                f"the {name.replace('_', ' ')} loss became {value} at evaluation {evaluation}; "
                "lower its weight"
            )
    if not (math.isfinite(losses.total) and np.isfinite(grads).all()):
        raise NonFiniteLoss(
            f"the gradient became infinite at evaluation {evaluation}; lower the weights"
        )


# ---------------------------------------------------------------------------------------------
# The run
# ---------------------------------------------------------------------------------------------


class Stage(NamedTuple):
    """A part of a run: so many iterations at one size and precision."""

    rows: int
    cols: int
    iterations: int
    precision: str


@dataclasses.dataclass(frozen=True)
class Iterate:
    """What is known after an iteration.

    Attributes:
        iteration: from 0 at each size.
        image: the picture so far, a Pillow RGB image.
        losses: of this very picture, before it was rounded to 8 bits.
        evaluations: made since the start, at all sizes.
        seconds: that this iteration took.
        final: whether this is the size asked for, not a smaller one on the way to it.
        stopped: why no iteration follows at this size, where there are fewer than asked for.
    """

    iteration: int
    image: Image.Image
    losses: Losses
    evaluations: int
    seconds: float
    final: bool = True
    stopped: str = ""


def style_transfer(
    base,
    style_reference,
    iterations=None,
    callback=None,
    *,
    recipe=DEFAULT_RECIPE,
    weights="imagenet",
    on_stage=None,
    on_evaluation=None,
    **settings,
):
    """Paints `base` in the style of `style_reference`.

    Args:
        base, style_reference: paths, Pillow images or uint8 arrays, see `load_image`.
        iterations: of `EVALUATIONS_PER_ITERATION` evaluations each; the recipe's where None.
        callback: called with an `Iterate` after every iteration.
        recipe: a name in `RECIPES`.
        weights: what `vgg19_weights.load_weights` takes, or a `VGG19Weights`.
        on_stage: called with the list of `Stage` and the index of the one that begins.
        on_evaluation: called with the `Losses` after every evaluation.
        **settings: any other of `SETTINGS`, such as `content_weight` or `size`.

    Returns:
        The final picture, a Pillow RGB image.

    Raises:
        InputError: a picture or a setting that cannot be used.
        WeightsError: no weights, or not those of a VGG19.
        NonFiniteLoss: a term of the loss became NaN or infinite.
    """
    settings = choose_settings(recipe, iterations=iterations, **settings)
    base, style_reference = load_image(base), load_image(style_reference)
    stages = plan_stages(base, settings)
    if not isinstance(weights, VGG19Weights):
        weights = load_weights(weights)
    layers = {**settings["content_layers"], **settings["style_layers"]}
    network = functools.cache(lambda precision: build_network(weights, layers, precision))

    x, evaluations = None, 0
    for index, stage in enumerate(stages):
        if on_stage:
            on_stage(stages, index)
        pictures = [
            preprocess_image(resize_image(image, stage.rows, stage.cols, settings["resample"]))
            for image in (base, style_reference)
        ]
        objective = make_objective(
            network(stage.precision), *pictures, loss_weights(settings, stage.rows)
        )
        evaluator = Evaluator(objective, on_evaluation, evaluations)
        x = pictures[0] if x is None else enlarge(x, stage.rows, stage.cols)
        x, iterate = _paint(evaluator, x, stage, settings, stage is stages[-1], callback)
        evaluations = evaluator.evaluations
    return iterate.image


def plan_stages(base, settings):
    """The list of `Stage` of a run on the Pillow image `base`, from the coarsest to the result.

    Raises:
        InputError: a side would be too small for VGG19.
    """
    rows, cols = working_size(base, settings["size"])
    scales = settings["scales"]
    if scales == "auto":
        scales = 1 + max(0, math.floor(math.log2(min(rows, cols) / SMALLEST_SCALE)))
    precision = settings["precision"]
    stages = []
    for halvings in reversed(range(scales)):
        size = working_size(base, round(rows / 2**halvings))
        coarse = "bfloat16" if halvings and bfloat16_is_fast() else "float32"
        stages.append(
            Stage(*size, settings["iterations"], coarse if precision == "auto" else precision)
        )
    return stages


def bfloat16_is_fast():
    """Whether this is TensorFlow on a CPU that computes in bfloat16, where it was seen to pay."""
    with contextlib.suppress(OSError):
        flags = Path("/proc/cpuinfo").read_text()
        return keras.backend.backend() == "tensorflow" and (
            " avx512_bf16" in flags or " amx_bf16" in flags
        )
    return False


def _paint(evaluator, combination, stage, settings, final, callback):
    """Runs one `Stage`. Returns the combination (rows, cols, 3) and the last `Iterate`."""
    iterate, start = None, time.perf_counter()

    def on_iteration(x, stopped):
        nonlocal iterate, start
        iterate = Iterate(
            iteration=iterate.iteration + 1 if iterate else 0,
            image=Image.fromarray(deprocess_image(x.reshape(combination.shape))),
            losses=evaluator.losses(x),
            evaluations=evaluator.evaluations,
            seconds=time.perf_counter() - start,
            final=final,
            stopped=stopped,
        )
        if callback:
            callback(iterate)
        start = time.perf_counter()

    x, bounds = combination.astype(np.float64).ravel(), None
    if settings["bounded"]:
        black = np.tile(np.negative(IMAGENET_MEAN_BGR), stage.rows * stage.cols)
        bounds = black, black + 255
        x = x.clip(*bounds)
    x = minimize(
        evaluator,
        x,
        stage.iterations,
        on_iteration,
        restart=settings["restart"],
        bounds=bounds,
        tolerance=settings["tolerance"],
    )
    return x.reshape(combination.shape), iterate


def minimize(evaluator, x, iterations, on_iteration, restart=False, bounds=None, tolerance=0.0):
    """Lowers the loss with SciPy's L-BFGS, in one run or in one per iteration.

    Where L-BFGS gives up before the last iteration (its line search finds no lower point, or the
    loss changes by less than float32 can tell), it is started once more from there.

    Args:
        evaluator: an `Evaluator`.
        x: the start, a flat float64 vector.
        iterations: at least 1, of `EVALUATIONS_PER_ITERATION` evaluations (SciPy may add one).
        on_iteration: called as on_iteration(x, stopped) after each; `stopped` says why no more
            follow, and is empty while they do.
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
        if tolerance and iteration < iterations and before - loss < tolerance * before:
            gain = (before - loss) / before
            stopped = f"an iteration gained {gain:.2%}, less than the tolerance of {tolerance:.2%}"
        on_iteration(x, stopped)
        ended = bool(stopped) or iteration == iterations

    def after_step(x):
        due = first + (iteration + 1) * EVALUATIONS_PER_ITERATION
        if iteration + 1 < iterations and evaluator.evaluations >= due:
            finish_iteration(x)
            if ended:
                raise StopIteration

    while True:
        left = first + iterations * EVALUATIONS_PER_ITERATION - evaluator.evaluations
        x, _, _ = scipy.optimize.fmin_l_bfgs_b(
            evaluator.loss,
            x,
            fprime=evaluator.grads,
            bounds=None if bounds is None else np.stack(bounds, axis=1),
            maxfun=EVALUATIONS_PER_ITERATION if restart else left,
            callback=None if restart else after_step,
        )
        if ended:  # by after_step
            return x
        used = evaluator.evaluations - first
        if restart or used >= iterations * EVALUATIONS_PER_ITERATION:
            finish_iteration(x)
        elif stalled:
            finish_iteration(x, "L-BFGS finds no lower point")
        stalled = True
        if ended:
            return x


# ---------------------------------------------------------------------------------------------
# The command line
# ---------------------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    """Reports an error as one line."""

    def error(self, message):
        self.exit(2, f"{self.prog}: error: {message}; see --help\n")


def as_typed(value):
    """A setting's value as a person would type it."""
    return " ".join(f"{k}:{v:.3g}" for k, v in value.items()) if isinstance(value, dict) else value


def build_parser():
    """The command line's parser. Settings that are not given stay None: the recipe has them."""
    parser = _Parser(
        description="Paints a photo in the style of a picture.",
        epilog="Options may be spelled with hyphens too: --content-weight.",
    )
    parser.add_argument("base", help="the photo")
    parser.add_argument("style_reference", help="the picture whose style is wanted")
    parser.add_argument(
        "result_prefix", help="pictures are saved as PREFIX_at_iteration_N.png; folders are created"
    )
    default = RECIPES[DEFAULT_RECIPE]
    for name, setting in SETTINGS.items():
        parser.add_argument(
            setting.flag,
            dest=name,
            nargs=setting.nargs,
            metavar=setting.metavar,
            help=f"{setting.help} (default: {as_typed(default[name])})",
        )
    parser.add_argument(
        "--recipe",
        choices=RECIPES,
        default=DEFAULT_RECIPE,
        help="the settings to start from (default: %(default)s)",
    )
    parser.add_argument(
        "--weights",
        default="imagenet",
        metavar="imagenet|mirror|PATH",
        help="VGG19's weights: Keras's own, those on the package index, or a .h5 or .mat file "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--format", choices=FORMATS, default="png", help="of the results (default: %(default)s)"
    )
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    parser.add_argument("--verbose", action="store_true", help="print the peak memory at the end")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


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
    folder = Path(prefix + "_").parent
    probe = folder / f".{os.getpid()}.probe"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        raise InputError(
            f"result_prefix {prefix}: cannot write in {folder} ({error.strerror}); "
            "choose another folder"
        ) from None


class Report:
    """Prints, shows progress and saves as a run goes on.

    Attributes:
        saved: the path of the last picture, None before the first.
    """

    def __init__(self, prefix, suffix, quiet):
        self.saved = None
        self._prefix, self._suffix, self._quiet = prefix, suffix, quiet
        self._stage = self._evaluation_cost = None
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

    def on_stage(self, stages, index):
        """Announces a size. The bar counts pixels evaluated, as time goes with them."""
        pixels = [stage.rows * stage.cols for stage in stages]
        self._bar.total = EVALUATIONS_PER_ITERATION * sum(
            stage.iterations * count for stage, count in zip(stages, pixels, strict=True)
        )
        self._stage, self._evaluation_cost = stages[index], pixels[index]
        if index + 1 == len(stages):
            self.print("Start of iteration 0")

    def on_evaluation(self, losses):
        self._bar.set_postfix(loss=f"{losses.total:.4g}", refresh=False)
        self._bar.update(self._evaluation_cost)

    def on_iterate(self, iterate):
        """Reports an iteration; at the size asked for, saves its picture and announces the next."""
        if iterate.final:
            self._on_final_iterate(iterate)
        else:
            self.print(
                f"On the way, at {iterate.image.width}x{iterate.image.height} pixels: "
                f"loss {iterate.losses.total:.6g} after {iterate.seconds:.0f}s"
            )
        if iterate.stopped:
            self.print(f"Stopped at this size: {iterate.stopped}")

    def _on_final_iterate(self, iterate):
        path = Path(f"{self._prefix}_at_iteration_{iterate.iteration}.{self._suffix}")
        losses = iterate.losses
        self.print(f"Current loss value: {losses.total}")
        self.print(
            f"  content {losses.content:.6g}, style {losses.style:.6g}, "
            f"total variation {losses.total_variation:.6g}"
        )
        save_image(iterate.image, path)
        self.saved = path
        self.print(f"Image saved as {path}")
        self.print(f"Iteration {iterate.iteration} completed in {iterate.seconds:.0f}s")
        if iterate.iteration + 1 < self._stage.iterations and not iterate.stopped:
            self.print(f"Start of iteration {iterate.iteration + 1}")

    def kept(self):
        """What is left of a run that did not finish, in words."""
        return f"the last picture is {self.saved}" if self.saved else "no picture was finished"

    def close(self):
        self._bar.close()


def run(args):
    """Checks everything that is cheap to check, then paints. Returns the exit status."""
    settings = {name: getattr(args, name) for name in SETTINGS}
    base, style_reference = load_image(args.base), load_image(args.style_reference)
    working_size(base, choose_settings(args.recipe, **settings)["size"])
    check_writable(args.result_prefix)
    report = Report(args.result_prefix, args.format, args.quiet)
    try:
        weights = load_weights(args.weights, quiet=args.quiet)
        report.print(f"Using {weights.source}")
        style_transfer(
            base,
            style_reference,
            callback=report.on_iterate,
            recipe=args.recipe,
            weights=weights,
            on_stage=report.on_stage,
            on_evaluation=report.on_evaluation,
            **settings,
        )
        if args.verbose:
            for where, mib in peak_memory().items():
                report.print(f"Peak memory of the {where}: {mib:.0f} MiB")
    except NonFiniteLoss as error:
        return fail(1, f"{error}; {report.kept()}")
    except OSError as error:
        return fail(1, f"cannot write: {error.strerror or error}; {report.kept()}")
    except KeyboardInterrupt:
        return fail(130, f"interrupted; {report.kept()}")
    finally:
        report.close()
    return 0


def fail(status, message):
    """Prints one line to stderr and returns the exit status."""
    print(f"neural_style_transfer.py: error: {message}", file=sys.stderr)
    return status


def main(argv=None):
    """The command line. Returns 0, 1 (it failed), 2 (it cannot be done as asked), 130 (Ctrl-C)."""
    args = build_parser().parse_args(underscored(sys.argv[1:] if argv is None else argv))
    try:
        return run(args)
    except InputError as error:
        return fail(2, str(error))
    except WeightsError as error:
        return fail(1, str(error))
    except KeyboardInterrupt:
        return fail(130, "interrupted; no picture was finished")


if __name__ == "__main__":
    raise SystemExit(main())
