"""The search among columns of features. The oracle compares all pairs in NumPy."""

import numpy as np
import pytest
from conftest import numpy_cosines
from scipy.ndimage import gaussian_filter

from stylize.losses import search


@pytest.fixture
def columns():
    """(queries, candidates), of places and channels."""
    rng = np.random.default_rng(1)
    return rng.normal(size=(150, 20)).astype(np.float32), rng.normal(size=(90, 20)).astype("f")


@pytest.fixture(scope="module")
def many():
    """(queries, candidates) of more channels than axes; a few of them explain most of the rest."""
    rng = np.random.default_rng(2)
    mixed = rng.normal(size=(160, 300)) * 0.95 ** np.arange(160)[:, np.newaxis]

    def some(number):
        own = rng.normal(size=(number, 300))
        return (rng.normal(size=(number, 160)) @ mixed + own).astype(np.float32)

    candidates = some(search.FEW + 1000)
    return some(400), candidates - candidates.mean(0)


@pytest.mark.parametrize("at_once", [2**25, 64 * 90])
def test_few_candidates_are_all_compared_in_any_blocks(at_once, columns, monkeypatch):
    monkeypatch.setattr(search, "SIMILARITIES", at_once)
    expected = numpy_cosines(*columns)
    indices, cosines = search.nearest(*columns)
    np.testing.assert_array_equal(indices, expected.argmax(1))
    np.testing.assert_allclose(cosines, expected.max(1), rtol=1e-5)


def test_nearest_in_bfloat16_is_nearly_as_near(columns):
    expected = numpy_cosines(*columns)
    indices, _ = search.nearest(*columns, dtype="bfloat16")
    found = np.take_along_axis(expected, indices[:, np.newaxis], axis=1)[:, 0]
    assert (expected.max(1) - found).max() < 0.02


@pytest.mark.parametrize("at_once", [2**25, 100 * (search.FEW + 1000)])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_of_many_candidates_nearly_all_found_are_the_nearest(dtype, at_once, many, monkeypatch):
    monkeypatch.setattr(search, "SIMILARITIES", at_once)
    expected = numpy_cosines(*many)
    indices, cosines = search.nearest(*many, dtype)
    found = np.take_along_axis(expected, indices[:, np.newaxis], axis=1)[:, 0]
    np.testing.assert_allclose(cosines, found, atol=1e-5)
    assert np.mean(indices == expected.argmax(1)) > 0.95
    assert np.mean(expected.max(1) - found) < 1e-3


def test_few_queries_are_compared_with_every_candidate(many):
    queries, candidates = many[0][: search.FEW_QUERIES - 1], many[1]
    indices, _ = search.nearest(queries, candidates)
    np.testing.assert_array_equal(indices, numpy_cosines(queries, candidates).argmax(1))


def test_where_there_are_few_channels_every_candidate_is_compared_in_all(many):
    few = [columns[:, :20] for columns in many]
    indices, _ = search.nearest(*few)
    np.testing.assert_array_equal(indices, numpy_cosines(*few).argmax(1))


def test_the_axes_are_those_of_the_largest_variance(many):
    _, candidates = many
    axes = search.principal_axes(candidates, search.AXES)
    np.testing.assert_allclose(axes.T @ axes, np.eye(search.AXES), atol=1e-5)
    explained = np.square(candidates @ axes).sum()
    best = np.square(np.linalg.svd(candidates, compute_uv=False)[: search.AXES]).sum()
    assert explained > 0.97 * best


def test_a_plain_painting_has_no_axes_but_neighbors():
    plain = np.zeros((search.FEW, 300), np.float32)
    indices, cosines = search.nearest(np.ones((search.FEW_QUERIES, 300), np.float32), plain)
    assert np.all((indices >= 0) & (indices < search.FEW))
    np.testing.assert_array_equal(cosines, 0)


@pytest.fixture
def fields():
    """(queries, candidates), (rows, cols, axes): places that lie together are alike."""
    rng = np.random.default_rng(5)
    return [
        gaussian_filter(rng.normal(size=(*grid, 24)), (2, 2, 0)).astype(np.float32)
        for grid in [(45, 52), (47, 61)]
    ]


def by_blocks(fields, monkeypatch, many=1000, most=500, best=64):
    """(indices, cosines) of the search by blocks; and all cosines, from NumPy."""
    for name, value in {"MANY": many, "MOST_BLOCKS": most, "BEST": best}.items():
        monkeypatch.setattr(search, name, value)
    monkeypatch.setattr(search, "SIMILARITIES", 2**21)
    queries, candidates = (field.reshape(-1, field.shape[-1]) for field in fields)
    candidates = candidates / np.linalg.norm(candidates, axis=1, keepdims=True)
    grouped = [search.blocks(*field.shape[:2]) for field in fields]
    found = search.nearest_by_blocks(queries, candidates, *grouped)
    return *found, numpy_cosines(queries, candidates)


@pytest.mark.parametrize("many", [1000, 10**6])
@pytest.mark.parametrize(("rows", "cols"), [(40, 60), (41, 60), (40, 61), (9, 300)])
def test_every_place_is_in_a_block_of_its_neighbours(rows, cols, many, monkeypatch):
    monkeypatch.setattr(search, "MANY", many)
    monkeypatch.setattr(search, "MOST_BLOCKS", 500)
    blocks = search.blocks(rows, cols)
    assert set(blocks.ravel()) == set(range(rows * cols))
    row, col = np.divmod(blocks, cols)
    side = 1 if many > rows * cols else 3
    assert blocks.shape[1] == side**2
    assert (np.ptp(row, axis=1) < side).all() and (np.ptp(col, axis=1) < side).all()


def test_by_blocks_nearly_the_nearest_are_found(fields, monkeypatch):
    indices, cosines, expected = by_blocks(fields, monkeypatch)
    found = np.take_along_axis(expected, indices[:, np.newaxis], axis=1)[:, 0]
    np.testing.assert_allclose(cosines, found, atol=1e-5)
    assert np.mean(indices == expected.argmax(1)) > 0.8
    assert np.mean(expected.max(1) - found) < 0.01


def test_by_blocks_the_nearest_are_found_if_all_are_looked_at(fields, monkeypatch):
    indices, _, expected = by_blocks(fields, monkeypatch, best=10**6)
    np.testing.assert_array_equal(indices, expected.argmax(1))


def test_queries_that_are_in_no_block_are_not_looked_up(fields):
    queries, candidates = (field.reshape(-1, 24) for field in fields)
    blocks = np.arange(100, dtype=np.int32).reshape(25, 4)
    everything = np.arange(len(candidates), dtype=np.int32)[:, np.newaxis]
    indices, cosines = search.nearest_by_blocks(queries, candidates, blocks, everything)
    assert cosines[:100].all() and not cosines[100:].any() and not indices[100:].any()
