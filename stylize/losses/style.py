"""The term of the loss that brings the painting's style: which channels respond together."""

import functools
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from stylize.backend.memoize import kept, remembered
from stylize.backend.tensors import compiled, keras, to_numpy
from stylize.images.masks import layer_mask
from stylize.losses.formulas import Formula
from stylize.losses.term import Canvas, TermOfSums
from stylize.losses.tiles import sums_over_tiles

STYLES_KEPT = 64  # Gram matrices of so many styles and sizes, for the next photo or frame


class Painting(NamedTuple):
    """A style at one size of the combination."""

    picture: np.ndarray  # (rows, cols, 3), as `preprocess_image` makes it, of any size
    share: float = 1.0
    mask: np.ndarray | None = None  # (rows, cols) of the combination, 0..1: where the style goes
    painted: float = 1.0  # how much of where it would go is painted: so much less of it is to match


class Aim(NamedTuple):
    """What a layer's Gram matrix of the combination is compared with, for one of the styles."""

    scale: Any  # what the distance is multiplied with
    target: Any  # the style's Gram matrix, or what a `Formula` makes of it
    mask_scale: Any  # see `_mask_scale`


class View(NamedTuple):
    """A Gram matrix of the combination: a layer's, masked for one of the styles, or for all."""

    layer: str
    style: int | None  # None: of all positions, for all styles without a mask


class Style(TermOfSums):
    """The distance of the combination's Gram matrices from the styles'.

    Args:
        gram_matrix, distance: the script's `gram_matrix` and `style_loss`.
        canvas: the picture that is painted.
        weights: layer name -> weight.
        formula: has the constants, and may have another distance.
        paintings: the styles, at least one.
        energy: what each style's is brought to, for weights that add up to 1, see `even_out`;
            None: they are left as they are.
    """

    name = column = "style"

    def __init__(
        self,
        gram_matrix: Callable[[Any], Any],
        distance: Callable[[Any, Any], Any],
        canvas: Canvas,
        weights: Mapping[str, float],
        formula: Formula,
        paintings: Sequence[Painting],
        energy: float | None = None,
    ):
        pixels, shapes = canvas.rows * canvas.cols, canvas.shapes
        self._channels, self._distance = formula.channels, formula.style_distance or distance
        self._layers = tuple(weights)
        scales = {
            layer: weight * formula.style(*canvas.positions_and_channels(layer), pixels)
            for layer, weight in weights.items()
        }
        grams = [
            style_grams(
                canvas.network,
                own.picture,
                tuple(weights),
                shapes,
                canvas.tile,
                gram_matrix,
                formula.channels,
            )
            for own in paintings
        ]
        energy = energy and energy * sum(weights.values())
        shares: Sequence[float] = [own.share * own.painted for own in paintings]
        shares = even_out(shares, grams, scales, energy)
        masks = [
            {layer: layer_mask(own.mask, shapes[layer]) for layer in weights} for own in paintings
        ]
        self.shared = [
            {
                layer: Aim(
                    share * scale, formula.style_target(own[layer]), _mask_scale(masked[layer])
                )
                for layer, scale in scales.items()
            }
            for share, own, masked in zip(shares, grams, masks, strict=True)
        ]
        self.targets = canvas.keep(
            [{n: tile.positions(mask, n, shapes[n]) for n, mask in own.items()} for own in masks]
            for tile in canvas.tiles
        )
        self._views = list(
            dict.fromkeys(
                View(layer, None if aim.mask_scale is None else index)
                for index, aims in enumerate(self.shared)
                for layer, aim in aims.items()
            )
        )
        self._sizes = [
            formula.channels(canvas.network.output[view.layer]).shape[-1] for view in self._views
        ]

    def value(self, combination, features, tile, targets, shared):
        compared = functools.cache(lambda layer: self._channels(features[layer]))
        unmasked = functools.cache(lambda layer: half_gram(compared(layer)))

        def gram(layer, index):
            mask = targets[index][layer]
            if mask is None:
                return unmasked(layer)
            return half_gram(compared(layer), mask) * _mask_scale(mask)

        return self._total(gram, shared)

    def _total(self, gram, shared):
        """The term, of Gram matrices by layer name and number of the style."""
        total = 0.0
        for layer in self._layers:
            for index, aims in enumerate(shared):
                aim = aims[layer]
                total = total + aim.scale * self._distance(aim.target, gram(layer, index))
        return total

    def sums(self, features, tile, targets):
        """F^T F of the tile, for all views one after another."""
        products = [
            keras.ops.matmul(keras.ops.transpose(f), f)
            for f in self._own_features(features, tile, targets)
        ]
        return keras.ops.concatenate([keras.ops.ravel(product) for product in products])

    def value_of_sums(self, sums, shared):
        by_view = dict(zip(self._views, self.split(sums), strict=True))

        def gram(layer, index):
            scale = shared[index][layer].mask_scale
            if scale is None:
                return by_view[View(layer, None)]
            return scale * by_view[View(layer, index)]

        return self._total(gram, shared)

    def slope_value(self, features, tile, targets, slopes):
        # The gradient of <D, F^T F> is 2 F D, as D is symmetric: no product on the way back.
        own = self._own_features(features, tile, targets)
        return 2 * sum(
            keras.ops.sum(f * keras.ops.stop_gradient(keras.ops.matmul(f, slope)))
            for f, slope in zip(own, slopes, strict=True)
        )

    def _own_features(self, features, tile, targets):
        """F for each view: the tile's own features times the mask, (positions, channels)."""
        views = []
        for layer, index in self._views:
            own = self._channels(tile.own(features[layer], layer))
            flat = keras.ops.reshape(own, (-1, own.shape[-1]))
            views.append(flat if index is None else flat * targets[index][layer])
        return views

    def split(self, sums):
        """The Gram matrix of each view, from the vector of all."""
        ends = np.cumsum(np.square(self._sizes)).tolist()
        return [
            keras.ops.reshape(sums[end - n * n : end], (n, n))
            for end, n in zip(ends, self._sizes, strict=True)
        ]


def half_gram(features: Any, mask: Any = None) -> Any:
    """Returns F^T F with half of the work for its gradient, right in the style loss only.

    The gradient is F (D + D^T), two large products, where D is the loss's with respect to G. The
    style loss makes D symmetric, as G is, so the gradient is twice that of one factor.

    Args:
        features: (..., channels).
        mask: weights of the positions, (positions, 1), or None for ones.
    """
    flat = keras.ops.reshape(features, (-1, features.shape[-1]))  # (positions, channels)
    flat = flat if mask is None else flat * mask
    # Of the second factor, since the first's gradient would have to be transposed.
    product = keras.ops.matmul(keras.ops.transpose(keras.ops.stop_gradient(flat)), flat)
    return 2 * product - keras.ops.stop_gradient(product)


def _mask_scale(mask):
    """What makes a Gram matrix of masked features one of as many positions as there are.

    Source: Gatys et al. 2016 (arXiv:1611.07865), eq. 5.
    """
    if mask is None:
        return None
    squares = keras.ops.sum(keras.ops.square(mask))  # 0 where a small mask is lost on the way down
    return mask.shape[0] / keras.ops.maximum(squares, 1e-6)


@remembered(STYLES_KEPT)
def style_grams(
    network: Any,
    picture: np.ndarray,
    layers: Collection[str],
    shapes: Mapping[str, tuple[int, ...]],
    tile: int | None,
    gram_matrix: Callable[[Any], Any],
    channels: Callable[[Any], Any] = lambda features: features,
) -> dict[str, Any]:
    """Runs VGG19 on a style, once. Returns its Gram matrices by layer name.

    Args:
        network: from `build_network`.
        picture: (rows, cols, 3), as `preprocess_image` makes it.
        layers: where style is compared.
        shapes: layer name -> (1, rows, cols, channels) of the combination's features, to whose
            positions the matrices are scaled.
        tile: as for `Canvas`.
        gram_matrix: the script's.
        channels: as in `Formula`.
    """

    def gram(features):
        return gram_matrix(channels(features))

    if tile:
        grams = sums_over_tiles(gram, network, layers, picture, tile)
    else:
        given = tuple(layers), picture.shape, gram_matrix, channels
        found = _compiled_grams(network, *given)(picture[np.newaxis])
        grams = {layer: to_numpy(gram) for layer, gram in found.items()}
    own = network.compute_output_shape((1, *picture.shape))
    scales = {layer: math.prod(shapes[layer]) / math.prod(own[layer]) for layer in grams}
    return {layer: keras.ops.convert_to_tensor(grams[layer] * scales[layer]) for layer in grams}


@kept
def _compiled_grams(network, layers, shape, gram_matrix, channels):
    """The function from pictures of a shape to Gram matrices by layer name, compiled."""
    outputs = {layer: gram_matrix(channels(network.output[layer])) for layer in layers}
    return compiled(keras.Model(network.input, outputs))


def even_out(
    shares: Sequence[float],
    grams: Sequence[Mapping[str, Any]],
    scales: Mapping[str, float],
    energy: float | None,
) -> Sequence[float]:
    """The styles' `shares`, changed so that all weigh as a style of this `energy` would.

    A style's energy is sum over layers of scale * sum G(S)^2: the style loss of a picture without
    any response. Strong contrast and repeated edges make it high. It differs so much from picture
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
        sum(
            scale * float(keras.ops.sum(keras.ops.square(gram[layer])))
            for layer, scale in scales.items()
        )
        for gram in grams
    ]
    return [
        share * energy / own if own else share for share, own in zip(shares, energies, strict=True)
    ]
