"""What drives L-BFGS: losses that are not finite, going on later, where the vectors are."""

import io
import math

import numpy as np
import pytest

import neural_style_transfer as nst
from stylize.backend.arrays import NUMPY, device_arrays
from stylize.backend.tensors import LossAndGrads, keras
from stylize.errors import NonFiniteLoss
from stylize.optimize.lbfgs import ProjectedLBFGS
from stylize.optimize.minimize import Iterations, minimize_adam, minimize_lbfgs
from stylize.optimize.state import NO_STEP, Step
from stylize.runs import job

SHAPE = (1, 6, 7, 3)
KINDS = {"numpy": lambda: NUMPY, "device": device_arrays}


def terms(function):
    """A `LossAndGrads` of a function of tensors, as content."""

    def losses(x):
        content = keras.ops.sum(function(x))
        return keras.ops.stack([content, 0 * content, 0 * content])

    return LossAndGrads(losses, *SHAPE[1:3])


def barrier():
    """Its minimum is at 3/4, and it is infinite from 1 on."""
    return terms(lambda x: -keras.ops.log(keras.ops.maximum(1 - x, 0)) - 4 * x)


def valley():
    """Rosenbrock's, from each value to the one below it."""
    return terms(lambda x: 100 * (x[:, 1:] - x[:, :-1] ** 2) ** 2 + (1 - x[:, :-1]) ** 2)


def run(objective, search, count=3, each=10, step=NO_STEP, stop_after=math.inf):
    """([(loss, evaluations, stopped, state) of each iteration], its `Evaluator`'s losses)."""
    seen, totals = [], []
    evaluator = nst.Evaluator(
        objective, lambda losses, x: totals.append(losses.total), step.evaluations
    )

    def on_iteration(x, losses, stopped):
        seen.append((losses, evaluator.evaluations, stopped, search.state()))
        if len(seen) == stop_after:
            raise KeyboardInterrupt

    minimize_lbfgs(Iterations(evaluator, count, each, on_iteration, step=step), search)
    return seen, totals


@pytest.mark.parametrize("kind", KINDS)
def test_infinite_loss_inside_a_line_search_is_stepped_back_from(kind):
    search = ProjectedLBFGS(np.zeros(SHAPE), arrays=KINDS[kind]())
    seen, totals = run(barrier(), search)  # the first step goes to 4
    assert np.isfinite(totals).all()
    assert seen[-1][1] > len(totals)  # an evaluation that is not reported still counts
    np.testing.assert_allclose(search.state()["x"], 0.75, atol=1e-3)


def test_infinite_loss_at_the_start_is_an_error():
    with pytest.raises(NonFiniteLoss, match="content loss became inf at evaluation 1"):
        run(barrier(), ProjectedLBFGS(np.full(SHAPE, 2.0)))


def test_loss_that_is_infinite_everywhere_else_ends_the_run_and_says_so():
    def evaluate(x):
        return np.array([0.0 if not x.any() else np.inf, 0, 0]), np.ones_like(x)

    evaluate.on_device = evaluate
    seen, _ = run(evaluate, ProjectedLBFGS(np.zeros(SHAPE)), each=100)
    assert [stopped for _, _, stopped, _ in seen] == ["L-BFGS finds no lower point"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stop_after", [1, 2])
def test_interrupted_run_goes_on_bit_for_bit(kind, stop_after):
    arrays, start = KINDS[kind](), np.random.default_rng(0).uniform(-2, 2, SHAPE)

    def search():
        return ProjectedLBFGS(start, -1.5, 1.5, first_step=0.1, arrays=arrays)

    whole, _ = run(valley(), search())
    file, interrupted = io.BytesIO(), search()
    with pytest.raises(KeyboardInterrupt):
        run(valley(), interrupted, stop_after=stop_after)
    losses, spent, _, state = whole[stop_after - 1]
    np.savez(file, **interrupted.state())
    file.seek(0)
    loaded = ProjectedLBFGS.from_state(np.load(file), arrays)
    step = Step(stop_after, spent, losses.total, losses, state)
    rest, totals = run(valley(), loaded, step=step)
    assert len(rest) == len(whole) - stop_after
    assert totals  # and none of them at the point where it was interrupted
    assert losses.total not in totals
    for (losses, evaluations, stopped, state), again in zip(whole[stop_after:], rest, strict=True):
        assert again[:3] == (losses, evaluations, stopped)
        for name, array in state.items():
            np.testing.assert_array_equal(again[3][name], array)


def test_only_scalars_and_pictures_asked_for_leave_the_device(monkeypatch):
    sizes, convert = [], keras.ops.convert_to_numpy

    def watched(tensor):
        sizes.append(math.prod(tensor.shape))
        return convert(tensor)

    search = ProjectedLBFGS(np.zeros(SHAPE), -1.5, 1.5, first_step=0.1, arrays=device_arrays())
    evaluator = nst.Evaluator(valley())
    iterations = Iterations(evaluator, 3, 10, lambda x, losses, stopped: None)
    monkeypatch.setattr(keras.ops, "convert_to_numpy", watched)
    minimize_lbfgs(iterations, search)
    assert evaluator.evaluations == 30
    products = 3 * search.pairs + 2
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
    monkeypatch.setattr(job, "array_namespace", device_arrays)
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
