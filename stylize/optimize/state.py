"""Where an optimiser is: the losses at its point, and all that it needs to resume."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from stylize.backend import tensors
from stylize.errors import NonFiniteLoss
from stylize.losses.term import Term


@dataclasses.dataclass(frozen=True)
class Losses:
    """The loss and its terms.

    Terms are attributes too, as in `losses.total_variation`; one that the loss lacks is 0.

    Attributes:
        total: their sum.
        terms: name -> weighted value.
    """

    total: float
    terms: Mapping[str, float]

    def __getattr__(self, name: str) -> float:
        if name not in Term.columns:
            raise AttributeError(f"the loss has no term {name!r}")
        return self.terms.get(name, 0.0)

    def as_dict(self) -> dict[str, float]:
        """Returns total and terms in one dictionary, as records have them."""
        return {"total": self.total, **self.terms}

    def require_finite(self, grads_are_finite: bool, evaluation: int, x: Any) -> None:
        """Raises NonFiniteLoss, naming the term, unless every number is finite.

        Args:
            grads_are_finite: whether the gradient is.
            evaluation: its number.
            x: the picture it was computed from; if that is not finite, no weight is to blame.
        """
        if math.isfinite(self.total) and grads_are_finite:
            return
        if not tensors.is_finite(x):
            raise NonFiniteLoss(
                f"the picture has NaN or infinite values at evaluation {evaluation}; check the "
                "array that it began with, or lower the weights or the learning rate"
            )
        for name, value in self.terms.items():
            if not math.isfinite(value):
                raise NonFiniteLoss(
                    f"the {name.replace('_', ' ')} loss became {value} at evaluation "
                    f"{evaluation}; lower its weight"
                )
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
        state: all that the optimiser needs to resume: arrays, or tensors of the backend, by name,
            `x` among them, a picture or coordinates (see `Preconditioner`). None before the first
            step.
    """

    iterations: int = 0
    evaluations: int = 0
    before: float = math.inf
    losses: Losses | None = None
    state: dict[str, Any] | None = None


NO_STEP = Step()
