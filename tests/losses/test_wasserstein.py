"""The distance of Gaussians. The oracles: SciPy's root, the iteration on matrices, and slopes."""

import numpy as np
import pytest
import scipy.linalg

from stylize.backend.tensors import ValueAndGrad, keras, with_gradient
from stylize.losses import wasserstein

pytestmark = pytest.mark.usefixtures("eagerly")  # each function is called once
# JAX has no float64 unless told, and Keras with PyTorch rounds arrays to float32 on their way in.
EXACT = pytest.param(
    "float64", marks=pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="float32")
)
DTYPES = pytest.mark.parametrize("dtype", ["float32", EXACT])
TOLERANCES = {"float32": 2e-3, "float64": 1e-5}


def gaussian(places, channels, seed=0, scale=1.0):
    """Features (places, channels) whose channels go together."""
    rng = np.random.default_rng(seed)
    return scale * (1 + rng.normal(size=(places, channels)) @ rng.normal(size=(channels, channels)))


def gram(features):
    """F^T F with a constant channel, in NumPy."""
    features = np.c_[features, np.ones(len(features))]
    return features.T @ features


def distance(style, combination, dtype):
    """Ours, of features."""
    style, combination = (gram(features).astype(dtype) for features in (style, combination))
    gaussian = wasserstein.style_gaussian(keras.ops.convert_to_tensor(style, dtype))
    return float(
        wasserstein.wasserstein_loss(gaussian, keras.ops.convert_to_tensor(combination, dtype))
    )


def naive(style, combination, root):
    """The formula in NumPy float64, with a function for the root of a matrix."""
    (m, a), (n, b) = (
        (f.mean(0), np.cov(f.T, bias=True) + 1e-4 * np.eye(f.shape[1]))
        for f in (style, combination)
    )
    between = root(root(a) @ b @ root(a))
    return np.sum((m - n) ** 2) + np.trace(a + b - 2 * between)


def newton_schulz(matrix, steps=12):
    """The coupled iteration on matrices, not on their eigenvalues."""
    norm = np.linalg.norm(matrix)
    y, z = matrix / norm, np.eye(len(matrix))
    for _ in range(steps):
        t = (3 * np.eye(len(matrix)) - z @ y) / 2
        y, z = y @ t, t @ z
    return y * np.sqrt(norm)


@DTYPES
@pytest.mark.parametrize("places", [500, 20, 5])  # with 12 channels
def test_distance_is_that_of_the_iteration_on_matrices(places, dtype):
    style, combination = gaussian(places, 12), gaussian(places, 12, seed=1)
    expected = naive(style, combination, newton_schulz)
    tolerance = {"float32": 1e-4, "float64": 1e-9}[dtype]
    assert distance(style, combination, dtype) == pytest.approx(expected, rel=tolerance)


@DTYPES
def test_distance_of_well_conditioned_gaussians_is_the_exact_one(dtype):
    rng = np.random.default_rng(0)
    style, combination = rng.normal(1, 2, (500, 6)), rng.normal(0, 3, (400, 6))
    expected = naive(style, combination, lambda m: scipy.linalg.sqrtm(m).real)
    assert distance(style, combination, dtype) == pytest.approx(expected, rel=1e-5)


@DTYPES
def test_distance_of_shifted_features_is_the_shift(dtype):
    features = np.random.default_rng(0).normal(0, 2, (300, 6))
    shifted = features + np.array([1, 0, 2, 0, 0, 0])
    assert distance(features, shifted, dtype) == pytest.approx(5, abs=TOLERANCES[dtype])
    assert distance(features, features, dtype) == pytest.approx(0, abs=TOLERANCES[dtype])


@pytest.mark.parametrize("fraction", [1e-2, 1e-3, 3e-4])
def test_roots_are_within_one_percent_down_to_3e4_of_the_norm(fraction):
    root = wasserstein.roots(keras.ops.convert_to_tensor([1.0, fraction]))[1]
    assert float(root) == pytest.approx(np.sqrt(fraction), rel=0.01)


def slope(style, combination, direction, step):
    """The change of the oracle along a direction, by central differences."""
    after, before = (
        naive(style, combination + s * direction, newton_schulz) for s in (step, -step)
    )
    return (after - before) / (2 * step)


def gradient(style, combination, dtype):
    """Ours, computed in `dtype`, by the combination's features (places, channels)."""
    own = wasserstein.style_gaussian(keras.ops.convert_to_tensor(gram(style), dtype))

    def value(features):
        features = wasserstein.with_constant_channel(keras.ops.cast(features, dtype))
        matrix = keras.ops.matmul(keras.ops.transpose(features), features)
        distance = wasserstein.wasserstein_loss(own, matrix)
        return keras.ops.cast(keras.ops.reshape(distance, (1,)), "float32")

    _, found = ValueAndGrad(with_gradient(value))(combination.astype("float32"))
    return keras.ops.convert_to_numpy(found)


CASES = {
    "more places than channels": gaussian(300, 8, seed=1),
    "fewer places than channels": gaussian(5, 8, seed=1),
    "one place": gaussian(1, 8, seed=1),
    "a channel that is constant": gaussian(50, 8, seed=1) * [1, 1, 1, 0, 1, 1, 1, 1],
    "two channels that are equal": gaussian(50, 8, seed=1)[:, [0, 1, 2, 3, 4, 5, 6, 6]],
    "constant": np.full((50, 8), 3.0),
    "nothing": np.zeros((50, 8)),
}


@DTYPES
@pytest.mark.parametrize("case", CASES)
def test_gradient_is_the_slope(case, dtype):
    style, combination = gaussian(200, 8), CASES[case]
    found = gradient(style, combination, dtype)
    assert np.isfinite(found).all()
    expected, own = [], []
    for seed in range(5):
        direction = np.random.default_rng(seed).normal(size=combination.shape)
        expected.append(slope(style, combination, direction, 1e-4))
        own.append(np.sum(found * direction))
    tolerance = TOLERANCES[dtype]
    np.testing.assert_allclose(own, expected, rtol=tolerance, atol=tolerance)


def test_flat_style_has_a_gradient_too():
    found = gradient(np.full((50, 8), 3.0), gaussian(60, 8), "float32")
    assert np.isfinite(found).all() and found.any()


def test_slope_by_the_gram_matrix_is_symmetric():
    """As tiles and `half_gram` take it to be."""
    style = wasserstein.style_gaussian(
        keras.ops.convert_to_tensor(gram(gaussian(99, 5)), "float32")
    )
    distance = with_gradient(
        lambda matrix: keras.ops.reshape(wasserstein.wasserstein_loss(style, matrix), (1,))
    )
    _, found = ValueAndGrad(distance)(gram(gaussian(70, 5, seed=1)).astype("float32"))
    found = keras.ops.convert_to_numpy(found)
    np.testing.assert_allclose(found, found.T, atol=1e-6 * np.abs(found).max())


def test_what_is_not_finite_gives_a_distance_that_is_not():
    style = wasserstein.style_gaussian(
        keras.ops.convert_to_tensor(gram(gaussian(99, 5)), "float32")
    )
    infinite = keras.ops.full((6, 6), np.inf)
    assert not np.isfinite(float(wasserstein.wasserstein_loss(style, infinite)))
