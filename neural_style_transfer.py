#!/usr/bin/env python3
# PYTHON_ARGCOMPLETE_OK
"""Paints a photo in the style of a picture by optimising pixels against VGG19 features.

    python neural_style_transfer.py base.jpg style_reference.jpg results/prefix
    python neural_style_transfer.py base.jpg style_reference.jpg results/prefix --iter 5 --size 300

The result, or combination C, starts as the photo, or base B, in the colours of the painting, or
style reference S. L-BFGS changes C until the loss is small:

    loss            = content + style + neighbors + total variation + temporal
    content         = content_weight * sum (F(B) - F(C))^2
    style           = style_weight/5 * sum over block1..5_conv1 of
                      sum (G(S) - G(C))^2 / (4 * 3^2 * (rows * cols)^2),      G = F^T F
    neighbors       = neighbor_weight * mean over places of 1 - cosine of a place's features and
                      those of the most similar place in S
    total variation = tv_weight * sum ((C[i,j] - C[i+1,j])^2 + (C[i,j] - C[i,j+1])^2)^1.25
    temporal        = temporal_weight * mean (C - C of the frame before, moved)^2, in films only

F are VGG19's features after the ReLU: a row for each position, a column for each channel. The
method is Gatys, Ecker and Bethge, "A Neural Algorithm of Artistic Style" (2015, arXiv:1508.06576);
neighbours are after Kolkin et al. (2022, arXiv:2203.13215), total variation after Mahendran and
Vedaldi (2014, arXiv:1412.0035) with beta = 2.5. With `--recipe keras`, formulas and numbers are
those of the Keras example script, which differs from the first paper: it starts from the photo
instead of noise, has other constants in front of the sums, pools by maximum, and adds total
variation. The default recipe, `neighbors`, minimises all terms coarse to fine (small sizes first);
what differs from recipe to recipe is in `RECIPES` and `FORMULAS`.
"""

import functools
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from stylize import __version__  # noqa: F401
from stylize.backend import tensors
from stylize.backend.memoize import remembered
from stylize.backend.scratch import Folder, Scratch
from stylize.backend.tensors import LossAndGrads, keras, to_tensors
from stylize.errors import (
    InputError,  # noqa: F401
    NonFiniteLoss,  # noqa: F401
    WeightsError,  # noqa: F401
)
from stylize.images.masks import layer_mask
from stylize.images.optical_flow import Previous
from stylize.images.reading import load_image  # noqa: F401
from stylize.images.writing import save_image  # noqa: F401
from stylize.losses.formulas import (
    FORMULAS,
    even_out,
    mean_square_variation,  # noqa: F401
    replicate_edges,
)
from stylize.losses.neighbors import (
    BEYOND,
    GRID_LAYER,
    find_neighbors,
    hypercolumns,
    neighbor_loss,
    resizing,
)
from stylize.losses.tiles import (
    Targets,
    Tile,
    TiledLossAndGrads,
    TilePasses,
    features_by_tile,
    make_tiles,
    sums_over_tiles,
    whole_picture,
)
from stylize.optimize import minimize
from stylize.optimize.minimize import Iterations, fmin_l_bfgs_b
from stylize.optimize.state import Losses
from stylize.runs.job import Job, Style, prepare
from stylize.runs.loss_weights import LossWeights
from stylize.runs.progress import Checkpoint, Iterate, Progress, Reports, Stage, estimate_seconds
from stylize.runs.recipes import (
    DEFAULT_RECIPE,
    RECIPES,  # noqa: F401
)
from stylize.runs.settings import EVALUATIONS_PER_ITERATION
from stylize.vgg.download import load_weights
from stylize.vgg.weights import IMAGENET_MEAN_BGR, VGG19Weights, passes_through

STYLES_KEPT = 64  # Gram matrices of so many styles and sizes, for the next photo or frame

# ---------------------------------------------------------------------------------------------
# Features
# ---------------------------------------------------------------------------------------------


def build_network(
    weights: VGG19Weights,
    layers: Sequence[str] | Mapping[str, Any],
    precision: str = "float32",
    pooling: str = "max",
    pool_padding: str = "valid",
    data_format: str | None = None,
    edges: str = "zero",
) -> Any:
    """Builds the Keras VGG19, cut off after the deepest of `layers`.

    Args:
        weights: a `VGG19Weights`; the number of channels is taken from its kernels.
        layers: the Keras layer names whose outputs, after the ReLU, are wanted.
        precision: of the convolutions, one of `PRECISIONS`.
        pooling: "max", or "avg" as Gatys et al. suggest.
        pool_padding: what happens to an odd last row: "valid" leaves it out, "same" pools it alone.
        data_format: "channels_last" or "channels_first": how it computes, not what goes in and
            comes out. None: as Keras is configured.
        edges: what lies around the picture: "zero", or its outermost pixels with "replicate".

    Returns:
        A Keras model from pictures (n, rows, cols, 3), as `preprocess_image` makes them, to a
        dictionary: layer name -> float32 features (n, rows, cols, channels).

    Raises:
        InputError: the data format is channels_first and the backend cannot compute that here.
    """
    data_format = data_format or keras.config.image_data_format()
    channels_first = data_format == "channels_first"
    if channels_first:
        tensors.require_channels_first()
    inputs = keras.Input((None, None, 3))
    x = inputs
    if tuple(weights.mean_bgr) != IMAGENET_MEAN_BGR:
        x = x + np.float32(np.subtract(IMAGENET_MEAN_BGR, weights.mean_bgr))
    if edges == "replicate":
        x = replicate_edges(x)
    if channels_first:
        x = keras.ops.transpose(x, (0, 3, 1, 2))
    outputs: dict[str, Any] = {}
    options = {"dtype": precision, "data_format": data_format}
    for name, layer in _vgg19_layers(weights, pooling, pool_padding, edges, options):
        if layer is not None:
            x = layer(x)
            layer.set_weights(weights.layers.get(name, ()))
        if name in layers:
            output = keras.ops.transpose(x, (0, 2, 3, 1)) if channels_first else x
            outputs[name] = keras.ops.cast(output, "float32")
        if outputs.keys() >= set(layers):
            break
    network = keras.Model(inputs, outputs, name="vgg19")
    network.trainable = False  # no gradient is ever taken with respect to the weights
    return network


def _vgg19_layers(weights, pooling, pool_padding, edges, options):
    """Yields the name and the Keras layer of each step; None for one that changes nothing."""
    pool_class = {"max": keras.layers.MaxPooling2D, "avg": keras.layers.AveragePooling2D}[pooling]
    block, padding = "block1", {"zero": "same", "replicate": "valid"}[edges]
    for name, (kernel, bias) in weights.layers.items():
        if not name.startswith(block):
            pool = f"{block}_pool"
            yield pool, pool_class(2, padding=pool_padding, name=pool, **options)
            block = name.partition("_")[0]
        if passes_through(kernel, bias):
            yield name, None
        else:
            convolution = keras.layers.Conv2D(
                kernel.shape[-1], 3, padding=padding, activation="relu", name=name, **options
            )
            yield name, convolution
            padding = "same"


@functools.lru_cache(maxsize=2)
def _kept_network(*arguments):
    """The same network as the last time, for those who paint one picture after another."""
    return build_network(*arguments)


# ---------------------------------------------------------------------------------------------
# Losses
# ---------------------------------------------------------------------------------------------


def gram_matrix(features: Any, mask: Any = None) -> Any:
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
    return _masked(flat, mask, lambda flat: keras.ops.matmul(keras.ops.transpose(flat), flat))


def _masked(flat, mask, gram):
    """The `gram` of features by position, times the mask where there is one."""
    if mask is None:
        return gram(flat)
    return gram(flat * mask) * _mask_scale(mask)


def _mask_scale(mask):
    """What makes a Gram matrix of masked features one of as many positions as there are."""
    if mask is None:
        return None
    squares = keras.ops.sum(keras.ops.square(mask))  # 0 where a small mask is lost on the way down
    return mask.shape[0] / keras.ops.maximum(squares, 1e-6)


def _style_gram(features, mask=None):
    """`gram_matrix` with half of the work for its gradient, right in the style loss only.

    The gradient is F (D + D^T), two large products, where D is the loss's with respect to G. The
    style loss makes D symmetric, as G is, so the gradient is twice that of one factor.
    """

    def gram(flat):
        product = keras.ops.matmul(keras.ops.transpose(flat), keras.ops.stop_gradient(flat))
        return 2 * product - keras.ops.stop_gradient(product)

    return _masked(keras.ops.reshape(features, (-1, features.shape[-1])), mask, gram)


def style_loss(style_gram: Any, combination_gram: Any) -> Any:
    """One layer's distance in style: sum (G(S) - G(C))^2.

    Args:
        style_gram, combination_gram: (channels, channels), from `gram_matrix`.

    Returns:
        A scalar, 0 where both are equal.

    Source: Gatys et al. 2015, eq. 4; the constant in front of it is in `FORMULAS`.
    """
    return keras.ops.sum(keras.ops.square(keras.ops.subtract(style_gram, combination_gram)))


def content_loss(base_features: Any, combination_features: Any, mask: Any = None) -> Any:
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


def total_variation_loss(x: Any) -> Any:
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


def compute_targets(
    network: Any,
    base: np.ndarray,
    tiles: Sequence[Tile],
    layers: Iterable[str],
    content_mask: np.ndarray | None = None,
    neighbors: Sequence | None = None,
    previous: Previous | None = None,
) -> Iterator[Targets]:
    """Runs VGG19 on the base, once. Yields the targets of each tile; the rest as `make_objective`.

    The Keras example runs base and style in every evaluation, concatenated with the combination.
    They never change, so here every evaluation runs the combination alone: the same numbers for a
    third of the work.
    """
    shapes = _feature_shapes(network, base)
    masks = {layer: layer_mask(content_mask, shapes[layer]) for layer in layers}
    for tile, features in features_by_tile(network, layers, base, tiles):
        grid = shapes.get(GRID_LAYER)
        yield Targets(
            content={layer: tile.local.own(own, layer) for layer, own in features.items()},
            content_mask={n: tile.positions(mask, n, shapes[n]) for n, mask in masks.items()},
            neighbors=neighbors and [tile.positions(n, GRID_LAYER, grid) for n in neighbors],
            resizing=resizing(shapes, tile) if neighbors else {},
            previous=previous and previous.of(tile),
        )


@remembered(STYLES_KEPT)
def style_targets(
    network: Any,
    picture: np.ndarray,
    layers: Iterable[str],
    shapes: Mapping[str, tuple[int, ...]],
    tile: int | None = None,
    formula: str = "keras",
) -> dict[str, Any]:
    """Runs VGG19 on a style, once. Returns its Gram matrices by layer name.

    Args:
        picture: (rows, cols, 3), as `preprocess_image` makes it.
        layers: where style is compared.
        shapes: layer name -> (1, rows, cols, channels) of the combination's features, to whose
            positions the matrices are scaled.
        tile, formula: as for `make_objective`.
    """

    def gram(features):
        return gram_matrix(FORMULAS[formula].channels(features))

    if tile:
        grams = sums_over_tiles(gram, network, layers, picture, tile)
    else:
        outputs = {layer: gram(network.output[layer]) for layer in layers}
        to_grams = keras.Model(network.input, outputs)
        grams = to_grams.predict_on_batch(picture[np.newaxis])
    own = _feature_shapes(network, picture)
    scales = {layer: math.prod(shapes[layer]) / math.prod(own[layer]) for layer in grams}
    return {layer: keras.ops.convert_to_tensor(grams[layer] * scales[layer]) for layer in grams}


def _feature_shapes(network, picture):
    """Layer name -> (1, rows, cols, channels) of its features of a picture (rows, cols, 3)."""
    return network.compute_output_shape((1, *picture.shape))


class Objective(NamedTuple):
    """The loss. Its terms are sums over places, of one tile or of all, but for the style's."""

    content_scales: dict[str, float]  # layer name -> factor
    style_scales: dict[str, float]  # the same
    variation_scale: float
    neighbor_scale: float
    temporal_scale: float
    roughness: Callable | None  # this and `channels` as in `Formula`
    channels: Callable
    shape: tuple[int, int]  # of the combination
    style: list  # for each style: layer name -> function from a Gram matrix to its distance
    shares: Sequence[float]  # of the styles
    mask_scales: list  # for each style: layer name -> factor of a masked Gram matrix, or None

    def terms(
        self, combination: Any, features: Any, targets: Targets, tile: Tile, style: Callable
    ) -> Any:
        """The terms of a tile, a tensor (5,); the style's is what the function `style` returns."""
        content = likeness = temporal = 0.0
        for layer, scale in self.content_scales.items():
            own, mask = tile.own(features[layer], layer), targets.content_mask[layer]
            content = content + scale * content_loss(targets.content[layer], own, mask)
        style_term, pairs = style(), tile.pairs(combination)
        if self.roughness:
            variation = self.roughness(pairs, tile, self.shape)
        else:
            variation = total_variation_loss(pairs)
        if targets.neighbors is not None:
            columns = hypercolumns(features, tile, targets.resizing)
            likeness = self.neighbor_scale * neighbor_loss(columns, targets.neighbors)
        if targets.previous is not None:
            rows, cols = tile.shape
            before, hold = targets.previous
            temporal = self.temporal_scale * content_loss(before, pairs[:, :rows, :cols], hold)
        variation = self.variation_scale * variation
        return keras.ops.stack([content, style_term, variation, likeness, temporal])

    def style_term(self, gram: Callable[[str, int], Any]) -> Any:
        """The style's, of the combination's Gram matrices by layer name and number of the style."""
        style = 0.0
        for layer, scale in self.style_scales.items():
            for index, share in enumerate(self.shares):
                style = style + share * scale * self.style[index][layer](gram(layer, index))
        return style

    def whole(self, network: Any, masks: list, targets: Targets, combination: Any) -> Any:
        """The terms of the whole combination; `masks` of each style: layer name -> mask or None."""
        features = network(combination)
        compared = functools.cache(lambda layer: self.channels(features[layer]))
        shared = functools.cache(lambda layer: _style_gram(compared(layer)))

        def gram(layer, index):
            mask = masks[index][layer]
            return shared(layer) if mask is None else _style_gram(compared(layer), mask)

        tile = whole_picture(*self.shape)
        return self.terms(combination, features, targets, tile, lambda: self.style_term(gram))


def make_objective(
    network: Any,
    base: np.ndarray,
    styles: Sequence[Style],
    loss_weights: LossWeights,
    formula: str = "keras",
    content_mask: np.ndarray | None = None,
    neighbors: Sequence | None = None,
    tile: int | None = None,
    passes: Callable = TilePasses,
    scratch: Folder = None,
    previous: Previous | None = None,
) -> LossAndGrads | TiledLossAndGrads:
    """Returns the function to minimise: the terms of the loss, and their sum's gradient.

    Args:
        network: from `build_network`.
        base: (rows, cols, 3), as `preprocess_image` makes it.
        styles: at least one.
        loss_weights: of the layers' losses and of the total variation.
        formula: a name in `FORMULAS`.
        content_mask: (rows, cols), 0..1: where the content counts; None: everywhere.
        neighbors: the targets of `neighbor_loss`, from `find_neighbors`, or None.
        tile: rows and columns that the network sees at once, without the margins; None: all.
        passes: as for `TiledLossAndGrads`.
        scratch: the folder for the targets of tiles, see `Scratch`.
        previous: of a film's frame, what it is held to, or None.
    """
    rows, cols, _ = base.shape
    shapes = _feature_shapes(network, base)
    beyond = {} if neighbors is None else BEYOND
    tiles = make_tiles(network, rows, cols, tile, beyond) if tile else [whole_picture(rows, cols)]
    given = network, base, tiles, loss_weights.content, content_mask, neighbors, previous
    keep = functools.partial(Scratch, folder=scratch)
    targets: Sequence[Targets] = (list if len(tiles) == 1 else keep)(compute_targets(*given))
    masks = [
        {layer: layer_mask(style.mask, shapes[layer]) for layer in loss_weights.style}
        for style in styles
    ]
    of_styles = tuple(loss_weights.style), shapes, tile, formula
    grams = [style_targets(network, style.picture, *of_styles) for style in styles]
    shares = [style.share for style in styles]
    objective = _weigh(shapes, targets, grams, masks, shares, loss_weights, formula, (rows, cols))
    if len(tiles) == 1:
        masks, targets = to_tensors((masks, targets[0]))
        losses = functools.partial(objective.whole, network, masks, targets)
        return LossAndGrads(losses, *objective.shape)
    own_masks = (
        [{n: tile.positions(mask, n, shapes[n]) for n, mask in own.items()} for own in masks]
        for tile in tiles
    )
    return TiledLossAndGrads(network, objective, tiles, keep(own_masks), targets, passes)


def _weigh(shapes, targets, grams, masks, shares, loss_weights, formula, shape):
    """The `Objective`, its constants worked out."""
    constants, pixels = FORMULAS[formula], math.prod(shape)
    sizes = {n: (math.prod(s[:3]), s[3]) for n, s in shapes.items()}  # positions, channels
    content_scales = {
        layer: weight * constants.content(*sizes[layer])
        for layer, weight in loss_weights.content.items()
    }
    if loss_weights.relative_content:
        for layer in content_scales:
            squares = sum(float(keras.ops.sum(keras.ops.square(t.content[layer]))) for t in targets)
            content_scales[layer] /= squares / math.prod(sizes[layer]) or 1.0
    style_scales = {
        layer: weight * constants.style(*sizes[layer], pixels)
        for layer, weight in loss_weights.style.items()
    }
    distance_to = constants.distance_to or (lambda gram: functools.partial(style_loss, gram))
    energy = loss_weights.style_energy
    energy = energy and energy * sum(loss_weights.style.values())
    return Objective(
        content_scales,
        style_scales,
        loss_weights.total_variation * constants.total_variation(pixels),
        loss_weights.neighbors / sizes[GRID_LAYER][0] if loss_weights.neighbors else 0.0,
        loss_weights.temporal / (3 * pixels),
        constants.roughness,
        constants.channels,
        shape,
        [{layer: distance_to(gram) for layer, gram in own.items()} for own in grams],
        even_out(shares, grams, style_scales, energy),
        [{layer: _mask_scale(mask) for layer, mask in own.items()} for own in masks],
    )


class Evaluator:
    """Gives SciPy the loss and the gradient, which it asks for separately, from one evaluation.

    It keeps a copy of the last x with both, and evaluates again only when x differs.

    Args:
        loss_and_grads: a `LossAndGrads`, or any function like it.
        on_evaluation: called with the `Losses` and x after every evaluation.
        evaluations: to count on from.
    """

    def __init__(
        self,
        loss_and_grads: Any,
        on_evaluation: Callable[[Losses, Any], None] | None = None,
        evaluations: int = 0,
    ):
        self.evaluations = evaluations
        self._loss_and_grads = loss_and_grads
        self._on_evaluation = on_evaluation
        self._x: Any = None
        self._losses: Any = None
        self._grads: Any = None

    def losses(self, x: np.ndarray) -> Losses:
        """The `Losses` at x. Raises NonFiniteLoss."""
        if self._x is None or not np.array_equal(x, self._x):
            self._evaluate(x)
        return self._losses

    def loss(self, x: np.ndarray) -> float:
        """The total loss at x, a float. Raises NonFiniteLoss."""
        return self.losses(x).total

    def grads(self, x: np.ndarray) -> np.ndarray:
        """The gradient of the total loss at x, a flat float64 vector. Raises NonFiniteLoss."""
        self.losses(x)
        return self._grads.copy()

    def on_device(self, combination: Any) -> tuple[Losses, Any]:
        """(`Losses`, gradient) for and in the backend's tensors. Raises NonFiniteLoss."""
        terms, gradient = self._loss_and_grads.on_device(combination)
        terms = keras.ops.convert_to_numpy(terms)
        return self._count(combination, terms, tensors.is_finite(gradient)), gradient

    def _evaluate(self, x):
        terms, grads = self._loss_and_grads(x)
        losses = self._count(x, terms, np.isfinite(grads).all())
        self._x, self._losses, self._grads = np.copy(x), losses, grads

    def _count(self, x, terms, grads_are_finite):
        """Counts an evaluation, checks and reports it. Returns its `Losses`."""
        self.evaluations += 1
        losses = Losses(float(np.sum(terms)), *map(float, terms))
        losses.require_finite(grads_are_finite, self.evaluations)
        if self._on_evaluation:
            self._on_evaluation(losses, x)
        return losses


# ---------------------------------------------------------------------------------------------
# The optimizers
# ---------------------------------------------------------------------------------------------


def minimize_keras(
    iterations: Iterations, x: np.ndarray, bounds: tuple | None = None
) -> np.ndarray:
    """Lowers the loss as the Keras example does: L-BFGS, started anew in each iteration.

    Args:
        iterations: with the `Evaluator`.
        x: the start, a flat float64 vector.
        bounds: (lowest, highest) value of each element of x, two flat vectors, or None.

    Returns:
        The last x.
    """
    evaluator = iterations.evaluator
    iterations.start(evaluator.losses(x))
    while not iterations.ended:
        x = fmin_l_bfgs_b(
            evaluator.loss, x, evaluator.grads, bounds, maxfun=iterations.evaluations_each
        )
        iterations.finish(x, evaluator.losses(x))
        iterations.keep(evaluator.losses(x), x=x)
    return x


def minimize_scipy(
    iterations: Iterations, x: np.ndarray, bounds: tuple | None = None
) -> np.ndarray:
    """Lowers the loss with one run of L-BFGS. Arguments and result as in `minimize_keras`.

    Where it gives up early (its line search finds no lower point, or the loss changes by less than
    float32 can tell), it is started once more from there.
    """
    evaluator = iterations.evaluator
    iterations.start(evaluator.losses(x))
    for _ in ("run", "retry"):
        once = {"maxfun": iterations.evaluations_left, "callback": iterations.after_step}
        x = fmin_l_bfgs_b(evaluator.loss, x, evaluator.grads, bounds, **once)
        if iterations.ended:
            return x
        if iterations.evaluations_left <= 0:
            iterations.finish(x, evaluator.losses(x))
            return x
    iterations.finish(x, evaluator.losses(x), "L-BFGS finds no lower point")
    return x


# ---------------------------------------------------------------------------------------------
# The run
# ---------------------------------------------------------------------------------------------


def style_transfer(
    base: Any,
    style_reference: Any,
    iterations: int | None = None,
    callback: Callable[[Iterate], None] | None = None,
    *,
    recipe: str | Mapping = DEFAULT_RECIPE,
    weights: Any = "imagenet",
    evaluations_per_iteration: int = EVALUATIONS_PER_ITERATION,
    progress: Progress | None = None,
    **settings: Any,
) -> Image.Image:
    """Paints `base` in the style of `style_reference`.

    Args:
        base: a path, a Pillow image or a uint8 array, see `load_image`.
        style_reference: the same, or a list of them.
        iterations: of `evaluations_per_iteration` evaluations each; the recipe's where None.
        callback: called with an `Iterate` after every iteration.
        recipe: a name in `RECIPES`, or a mapping with the keys of one of them.
        weights: what `load_weights` takes, or a `VGG19Weights`.
        evaluations_per_iteration: the recipe's `effort` multiplies it, size by size.
        progress: a `Progress`; one of your own class is told of every evaluation.
        **settings: any other of `SETTINGS`, such as `content_weight` or `size`.

    Returns:
        The final picture, a Pillow RGB image.

    Raises:
        Whatever the callback or the progress raises, which ends the run, and
        InputError: a picture or a setting that cannot be used.
        WeightsError: no weights, or not those of a VGG19.
        NonFiniteLoss: a term of the loss became NaN or infinite.
        MemoryError: there is not enough, of the processor's or the GPU's.
    """
    job = prepare(
        base, style_reference, recipe, evaluations_per_iteration, iterations=iterations, **settings
    )
    if not isinstance(weights, VGG19Weights):
        weights = load_weights(weights)
    return paint(job, weights, progress, callback).image


def paint(
    job: Job,
    weights: VGG19Weights,
    progress: Progress | None = None,
    callback: Callable[[Iterate], None] | None = None,
    checkpoint: Checkpoint | None = None,
    keep: Callable[[Checkpoint], None] = lambda checkpoint: None,
) -> Iterate:
    """Paints a `Job`, stage by stage. Returns the last `Iterate`. The rest: see `style_transfer`.

    It goes on from `checkpoint`, if given, and calls `keep` with every checkpoint it reaches.
    """
    progress = progress or Progress()
    progress.on_start(job.stages)
    resumed, checkpoint = checkpoint, checkpoint or Checkpoint(0, job.start(job.stages[0]))
    x, first = checkpoint.start, checkpoint.stage
    with tensors.out_of_memory_as_memory_error():
        for index, stage in enumerate(job.stages[first:], first):
            if index > first:
                x = job.enlarged(x, index)
                checkpoint = Checkpoint(index, x, progress.evaluations, progress.seconds)
                keep(checkpoint)
            progress.on_stage(index)
            if checkpoint is resumed:
                progress.on_resume(checkpoint)
            objective = stage_objective(job, weights, stage, x)
            if index == job.estimate_at(first):
                progress.on_estimate(estimate_seconds(objective, checkpoint, job.stages))
            is_last = stage is job.stages[-1]
            reports = Reports(progress, callback, job.to_pixels(stage), is_last)
            x = _paint_stage(job, stage, objective, checkpoint, reports, keep)
    assert reports.last  # every stage has an iteration
    return reports.last


def stage_objective(
    job: Job, weights: VGG19Weights, stage: Stage, x: np.ndarray | None = None
) -> LossAndGrads | TiledLossAndGrads:
    """The function to minimise at a stage: the network built, all targets computed.

    Neighbours are those of the combination `x`, (rows, cols, 3); None: of the stage's start.
    """
    settings = job.settings
    options = settings.pooling, settings.pool_padding, keras.config.image_data_format()
    edges = settings.edges
    network = _kept_network(weights, job.layers, stage.precision, *options, edges)
    base, styles = job.base(stage), job.styles(stage)
    loss_weights = LossWeights.of(settings, stage.rows, job.stages[-1].rows)
    neighbors, new = None, None if job.previous is None else job.previous.new
    if job.has_neighbors(stage) and (new is None or new.any()):
        x = job.start(stage) if x is None else x
        queries = base, x, styles, job.query_content(stage)
        neighbors = find_neighbors(network, *queries, settings.style_turns, stage.tile, new)
    given = base, styles, loss_weights, settings.formula, job.content_mask(stage), neighbors
    return make_objective(network, *given, stage.tile, job.passes, job.scratch, job.previous)


def _paint_stage(job, stage, objective, checkpoint, reports, keep):
    """Lowers the loss from a checkpoint. Returns the last combination (rows, cols, 3)."""
    settings, progress, step = job.settings, reports.progress, checkpoint.step
    evaluator = Evaluator(objective, reports.on_evaluation, checkpoint.evaluations)

    def on_step(step):
        now = {"evaluations": progress.evaluations, "seconds": progress.seconds}
        keep(checkpoint._replace(step=step, **now))

    counts = stage.iterations, stage.evaluations_per_iteration
    iterations = Iterations(
        evaluator, *counts, reports.on_iteration, settings.tolerance, step, on_step
    )
    shape, bounds = (1, stage.rows, stage.cols, 3), ()
    if settings.bounded:
        black = np.tile(np.negative(IMAGENET_MEAN_BGR), (stage.cols, 1))  # (cols, 3)
        bounds = black, black + 255
    if settings.optimizer in minimize.SEARCHES:
        start = minimize.start_lbfgs(
            checkpoint.start.reshape(shape),
            bounds,
            checkpoint.step,
            job.arrays(stage),
            settings.optimizer,
            settings.pairs,
            settings.filter_exponent,
            job.previous and job.previous.gains,
        )
        x = minimize.minimize_lbfgs(iterations, *start)
    elif settings.optimizer == "adam":
        names = ("learning_rate", "beta1", "beta2", "epsilon")
        adam = {name.replace("beta", "beta_"): settings[name] for name in names}
        x = _last_picture(checkpoint).reshape(shape)
        x = minimize.minimize_adam(iterations, x, bounds, settings.average_decay, **adam)
    else:
        minimizer = minimize_keras if settings.restart else minimize_scipy
        x = _last_picture(checkpoint).reshape(shape)
        x = minimizer(iterations, *minimize.flat_float64(x, bounds))
    return tensors.to_numpy(x).reshape(shape[1:])


def _last_picture(checkpoint):
    """Where an optimiser of pixels goes on."""
    state = checkpoint.step.state
    return state["x"] if state else checkpoint.start


# ---------------------------------------------------------------------------------------------
# The programs
# ---------------------------------------------------------------------------------------------


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line, see `stylize/apps/command.py`. Returns the exit status."""
    from stylize.apps import command  # apps import this module

    return command.main(argv)


def serve(argv: Sequence[str] | None = None) -> int:
    """Serves the web page, see `stylize/apps/page/command.py`. Returns the exit status."""
    from stylize.apps.page import command

    return command.main(argv)


if __name__ == "__main__":
    sys.exit(main())
