"""What an earlier run left under the names of a new result: never lost, and never mixed with it.

A file is the new run's own if its record says that it is made as that run makes it. Every other
one moves aside, `photo.png` to `photo.1.png` or the next number that is free, before the first new
file is written: what goes wrong before that changes nothing.
"""

import contextlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from stylize.errors import InputError
from stylize.runs.metadata import made_alike, read_record


def is_made_so(path: Path, record: Mapping[str, Any]) -> bool:
    """Whether there is a picture or film at `path`, made as `record` says, whatever libraries."""
    with contextlib.suppress(InputError):
        return path.exists() and made_alike(read_record(path), record)
    return False


def finished(path: Path) -> str:
    """Says that a result is there already."""
    return f"{path} is finished: nothing is left to paint; --overwrite paints it again"


def make_room(
    prefix: str,
    result: Path,
    record: Mapping[str, Any],
    steps: Iterable[Path] = (),
    others: Iterable[Path] = (),
    overwrite: bool = False,
) -> str:
    """Moves aside what was made otherwise. Returns the line to say so, "" where nothing was there.

    Args:
        prefix: that all the names begin with.
        result: the file that is to be written.
        record: how it is made.
        steps: the pictures on the way that there are.
        others: files of an earlier run that do not say how they were made.
        overwrite: leave a result of ours, which will be replaced, and remove our steps and tables.

    Raises:
        OSError: a file cannot be renamed or removed.
    """
    pictures = [path for path in (result, *steps) if path.exists()]
    otherwise = [path for path in pictures if not is_made_so(path, record)]
    is_foreign = result in otherwise and not says_how_it_was_made(result)
    if overwrite:
        _remove_ours(otherwise, others, result)
        otherwise, others = [result] * is_foreign, ()
    if pictures and not otherwise:
        return ""
    moved = set_aside(prefix, [*otherwise, *others])
    if not moved:
        return ""
    (first, now), more = next(iter(moved.items())), len(moved) - 1
    along = f", with {more} more file{'s' * (more > 1)}" if more else ""
    if is_foreign and first == result:
        return f"{first} does not say that this program made it, and is kept as {now}{along}"
    return f"The earlier {first} is kept as {now}{along}"


def _remove_ours(pictures, others, result):
    """Removes pictures that say that this program made them, and its tables; not the result."""
    ours = [path for path in pictures if says_how_it_was_made(path)]
    tables = [path for path in others if ours and path.stem.endswith("_losses")]
    for path in {*ours, *tables} - {result}:
        path.unlink(missing_ok=True)


def says_how_it_was_made(path: Path) -> bool:
    """Whether a picture is one of this program's."""
    with contextlib.suppress(InputError):
        return bool(read_record(path))
    return False


def set_aside(prefix: str, paths: Sequence[Path]) -> dict[Path, Path]:
    """Renames PREFIX.png to PREFIX.1.png, and all the others with the same number.

    Args:
        prefix: that the paths begin with.
        paths: of files or folders. Those that another run was faster to rename do not count.

    Returns:
        The path that each has now.
    """
    number, moved = _last_number(prefix) + 1, {}
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            number, moved[path] = _rename(Path(prefix), path, number)
    return moved


def _last_number(prefix):
    """The highest number that an earlier file with the prefix has; 0: there is none."""
    folder, name = os.path.split(prefix)
    numbered = re.compile(rf"{re.escape(name)}\.([1-9][0-9]{{0,8}})(?:[._]|$)")
    found = map(numbered.match, os.listdir(folder or os.curdir))
    return max((int(match[1]) for match in found if match), default=0)


def _rename(prefix, path, number):
    """Gives a file the number, or a higher one that is free. Returns (number, path)."""
    while True:
        new = path.with_name(f"{prefix.name}.{number}{path.name.removeprefix(prefix.name)}")
        if path.is_dir() and not new.exists():  # no other folder with files is ever replaced
            os.rename(path, new)
            return number, new
        try:
            new.open("xb").close()  # nobody else can have the name from here on
        except FileExistsError:
            number += 1
            continue
        try:
            os.replace(path, new)
        except OSError:
            new.unlink()
            raise
        return number, new
