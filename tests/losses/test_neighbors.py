"""Neighbours of features. The oracles are NumPy, place by place, and finite differences."""

import functools

import numpy as np
import pytest
from conftest import numpy_cosines, small_weights
from PIL import Image
from scipy.ndimage import gaussian_filter

import neural_style_transfer as nst
from stylize.backend.tensors import LossAndGrads, keras, with_gradient
from stylize.images import detail
from stylize.losses import hypercolumns, matching, search
from stylize.losses.matching import Candidates
from stylize.losses.style import Painting

CHANNELS = 3


def random_features(rows, cols, seed=0):
    """As VGG19 has them for a picture of so many rows and columns, with few channels."""
    rng = np.random.default_rng(seed)
    features = {}
    for layer in hypercolumns.HYPERCOLUMN_LAYERS:
        halvings = int(layer[5]) - 1
        shape = (1, rows >> halvings, cols >> halvings, CHANNELS)
        features[layer] = rng.random(shape).astype(np.float32)
    return features


def numpy_hypercolumn(features, i, j):
    """Of the place at row i and column j of the grid."""
    parts = []
    for layer in hypercolumns.HYPERCOLUMN_LAYERS:
        f = features[layer][0].astype(float)
        if (step := 4 >> (int(layer[5]) - 1)) >= 1:
            parts.append(f[i * step : (i + 1) * step, j * step : (j + 1) * step].mean((0, 1)))
        else:
            rows, cols = features[hypercolumns.GRID_LAYER].shape[1:3]
            parts.append(numpy_bilinear(f, (i + 0.5) / rows, (j + 0.5) / cols))
    return np.concatenate(parts)


def numpy_bilinear(f, y, x):
    """The value of f at (y, x), 0..1 of its sides, between the centres of its cells."""
    rows, cols, _ = f.shape
    y, x = (np.clip(p * n - 0.5, 0, n - 1) for p, n in ((y, rows), (x, cols)))
    top, left = (min(int(p), max(n - 2, 0)) for p, n in ((y, rows), (x, cols)))
    below, right = min(top + 1, rows - 1), min(left + 1, cols - 1)
    v, u = y - top, x - left
    upper = (1 - u) * f[top, left] + u * f[top, right]
    lower = (1 - u) * f[below, left] + u * f[below, right]
    return (1 - v) * upper + v * lower


@pytest.mark.parametrize("size", [(16, 24), (23, 37), (33, 16)])
def test_hypercolumns_against_numpy(size):
    features = random_features(*size)
    rows, cols = features[hypercolumns.GRID_LAYER].shape[1:3]
    columns = np.concatenate(hypercolumns.hypercolumns(features), axis=-1)
    assert columns.shape == (rows * cols, 8 * CHANNELS)
    for i, j in [(0, 0), (rows - 1, cols - 1), (rows // 2, cols // 3)]:
        np.testing.assert_allclose(
            columns[i * cols + j], numpy_hypercolumn(features, i, j), rtol=1e-5, atol=1e-6
        )


@pytest.fixture
def columns():
    """(queries, candidates), of places and channels."""
    rng = np.random.default_rng(1)
    return rng.normal(size=(150, 20)).astype(np.float32), rng.normal(size=(90, 20)).astype("f")


def test_loss_against_numpy(columns):
    queries, candidates = columns
    targets = candidates / np.linalg.norm(candidates, axis=1, keepdims=True)
    own = queries[:90]
    expected = np.sum(1 - np.diag(numpy_cosines(own, targets)))
    assert float(nst.neighbor_loss([own], [targets])) == pytest.approx(expected, rel=1e-5)
    parts = np.split(own, [3, 11], axis=1), np.split(targets, [3, 11], axis=1)
    assert float(nst.neighbor_loss(*parts)) == pytest.approx(expected, rel=1e-5)
    assert float(nst.neighbor_loss([3 * targets], [targets])) == pytest.approx(0, abs=1e-4)


def test_gradient_of_the_loss_against_finite_differences():
    """Through the hypercolumns, of a picture that is its own features."""
    rng = np.random.default_rng(2)
    targets = np.split(search.unit(rng.random((4 * 5, 24)).astype(np.float32)), 8, axis=1)

    def losses(x):
        halved = {
            block: keras.ops.average_pool(x, 2**block, 2**block) if block else x
            for block in range(4)
        }
        features = {layer: halved[int(layer[5]) - 1] for layer in hypercolumns.HYPERCOLUMN_LAYERS}
        columns = hypercolumns.hypercolumns(features)
        return keras.ops.stack([1000 * nst.neighbor_loss(columns, targets)])

    objective = LossAndGrads(with_gradient(losses), 16, 20)
    x = rng.normal(0, 1, 16 * 20 * 3)
    _, grads = objective(x)
    for direction in (grads, rng.normal(size=x.size)):
        step = 0.05 * direction / np.linalg.norm(direction)
        difference = objective(x + step)[0] - objective(x - step)[0]
        assert difference.item() / 2 == pytest.approx(grads @ step, rel=0.01)


def test_match_takes_the_nearest_centred_column_as_it_is(columns):
    queries, candidates = (np.abs(c) for c in columns)
    style = Candidates(candidates, np.ones(150))
    targets = keras.ops.convert_to_numpy(matching.match(queries, [style]))
    nearest = numpy_cosines(queries, candidates - candidates.mean(0)).argmax(1)
    expected = candidates[nearest] / np.linalg.norm(candidates[nearest], axis=1, keepdims=True)
    np.testing.assert_allclose(targets, expected, rtol=1e-5)


def test_masked_places_look_only_where_their_style_is(columns):
    queries, candidates = columns
    first = (np.arange(150) < 60).astype(float)
    styles = [Candidates(candidates, first), Candidates(-candidates, 1 - first)]
    targets = keras.ops.convert_to_numpy(matching.match(queries, styles))
    for style, places in zip(styles, (slice(0, 60), slice(60, 150)), strict=True):
        alone = matching.match(
            queries[places],
            [Candidates(style.columns, np.ones(150))._replace(share=first[places] * 0 + 1)],
        )
        np.testing.assert_allclose(targets[places], alone, rtol=1e-5)


@pytest.mark.parametrize("shares", [(0.75, 0.25), (0.2, 0.3, 0.5), (1.0, 0.0)])
def test_blends_take_as_many_places_as_their_share(shares):
    rng = np.random.default_rng(3)
    scores = rng.random((len(shares), 2000)) + np.arange(len(shares))[:, np.newaxis] * 0.3
    places = np.tile(np.array(shares)[:, np.newaxis], 2000)
    chosen = matching.share_out(scores, places)
    counts = np.bincount(chosen, minlength=len(shares)) / 2000
    np.testing.assert_allclose(counts, shares, atol=0.02)


def test_places_that_no_mask_covers_take_any_style():
    shares = np.array([[1.0, 0.0], [0.0, 0.0]])
    assert matching.share_out(np.array([[0.1, 0.2], [0.9, 0.9]]), shares)[0] == 0


@pytest.mark.usefixtures("evaluated_once")
@pytest.mark.parametrize("turns", [0, 1])
@pytest.mark.parametrize(("tile", "at_once"), [(None, 2**25), (32, 2**25), (32, 64 * 90)])
@pytest.mark.parametrize("limits", [{}, {"FEW": 0, "FEW_QUERIES": 0}, {"MANY": 0, "BEST": 200}])
def test_search_in_tiles_and_blocks_against_numpy(tile, at_once, turns, limits, monkeypatch):
    """Place by place: each looks at all places of the style whose mask it is in.

    Along axes too it finds the nearest, as there are as many axes as channels; and by blocks, as
    there are fewer than are always looked at.
    """
    for name, limit in limits.items():
        monkeypatch.setattr(search, name, limit)
    monkeypatch.setattr(matching, "MANY", search.MANY)
    monkeypatch.setattr(search, "SIMILARITIES", at_once)
    network, photo, x, styles, share = two_halves()
    found = matching.find_neighbors(network, photo, x, styles, share, turns, tile)
    np.testing.assert_allclose(np.concatenate(found, axis=-1), nearest_in_halves(turns), atol=1e-4)


def two_halves():
    """A network, a photo, a picture, styles for its left and its right, and shares of the photo."""
    layers = hypercolumns.HYPERCOLUMN_LAYERS
    network = nst.build_network(small_weights(), layers, pool_padding="same")
    rng = np.random.default_rng(4)
    photo, x, *pictures = (
        rng.normal(0, 60, (rows, cols, 3)).astype(np.float32)
        for rows, cols in [(48, 80), (48, 80), (64, 52), (36, 72)]
    )
    left = np.repeat([[1.0, 0.0]], 40, axis=1) * np.ones((48, 1))
    styles = [Painting(pictures[0], 0.5, left), Painting(pictures[1], 0.5, 1 - left)]
    share = np.repeat(rng.random((48 // 4, 80 // 4)), 4, axis=0).repeat(4, axis=1)
    return network, photo, x, styles, share


@functools.cache
def nearest_in_halves(turns):
    """What the search is to find there, in NumPy: the same for all that look it up."""
    network, photo, x, styles, share = two_halves()
    left = styles[0].mask
    shares = share[::4, ::4].reshape(-1, 1)
    content, own = (numpy_centered(numpy_columns(network, picture)) for picture in (photo, x))
    queries = shares * content + (1 - shares) * own
    expected = np.empty_like(queries)
    for style, places in zip(styles, (left[::4, ::4] == 1, left[::4, ::4] == 0), strict=True):
        turned = [np.rot90(style.picture, turn) for turn in range(turns + 1)]
        candidates = np.concatenate([numpy_columns(network, picture) for picture in turned])
        cosines = numpy_cosines(queries, numpy_centered(candidates))
        best = candidates[cosines.argmax(1)]
        best /= np.linalg.norm(best, axis=1, keepdims=True)
        expected[places.ravel()] = best[places.ravel()]
    return expected


@pytest.mark.usefixtures("evaluated_once")
@pytest.mark.parametrize("tile", [None, 32])
def test_of_many_places_each_takes_the_style_that_the_exact_search_finds(
    tile, monkeypatch, small_vgg19
):
    """Along 24 axes of 64, which show more of the one style than of the other."""
    for name, limit in {"MANY": 0, "BEST": 10**6, "MANY_AXES": 24}.items():
        monkeypatch.setattr(search, name, limit)
        if hasattr(matching, name):
            monkeypatch.setattr(matching, name, limit)
    network = nst.build_network(small_vgg19, hypercolumns.HYPERCOLUMN_LAYERS, pool_padding="same")
    rng = np.random.default_rng(9)
    photo, x, smooth, rough = rng.normal(0, 60, (4, 96, 128, 3)).astype(np.float32)
    smooth = gaussian_filter(smooth, (6, 6, 0)) * 12
    photo = gaussian_filter(photo, (2, 2, 0)) * 5
    styles = [Painting(smooth, 0.5), Painting(rough, 0.5)]
    share = np.full((96, 128), 0.7)
    found = np.concatenate(
        matching.find_neighbors(network, photo, x, styles, share, tile=tile), axis=-1
    )

    content, own = (numpy_centered(numpy_columns(network, picture)) for picture in (photo, x))
    every = [numpy_columns(network, style.picture) for style in styles]
    queries = 0.7 * content + 0.3 * own
    cosines = np.stack([numpy_cosines(queries, numpy_centered(c)).max(1) for c in every])
    exact = matching.share_out(cosines, np.full(cosines.shape, 0.5))
    near = [(unit_length(found) @ unit_length(c).T).max(1) for c in every]
    assert np.mean(np.argmax(near, axis=0) != exact) < 0.01


@pytest.mark.usefixtures("evaluated_once")
@pytest.mark.parametrize("tile", [None, 32])
def test_search_of_some_places_finds_what_the_search_of_all_does(tile, small_vgg19):
    """Elsewhere targets are 0. A place is looked up if any of its pixels is in `wanted`."""
    network = nst.build_network(small_vgg19, hypercolumns.HYPERCOLUMN_LAYERS, pool_padding="same")
    rng = np.random.default_rng(5)
    photo, x, picture = rng.normal(0, 60, (3, 48, 64, 3)).astype(np.float32)
    given = network, photo, x, [Painting(picture)], np.full((48, 64), 0.5)
    where = np.zeros((48, 64), bool)
    where[8:30, 20:41] = True
    every, some = (
        np.concatenate(matching.find_neighbors(*given, tile=tile, wanted=w), axis=-1).reshape(
            12, 16, -1
        )
        for w in (None, where)
    )
    np.testing.assert_allclose(some[2:8, 5:11], every[2:8, 5:11], atol=1e-6)
    assert np.abs(every).max(-1).all()
    some[2:8, 5:11] = 0
    assert not some.any()


@pytest.mark.usefixtures("evaluated_once")
def test_styles_share_the_places_that_are_looked_up(small_vgg19):
    """Five places, two styles 1:1: what fills their number up does not count."""
    network = nst.build_network(small_vgg19, hypercolumns.HYPERCOLUMN_LAYERS, pool_padding="same")
    rng = np.random.default_rng(8)
    photo, *pictures = rng.normal(0, 60, (3, 40, 40, 3)).astype(np.float32)
    where = np.zeros((40, 40), bool)
    where[0, :40] = True  # ten places of four pixels
    styles = [Painting(picture, 0.5) for picture in pictures]
    given = network, photo, photo, styles, np.full((40, 40), 0.5)
    targets = np.concatenate(matching.find_neighbors(*given, wanted=where), axis=-1)[:10]
    own = [numpy_columns(network, picture) for picture in pictures]
    near = [np.abs(unit_length(o)[None] - targets[:, None]).max(-1).min(1) < 1e-3 for o in own]
    assert [n.sum() for n in near] == [5, 5]


def unit_length(columns):
    return columns / np.linalg.norm(columns, axis=1, keepdims=True)


def numpy_columns(network, picture):
    """The hypercolumns of all places of a picture, from features of the whole."""
    features = network.predict_on_batch(picture[np.newaxis])
    rows, cols = features[hypercolumns.GRID_LAYER].shape[1:3]
    return np.array([numpy_hypercolumn(features, i, j) for i in range(rows) for j in range(cols)])


def numpy_centered(columns):
    return columns - columns.mean(0)


def test_detail_is_where_the_photo_changes():
    photo = np.full((80, 120, 3), 128, np.uint8)
    photo[20:60, 60:100] = np.random.default_rng(0).integers(0, 256, (40, 40, 3))
    found = detail.detail_map(Image.fromarray(photo), 20, 30)
    assert found.shape == (20, 30)
    assert found[8:12, 18:22].min() == 1
    assert found[:, :10].max() == 0
    assert np.all((found >= 0) & (found <= 1))


def test_what_detail_surrounds_belongs_to_the_subject():
    """As a cheek does, however plain it is; the same plain wall around it does not."""
    photo = np.full((200, 200, 3), 128, np.uint8)
    photo[40:160, 40:160] = 0
    photo[50:150, 50:150] = 128  # a frame, as plain inside as outside
    found = detail.detail_map(Image.fromarray(photo), 50, 50)
    assert found[25, 25] == found[12, 25] == 1
    assert found[1].max() == 0
    photo[50:150, 150:] = 128  # open to the right: the plain place reaches the border
    assert detail.detail_map(Image.fromarray(photo), 50, 50)[25, 25] < 0.1


def test_plain_picture_has_no_detail():
    assert not detail.detail_map(Image.new("RGB", (40, 40), "gray"), 10, 10).any()
