"""The temporary folder for all that visitors of the page leave: it is gone with the page.

Where a page was killed, the next one to start removes it. A lock, which no process outlives, tells
such a folder from that of a page that runs, in another container too.
"""

import contextlib
import glob
import os
import shutil
import stat
import tempfile
import threading
import time
from collections.abc import Collection, Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # on Windows: what a page that was killed has left stays
    fcntl = None  # type: ignore[assignment]

PREFIX = "style_transfer_"
LOCK = "lock"
STALE_AFTER = 24 * 3600  # seconds after which uploads and results are removed
LOOK_EVERY = 3600  # seconds


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


def remove_old_from(folder: str) -> None:
    """Has a thread remove what is old in `folder`, but for what is there already: the examples.

    Gradio's own does so only for files that it knows whole, and ends for ever where something is
    uploaded meanwhile.
    """
    own = set(_files_in(folder))

    def look():
        while True:
            time.sleep(LOOK_EVERY)
            remove_old(folder, own)

    threading.Thread(target=look, daemon=True).start()


def remove_old(folder: str, own: Collection[Path], age: float = STALE_AFTER) -> None:
    """Removes the files that have lain in `folder` for `age` seconds, but for `own` ones."""
    before = time.time() - age
    for path in _files_in(folder):
        with contextlib.suppress(OSError):  # it is gone already
            if path not in own and path.lstat().st_ctime < before:
                path.unlink()
                for preview in path.parent.glob(f"{glob.escape(path.name)}.*"):
                    preview.unlink()  # which else would be taken for what it shows
                path.parent.rmdir()  # if it was the last in it


def _files_in(folder):
    """All that is in a folder and those below it and is no folder itself."""
    return [Path(place, name) for place, _, names in os.walk(folder) for name in names]


def _no_link(path, flags):
    """Opens a file that is no link, and does not wait for it."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
