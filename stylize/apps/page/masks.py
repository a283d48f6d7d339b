"""The masks that visitors have given, each with its photo, so that it comes back with that; and
what is said of a mask.
"""

import os
import threading
from collections.abc import Iterable
from pathlib import Path

from stylize.errors import one_line
from stylize.images.masks import stretched

MOST_KNOWN = 10_000  # strangers may come under any number of names


class Masks:
    """Remembers masks by visitor and photo.

    Nobody gets the mask of somebody else: whoever has no name is not remembered.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str | None, str], str] = {}
        self._photos: dict[str, str] = {}  # visitor -> the photo that is there now
        self._changing = threading.Lock()

    def turn_to(self, visitor: str | None, photo: str | None) -> bool:
        """A visitor's photo is this one now, or none. Returns whether it was another before.

        For a visitor without a name this is not known: always True.
        """
        if not isinstance(visitor, str):
            return True
        with self._changing:
            before = self._photos.pop(visitor, None)
            if photo is not None:
                if len(self._photos) >= MOST_KNOWN:
                    del self._photos[next(iter(self._photos))]
                self._photos[visitor] = photo
        return photo != before

    def keep(self, visitor: str | None, photo: str | None, mask: str | None) -> None:
        """A visitor, by their browser's name, has given a mask for a photo, both by their paths.

        None: they have removed the mask, or there is no photo yet. The photo is theirs now, see
        `turn_to`.
        """
        if photo is None or not isinstance(visitor, str):
            return
        self.turn_to(visitor, photo)
        with self._changing:
            self._known.pop((visitor, photo), None)
            if mask:
                if len(self._known) >= MOST_KNOWN:
                    del self._known[next(iter(self._known))]
                self._known[visitor, photo] = mask

    def of(self, visitor: str | None, photo: str | None) -> str | None:
        """The path of the mask that a visitor has given for a photo, if it is still there."""
        mask = self._known.get((visitor, photo or ""))
        return mask if mask and os.path.isfile(mask) else None


def called(mask: str) -> str:
    """What a mask is called, by its path."""
    return f"mask {one_line(Path(mask).name)}"


def remarks(
    mask: str, size: tuple[int, int], surprises: Iterable[str], photo_size: tuple[int, int]
) -> list[str]:
    """What a visitor may not expect of a mask, in lines.

    Args:
        mask: its path.
        size, photo_size: (cols, rows) of the mask and of the photo that it is for.
        surprises: of how it is read.
    """
    lines = [*surprises]
    if stretched(size, photo_size):
        own, of_photo = (f"{cols}x{rows}" for cols, rows in (size, photo_size))
        fits = "a mask of the photo's shape fits better"
        lines.insert(0, f"{called(mask)} ({own}) is stretched over a photo of {of_photo}; {fits}.")
    return lines
