"""Where an optimiser is: the losses at its point, and all that it needs to go on."""

import math
from typing import Any, NamedTuple

from stylize.errors import NonFiniteLoss


class Losses(NamedTuple):
    """The loss and its weighted terms: `total` is their sum."""

    total: float
    content: float
    style: float
    total_variation: float
    neighbors: float = 0.0
    temporal: float = 0.0

    def require_finite(self, grads_are_finite: bool, evaluation: int) -> None:
        """Raises NonFiniteLoss, naming the term, unless every number is finite."""
        for name in self._fields[1:]:
            if not math.isfinite(value := getattr(self, name)):
                raise NonFiniteLoss(
                    f"the {name.replace('_', ' ')} loss became {value} at evaluation "
                    f"{evaluation}; lower its weight"
                )
        if not (math.isfinite(self.total) and grads_are_finite):
            raise NonFiniteLoss(
                f"the gradient became infinite at evaluation {evaluation}; lower the weights"
            )


class Step(NamedTuple):
    """Where an optimiser is, between two of its steps.

    Attributes:
        iterations: finished at this stage.
        evaluations: made at this stage.
        before: the total loss at the end of the last iteration.
        losses: at the optimiser's point; None before it was evaluated.
        state: all that the optimiser needs to go on: arrays, or tensors of the backend, by name,
            `x` among them, a picture or coordinates (see `Preconditioner`). None before the first
            step.
    """

    iterations: int = 0
    evaluations: int = 0
    before: float = math.inf
    losses: Losses | None = None
    state: dict[str, Any] | None = None


NO_STEP = Step()
