"""Projected L-BFGS. The oracles are closed forms and SciPy's L-BFGS-B."""

import io
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

from stylize.backend.arrays import NUMPY, device_arrays
from stylize.backend.tensors import keras
from stylize.optimize.lbfgs import ProjectedLBFGS, UnitStepLBFGS


def float32(function, gradient):
    return lambda x: (float(function(x.astype(float))), gradient(x.astype(float)).astype("f"))


def run(evaluate, x, low=-np.inf, high=np.inf, evaluations=500, **options):
    """(the optimiser at its end, losses after each step, all points evaluated)."""
    points = []

    def counted(x):
        points.append(x.copy())
        return evaluate(x)

    search = ProjectedLBFGS(x, low, high, **options)
    search.start(counted)
    losses = [search.loss]
    while (left := evaluations - len(points)) > 0 and search.step(counted, left):
        losses.append(search.loss)
    return search, losses, points


def quadratic(curvatures, minimum):
    return float32(
        lambda x: np.sum(curvatures * (x - minimum) ** 2) / 2,
        lambda x: curvatures * (x - minimum),
    )


def test_minimum_of_a_quadratic():
    curvatures, minimum = np.geomspace(1, 1000, 40), np.linspace(-5, 5, 40)
    search, *_ = run(quadratic(curvatures, minimum), np.full(40, 20.0))
    np.testing.assert_allclose(search.x, minimum, atol=1e-3)


def test_separable_quadratic_within_bounds_ends_at_the_clipped_minimum():
    """Closed form: each value by itself."""
    curvatures, minimum = np.geomspace(1, 100, 40), np.linspace(-5, 5, 40)
    search, *_ = run(quadratic(curvatures, minimum), np.zeros(40), -2.0, 3.0)
    np.testing.assert_allclose(search.x, minimum.clip(-2, 3), atol=1e-3)


def test_rosenbrock():
    evaluate = float32(scipy.optimize.rosen, scipy.optimize.rosen_der)
    search, *_ = run(evaluate, np.full(20, -1.0), evaluations=400, first_step=0.1)
    assert search.loss < 1e-4


@pytest.mark.parametrize("seed", range(5))
def test_coupled_problem_with_active_bounds_is_solved_as_scipy_does(seed):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(30, 30))
    matrix, b = root @ root.T + np.eye(30), rng.normal(0, 30, 30)
    evaluate = float32(lambda x: x @ matrix @ x / 2 - b @ x, lambda x: matrix @ x - b)
    search, *_ = run(evaluate, np.zeros(30), -0.5, 1.0, evaluations=2000, first_step=0.1)
    expected, least, _ = scipy.optimize.fmin_l_bfgs_b(
        lambda x: (x @ matrix @ x / 2 - b @ x, matrix @ x - b),
        np.zeros(30),
        bounds=[(-0.5, 1)] * 30,
    )
    assert ((expected == -0.5) | (expected == 1)).sum() > 5
    assert search.loss == pytest.approx(least, rel=1e-3)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.floats(0.01, 100), st.integers(1, 12))
def test_every_step_lowers_the_loss_and_stays_within_the_bounds(seed, first_step, pairs):
    rng = np.random.default_rng(seed)
    low, high = -rng.uniform(0, 3, 15), rng.uniform(0, 3, 15)
    evaluate = float32(scipy.optimize.rosen, scipy.optimize.rosen_der)
    x = rng.uniform(-5, 5, 15)
    search, losses, points = run(evaluate, x, low, high, 60, pairs=pairs, first_step=first_step)
    assert (np.diff(losses) < 0).all()
    assert len(points) <= 60 and len(search.steps) <= pairs
    for point in points:
        assert (point >= low.astype("f")).all() and (point <= high.astype("f")).all()


def test_start_in_the_corner_that_is_the_minimum_stays():
    evaluate = quadratic(np.ones(5), np.full(5, 9.0))
    search, losses, points = run(evaluate, np.full(5, 1.0), 0.0, 1.0)
    assert len(points) == len(losses) == 1
    assert search.stopped == "L-BFGS is at a minimum"
    np.testing.assert_array_equal(search.x, 1)


def test_start_in_the_wrong_corner_leaves_it():
    search, *_ = run(quadratic(np.ones(5), np.full(5, 9.0)), np.zeros(5), 0.0, 1.0)
    np.testing.assert_array_equal(search.x, 1)


def test_first_step_is_as_long_as_asked():
    _, _, points = run(quadratic(np.ones(9), np.full(9, 1000.0)), np.zeros(9), evaluations=2)
    assert np.sqrt(np.mean(points[1] ** 2)) == pytest.approx(4, rel=1e-5)


def test_no_step_is_longer_than_two_first_ones_where_the_slope_hardly_changes():
    """The Newton step of sqrt(1 + (x - 100)^2) from far away goes thousands of times too far."""
    evaluate = float32(
        lambda x: np.sum(np.sqrt(1 + (x - 100) ** 2)),
        lambda x: (x - 100) / np.sqrt(1 + (x - 100) ** 2),
    )
    search, _, points = run(evaluate, np.zeros(9), evaluations=60)
    lengths = np.sqrt(np.mean(np.diff(points[:14], axis=0) ** 2, axis=1))
    np.testing.assert_allclose(lengths, [4] + [8] * 12, rtol=1e-4)  # 100 is reached by then
    np.testing.assert_allclose(search.x, 100, atol=1e-3)


def test_unit_steps_cost_one_evaluation():
    """Near the minimum of a smooth function no evaluation is wasted."""
    evaluate = quadratic(np.linspace(1, 2, 50), np.zeros(50))
    _, losses, points = run(evaluate, np.ones(50), evaluations=20, first_step=1)
    assert len(points) == len(losses) == 20
    assert losses[-1] < 1e-18


def test_wrong_gradient_ends_the_search_where_it_was():
    evaluate = float32(lambda x: np.sum(x**2), lambda x: -2 * x)
    search, losses, points = run(evaluate, np.ones(5))
    assert len(losses) == 1 and len(points) == 9
    assert search.stopped == "L-BFGS finds no lower point"
    np.testing.assert_array_equal(search.x, 1)


def test_values_are_float32_all_the_way():
    search, *_ = run(quadratic(np.ones(5), np.zeros(5)), np.arange(5.0), evaluations=4)
    for array in (search.x, search.gradient, *search.steps, *search.changes):
        assert array.dtype == np.float32


@pytest.mark.parametrize("infinite", [np.inf, np.nan])
def test_loss_that_turns_infinite_makes_the_step_shorter(infinite):
    """-log(1 - x) - 4x has its minimum at 3/4; the first step goes to 4, where there is no log."""

    def evaluate(x):
        x = x.astype(float)
        if (x >= 1).any():
            return infinite, None
        return float(np.sum(-np.log(1 - x) - 4 * x)), (1 / (1 - x) - 4).astype("f")

    search, losses, points = run(evaluate, np.zeros(3))
    assert points[1].max() == pytest.approx(4)
    assert np.isfinite(losses).all()
    np.testing.assert_allclose(search.x, 0.75, atol=1e-3)


@pytest.mark.parametrize("pairs", [3, 100])
def test_unit_steps_are_pytorchs(pairs):
    """On log(cosh(x - a)) times growing curvatures, whose Hessian changes from step to step."""
    torch = pytest.importorskip("torch")
    curvatures, a = np.geomspace(1, 30, 12, dtype="f"), np.linspace(-1, 1, 12, dtype="f")
    x = torch.zeros(12, requires_grad=True)
    options = {"history_size": pairs, "tolerance_grad": -1, "tolerance_change": -1}
    optimizer, expected = torch.optim.LBFGS([x], max_iter=12, **options), []

    def closure():
        optimizer.zero_grad()
        loss = (torch.tensor(curvatures) * torch.log(torch.cosh(x - torch.tensor(a)))).sum()
        loss.backward()
        expected.append(loss.item())
        return loss

    optimizer.step(closure)
    search = UnitStepLBFGS(np.zeros(12), pairs=pairs)
    evaluate = float32(
        lambda x: np.sum(curvatures * np.log(np.cosh(x - a))),
        lambda x: curvatures * np.tanh(x - a),
    )
    search.start(evaluate)
    losses = [search.loss] + [search.loss for _ in range(11) if search.step(evaluate, 1)]
    np.testing.assert_allclose(losses, expected, rtol=1e-3)


def test_unit_step_to_an_infinite_loss_ends_the_search_where_it_was():
    def evaluate(x):
        return (0.0, np.ones(3, "f")) if not x.any() else (math.inf, None)

    search = UnitStepLBFGS(np.zeros(3))
    search.start(evaluate)
    assert not search.step(evaluate, 1)
    assert search.stopped == "a step of L-BFGS led to a loss that is not finite"
    np.testing.assert_array_equal(search.x, 0)


KINDS = {"numpy": lambda: NUMPY, "device": device_arrays}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", [0, 1, 7, 30])
def test_continues_from_a_file_bit_for_bit(kind, steps):
    arrays = KINDS[kind]()
    evaluate = pictures_rosenbrock(arrays)
    search = ProjectedLBFGS(np.full((1, 4, 5, 3), -1.0), -0.9, [0.5, 1, 2], 5, 0.1, arrays)
    search.start(evaluate)
    for _ in range(steps):
        search.step(evaluate, 20)
    file = io.BytesIO()
    np.savez(file, **search.state())
    file.seek(0)
    with np.load(file, allow_pickle=False) as state:
        loaded = ProjectedLBFGS.from_state(state, arrays)
    for _ in range(10):
        assert search.step(evaluate, 20) == loaded.step(evaluate, 20)
        expected, state = search.state(), loaded.state()
        assert expected.keys() == state.keys()
        for name, array in expected.items():
            np.testing.assert_array_equal(state[name], array, strict=True)


def pictures_rosenbrock(arrays):
    """The Rosenbrock function of an array of any shape."""

    def evaluate(x):
        flat = keras.ops.convert_to_numpy(x).ravel().astype(float)
        gradient = scipy.optimize.rosen_der(flat).astype("f").reshape(x.shape)
        return float(scipy.optimize.rosen(flat)), arrays.asarray(gradient)

    return evaluate


def test_tensors_of_the_backend_take_the_steps_that_numpys_arrays_take():
    """As far as float32 can tell: a few steps, before small differences grow."""
    start, paths = np.random.default_rng(0).uniform(-2, 2, (1, 4, 5, 3)), []
    for kind in KINDS.values():
        search = ProjectedLBFGS(start, -1, 0.5, 3, 0.1, kind())
        evaluate = pictures_rosenbrock(search.arrays)
        search.start(evaluate)
        path = [search.state()["x"] for _ in range(8) if search.step(evaluate, 20)]
        assert len(path) == 8 and len(search.steps) == 3
        paths.append(path)
    np.testing.assert_allclose(*paths, atol=1e-4)


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_pass_these_tests(backend):
    pytest.importorskip(backend)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-v",
        "--tb=short",
        __file__,
        str(Path(__file__).with_name("test_preconditioner.py")),
        "-k",
        "file or tensors or backend]",
    ]
    result = subprocess.run(
        [*command, "-p", "no:cacheprovider"],
        env=os.environ | {"KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout
    for module in ("test_lbfgs.py", "test_preconditioner.py"):
        assert re.search(rf"{module}::.* PASSED", result.stdout)
