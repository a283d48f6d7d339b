"""Waits for new photos or styles in folders, as `--watch` asks for."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import sleep

from stylize.images.formats import picture_suffixes

SECONDS = 2.0  # from one look to the next


def changes(folders: Sequence[str], results: str) -> Iterator[None]:
    """Yields whenever there are other pictures in the folders, and at first if there are any.

    A file that is still being copied is waited for: two looks in a row must find the same. What
    changes between two requests for the next change is not missed.

    Args:
        folders: to look in, and below; what is no folder has no pictures.
        results: a folder to leave out.
    """
    told: dict[str, tuple] = {}
    last = None
    while True:
        now = _pictures(folders, os.path.realpath(results))
        if now and now == last and now != told:
            told = now
            yield
        last = now
        sleep(SECONDS)


def _pictures(folders, results):
    """Path -> (bytes, time of change) of each picture, by its suffix."""
    found, suffixes = {}, picture_suffixes()
    for folder in folders:
        for path, below, files in os.walk(folder):
            below[:] = [
                name
                for name in below
                if name[0] != "." and os.path.realpath(os.path.join(path, name)) != results
            ]
            names = (n for n in files if n[0] != "." and Path(n).suffix.lower() in suffixes)
            for picture in (os.path.join(path, name) for name in names):
                try:
                    about = os.stat(picture)
                except OSError:  # it has just been removed
                    continue
                found[picture] = about.st_size, about.st_mtime_ns
    return found
