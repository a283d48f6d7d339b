"""The script, in its own order. Oracles are closed forms, naive NumPy, finite differences, Keras's
own VGG19 and the Keras example; none shares code with what it checks."""

import csv
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras_example
import numpy as np
import pytest
import scipy.optimize
import tifffile
from conftest import BAD_PICTURES, disk_full, make_bad_picture
from PIL import Image
from threadpoolctl import threadpool_info, threadpool_limits

import neural_style_transfer as nst
import records
import vgg19_weights
from neural_style_transfer import InputError, keras
from pictures import COLOR_METHODS
from recipes import STYLE_LAYERS

SCRIPT = nst.__file__
ROOT = Path(SCRIPT).parent
KERAS_LAYERS = ["block5_conv2", *STYLE_LAYERS]
NEAREST = Image.Resampling.NEAREST


# --- Importing -----------------------------------------------------------------------------


def test_importing_prints_nothing_and_loads_no_backend():
    program = "import sys, neural_style_transfer; assert 'keras' not in sys.modules"
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True)
    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")


def test_keras_itself_is_imported_without_a_word():
    program = "from neural_style_transfer import keras; keras.ops.zeros(())"
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True)
    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")


# --- Features ------------------------------------------------------------------------------


def test_features_are_those_of_kerass_vgg19(full_vgg19, photo):
    x = nst.preprocess_image(photo)[np.newaxis]
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


def test_layers_that_pass_through_are_left_out_unnoticed(small_vgg19, photo):
    channels = small_vgg19.layers["block3_conv4"][1].size
    kernel = np.zeros((3, 3, channels, channels), np.float32)
    kernel[1, 1] = np.eye(channels)
    layers = {**small_vgg19.layers, "block3_conv4": (kernel, np.zeros(channels, np.float32))}
    x = nst.preprocess_image(photo)[np.newaxis]
    network = nst.build_network(vgg19_weights.VGG19Weights(layers), ["block3_conv4"])
    before = nst.build_network(small_vgg19, ["block3_conv3"])
    assert "block3_conv4" not in [layer.name for layer in network.layers]
    np.testing.assert_array_equal(
        network.predict_on_batch(x)["block3_conv4"], before.predict_on_batch(x)["block3_conv3"]
    )


def test_weights_own_mean_pixel_is_subtracted(small_vgg19, photo):
    mean = (10.0, 20.0, 30.0)
    own = vgg19_weights.VGG19Weights(small_vgg19.layers, mean_bgr=mean)
    x = nst.preprocess_image(photo)[np.newaxis]
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
    x = nst.preprocess_image(photo)[np.newaxis]
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


def test_gram_with_a_mask_of_ones_is_the_gram(random_features):
    plain = nst.gram_matrix(random_features[0])
    masked = nst.gram_matrix(random_features[0], np.ones((20, 1), np.float32))
    np.testing.assert_allclose(masked, plain, rtol=1e-5)


def test_gram_with_a_mask_sees_only_its_positions(random_features):
    features = random_features[0]
    mask = np.zeros((5, 4), np.float32)
    mask[1:3] = 1
    masked = nst.gram_matrix(features, mask.reshape(-1, 1))
    np.testing.assert_allclose(masked, numpy_gram(features[1:3]) * 20 / 8, rtol=1e-5)


def test_total_variation_of_a_checkerboard():
    board = np.indices((6, 5)).sum(axis=0) % 2  # neighbours differ by 1 in both directions
    x = np.repeat(board[np.newaxis, ..., np.newaxis], 3, axis=3).astype(np.float32)
    assert float(nst.total_variation_loss(x)) == pytest.approx(5 * 4 * 3 * 2**1.25)


def test_total_variation_against_numpy(photo):
    x = nst.preprocess_image(photo)
    loss = float(nst.total_variation_loss(x[np.newaxis]))
    assert loss == pytest.approx(numpy_total_variation(x), rel=1e-4)


# --- The objective -------------------------------------------------------------------------


def working_pictures(photo, painting, rows=40):
    """(base, style reference) as the objective takes them."""
    base = nst.load_image(photo)
    rows, cols = nst.working_size(base, rows)
    return [
        nst.preprocess_image(nst.resize_image(image, rows, cols, NEAREST))
        for image in (base, nst.load_image(painting))
    ]


def make_objective(weights, base, style, precision="float32", **settings):
    """Our function from a flat picture to (terms, gradient), with the Keras example's settings."""
    settings = nst.choose_settings("keras", **settings)
    layers = {**settings["content_layers"], **settings["style_layers"]}
    network = nst.build_network(weights, layers, precision)
    weights = nst.loss_weights(settings, base.shape[0])
    return nst.make_objective(network, base, [nst.Style(style)], weights)


def test_combination_alone_equals_the_concatenated_batch(full_vgg19, photo, painting):
    base, style = working_pictures(photo, painting)
    x = base.ravel() + np.random.default_rng(5).normal(0, 20, base.size)
    weights = {"content_weight": 0.5, "style_weight": 0.3, "tv_weight": 0.01}
    original = keras_example.concatenated_loss_and_grads(full_vgg19, base, style, **weights)
    expected_loss, expected_grads = original(x)
    terms, grads = make_objective(full_vgg19, base, style, **weights)(x)
    assert (terms > 0).all()
    assert terms.sum() == pytest.approx(expected_loss, rel=1e-5)
    assert np.linalg.norm(grads - expected_grads) < 1e-5 * np.linalg.norm(expected_grads)


def test_gradient_against_finite_differences(small_vgg19, photo, painting):
    base, style = working_pictures(photo, painting)
    objective = make_objective(small_vgg19, base, style, content_weight=10, tv_weight=0.01)
    rng = np.random.default_rng(7)
    x = base.ravel() + rng.normal(0, 20, base.size)
    _, grads = objective(x)
    for direction in (grads, grads * rng.random(x.size), np.sign(grads)):
        step = direction / np.linalg.norm(direction)
        above, below = (objective(x + sign * step)[0].sum() for sign in (1, -1))
        assert (above - below) / 2 == pytest.approx(grads @ step, rel=0.01)


def test_weights_mean_the_same_at_every_size(small_vgg19):
    """A picture tiled 2x2 has four times the pixels and the same look: the same losses."""
    settings = nst.choose_settings("pyramid", tv_weight=1)
    layers = {**settings["content_layers"], **settings["style_layers"]}
    network = nst.build_network(small_vgg19, layers)
    pictures = [
        nst.preprocess_image(np.random.default_rng(seed).integers(0, 256, (128, 128, 3), np.uint8))
        for seed in range(3)
    ]
    terms = []
    for copies in (1, 2):
        base, style, x = (np.tile(picture, (copies, copies, 1)) for picture in pictures)
        weights = nst.loss_weights(settings, base.shape[0])
        objective = nst.make_objective(network, base, [nst.Style(style)], weights)
        terms.append(objective(x.astype(float).ravel())[0])
    np.testing.assert_allclose(terms[1], terms[0], rtol=0.1)  # the border differs a little


def test_style_is_weighed_by_its_energy(small_vgg19, photo, painting):
    """Twice the style_energy, twice the loss; at the style's own, that of the plain formula."""
    base, style = working_pictures(photo, painting)
    grams = {
        layer: numpy_gram(features)
        for layer, features in numpy_features(small_vgg19, style).items()
        if layer in STYLE_LAYERS
    }
    energy = sum(0.2 * np.sum(gram**2) for gram in grams.values()) / (36 * (40 * 48) ** 2)
    settings = nst.choose_settings("keras", style_weight=3)
    network = nst.build_network(small_vgg19, KERAS_LAYERS)
    x = base.astype(float).ravel()
    plain, same, double = (
        nst.make_objective(
            network,
            base,
            [nst.Style(style)],
            nst.loss_weights(settings | {"style_energy": energy}, base.shape[0]),
        )(x)[0][1]
        for energy in (None, energy, 2 * energy)
    )
    np.testing.assert_allclose([same, double], [plain, 2 * plain], rtol=1e-4)


def test_strength_turns_the_weights_and_is_neutral_in_the_middle():
    def weights(strength):
        return nst.loss_weights(nst.choose_settings("keras", strength=strength), 400)

    assert weights(0.5).content == {"block5_conv2": 0.025}
    assert weights(0.5).total_variation == 1
    assert weights(1).content == {"block5_conv2": 0}
    assert set(weights(0).style.values()) == {0}
    assert weights(0).total_variation == 0
    assert weights(0.75).content == {"block5_conv2": pytest.approx(0.025 / 4)}
    assert weights(0.75).style["block1_conv1"] == pytest.approx(0.2 * 9 / 4)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_lower_precision_points_the_same_way(precision, small_vgg19, photo, painting):
    base, style = working_pictures(photo, painting)
    x = base.astype(float).ravel()
    terms, grads = make_objective(small_vgg19, base, style, tv_weight=0)(x)
    low_terms, low_grads = make_objective(small_vgg19, base, style, precision, tv_weight=0)(x)
    assert low_terms[1] != terms[1]
    assert low_terms[1] == pytest.approx(terms[1], rel=0.05)
    cosine = low_grads @ grads / np.linalg.norm(grads) / np.linalg.norm(low_grads)
    assert cosine > 0.97


def test_float16_gradient_that_would_overflow_is_scaled(small_vgg19, photo, painting):
    base, style = working_pictures(photo, painting)
    x = base.astype(float).ravel()
    weights = {"style_weight": 1e12, "tv_weight": 0}
    _, grads = make_objective(small_vgg19, base, style, **weights)(x)
    _, low_grads = make_objective(small_vgg19, base, style, "float16", **weights)(x)
    assert np.isfinite(low_grads).all()
    cosine = low_grads @ grads / np.linalg.norm(grads) / np.linalg.norm(low_grads)
    assert cosine > 0.97


BACKEND_PROGRAM = """
import sys, numpy as np, neural_style_transfer as nst, vgg19_weights
vgg19_weights.CONVOLUTIONS.update(eval(sys.argv[1]))
settings = nst.choose_settings("keras", tv_weight=0.01)
network = nst.build_network(
    vgg19_weights.read_weights(sys.argv[2]),
    {**settings["content_layers"], **settings["style_layers"]},
)
given = np.load(sys.argv[3])
weights = nst.loss_weights(settings, given["base"].shape[0])
objective = nst.make_objective(network, given["base"], [nst.Style(given["style"])], weights)
terms, grads = objective(given["x"])
np.savez(sys.argv[4], terms=terms, grads=grads)
"""


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_backends_agree_with_tensorflow(
    backend, data_format, small_vgg19, weights_path, photo, painting, tmp_path
):
    pytest.importorskip(backend, reason=f"{backend} is not installed")
    base, style = working_pictures(photo, painting)
    x = base.ravel() + np.random.default_rng(5).normal(0, 20, base.size)
    terms, grads = make_objective(small_vgg19, base, style, tv_weight=0.01)(x)
    np.savez(tmp_path / "given.npz", base=base, style=style, x=x)
    (tmp_path / "keras_home").mkdir()
    config = {"image_data_format": data_format, "backend": backend, "floatx": "float32"}
    (tmp_path / "keras_home" / "keras.json").write_text(json.dumps(config))
    subprocess.run(
        [
            *(sys.executable, "-c", BACKEND_PROGRAM, str(vgg19_weights.CONVOLUTIONS)),
            *(weights_path, tmp_path / "given.npz", tmp_path / "result.npz"),
        ],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": backend},
        check=True,
    )
    result = np.load(tmp_path / "result.npz")
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


@pytest.mark.parametrize("pooling", ["max", "avg"])
@pytest.mark.parametrize("recipe", ["athalye", "gatys"])
def test_recipes_against_numpy(recipe, pooling, small_vgg19, photo, painting):
    settings = nst.choose_settings(
        recipe,
        pooling=pooling,
        tv_weight=3,
        content_layers=["block4_conv2:0.6", "block5_conv2:0.4"],
        style_layers={layer: 0.8**i for i, layer in enumerate(STYLE_LAYERS)},
        style_blend=[3, 1],
        style_scale=[1.0, 0.7],
        size="own",
    )
    assert settings["style_blend"] == [0.75, 0.25]
    photo = photo[:39, :45]  # odd sides: pooling's padding matters
    inputs = nst.read_inputs(photo, [painting, painting[::-1]], settings)
    (stage,) = nst.plan_stages(inputs.base, settings)
    padding = settings["pool_padding"]
    layers = {**settings["content_layers"], **settings["style_layers"]}
    network = nst.build_network(small_vgg19, layers, pooling=pooling, pool_padding=padding)
    x = np.random.default_rng(0).normal(0, 60, (39, 45, 3)).astype(np.float32)
    terms, _ = nst.stage_objective(network, inputs, stage, settings)(x.ravel())

    def features(picture):
        return numpy_features(small_vgg19, picture, pooling, padding)

    styles = [
        features(nst.preprocess_image(image.resize((cols, rows), settings["resample"])))
        for image, (rows, cols) in zip(inputs.styles, [(57, 45), (40, 31)], strict=True)
    ]
    oracle = {"athalye": numpy_athalye, "gatys": numpy_gatys}[recipe]
    content = features(nst.preprocess_image(photo))
    expected = oracle(features(x), content, styles, x.astype(float), settings)
    weights = [settings[f"{name}_weight"] for name in ("content", "style", "tv")]
    np.testing.assert_allclose(terms, np.multiply(expected, weights), rtol=1e-4)


def masked_objective(weights, base, styles, content_mask=None):
    settings = nst.choose_settings("keras")
    layers = {**settings["content_layers"], **settings["style_layers"]}
    network = nst.build_network(weights, layers)
    loss_weights = nst.loss_weights(settings, base.shape[0])
    return nst.make_objective(network, base, styles, loss_weights, content_mask=content_mask)


def test_mask_of_ones_is_no_mask(small_vgg19, photo, painting):
    base, style = working_pictures(photo, painting)
    ones = np.ones(base.shape[:2], np.float32)
    x = base.ravel() + np.random.default_rng(5).normal(0, 20, base.size)
    plain, _ = masked_objective(small_vgg19, base, [nst.Style(style)])(x)
    masked, _ = masked_objective(small_vgg19, base, [nst.Style(style, 1.0, ones)], ones)(x)
    np.testing.assert_allclose(masked, plain, rtol=1e-4)


def test_complementary_masks_give_each_half_its_own_style(small_vgg19, photo, painting):
    """A style pulls only where its mask is white (as far as deep layers can tell positions)."""
    base, style = working_pictures(np.tile(photo, (4, 1, 1)), painting, rows=160)
    left = np.zeros(base.shape[:2], np.float32)
    left[:80] = 1
    x = base.astype(float).ravel()
    nothing = {"content_weight": 0, "tv_weight": 0, "style_layers": ["block1_conv1"]}
    settings = nst.choose_settings("keras", **nothing)
    network = nst.build_network(small_vgg19, ["block1_conv1", "block5_conv2"])
    weights = nst.loss_weights(settings, 160)

    def objective(*styles):
        return nst.make_objective(network, base, list(styles), weights)(x)

    upper, lower = nst.Style(style, 0.5, left), nst.Style(style[::-1] / 2, 0.5, 1 - left)
    both, both_grads = objective(upper, lower)
    of_upper, upper_grads = objective(upper)
    of_lower, lower_grads = objective(lower)
    assert both[1] == pytest.approx(of_upper[1] + of_lower[1], rel=1e-4)
    np.testing.assert_allclose(both_grads, upper_grads + lower_grads, atol=1e-3 * both_grads.max())
    assert not upper_grads.reshape(base.shape)[82:].any()
    assert not lower_grads.reshape(base.shape)[:78].any()
    assert upper_grads.any() and lower_grads.any()


def test_content_mask_frees_what_is_black(small_vgg19, photo, painting):
    base, style = working_pictures(photo, painting)
    mask = np.zeros(base.shape[:2], np.float32)
    objective = masked_objective(small_vgg19, base, [nst.Style(style, 0.0)], mask)
    x = base.ravel() + np.random.default_rng(5).normal(0, 20, base.size)
    assert objective(x)[0][0] == 0


def test_term_with_weight_zero_is_zero(small_vgg19, photo, painting):
    base, style = working_pictures(photo, painting)
    objective = make_objective(small_vgg19, base, style, style_weight=0, tv_weight=0)
    terms, grads = objective(base.astype(float).ravel())
    assert terms.tolist() == [0, 0, 0]
    assert not grads.any()


# --- The Evaluator -------------------------------------------------------------------------


class CountedQuadratic:
    """(x - 3)^2 as content, 2 (x + 1)^2 as style, with a count of how often it was asked."""

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
    assert seen == [(nst.Losses(11, 9, 2, 0), 0), (nst.Losses(12, 4, 8, 0), 1)]


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ([np.nan, 0, 0], "content loss became nan"),
        ([0, np.inf, 0], "style loss became inf"),
        ([0, 0, -np.inf], "total variation loss became -inf"),
    ],
)
def test_evaluator_names_the_term_that_is_not_finite(terms, message):
    evaluator = nst.Evaluator(lambda x: (np.array(terms), x))
    with pytest.raises(nst.NonFiniteLoss, match=f"{message} at evaluation 1; lower its weight"):
        evaluator.loss(np.zeros(2))


def test_evaluator_refuses_an_infinite_gradient():
    evaluator = nst.Evaluator(lambda x: (np.zeros(3), x / 0.0))
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


def run_minimize(function, iterations, **options):
    """([(loss, evaluations, stopped) of each iteration], the last x)."""
    evaluator, seen = nst.Evaluator(function), []

    def on_iteration(x, losses, stopped):
        seen.append((losses.total, evaluator.evaluations, stopped))

    x = nst.minimize_lbfgs(evaluator, np.full(50, -1.0), iterations, on_iteration, **options)
    return seen, x


def test_one_run_reports_every_twenty_evaluations_and_beats_restarts():
    seen, _ = run_minimize(Rosenbrock(), 4)
    restarted, _ = run_minimize(Rosenbrock(), 4, restart=True)
    assert [stopped for *_, stopped in seen] == [""] * 4
    for number, (_, evaluations, _) in enumerate(seen, start=1):
        assert 20 * number <= evaluations <= 20 * number + 2
    assert seen[-1][0] < restarted[-1][0]


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


def test_bounds_are_kept():
    bounds = np.full(50, -2.0), np.full(50, 0.5)
    _, x = run_minimize(Rosenbrock(), 3, bounds=bounds)
    assert x.max() == 0.5  # the minimum is at 1


def test_scipys_blas_leaves_the_processor_to_the_network():
    def threads(*_):
        libraries = [library for library in threadpool_info() if library["user_api"] == "blas"]
        seen.append({library["num_threads"] for library in libraries})

    seen, rosenbrock = [], Rosenbrock()
    evaluator = nst.Evaluator(rosenbrock, on_evaluation=threads)
    with threadpool_limits(2, "blas"):
        threads()
        nst.minimize_lbfgs(evaluator, np.full(50, -1.0), 1, threads)
        threads()
    before, at_the_start, *during, _, after = seen
    assert len(during) >= 19 and all(counts <= {1} for counts in during)
    assert before == at_the_start == after


class Quadratic:
    """A `LossAndGrads` of (x - 3)^2 / 10, as content, with what it was asked for."""

    def __new__(cls, shape):
        def losses(x):
            content = keras.ops.sum(keras.ops.square(x - 3.0)) / 10
            return keras.ops.stack([content, 0 * content, 0 * content])

        return nst.LossAndGrads(losses, *shape)


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
    best = nst.minimize_adam(
        evaluator,
        start,
        20,
        lambda x, losses, stopped: seen.append(losses.total),
        evaluations=1,
        learning_rate=rate,
        beta_1=b1,
        beta_2=b2,
        epsilon=eps,
    )
    assert evaluator.evaluations == 21  # one a step, and one after the last
    np.testing.assert_allclose([losses.total for losses in all_losses[1:]], expected, rtol=1e-4)
    lowest = np.minimum.accumulate([losses.total for losses in all_losses])
    np.testing.assert_allclose(seen, lowest[1:])
    assert np.sum((np.asarray(best) - 3.0) ** 2) / 10 == pytest.approx(lowest[-1], rel=1e-5)


def test_adam_stops_by_tolerance():
    seen = []
    nst.minimize_adam(
        nst.Evaluator(Quadratic((4, 5))),
        np.zeros((1, 4, 5, 3), np.float32),
        50,
        lambda x, losses, stopped: seen.append(stopped),
        tolerance=1,
        learning_rate=0.1,
    )
    assert len(seen) == 1
    assert "less than the tolerance" in seen[0]


def test_seed_decides_the_noise(small_vgg19, photo, painting):
    def start(seed):
        settings = nst.choose_settings("athalye", seed=seed)
        inputs = nst.read_inputs(photo, painting, settings)
        return nst.start_picture(inputs, nst.plan_stages(inputs.base, settings)[0], settings)

    np.testing.assert_array_equal(start(1), start(1))
    assert (start(1) != start(2)).any()
    assert start(0).std() == pytest.approx(0.256, rel=0.05)
    assert abs(start(0).mean()) < 0.01


def test_noise_is_blended_into_the_start(photo, painting):
    def start(**given):
        settings = nst.choose_settings("keras", size="own", **given)
        inputs = nst.read_inputs(photo, painting, settings)
        return nst.start_picture(inputs, nst.plan_stages(inputs.base, settings)[0], settings)

    base, noise = start(), start(init="noise")
    np.testing.assert_array_equal(base, nst.preprocess_image(photo))
    blended = start(noise_blend=0.25)
    np.testing.assert_allclose(blended, 0.75 * base + 0.25 * noise, atol=1e-4)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"style_scale": [1, 2, 3]}, "--style_scale: give one for each style: 2, not 3"),
        ({"style_blend": [1]}, "--style_blend: give one for each style: 2, not 1"),
        ({"style_blend": [0, 0]}, "--style_blend must not add up to 0"),
        ({"style_blend": [1, -1]}, "--style_blend must be a finite number of at least 0"),
        ({"style_masks": ["a.png"]}, "--style_masks: give one for each style: 2, not 1"),
        ({"init": "none.png"}, "picture none.png: no such file"),
        ({"pooling": "min"}, "--pooling must be one of max, avg"),
        ({"preserve_colors": "hue"}, "--preserve_colors must be one of none, luma"),
    ],
)
def test_pictures_and_numbers_that_do_not_fit(given, message, photo, painting):
    with pytest.raises(InputError, match=message):
        nst.read_inputs(photo, [painting, painting], nst.choose_settings("keras", **given))


def test_black_mask_is_refused(photo, painting):
    settings = nst.choose_settings("keras", style_masks=[np.zeros((20, 20), np.uint8)])
    with pytest.raises(InputError, match="all of it is black; paint white"):
        nst.read_inputs(photo, painting, settings)


@pytest.mark.parametrize("method", COLOR_METHODS)
def test_colours_are_kept(method, small_vgg19, photo, painting):
    result = nst.style_transfer(
        photo, painting, 1, weights=small_vgg19, size=40, preserve_colors=method
    )
    assert result.size == (48, 40)
    if method == "luma":
        chroma = [
            np.asarray(i.convert("YCbCr"), int)[..., 1:] for i in (result, Image.fromarray(photo))
        ]
        assert np.abs(chroma[0] - chroma[1]).mean() < 12  # but for colours that RGB has not


def test_masks_of_another_size_are_resized(small_vgg19, photo, painting):
    half = np.zeros((20, 31), np.uint8)
    half[:, :15] = 255
    result = nst.style_transfer(
        photo,
        [painting, painting[::-1]],
        1,
        weights=small_vgg19,
        size=40,
        style_masks=[half, 255 - half],
        content_mask=half,
    )
    assert result.size == (48, 40)


def test_pyramid_doubles_up_to_the_size_from_about_100_pixels():
    def sizes(width, height, **given):
        settings = nst.choose_settings("pyramid", **given)
        stages = nst.plan_stages(Image.new("RGB", (width, height)), settings)
        return [(stage.rows, stage.cols) for stage in stages]

    assert sizes(400, 300) == [(100, 133), (200, 266), (400, 533)]
    assert sizes(300, 400, size=600) == [(150, 112), (300, 225), (600, 450)]
    assert sizes(300, 300, size=150) == [(150, 150)]
    assert sizes(300, 300, size=80, scales=2) == [(40, 40), (80, 80)]
    with pytest.raises(InputError, match="at least 16"):
        sizes(300, 300, size=64, scales=4)


@pytest.mark.parametrize(("fast", "precision"), [(True, "bfloat16"), (False, "float32")])
def test_auto_precision_is_bfloat16_only_where_that_is_fast(fast, precision, monkeypatch):
    monkeypatch.setattr(nst, "bfloat16_is_fast", lambda: fast)
    for asked, expected in [("auto", precision), ("float32", "float32"), ("float16", "float16")]:
        settings = nst.choose_settings("pyramid", precision=asked)
        stages = nst.plan_stages(Image.new("RGB", (300, 300)), settings)
        assert {stage.precision for stage in stages} == {expected}


def test_pyramid_reports_small_sizes_as_not_final(small_vgg19, photo, painting):
    seen, stages = [], []
    result = nst.style_transfer(
        photo,
        painting,
        iterations=2,
        callback=seen.append,
        on_stage=lambda all, index: stages.append(all[index].rows),
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


def test_strength_zero_gives_the_photo_back(small_vgg19, photo, painting):
    result = nst.style_transfer(photo, painting, 1, weights=small_vgg19, size=40, strength=0)
    np.testing.assert_array_equal(result, photo)


def test_every_iteration_is_that_of_the_keras_example(full_vgg19, photo, painting):
    base, style = working_pictures(photo, painting)
    original = keras_example.concatenated_loss_and_grads(full_vgg19, base, style)
    expected = [loss for _, loss in keras_example.run(original, base.astype(float), iterations=2)]
    seen = []
    nst.style_transfer(photo, painting, 2, seen.append, recipe="keras", weights=full_vgg19, size=40)
    assert seen[0].losses.total == pytest.approx(expected[0], rel=1e-3)
    assert seen[1].losses.total == pytest.approx(expected[1], rel=1e-2)


def test_style_transfer_reports_iterates_and_returns_the_last(small_vgg19, photo, painting):
    seen, evaluations = [], []
    result = nst.style_transfer(
        photo,
        Image.fromarray(painting),
        iterations=2,
        callback=seen.append,
        recipe="keras",
        weights=small_vgg19,
        size=32,
        on_evaluation=lambda losses, pixels: evaluations.append(losses),
    )
    assert [iterate.iteration for iterate in seen] == [0, 1]
    assert result.size == (38, 32)  # 48 * 32 / 40
    np.testing.assert_array_equal(result, seen[-1].image)
    assert seen[-1].evaluations == len(evaluations) >= 2 * nst.EVALUATIONS_PER_ITERATION
    assert seen[1].losses.total < seen[0].losses.total < evaluations[0].total
    assert seen[0].losses.total == pytest.approx(sum(seen[0].losses[1:]))
    assert seen[0].seconds > 0


def test_same_input_gives_the_same_bytes(small_vgg19, photo, painting):
    first, second = (
        nst.style_transfer(photo, painting, 1, weights=small_vgg19, size=32) for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def test_paths_are_taken_for_pictures_and_weights(weights_path, photo_path, painting_path):
    result = nst.style_transfer(
        photo_path, str(painting_path), iterations=1, weights=weights_path, size=20
    )
    assert result.size == (24, 20)


@pytest.mark.weights
def test_real_features_paint(tmp_path, monkeypatch):
    monkeypatch.undo()  # back to the user's own cache, so that nothing is fetched twice
    try:
        weights = vgg19_weights.load_weights("imagenet", quiet=True)
    except vgg19_weights.WeightsError as error:
        pytest.skip(f"no real weights: {error}")
    losses, seen = [], []
    nst.style_transfer(
        ROOT / "img" / "astronaut.jpg",
        ROOT / "img" / "swirling_night.jpg",
        iterations=3,
        callback=seen.append,
        recipe="keras",
        weights=weights,
        size=128,
        on_evaluation=lambda evaluated, pixels: losses.append(evaluated),
    )
    assert losses[0].style > 5 * seen[-1].losses.style


# --- The command line ----------------------------------------------------------------------


@pytest.fixture
def command(photo_path, painting_path, weights_path, tmp_path):
    """A small, valid command line, to be added to."""
    return [
        *(str(photo_path), str(painting_path), str(tmp_path / "results" / "r")),
        *("--weights", str(weights_path), "--size", "24", "--iter", "2"),
    ]


def results(tmp_path):
    """The names of what was saved, but for the table of losses, which is always there."""
    folder = tmp_path / "results"
    names = os.listdir(folder) if folder.exists() else []
    return sorted(name for name in names if name != "r_losses.csv")


def test_prints_the_originals_words_and_saves_each_iteration(command, tmp_path, capsys):
    assert nst.main(command) == 0
    out, err = capsys.readouterr()
    assert err == ""
    number = r"[0-9.e+]+"
    iteration = (
        r"Start of iteration {0}\n"
        rf"Current loss value: {number}\n"
        rf"  content {number}, style {number}, total variation {number}\n"
        r"Image saved as .*/results/r_at_iteration_{0}\.png\n"
        r"Iteration {0} completed in \d+s\n"
    )
    before = r"This needs about 0\.\d GiB of memory\nUsing .*small\.h5\nThis will take about \ds\n"
    assert re.fullmatch(before + iteration.format(0) + iteration.format(1), out)
    assert results(tmp_path) == ["r_at_iteration_0.png", "r_at_iteration_1.png"]
    assert nst.load_image(tmp_path / "results" / "r_at_iteration_1.png").size == (28, 24)


def test_quiet_prints_nothing(command, tmp_path, capsys):
    assert nst.main([*command, "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert len(results(tmp_path)) == 2


def test_pyramid_saves_the_size_asked_for_only(command, tmp_path, capsys):
    assert nst.main([*command, "--size", "40", "--scales", "2"]) == 0
    out = capsys.readouterr().out
    assert len(re.findall(r"On the way, at 24x20 pixels: loss [0-9.e+]+ after \d+s\n", out)) == 2
    assert results(tmp_path) == ["r_at_iteration_0.png", "r_at_iteration_1.png"]
    assert nst.load_image(tmp_path / "results" / "r_at_iteration_1.png").size == (48, 40)


def test_early_stop_is_printed(command, tmp_path, capsys):
    assert nst.main([*command, "--tolerance", "1"]) == 0
    assert "Stopped at this size: an iteration gained" in capsys.readouterr().out
    assert results(tmp_path) == ["r_at_iteration_0.png"]


def test_verbose_prints_peak_memory(command, capsys):
    assert nst.main([*command, "--verbose"]) == 0
    assert re.search(r"Peak memory of the process: \d+ MiB\n$", capsys.readouterr().out)


def test_progress_bar_with_time_left_on_a_terminal(command, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert nst.main(command) == 0
    out, err = capsys.readouterr()
    assert re.search(r" [1-9]\d%\|.*\| 00:\d\d, \d\d:\d\d left, loss=", err)
    assert "Start of iteration 1\n" in out


@pytest.mark.parametrize("format", nst.FORMATS)
def test_format(format, command, tmp_path):
    assert nst.main([*command, "--iter", "1", "--format", format]) == 0
    assert results(tmp_path) == [f"r_at_iteration_0.{format}"]


def test_sixteen_bits(command, tmp_path, capsys):
    assert nst.main([*command, "--iter", "1", "--bits", "16", "--format", "tiff"]) == 0
    pixels = tifffile.imread(tmp_path / "results" / "r_at_iteration_0.tiff")
    assert pixels.dtype == np.uint16
    assert np.unique(pixels % 257).size > 100  # not 8 bits, stretched
    fails([*command, "--bits", "16", "--format", "jpg"], 2, "needs --format png or tiff", capsys)


def test_results_say_how_they_were_made_and_can_be_made_again(command, tmp_path, capsys):
    """Byte for byte, films and settings that are not the default included."""
    given = ["--strength", "0.6", "--noise_blend", "0.1", "--seed", "7", "--gif", "--plot"]
    assert nst.main([*command, *given]) == 0
    folder = tmp_path / "results"
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert first.keys() == {
        *("r.gif", "r_losses.csv", "r_losses.png"),
        *("r_at_iteration_0.png", "r_at_iteration_1.png"),
    }
    earlier = tmp_path / "earlier.png"
    (folder / "r_at_iteration_1.png").rename(earlier)
    capsys.readouterr()

    with pytest.raises(SystemExit, match="0"):
        nst.main(["--show", str(earlier)])
    shown = json.loads(capsys.readouterr().out)
    assert shown["recipe"] == "pyramid"
    assert (shown["settings"]["seed"], shown["base"]["name"]) == (7, "photo.png")
    assert shown["losses"]["total"] == pytest.approx(sum(list(shown["losses"].values())[1:]))

    inputs = command[:3]
    weights = command[command.index("--weights") :][:2]
    assert nst.main([*inputs, *weights, "--like", str(earlier), "--gif"]) == 0
    assert capsys.readouterr().err == ""
    for name in ("r.gif", "r_at_iteration_0.png", "r_at_iteration_1.png"):
        assert (folder / name).read_bytes() == first[name]


def test_like_warns_of_other_weights(command, tmp_path, full_weights_path, monkeypatch, capsys):
    assert nst.main([*command, "--iter", "1"]) == 0
    result = str(tmp_path / "results" / "r_at_iteration_0.png")
    record = records.read_record(result)
    monkeypatch.setattr(records, "weights_digest", lambda weights: "another")
    monkeypatch.setattr(records.platform, "python_version", lambda: "another")
    weights = command[command.index("--weights") :][:2]
    assert nst.main([*command[:3], *weights, "--like", result]) == 0
    err = capsys.readouterr().err
    assert err == f"warning: the result will differ a little from {result}: other weights\n"
    assert records.read_record(result)["settings"] == record["settings"]


def test_losses_are_tabled(command, tmp_path):
    assert nst.main([*command, "--size", "40", "--scales", "2"]) == 0
    with open(tmp_path / "results" / "r_losses.csv") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        *("iteration", "evaluation", "seconds", "content", "style", "tv", "total", "size")
    ]
    assert [int(row["evaluation"]) for row in rows] == list(range(1, len(rows) + 1))
    assert {(row["size"], row["iteration"]) for row in rows} >= {
        *(("20", "0"), ("20", "1"), ("40", "0"), ("40", "1")),
    }
    for row in rows:
        terms = (float(row[name]) for name in ("content", "style", "tv"))
        assert sum(terms) == pytest.approx(float(row["total"]))


def test_memory_that_will_not_do_is_warned_of(command, monkeypatch, capsys):
    little = nst.psutil.virtual_memory()._replace(available=2**20)
    monkeypatch.setattr(nst.psutil, "virtual_memory", lambda: little)
    assert nst.main([*command, "--iter", "1"]) == 0
    assert re.fullmatch(
        "warning: 28x24 pixels need about 0.. GiB of memory and 0.0 GiB are free; "
        "choose a smaller --size\n",
        capsys.readouterr().err,
    )


def test_help_groups_every_setting(capsys):
    with pytest.raises(SystemExit, match="0"):
        nst.main(["--help"])
    out = capsys.readouterr().out
    assert all(f"\n{group}:\n" in out for group in nst.GROUPS)
    assert {setting.group for setting in nst.SETTINGS.values()} <= nst.GROUPS.keys()


def test_close_misses_are_suggested(command, capsys):
    fails([*command, "--stile-weight", "2"], 2, "did you mean --style_weight", capsys)
    fails([*command, "--nothing_like_it"], 2, "arguments: --nothing_like_it; see", capsys)


def test_shell_completion(tmp_path):
    """As Bash asks for it through argcomplete: the answer comes on file descriptor 8."""
    line = f"{SCRIPT} --conte"
    answer = tmp_path / "answer"
    environment = os.environ | {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(answer),
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "COMP_TYPE": "9",
    }
    subprocess.run([sys.executable, SCRIPT], env=environment, check=True, timeout=60)
    assert set(re.split(r"[\s\x0b]+", answer.read_text().strip())) >= {
        *("--content_weight", "--content_layers", "--content_mask")
    }


def test_hyphens_are_as_good_as_underscores(command, tmp_path):
    assert nst.main([*command, "--content-weight=0", "--tv-weight", "0"]) == 0
    given = ["--a-b=c-d", "e-f", "--", "--g-h"]
    assert nst.underscored(given) == ["--a_b=c-d", "e-f", "--", "--g-h"]


def test_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        nst.main(["--version"])
    assert nst.__version__ in capsys.readouterr().out


def fails(argv, status, message, capsys):
    """Asserts that the command fails with `status` and one line on stderr."""
    try:
        received = nst.main([str(argument) for argument in argv])
    except SystemExit as exit:
        received = exit.code
    err = capsys.readouterr().err
    assert re.search(message, err), err
    assert err.count("\n") == 1, err
    assert received == status


@pytest.mark.parametrize("position", [0, 1])
@pytest.mark.parametrize("kind", BAD_PICTURES)
def test_bad_picture(kind, position, command, tmp_path, capsys):
    command[position] = make_bad_picture(kind, tmp_path)
    fails(command, 2, BAD_PICTURES[kind], capsys)
    assert results(tmp_path) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--iter", "0"], "--iter must be a whole number of at least 1, received '0'"),
        (["--iter", "1.5"], "--iter must be a whole number"),
        (["--content_weight", "-1"], "--content_weight must be a finite number of at least 0"),
        (["--style_weight", "nan"], "--style_weight must be a finite number of at least 0"),
        (["--tv_weight", "inf"], "--tv_weight must be a finite number of at least 0"),
        (["--size", "15"], "--size must be a whole number of at least 16"),
        (["--recipe", "magic"], "--recipe: invalid choice: 'magic'"),
        (["--format", "bmp"], "--format: invalid choice: 'bmp'"),
        (["--magic"], "unrecognized arguments: --magic"),
    ],
)
def test_bad_option(options, message, command, capsys):
    fails([*command, *options], 2, message, capsys)


def test_missing_arguments(capsys):
    fails(["base.jpg"], 2, "required: style_reference, result_prefix", capsys)


def test_prefix_that_cannot_be_written_is_found_before_the_network_loads(
    command, photo_path, capsys, monkeypatch
):
    monkeypatch.setattr(nst, "load_weights", None)  # calling it would be a TypeError
    command[2] = photo_path / "r"  # its folder is a file
    fails(command, 2, "photo.png/r: cannot write in .*; choose another folder", capsys)
    command[2] = "/proc/none/r"
    fails(command, 2, "cannot write in /proc/none", capsys)


def test_bad_weights(command, tmp_path, capsys):
    fails([*command, "--weights", tmp_path / "none.h5"], 1, "none.h5: no such file", capsys)
    (tmp_path / "bad.h5").write_bytes(b"bad")
    fails([*command, "--weights", tmp_path / "bad.h5"], 1, "bad.h5: damaged, or not", capsys)
    assert results(tmp_path) == []


def test_disk_full_keeps_what_is_there(command, tmp_path, capsys, monkeypatch):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "r_at_iteration_0.png").write_bytes(b"precious")
    monkeypatch.setattr(Image.Image, "save", disk_full)
    fails(command, 1, "cannot write: No space left on device; no picture was finished", capsys)
    assert results(tmp_path) == ["r_at_iteration_0.png"]
    assert (tmp_path / "results" / "r_at_iteration_0.png").read_bytes() == b"precious"


def test_infinite_loss_names_the_term(command, tmp_path, capsys):
    fails([*command, "--style_weight", "1e38"], 1, "style loss became inf at .*lower", capsys)
    assert results(tmp_path) == []


def test_infinite_loss_keeps_the_last_good_picture(command, tmp_path, capsys, monkeypatch):
    evaluate = nst.Evaluator._evaluate

    def fails_in_iteration_1(self, x):
        if self.evaluations == 30:
            self._loss_and_grads = lambda x: (np.array([0, np.nan, 0]), x)
        evaluate(self, x)

    monkeypatch.setattr(nst.Evaluator, "_evaluate", fails_in_iteration_1)
    fails(command, 1, "style loss became nan.*the last picture is .*_at_iteration_0.png", capsys)
    nst.load_image(tmp_path / "results" / "r_at_iteration_0.png")


def test_interrupt_keeps_the_last_picture(photo_path, painting_path, full_weights_path, tmp_path):
    """As a user does it: the real command in a process of its own, stopped by Ctrl-C."""
    process = subprocess.Popen(
        [
            *(sys.executable, SCRIPT, photo_path, painting_path, tmp_path / "r"),
            *(
                "--weights",
                full_weights_path,
                "--size",
                "24",
                "--iter",
                "100000",
                "--recipe",
                "keras",
            ),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while process.poll() is None and not (tmp_path / "r_at_iteration_1.png").exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    saved = re.fullmatch(r".*: interrupted; the last picture is (.*\.png)\n", err)[1]
    nst.load_image(saved)
    assert not list(tmp_path.glob(".*"))


# --- The documentation ----------------------------------------------------------------------------


def documented_commands():
    """Every indented or fenced `neural_style_transfer.py` command line, in the reader's order."""
    pages = [ROOT / "README.md", ROOT / "docs" / "guide.md", *(ROOT / "docs/recipes").iterdir()]
    text = "\n".join(page.read_text() for page in pages)
    return re.findall(r"^(?: +)?(?:.*&& \S+/)?python neural_style_transfer\.py (.+)$", text, re.M)


def test_documented_commands(weights_path, photo_path, painting_path, tmp_path, monkeypatch):
    """Each as it stands, but quick, one after another, as later ones use the results of earlier."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "img").symlink_to(ROOT / "img")
    for name in ("base", "photo", "other"):
        Path(f"{name}.jpg").symlink_to(photo_path)
    for name in ("style_reference", "painting", "ref"):
        Path(f"{name}.jpg").symlink_to(painting_path)
    quick = ["--weights", str(weights_path), "--size", "24", "--iter", "2"]
    commands = documented_commands()
    assert len(commands) > 10
    for command in commands:
        try:
            status = nst.main([*command.split(), *quick])
        except SystemExit as exit:  # --show
            status = exit.code
        assert status == 0, command
        results = Path(command.split()[2]) if "--show" not in command else None
        assert results is None or list(results.parent.glob(f"{results.name}_at_iteration_1.png"))


def test_readme_python(weights_path, tmp_path, monkeypatch):
    (program,) = re.findall(r"```python\n(.+?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(nst, "load_weights", lambda _: vgg19_weights.read_weights(weights_path))
    exec(program.replace("size=200", "size=24"))


def test_readme_lists_every_option():
    text = (ROOT / "README.md").read_text()
    for action in nst.build_parser()._actions:
        for flag in action.option_strings:
            assert flag in ("-h", "--help", "--version") or f"`{flag}" in text, flag
