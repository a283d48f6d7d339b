"""Folders of pictures: the pictures in them, their results, and the page that shows both."""

import base64
import functools
import html
import io
import json
import os
import re
import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from stylize.apps.html_page import GENERATOR, html_page
from stylize.backend.files import folded, naming, replacing
from stylize.errors import InputError, SettingError
from stylize.images.formats import SHOWN_BY_BROWSERS, picture_suffixes
from stylize.images.reading import load_image
from stylize.runs.metadata import read_record

OURS = re.compile(r"_(at_iteration_\d+|losses)$")  # how the names of a run's further pictures end
NUMBERED = re.compile(r"(.*?)([0-9]{1,9})([^0-9]*)", re.DOTALL)  # by the last number in a name
FEWEST_FRAMES = 10  # in a folder that may be a film's
LONGEST_HEAD = 1000  # characters by which a file is known
THUMBNAIL = 480  # pixels of the longer side of the other pictures on the page
STYLE = """table { border-collapse: collapse; width: 100% }
th, td { padding: .3rem; text-align: left; vertical-align: top; width: 33% }
img { display: block; max-width: 100%; max-height: 60vh }
a { color: inherit; overflow-wrap: anywhere }
"""
TABLE = """<table>
<thead><tr><th>photo<th>style<th>result</thead>
{rows}
</table>
"""


class Task(NamedTuple):
    """A photo, a style, and the prefix of the results, all of them paths."""

    photo: Path
    style: Path
    prefix: Path


# ---------------------------------------------------------------------------------------------
# What is to be painted
# ---------------------------------------------------------------------------------------------


def find_pictures(folder: str | os.PathLike, results: str | os.PathLike) -> list[Path]:
    """The pictures in a folder and those below it, by their suffixes, sorted.

    Hidden files are left out, all that is in the folder `results`, and what this program made.
    Broken links are included, so that painting reports them.

    Raises:
        InputError: there is none.
        OSError: a folder cannot be read.
    """

    def fail(error):
        raise error

    found = pictures_below(folder, results, fail)
    pictures = [p for p in found if (p.is_file() or _is_broken_link(p)) and not _is_ours(p)]
    if not pictures:
        raise InputError(f"{folder}: is a folder without pictures; check the path")
    return sorted(pictures)


def _is_broken_link(path):
    return path.is_symlink() and not path.exists()


def pictures_below(
    folder: str | os.PathLike,
    results: str | os.PathLike,
    on_error: Callable[[OSError], None] | None = None,
) -> Iterator[Path]:
    """Yields what has the name of a picture in a folder and below.

    Hidden files are left out, and all that is in the folder `results`. `on_error`: as for
    `os.walk`.
    """
    results, suffixes = os.path.realpath(results), picture_suffixes()
    for path, folders, files in os.walk(os.fspath(folder), onerror=on_error):
        folders[:] = [
            name
            for name in folders
            if name[0] != "." and os.path.realpath(os.path.join(path, name)) != results
        ]
        for name in files:
            if name[0] != "." and Path(name).suffix.lower() in suffixes:
                yield Path(path, name)


def _is_ours(path):
    """Whether a picture is a result, or the plot or the film beside one."""
    name = OURS.sub("", path.stem)
    if (name != path.stem or path.suffix == ".gif") and (
        path.parent / f"{name}_losses.csv"
    ).exists():
        return True
    try:
        read_record(path)
    except InputError:
        return False
    return True


def may_be_frames(photos: Iterable[str | os.PathLike]) -> bool:
    """Whether photos are named as a film's frames are: alike but for a number, without a gap."""
    photos = [*photos]
    names = [match.groups() for photo in photos if (match := NUMBERED.fullmatch(os.fspath(photo)))]
    if not FEWEST_FRAMES <= len(photos) == len(names):
        return False
    heads, numbers, tails = zip(*names, strict=True)
    found = sorted(map(int, numbers))
    without_gap = found == [*range(found[0], found[0] + len(found))]
    return without_gap and len(set(heads)) == len(set(tails)) == 1


def plan_tasks(
    base: str | os.PathLike,
    style_reference: str | os.PathLike,
    prefix: str | os.PathLike,
    pairs: bool = False,
) -> list[Task]:
    """What is to be painted where: every photo in every style.

    Results lie in the folder `prefix`, as the photos do in theirs. Each style of a folder of styles
    has a folder of its own in it, but for `pairs`: the first photo in the first style, and so on.

    Args:
        base, style_reference: a picture or a folder of them; at least one is a folder.
        prefix: of the results.
        pairs: of two folders with as many pictures.

    Raises:
        InputError: a folder without pictures, or `pairs` of others than two folders of the same
            length.
    """
    if pairs and not (Path(base).is_dir() and Path(style_reference).is_dir()):
        raise SettingError("--pairs", "needs a folder of photos and a folder of styles")
    photos, styles = _names(base, prefix), _names(style_reference, prefix)
    if not pairs:
        return [
            Task(photo, style, Path(prefix, style_name, photo_name))
            for style, style_name in styles.items()
            for photo, photo_name in photos.items()
        ]
    if len(photos) != len(styles):
        raise SettingError(
            "--pairs",
            f"needs two folders with equally many pictures; {base} has {len(photos)} and "
            f"{style_reference} {len(styles)}",
        )
    return [
        Task(photo, style, Path(prefix, name))
        for (photo, name), style in zip(photos.items(), styles, strict=True)
    ]


def _names(path, results):
    """Picture -> what its results are called in the folder of results; "" for a single picture."""
    if not Path(path).is_dir():
        return {Path(path): ""}
    pictures = find_pictures(path, results)
    names = [picture.relative_to(path) for picture in pictures]
    return dict(zip(pictures, unique_names(names), strict=True))


def unique_names(paths: Sequence[Path]) -> list[Path]:
    """The paths without their suffixes, which only those keep whose results would share a name."""

    def key(path):
        return folded(str(path))

    whole = {key(path) for path in paths}
    times = Counter(key(path.with_suffix("")) for path in paths)
    return [
        path
        if times[short := key(path.with_suffix(""))] > 1 or short in whole or OURS.search(short)
        else path.with_suffix("")
        for path in paths
    ]


# ---------------------------------------------------------------------------------------------
# What has become of it
# ---------------------------------------------------------------------------------------------


def append_line(path: str | os.PathLike, **entry: object) -> None:
    """Adds an entry to a log of JSON lines. Raises OSError.

    A line that is not whole, as after a power cut, is left as it is.
    """
    text = {name: _as_text(value) for name, value in entry.items()}
    line = json.dumps(text).encode()
    with naming(path), open(path, "ab+") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        broken_off = file.read(1) not in (b"", b"\n")
        file.write(b"\n" * broken_off + line + b"\n")


def _as_text(value):
    """A value; in a name that is no UTF-8, odd bytes are written as in Python's literals."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def check_ours(index: Path, log: Path | None = None) -> None:
    """Raises InputError where a file with the name of the page or the log is not this program's."""
    for path, sign in ((index, GENERATOR), (log, '{"time": "')):
        if path is None or not path.exists():
            continue
        with path.open(encoding="utf-8", errors="replace") as file:
            head = file.read(LONGEST_HEAD)
        begun = log == path and sign.startswith(head)  # its first line was broken off
        if head and sign not in head and not begun:
            raise InputError(
                f"{path}: was not written by this program; rename or remove it, or choose another "
                "folder"
            )


def write_index(path: str | os.PathLike, rows: Iterable[tuple[Path, Path, Path | str]]) -> None:
    """Writes the page that shows photos, styles and results, unless it does so already.

    It is written whole or not at all. Raises OSError.

    Args:
        path: of the page. It shows the pictures where they lie.
        rows: of a photo, a style, and a result or, in words, why there is none.
    """
    path, rows = Path(path), list(rows)
    roots = [_common_folder(column) for column in zip(*rows, strict=True)]
    cells = (zip(row, roots, strict=True) for row in rows)
    text = "\n".join(
        "<tr>" + "".join(f"<td>{linked_picture(*cell, path.parent)}" for cell in row)
        for row in cells
    )
    page = html_page(html.escape(path.parent.name), STYLE, TABLE.format(rows=text))
    content = page.encode("utf-8", "backslashreplace")
    if path.is_file() and path.read_bytes() == content:
        return
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def _common_folder(cells):
    """The folder that all paths among the cells lie in or below; None: there is none."""
    folders = [str(cell.parent.absolute()) for cell in cells if isinstance(cell, Path)]
    try:
        return Path(os.path.commonpath(folders))
    except ValueError:  # no paths, or on several drives of Windows
        return None


def linked_picture(cell: Path | str, root: Path | None, folder: Path) -> str:
    """In HTML: a picture, linked to its file and named as it lies in a folder, or words.

    Args:
        cell: the picture or the words.
        root: the folder; None: it is named alone.
        folder: of the page.
    """
    if isinstance(cell, str):
        return html.escape(cell)
    address = _address(cell, folder)
    shown = address if cell.suffix.lower() in SHOWN_BY_BROWSERS else _thumbnail(cell)
    image = f'<img src="{shown}" alt="" loading="lazy">' if shown else ""
    name = os.path.relpath(cell.absolute(), root) if root else cell.name
    return f'<a href="{address}">{image}{html.escape(str(name))}</a>'


def _address(path, folder):
    """A path as the address that a page in `folder` has for it."""
    path, folder = os.path.realpath(path), os.path.realpath(folder)
    try:
        relative = os.path.relpath(path, folder)
    except ValueError:  # on another drive of Windows
        return Path(path).as_uri()
    return urllib.parse.quote(os.fsencode(Path(relative).as_posix()))  # as bytes: any name has them


@functools.lru_cache(maxsize=1024)  # a style is in many rows
def _thumbnail(path):
    """A small JPEG of a picture as an address that holds it; "" where it cannot be read."""
    try:
        image = load_image(path)
    except InputError:
        return ""
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
