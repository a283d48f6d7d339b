"""The term that keeps alike what is alike, with numbers worked out by hand and by NumPy."""

import numpy as np
import pytest
from conftest import smooth_picture
from PIL import Image

import neural_style_transfer as nst
from stylize.backend.tensors import keras
from stylize.losses.similarity import (
    CELLS,
    LAYERS,
    MOST,
    PARTS,
    SMALL,
    VARIED,
    SelfSimilarity,
    cells_of,
    means,
    variety,
)
from stylize.vgg.preprocess import preprocess_image

pytestmark = pytest.mark.usefixtures("eagerly")


def test_means_by_hand():
    by_hand = [[1 / 2, 1 / 2, 0, 0], [0, 0, 1 / 2, 1 / 2]]
    np.testing.assert_allclose(means(4, 2), by_hand)
    by_hand = [[2 / 3, 1 / 3, 0], [0, 1 / 3, 2 / 3]]  # the one in the middle is half in each
    np.testing.assert_allclose(means(3, 2), by_hand, rtol=1e-6)
    by_hand = [[1, 0], [1, 0], [0, 1], [0, 1]]  # a coarse layer has fewer positions than cells
    np.testing.assert_allclose(means(2, 4), by_hand)


# Of the other terms no more than is needed.
SHALLOW = {"content_layers": "block1_conv1", "style_layers": "block1_conv1", "neighbor_weight": 0}


def objective_of(photo, weights, **settings):
    """A job, and the function from a picture of the photo's size to its losses, by the program."""
    own = {"size": photo.height, "scales": 1, "content_colors": "own", "precision": "float32"}
    given = SHALLOW | own | {"similarity_weight": 3.0} | settings
    recipe = nst.RECIPES["neighbors"] | {"edges": given.pop("edges", "zero")}
    job = nst.prepare(photo, photo, recipe, **given)
    return job, nst.stage_objective(job, weights, job.stages[0])


def similarity(objective, x):
    """The term of a picture (rows, cols, 3)."""
    terms, _ = objective(np.asarray(x, np.float64).ravel())
    return dict(zip(objective.names, terms, strict=True))["similarity"]


def weight_of(job, weights):
    """That of the term, for the painting of a job."""
    network = nst.build_network(weights, job.layers)
    return job.level(job.stages[0]).similarity_weight(network)


def apart_by_numpy(network, picture, cells):
    """Cosine distances of a picture's cells: every position is repeated until cells share none."""
    features = network(picture[np.newaxis])
    own = []
    for layer in LAYERS:
        x = keras.ops.convert_to_numpy(features[layer])[0].astype(np.float64)
        for axis, number in enumerate(cells):
            x = np.moveaxis(np.repeat(x, number, axis), axis, 0)
            x = x.reshape(number, -1, *x.shape[1:]).mean(1)
            x = np.moveaxis(x, 0, axis)
        own.append(x.reshape(-1, x.shape[-1]))
    own = np.concatenate(own, axis=-1)
    own /= np.linalg.norm(own, axis=-1, keepdims=True)
    return 1 - own @ own.T


def distances(network, picture, cells, counts=1.0):
    """E of a picture's cells by NumPy."""
    apart = apart_by_numpy(network, picture, cells)
    return apart / np.average(apart, axis=0, weights=np.broadcast_to(counts, len(apart)))


def noisy(job):
    """The photo that a job compares with, and a picture that differs everywhere."""
    base = job.base(job.stages[0])
    return base, base + np.random.default_rng(0).normal(0, 50, base.shape).astype(np.float32)


@pytest.mark.parametrize("tile", ["off", 64])
def test_term_is_what_numpy_finds(tile, small_vgg19):
    photo = Image.fromarray(smooth_picture(100, 150, seed=1))
    job, objective = objective_of(photo, small_vgg19, tile=tile)
    base, x = noisy(job)
    network = nst.build_network(small_vgg19, LAYERS)
    cells = 16, 24  # of 25 x 37 positions
    apart = distances(network, x, cells) - distances(network, base, cells)
    expected = weight_of(job, small_vgg19) * (np.hypot(apart, SMALL) - SMALL).mean()
    assert similarity(objective, x) == pytest.approx(expected, rel=1e-4)


def test_pairs_of_cells_count_as_the_mask_says(small_vgg19):
    photo = Image.fromarray(smooth_picture(64, 96, seed=1))
    kept = np.zeros((64, 96), np.uint8)
    kept[:32], kept[32:, 48:] = 255, 51  # black is painted, white stays as it is
    job, objective = objective_of(photo, small_vgg19, keep_mask=Image.fromarray(kept))
    base, x = noisy(job)
    shown = base + (1 - kept[..., np.newaxis] / np.float32(255)) * (x - base)  # what is compared
    counts = 1 - kept.reshape(16, 4, 24, 4).mean((1, 3)).ravel() / 255
    network = nst.build_network(small_vgg19, LAYERS)
    apart = np.subtract(*(distances(network, own, (16, 24), counts) for own in (shown, base)))
    of_pairs = np.outer(counts, counts) / counts.mean() ** 2
    weight = weight_of(job, small_vgg19) * counts.mean()
    expected = weight * (of_pairs * (np.hypot(apart, SMALL) - SMALL)).mean()
    assert similarity(objective, shown) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("number", [CELLS, PARTS])
@pytest.mark.parametrize("grid", [(12, 12), (25, 37), (100, 140), (100, 178), (14, 200), (4, 3000)])
def test_cells_are_at_most_so_many_and_no_more_than_positions(grid, number):
    down, across = cells_of(*grid, number)
    assert number / 2 < down * across <= number or (down, across) == grid
    assert down <= grid[0]
    assert across <= grid[1]
    assert cells_of(*grid[::-1], number) == (across, down)  # upright, it is cut alike


def test_photo_itself_has_no_loss(small_vgg19):
    photo = Image.fromarray(smooth_picture(48, 64, seed=1))
    job, objective = objective_of(photo, small_vgg19)
    assert similarity(objective, job.base(job.stages[0])) == pytest.approx(0, abs=1e-5)


def test_weight_grows_with_how_varied_a_painting_is(small_vgg19):
    """What looks the same all over has no forms that could stray into a sky."""
    rng = np.random.default_rng(0)
    grain = rng.integers(0, 256, (240, 320, 3), np.uint8)
    varied = grain.copy()
    varied[:, 160:] = smooth_picture(240, 160, seed=3)
    network = nst.build_network(small_vgg19, LAYERS)
    found = []
    for painting in (grain, varied):
        picture = preprocess_image(Image.fromarray(painting))
        apart = apart_by_numpy(network, picture, (3, 4)).mean()
        expected = min(MOST, (apart / VARIED) ** 2)
        found.append(variety(network, picture))
        assert found[-1] == pytest.approx(expected, rel=1e-3)
    assert found[1] > 2 * found[0]


def test_paintings_weigh_by_their_shares(small_vgg19):
    photo = Image.fromarray(smooth_picture(48, 64, seed=1))
    grain = Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8))
    weights = []
    for styles, blend in (([photo], [1]), ([grain], [1]), ([photo, grain], [1, 3])):
        given = SHALLOW | {"size": 48, "style_blend": blend, "similarity_weight": 2.0}
        job = nst.prepare(photo, styles, **given)
        weights.append(weight_of(job, small_vgg19))
    assert weights[2] == pytest.approx((weights[0] + 3 * weights[1]) / 4)


def test_strength_gives_it_the_weight_of_what_holds_the_photo(small_vgg19):
    photo = Image.fromarray(smooth_picture(48, 64, seed=1))
    found = []
    for strength in (0.3, 0.5):
        job, objective = objective_of(photo, small_vgg19, strength=strength)
        found.append(similarity(objective, noisy(job)[1]))
    assert found[0] == pytest.approx(1.4**2 * found[1], rel=1e-3)


def test_where_all_is_alike_the_loss_is_finite(small_vgg19):
    photo = Image.fromarray(np.full((48, 64, 3), 128, np.uint8))
    job, objective = objective_of(photo, small_vgg19, edges="replicate")  # or borders would differ
    for x in (job.base(job.stages[0]), noisy(job)[1]):
        terms, gradient = objective(x.astype(np.float64).ravel())
        assert np.isfinite(terms).all()
        assert np.isfinite(gradient).all()


def test_tiles_keep_only_their_own_part(small_vgg19):
    photo = Image.fromarray(smooth_picture(100, 150, seed=1))
    job, _ = objective_of(photo, small_vgg19, tile=64)
    level = job.level(job.stages[0])
    network = nst.build_network(small_vgg19, job.layers)
    term = SelfSimilarity(level.canvas(network, None), level.base, 1.0)
    for targets in term.targets:
        for shares in targets.values():
            assert all(share.base is None or share.base.size == share.size for share in shares)


def test_without_a_weight_there_is_no_such_term(small_vgg19):
    photo = Image.fromarray(smooth_picture(48, 64, seed=1))
    job = nst.prepare(photo, photo, "pyramid", size=48, scales=1)
    assert "similarity" not in nst.stage_objective(job, small_vgg19, job.stages[0]).names
