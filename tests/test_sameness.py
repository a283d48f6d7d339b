"""The same bits every time: at a size where the backend might save memory, on a busy machine.

Below 200 rows TensorFlow rewrites no sums (see `stylize/backend/frameworks.py`), and nothing here
could fail.
"""

import numpy as np
import pytest
from conftest import random_weights, smooth_picture
from PIL import Image
from sameness import busy_cores

import neural_style_transfer as nst
import stylize.vgg.weights as vgg19
from stylize.images.writing import save_image
from stylize.runs import checkpoint, metadata
from stylize.runs.job import prepare
from stylize.runs.settings import SETTINGS

pytestmark = pytest.mark.timeout(600)  # half a minute of work, more where cores are busy
ROWS = 400


@pytest.fixture
def vgg19_of_one_wide_layer(small_vgg19, monkeypatch):
    """A small VGG19 but for its first layer: quick, and more memory than TensorFlow takes it for.

    With 64 channels there it would rewrite nothing.
    """
    wide = vgg19.CONVOLUTIONS | {"block1_conv1": (3, 96), "block1_conv2": (96, 4)}
    monkeypatch.setattr(vgg19, "CONVOLUTIONS", wide)
    return random_weights(wide)


@pytest.fixture
def pictures(tmp_path):
    """The paths of a photo and a painting."""
    paths = [tmp_path / "photo.png", tmp_path / "painting.png"]
    for seed, path in enumerate(paths):
        Image.fromarray(smooth_picture(ROWS, ROWS, seed)).save(path)
    return paths


@pytest.mark.parametrize("recipe", ["keras", "neighbors"])
def test_gradient_is_the_same_ten_times(recipe, pictures, vgg19_of_one_wide_layer):
    job = prepare(*pictures, recipe, size=ROWS)
    stage = job.stages[-1]
    objective = nst.stage_objective(job, vgg19_of_one_wide_layer, stage)
    x = job.start(stage)[np.newaxis]
    losses, gradient = objective(x)
    with busy_cores():
        others = [objective(x) for _ in range(9)]
    for losses_again, again in others:
        np.testing.assert_array_equal(losses_again, losses)
        np.testing.assert_array_equal(again, gradient)


class Losses(nst.Progress):
    """Keeps the total of every evaluation."""

    def __init__(self):
        super().__init__()
        self.totals = []

    def on_evaluation(self, event):
        super().on_evaluation(event)
        self.totals.append(event.losses.total)


def test_run_is_the_same_again_killed_three_times_and_like_its_record(
    pictures, vgg19_of_one_wide_layer, tmp_path
):
    def painted(settings, **more):
        job = prepare(*pictures, settings["recipe"], 1, **settings["settings"])
        losses = Losses()
        last = nst.paint(job, vgg19_of_one_wide_layer, losses, **more)
        return job, np.asarray(last.image), losses.totals

    kept = []
    given = {"recipe": "pyramid", "settings": {"size": ROWS, "iterations": 5, "scales": 1}}
    job, whole, totals = painted(given, keep=kept.append)
    record = metadata.make_record(job, vgg19_of_one_wide_layer, pictures[0], pictures[1:])
    save_image(whole, tmp_path / "r.png", description=metadata.to_text(record))

    like = metadata.read_record(tmp_path / "r.png")
    settings = metadata.settings_like(like, dict.fromkeys(SETTINGS), "r.png")
    _, again, totals_again = painted({"recipe": like["recipe"], "settings": settings})
    assert totals_again == totals
    np.testing.assert_array_equal(again, whole)

    state = checkpoint.StateFile(tmp_path / "state.npz", record, job.stages)
    for killed_after in range(3):  # each run gets one iteration further than the last
        state.keep(kept[killed_after])
        state.write()
        rest = []
        left = checkpoint.StateFile(tmp_path / "state.npz", record, job.stages).load()
        _, resumed, totals_left = painted(given, checkpoint=left, keep=rest.append)
        kept[killed_after + 1 :] = rest
        assert totals_left and totals_left == totals[-len(totals_left) :]
        np.testing.assert_array_equal(resumed, whole)
