"""The recipes that are other programs' objectives, against what those programs print.

The numbers are those of github.com/ProGamerGov/neural-style-pt (commit 7251405), run on these
pictures and this network, its channels made as few:

    neural_style.py -content_image photo.png -style_image painting.png -image_size 48 -gpu c \
        -model_file vgg19small.pth -disable_check -init image -num_iterations 12 -print_iter 1

and those of github.com/crowsonkb/style-transfer-pytorch (commit e7e2c71), called from Python with
the same pictures, its VGG19 replaced by this network:

    StyleTransfer().stylize(photo, [painting], min_scale=48, end_scale=48, initial_iterations=21)
"""

import numpy as np
import pytest

import neural_style_transfer as nst
from stylize.backend.tensors import keras
from stylize.losses import roughness
from stylize.losses.tiles import whole_picture
from stylize.runs.job import prepare
from stylize.runs.progress import Progress
from stylize.vgg.layers import replicate_edges


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


@pytest.mark.parametrize(
    ("size", "style_scale", "start", "after_ten", "after_twenty"),
    [(48, 1.0, 403.1886, 50.1087, 10.1648), (37, 0.7, 523.2070, 52.0506, 11.7090)],
)
def test_crowson_is_style_transfer_pytorch(
    size, style_scale, start, after_ten, after_twenty, small_vgg19, photo, painting
):
    given = {"size": size, "style_scale": style_scale, "optimizer": "adam"}
    losses = losses_of(small_vgg19, photo, painting, 20, recipe="crowson", **given)
    assert losses[0] == pytest.approx(start, rel=1e-4)
    assert losses[10] == pytest.approx(after_ten, rel=0.02)
    assert losses[20] == pytest.approx(after_twenty, rel=0.02)


def padded(x):
    return np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)], mode="edge")


def test_replicated_edges_are_numpys():
    x = np.random.default_rng(0).normal(size=(2, 4, 5, 3)).astype("float32")
    replicated = keras.ops.convert_to_numpy(replicate_edges(keras.ops.array(x)))
    np.testing.assert_array_equal(replicated, padded(x))


def test_absolute_variation_of_a_ramp():
    """Down 2, right 5, at 3 x 6 and 4 x 5 pairs of pixels with 3 channels each."""
    ramp = 2 * np.arange(4.0)[:, None] + 5 * np.arange(6.0)
    x = keras.ops.array(np.stack([ramp] * 3, axis=-1)[None], "float32")
    assert float(roughness.absolute_variation(x)) == 3 * (2 * 3 * 6 + 5 * 4 * 5)


def test_nine_point_variation_is_the_loop():
    """Over all pixels and their eight neighbours, of the picture with its edges replicated."""
    rows, cols = 4, 6
    x = np.random.default_rng(0).uniform(0, 255, (1, rows, cols, 3))
    around = padded(x)[0] / 255  # one pixel further in both directions
    near = far = 0.0
    for i in range(rows + 1):
        for j in range(cols + 1):
            if i > 0 and j > 0:
                near += np.sum((around[i + 1, j] - around[i, j]) ** 2)
                near += np.sum((around[i, j + 1] - around[i, j]) ** 2)
            far += np.sum((around[i + 1, j + 1] - around[i, j]) ** 2)
            far += np.sum((around[i + 1, j] - around[i, j + 1]) ** 2)
    near_mean, far_mean = near / (3 * rows * cols), far / (3 * (rows + 1) * (cols + 1))
    whole = whole_picture(rows, cols)
    found = roughness.nine_point_variation(keras.ops.array(x, "float32"), whole, (rows, cols))
    assert float(found) == pytest.approx(2 * (near_mean / 3 + far_mean / 12), rel=1e-5)


def test_features_at_replicated_edges_are_those_of_the_padded_picture(small_vgg19, photo):
    x = photo[None].astype("float32")
    wider = nst.build_network(small_vgg19, ["block1_conv1"]).predict_on_batch(padded(x))
    network = nst.build_network(small_vgg19, ["block1_conv1"], edges="replicate")
    found, expected = network.predict_on_batch(x), wider["block1_conv1"][:, 1:-1, 1:-1]
    np.testing.assert_allclose(found["block1_conv1"], expected, rtol=1e-5, atol=1e-3)
