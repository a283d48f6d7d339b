"""The script, in its own order. Oracles are closed forms, naive NumPy, finite differences, Keras's
own VGG19 and the Keras example; none shares code with what it checks."""

import collections
import inspect
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import keras_example
import numpy as np
import pytest
import scipy.optimize
from conftest import named, numpy_cosines, smooth_picture
from PIL import Image
from threadpoolctl import threadpool_info, threadpool_limits

import neural_style_transfer as nst
from stylize.backend.tensors import LossAndGrads, keras, with_gradient
from stylize.errors import InputError, WeightsError
from stylize.images.colors import COLOR_METHODS
from stylize.images.detail import detail_map
from stylize.images.optical_flow import Previous
from stylize.losses import style as style_terms
from stylize.losses.content import Content
from stylize.losses.formulas import FORMULAS
from stylize.losses.hypercolumns import hypercolumns
from stylize.losses.matching import find_neighbors
from stylize.losses.style import _mask_scale, half_gram
from stylize.losses.term import Canvas
from stylize.optimize.minimize import (
    Iterations,
    minimize_adam,
    minimize_lbfgs,
    minimize_scipy,
)
from stylize.optimize.state import Losses
from stylize.runs import level as levels
from stylize.runs.job import prepare
from stylize.runs.level import Level
from stylize.runs.recipes import ARGUMENTS, STYLE_LAYERS
from stylize.runs.settings import EVALUATIONS_PER_ITERATION
from stylize.vgg import layers, preprocess, weights
from stylize.vgg.download import load_weights
from stylize.vgg.weights import VGG19Weights

SCRIPT = nst.__file__
ROOT = Path(__file__).parent.parent
KERAS_LAYERS = ["block5_conv2", *STYLE_LAYERS]
evaluated_once = pytest.mark.usefixtures("evaluated_once")


# --- Importing -----------------------------------------------------------------------------


def test_importing_prints_nothing_and_loads_no_backend_before_it_is_used():
    program = "import sys, neural_style_transfer as nst; assert 'keras' not in sys.modules; "
    program += "nst.keras.ops.zeros(())"
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True)
    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")


# --- Features ------------------------------------------------------------------------------


@evaluated_once
def test_features_are_those_of_kerass_vgg19(full_vgg19, photo):
    x = preprocess.preprocess_image(photo)[np.newaxis]
    expected = keras_example.vgg19(full_vgg19).predict_on_batch(x)
    features = nst.build_network(full_vgg19, KERAS_LAYERS).predict_on_batch(x)
    assert features.keys() == expected.keys() == set(KERAS_LAYERS)
    for layer in features:
        np.testing.assert_allclose(features[layer], expected[layer], rtol=1e-4, atol=1e-3)


def test_network_ends_with_the_deepest_layer_asked_for(small_vgg19):
    network = nst.build_network(small_vgg19, ["block2_conv1", "block1_conv2"])
    assert [layer.name for layer in network.layers[1:]] == [
        "block1_conv1",
        "block1_conv2",
        "block1_pool",
        "block2_conv1",
    ]


def test_an_unknown_layer_of_the_network_is_named(small_vgg19):
    with pytest.raises(
        nst.InputError, match="^layers: a VGG19 has no block6_conv1; it has block1_conv1 to "
    ):
        nst.build_network(small_vgg19, ["block1_conv1", "block6_conv1"])
    for wrong in ([], "block1_conv1"):
        with pytest.raises(nst.InputError, match="^layers must be a list of at least one name"):
            nst.build_network(small_vgg19, wrong)


@pytest.mark.parametrize("name", ["precision", "pooling", "pool_padding", "edges", "data_format"])
def test_a_network_of_another_kind_is_refused(name, small_vgg19):
    with pytest.raises(nst.InputError, match=f"^{name} must be \\w+ or .*, received 'mean'$"):
        nst.build_network(small_vgg19, ["block1_conv1"], **{name: "mean"})


def test_anything_but_weights_is_refused(photo, painting):
    job = nst.prepare(photo, painting, "keras", size=24)
    with pytest.raises(nst.InputError, match="^weights must be a VGG19Weights, from load_weights"):
        nst.stage_objective(job, "mirror", job.stages[0])


@evaluated_once
def test_layers_that_pass_through_are_left_out_unnoticed(small_vgg19, photo):
    channels = small_vgg19.layers["block3_conv4"][1].size
    kernel = np.zeros((3, 3, channels, channels), np.float32)
    kernel[1, 1] = np.eye(channels)
    layers = {**small_vgg19.layers, "block3_conv4": (kernel, np.zeros(channels, np.float32))}
    x = preprocess.preprocess_image(photo)[np.newaxis]
    network = nst.build_network(VGG19Weights(layers), ["block3_conv4"])
    before = nst.build_network(small_vgg19, ["block3_conv3"])
    assert "block3_conv4" not in [layer.name for layer in network.layers]
    np.testing.assert_array_equal(
        network.predict_on_batch(x)["block3_conv4"], before.predict_on_batch(x)["block3_conv3"]
    )


@evaluated_once
def test_style_is_measured_once_a_size_for_all_photos(small_vgg19, photo, painting, monkeypatch):
    calls, grams = [], style_terms._compiled_grams
    nst._kept_network.cache_clear()  # a new one, whose styles nobody has measured
    monkeypatch.setattr(
        style_terms, "_compiled_grams", lambda *args: calls.append(args) or grams(*args)
    )
    styles = [painting, painting[::-1], painting[:, ::-1]]
    for base in (photo, photo[:, ::-1]):
        for size in (24, 28, 32, 36):
            job = prepare(base, styles, "keras", size=size)
            nst.stage_objective(job, small_vgg19, *job.stages)
    assert len(calls) == 3 * 4  # styles, sizes


def test_kept_network_is_not_that_of_another_data_format(small_vgg19, photo, monkeypatch):
    """Keras may be configured anew between two pictures."""
    monkeypatch.setattr(layers.tensors, "require_channels_first", lambda: None)  # none is run
    job, networks = prepare(photo, photo, "pyramid", size=24), []
    for data_format in ("channels_last", "channels_first", "channels_last"):
        monkeypatch.setattr(keras.config, "image_data_format", lambda given=data_format: given)
        options = job.level(job.stages[0]).network_options
        networks.append(nst._kept_network(small_vgg19, job.layers, **options))
    first, other, again = networks
    assert first is again is not other
    formats = [network.get_layer("block1_conv1").data_format for network in networks]
    assert formats == ["channels_last", "channels_first", "channels_last"]


@evaluated_once
def test_weights_own_mean_pixel_is_subtracted(small_vgg19, photo):
    mean = (10.0, 20.0, 30.0)
    own = VGG19Weights(small_vgg19.layers, mean_bgr=mean)
    x = preprocess.preprocess_image(photo)[np.newaxis]
    minus_own_mean = photo[np.newaxis, ..., ::-1] - np.float32(mean)
    expected = nst.build_network(small_vgg19, ["block3_conv1"]).predict_on_batch(minus_own_mean)
    features = nst.build_network(own, ["block3_conv1"]).predict_on_batch(x)
    np.testing.assert_allclose(features["block3_conv1"], expected["block3_conv1"], atol=1e-3)


@pytest.fixture
def channels_first():
    keras.config.set_image_data_format("channels_first")
    yield
    keras.config.set_image_data_format("channels_last")


def test_channels_first_computes_the_same_or_says_why_not(small_vgg19, photo, request):
    x = preprocess.preprocess_image(photo)[np.newaxis]
    expected = nst.build_network(small_vgg19, KERAS_LAYERS).predict_on_batch(x)
    request.getfixturevalue("channels_first")
    try:
        features = nst.build_network(small_vgg19, KERAS_LAYERS).predict_on_batch(x)
    except InputError as error:
        assert keras.backend.backend() == "tensorflow"
        assert "set image_data_format to channels_last" in str(error)
    else:
        for layer in expected:
            np.testing.assert_allclose(features[layer], expected[layer], rtol=1e-4, atol=1e-3)


# --- Losses --------------------------------------------------------------------------------


def numpy_gram(features):
    """Entry by entry: the sum over positions of the product of two channels."""
    channels = features.shape[-1]
    gram = np.zeros((channels, channels))
    for i in range(channels):
        for j in range(channels):
            gram[i, j] = np.sum(features[..., i].astype(float) * features[..., j])
    return gram


def numpy_total_variation(x):
    """Pixel by pixel."""
    x = x.astype(float)
    total = 0.0
    for i in range(x.shape[0] - 1):
        for j in range(x.shape[1] - 1):
            squares = (x[i, j] - x[i + 1, j]) ** 2 + (x[i, j] - x[i, j + 1]) ** 2
            total += np.sum(squares**1.25)
    return total


@pytest.fixture
def random_features():
    return np.random.default_rng(3).random((2, 5, 4, 6)).astype(np.float32)


def test_gram_of_ones_counts_the_positions():
    ones = np.ones((5, 7, 3), np.float32)
    np.testing.assert_array_equal(nst.gram_matrix(ones), np.full((3, 3), 35))


def test_gram_against_numpy(random_features):
    features = random_features[0]
    np.testing.assert_allclose(nst.gram_matrix(features), numpy_gram(features), rtol=1e-5)


def test_style_loss_against_numpy(random_features):
    a, b = map(numpy_gram, random_features)
    expected = sum((p - q) ** 2 for p, q in zip(a.flat, b.flat, strict=True))
    loss = nst.style_loss(a.astype(np.float32), b.astype(np.float32))
    assert float(loss) == pytest.approx(expected, rel=1e-4)


def test_content_loss_against_numpy(random_features):
    a, b = random_features
    expected = sum((float(p) - float(q)) ** 2 for p, q in zip(a.flat, b.flat, strict=True))
    assert float(nst.content_loss(a, b)) == pytest.approx(expected, rel=1e-5)


def test_equal_features_have_no_loss(random_features):
    gram = nst.gram_matrix(random_features[0])
    assert float(nst.style_loss(gram, gram)) == 0
    assert float(nst.content_loss(random_features, random_features)) == 0


@pytest.mark.parametrize("roughness", [nst.total_variation_loss, nst.mean_square_variation])
def test_total_variation_of_a_constant_is_zero(roughness):
    assert float(roughness(np.full((1, 6, 5, 3), 7, np.float32))) == 0


def test_gradient_of_the_gram_in_a_loss_that_is_not_symmetric(random_features):
    """Of the sum of w G for a w that is not symmetric, against finite differences."""
    w = np.random.default_rng(4).normal(size=(6, 6)).astype(np.float32)

    def losses(x):
        gram = nst.gram_matrix(keras.ops.reshape(x, (-1, 6)))
        return keras.ops.stack([keras.ops.sum(w * gram)])

    objective = LossAndGrads(with_gradient(losses), 4, 5)
    x = random_features[0].ravel()[:60].astype(float)
    _, grads = objective(x)
    for index in (0, 17, 59):
        step = np.zeros(60)
        step[index] = 0.5
        difference = objective(x + step)[0] - objective(x - step)[0]
        assert grads[index] == pytest.approx(difference.item(), rel=1e-3, abs=1e-3)


def test_gram_with_half_of_the_work_is_the_gram(random_features):
    features = random_features[0]
    np.testing.assert_allclose(half_gram(features), nst.gram_matrix(features), rtol=1e-5)


def masked_gram(features, mask):
    """That of a style with a mask."""
    return half_gram(features, mask) * _mask_scale(mask)


def test_gram_with_a_mask_of_ones_is_the_gram(random_features):
    plain = nst.gram_matrix(random_features[0])
    masked = masked_gram(random_features[0], np.ones((20, 1), np.float32))
    np.testing.assert_allclose(masked, plain, rtol=1e-5)


def test_gram_with_a_mask_sees_only_its_positions(random_features):
    features = random_features[0]
    mask = np.zeros((5, 4), np.float32)
    mask[1:3] = 1
    masked = masked_gram(features, mask.reshape(-1, 1))
    np.testing.assert_allclose(masked, numpy_gram(features[1:3]) * 20 / 8, rtol=1e-5)


def test_total_variation_of_a_checkerboard():
    board = np.indices((6, 5)).sum(axis=0) % 2  # neighbours differ by 1 in both directions
    x = np.repeat(board[np.newaxis, ..., np.newaxis], 3, axis=3).astype(np.float32)
    assert float(nst.total_variation_loss(x)) == pytest.approx(5 * 4 * 3 * 2**1.25)


def test_total_variation_against_numpy(photo):
    x = preprocess.preprocess_image(photo)
    loss = float(nst.total_variation_loss(x[np.newaxis]))
    assert loss == pytest.approx(numpy_total_variation(x), rel=1e-4)


# --- The objective -------------------------------------------------------------------------


def make_objective(weights, photo, styles, recipe="keras", **given):
    """(our function from a flat picture to (terms, gradient), the `Level` it is of), in 40 rows."""
    given = {"size": 40, "scales": 1, "precision": "float32"} | given
    job = prepare(photo, styles, recipe, **given)
    (stage,) = job.stages
    level = job.level(stage)
    return nst.stage_objective(job, weights, stage, level=level), level


def near(picture, seed=5):
    """A flat picture not far from one."""
    return picture.ravel() + np.random.default_rng(seed).normal(0, 20, picture.size)


@evaluated_once
def test_combination_alone_equals_the_concatenated_batch(full_vgg19, photo, painting):
    weights = {"content_weight": 0.5, "style_weight": 0.3, "tv_weight": 0.01}
    objective, level = make_objective(full_vgg19, photo, painting, **weights)
    x, (style,) = near(level.base), level.styles
    original = keras_example.concatenated_loss_and_grads(
        full_vgg19, level.base, style.picture, **weights
    )
    expected_loss, expected_grads = original(x)
    terms, grads = objective(x)
    assert objective.names == ["content", "style", "total_variation"]
    assert (terms > 0).all()
    assert terms.sum() == pytest.approx(expected_loss, rel=1e-5)
    assert np.linalg.norm(grads - expected_grads) < 1e-5 * np.linalg.norm(expected_grads)


def test_gradient_against_finite_differences(small_vgg19, photo, painting):
    given = {"content_weight": 10, "tv_weight": 0.01}
    objective, level = make_objective(small_vgg19, photo, painting, **given)
    rng = np.random.default_rng(7)
    x = near(level.base)
    _, grads = objective(x)
    for direction in (grads, grads * rng.random(x.size), np.sign(grads)):
        step = direction / np.linalg.norm(direction)
        above, below = (objective(x + sign * step)[0].sum() for sign in (1, -1))
        assert (above - below) / 2 == pytest.approx(grads @ step, rel=0.01)


@evaluated_once
def test_weights_mean_the_same_at_every_size(small_vgg19):
    """A picture tiled 2x2 has four times the pixels and the same look: the same losses."""
    noises = [
        np.random.default_rng(seed).integers(0, 256, (128, 128, 3), np.uint8) for seed in range(3)
    ]
    terms = []
    for copies in (1, 2):
        base, style, x = (np.tile(noise, (copies, copies, 1)) for noise in noises)
        given = {"size": 128 * copies, "tv_weight": 1}
        objective, _ = make_objective(small_vgg19, base, style, "pyramid", **given)
        terms.append(objective(preprocess.preprocess_image(x).ravel())[0])
    np.testing.assert_allclose(terms[1], terms[0], rtol=0.1)  # the border differs a little


@evaluated_once
def test_style_is_weighed_by_its_energy(small_vgg19, photo, painting):
    """Twice the style_energy, twice the loss; at the style's own, that of the plain formula."""
    plain, level = make_objective(small_vgg19, photo, painting, style_weight=3)
    (style,) = level.styles
    grams = {
        layer: numpy_gram(features)
        for layer, features in numpy_features(small_vgg19, style.picture).items()
        if layer in STYLE_LAYERS
    }
    energy = sum(0.2 * np.sum(gram**2) for gram in grams.values()) / (36 * (40 * 48) ** 2)
    x = level.base.ravel()
    expected = plain(x)[0][1]
    for times in (1, 2):
        recipe = nst.RECIPES["keras"] | {"style_energy": times * energy}
        weighed, _ = make_objective(small_vgg19, photo, painting, recipe, style_weight=3)
        assert weighed(x)[0][1] == pytest.approx(times * expected, rel=1e-4)


@evaluated_once
def test_strength_turns_the_weights_and_is_neutral_in_the_middle(small_vgg19, photo, painting):
    x = np.random.default_rng(0).normal(0, 60, 40 * 48 * 3)

    def terms(strength):
        return make_objective(small_vgg19, photo, painting, strength=strength)[0](x)[0]

    settings = nst.RECIPES["keras"]
    assert settings.strength == 0.5 and settings.to_photo == settings.to_painting == 1
    neutral = terms(0.5)
    for strength, to_photo, to_painting in [(0, 4, 0), (0.75, 1 / 4, 9 / 4), (1, 0, 4)]:
        expected = neutral * [to_photo, to_painting, to_painting]
        np.testing.assert_allclose(terms(strength), expected, rtol=1e-5)


@evaluated_once
def test_content_weighs_more_at_small_sizes_in_johnson(small_vgg19, photo, painting):
    """2^3 times as much where the result will have twice the rows; the rest is as it is."""
    job = prepare(photo, painting, "johnson", size=48, scales=3, precision="float32")
    stage, *_, last = job.stages
    assert (stage.rows, last.rows) == (20, 40)
    x = np.random.default_rng(0).normal(0, 60, 20 * 24 * 3)
    small, alone = (
        nst.stage_objective(
            job, small_vgg19, stage, level=Level(job.settings, job.inputs, stage, last_rows)
        )(x)[0]
        for last_rows in (40, 20)
    )
    np.testing.assert_allclose(small, alone * [8, 1, 1], rtol=1e-5)


@evaluated_once
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_lower_precision_points_the_same_way(precision, small_vgg19, photo, painting):
    objective, level = make_objective(small_vgg19, photo, painting, tv_weight=0)
    given = {"precision": precision, "tv_weight": 0}
    low_objective, _ = make_objective(small_vgg19, photo, painting, **given)
    x = level.base.ravel()
    (terms, grads), (low_terms, low_grads) = objective(x), low_objective(x)
    assert low_terms[1] != terms[1]
    assert low_terms[1] == pytest.approx(terms[1], rel=0.05)
    cosine = low_grads @ grads / np.linalg.norm(grads) / np.linalg.norm(low_grads)
    assert cosine > 0.97


@evaluated_once
def test_float16_gradient_that_would_overflow_is_scaled(small_vgg19, photo, painting):
    weights = {"style_weight": 1e12, "tv_weight": 0}
    objective, level = make_objective(small_vgg19, photo, painting, **weights)
    low_objective, _ = make_objective(small_vgg19, photo, painting, precision="float16", **weights)
    x = level.base.ravel()
    (_, grads), (_, low_grads) = objective(x), low_objective(x)
    assert np.isfinite(low_grads).all()
    cosine = low_grads @ grads / np.linalg.norm(grads) / np.linalg.norm(low_grads)
    assert cosine > 0.97


BACKEND_PROGRAM = """
import os, sys, numpy as np, neural_style_transfer as nst
if os.environ["KERAS_BACKEND"] == "torch":  # no float64 reaches it: Apple's GPUs have none
    import torch
    as_tensor = torch.as_tensor
    def as_apple_does(x, *others, **named):
        assert getattr(x, "dtype", None) != np.float64
        return as_tensor(x, *others, **named)
    torch.as_tensor = as_apple_does
    def mixed(*_):
        raise TypeError("NumPy computes with a tensor, which on a GPU it cannot")
    torch.Tensor.__array_wrap__ = mixed
from stylize.losses import matching, search
from stylize.runs import job
from stylize.vgg import weights
weights.CONVOLUTIONS.update(eval(sys.argv[1]))
given, read = np.load(sys.argv[3]), weights.read_weights(sys.argv[2])
assert nst.keras.config.image_data_format() == "channels_first"
for data_format in ("channels_first", "channels_last"):
    nst.keras.config.set_image_data_format(data_format)
    for recipe, settings in eval(sys.argv[5]).items():
        planned = job.prepare(given["photo"], given["painting"], recipe, **settings)
        x = given[recipe]
        terms, grads = nst.stage_objective(planned, read, planned.stages[-1], x)(x.ravel())
        np.savez(f"{sys.argv[4]}/{recipe}_{data_format}.npz", terms=terms, grads=grads)
if os.environ["KERAS_BACKEND"] == "torch":
    search.MANY = matching.MANY = 0  # as of large pictures; of several styles the best is taken
    styles = [given["painting"], given["photo"]]
    planned = job.prepare(given["photo"], styles, "neighbors", size=39)
    nst.stage_objective(planned, read, planned.stages[-1])
"""


BACKEND_RUNS = {  # recipe and settings: the first with even sides, the second with odd ones
    "keras": {"size": 40, "tv_weight": 0.01},
    "neighbors": {"size": 39, "style_turns": 1, "precision": "float32"},
}


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_backends_agree_with_tensorflow(
    backend, small_vgg19, weights_path, photo, painting, tmp_path
):
    """In one process for all recipes: it takes longer to start than to compute."""
    pytest.importorskip(backend, reason=f"{backend} is not installed")
    given, expected = {"photo": photo, "painting": painting}, {}
    for recipe, settings in BACKEND_RUNS.items():
        job = prepare(photo, painting, recipe, **settings)
        stage = job.stages[-1]
        x = job.base(stage) + np.random.default_rng(5).normal(0, 20, (stage.rows, stage.cols, 3))
        given[recipe] = x = x.astype(np.float32)
        expected[recipe] = nst.stage_objective(job, small_vgg19, stage, x)(x.ravel())
    np.savez(tmp_path / "given.npz", **given)
    (tmp_path / "keras_home").mkdir()
    config = {"image_data_format": "channels_first", "backend": backend, "floatx": "float16"}
    (tmp_path / "keras_home" / "keras.json").write_text(json.dumps(config))
    # JAX would take longer to make programs fast than to run them this once.
    quick = {"XLA_FLAGS": "--xla_backend_optimization_level=0"}
    subprocess.run(
        [
            *(sys.executable, "-c", BACKEND_PROGRAM, str(weights.CONVOLUTIONS)),
            *(weights_path, tmp_path / "given.npz", tmp_path, str(BACKEND_RUNS)),
        ],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": backend, **quick},
        check=True,
    )
    for recipe, (terms, grads) in expected.items():
        for data_format in ("channels_first", "channels_last"):
            result = np.load(tmp_path / f"{recipe}_{data_format}.npz")
            np.testing.assert_allclose(result["terms"], terms, rtol=1e-4)
            assert np.linalg.norm(result["grads"] - grads) < 1e-4 * np.linalg.norm(grads)


def numpy_features(weights, x, pooling="max", pool_padding="valid"):
    """VGG19 in NumPy, tap by tap: layer name -> (rows, cols, channels) after the ReLU."""
    features, block = {}, "block1"
    for name, (kernel, bias) in weights.layers.items():
        if not name.startswith(block):
            x, block = numpy_pool(x, pooling, pool_padding), name.partition("_")[0]
        rows, cols, _ = x.shape
        padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
        taps = (
            padded[i : i + rows, j : j + cols] @ kernel[i, j] for i in range(3) for j in range(3)
        )
        features[name] = x = np.maximum(sum(taps) + bias, 0)
    return features


def numpy_pool(x, pooling, pool_padding):
    rows, cols, _ = x.shape
    if pool_padding == "valid":
        rows, cols = rows // 2 * 2, cols // 2 * 2
    reduce = {"max": np.max, "avg": np.mean}[pooling]
    return np.array(
        [
            [
                reduce(x[i : min(i + 2, rows), j : min(j + 2, cols)], (0, 1))
                for j in range(0, cols, 2)
            ]
            for i in range(0, rows, 2)
        ]
    )


def numpy_athalye(features, content, styles, x, settings):
    """The formulas of the TensorFlow program, from features in NumPy."""
    content_loss = sum(
        share * np.mean((features[layer] - content[layer]) ** 2)
        for layer, share in settings["content_layers"].items()
    )
    style_loss = 0
    for blend, style in zip(settings["style_blend"], styles, strict=True):
        for layer, share in settings["style_layers"].items():
            a, g = (numpy_gram(f[layer]) / f[layer].size for f in (style, features))
            style_loss += blend * share * np.mean((g - a) ** 2)
    dy, dx = x[1:] - x[:-1], x[:, 1:] - x[:, :-1]
    variation = np.sum(dy**2) / dy.size + np.sum(dx**2) / dx.size
    return content_loss, style_loss, variation


def numpy_gatys(features, content, styles, x, settings):
    """The paper's equations 1, 4 and 5; M are positions and N channels."""
    content_loss = sum(
        share * np.sum((features[layer] - content[layer]) ** 2) / 2
        for layer, share in settings["content_layers"].items()
    )
    style_loss = 0
    for blend, style in zip(settings["style_blend"], styles, strict=True):
        for layer, share in settings["style_layers"].items():
            rows, cols, channels = features[layer].shape
            positions = rows * cols
            own_positions = style[layer][..., 0].size
            a = numpy_gram(style[layer]) * positions / own_positions
            g = numpy_gram(features[layer])
            style_loss += blend * share * np.sum((g - a) ** 2) / (4 * channels**2 * positions**2)
    return content_loss, style_loss, numpy_total_variation(x)


def numpy_johnson(features, content, styles, x, settings):
    """neural-style-pt's: five layers with the whole weight each, where their shares are 1/5."""
    content_loss, style_loss, _ = numpy_athalye(features, content, styles, x, settings)
    variation = np.abs(x[1:] - x[:-1]).sum() + np.abs(x[:, 1:] - x[:, :-1]).sum()
    return content_loss, 5 * style_loss, variation


@evaluated_once
@pytest.mark.parametrize("pooling", ["max", "avg"])
@pytest.mark.parametrize("recipe", ["athalye", "gatys", "johnson"])
def test_recipes_against_numpy(recipe, pooling, small_vgg19, photo, painting):
    photo = photo[:39, :45]  # odd sides: pooling's padding matters
    job = prepare(
        photo,
        [painting, painting[::-1]],
        recipe,
        pooling=pooling,
        tv_weight=3,
        content_layers=["block4_conv2:0.6", "block5_conv2:0.4"],
        style_layers={layer: 0.8**i for i, layer in enumerate(STYLE_LAYERS)},
        style_blend=[3, 1],
        style_scale=[1.0, 0.7],
        size="own",
        scales=1,
    )
    settings, padding = job.settings, job.settings["pool_padding"]
    assert settings["style_blend"] == [0.75, 0.25]
    x = np.random.default_rng(0).normal(0, 60, (39, 45, 3)).astype(np.float32)
    terms, _ = nst.stage_objective(job, small_vgg19, job.stages[0])(x.ravel())

    def features(picture):
        return numpy_features(small_vgg19, picture, pooling, padding)

    # As wide as the photo is, or with its longer side, times the scale.
    sizes = [(45, 35), (31, 24)] if recipe == "johnson" else [(57, 45), (40, 31)]
    styles = [
        features(preprocess.preprocess_image(image.resize((cols, rows), settings["resample"])))
        for image, (rows, cols) in zip(job.inputs.styles, sizes, strict=True)
    ]
    oracle = {"athalye": numpy_athalye, "gatys": numpy_gatys, "johnson": numpy_johnson}[recipe]
    content = features(preprocess.preprocess_image(photo))
    expected = oracle(features(x), content, styles, x.astype(float), settings)
    weights = [settings[f"{name}_weight"] for name in ("content", "style", "tv")]
    np.testing.assert_allclose(terms, np.multiply(expected, weights), rtol=1e-4)


@evaluated_once
def test_mask_of_ones_is_no_mask(small_vgg19, photo, painting):
    ones = np.full((40, 48), 255, np.uint8)
    plain, level = make_objective(small_vgg19, photo, painting)
    given = {"style_masks": [ones], "content_mask": ones}
    masked, _ = make_objective(small_vgg19, photo, painting, **given)
    x = near(level.base)
    np.testing.assert_allclose(masked(x)[0], plain(x)[0], rtol=1e-4)


@evaluated_once
def test_complementary_masks_give_each_half_its_own_style(small_vgg19, photo, painting):
    """A style pulls only where its mask is white (as far as deep layers can tell positions)."""
    tall = np.tile(photo, (4, 1, 1))
    upper, lower = np.zeros((2, 160, 48), np.uint8)
    upper[:80], lower[80:] = 255, 255
    given = {"content_weight": 0, "tv_weight": 0, "style_layers": ["block1_conv1"], "size": 160}
    styles = [painting, painting[::-1] // 2]

    def losses(styles, masks):
        objective, level = make_objective(small_vgg19, tall, styles, style_masks=masks, **given)
        return objective(level.base.ravel())

    both, both_grads = losses(styles, [upper, lower])
    (of_upper, upper_grads), (of_lower, lower_grads) = (
        losses([style], [mask]) for style, mask in zip(styles, (upper, lower), strict=True)
    )
    assert both[1] == pytest.approx((of_upper[1] + of_lower[1]) / 2, rel=1e-4)  # equal shares
    expected = (upper_grads + lower_grads) / 2
    np.testing.assert_allclose(both_grads, expected, atol=1e-3 * both_grads.max())
    assert not upper_grads.reshape(160, 48, 3)[82:].any()
    assert not lower_grads.reshape(160, 48, 3)[:78].any()
    assert upper_grads.any() and lower_grads.any()


def neighbors_objective(weights, photo, styles, **given):
    """(job, stage, objective) of the recipe `neighbors`, for neighbours of the start."""
    job = prepare(photo, styles, "neighbors", size=40, precision="float32", **given)
    stage = job.stages[-1]
    return job, stage, nst.stage_objective(job, weights, stage)


def numpy_columns(weights, picture):
    """Hypercolumns, through `numpy_features`, of a picture with sides that 16 divides."""
    features = {n: f[np.newaxis] for n, f in numpy_features(weights, picture).items()}
    tensors = {n: f.astype(np.float32) for n, f in features.items()}
    return np.concatenate(hypercolumns(tensors), axis=-1)


@evaluated_once
def test_terms_of_neighbors_against_numpy(small_vgg19, photo, painting):
    """All four, at a point away from the start, with the map of detail at work."""
    job, stage, objective = neighbors_objective(small_vgg19, photo, painting, tv_weight=0.3)
    x = np.random.default_rng(0).normal(0, 60, (40, 48, 3)).astype(np.float32)
    terms, _ = objective(x.ravel())
    own, base = numpy_features(small_vgg19, x), numpy_features(small_vgg19, job.base(stage))
    (style,) = job.styles(stage)
    of_style = numpy_features(small_vgg19, style.picture)
    smaller = 400 / 40

    # content: detailed places above all, in parts of the photo's own mean square
    detail = np.float32(detail_map(Image.fromarray(photo), 40, 48))
    at_layer = np.asarray(Image.fromarray(detail).resize((12, 10), Image.Resampling.BOX))
    squares = (own["block3_conv1"] - base["block3_conv1"]) ** 2
    where = 0.4 + 0.6 * at_layer[..., np.newaxis]
    content = np.mean(where * squares) / np.mean(base["block3_conv1"] ** 2)
    assert terms[0] == pytest.approx(2500 * smaller**0.43 * content, rel=1e-3)

    # style: in parts of its own energy
    distance = energy = 0
    for layer in STYLE_LAYERS:
        rows, cols, _ = own[layer].shape
        pixels = of_style[layer][..., 0].size
        target = numpy_gram(of_style[layer]) * rows * cols / pixels
        distance += np.sum((target - numpy_gram(own[layer])) ** 2)
        energy += np.sum(target**2)
    assert terms[1] == pytest.approx(2e5 * distance / energy, rel=1e-3)

    roughness = numpy_total_variation(x.astype(float)) / (40 * 48)
    assert terms[2] == pytest.approx(0.3 / smaller * roughness, rel=1e-3)

    # neighbours: looked up with the photo's columns where there is detail
    of_photo, start, candidates = (
        numpy_columns(small_vgg19, p) for p in (job.base(stage), job.start(stage), style.picture)
    )
    query_content = np.float32(0.8 + 0.2 * detail)
    share = np.asarray(Image.fromarray(query_content).resize((12, 10), Image.Resampling.BOX))
    share = share.reshape(-1, 1)
    queries = share * (of_photo - of_photo.mean(0)) + (1 - share) * (start - start.mean(0))
    found = numpy_cosines(queries, candidates - candidates.mean(0)).argmax(1)
    likeness = np.diag(numpy_cosines(numpy_columns(small_vgg19, x), candidates[found]))
    assert terms[3] == pytest.approx(1e4 * np.mean(1 - likeness), rel=1e-3)


@evaluated_once
def test_neighbors_keep_to_their_masks(small_vgg19, photo, painting):
    """With the second style masked out, it might as well not be there."""
    ones = np.full((40, 48), 255, np.uint8)
    masks = [ones, np.pad(ones[:1, :1], ((0, 39), (0, 47)))]
    x = np.random.default_rng(0).normal(0, 60, 40 * 48 * 3)
    given = {"style_weight": 0, "init": "base", "content_colors": "own"}
    styles = [painting, 255 - painting]
    *_, alone = neighbors_objective(small_vgg19, photo, styles[:1], **given)
    *_, masked = neighbors_objective(small_vgg19, photo, styles, style_masks=masks, **given)
    *_, blended = neighbors_objective(small_vgg19, photo, styles, **given)
    assert masked(x)[0][3] == pytest.approx(alone(x)[0][3], rel=0.01)
    assert abs(blended(x)[0][3] / alone(x)[0][3] - 1) > 0.01


@evaluated_once
def test_places_that_no_mask_covers_are_left_alone(small_vgg19, photo, painting):
    """As far from the masked half as the deepest layer looks, neighbours have no pull."""
    tall = np.tile(photo, (4, 1, 1))
    upper = np.zeros((160, 48), np.uint8)
    upper[:80] = 255
    given = {"style_weight": 0, "content_weight": 0, "tv_weight": 0, "style_masks": [upper]}
    job = prepare(tall, painting, "neighbors", size=160, scales=1, precision="float32", **given)
    (stage,) = job.stages
    _, grads = nst.stage_objective(job, small_vgg19, stage)(job.start(stage).ravel())
    grads = np.abs(grads.reshape(160, 48, 3))
    assert grads[130:].max() < 1e-4 * grads[:80].max()


@evaluated_once
def test_mask_that_small_sizes_lose_is_no_fault(small_vgg19, photo, painting):
    """One white place in a thousand: nothing of it is left at the deepest layers."""
    speck = np.zeros((40, 48), np.uint8)
    speck[20, 24] = 255
    for recipe in ("neighbors", "keras"):
        job = prepare(photo, [painting] * 2, recipe, size=40, style_masks=[speck, 255 - speck])
        (stage,) = job.stages
        terms, grads = nst.stage_objective(job, small_vgg19, stage)(job.start(stage).ravel())
        assert np.isfinite(terms).all() and np.isfinite(grads).all()


@evaluated_once
def test_neighbors_are_looked_up_anew_at_each_size(small_vgg19, photo, painting, monkeypatch):
    """With the picture so far, enlarged from the size before, and the photo's detail."""
    seen, paintings = [], []
    few = {"iterations": 1, "evaluations_per_iteration": 1}
    job = prepare(photo, painting, "neighbors", size=40, scales=2, **few)

    def find(network, base, x, *arguments):
        seen.append(x)
        return find_neighbors(network, base, x, *arguments)

    monkeypatch.setattr(levels, "find_neighbors", find)
    nst.paint(job, small_vgg19, callback=paintings.append)
    assert [x.shape for x in seen] == [(20, 24, 3), (40, 48, 3)]
    small, large = map(job.level, job.stages)
    expected = large.enlarged(np.reshape(paintings[0].x, (20, 24, 3)), small)
    np.testing.assert_array_equal(seen[1], expected)


def test_combination_of_another_shape_is_refused(small_vgg19, photo, painting):
    job = prepare(photo, painting, "neighbors", size=40)
    with pytest.raises(InputError, match=r"x must have shape \(40, 48, 3\), received \(5760,\)"):
        nst.stage_objective(job, small_vgg19, job.stages[-1], np.zeros(5760))


@evaluated_once
def test_turned_copies_are_looked_in_too(small_vgg19, photo):
    """A style that is the photo on its side has the photo's own places only when it is turned."""
    x = preprocess.preprocess_image(photo).astype(float).ravel()
    given = {"style_weight": 0, "init": "base", "content_colors": "own", "style_scale": 40 / 48}
    losses = [
        neighbors_objective(small_vgg19, photo, np.rot90(photo), style_turns=n, **given)[2](x)[0][3]
        for n in (0, 3)
    ]
    assert losses[1] < 0.7 * losses[0]


def test_content_mask_frees_what_is_black(small_vgg19, photo, painting):
    network = nst.build_network(small_vgg19, ["block5_conv2"])
    base = preprocess.preprocess_image(photo)
    given = nst.content_loss, Canvas(network, 40, 48), {"block5_conv2": 1.0}, FORMULAS["keras"]
    x = near(base).astype(np.float32).reshape(1, 40, 48, 3)

    def content(mask):
        term = Content(*given, base, mask)
        return float(term.value(x, network(x), given[1].tiles[0], term.targets[0], term.shared))

    assert content(np.zeros((40, 48), np.float32)) == 0
    assert content(None) > 0
    assert content(np.ones((40, 48), np.float32)) == pytest.approx(content(None), rel=1e-5)


@evaluated_once
def test_term_with_weight_zero_is_zero(small_vgg19, photo, painting):
    given = {"style_weight": 0, "tv_weight": 0}
    objective, level = make_objective(small_vgg19, photo, painting, **given)
    terms, grads = objective(level.base.ravel())
    assert not terms.any()
    assert not grads.any()


@evaluated_once
def test_temporal_term_against_numpy(small_vgg19, photo, painting):
    """A mean over all pixels of squares weighted by the hold; its slope is twice the mean."""
    settings = {"size": 40, "scales": 1, "temporal_weight": 7.0}
    zero = dict.fromkeys(("content_weight", "style_weight", "tv_weight"), 0)
    job = prepare(photo, painting, "keras", **settings)
    job = job._replace(settings=job.settings | zero)  # nobody is given a photo's loss of nothing
    rng = np.random.default_rng(3)
    x, before = rng.uniform(-100, 100, (2, 40, 48, 3)).astype(np.float32)
    hold = rng.uniform(0, 1, (40, 48)).astype(np.float32)
    following = job.frame(nst.load_image(photo), Previous(before, hold))
    objective = nst.stage_objective(following, small_vgg19, following.stages[0])
    terms, grads = objective(x.ravel())
    weighted = hold.astype(float)[..., np.newaxis] * (x.astype(float) - before)
    assert objective.names == ["content", "style", "total_variation", "temporal"]
    assert terms[3] == pytest.approx(7 * (weighted * (x - before)).sum() / (40 * 48 * 3), rel=1e-5)
    assert not terms[:3].any()
    np.testing.assert_allclose(grads, 2 * 7 / (40 * 48 * 3) * weighted.ravel(), atol=1e-6)
    alone = nst.stage_objective(job, small_vgg19, job.stages[0])
    assert "temporal" not in alone.names
    assert not alone(x.ravel())[0].any()


# --- The Evaluator -------------------------------------------------------------------------


class CountedQuadratic:
    """(x - 3)^2 as content, 2 (x + 1)^2 as style, with a count of how often it was asked."""

    names = ("content", "style", "total_variation")

    def __init__(self):
        self.calls = 0

    def __call__(self, x):
        self.calls += 1
        terms = np.array([np.sum((x - 3) ** 2), 2 * np.sum((x + 1) ** 2), 0])
        return terms, 2 * (x - 3) + 4 * (x + 1)


def test_evaluator_passes_scipys_check_grad():
    evaluator = nst.Evaluator(CountedQuadratic())
    x = np.linspace(-2, 2, 9)
    assert scipy.optimize.check_grad(evaluator.loss, evaluator.grads, x) < 1e-5


def test_evaluator_asks_once_per_x_in_any_order():
    function = CountedQuadratic()
    evaluator = nst.Evaluator(function)
    a, b = np.zeros(3), np.ones(3)
    evaluator.grads(a), evaluator.loss(a), evaluator.losses(a), evaluator.grads(a.copy())
    assert function.calls == 1
    evaluator.loss(b), evaluator.loss(b), evaluator.grads(b)
    assert function.calls == evaluator.evaluations == 2
    assert evaluator.loss(a) == 3 * 9 + 2 * 3
    assert function.calls == 3


def test_evaluator_notices_x_changed_in_place_and_hands_out_copies():
    evaluator = nst.Evaluator(CountedQuadratic())
    x = np.zeros(3)
    before = evaluator.loss(x)
    x += 1
    assert evaluator.loss(x) != before
    evaluator.grads(x)[:] = 0
    assert evaluator.grads(x).all()


def test_evaluator_reports_every_evaluation():
    seen = []
    evaluator = nst.Evaluator(CountedQuadratic(), lambda losses, x: seen.append((losses, x[0])))
    evaluator.loss(np.zeros(1)), evaluator.loss(np.ones(1))
    first = Losses(11, {"content": 9, "style": 2, "total_variation": 0})
    second = Losses(12, {"content": 4, "style": 8, "total_variation": 0})
    assert seen == [(first, 0), (second, 1)]


def test_losses_are_had_by_the_names_of_their_terms():
    losses = Losses(11.0, {"content": 9.0, "style": 2.0})
    assert (losses.content, losses.style, losses.temporal) == (9, 2, 0)  # it has no such term
    assert losses.as_dict() == {"total": 11, "content": 9, "style": 2}
    with pytest.raises(AttributeError, match="the loss has no term 'contents'"):
        _ = losses.contents


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ([np.nan, 0, 0], "content loss became nan"),
        ([0, np.inf, 0], "style loss became inf"),
        ([0, 0, -np.inf], "total variation loss became -inf"),
    ],
)
def test_evaluator_names_the_term_that_is_not_finite(terms, message):
    evaluator = nst.Evaluator(named(lambda x: (np.array(terms), x)))
    with pytest.raises(nst.NonFiniteLoss, match=f"{message} at evaluation 1; lower its weight"):
        evaluator.loss(np.zeros(2))


def test_picture_that_is_not_finite_is_no_fault_of_a_weight():
    evaluator = nst.Evaluator(named(lambda x: (np.array([np.nan, 0, 0]), x)))
    with pytest.raises(
        nst.NonFiniteLoss, match="^the picture has NaN or infinite values at evaluation 1; check"
    ):
        evaluator.loss(np.array([0, np.nan]))


def test_evaluator_refuses_an_infinite_gradient():
    evaluator = nst.Evaluator(named(lambda x: (np.zeros(3), x / 0.0)))
    with np.errstate(divide="ignore"), pytest.raises(nst.NonFiniteLoss, match="gradient"):
        evaluator.grads(np.ones(2))


# --- The run -------------------------------------------------------------------------------


class Rosenbrock:
    """Hard for L-BFGS; below `lying_below` the gradient points the wrong way."""

    def __init__(self, lying_below=-math.inf):
        self.calls, self.lying_below = 0, lying_below

    def __call__(self, x):
        self.calls += 1
        loss, grads = scipy.optimize.rosen(x), scipy.optimize.rosen_der(x)
        return np.array([loss, 0, 0]), grads if loss > self.lying_below else -grads

    on_device = __call__


def run_minimize(function, count, minimize=minimize_scipy, bounds=None, tolerance=0.0, each=20):
    """([(loss, evaluations, stopped) of each iteration], the last x)."""
    evaluator, seen = nst.Evaluator(named(function)), []

    def on_iteration(x, losses, stopped):
        seen.append((losses.total, evaluator.evaluations, stopped))

    iterations = Iterations(evaluator, count, each, on_iteration, tolerance)
    return seen, minimize(iterations, np.full(50, -1.0), *([] if bounds is None else [bounds]))


def test_one_run_reports_every_twenty_evaluations_and_beats_restarts():
    seen, _ = run_minimize(Rosenbrock(), 4)
    restarted, _ = run_minimize(Rosenbrock(), 4, nst.minimize_keras)
    assert [stopped for *_, stopped in seen] == [""] * 4
    for number, (_, evaluations, _) in enumerate(seen, start=1):
        assert 20 * number <= evaluations <= 20 * number + 2
    assert seen[-1][0] < restarted[-1][0]


def test_our_lbfgs_reports_as_scipys_does_and_keeps_bounds():
    bounds = np.full(50, -2.0), np.full(50, 0.5)
    seen, x = run_minimize(Rosenbrock(), 4, minimize_lbfgs, bounds)
    assert [stopped for *_, stopped in seen] == [""] * 4
    assert [evaluations for _, evaluations, _ in seen][-1] == 80
    assert x.max() == 0.5  # the minimum is at 1
    assert x.dtype == np.float32


def test_our_lbfgs_stops_where_no_lower_point_is_found():
    function = Rosenbrock(lying_below=100)
    seen, x = run_minimize(function, 100, minimize_lbfgs)
    assert seen[-1][2] == "L-BFGS finds no lower point"
    assert scipy.optimize.rosen(x.astype(float)) == pytest.approx(seen[-1][0], rel=1e-3)
    assert function.calls < 200


def test_tolerance_stops_early_and_says_so():
    seen, _ = run_minimize(Rosenbrock(), 50, tolerance=0.99)
    assert len(seen) < 50
    assert re.match(r"an iteration gained .*%, less than the tolerance of 99", seen[-1][2])


def test_tolerance_zero_never_stops_while_there_is_gain():
    seen, _ = run_minimize(Rosenbrock(), 3)
    assert len(seen) == 3


def test_stalled_line_search_restarts_once_then_stops_with_the_best():
    function = Rosenbrock(lying_below=100)
    seen, x = run_minimize(function, 100)
    assert seen[-1][2] == "L-BFGS finds no lower point"
    assert scipy.optimize.rosen(x) == min(loss for loss, *_ in seen)
    assert function.calls < 200  # the way there and two failed line searches, not 2000


@pytest.mark.parametrize("lying_below", [100, 300, 1000])
@pytest.mark.parametrize("each", [1, 2, 5])
def test_last_iteration_is_reported_however_many_a_line_search_takes(each, lying_below):
    for count in range(2, 40, 3):
        seen, _ = run_minimize(Rosenbrock(lying_below), count, each=each)
        assert len(seen) == count or seen[-1][2]


def test_step_that_took_two_iterations_evaluations_does_not_end_the_run():
    """The second of them gained nothing of its own."""
    evaluator, seen = SimpleNamespace(evaluations=0), []

    def on_iteration(x, losses, stopped):
        seen.append(stopped)

    iterations = Iterations(evaluator, 4, 5, on_iteration, tolerance=0.1)
    iterations.start(Losses(9.0, {}))
    evaluator.evaluations = 11
    iterations.finish_due(None, Losses(6.0, {}))
    assert seen == ["", ""]
    evaluator.evaluations = 16
    iterations.finish_due(None, Losses(5.9, {}))
    assert seen[2].startswith("an iteration gained 1.67%")


def test_bounds_are_kept():
    _, x = run_minimize(Rosenbrock(), 3, bounds=np.tile([-2.0, 0.5], (50, 1)))
    assert x.max() == 0.5  # the minimum is at 1


@pytest.mark.parametrize("minimize", [nst.minimize_keras, minimize_scipy])
def test_scipy_has_one_thread_of_blas_and_the_network_all(minimize, monkeypatch):
    def threads():
        libraries = [library for library in threadpool_info() if library["user_api"] == "blas"]
        return {library["num_threads"] for library in libraries}

    def watched_fmin(*arguments, **options):
        of_scipy.append(threads())
        return fmin(*arguments, **options)

    fmin, of_scipy, of_network = scipy.optimize.fmin_l_bfgs_b, [], []
    monkeypatch.setattr(scipy.optimize, "fmin_l_bfgs_b", watched_fmin)
    rosenbrock = named(Rosenbrock())
    evaluator = nst.Evaluator(rosenbrock, lambda losses, x: of_network.append(threads()))
    with threadpool_limits(2, "blas"):
        iterations = Iterations(evaluator, 1, 20, lambda x, losses, stopped: None)
        minimize(iterations, np.full(50, -1.0))
        assert threads() == {2}
    assert of_scipy == [{1}]
    assert len(of_network) >= 20 and all(counts == {2} for counts in of_network)


class Quadratic:
    """A `LossAndGrads` of (x - 3)^2 / 10, as content, with what it was asked for."""

    def __new__(cls, shape):
        def losses(x):
            return keras.ops.stack([keras.ops.sum(keras.ops.square(x - 3.0)) / 10])

        return LossAndGrads(with_gradient(losses), *shape, names=["content"])


def test_adam_follows_numpys_adam_for_twenty_steps():
    x = start = np.random.default_rng(0).normal(0, 30, (1, 4, 5, 3)).astype(np.float32)
    rate, b1, b2, eps = 10.0, 0.9, 0.999, 1e-8
    expected, m, v = [], 0, 0
    for t in range(1, 21):
        g = (x - 3.0) / 5
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        x = x - rate * np.sqrt(1 - b2**t) / (1 - b1**t) * m / (np.sqrt(v) + eps)
        expected.append(np.sum((x - 3.0) ** 2) / 10)
    seen, all_losses = [], []
    evaluator = nst.Evaluator(Quadratic((4, 5)), lambda losses, x: all_losses.append(losses))
    iterations = Iterations(evaluator, 20, 1, lambda x, losses, _: seen.append(losses.total))
    best = minimize_adam(iterations, start, learning_rate=rate, beta_1=b1, beta_2=b2, epsilon=eps)
    assert evaluator.evaluations == 21  # one a step, and one after the last
    np.testing.assert_allclose([losses.total for losses in all_losses[1:]], expected, rtol=1e-4)
    lowest = np.minimum.accumulate([losses.total for losses in all_losses])
    np.testing.assert_allclose(seen, lowest[1:])
    assert np.sum((np.asarray(best) - 3.0) ** 2) / 10 == pytest.approx(lowest[-1], rel=1e-5)


def test_adam_stops_by_tolerance():
    seen, evaluator = [], nst.Evaluator(Quadratic((4, 5)))
    iterations = Iterations(evaluator, 50, 20, lambda x, _, stopped: seen.append(stopped), 1)
    minimize_adam(iterations, np.zeros((1, 4, 5, 3), np.float32), learning_rate=0.1)
    assert len(seen) == 1
    assert "less than the tolerance" in seen[0]


@pytest.mark.parametrize("method", COLOR_METHODS[1:])
def test_keeping_colours_brings_the_result_nearer_to_them(method, small_vgg19, photo, painting):
    def distance(preserve_colors):
        """Of the result's mean colour, brightness aside, from the photo's."""
        given = {"size": 40, "preserve_colors": preserve_colors, "tv_weight": 0, "strength": 0.9}
        result = nst.style_transfer(photo, painting, 2, weights=small_vgg19, **given)
        colors = [np.asarray(image, float).mean((0, 1)) for image in (result, photo)]
        return np.linalg.norm(np.diff(colors[0] - colors[1]))

    assert distance(method) < 0.7 * distance("none")


def numpy_masked_gram(features, mask):
    """(T F)^T (T F), scaled to the number of positions; T the mask averaged to the layer's size."""
    rows, cols, _ = features.shape
    mask = Image.fromarray(mask).resize((cols, rows), Image.Resampling.BOX)
    weights = np.asarray(mask, float)[..., np.newaxis]
    return numpy_gram(features * weights) * rows * cols / np.sum(weights**2)


@evaluated_once
def test_masks_of_a_run_against_numpy(small_vgg19, photo, painting):
    """Two styles, each kept to its half, and content kept to one: through `stage_objective`."""
    left = np.zeros((40, 48), np.uint8)
    left[:, :24] = 255
    styles = [painting, painting[::-1] // 2]
    job = prepare(
        photo,
        styles,
        "keras",
        size=40,
        style_masks=[left, 255 - left],
        content_mask=left,
        style_blend=[3, 1],
        tv_weight=0,
    )
    (stage,) = job.stages
    x = np.random.default_rng(0).normal(0, 60, (40, 48, 3)).astype(np.float32)
    terms, _ = nst.stage_objective(job, small_vgg19, stage)(x.ravel())
    features = numpy_features(small_vgg19, x)
    of_base = numpy_features(small_vgg19, job.base(stage))
    expected = 0
    for style, share, mask in zip(job.styles(stage), (0.75, 0.25), (left, 255 - left), strict=True):
        of_style = numpy_features(small_vgg19, style.picture)
        for layer in STYLE_LAYERS:
            own = numpy_masked_gram(features[layer], np.float32(mask / 255))
            distance = np.sum((numpy_gram(of_style[layer]) - own) ** 2)
            expected += share * 0.2 * distance / (36 * (40 * 48) ** 2)
    assert terms[1] == pytest.approx(expected, rel=1e-3)
    squares = (features["block5_conv2"] - of_base["block5_conv2"]) ** 2  # (2, 3, channels)
    weights = np.array([[1, 0.5, 0]] * 2)[..., np.newaxis]
    assert terms[0] == pytest.approx(0.025 * np.sum(weights * squares), rel=1e-3)


class WatchRange(nst.Progress):
    """The lowest and the highest value that any evaluation has, as RGB 0..255."""

    lowest_value, highest_value = math.inf, -math.inf

    def on_evaluation(self, evaluation):
        super().on_evaluation(evaluation)
        x = np.add(np.asarray(evaluation.x).reshape(-1, 3), [103.939, 116.779, 123.68])
        self.lowest_value = min(self.lowest_value, x.min())
        self.highest_value = max(self.highest_value, x.max())


def test_pixels_stay_within_black_and_white_where_they_are_bounded(small_vgg19, photo, painting):
    outside = {}
    for bounded in (True, False):
        progress = WatchRange()
        recipe = nst.RECIPES["pyramid"] | {"bounded": bounded, "tv_weight": 0.0, "strength": 0.9}
        nst.style_transfer(
            photo, painting, 1, recipe=recipe, weights=small_vgg19, size=40, progress=progress
        )
        outside[bounded] = max(-progress.lowest_value, progress.highest_value - 255)
    assert outside[True] < 1e-4
    assert outside[False] > 5


def test_pyramid_reports_small_sizes_as_not_final(simple_loss, small_vgg19, photo, painting):
    class Watch(nst.Progress):
        def on_stage(self, index):
            super().on_stage(index)
            stages.append(self.stage.rows)

    seen, stages = [], []
    result = nst.style_transfer(
        photo,
        painting,
        iterations=2,
        callback=seen.append,
        progress=Watch(),
        weights=small_vgg19,
        size=40,
        scales=2,
    )
    assert stages == [20, 40]
    assert [(i.iteration, i.final, i.image.height) for i in seen] == [
        (0, False, 20),
        (1, False, 20),
        (0, True, 40),
        (1, True, 40),
    ]
    assert [i.evaluations for i in seen] == sorted(i.evaluations for i in seen)
    np.testing.assert_array_equal(result, seen[-1].image)


@evaluated_once
def test_pictures_of_a_size_are_made_once(small_vgg19, monkeypatch):
    """In a default run of four sizes; the search for neighbours, which makes none, is left out."""
    made = collections.Counter()

    def counted(name):
        function = getattr(levels, name)

        def count(*arguments):
            made[name] += 1
            return function(*arguments)

        monkeypatch.setattr(levels, name, count)

    for name in ("resize_image", "recoloring", "detail_map"):
        counted(name)
    monkeypatch.setattr(levels, "find_neighbors", lambda *arguments: None)
    photo, painting = smooth_picture(300, 400, seed=1), smooth_picture(90, 70, seed=2)
    job = prepare(photo, painting, evaluations_per_iteration=1, iterations=1)
    assert [stage.rows for stage in job.stages] == [48, 97, 197, 400]
    nst.paint(job, small_vgg19)
    assert made["resize_image"] <= 12
    assert made["recoloring"] <= 4 and made["detail_map"] <= 4
    assert len(made) == 3


@pytest.mark.parametrize("recipe", ["pyramid", "neighbors"])
def test_strength_zero_gives_the_photo_back(recipe, small_vgg19, photo, painting):
    given = {"recipe": recipe, "size": 40, "strength": 0, "scales": 2}
    result = nst.style_transfer(photo, painting, 1, weights=small_vgg19, **given)
    np.testing.assert_array_equal(result, photo)


def test_every_iteration_is_that_of_the_keras_example(full_vgg19, photo, painting):
    job = prepare(photo, painting, "keras", size=24)
    (stage,) = job.stages
    base, (style,) = job.base(stage), job.styles(stage)
    original = keras_example.concatenated_loss_and_grads(full_vgg19, base, style.picture)
    expected = [loss for _, loss in keras_example.run(original, base.astype(float), iterations=2)]
    seen = []
    nst.style_transfer(photo, painting, 2, seen.append, recipe="keras", weights=full_vgg19, size=24)
    assert seen[0].losses.total == pytest.approx(expected[0], rel=1e-3)
    assert seen[1].losses.total == pytest.approx(expected[1], rel=1e-2)


def test_style_transfer_reports_iterates_and_returns_the_last(
    simple_loss, small_vgg19, photo, painting
):
    class Watch(nst.Progress):
        def on_evaluation(self, evaluation):
            super().on_evaluation(evaluation)
            evaluations.append(evaluation.losses)

    seen, evaluations = [], []
    result = nst.style_transfer(
        photo,
        Image.fromarray(painting),
        iterations=2,
        callback=seen.append,
        recipe="keras",
        weights=small_vgg19,
        size=32,
        progress=Watch(),
    )
    assert [iterate.iteration for iterate in seen] == [0, 1]
    assert result.size == (38, 32)  # 48 * 32 / 40
    np.testing.assert_array_equal(result, seen[-1].image)
    assert seen[-1].evaluations == len(evaluations) >= 2 * EVALUATIONS_PER_ITERATION
    assert seen[1].losses.total < seen[0].losses.total < evaluations[0].total
    assert seen[0].losses.total == pytest.approx(sum(seen[0].losses.terms.values()))
    assert seen[0].seconds > 0


def test_slip_in_the_name_of_an_argument_is_told_with_what_may_be_meant(photo, painting):
    named = inspect.signature(nst.style_transfer).parameters.keys()
    assert named - {"base", "style_reference", "iterations", "settings"} == {*ARGUMENTS}
    for slip, meant in {"wieghts": "weights", "recipie": "recipe", "calback": "callback"}.items():
        with pytest.raises(InputError, match=f"unknown setting '{slip}'; did you mean {meant}$"):
            nst.style_transfer(photo, painting, **{slip: None})
    with pytest.raises(InputError, match="^weights is not a setting, but an argument of style_"):
        nst.prepare(photo, painting, weights=None)


def test_same_input_gives_the_same_bytes(small_vgg19, photo, painting):
    first, second = (
        nst.style_transfer(photo, painting, 1, weights=small_vgg19, size=32) for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def test_paths_are_taken_for_pictures_and_weights(
    simple_loss, weights_path, photo_path, painting_path
):
    result = nst.style_transfer(
        photo_path, str(painting_path), iterations=1, weights=weights_path, size=20
    )
    assert result.size == (24, 20)


@pytest.mark.weights
def test_real_features_paint(tmp_path, monkeypatch):
    monkeypatch.undo()  # back to the user's own cache, so that nothing is fetched twice
    try:
        weights = load_weights("imagenet", quiet=True)
    except WeightsError as error:
        pytest.skip(f"no real weights: {error}")

    class Watch(nst.Progress):
        def on_evaluation(self, evaluation):
            losses.append(evaluation.losses)
            super().on_evaluation(evaluation)

    losses, seen = [], []
    nst.style_transfer(
        ROOT / "img" / "astronaut.jpg",
        ROOT / "img" / "swirling_night.jpg",
        iterations=2,
        callback=seen.append,
        recipe="keras",
        weights=weights,
        size=64,
        progress=Watch(),
    )
    assert losses[0].style > 5 * seen[-1].losses.style


def test_arguments_of_another_kind_are_named(small_vgg19, photo, painting):
    job = nst.prepare(photo, painting, size=24)
    for given, said in [
        (("job", small_vgg19), "job must be a Job, from prepare, received str"),
        ((job, "mirror"), "weights must be a VGG19Weights, from load_weights, received str"),
        ((job, small_vgg19, nst.Progress), "progress must be a Progress, received type"),
        ((job, small_vgg19, None, 5), "callback must be a function of an Iterate, received int"),
        ((job, small_vgg19, None, None, None, 5), "keep must be a function of a Checkpoint, rec"),
    ]:
        with pytest.raises(nst.InputError, match=said):
            nst.paint(*given)
