"""What drives L-BFGS: losses that are not finite, resuming, where the vectors are."""

import io
import math

import numpy as np
import pytest
from conftest import named

import neural_style_transfer as nst
from stylize.backend.arrays import NUMPY, device_arrays
from stylize.backend.tensors import LossAndGrads, keras, with_gradient
from stylize.errors import NonFiniteLoss
from stylize.optimize.minimize import Iterations, minimize_adam, minimize_lbfgs
from stylize.optimize.state import NO_STEP
from stylize.runs import level

SHAPE = (1, 6, 7, 3)
KINDS = {"numpy": lambda: NUMPY, "device": device_arrays}


def terms(function):
    """A `LossAndGrads` of a function of tensors, as content."""

    def losses(x):
        content = keras.ops.sum(function(x))
        return keras.ops.stack([content, 0 * content, 0 * content])

    return named(LossAndGrads(with_gradient(losses), *SHAPE[1:3]))


def barrier():
    """Its minimum is at 3/4, and it is infinite from 1 on."""
    return terms(lambda x: -keras.ops.log(keras.ops.maximum(1 - x, 0)) - 4 * x)


def valley(width=1.0):
    """Rosenbrock's, from each value to the one below it, of values so many times as large."""

    def rosenbrock(x):
        x = x / width
        return 100 * (x[:, 1:] - x[:, :-1] ** 2) ** 2 + (1 - x[:, :-1]) ** 2

    return terms(rosenbrock)


def run(objective, x, bounds=(), count=3, each=10, step=NO_STEP, keep=lambda step: None, **options):
    """([(losses, evaluations, stopped, x) of each iteration], its `Evaluator`'s losses)."""
    seen, totals = [], []
    evaluator = nst.Evaluator(
        objective, lambda losses, x: totals.append(losses.total), step.evaluations
    )

    def on_iteration(x, losses, stopped):
        x = keras.ops.convert_to_numpy(x).copy()
        seen.append((losses, evaluator.evaluations, stopped, x))

    iterations = Iterations(evaluator, count, each, on_iteration, step=step, on_step=keep)
    minimize_lbfgs(iterations, x, bounds, **options)
    return seen, totals


@pytest.mark.parametrize("kind", KINDS)
def test_infinite_loss_inside_a_line_search_is_stepped_back_from(kind):
    seen, totals = run(barrier(), np.zeros(SHAPE), arrays=KINDS[kind]())  # first it goes to 4
    assert np.isfinite(totals).all()
    _, evaluations, _, x = seen[-1]
    assert evaluations > len(totals)  # an evaluation that is not reported still counts
    np.testing.assert_allclose(x, 0.75, atol=1e-3)


def test_infinite_loss_at_the_start_is_an_error():
    with pytest.raises(NonFiniteLoss, match="content loss became inf at evaluation 1"):
        run(barrier(), np.full(SHAPE, 2.0))


def test_loss_that_is_infinite_everywhere_else_ends_the_run_and_says_so():
    def evaluate(x):
        return np.array([0.0 if not x.any() else np.inf, 0, 0]), np.ones_like(x)

    evaluate.on_device = evaluate
    seen, _ = run(named(evaluate), np.zeros(SHAPE), each=100)
    assert [stopped for _, _, stopped, _ in seen] == ["L-BFGS finds no lower point"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stop_after", [1, 2])
def test_interrupted_run_resumes_bit_for_bit(kind, stop_after):
    start = np.random.default_rng(0).uniform(-80, 80, SHAPE)
    given, options = (valley(40), start, (-60, 60)), {"arrays": KINDS[kind]()}
    file, interrupted = io.BytesIO(), []

    def interrupt(step):
        if step.iterations == stop_after:
            interrupted.append(step._replace(state=None))
            np.savez(file, **step.state)
            raise KeyboardInterrupt

    whole, _ = run(*given, **options)
    with pytest.raises(KeyboardInterrupt):
        run(*given, keep=interrupt, **options)
    (step,) = interrupted
    file.seek(0)
    step = step._replace(state=dict(np.load(file)))
    rest, totals = run(*given, step=step, **options)
    assert len(rest) == len(whole) - stop_after
    assert totals  # and none of them at the point where it was interrupted
    assert step.losses.total not in totals
    for expected, again in zip(whole[stop_after:], rest, strict=True):
        assert again[:3] == expected[:3]
        np.testing.assert_array_equal(again[3], expected[3])


def test_only_scalars_and_pictures_asked_for_leave_the_device(monkeypatch):
    sizes, convert = [], keras.ops.convert_to_numpy

    def watched(tensor):
        sizes.append(math.prod(tensor.shape))
        return convert(tensor)

    evaluator = nst.Evaluator(valley(40))
    iterations = Iterations(evaluator, 3, 10, lambda x, losses, stopped: None)
    arrays, pairs = device_arrays(), 5
    monkeypatch.setattr(keras.ops, "convert_to_numpy", watched)
    minimize_lbfgs(iterations, np.zeros(SHAPE), (-60, 60), arrays=arrays, pairs=pairs)
    assert evaluator.evaluations == 30
    products = 3 * pairs + 2
    assert set(sizes) == {3, products}  # the terms of the loss, and of pairs with the new one


def test_painting_with_the_vectors_on_the_device_comes_to_the_same(
    monkeypatch, small_vgg19, photo, painting
):
    short = {"iterations": 1, "evaluations_per_iteration": 6}

    def paint():
        given = {"size": 40, "scales": 1, "precision": "float32"}
        return np.asarray(
            nst.style_transfer(photo, painting, weights=small_vgg19, **short, **given), float
        )

    on_host = paint()
    monkeypatch.setattr(level, "array_namespace", device_arrays)
    on_device = paint()
    assert np.abs(on_device - on_host).max() <= 1  # gray level


def test_adam_s_average_is_that_of_all_steps_within_bounds():
    """The mean of all points with weights 0.9^age, the start among them; it is evaluated last."""
    points, start = [], np.full(SHAPE, -0.5, "f")
    evaluator = nst.Evaluator(
        valley(), lambda losses, x: points.append(keras.ops.convert_to_numpy(x).copy())
    )
    iterations = Iterations(evaluator, 1, 8, lambda x, losses, stopped: None)
    options = {"learning_rate": 0.3, "beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-8}
    average = minimize_adam(iterations, start, (-0.6, 0.2), 0.9, **options)
    *steps, last = points
    assert len(steps) == 9 and np.max(steps) == np.float32(0.2)
    weights = 0.9 ** np.arange(8, -1, -1)
    expected = np.average(steps, axis=0, weights=weights)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(average), expected, atol=1e-6)
    np.testing.assert_array_equal(last, keras.ops.convert_to_numpy(average))


def test_averages_take_no_steps_away():
    """Two iterations of eight steps: the start, the steps, and an average after each iteration."""
    evaluator = nst.Evaluator(valley(), lambda losses, x: None)
    iterations = Iterations(evaluator, 2, 8, lambda x, losses, stopped: None)
    options = {"learning_rate": 0.3, "beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-8}
    minimize_adam(iterations, np.full(SHAPE, -0.5, "f"), (-0.6, 0.2), 0.9, **options)
    assert evaluator.evaluations == 1 + 2 * (8 + 1)
