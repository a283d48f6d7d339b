"""Tiles against the whole picture. The oracle is the objective that does not cut it."""

import functools

import numpy as np
import pytest
from conftest import random_weights, smooth_picture
from hypothesis import example, given, settings
from hypothesis import strategies as st

import neural_style_transfer as nst
from stylize import tiles, weights
from stylize.backend import keras
from stylize.job import prepare
from stylize.settings import RECIPES
from stylize.tiles import Scratch, Span, make_tiles


@functools.cache
def small_weights():
    """VGG19 with 4 to 8 channels."""
    small = {
        name: (inputs if inputs == 3 else max(4, inputs // 64), max(4, outputs // 64))
        for name, (inputs, outputs) in weights.CONVOLUTIONS.items()
    }
    return random_weights(small)


def noise(rows, cols, seed):
    return np.random.default_rng(seed).integers(0, 256, (rows, cols, 3), np.uint8)


def both(size, tile, recipe, styles=1, masks=False, **given):
    """((terms, gradient) of the whole, the same of its tiles), at a point away from the photo."""
    rows, cols = size
    pictures = [smooth_picture(rows + 9, cols - 14, seed) for seed in range(styles)]
    if masks:
        soft = np.tile(np.linspace(0, 255, 50).astype(np.uint8), (40, 1))
        given |= {"style_masks": [soft, 255 - soft][:styles], "content_mask": soft.T}
    given = {"size": rows, "scales": 1, "precision": "float32"} | given
    job = prepare(smooth_picture(rows, cols, 5), pictures, recipe, **given)
    (stage,) = job.stages
    x = job.base(stage) + noise(rows, cols, 6).astype(np.float32) / 4
    return [
        nst.stage_objective(job, small_weights(), stage._replace(tile=size), x)(x.ravel())
        for size in (None, tile)
    ]


def differ(whole, tiled):
    """By how much of the whole's, at most: each term, and the gradient's length."""
    (terms, gradient), (own_terms, own_gradient) = whole, tiled
    by_term = np.abs(own_terms - terms) / np.maximum(np.abs(terms), 1e-30)
    return max(*by_term, np.linalg.norm(own_gradient - gradient) / np.linalg.norm(gradient))


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    size=st.tuples(st.integers(40, 300), st.integers(40, 300)),
    tile=st.integers(16, 200),
    recipe=st.sampled_from(sorted(RECIPES)),
    pooling=st.sampled_from(["max", "avg"]),
    pool_padding=st.sampled_from(["valid", "same"]),
    styles=st.integers(1, 2),
    masks=st.booleans(),
    neighbor_weight=st.sampled_from([0, 100]),
)
@example((131, 95), 48, "keras", "max", "valid", 2, True, 100)
@example((97, 203), 64, "athalye", "avg", "same", 1, False, 100)
def test_tiles_are_the_whole(
    size, tile, recipe, pooling, pool_padding, styles, masks, neighbor_weight
):
    recipe = RECIPES[recipe] | {"pool_padding": pool_padding, "tv_weight": 0.1}
    given = {"pooling": pooling, "neighbor_weight": neighbor_weight}
    assert differ(*both(size, tile, recipe, styles, masks, **given)) < 1e-5
