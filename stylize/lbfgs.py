"""L-BFGS in float32 for values that are kept within bounds: steps are projected, not constrained.

SciPy's L-BFGS-B solves a problem with bounds at every step, in float64. Pixels want less: most are
free, and where one lies at a bound and the loss would push it further out, it stays for that step.

What is of the picture's size is computed by the four functions at the end, on NumPy's arrays or on
the backend's tensors, see `ArrayNamespace`. Only scalars leave them for the decisions made here.
"""

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from stylize.backend import NUMPY, ArrayNamespace

SUFFICIENT_DECREASE = 1e-4  # of what the slope promises (Armijo)
SHORTEST, LONGEST = 0.1, 0.5  # what a line search may shorten a step to, at once
LINE_SEARCH = 8  # steps tried along one direction, at most
FIRST_STEP = 4.0  # root mean square
LONGEST_STEP = 2.0  # in first steps; the first pairs may promise ten times too much
CURVATURE = 1e-10  # s.y in y.y, below which a pair tells nothing

Evaluate = Callable[[Any], tuple[float, Any]]  # from x to (loss, gradient), arrays as x is


class ProjectedLBFGS:
    """One point, its loss and gradient, and the steps that led there.

    A step is x <- clip(x - t H g), where H is the L-BFGS matrix of the last pairs of steps s and
    changes of gradient y, on the free values only, and t = 1 where that lowers the loss enough. The
    first step of all is as long as `first_step` says, since nothing is known of the scale yet; none
    is longer than `LONGEST_STEP` times that.

    Args:
        x: the start, an array of any shape; it is clipped.
        low, high: bounds of each value, arrays that broadcast to the shape of x, or numbers.
        pairs: how many to remember.
        first_step: root mean square of the first step.
        arrays: what to compute with.

    Attributes:
        x, gradient: float32 arrays of one shape. No array is ever changed in place.
        loss: a float.
        steps, changes: the pairs, lists of arrays like x, the oldest first.
        products: of each pair, s.y and y.y.
        stopped: why no lower point can be found; empty as long as one may be.
    """

    def __init__(
        self,
        x: Any,
        low: Any = -math.inf,
        high: Any = math.inf,
        pairs: int = 10,
        first_step: float = FIRST_STEP,
        arrays: ArrayNamespace = NUMPY,
    ):
        self.pairs, self.first_step, self.arrays = pairs, first_step, arrays
        self.low, self.high = (arrays.asarray(np.asarray(b, np.float32)) for b in (low, high))
        self.x = _clip(arrays.ops, arrays.asarray(x), self.low, self.high)
        self._zeros = arrays.ops.zeros_like(self.x)
        self.loss, self.gradient = math.inf, self._zeros
        self.steps: list[Any] = []
        self.changes: list[Any] = []
        self.products: list[tuple[float, float]] = []
        self.stopped = ""
        self._steepest, self._quasi_newton, self._shorter, self._compare = (
            arrays.compiled(functools.partial(function, arrays))
            for function in (_steepest, _quasi_newton, _shorter, _compare)
        )

    def start(self, evaluate: Evaluate) -> None:
        """Evaluates the start."""
        self.loss, self.gradient = evaluate(self.x)

    def step(self, evaluate: Evaluate, evaluations: int) -> bool:
        """Moves to a lower point. False, and x stays, where none is found.

        Where none is found along the L-BFGS direction, the pairs are forgotten, so that the next
        step is along the gradient; where none is found there either, `stopped` says so.

        Args:
            evaluate: a loss that is not finite makes the step shorter; its gradient is not used.
            evaluations: at most so many, at least 1.
        """
        direction, trial, step, slope = self._first_trial()
        length = 1.0
        for _ in range(min(evaluations, LINE_SEARCH)):
            slope = float(slope)
            if not slope < 0:
                break
            loss, gradient = evaluate(trial)
            if loss < self.loss and loss <= self.loss + SUFFICIENT_DECREASE * slope:
                self._move(trial, loss, gradient, step)
                return True
            length *= _shortening(self.loss, slope, loss)
            trial, step, slope = self._shorter(
                self.x, self.gradient, direction, self._array(length), self.low, self.high
            )
        if not slope < 0 or evaluations >= LINE_SEARCH:  # or it is only the evaluations that ended
            if not self.steps:
                self.stopped = (
                    "L-BFGS finds no lower point" if slope < 0 else "L-BFGS is at a minimum"
                )
            self.forget()
        return False

    def forget(self) -> None:
        """Forgets the pairs, so that the next step is along the gradient."""
        self.steps, self.changes, self.products = [], [], []

    def state(self) -> dict[str, Any]:
        """All that `from_state` needs: arrays as they are, without copies, and numbers."""
        state = {"loss": self.loss, "pairs": self.pairs, "first_step": self.first_step}
        state |= {"x": self.x, "gradient": self.gradient, "low": self.low, "high": self.high}
        for index, pair in enumerate(zip(self.steps, self.changes, strict=True)):
            state[f"step_{index}"], state[f"change_{index}"] = pair
        return state | {"products": np.reshape(self.products, (-1, 2))}

    @classmethod
    def from_state(
        cls, state: Mapping[str, Any], arrays: ArrayNamespace = NUMPY
    ) -> "ProjectedLBFGS":
        """The same object as gave the `state`; its next steps are the same, bit for bit."""
        pairs, first_step = int(state["pairs"]), float(state["first_step"])
        search = cls(state["x"], state["low"], state["high"], pairs, first_step, arrays)
        search.loss, search.gradient = float(state["loss"]), arrays.asarray(state["gradient"])
        search.products = [(float(sy), float(yy)) for sy, yy in state["products"]]
        for index in range(len(search.products)):
            search.steps.append(arrays.asarray(state[f"step_{index}"]))
            search.changes.append(arrays.asarray(state[f"change_{index}"]))
        return search

    def _array(self, numbers):
        """Numbers as an array, since a Python number would be compiled in."""
        return self.arrays.asarray(np.asarray(numbers, np.float32))

    def _first_trial(self):
        """(direction, trial, step, slope) of the L-BFGS direction, or of the gradient's."""
        point = self.x, self.gradient, self.low, self.high
        if self.steps:
            sy, yy = self.products[-1]
            longest = self._array(LONGEST_STEP * self.first_step)
            trial = self._quasi_newton(*point, *self._pairs(), self._array(sy / yy), longest)
            if trial[-1] < 0:
                return trial
            self.forget()
        return self._steepest(*point, self._array(self.first_step))

    def _pairs(self):
        """(steps, changes, curvatures), as many as there may be where that saves compiling anew."""
        curvatures = [sy for sy, _ in self.products]
        missing = self.pairs - len(curvatures) if self.arrays.retraces else 0
        nothing = [self._zeros] * missing  # one array, however often
        curvatures = [math.inf] * missing + curvatures
        return nothing + self.steps, nothing + self.changes, self._array(curvatures)

    def _move(self, x, loss, gradient, step):
        """Goes to x, and remembers how, unless the step tells nothing of the curvature."""
        change, sy, yy = self._compare(step, self.gradient, gradient)
        self.x, self.loss, self.gradient = x, loss, gradient
        sy, yy = float(sy), float(yy)
        if sy > CURVATURE * yy:
            self.steps = [*self.steps, step][-self.pairs :]
            self.changes = [*self.changes, change][-self.pairs :]
            self.products = [*self.products, (sy, yy)][-self.pairs :]


def _shortening(before, slope, loss):
    """What to multiply a step's length with, from both losses and the slope at its start."""
    if not math.isfinite(loss):
        return SHORTEST
    best = -slope / (2 * max(loss - before - slope, 1e-30))  # the minimum of their parabola
    return min(LONGEST, max(SHORTEST, best))


# ---------------------------------------------------------------------------------------------
# On arrays
# ---------------------------------------------------------------------------------------------


def _clip(ops, x, low, high):
    return ops.minimum(ops.maximum(x, low), high)


def _shorter(arrays, x, gradient, direction, length, low, high):
    """(trial, step, slope): the point at a length along a direction, projected."""
    trial = _clip(arrays.ops, x + length * direction, low, high)
    step = trial - x
    return trial, step, arrays.dot(gradient, step)


def _free(ops, x, gradient, low, high):
    """1 where a value is free, 0 where it is held at a bound."""
    held = (x <= low) & (gradient > 0) | (x >= high) & (gradient < 0)
    return ops.where(held, np.float32(0), np.float32(1))


def _root_mean_square(arrays, vector):
    mean_square = arrays.dot(vector, vector) / math.prod(vector.shape)
    return arrays.ops.sqrt(arrays.ops.maximum(mean_square, 1e-30))  # to divide by


def _steepest(arrays, x, gradient, low, high, first_step):
    """(direction, trial, step, slope) along -g on the free values, `first_step` long."""
    descent = -gradient * _free(arrays.ops, x, gradient, low, high)
    direction = first_step / _root_mean_square(arrays, descent) * descent
    return direction, *_shorter(arrays, x, gradient, direction, 1.0, low, high)


def _quasi_newton(arrays, x, gradient, low, high, steps, changes, curvatures, scale, longest):
    """(direction, trial, step, slope) along -H g on the free values.

    Args:
        steps, changes: the pairs, the oldest first.
        curvatures: s.y of each; a pair whose is infinite changes nothing.
        scale: s.y / y.y of the newest.
        longest: root mean square of the direction, at most.

    Source: Nocedal and Wright, "Numerical Optimization" (2006), algorithm 7.4 (two loops).
    """
    ops, dot = arrays.ops, arrays.dot
    free = _free(ops, x, gradient, low, high)
    direction, weights = -gradient * free, {}
    for index in reversed(range(len(steps))):
        weights[index] = dot(steps[index], direction) / curvatures[index]
        direction = direction - weights[index] * changes[index]
    direction = direction * scale
    for index, (step, change) in enumerate(zip(steps, changes, strict=True)):
        correction = weights[index] - dot(change, direction) / curvatures[index]
        direction = direction + correction * step
    direction = direction * free
    direction = direction * ops.minimum(1.0, longest / _root_mean_square(arrays, direction))
    return direction, *_shorter(arrays, x, gradient, direction, 1.0, low, high)


def _compare(arrays, step, before, after):
    """(y, s.y, y.y) of the gradients before and after a step s."""
    change = after - before
    return change, arrays.dot(step, change), arrays.dot(change, change)
