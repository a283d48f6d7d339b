"""What becomes of an earlier comparison of the same name: it is continued, or moves aside."""

import contextlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from stylize.apps import earlier
from stylize.apps.compare.sheet import address_in
from stylize.backend.files import replacing
from stylize.errors import InputError
from stylize.images.formats import picture_suffixes
from stylize.runs.metadata import read_record


def make_room(
    prefix: str,
    records: Mapping[Path, Mapping[str, Any]],
    given: Iterable[str | os.PathLike | None],
    overwrite: bool = False,
) -> str:
    """Moves a comparison aside that has other pictures than a new one. Returns the line to say so.

    If all of its pictures are among the new ones, it is continued: nothing moves except a sheet
    that does not say which pictures it shows, such as one saved by another program.

    Args:
        prefix: that the names of the folder, the page and the sheet begin with.
        records: of each new picture, by its path in the folder: how it is made.
        given: files that the new one needs, which must not move.
        overwrite: remove pictures of the earlier sheet that the new one will not have.

    Raises:
        InputError: one of the files that are given would move, or be removed.
        OSError: a file cannot be renamed or removed.
    """
    folder, page, sheet = Path(prefix), Path(f"{prefix}.html"), Path(f"{prefix}.png")
    pictures = _pictures_in(folder)
    alike = [p for p in pictures if p in records and earlier.is_made_so(p, records[p])]
    shown = {folder / name for name in _shown_on(sheet)}
    is_same = alike == pictures and shown <= records.keys()
    if is_same and (not sheet.exists() or (pictures and shown)):
        return ""
    moving = [sheet] if is_same and pictures else [folder, page, sheet]
    if folder in moving:
        _refuse_pictures_in(folder, given)
    if overwrite:
        for path in (shown - records.keys()) & set(pictures):
            if earlier.says_how_it_was_made(path):
                path.unlink()
        return ""
    there = [path for path in moving if path.exists()]
    moved = earlier.set_aside(prefix, there)
    if page in moved:
        _follow(moved)
    last = there[-1]
    along = ", with its page and its pictures" if len(there) == 3 else ""
    return f"The earlier {last} is kept as {moved[last]}{along}"


def _refuse_pictures_in(folder, given):
    """Raises InputError where a file that is given is one of a folder."""
    real = folder.resolve()
    for path in given:
        if path and os.path.exists(path) and Path(os.path.realpath(path)).parent == real:
            raise InputError(
                f"{path}: is a picture of an earlier comparison, and this one would take its "
                "place; choose another result prefix"
            )


def _pictures_in(folder):
    """The pictures in a folder, but for hidden files."""
    if not folder.is_dir():
        return []
    suffixes = picture_suffixes()
    return [p for p in folder.iterdir() if p.suffix.lower() in suffixes and p.name[0] != "."]


def _shown_on(sheet):
    """The names of the pictures on a sheet; none: it is no sheet."""
    with contextlib.suppress(InputError):
        return read_record(sheet).get("pictures", {}).keys()
    return ()


def _follow(moved):
    """Has a page that was moved show the pictures where they are now."""
    page = next(now for now in moved.values() if now.suffix == ".html")
    text = page.read_bytes()
    for path, now in moved.items():
        for end in (b"/", b'"'):  # of a folder, and of a sheet
            before, after = (f'"{address_in(Path(p.name))}'.encode() + end for p in (path, now))
            text = text.replace(before, after)
    with replacing(page) as temporary:
        temporary.write_bytes(text)
