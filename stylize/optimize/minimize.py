"""What the optimisers share, SciPy's L-BFGS without idle threads, our own L-BFGS, and Adam."""

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from stylize.backend.arrays import NUMPY, ArrayNamespace
from stylize.backend.tensors import keras
from stylize.errors import NonFiniteLoss
from stylize.optimize.lbfgs import ProjectedLBFGS, UnitStepLBFGS
from stylize.optimize.preconditioner import Preconditioner, Scaling
from stylize.optimize.state import NO_STEP, Losses, Step

SEARCHES = {"lbfgs": ProjectedLBFGS, "torch": UnitStepLBFGS}  # by the name of the optimizer


class Iterations:
    """Groups the evaluations at one size into iterations, and reports the end of each.

    Args:
        evaluator: an `Evaluator`, which counts.
        count: of the iterations, at least 1.
        evaluations_each: of an iteration.
        on_iteration: called as on_iteration(x, losses, stopped) after each; `stopped` says why no
            more follow, where there are fewer than asked for, and is empty otherwise.
        tolerance: stop when an iteration lowers the loss by less than this part of it.
        step: where an earlier run was.
        on_step: called with a `Step` whenever the optimiser is where it can resume from.

    Attributes:
        step: as given.
        ended: whether the last one has been reported.
    """

    def __init__(
        self,
        evaluator: Any,
        count: int,
        evaluations_each: int,
        on_iteration: Callable[[Any, Losses, str], None],
        tolerance: float = 0.0,
        step: Step = NO_STEP,
        on_step: Callable[[Step], None] = lambda step: None,
    ):
        self.evaluator, self.count, self.evaluations_each = evaluator, count, evaluations_each
        self.step, self.done, self.ended = step, step.iterations, False
        self._on_iteration, self._on_step, self._tolerance = on_iteration, on_step, tolerance
        self._first = evaluator.evaluations - step.evaluations
        self._loss = step.before  # after the last iteration

    @property
    def evaluations_left(self) -> int:
        """Of all iterations."""
        return self.count * self.evaluations_each - self.spent

    @property
    def spent(self) -> int:
        """Evaluations so far."""
        return self.evaluator.evaluations - self._first

    def start(self, losses):
        """Notes the `Losses` of the start, unless it resumes from a later point."""
        if self.step.losses is None:
            self._loss = losses.total

    def keep(self, losses, **state):
        """Tells of the optimiser's state at a point with these `Losses`."""
        if not self.ended:
            self._on_step(Step(self.done, self.spent, self._loss, losses, state))

    def finish(self, x, losses, stopped="", stepped=True):
        """Reports an iteration that ended at x; it is the last where `stopped` says why.

        One in which no step was made, as the step before took its evaluations too, ends nothing.
        """
        self.done += 1
        if stepped and not stopped and self.done < self.count:
            stopped = why_stop(self._loss, losses.total, self._tolerance)
        self._loss = losses.total
        self.ended = bool(stopped) or self.done == self.count
        self._on_iteration(x, losses, stopped)

    @property
    def due(self) -> bool:
        """Whether an iteration's evaluations are spent; the last is left to the run's end."""
        later = self.count - self.done - 1
        return later > 0 and self.evaluations_left <= later * self.evaluations_each

    def finish_due(self, x, losses):
        """Reports the iterations whose evaluations are spent. One step may spend those of two."""
        stepped = True
        while self.due and not self.ended:
            self.finish(x, losses, stepped=stepped)
            stepped = False

    def after_step(self, x):
        """SciPy's callback in a run of several."""
        if self.due:
            losses = self.evaluator.losses(x)
            self.finish_due(x, losses)
            if self.ended:
                raise StopIteration
            self.keep(losses, x=x.copy())


def why_stop(before: float, loss: float, tolerance: float) -> str:
    """Why an iteration that took the loss from `before` to `loss` is the last, "" if it is not."""
    if not tolerance or before - loss >= tolerance * before:
        return ""
    gain = (before - loss) / before
    return f"an iteration gained {gain:.2%}, less than the tolerance of {tolerance:.2%}"


def fmin_l_bfgs_b(
    loss: Callable[[np.ndarray], float],
    x: np.ndarray,
    fprime: Callable[[np.ndarray], np.ndarray],
    bounds: np.ndarray | None = None,
    **options: Any,
) -> np.ndarray:
    """SciPy's `fmin_l_bfgs_b` with one thread of BLAS; evaluations have all. Returns the last x.

    Arguments are SciPy's.
    """
    import scipy.optimize  # a third of a second, which only those who use it should wait for

    with one_blas_thread() as with_all_threads:
        x, _, _ = scipy.optimize.fmin_l_bfgs_b(
            with_all_threads(loss),
            x,
            fprime=with_all_threads(fprime),
            bounds=bounds,
            **options,
        )
    return x


def flat_float64(
    x: np.ndarray, bounds: tuple[np.ndarray, np.ndarray] | tuple[()]
) -> tuple[np.ndarray, np.ndarray | None]:
    """What SciPy takes: x as a flat float64 vector, clipped, and (lowest, highest) of each value.

    Args:
        x: an array of any shape.
        bounds: (lowest, highest) values, which broadcast to the shape of x, or ().
    """
    flat = x.astype(np.float64).ravel()
    if not bounds:
        return flat, None
    low, high = (np.broadcast_to(bound, x.shape).ravel() for bound in bounds)
    return flat.clip(low, high), np.stack([low, high], axis=1)


@contextlib.contextmanager
def one_blas_thread() -> Iterator[Callable[[Callable], Callable]]:
    """Gives NumPy's and SciPy's products one thread, and what brings a function all of them back.

    More threads would, between an optimiser's steps, wait for the next one in a loop, and take a
    tenth of the processor from the network.
    """
    blas = ThreadpoolController().select(user_api="blas")
    all_threads = {library.prefix: library.num_threads for library in blas.lib_controllers}

    def with_all_threads(function):
        def call(x):
            with blas.limit(limits=all_threads):
                return function(x)

        return call

    with blas.limit(limits=1):
        yield with_all_threads


def minimize_scipy(iterations: Iterations, x: np.ndarray, bounds: Any = None) -> np.ndarray:
    """Lowers the loss with one run of SciPy's L-BFGS.

    Where it gives up early (its line search finds no lower point, or the loss changes by less than
    float32 can tell), it is started once more from there.

    Args:
        iterations: with the `Evaluator`.
        x: the start, a flat float64 vector.
        bounds: (lowest, highest) value of each element of x, in rows, or None.

    Returns:
        The last x.
    """
    evaluator = iterations.evaluator
    iterations.start(evaluator.losses(x))
    for _ in range(2):
        x = fmin_l_bfgs_b(
            evaluator.loss,
            x,
            evaluator.grads,
            bounds,
            maxfun=iterations.evaluations_left,
            callback=iterations.after_step,
        )
        if iterations.ended:
            return x
        if iterations.evaluations_left <= 0:
            iterations.finish_due(x, evaluator.losses(x))
            if not iterations.ended:
                iterations.finish(x, evaluator.losses(x))
            return x
    iterations.finish(x, evaluator.losses(x), "L-BFGS finds no lower point")
    return x


def minimize_lbfgs(
    iterations: Iterations,
    x: np.ndarray,
    bounds: tuple = (),
    optimizer: str = "lbfgs",
    arrays: ArrayNamespace = NUMPY,
    pairs: int | None = None,
    exponent: float = 0.0,
    gains: np.ndarray | None = None,
) -> Any:
    """Lowers the loss with a search of `SEARCHES`: our own, or PyTorch's.

    Args:
        iterations: with an `Evaluator` of a `LossAndGrads`. Where their `step` has a state, the
            search resumes from there.
        x: the start, (1, rows, cols, 3).
        bounds: (lowest, highest) values, (cols, 3), or ().
        optimizer: a name in `SEARCHES`. Only our own has gains and a number of pairs.
        arrays: what its vectors are.
        pairs: how many steps it remembers; None: `default_pairs`.
        exponent: of the `Preconditioner`; 0: none.
        gains: those of a `Scaling`, (rows, cols), or None.

    Returns:
        The last picture, an array of the search's kind.
    """
    search, coordinates = _start_lbfgs(
        x, bounds, iterations.step.state, arrays, optimizer, pairs, exponent, gains
    )
    evaluator, losses = iterations.evaluator, iterations.step.losses
    evaluated = losses
    to_picture = coordinates.picture if coordinates else lambda z: z
    from_picture = coordinates.gradient if coordinates else lambda gradient: gradient

    def evaluate(z):
        nonlocal evaluated
        evaluated, gradient = evaluator.on_device(to_picture(z))
        loss = math.fsum(evaluated.terms.values())  # not a float32 sum
        return loss, from_picture(search.arrays.asarray(gradient))

    def evaluate_trial(z):
        try:
            return evaluate(z)
        except NonFiniteLoss:
            return math.inf, None

    if losses is None:
        search.start(evaluate)
        losses = evaluated
    iterations.start(losses)
    with one_blas_thread() as with_all_threads:
        evaluate_trial = with_all_threads(evaluate_trial)
        while not iterations.ended and iterations.evaluations_left > 0:
            if search.step(evaluate_trial, iterations.evaluations_left):
                losses = evaluated
            if search.stopped:
                iterations.finish(to_picture(search.x), losses, search.stopped)
            iterations.finish_due(to_picture(search.x), losses)
            iterations.keep(losses, **search.state())
    if not iterations.ended:
        iterations.finish(to_picture(search.x), losses)
    return to_picture(search.x)


def _start_lbfgs(x, bounds, state, arrays, optimizer, pairs, exponent, gains):
    """The search at its start, or where a state left it, and its coordinates; None: the pixels."""
    kind, ours = SEARCHES[optimizer], optimizer == "lbfgs"
    coordinates: Scaling | Preconditioner | None = None
    if gains is not None and ours:
        coordinates = scaling = Scaling(x, gains, arrays)
        bounds = tuple(scaling.bounds(bounds))
    elif exponent:
        coordinates = Preconditioner(x, exponent, arrays)
    if state:
        search = kind.from_state(state, arrays)
        state.clear()  # so that arrays go when the search forgets them
        return search, coordinates
    start = np.zeros(x.shape, np.float32) if coordinates else x
    low, high = bounds or (-math.inf, math.inf)
    return kind(start, low, high, pairs if ours else None, arrays=arrays), coordinates


def minimize_adam(
    iterations: Iterations,
    x: np.ndarray,
    bounds: tuple = (),
    average_decay: float = 0.0,
    **hyperparameters: float,
) -> Any:
    """Lowers the loss with Keras's Adam; everything but the losses stays on the device.

    Adam's steps may go up. What counts is the best combination of all steps so far: an evaluation
    tells the loss before a step, so one more evaluation follows the last step. Or what counts is
    the average of all steps, the last ones the most, which is evaluated where an iteration ends.

    Args:
        iterations: with an `Evaluator` of a `LossAndGrads`; a step is one evaluation.
        x: the start, (1, rows, cols, 3).
        bounds: (lowest, highest) values, which broadcast to the shape of x, or (): after each step
            x is clipped.
        average_decay: how much a step counts in the average, in parts of the one after it; 0: no
            average.
        hyperparameters: of `keras.optimizers.Adam`.

    Returns:
        The best x, or the average, a tensor (1, rows, cols, 3).
    """
    evaluator, step = iterations.evaluator, iterations.step
    combination = keras.Variable(x.astype(np.float32), name="combination")
    optimizer = keras.optimizers.Adam(**hyperparameters)
    optimizer.build([combination])
    if step.losses and step.state:
        _set_adam(optimizer, step.state)
        gradient, best = (keras.ops.convert_to_tensor(step.state[k]) for k in ("gradient", "best"))
        lowest = step.losses
    else:
        lowest, gradient = evaluator.on_device(combination.value)
        best = keras.ops.copy(combination.value)
    iterations.start(lowest)
    while not iterations.ended:
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [combination])
        if bounds:
            combination.assign(_clipped(combination.value, *bounds))
        losses, gradient = evaluator.on_device(combination.value)
        if average_decay:
            steps = int(optimizer.iterations)
            share = (1 - average_decay) / (1 - average_decay ** (steps + 1))  # the start counts too
            best = best + share * (combination.value - best)
        elif losses.total < lowest.total:
            best, lowest = keras.ops.copy(combination.value), losses
        # Steps, not evaluations: those of the start and of the averages are not steps.
        if int(optimizer.iterations) % iterations.evaluations_each == 0:
            if average_decay:
                lowest, _ = evaluator.on_device(best)
            iterations.finish(best, lowest)
        if not iterations.ended:
            x = keras.ops.copy(combination.value)
            iterations.keep(lowest, x=x, gradient=gradient, best=best, **_adam_state(optimizer))
    return best


def _clipped(x, low, high):
    low, high = (keras.ops.convert_to_tensor(bound, "float32") for bound in (low, high))
    return keras.ops.minimum(keras.ops.maximum(x, low), high)


def _adam_state(optimizer):
    """Copies of all numbers that an optimiser of Keras remembers, by place."""
    return {
        f"adam_{index}": keras.ops.copy(variable.value)
        for index, variable in enumerate(optimizer.variables)
    }


def _set_adam(optimizer, state):
    for index, variable in enumerate(optimizer.variables):
        variable.assign(state[f"adam_{index}"])
