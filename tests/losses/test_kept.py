"""A part of the photo that is kept: in the losses, in the result, with tiles and in films."""

import functools

import numpy as np
import pytest
import scipy.optimize
from conftest import small_weights, smooth_picture
from PIL import Image

import neural_style_transfer as nst
from stylize.backend.tensors import keras
from stylize.errors import InputError
from stylize.images.optical_flow import Previous
from stylize.images.resize import resize_image
from stylize.losses.kept import KeptLossAndGrads, KeptPhoto
from stylize.losses.matching import find_neighbors
from stylize.runs import level as levels
from stylize.runs.job import prepare
from stylize.vgg.preprocess import preprocess_image

ROWS, COLS = 40, 48
LAYERS = {"content_layers": ["block2_conv1"], "style_layers": ["block1_conv1"]}  # soon compiled


@pytest.fixture
def mask():
    """White on the left, black on the right, soft in the middle."""
    ramp = np.linspace(2, -1, COLS).clip(0, 1)
    return np.tile((255 * ramp).round().astype(np.uint8), (ROWS, 1))


class Square:
    """The sum of squares, as an objective has it."""

    shape, names = (1, ROWS, COLS, 3), ("content",)

    def __call__(self, x):
        return np.array([np.sum(np.square(x))]), 2 * x

    def on_device(self, x):
        return keras.ops.sum(keras.ops.square(x)), 2 * x


def test_loss_is_that_of_the_photo_laid_over_and_the_gradient_fits(mask):
    rng = np.random.default_rng(0)
    photo, x = rng.normal(0, 1, (2, ROWS, COLS, 3)).astype(np.float32)
    painted = (1 - mask / 255).astype(np.float32)
    objective = KeptLossAndGrads(Square(), KeptPhoto(photo, painted))
    share = painted[..., np.newaxis].astype(float)
    (loss,), gradient = objective(x.ravel())
    assert loss == pytest.approx(np.sum(np.square((1 - share) * photo + share * x)), rel=1e-5)
    slope = functools.partial(scipy.optimize.approx_fprime, epsilon=1e-4)
    some = rng.choice(x.size, 20, replace=False)

    def at(values):
        changed = x.astype(float).ravel()
        changed[some] = values
        return objective(changed)[0][0]

    np.testing.assert_allclose(gradient[some], slope(x.ravel()[some].astype(float), at), atol=1e-2)
    on_device = objective.on_device(keras.ops.convert_to_tensor(x[np.newaxis]))
    assert float(on_device[0]) == pytest.approx(loss, rel=1e-5)
    found = keras.ops.convert_to_numpy(on_device[1]).ravel()
    np.testing.assert_allclose(found, gradient, rtol=1e-5)


@pytest.mark.usefixtures("evaluated_once")
@pytest.mark.parametrize(
    "options",
    [
        {"recipe": "neighbors"},
        {"recipe": "pyramid", "size": 60, "tile": 32, "scales": 1, "precision": "float32"} | LAYERS,
        {"recipe": "keras"},
        {"recipe": "johnson"},
        {"recipe": "athalye", "init": "noise", "preserve_colors": "luma"},
    ],
    ids=lambda options: options["recipe"],
)
def test_white_is_the_photo_itself_and_black_is_painted(
    options, mask, photo, painting, small_vgg19
):
    given = {"iterations": 1, "evaluations_per_iteration": 5} | {"size": "own"} | options
    styles = [painting, painting[::-1]]
    result = nst.style_transfer(photo, styles, weights=small_vgg19, keep_mask=mask, **given)
    job = prepare(photo, painting, size=given["size"])
    resample = prepare(photo, painting, given["recipe"]).settings.resample
    rows = job.stages[-1].rows
    cols = job.stages[-1].cols
    expected = np.asarray(resize_image(nst.load_image(photo), rows, cols, resample), float)
    apart = np.abs(np.asarray(result, float) - expected)
    where = np.asarray(Image.fromarray(mask).resize((cols, rows), Image.Resampling.BILINEAR))
    assert not apart[where == 255].any()
    assert apart[where == 0].mean() > 0.1
    assert apart[where == 0].mean() > apart[(where > 0) & (where < 255)].mean()


def terms_of(x, photo, painting, weights, recipe, **settings):
    """Term -> its value and its gradient at x, where the photo may be kept."""
    settings = {"size": "own", "scales": 1, "precision": "float32"} | settings
    job = prepare(photo, painting, recipe, **settings)
    (stage,) = job.stages
    level = job.level(stage)
    objective = level.keeping(nst.stage_objective(job, weights, stage, x, level))
    terms, gradient = objective(x.ravel())
    return dict(zip(objective.names, terms, strict=True)), gradient.reshape(x.shape)


@pytest.mark.usefixtures("evaluated_once")
def test_content_and_style_are_those_of_what_is_painted(photo, painting, mask, small_vgg19):
    """Content by the mask's negative, style by the painted share of all that a style is."""
    half = (mask > 127).astype(np.uint8) * 255
    x = preprocess_image(photo) + 20
    given = {"photo": photo, "painting": painting, "weights": small_vgg19, "recipe": "keras"}
    kept, gradient = terms_of(x, **given, keep_mask=half)
    whole = np.where(half[..., np.newaxis], preprocess_image(photo), x)
    others = {"style_masks": [255 - half], "content_mask": 255 - half}
    expected, _ = terms_of(whole, **given, **others)
    assert kept["content"] == pytest.approx(expected["content"], rel=1e-4)
    assert kept["style"] == pytest.approx(np.mean(half == 0) * expected["style"], rel=1e-4)
    assert not gradient[half == 255].any()
    assert gradient[half == 0].any()


@pytest.mark.usefixtures("evaluated_once")
def test_a_painted_pixel_counts_as_it_would_without_a_mask(photo, painting, small_vgg19):
    """Not more because there are fewer of them: a photo beside itself, one of them kept."""
    pair = np.hstack([photo, photo])
    x = preprocess_image(pair) + 20
    mask = np.zeros(pair.shape[:2], np.uint8)
    mask[:, COLS:] = 255
    layers = {"style_layers": ["block1_conv1"], "content_weight": 0, "tv_weight": 0}
    given = {"painting": painting, "weights": small_vgg19, "recipe": "keras", **layers}
    _, gradient = terms_of(x, pair, **given, keep_mask=mask)
    _, expected = terms_of(x, pair, **given)
    inside = np.s_[4:-4, 4 : COLS - 4]
    apart = np.linalg.norm(gradient[inside] - expected[inside])
    assert apart < 0.05 * np.linalg.norm(expected[inside])


@pytest.mark.usefixtures("evaluated_once")
def test_neighbors_are_looked_up_where_it_is_painted(
    photo, painting, mask, small_vgg19, monkeypatch
):
    seen = []

    def find(network, base, x, styles, content, turns, tile, where, scratch):
        seen.append((x, where))
        return find_neighbors(network, base, x, styles, content, turns, tile, where, scratch)

    monkeypatch.setattr(levels, "find_neighbors", find)
    x = preprocess_image(255 - photo)
    terms, gradient = terms_of(x, photo, painting, small_vgg19, "neighbors", keep_mask=mask)
    ((looked_at, where),) = seen
    np.testing.assert_array_equal(where == 0, mask == 255)
    np.testing.assert_array_equal(looked_at[mask == 255], preprocess_image(photo)[mask == 255])
    np.testing.assert_array_equal(looked_at[mask == 0], x[mask == 0])
    assert terms["neighbors"] > 0 and not gradient[mask == 255].any()


@pytest.mark.usefixtures("evaluated_once")
def test_frames_keep_what_is_theirs(photo, painting, mask, small_vgg19):
    given = {"size": "own", "iterations": 1, "keep_mask": mask, "evaluations_per_iteration": 3}
    job = prepare(photo, painting, **given)
    frame = photo[::-1].copy()
    before = preprocess_image(smooth_picture(ROWS, COLS, 5))
    hold = np.ones((ROWS, COLS), np.float32)
    hold[:, -9:] = 0
    following = job.frame(Image.fromarray(frame), Previous(before, hold))
    pixels = nst.paint(following, small_vgg19).rounded()
    np.testing.assert_array_equal(pixels[mask == 255], frame[mask == 255])
    assert (pixels[mask == 0] != frame[mask == 0]).any()


@pytest.mark.usefixtures("evaluated_once")
def test_speck_that_small_sizes_lose_is_painted_at_the_last(photo, painting):
    """Nothing is left to paint at the smaller sizes, and nothing fails there."""
    mask = np.full((80, 96), 255, np.uint8)
    mask[40, 40] = 254
    large = np.asarray(Image.fromarray(photo).resize((96, 80)))
    for recipe in ("neighbors", "pyramid"):
        given = {"size": "own", "scales": 2, "iterations": 1, "keep_mask": mask, **LAYERS}
        job = prepare(large, painting, recipe, 5, **given)
        assert not job.level(job.stages[0]).painted.any()
        assert job.level(job.stages[-1]).painted.any()
        pixels = nst.paint(job, small_weights()).rounded()
        np.testing.assert_array_equal(pixels[mask == 255], large[mask == 255])


def test_mask_that_leaves_nothing_to_paint_is_refused(photo, painting):
    white = np.full((ROWS, COLS), 255, np.uint8)
    with pytest.raises(InputError, match="all white, so nothing would be painted; paint bl"):
        prepare(photo, painting, keep_mask=white)
    with pytest.raises(InputError, match="all black; paint white where it should apply"):
        prepare(photo, painting, keep_mask=255 - white)
