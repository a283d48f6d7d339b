"""Several photos of a visitor: what has become of each, and their results together."""

import html
import os
import re
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from stylize.apps.page.watch import Watch
from stylize.backend.files import distinct, replacing

# Of a photo's or a painting's name in that of a download; files' names may have 255 bytes.
MOST_CHARACTERS, MOST_BYTES, MOST_OF_OTHERS = 45, 84, 45


class Series:
    """What has become of several photos.

    Args:
        folder: of the results.
        photos: their paths.
        names: what to call their results, without suffixes.

    Attributes:
        places: "2 of 5: NAME" for each photo.
        paths: where the result of each photo goes.
        gallery: the path and the caption of each result that is there.
    """

    def __init__(self, folder: Path, photos: Sequence[str], names: Iterable[str]):
        self._folder, self._names = folder, [Path(photo).name for photo in photos]
        self.places = [f"{i} of {len(photos)}: {name}" for i, name in enumerate(self._names, 1)]
        self.paths = [folder / f"{name}.png" for name in distinct(names)]
        self.gallery: list[tuple[str, str]] = []
        self._painted = 0
        self._remarks: dict[str, list[str]] = {}  # what is to be said -> of which photos

    def add(self, index: int, watch: Watch) -> None:
        """The run of a photo has ended or was stopped."""
        if watch.last:
            stopped = f", {watch.error}" if watch.error else ""
            self.gallery.append((str(self.paths[index]), f"{self._names[index]}{stopped}"))
        if watch.error:
            self.remark(index, watch.ending.replace(":", " at"))  # one colon is after the name
        else:
            self._painted += 1

    def remark(self, index: int, text: str) -> None:
        """Something is to be said of a photo."""
        self._remarks.setdefault(text, []).append(self._names[index])

    def words(self, first: str) -> str:
        """A line, and below it what is to be said of the photos so far, as Markdown."""
        lines = [first, *(f"{', '.join(names)}: {text}" for text, names in self._remarks.items())]
        return "\n\n".join(map(html.escape, lines))

    def summary(self, ended: str) -> str:
        """How it `ended`, in words."""
        return self.words(f"{ended}: {self._painted} of {len(self._names)} painted")

    def pack(self) -> str:
        """Writes a ZIP archive of the results, one at a time. Returns its path. Raises OSError."""
        archive = self._folder / "painted.zip"
        with replacing(archive) as temporary, zipfile.ZipFile(temporary, "w") as file:
            for path, _ in self.gallery:
                file.write(path, Path(path).name)
        return str(archive)


def download_name(
    photo: str | os.PathLike, painting: str | os.PathLike, strength: object, others: str = ""
) -> str:
    """What a result is called, without suffix: its pictures, its strength, what else was set.

    Odd characters are left out; settings are not checked yet.
    """
    names = (re.sub(r"[^\w-]+", "_", Path(each).stem) for each in (photo, painting))
    kept = [name for each in names if (name := _cut(each).strip("-_"))]
    more = re.sub(r"[^A-Za-z0-9.-]+", "_", others)[:MOST_OF_OTHERS].strip("-_")
    known = re.sub(r"[^\w.-]+", "", str(strength))[:8]
    return "_".join([*(kept or ["painted"]), known, *filter(None, [more])])


def _cut(name):
    """The beginning of a name."""
    return name[:MOST_CHARACTERS].encode()[:MOST_BYTES].decode(errors="ignore")
