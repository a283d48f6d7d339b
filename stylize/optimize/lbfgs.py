"""L-BFGS in float32 for values that are kept within bounds: steps are projected, not constrained.

SciPy's L-BFGS-B solves a problem with bounds at every step, in float64. Pixels need less: most are
free, and one that lies at a bound and would be pushed further out stays there for that step.

Arrays of the picture's size are handled by the functions at the end only: NumPy's arrays, which may
be in files, or the backend's tensors, see `ArrayNamespace`. They return scalars for the decisions
made here. The direction is a weighted sum of the gradient and the pairs (past steps and changes of
the gradient), with weights from their inner products; so a step reads the pairs three times, in
order, wherever they are kept.
"""

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from stylize.backend.arrays import NUMPY, ArrayNamespace

SUFFICIENT_DECREASE = 1e-4  # of what the slope promises (Armijo)
SHORTEST, LONGEST = 0.1, 0.5  # what a line search may shorten a step to, at once
LINE_SEARCH = 8  # steps tried along one direction, at most
FIRST_STEP = 4.0  # root mean square
CURVATURE = 1e-10  # s.y in y.y, below which a pair tells nothing

Evaluate = Callable[[Any], tuple[float, Any]]  # from x to (loss, gradient), arrays as x is


class ProjectedLBFGS:
    """One point, its loss and gradient, and the steps that led there.

    A step is x <- clip(x - t H g), where H is the L-BFGS matrix of the last pairs of steps s and
    changes of gradient y, on the free values only, and t = 1 where that lowers the loss enough. The
    first step of all is as long as `first_step` says, since nothing is known of the scale yet; none
    is longer than `longest_step` times that.

    Args:
        x: the start, an array of any shape; it is clipped.
        low, high: bounds, numbers, or arrays that broadcast to the shape of x: where x has three
            axes or more, arrays of its shape or of that of its last two axes.
        pairs: how many to remember; None: `default_pairs`.
        first_step: root mean square of the first step.
        arrays: what to compute with.

    Attributes:
        default_pairs: how many pairs (step, change of the gradient) are remembered by default.
        longest_step: in first steps; the first pairs may promise ten times too much.
        x, gradient: float32 arrays of one shape. No array is ever changed in place.
        loss: a float.
        steps, changes: the pairs, lists of arrays like x, the oldest first.
        products: (2, pairs, pairs), float64: s_i.y_j and y_i.y_j.
        stopped: why no lower point can be found; empty as long as one may be.
    """

    default_pairs = 10
    longest_step = 2.0

    def __init__(
        self,
        x: Any,
        low: Any = -math.inf,
        high: Any = math.inf,
        pairs: int | None = None,
        first_step: float = FIRST_STEP,
        arrays: ArrayNamespace = NUMPY,
    ):
        self.pairs = self.default_pairs if pairs is None else pairs
        self.first_step, self.arrays = first_step, arrays
        self.low, self.high = (arrays.constant(bound) for bound in (low, high))
        (self.x,), _ = arrays.blockwise(
            lambda x, low, high: ([_clip(arrays.ops, x[0], low, high)], ()),
            [arrays.asarray(x)],
            self.low,
            self.high,
        )
        self.loss, self.gradient = math.inf, self.x
        self._zeros = None
        self.stopped = ""
        self.forget()
        self._steepest, self._quasi_newton, self._project, self._compare = (
            arrays.compiled(functools.partial(function, arrays))
            for function in (_steepest, _quasi_newton, _project, _compare)
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
        direction, length, trial, slope = self._first_trial()
        length = float(length)
        for _ in range(min(evaluations, LINE_SEARCH)):
            slope = float(slope)
            if not slope < 0:
                break
            loss, gradient = evaluate(trial)
            if loss < self.loss and loss <= self.loss + SUFFICIENT_DECREASE * slope:
                self._move(trial, loss, gradient)
                return True
            length *= _shortening(self.loss, slope, loss)
            trial, slope = self._project(
                self.x, self.gradient, direction, self._constant(length), self.low, self.high
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
        self.steps: list[Any] = []
        self.changes: list[Any] = []
        self.products = np.zeros((2, 0, 0))

    def state(self) -> dict[str, Any]:
        """All that `from_state` needs: arrays as they are, without copies, and numbers."""
        state = {"loss": self.loss, "pairs": self.pairs, "first_step": self.first_step}
        state |= {"x": self.x, "gradient": self.gradient, "low": self.low, "high": self.high}
        for index, pair in enumerate(zip(self.steps, self.changes, strict=True)):
            state[f"step_{index}"], state[f"change_{index}"] = pair
        return state | {"products": self.products}

    @classmethod
    def from_state(
        cls, state: Mapping[str, Any], arrays: ArrayNamespace = NUMPY
    ) -> "ProjectedLBFGS":
        """The same object as gave the `state`; its next steps are the same, bit for bit."""
        pairs, first_step = int(state["pairs"]), float(state["first_step"])
        search = cls(state["x"], state["low"], state["high"], pairs, first_step, arrays)
        search.loss, search.gradient = float(state["loss"]), arrays.asarray(state["gradient"])
        search.products = np.asarray(state["products"])
        for index in range(search.products.shape[1]):
            search.steps.append(arrays.asarray(state[f"step_{index}"]))
            search.changes.append(arrays.asarray(state[f"change_{index}"]))
        return search

    def _constant(self, numbers):
        """Numbers as an array, since a Python number would be compiled in."""
        return self.arrays.constant(np.asarray(numbers, np.float32))

    def _first_trial(self):
        """(direction, length, trial, slope) of the L-BFGS direction, or of the gradient's."""
        point = self.x, self.gradient, self.low, self.high
        if self.steps:
            longest = self._constant(self.longest_step * self.first_step)
            trial = self._quasi_newton(*point, *self._pairs(), longest)
            if trial[-1] < 0:
                return trial
            self.forget()
        return self._steepest(*point, self._constant(self.first_step))

    def _pairs(self):
        """(steps, changes, products), as many as there may be where that saves compiling anew."""
        missing = self.pairs - len(self.steps) if self.arrays.retraces else 0
        if not missing:
            return self.steps, self.changes, self.arrays.constant(self.products)
        if self._zeros is None:
            self._zeros = self.arrays.ops.zeros_like(self.x)
        nothing = [self._zeros] * missing  # one array, however often
        products = np.pad(self.products, [(0, 0), (missing, 0), (missing, 0)])
        products[:, range(missing), range(missing)] = 1.0  # to divide by
        return nothing + self.steps, nothing + self.changes, self.arrays.constant(products)

    def _move(self, x, loss, gradient, step=None):
        """Goes to x, and remembers how, unless the step tells nothing of the curvature.

        The step is the difference, unless it is given, not rounded as x is.
        """
        ends = (self.x, x) if step is None else (self.arrays.ops.zeros_like(step), step)
        steps, changes, _ = self._pairs()
        step, change, sums = self._compare(*ends, self.gradient, gradient, steps, changes)
        self.x, self.loss, self.gradient = x, loss, gradient
        *sums, sy, yy = np.asarray(self.arrays.to_numpy(sums), np.float64).tolist()
        if sy > CURVATURE * yy:
            count = len(self.steps)
            by_step, of_step, by_change = np.reshape(sums, (3, -1))[:, len(steps) - count :]
            products = np.pad(self.products, [(0, 0), (0, 1), (0, 1)])
            products[0, :, -1], products[0, -1] = [*by_step, sy], [*of_step, sy]
            products[1, :, -1] = products[1, -1] = [*by_change, yy]
            self.products = products[:, -self.pairs :, -self.pairs :]
            self.steps = [*self.steps, step][-self.pairs :]
            self.changes = [*self.changes, change][-self.pairs :]


class UnitStepLBFGS(ProjectedLBFGS):
    """L-BFGS without a line search: every step is x <- clip(x - H g), wherever it leads.

    The first step, of which H knows nothing, is min(1, 1 / sum |g|) of the gradient.

    Source: PyTorch's `torch.optim.LBFGS`, as it is without a `line_search_fn`.
    """

    default_pairs = 100
    longest_step = math.inf

    def start(self, evaluate: Evaluate) -> None:
        """Evaluates the start."""
        super().start(evaluate)
        total = float(self.arrays.ops.sum(self.arrays.ops.absolute(self.gradient)))
        squares = self.arrays.dot(self.gradient, self.gradient)
        size = float(_root_mean_square(self.arrays, squares, self.gradient))
        self.first_step = size * min(1.0, 1 / max(total, 1e-30))

    def step(self, evaluate: Evaluate, evaluations: int) -> bool:
        """Moves by one step. False, and x stays, where the loss there is not finite."""
        direction, length, trial, _ = self._first_trial()
        loss, gradient = evaluate(trial)
        if not math.isfinite(loss):
            self.stopped = "a step of L-BFGS led to a loss that is not finite"
            return False
        self._move(trial, loss, gradient, length * direction)
        return True


def _shortening(before, slope, loss):
    """What to multiply a step's length with, from both losses and the slope at its start."""
    if not math.isfinite(loss):
        return SHORTEST
    best = -slope / (2 * max(loss - before - slope, 1e-30))  # the minimum of their parabola
    return min(LONGEST, max(SHORTEST, best))


# ---------------------------------------------------------------------------------------------
# On arrays. Functions within functions take blocks of them: (blocks, *constants) to (blocks, sums).
# ---------------------------------------------------------------------------------------------


def _clip(ops, x, low, high):
    return ops.minimum(ops.maximum(x, low), high)


def _descent(ops, x, gradient, low, high):
    """(-g on the free values, 1 where a value is free and 0 where it is held at a bound)."""
    held = (x <= low) & (gradient > 0) | (x >= high) & (gradient < 0)
    free = ops.where(held, np.float32(0), np.float32(1))
    return -gradient * free, free


def _project(arrays, x, gradient, direction, length, low, high):
    """(trial, slope): the point at a length along a direction, projected, and g.(trial - x)."""

    def project(blocks, length, low, high):
        x, gradient, direction = blocks
        trial = _clip(arrays.ops, x + length * direction, low, high)
        return [trial], [arrays.dot(gradient, trial - x)]

    (trial,), (slope,) = arrays.blockwise(project, [x, gradient, direction], length, low, high)
    return trial, slope


def _root_mean_square(arrays, squares, vector):
    mean_square = squares / math.prod(vector.shape)
    return arrays.ops.sqrt(arrays.ops.maximum(mean_square, 1e-30))  # to divide by


def _steepest(arrays, x, gradient, low, high, first_step):
    """(direction, length, trial, slope) along -g on the free values, `first_step` long."""

    def steepest(blocks, low, high):
        descent, _ = _descent(arrays.ops, *blocks, low, high)
        return [descent], [arrays.dot(descent, descent)]

    (direction,), (squares,) = arrays.blockwise(steepest, [x, gradient], low, high)
    length = arrays.constant(first_step / _root_mean_square(arrays, squares, x))
    return direction, length, *_project(arrays, x, gradient, direction, length, low, high)


def _quasi_newton(arrays, x, gradient, low, high, steps, changes, products, longest):
    """(direction, length, trial, slope) along -H g on the free values.

    Args:
        steps, changes: the pairs, the oldest first.
        products: as `ProjectedLBFGS` has them.
        longest: root mean square of the step along the direction, at most.

    Source: Byrd, Nocedal and Schnabel, "Representations of quasi-Newton matrices and their use in
    limited memory methods" (1994), theorem 2.2.
    """
    ops, pairs = arrays.ops, [*steps, *changes]

    def by_pairs(blocks, low, high):
        x, gradient, *pairs = blocks
        descent, _ = _descent(ops, x, gradient, low, high)
        return [], [arrays.dot(vector, descent) for vector in pairs]

    def add_up(blocks, weights, low, high):
        x, gradient, *pairs = blocks
        descent, free = _descent(ops, x, gradient, low, high)
        direction = weights[-1] * descent
        for index, vector in enumerate(pairs):
            direction = direction + weights[index] * vector
        direction = direction * free
        return [direction], [arrays.dot(direction, direction)]

    _, sums = arrays.blockwise(by_pairs, [x, gradient, *pairs], low, high)
    weights = arrays.constant(_weights(ops, sums, products))
    given = [x, gradient, *pairs]
    (direction,), (squares,) = arrays.blockwise(add_up, given, weights, low, high)
    length = ops.minimum(1.0, longest / _root_mean_square(arrays, squares, x))
    length = arrays.constant(length)
    return direction, length, *_project(arrays, x, gradient, direction, length, low, high)


def _weights(ops, sums, products):
    """Those of the steps, the changes and v in H v, from the products of steps and changes with v.

    With S and Y of the pairs as columns, R the upper triangle of S^T Y, D its diagonal and c the
    s.y / y.y of the newest pair: H v = c v + S b - c Y a, where R a = S^T v and
    R^T b = (D + c Y^T Y) a - c Y^T v.
    """
    step_change, change_change = products[0], products[1]
    count = step_change.shape[0]
    by_step, by_change = ops.stack(list(sums[:count])), ops.stack(list(sums[count:]))
    scale = step_change[-1, -1] / change_change[-1, -1]
    upper, diagonal = ops.triu(step_change), ops.diagonal(step_change)
    a = ops.linalg.solve(upper, by_step)
    right = diagonal * a + scale * (ops.matmul(change_change, a) - by_change)
    b = ops.linalg.solve(ops.transpose(upper), right)
    return ops.concatenate([b, -scale * a, ops.reshape(scale, (1,))])


def _compare(arrays, x, trial, before, after, steps, changes):
    """(s, y, products) of a step s and its change of gradient y.

    The products are y with the steps of earlier pairs, s and y with their changes, s.y and y.y.
    """

    def compare(blocks):
        x, trial, before, after, *pairs = blocks
        step, change = trial - x, after - before
        steps, changes = pairs[: len(pairs) // 2], pairs[len(pairs) // 2 :]
        sums = [arrays.dot(earlier, change) for earlier in steps]
        sums += [arrays.dot(earlier, step) for earlier in changes]
        sums += [arrays.dot(earlier, change) for earlier in changes]
        return [step, change], [*sums, arrays.dot(step, change), arrays.dot(change, change)]

    (step, change), sums = arrays.blockwise(compare, [x, trial, before, after, *steps, *changes])
    return step, change, arrays.ops.stack(list(sums))
