"""Files without names, for what memory has no room for. The oracle is the same in memory."""

import errno
import gc
import mmap
import os

import numpy as np
import psutil
import pytest

from stylize.backend import scratch
from stylize.backend.arrays import NUMPY
from stylize.backend.scratch import Scratch, empty_in_file, file_arrays, release
from stylize.optimize.lbfgs import ProjectedLBFGS

SHAPE = (1, 700, 300, 3)  # of several blocks


def test_list_gives_back_what_it_was_given(tmp_path):
    items = [{"a": np.arange(5, dtype=np.float32)}, None, (np.ones((2, 3)), "x")]
    kept = Scratch(iter(items), tmp_path)
    assert len(kept) == 3 and kept[1] is None
    np.testing.assert_array_equal(kept[2][0], items[2][0])
    np.testing.assert_array_equal(kept[0]["a"], items[0]["a"])


def test_files_are_gone_with_what_they_hold(tmp_path):
    gc.collect()  # what other tests have left
    free = open_files()
    array, kept = empty_in_file((10, 10, 3), tmp_path), Scratch([1, 2], tmp_path)
    assert os.listdir(tmp_path) == []  # they never had a name
    del array, kept
    gc.collect()
    assert open_files() == free


def open_files():
    return psutil.Process().num_fds() if hasattr(psutil.Process, "num_fds") else 0


def test_array_keeps_its_values_when_its_memory_is_released(tmp_path):
    array = empty_in_file((50, 20, 3), tmp_path)
    values = np.random.default_rng(0).normal(size=array.shape).astype("f")
    array[:] = values
    release(array)
    np.testing.assert_array_equal(array, values)


def test_array_that_the_disk_has_no_room_for(monkeypatch, tmp_path):
    """Found before it is written to, which would end the process."""

    def no_room(descriptor, offset, size):
        assert size == 4 * 10 * 20 * 3
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(scratch.os, "posix_fallocate", no_room, raising=False)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        empty_in_file((10, 20, 3), tmp_path)


def test_folder_that_is_gone(tmp_path):
    arrays = file_arrays(tmp_path / "gone")
    with pytest.raises(FileNotFoundError, match="gone"):
        arrays.asarray(np.zeros(SHAPE))


def valley(arrays):
    """A quadratic whose minimum lies outside the bounds at some places."""
    rng = np.random.default_rng(0)
    minimum = rng.normal(0, 80, SHAPE).astype("f")
    curvature = rng.uniform(1, 50, SHAPE).astype("f")

    def evaluate(x):
        distance = np.asarray(x) - minimum
        gradient = curvature * distance
        return float((gradient * distance).sum(dtype=float) / 2), arrays.asarray(gradient)

    return evaluate


def test_search_in_files_takes_the_same_steps_to_the_last_bit(tmp_path):
    ends = []
    for arrays in (NUMPY, file_arrays(tmp_path)):
        low, high = np.full((SHAPE[2], 3), -100.0), np.full((SHAPE[2], 3), 100.0)
        search = ProjectedLBFGS(np.zeros(SHAPE), low, high, 4, arrays=arrays)
        evaluate = valley(arrays)
        search.start(evaluate)
        for _ in range(8):
            assert search.step(evaluate, 20)
        ends.append(search)
    in_memory, in_files = ends
    assert isinstance(in_files.x, np.memmap) and isinstance(in_files.steps[0], np.memmap)
    assert in_memory.loss == in_files.loss
    np.testing.assert_array_equal(in_memory.x, in_files.x)


@pytest.mark.skipif(not hasattr(mmap.mmap, "madvise"), reason="pages cannot be given back")
def test_pages_of_a_file_do_not_stay_in_memory(tmp_path):
    """80 MiB are written and read, of which the process keeps less than a quarter."""
    arrays, shape = file_arrays(tmp_path), (1, 2000, 1750, 6)
    before = psutil.Process().memory_info().rss
    zeros = np.broadcast_to(np.float32(0), shape)
    (x,), _ = arrays.blockwise(lambda blocks: ([blocks[0] + 1], ()), [zeros])
    _, (total,) = arrays.blockwise(lambda blocks: ([], [blocks[0].sum()]), [x])
    assert total == x.size
    assert psutil.Process().memory_info().rss - before < x.nbytes / 4


def test_search_resumes_with_the_files_that_its_state_is_in(tmp_path):
    """It needs no second copy of them, for which there may be no room."""
    arrays = file_arrays(tmp_path)
    search, evaluate = ProjectedLBFGS(np.zeros(SHAPE), arrays=arrays), valley(arrays)
    search.start(evaluate)
    for _ in range(3):
        search.step(evaluate, 20)
    state = search.state()
    loaded = ProjectedLBFGS.from_state(state, arrays)
    assert loaded.gradient is state["gradient"] and loaded.steps[0] is state["step_0"]
