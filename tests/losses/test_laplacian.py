"""The term that holds edges, with numbers worked out by hand and by SciPy."""

import numpy as np
import pytest
import scipy.ndimage
from conftest import smooth_picture
from PIL import Image

import neural_style_transfer as nst
from stylize.backend.tensors import keras
from stylize.losses.laplacian import POOLED, laplacian


def test_laplacian_by_hand():
    x = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 2]], np.float32)[None, ..., None]
    expected = [[0, 1, 0], [1, -4, 3], [0, 3, -4]]  # what lies outside is the edge once more
    found = keras.ops.convert_to_numpy(laplacian(x))[0, ..., 0]
    np.testing.assert_array_equal(found, expected)


pytestmark = pytest.mark.usefixtures("eagerly")
# Of the network no more than is needed: what it sees is nothing to this term.
SHALLOW = {"content_layers": "block1_conv1", "style_layers": "block1_conv1", "neighbor_weight": 0}


def loss_of_edges(photo, x, small_vgg19, **more):
    """The term of a picture x (rows, cols, 3) against a photo of its size, by the program."""
    settings = {"size": len(x), "scales": 1, "content_colors": "own", "laplacian_weight": 3.0}
    job = nst.prepare(photo, photo, "neighbors", **settings | SHALLOW | more)
    objective = nst.stage_objective(job, small_vgg19, job.stages[0])
    terms, _ = objective(x.astype(np.float64).ravel())
    return dict(zip(objective.names, terms, strict=True))["laplacian"]


@pytest.mark.parametrize("tile", ["off", 64])
def test_term_is_what_scipy_finds(tile, small_vgg19):
    photo = Image.fromarray(smooth_picture(150, 170, seed=1))
    x = np.random.default_rng(0).normal(0, 50, (150, 170, 3)).astype(np.float32)
    job = nst.prepare(photo, photo, "keras", size=150)
    base = job.base(job.stages[0])
    expected = 0.0
    for p in POOLED:
        edges = []
        for picture in (x, base):
            gray = picture.sum(-1, dtype=np.float64)[: 150 // p * p, : 170 // p * p]
            means = gray.reshape(150 // p, p, 170 // p, p).mean((1, 3))
            edges.append(scipy.ndimage.laplace(means, mode="nearest"))
        expected += 3.0 * np.mean(np.square(edges[0] - edges[1]))
    found = loss_of_edges(photo, x, small_vgg19, tile=tile, init="base")
    assert found == pytest.approx(expected, rel=1e-4)


def test_photo_itself_has_no_loss(small_vgg19):
    photo = Image.fromarray(smooth_picture(48, 64, seed=1))
    job = nst.prepare(photo, photo, "neighbors", size=48, scales=1, content_colors="own")
    base = job.base(job.stages[0])
    assert loss_of_edges(photo, base, small_vgg19) == pytest.approx(0, abs=1e-6)
    assert loss_of_edges(photo, base + 9, small_vgg19) == pytest.approx(0, abs=1e-3)


def test_without_a_weight_there_is_no_such_term(small_vgg19):
    photo = Image.fromarray(smooth_picture(48, 64, seed=1))
    job = nst.prepare(photo, photo, size=48, scales=1)
    assert "laplacian" not in nst.stage_objective(job, small_vgg19, job.stages[0]).names


def test_tiles_are_wide_enough_for_the_term_itself(small_vgg19):
    """Whatever layers are compared: those here see less around a tile than the term does."""
    photo = Image.fromarray(smooth_picture(150, 170, seed=1))
    x = np.random.default_rng(0).normal(0, 50, (150, 170, 3)).astype(np.float32)
    whole, tiled = (loss_of_edges(photo, x, small_vgg19, tile=tile) for tile in ("off", 72))
    assert tiled == pytest.approx(whole, rel=1e-5)
