"""The loss of a picture that the network sees at once.

It is compiled once for pictures of one shape and terms of one kind: what differs between them, the
terms' `targets` and `shared`, are arguments. Compiling takes seconds, which the next photo of a
folder, frame of a film or picture of a comparison need not wait for.
"""

from collections.abc import Sequence
from typing import Any

from stylize.backend.memoize import kept
from stylize.backend.tensors import LossAndGrads, keras, with_gradient
from stylize.losses.term import Canvas, Term
from stylize.losses.tiles import whole_picture


def whole_loss(canvas: Canvas, terms: Sequence[Term]) -> LossAndGrads:
    """The losses of a combination, whose sum is the loss, and the gradient of that.

    Args:
        canvas: the picture, not cut into tiles.
        terms: of the loss.
    """
    kinds = tuple(term.kind() for term in terms)
    losses = _compiled_losses(canvas.network, canvas.rows, canvas.cols, kinds)
    given = [(term.targets[0], term.shared) for term in terms]
    names = [term.name for term in terms]
    return LossAndGrads(losses, canvas.rows, canvas.cols, names, given)


@kept
def _compiled_losses(network, rows, cols, terms):
    """From a combination and, for each term, its targets and what is shared, to the losses."""
    tile = whole_picture(rows, cols)

    def losses(combination: Any, *given: Any) -> Any:
        features, each = network(combination), zip(terms, given, strict=True)
        return keras.ops.stack(
            [term.value(combination, features, tile, *own) for term, own in each]
        )

    return with_gradient(losses)
