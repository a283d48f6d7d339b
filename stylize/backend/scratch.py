"""Files for what does not fit into memory: without names, so that they vanish with the process."""

import math
import os
import pickle
import tempfile
import threading
import weakref
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from stylize.backend.arrays import ArrayNamespace, numpy_arrays
from stylize.backend.files import naming

Folder = str | None  # to keep files in; None: the system's for temporary ones


class Scratch(Sequence):
    """A list that is kept in a file. Several threads may read it.

    Args:
        items: whatever can be pickled, one in memory at a time.
        folder: for the file.

    Raises:
        OSError: the disk is full, or the folder is gone.
    """

    def __init__(self, items: Iterable, folder: Folder = None):
        self._offsets: list[int] = []
        self._lock = threading.Lock()
        with naming(folder or tempfile.gettempdir()):
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115, it lives as the list
            weakref.finalize(self, self._file.close)
            for item in items:
                self._offsets.append(self._file.tell())
                pickle.dump(item, self._file, protocol=5)

    def __len__(self) -> int:
        return len(self._offsets)

    def __getitem__(self, index: Any) -> Any:
        with self._lock:
            self._file.seek(self._offsets[index])
            return pickle.load(self._file)


def empty_in_memory(shape: tuple[int, ...]) -> np.ndarray:
    """A float32 array."""
    return np.empty(shape, np.float32)


def empty_in_file(shape: tuple[int, ...], folder: Folder = None) -> np.ndarray:
    """A float32 array in a file, which goes with the array. Raises OSError: no room for it."""
    named = naming(folder or tempfile.gettempdir())
    with named, tempfile.TemporaryFile(dir=folder) as file:
        size = max(1, math.prod(shape)) * np.dtype(np.float32).itemsize
        if hasattr(os, "posix_fallocate"):  # where a full disk is found later, it ends the process
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            file.truncate(size)
        return np.memmap(file, np.float32, "r+", shape=shape)


def release(array: np.ndarray) -> None:
    """Gives back the memory that an array in a file takes for now."""
    pages = getattr(array, "_mmap", None)
    if pages is not None and hasattr(pages, "madvise"):  # not on Windows
        import mmap

        pages.madvise(mmap.MADV_DONTNEED)  # what was written is the file's, not lost


def file_arrays(folder: Folder = None) -> ArrayNamespace:
    """NumPy's arrays in files, for an optimiser: a few blocks at a time are in memory."""
    return numpy_arrays(lambda shape: empty_in_file(shape, folder), release)
