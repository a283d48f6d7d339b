"""The recipes that are other programs' objectives, against what those programs print.

The numbers are those of github.com/ProGamerGov/neural-style-pt (commit 7251405), run on these
pictures and this network, its channels made as few:

    neural_style.py -content_image photo.png -style_image painting.png -image_size 48 -gpu c \
        -model_file vgg19small.pth -disable_check -init image -num_iterations 12 -print_iter 1
"""

import pytest

import neural_style_transfer as nst
from stylize.job import prepare
from stylize.progress import Progress


class Totals(Progress):
    """Remembers every evaluation's loss."""

    def __init__(self):
        super().__init__()
        self.totals = []

    def on_evaluation(self, evaluation):
        super().on_evaluation(evaluation)
        self.totals.append(evaluation.losses.total)


def losses_of(weights, photo, painting, evaluations, **given):
    """The loss at each evaluation, at one size, from the photo."""
    totals = Totals()
    given = {"scales": 1, "iterations": 1, "init": "base"} | given
    nst.paint(prepare(photo, painting, given.pop("recipe"), evaluations, **given), weights, totals)
    return totals.totals


@pytest.mark.parametrize(
    ("size", "style_scale", "start", "after_five"),
    [(48, 1.0, 23026488, 1245482.1), (37, 0.7, 32224236, 1814411.5)],
)
def test_johnson_is_neural_style_pt(
    size, style_scale, start, after_five, small_vgg19, photo, painting
):
    """Its first step is so short that rounding shows in the later ones."""
    given = {"size": size, "style_scale": style_scale, "optimizer": "torch"}
    losses = losses_of(small_vgg19, photo, painting, 6, recipe="johnson", **given)
    assert losses[0] == pytest.approx(start, rel=1e-5)
    assert losses[5] == pytest.approx(after_five, rel=0.03)
