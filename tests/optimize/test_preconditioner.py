"""Coordinates in which L-BFGS takes longer steps at low frequencies, or at some pixels."""

import numpy as np
import pytest

from stylize.backend.arrays import NUMPY, device_arrays
from stylize.backend.scratch import file_arrays
from stylize.backend.tensors import to_numpy
from stylize.optimize.lbfgs import ProjectedLBFGS
from stylize.optimize.preconditioner import LOWEST, Preconditioner, Scaling

KINDS = {"NumPy": lambda: NUMPY, "files": file_arrays, "backend": device_arrays}


@pytest.fixture(params=KINDS)
def arrays(request):
    return KINDS[request.param]()


@pytest.fixture
def pictures():
    return np.random.default_rng(0).normal(0, 50, (3, 1, 21, 34, 3)).astype(np.float32)


def wave(rows, cols, down, across):
    """A picture (1, rows, cols, 3) of a wave with `down` and `across` periods."""
    turns = down * np.arange(rows)[:, None] / rows + across * np.arange(cols) / cols
    return np.cos(2 * np.pi * turns)[None, ..., None].repeat(3, -1).astype(np.float32)


@pytest.mark.parametrize(("down", "across"), [(0, 0), (0, 1), (3, 0), (4, -5), (10, 17)])
def test_a_wave_is_multiplied_by_the_gain_of_its_frequency(down, across, arrays):
    rows, cols = 21, 34
    start = wave(rows, cols, 1, 2)
    constant = wave(rows, cols, 0, 0)
    coordinates = Preconditioner(start, 1.0, arrays)

    def moved(z):
        return to_numpy(coordinates.picture(arrays.asarray(z))) - start

    frequency = np.hypot(down / rows, across / cols)
    expected = moved(constant).mean() * (1 + (frequency / LOWEST) ** 2) ** -0.25
    z = wave(rows, cols, down, across)
    np.testing.assert_allclose(moved(z), expected * z, atol=1e-5)


def test_gradient_is_with_respect_to_the_coordinates(arrays, pictures):
    """The loss sum(w x) is linear, so a difference gives the slope exactly."""
    start, w, z = pictures
    coordinates = Preconditioner(start, 1.0, arrays)
    slope = np.vdot(to_numpy(coordinates.gradient(arrays.asarray(w))), z.astype(float))
    picture = to_numpy(coordinates.picture(arrays.asarray(z))).astype(float)
    assert slope == pytest.approx(np.vdot(w, picture - start), rel=1e-5)


def test_steps_are_as_long_as_without_a_preconditioner(arrays, pictures):
    start, z, _ = pictures
    step = to_numpy(Preconditioner(start, 1.0, arrays).picture(arrays.asarray(z))) - start
    assert np.std(step) == pytest.approx(np.std(z), rel=0.1)


def test_exponent_of_zero_changes_nothing(arrays, pictures):
    start, z, _ = pictures
    coordinates = Preconditioner(start, 0.0, arrays)
    picture = to_numpy(coordinates.picture(arrays.asarray(z)))
    np.testing.assert_allclose(picture, start + z, atol=1e-4)


def test_needs_fewer_steps_where_the_loss_curves_less_at_low_frequencies(pictures):
    """The loss is half the sum of f |X(f)|^2, X the Fourier transform; K K^T cancels that f."""
    start = pictures[0]
    frequencies = np.hypot(*np.meshgrid(np.fft.fftfreq(21), np.fft.fftfreq(34), indexing="ij"))
    curvature = np.maximum(frequencies, LOWEST)[None, ..., None]

    def evaluate(x):
        gradient = np.fft.ifft2(np.fft.fft2(x, axes=(1, 2)) * curvature, axes=(1, 2)).real
        return float(np.vdot(x, gradient)) / 2, gradient.astype(np.float32)

    coordinates, lowest = Preconditioner(start, 1.0, NUMPY), []

    def evaluate_z(z):
        loss, gradient = evaluate(coordinates.picture(z))
        return loss, coordinates.gradient(gradient)

    for x, function in ((start, evaluate), (np.zeros_like(start), evaluate_z)):
        search = ProjectedLBFGS(x, first_step=20.0)
        search.start(function)
        for _ in range(12):
            search.step(function, 9)
        lowest.append(search.loss)
    assert lowest[1] < lowest[0] / 100


def test_each_pixel_is_scaled_by_its_own_gain(arrays, pictures):
    start, z, w = pictures
    gains = np.random.default_rng(1).uniform(0.3, 1, (21, 34)).astype(np.float32)
    coordinates, wide = Scaling(start, gains, arrays), gains[None, ..., None]
    picture = to_numpy(coordinates.picture(arrays.asarray(z)))
    np.testing.assert_allclose(picture, start + wide * z, atol=1e-4)
    gradient = to_numpy(coordinates.gradient(arrays.asarray(w)))
    np.testing.assert_allclose(gradient, wide * w, atol=1e-4)


def test_scaled_steps_end_within_the_bounds_of_the_picture(arrays, pictures):
    """The nearest point to the target within bounds that differ by column and channel."""
    start, target, _ = pictures
    low = np.linspace(-60, -20, 34 * 3, dtype=np.float32).reshape(34, 3)
    start = np.clip(start, low, low + 70)
    gains = np.random.default_rng(1).uniform(0.3, 1, (21, 34)).astype(np.float32)
    coordinates = Scaling(start, gains, arrays)
    search = ProjectedLBFGS(
        np.zeros_like(start), *coordinates.bounds((low, low + 70)), arrays=arrays
    )

    def evaluate(z):
        away = to_numpy(coordinates.picture(z)) - target
        return float(np.vdot(away, away)) / 2, coordinates.gradient(arrays.asarray(away))

    search.start(evaluate)
    for _ in range(60):
        search.step(evaluate, 9)
    found = to_numpy(coordinates.picture(search.x))
    np.testing.assert_allclose(found, np.clip(target, low, low + 70), atol=0.2)
