"""Files that are written whole or not at all."""

import contextlib
import glob
import itertools
import os
import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from stylize.errors import InputError

try:
    import fcntl
except ImportError:  # on Windows, which neither renames nor removes a file that is open
    fcntl = None  # type: ignore[assignment]

UNFINISHED = re.compile(r"\..+\.[0-9a-f]{8}\.tmp\.\w+")  # the names that `Unfinished` gives


class Unfinished:
    """A file that takes the place of another when it is whole.

    It lies beside that one, under a hidden name with the same suffix that nobody can foresee. It
    is locked until then, so that no other run takes it for a leftover: numbers of processes say
    nothing where several machines or containers share a folder.

    Args:
        path: of the other one. Its folder is created where it is missing.

    Attributes:
        path: to write to.

    Raises:
        OSError: it cannot be created.
    """

    def __init__(self, path: str | os.PathLike):
        self._whole = Path(path)
        with naming(self._whole):
            self._whole.parent.mkdir(parents=True, exist_ok=True)
            self.path, self._file = _create_locked(self._whole)

    def finish(self) -> None:
        """Gives the file its name. Raises OSError."""
        os.fsync(self._file.fileno())  # on the disk before the name is, come a power cut
        if not fcntl:
            self._file.close()
        os.replace(self.path, self._whole)

    def discard(self) -> None:
        """Leaves no file but one that is finished. May be called after anything, and twice."""
        self._file.close()
        self.path.unlink(missing_ok=True)


def _hidden(path):
    """A name beside `path` that `UNFINISHED` knows and nobody can foresee."""
    return path.with_name(f".{path.stem}.{os.urandom(4).hex()}.tmp{path.suffix}")


def _create_locked(whole: Path) -> tuple[Path, BinaryIO]:
    """Creates the file that is to become `whole`; returns its path, and the file with its lock."""
    while True:
        path = _hidden(whole)
        file = path.open("xb")  # follows no link that somebody has put there
        try:
            _lock(file)
        except BlockingIOError:  # `remove_leftovers` of another run was faster
            pass
        except OSError:  # a disk without locks, where nothing counts as a leftover
            return path, file
        if path.exists():
            return path, file
        file.close()


def _lock(file: BinaryIO) -> None:
    """Locks a file until it is closed. Raises OSError: another process has it locked."""
    if fcntl:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """A path to write to, which takes the place of `path` when all went well, and is gone if not.

    The folder is created where it is missing. Raises OSError, which names `path`.
    """
    unfinished = Unfinished(path)
    try:
        with naming(path):
            yield unfinished.path
            unfinished.finish()
    finally:
        unfinished.discard()


def linked(file: str | os.PathLike, path: str | os.PathLike) -> bool:
    """Has `path` be another name of a file. Returns False where the disk has no such names.

    What is written to either of them later, by `replacing`, takes that name alone.
    """
    name = _hidden(Path(path))
    try:
        os.link(file, name)
        os.replace(name, path)
    except OSError:
        return False
    finally:
        with contextlib.suppress(OSError):
            name.unlink(missing_ok=True)  # it stays where both are one file already
    return True


@contextlib.contextmanager
def naming(path: str | os.PathLike) -> Iterator[None]:
    """Has the system's errors name `path`, where they name no file or an unfinished one."""
    try:
        yield
    except OSError as error:
        named = error.filename
        if error.errno and (named is None or UNFINISHED.fullmatch(Path(str(named)).name)):
            error.filename, error.filename2 = os.fspath(path), None
        raise


@contextlib.contextmanager
def alone(prefix: str | os.PathLike, results: str | os.PathLike | None = None) -> Iterator[None]:
    """Keeps other runs from the results that begin with a prefix, where the disk has locks.

    The file that is locked is hidden; one that a killed run left keeps nobody out.

    Args:
        prefix: of the results, in a folder that is there.
        results: what errors call them; None: by the prefix.

    Raises:
        InputError: another run has them, or what has the name of the file is not this program's.
        OSError: the folder is not there, or cannot be written.
    """
    if not fcntl:
        yield
        return
    path = Path(prefix)
    path = path.with_name(f".{path.name}.lock")
    _check_lock(path)
    number = _open_locked(path, results or prefix)
    try:
        yield
    finally:
        if fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDWR:  # else another user's
            path.unlink(missing_ok=True)
        os.close(number)


def _check_lock(path):
    """Raises InputError where what is at `path` is no lock of ours: these are empty files."""
    with contextlib.suppress(FileNotFoundError):
        about = path.lstat()
        if not stat.S_ISREG(about.st_mode) or about.st_size:
            raise InputError(
                f"{path}: is in the way of a lock file that this program needs; rename or remove "
                "what is there, or choose another name for the result"
            )


def _open_locked(path, results):
    """The number of the open file at `path`, locked. Raises InputError and OSError."""
    while True:
        number = _open_to_lock(path)
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(number)
            raise InputError(
                f"{results}: another run is painting it; wait for its end, or choose another name "
                "for this result"
            ) from None
        except OSError:  # a disk without locks
            return number
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(number), os.stat(path)):
                return number
        os.close(number)  # a run that has just ended removed it


def _open_to_lock(path):
    """The number of the open file at `path`, made if there is none. Raises OSError."""
    made_here = os.O_CREAT | os.O_NOFOLLOW
    try:
        # NFS locks only files that are open for writing
        return os.open(path, os.O_RDWR | made_here, 0o644)
    except PermissionError:
        return os.open(path, os.O_RDONLY | made_here, 0o644)  # another user's


def folded(name: str) -> str:
    """What names have in common that some disks do not tell apart: a and A, \u00e9 and e\u0301."""
    return unicodedata.normalize("NFD", name.casefold())


def distinct(names: Iterable[str]) -> list[str]:
    """The names, numbered from 2 on where a disk may not tell them apart."""
    found: list[str] = []
    for name in names:
        taken = set(map(folded, found))
        numbered = (f"{name}_{number}" for number in itertools.count(2))
        found.append(next(n for n in itertools.chain([name], numbered) if folded(n) not in taken))
    return found


def remove_leftovers(prefix: str | os.PathLike) -> None:
    """Removes the files that runs which were killed left unfinished; those of others stay.

    Args:
        prefix: their names begin with, after the dot of an `Unfinished`.
    """
    prefix = Path(prefix)
    for path in prefix.parent.glob(f".{glob.escape(prefix.name)}[._]*.tmp.*"):
        if UNFINISHED.fullmatch(path.name) and path.is_file() and not path.is_symlink():
            with contextlib.suppress(OSError):  # a run has it locked, or another has removed it
                _remove_unlocked(path)


def _remove_unlocked(path: Path) -> None:
    """Removes a file. Raises OSError: a process is writing it."""
    if not fcntl:
        path.unlink()
        return
    with path.open("r+b") as file:
        _lock(file)
        path.unlink()
