#!/usr/bin/env python3
# PYTHON_ARGCOMPLETE_OK
"""Paints a photo in the style of a picture by optimising pixels against VGG19 features.

    python neural_style_transfer.py base.jpg style_reference.jpg results/prefix

The result, or combination C, starts as the photo, or base B, in the colours of the painting, or
style reference S. L-BFGS changes C until the loss is small, at one size after another:

    loss = content + style + total variation + neighbors + similarity + laplacian + temporal
    content         = content_weight * sum over `--content_layers` of share * sum (F(B) - F(C))^2
    style           = style_weight * sum over `--style_layers` of share * sum (G(S) - G(C))^2
                      / (4 * 3^2 * (rows * cols)^2),      G = F^T F, rows and cols the picture's
    total variation = tv_weight * sum ((C[i,j] - C[i+1,j])^2 + (C[i,j] - C[i,j+1])^2)^1.25
    neighbors       = neighbor_weight * mean over positions of 1 - cosine of C's features and those
                      of S's position that is most similar to B's there (mostly), found once a size
    similarity      = similarity_weight * variety of S * mean |E(C) - E(B)|, E: cells' distances
    laplacian       = laplacian_weight * mean (D(C) - D(B))^2, D: Laplacian, at two scales; optional
    temporal        = temporal_weight * mean h (C - frame before, moved)^2, h 0..1: trust; in films

F are VGG19's features after the ReLU: a row for each position, a column for each channel. Layers
and their shares, which add up to 1, are settings. G(S) is scaled from S's number of positions to
C's. Recipe `keras` has the first three terms as they are. Recipe `neighbors`, the default, has the
first five: content divided by the sum of F(B)^2, style by that of G(S)^2, and total variation by
the number of pixels, with powers of the size (docs/recipes/neighbors.md). `RECIPES` and `FORMULAS`
say what differs between recipes. The method is that of Gatys, Ecker and Bethge (2015,
arXiv:1508.06576), with total variation after Mahendran and Vedaldi (2014, arXiv:1412.0035), and
neighbours and similarity after Kolkin et al. (2022, arXiv:2203.13215; 2019, arXiv:1904.12785).

A `Job` is a run as planned: settings (`stylize/runs/settings.py` has their defaults), pictures, and
a `Stage` for each size. A `Level` makes a stage's pictures, a `Canvas` is C as the network sees it,
whole or in tiles, and a `Term` has targets, computed once a size. Runs resume from `Checkpoint`s.
"""

import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from stylize import __version__ as __version__
from stylize.backend import tensors
from stylize.backend.memoize import NETWORKS_KEPT
from stylize.backend.tensors import LossAndGrads, keras
from stylize.errors import InputError as InputError
from stylize.errors import NonFiniteLoss as NonFiniteLoss
from stylize.errors import WeightsError as WeightsError
from stylize.images.reading import load_image as load_image
from stylize.images.writing import save_image as save_image
from stylize.losses.content import Content
from stylize.losses.formulas import FORMULAS
from stylize.losses.laplacian import Laplacian
from stylize.losses.neighbors import Neighbors
from stylize.losses.roughness import mean_square_variation as mean_square_variation
from stylize.losses.similarity import SelfSimilarity
from stylize.losses.style import Style
from stylize.losses.temporal import Temporal
from stylize.losses.term import Canvas, Term
from stylize.losses.tiled import TiledLossAndGrads
from stylize.losses.total_variation import TotalVariation
from stylize.losses.whole import whole_loss
from stylize.optimize import minimize
from stylize.optimize.state import Losses
from stylize.runs.iterations import iterations_at
from stylize.runs.job import Job, prepare, started
from stylize.runs.level import Level
from stylize.runs.progress import Checkpoint, Iterate, Progress, Stage
from stylize.runs.progress import Evaluation as Evaluation
from stylize.runs.recipes import DEFAULT_RECIPE
from stylize.runs.recipes import RECIPES as RECIPES
from stylize.runs.settings import EVALUATIONS_PER_ITERATION
from stylize.runs.settings import SETTINGS as SETTINGS
from stylize.vgg.download import load_weights
from stylize.vgg.layers import check_network, from_network, to_network, vgg19_layers
from stylize.vgg.weights import VGG19Weights


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
        weights: of the convolutions, and so their numbers of channels.
        layers: the Keras layer names whose outputs, after the ReLU, are wanted.
        precision, pooling, pool_padding, edges: as for `vgg19_layers`, in `stylize/vgg/layers.py`.
        data_format: "channels_last" or "channels_first": how it computes, not what goes in and
            comes out. None: as Keras is configured.

    Returns:
        A Keras model from pictures (n, rows, cols, 3), as `preprocess_image` makes them, to a
        dictionary: layer name -> float32 features (n, rows, cols, channels).

    Raises:
        InputError: an unknown layer or value, or the backend cannot compute channels_first here.
    """
    data_format = data_format or keras.config.image_data_format()
    check_network(weights, layers, precision, pooling, pool_padding, edges, data_format)
    inputs = keras.Input((None, None, 3), dtype="float32")
    x, outputs = to_network(inputs, weights, edges, data_format), {}
    for name, layer in vgg19_layers(weights, precision, pooling, pool_padding, edges, data_format):
        x = layer(x)
        if name in layers:
            outputs[name] = from_network(x, data_format)
        if outputs.keys() >= set(layers):
            break
    network = keras.Model(inputs, outputs, name="vgg19")
    network.trainable = False  # no gradient is ever taken with respect to the weights
    return network


_kept_network = functools.lru_cache(NETWORKS_KEPT)(build_network)  # for one picture after another


def gram_matrix(features: Any) -> Any:
    """Returns how channels respond together: G = F^T F, (channels, channels), of (..., channels).

    Source: Gatys et al. 2015, eq. 3. The combination's is equal, but with half of the work for its
    gradient, in `stylize/losses/style.py`: change `half_gram`, `Style.sums` and `slope_value`, too.
    """
    flat = keras.ops.reshape(features, (-1, features.shape[-1]))  # (rows*cols, channels)
    return keras.ops.matmul(keras.ops.transpose(flat), flat)


def style_loss(style_gram: Any, combination_gram: Any) -> Any:
    """Returns one layer's distance in style: sum (G(S) - G(C))^2, each (channels, channels).

    Source: Gatys et al. 2015, eq. 4; the constant in front of it is in `FORMULAS`.
    """
    return keras.ops.sum(keras.ops.square(keras.ops.subtract(style_gram, combination_gram)))


def content_loss(base_features: Any, combination_features: Any) -> Any:
    """Returns one layer's distance in content: sum (F(B) - F(C))^2, each (1, rows, cols, channels).

    Source: Gatys et al. 2015, eq. 1; the constant in front of it is in `FORMULAS`.
    """
    return keras.ops.sum(keras.ops.square(keras.ops.subtract(combination_features, base_features)))


def total_variation_loss(x: Any) -> Any:
    """Returns the roughness of x, (n, rows, cols, 3), a scalar: sum of (down^2 + right^2)^1.25.

    Source: Mahendran and Vedaldi 2014, sec. 3, with beta = 2.5. Not in Gatys.
    """
    down = keras.ops.square(x[:, :-1, :-1, :] - x[:, 1:, :-1, :])
    right = keras.ops.square(x[:, :-1, :-1, :] - x[:, :-1, 1:, :])
    return keras.ops.sum(keras.ops.power(down + right, 1.25))


def neighbor_loss(hypercolumns: Sequence[Any], neighbors: Sequence[Any]) -> Any:
    """Returns how unlike positions are to their neighbours, a scalar: the sum of 1 - cosine.

    Args:
        hypercolumns: features after a ReLU, (positions, channels) of each layer.
        neighbors: the same of the most similar positions, all layers together of a length
            from 0 to 1: how much each counts.

    Source: Kolkin et al. 2022, eq. 2, where it is a mean. Not in Gatys.
    """
    pairs = zip(hypercolumns, neighbors, strict=True)
    products = sum(keras.ops.sum(own * other, axis=-1) for own, other in pairs)
    squares = sum(keras.ops.sum(keras.ops.square(own), axis=-1) for own in hypercolumns)
    return keras.ops.sum(1.0 - products / keras.ops.sqrt(keras.ops.maximum(squares, 1e-12)))


def loss_terms(canvas: Canvas, level: Level, neighbors: Sequence | None) -> list[Term]:
    """Returns the terms of the loss, all targets computed. The loss is their sum.

    Args:
        canvas: the combination, as the network sees it.
        level: its settings and pictures.
        neighbors: from `find_neighbors`, or None.
    """
    s, formula = level.settings, FORMULAS[level.settings.formula]
    # `--strength` multiplies by `to_photo` and `to_painting`, both 1 at 0.5. Sums over pixels grow
    # with the size; powers of how many times smaller it is make weights mean the same at all.
    content_weight = s.content_weight * s.to_photo * level.times_smaller**s.content_exponent
    style_weight = s.style_weight * s.to_painting
    variation = s.tv_weight * s.to_painting * level.times_smaller**s.tv_exponent
    content = {layer: content_weight * share for layer, share in s.content_layers.items()}
    style = {layer: style_weight * share for layer, share in s.style_layers.items()}
    mask, relative = level.content_mask, s.relative_content
    terms: list[Term] = [
        Content(content_loss, canvas, content, formula, level.base, mask, relative),
        Style(gram_matrix, style_loss, canvas, style, formula, level.styles, s.style_energy),
        TotalVariation(total_variation_loss, canvas, variation, formula),
    ]
    if neighbors is not None:
        terms.append(Neighbors(neighbor_loss, canvas, neighbors, s.neighbor_weight * s.to_painting))
    if weight := level.similarity_weight(canvas.network):
        terms.append(SelfSimilarity(canvas, level.base, weight, level.painted))
    if weight := s.laplacian_weight * s.to_photo:
        terms.append(Laplacian(content_loss, canvas, level.base, weight))
    if level.previous is not None:
        terms.append(Temporal(content_loss, canvas, level.previous, s.temporal_weight))
    return terms


def stage_objective(
    job: Job, weights: VGG19Weights, stage: Stage, x: Any = None, level: Level | None = None
) -> LossAndGrads | TiledLossAndGrads:
    """Returns the function to minimise at a size: the loss and its gradient.

    Args:
        job, weights, stage: the run, VGG19's weights, and one of the job's stages.
        x: the combination whose neighbours are looked up, (rows, cols, 3); None: the start.
        level: the pictures of the stage; None: they are made.
    """
    level = level or job.level(stage)
    network = _kept_network(weights, job.layers, **level.network_options)
    neighbors = level.find_neighbors(network, x)
    canvas = level.canvas(network, neighbors)
    terms = loss_terms(canvas, level, neighbors)
    if canvas.is_tiled:
        return TiledLossAndGrads(canvas, terms, job.passes)
    return whole_loss(canvas, terms)


class Evaluator:
    """Counts, checks and reports evaluations. SciPy calls `loss` and `grads`, which share one; our
    L-BFGS, PyTorch's and Adam call `on_device`.

    Args:
        loss_and_grads: a `LossAndGrads`, or any function like it that has `names`.
        on_evaluation: called with the `Losses` and x after every evaluation.
        evaluations: the number already made.
    """

    def __init__(self, loss_and_grads: Any, on_evaluation: Any = None, evaluations: int = 0):
        self.evaluations = evaluations
        self._loss_and_grads, self._on_evaluation = loss_and_grads, on_evaluation
        self._last: tuple = (None, None, None)  # x, and the losses and the gradient there

    def losses(self, x: np.ndarray) -> Losses:
        """Returns the `Losses` at x. Raises NonFiniteLoss."""
        if self._last[0] is None or not np.array_equal(x, self._last[0]):
            terms, grads = self._loss_and_grads(x)
            losses = self._count(x, terms, np.isfinite(grads).all())
            self._last = np.copy(x), losses, grads
        return self._last[1]

    def loss(self, x: np.ndarray) -> float:
        """Returns the total loss at x. Raises NonFiniteLoss."""
        return self.losses(x).total

    def grads(self, x: np.ndarray) -> np.ndarray:
        """Returns the loss's gradient at x, a flat float64 vector. Raises NonFiniteLoss."""
        self.losses(x)
        return self._last[2].copy()

    def on_device(self, combination: Any) -> tuple[Losses, Any]:
        """Takes a backend's tensor. Returns (`Losses`, gradient) there. Raises NonFiniteLoss."""
        terms, gradient = self._loss_and_grads.on_device(combination)
        terms = keras.ops.convert_to_numpy(terms)
        return self._count(combination, terms, tensors.is_finite(gradient)), gradient

    def _count(self, x, terms, grads_are_finite):
        """Counts an evaluation, checks and reports it. Returns its `Losses`."""
        self.evaluations += 1
        named = dict(zip(self._loss_and_grads.names, map(float, terms), strict=True))
        losses = Losses(float(np.sum(terms)), named)
        losses.require_finite(grads_are_finite, self.evaluations, x)
        if self._on_evaluation:
            self._on_evaluation(losses, x)
        return losses


def minimize_keras(iterations: minimize.Iterations, x: np.ndarray, bounds: Any = None) -> Any:
    """Like `minimize_scipy`, but L-BFGS starts anew in each iteration, as in the Keras example."""
    evaluator, maxfun = iterations.evaluator, iterations.evaluations_each
    iterations.start(evaluator.losses(x))
    while not iterations.ended:
        x = minimize.fmin_l_bfgs_b(evaluator.loss, x, evaluator.grads, bounds, maxfun=maxfun)
        iterations.finish(x, evaluator.losses(x))
        iterations.keep(evaluator.losses(x), x=x)
    return x


def lower_loss(
    level: Level, objective: Any, checkpoint: Checkpoint, progress: Progress, keep: Callable
) -> np.ndarray:
    """Lowers the loss at a size, from a checkpoint on. Returns the last x, (rows, cols, 3)."""
    s, shape = level.settings, objective.shape
    evaluator = Evaluator(level.keeping(objective), progress.evaluated, checkpoint.evaluations)
    iterations = iterations_at(evaluator, level, checkpoint, progress, keep)
    if s.optimizer in minimize.SEARCHES:  # our own L-BFGS, or PyTorch's
        start = checkpoint.start.reshape(shape)
        x = minimize.minimize_lbfgs(iterations, start, level.bounds, **level.lbfgs_options)
    elif s.optimizer == "adam":
        start = tensors.to_numpy(checkpoint.x).reshape(shape)
        x = minimize.minimize_adam(iterations, start, level.bounds, **level.adam_options)
    else:
        method = minimize_keras if s.restart else minimize.minimize_scipy
        x = method(iterations, *minimize.flat_float64(checkpoint.x.reshape(shape), level.bounds))
    return tensors.to_numpy(x).reshape(shape[1:])


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
        InputError: a picture or a setting that cannot be used.
        WeightsError: no weights, or not those of a VGG19.
        NonFiniteLoss: a term of the loss became NaN or infinite.
        MemoryError: there is not enough, on the processor or the GPU.
        Whatever the callback or the progress raises, which ends the run.
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
    """Paints a `Job`, size by size. Returns the last `Iterate`. The rest: see `style_transfer`.

    From one size to the next, the picture is enlarged and gets the photo's detail of that size;
    targets and neighbours are found anew, and the optimiser starts anew. A run resumes from
    `checkpoint`, if given, and calls `keep` with one after each step of the optimiser (SciPy's:
    after each iteration) but the last, and as each further size begins. Raises InputError.
    """
    progress = started(job, weights, progress, callback, keep)
    resumed = checkpoint = job.resumed(checkpoint)
    key, first = job.key, checkpoint.stage if checkpoint else 0
    level: Level | None = None
    x: Any = None
    with tensors.out_of_memory_as_memory_error():
        for index, stage in enumerate(job.stages[first:], first):
            before, level = level, job.level(stage)
            if before:
                x = level.enlarged(x, before)
                checkpoint = Checkpoint(index, x, progress.evaluations, progress.seconds, run=key)
                keep(checkpoint)
            checkpoint = checkpoint or Checkpoint(index, level.start, run=key)
            progress.begin_stage(index, level.to_pixels, resumed if index == first else None)
            objective = stage_objective(job, weights, stage, checkpoint.start, level)
            level.release()  # what only targets are made of
            x = lower_loss(level, objective, checkpoint, progress, keep)
    return progress.result


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line, see `stylize/apps/command.py`. Returns the exit status."""
    from stylize.apps import command  # apps import this module

    return command.main(argv)


if __name__ == "__main__":
    sys.exit(main())
