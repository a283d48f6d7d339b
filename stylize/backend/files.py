"""Files that are written whole or not at all."""

import contextlib
import glob
import os
from collections.abc import Iterator
from pathlib import Path

import psutil


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """A path to write to, which takes the place of `path` when all went well, and is gone if not.

    The folder is created where it is missing. Raises OSError.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_name(path)
    try:
        yield temporary
        with temporary.open("r+b") as file:  # on the disk before the name is, come a power cut
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def temporary_name(path: Path) -> Path:
    """What `path` is called until it is whole: a hidden name beside it with the same suffix."""
    return path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")


def remove_leftovers(prefix: str | os.PathLike) -> None:
    """Removes the files that runs which were killed left unfinished. Raises OSError.

    Args:
        prefix: their names begin with, after the dot of `temporary_name`.
    """
    prefix = Path(prefix)
    for path in prefix.parent.glob(f".{glob.escape(prefix.name)}[._]*.tmp.*"):
        process = path.name.split(".")[-3]
        if process.isdecimal() and not psutil.pid_exists(int(process)):
            path.unlink(missing_ok=True)
