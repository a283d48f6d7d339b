"""Tiles against the whole picture. The oracle is the objective that does not cut it."""

from unittest import mock

import numpy as np
import pytest
from conftest import small_weights, smooth_picture
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import neural_style_transfer as nst
from stylize.backend.tensors import keras
from stylize.images.optical_flow import Previous
from stylize.losses import tiles
from stylize.losses.hypercolumns import HYPERCOLUMN_LAYERS, columns_of
from stylize.losses.matching import find_neighbors
from stylize.losses.style import style_grams
from stylize.losses.tiles import make_tiles
from stylize.runs import level as levels
from stylize.runs.job import prepare
from stylize.runs.recipes import RECIPES, STYLE_LAYERS
from stylize.vgg import weights
from stylize.vgg.preprocess import preprocess_image

SIDES = [(0, 1), (1, 0), (1, 2), (2, 1)]  # above, left, right, below


def noise(rows, cols, seed):
    return np.random.default_rng(seed).integers(0, 256, (rows, cols, 3), np.uint8)


def both(size, tile, recipe, styles=1, masks=False, side=None, **given):
    """((terms, gradient) of the whole, the same of its tiles), at a point away from the photo."""
    rows, cols = size
    pictures = [smooth_picture(rows + 9, cols - 14, seed) for seed in range(styles)]
    if masks:
        soft = np.tile(np.linspace(0, 255, 50).astype(np.uint8), (40, 1))
        given |= {"style_masks": [soft, 255 - soft, soft.T][:styles], "content_mask": soft.T}
        given |= {"keep_mask": soft[:, ::-1] // 2}
    given = {"size": size, "scales": 1, "precision": "float32"} | given
    job = prepare(smooth_picture(rows, cols, 5), pictures, recipe, **given)
    (stage,) = job.stages
    x = job.base(stage) + noise(rows, cols, 6).astype(np.float32) / 4
    before = preprocess_image(noise(rows, cols, 7))
    job = job._replace(previous=Previous(before, (before[..., 0] > 0).astype(np.float32)))
    found = []

    def find_once(*arguments):
        """The same for both: rounding may decide between two that are as near."""
        found.append(found[0] if found else find_neighbors(*arguments))
        return found[0]

    def at(tile):
        level = job.level(stage._replace(tile=tile))
        objective = nst.stage_objective(job, small_weights(side), level.stage, x, level)
        return level.keeping(objective)(x.ravel())

    with mock.patch.object(levels, "find_neighbors", find_once):
        return [at(size) for size in (None, tile)]


def differ(whole, tiled):
    """By how much of the whole's, at most: each term, and the gradient's length."""
    (terms, gradient), (own_terms, own_gradient) = whole, tiled
    by_term = np.abs(own_terms - terms) / np.maximum(np.abs(terms), 1e-30)
    length = max(np.linalg.norm(gradient), 1e-30)
    return max(*by_term, np.linalg.norm(own_gradient - gradient) / length)


TERMS = ("content", "style", "tv", "neighbor", "similarity", "laplacian", "temporal")


def weights_of(term, recipe):
    """All terms with a weight that shows, or one alone; the temporal one, of films, with another.

    A photo without any other weight is refused.
    """
    shown = {"all": TERMS, "temporal": ("temporal", "tv")}.get(term, (term,))
    return {
        f"{name}_weight": (RECIPES[recipe][f"{name}_weight"] or 100) if name in shown else 0
        for name in TERMS
    }


def test_every_term_is_compared_with_every_recipe():
    """Which ones are drawn below depends on the names of the recipes."""
    for recipe in RECIPES:
        for term in ("all", *TERMS):
            assert prepare(noise(40, 40, 1), noise(40, 40, 2), recipe, **weights_of(term, recipe))


@pytest.mark.parametrize("recipe", ["neighbors", "johnson", "crowson"])
def test_compiled_tiles_are_the_whole(recipe):
    """Odd sides, two masked styles, neighbours; with any backend. What follows is not compiled.

    PyTorch's product over all places of the whole is less exact than the sum over tiles.
    """
    weights = weights_of("all", recipe)
    assert differ(*both((65, 97), 48, recipe, 2, masks=True, **weights)) < 2e-5


@pytest.mark.parametrize("recipe", sorted(RECIPES))
@settings(  # nothing is shrunk, so that a planted error is soon found
    max_examples=3, deadline=None, derandomize=True, phases=[Phase.generate]
)
@given(
    sides=st.tuples(st.integers(40, 90), st.integers(200, 280)),
    is_upright=st.booleans(),
    tile=st.integers(72, 128),
    term=st.sampled_from(["all", *TERMS]),
    pooling=st.sampled_from(["max", "avg"]),
    pool_padding=st.sampled_from(["valid", "same"]),
    edges=st.sampled_from(["zero", "replicate"]),
    styles=st.integers(1, 3),
    masks=st.booleans(),
    side=st.sampled_from([None, *SIDES]),
)
def test_tiles_are_the_whole(
    eagerly,
    recipe,
    sides,
    is_upright,
    tile,
    term,
    pooling,
    pool_padding,
    edges,
    styles,
    masks,
    side,
):
    given = {"pooling": pooling, **weights_of(term, recipe)}
    limit = 1e-4 if recipe == "crowson" else 1e-5  # small eigenvalues have steep roots
    recipe = RECIPES[recipe] | {"pool_padding": pool_padding, "edges": edges}
    size = sides[::-1] if is_upright else sides
    assert differ(*both(size, tile, recipe, styles, masks, side, **given)) < limit


strides_and_reach, spans = tiles.strides_and_reach, tiles._spans


def narrow(network, layers=None):
    """Reaches that are 16 pixels too short."""
    strides, reaches = strides_and_reach(network, layers)
    return strides, {layer: max(1, reach - 16) for layer, reach in reaches.items()}


def unaligned(length, size, grid, margin):
    """Tiles that begin between the network's coarsest positions."""
    return spans(length, size - grid // 2, grid // 2, margin)


FAULTS = {"margin": ("strides_and_reach", narrow), "grid": ("_spans", unaligned)}


@pytest.mark.parametrize("fault", FAULTS)
def test_margin_or_grid_that_is_wrong_is_caught(eagerly, fault, monkeypatch):
    """By the test that finds nothing wrong above: numbers differ, or shapes do."""
    monkeypatch.setattr(tiles, *FAULTS[fault])
    errors = pytest.importorskip("tensorflow").errors
    with pytest.raises((AssertionError, errors.InvalidArgumentError)):
        for recipe in sorted(RECIPES):
            test_tiles_are_the_whole(eagerly, recipe)


def test_hypercolumns_of_tiles_are_those_of_the_whole(eagerly):
    network = nst.build_network(small_weights(), HYPERCOLUMN_LAYERS, pool_padding="same")
    picture = noise(131, 97, 0).astype(np.float32)
    whole, tiled = (columns_of(network, picture, tile) for tile in (None, 48))
    np.testing.assert_allclose(tiled, whole, atol=1e-5 * np.max(whole))


def test_style_of_tiles_is_that_of_the_whole(eagerly):
    network = nst.build_network(small_weights(), STYLE_LAYERS)
    picture = noise(131, 97, 0).astype(np.float32)
    shapes = network.compute_output_shape((1, 40, 40, 3))
    whole, tiled = (
        style_grams(network, picture, STYLE_LAYERS, shapes, tile, nst.gram_matrix)
        for tile in (None, 48)
    )
    for layer in STYLE_LAYERS:
        np.testing.assert_allclose(tiled[layer], whole[layer], atol=1e-5 * np.max(whole[layer]))


@pytest.mark.parametrize(
    ("layers", "grid", "margin"),
    [  # 2 + 4 + 16 + 32 pixels for blocks of 2, 2, 4 and 4 convolutions, and 16 for each in block5
        (["block1_conv1"], 1, 1),
        (["block2_conv1", "block1_conv2"], 2, 4),
        (["block4_conv2"], 8, 40),
        (["block5_conv1"], 16, 80),
        (["block5_conv2", "block1_conv1"], 16, 96),
    ],
)
def test_grid_and_margin_follow_from_the_layers_in_use(layers, grid, margin):
    network = nst.build_network(small_weights(), layers)
    for tile in make_tiles(network, 515, 100, 150):
        for span, length in ((tile.rows, 515), (tile.cols, 100)):
            assert span.first % grid == 0 and (span.last % grid == 0 or span.last == length)
            assert span.start == max(0, span.first - margin)
            assert span.stop == min(length, -(-span.last // grid) * grid + margin)


def test_layers_that_pass_through_need_no_margin():
    convolutions = dict(small_weights().layers)
    kernel, bias = convolutions["block3_conv4"]
    kernel = np.zeros_like(kernel)
    kernel[1, 1] = np.eye(kernel.shape[2])
    convolutions["block3_conv4"] = kernel, 0 * bias
    network = nst.build_network(weights.VGG19Weights(convolutions, source=""), ["block3_conv4"])
    assert tiles.strides_and_reach(network)[1] == {"block3_conv4": 2 + 4 + 3 * 4}


def test_tiles_cover_every_pixel_once_and_are_of_few_shapes():
    network = nst.build_network(small_weights(), ["block5_conv1"])
    cover = np.zeros((1100, 700), int)
    shapes = set()
    for tile in make_tiles(network, *cover.shape, 128):
        cover[tile.rows.first : tile.rows.last, tile.cols.first : tile.cols.last] += 1
        assert max(tile.shape) <= 128
        shapes.add(tile.local[:2])
    assert (cover == 1).all()
    assert len(shapes) <= 25


def test_adam_takes_tiles_too():
    """What `on_device` gives is what a call gives, in the backend's tensors."""
    job = prepare(smooth_picture(60, 70, 0), smooth_picture(50, 60, 1), "athalye", tile=32)
    (stage,) = job.stages
    objective = nst.stage_objective(job, small_weights(), stage)
    x = job.base(stage)
    terms, gradient = objective(x.ravel())
    own_terms, own_gradient = objective.on_device(keras.ops.convert_to_tensor(x[np.newaxis]))
    np.testing.assert_array_equal(own_terms, terms)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(own_gradient).ravel(), gradient)
