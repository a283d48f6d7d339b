"""Waits for new photos or styles in folders, as `--watch` asks for."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from time import sleep

from stylize.apps.folder.pictures import pictures_below

SECONDS = 2.0  # from one look to the next


def changes(folders: Sequence[str], results: str) -> Iterator[None]:
    """Yields whenever there are other pictures in the folders, and at first if each has some.

    A file that is still being copied is waited for: two looks in a row must find the same. What
    changes between two requests for the next change is not missed.

    Args:
        folders: to look in, and below; what is no folder has no pictures.
        results: a folder to leave out.
    """
    told = last = None
    while True:
        now = [_pictures(folder, results) for folder in folders if os.path.isdir(folder)]
        if now and all(now) and now == last and now != told:
            told = now
            yield
        last = now
        sleep(SECONDS)


def _pictures(folder, results):
    """Path -> (bytes, time of change) of each picture, by its suffix."""
    found = {}
    for picture in pictures_below(folder, results):
        with contextlib.suppress(OSError):  # it has just been removed
            about = picture.stat()
            found[picture] = about.st_size, about.st_mtime_ns
    return found
