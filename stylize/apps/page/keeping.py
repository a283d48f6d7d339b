"""The temporary folder for all that visitors of the page leave: it is gone with the page.

Where a page was killed, the next one to start removes it. A lock, which no process outlives, tells
such a folder from that of a page that runs, in another container too.
"""

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # on Windows: what a page that was killed has left stays
    fcntl = None  # type: ignore[assignment]

PREFIX = "style_transfer_"
LOCK = "lock"


@contextlib.contextmanager
def own_folder() -> Iterator[str]:
    """The path of a new folder, with no links in it. Those of pages that were killed go first."""
    remove_stale(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=PREFIX) as temporary:
        folder = os.path.realpath(temporary)
        with open(Path(folder, "locking"), "w") as lock:
            if fcntl:
                fcntl.flock(lock, fcntl.LOCK_EX)
                os.rename(lock.name, Path(folder, LOCK))  # it never has that name unlocked
            yield folder


def remove_stale(place: Path) -> None:
    """Removes the folders in `place` that are this user's and whose page runs no more."""
    for folder in place.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # not a folder, without a lock, locked, or just removed
            about = folder.lstat()
            if not (fcntl and stat.S_ISDIR(about.st_mode) and about.st_uid == os.getuid()):
                continue
            with open(folder / LOCK, opener=_no_link) as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)


def _no_link(path, flags):
    """Opens a file that is no link, and does not wait for it."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
