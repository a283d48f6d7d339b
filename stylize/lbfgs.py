"""L-BFGS in float32 for values that are kept within bounds: steps are projected, not constrained.

SciPy's L-BFGS-B solves a problem with bounds at every step, in float64. Pixels want less: most are
free, and where one lies at a bound and the loss would push it further out, it stays for that step.
"""

from collections.abc import Callable

import numpy as np

SUFFICIENT_DECREASE = 1e-4  # of what the slope promises (Armijo)
SHORTEST, LONGEST = 0.1, 0.5  # what a line search may shorten a step to, at once
LINE_SEARCH = 8  # steps tried along one direction, at most
CURVATURE = 1e-10  # s.y in y.y, below which a pair tells nothing


class ProjectedLBFGS:
    """One point, its loss and gradient, and the steps that led there.

    A step is x <- clip(x - t H g), where H is the L-BFGS matrix of the last pairs of steps s and
    changes of gradient y, on the free values only, and t = 1 where that lowers the loss enough. The
    first step of all is as long as `first_step` says, since nothing is known of the scale yet.

    Args:
        x: the start, a flat vector; it is clipped.
        low, high: bounds of each value, or two numbers.
        pairs: how many to remember.
        first_step: root mean square of the first step.

    Attributes:
        x, gradient: float32 vectors.
        loss: a float.
        steps, changes: lists of float32 vectors, the oldest first.
    """

    def __init__(
        self,
        x: np.ndarray,
        low: np.ndarray | float,
        high: np.ndarray | float,
        pairs: int = 10,
        first_step: float = 4.0,
    ):
        self.low, self.high = np.float32(low), np.float32(high)
        self.x = np.clip(x.astype(np.float32), self.low, self.high)
        self.pairs, self.first_step = pairs, first_step
        self.steps: list[np.ndarray] = []
        self.changes: list[np.ndarray] = []
        self.loss, self.gradient = np.inf, np.zeros_like(self.x)

    def start(self, evaluate: Callable[[np.ndarray], tuple[float, np.ndarray]]) -> None:
        """Evaluates the start."""
        self.loss, self.gradient = evaluate(self.x)

    def step(
        self, evaluate: Callable[[np.ndarray], tuple[float, np.ndarray]], evaluations: int
    ) -> bool:
        """Moves to a lower point; False, and nothing changes, where none is found.

        Args:
            evaluate: from x to (loss, gradient, float32).
            evaluations: at most so many, at least 1.
        """
        direction = self._direction()
        if not self.steps:
            rms = float(np.sqrt(np.mean(np.square(direction)))) or 1.0
            length = self.first_step / rms
        else:
            length = 1.0
        for _ in range(min(evaluations, LINE_SEARCH)):
            trial = np.clip(self.x + np.float32(length) * direction, self.low, self.high)
            moved = trial - self.x
            slope = float(np.dot(self.gradient, moved))
            if not slope < 0:
                return False
            loss, gradient = evaluate(trial)
            if loss < self.loss and loss <= self.loss + SUFFICIENT_DECREASE * slope:
                self._remember(moved, gradient - self.gradient)
                self.x, self.loss, self.gradient = trial, loss, gradient
                return True
            # The parabola through both losses and the slope has its minimum there.
            best = -slope / (2 * max(loss - self.loss - slope, 1e-30))
            length *= min(LONGEST, max(SHORTEST, best))
        return False

    def forget(self) -> None:
        """Forgets the steps, so that the next is along the gradient."""
        self.steps, self.changes = [], []

    def _direction(self):
        """-H g on the values that are free, 0 on those that are held at a bound.

        Source: Nocedal and Wright, "Numerical Optimization" (2006), algorithm 7.4 (two loops).
        """
        held = (self.x <= self.low) & (self.gradient > 0)
        held |= (self.x >= self.high) & (self.gradient < 0)
        free = np.float32(1) - held
        direction, weights = -self.gradient * free, []
        pairs = list(zip(self.steps, self.changes, strict=True))
        for step, change in reversed(pairs):
            weights.append(np.dot(step, direction) / np.dot(step, change))
            direction -= weights[-1] * change
        if pairs:
            step, change = pairs[-1]
            direction *= np.dot(step, change) / np.dot(change, change)
        for (step, change), weight in zip(pairs, reversed(weights), strict=True):
            direction += (weight - np.dot(change, direction) / np.dot(step, change)) * step
        direction *= free
        if pairs and not np.dot(self.gradient, direction) < 0:
            self.forget()
            return -self.gradient * free
        return direction

    def _remember(self, step, change):
        if np.dot(step, change) > CURVATURE * np.dot(change, change):
            self.steps = [*self.steps, step][-self.pairs :]
            self.changes = [*self.changes, change][-self.pairs :]
