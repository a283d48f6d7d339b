"""Small copies of uploads: to show those that browsers cannot, to foresee the time, and to say what
may surprise of a mask.

A preview lies beside the upload. The upload is what is painted and what the record names.
"""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stylize.apps.page.masks import called
from stylize.apps.page.watch import Limit, Stopped
from stylize.backend.files import replacing
from stylize.errors import InputError
from stylize.images.apart import ReadingFailed, load_keep_mask_apart, preview_apart
from stylize.images.formats import SHOWN_BY_BROWSERS, picture_suffixes

PREVIEW = ".preview.jpg"  # added to the upload's name
SIDE = 640  # pixels of its longer side
SECONDS = 20  # that looking at a visitor's uploads may take
MOST_KNOWN = 10_000  # uploads of which something is remembered


class Remembered:
    """What was found of uploads, by their paths, or the error that was found instead."""

    def __init__(self) -> None:
        self._found: dict[str, Any] = {}

    def get(self, path: str, find: Callable[[], Any]) -> Any:
        """Returns what `find` returned for this path the first time.

        Raises what it raises; an InputError is remembered, and raised again without finding anew.
        """
        try:
            found = self._found[path]
        except KeyError:
            try:
                found = find()
            except InputError as error:
                found = error
            if len(self._found) >= MOST_KNOWN:
                self._found.clear()
            self._found[path] = found
        if isinstance(found, InputError):
            raise InputError(str(found))
        return found


class Previews:
    """Looks at uploads.

    Args:
        max_pixels: that an upload may have.
    """

    def __init__(self, max_pixels: int):
        self._max_pixels = max_pixels
        self._sizes, self._masks = Remembered(), Remembered()

    def shown(self, path: str, limit: Limit) -> str:
        """The path of what a browser can show of an upload: its own, or that of a preview."""
        if Path(path).suffix.lower() not in picture_suffixes() - SHOWN_BY_BROWSERS:
            return path
        preview = f"{path}{PREVIEW}"
        if not os.path.isfile(preview):
            with contextlib.suppress(InputError, OSError, Stopped):  # painting says what is wrong
                small = self._preview(path, limit).image
                with replacing(Path(preview)) as temporary:
                    small.save(temporary, format="JPEG", quality=90)
        return preview if os.path.isfile(preview) else path

    def size(self, path: str, limit: Limit) -> tuple[int, int] | None:
        """The (cols, rows) of an upload; None: it could not be read, or not in time.

        Raises InputError: what is wrong with it.
        """
        try:
            return self._sizes.get(path, lambda: self._look_at(path, limit))
        except Stopped:  # the next time it may be read in time
            return None

    def mask(self, path: str, limit: Limit) -> tuple[tuple[int, int], list[str]] | None:
        """The (cols, rows) of a mask, and what may surprise of it; None and errors: see `size`."""
        try:
            return self._masks.get(path, lambda: self._look_at_mask(path, limit))
        except Stopped:
            return None

    def _look_at_mask(self, path, limit):
        """The same. Raises Stopped, too."""
        try:
            mask = load_keep_mask_apart(path, called(path), self._max_pixels, limit, SIDE)
        except ReadingFailed:
            return None
        limit.check()
        return mask.size, mask.surprises

    def _look_at(self, path, limit):
        """The same. Raises Stopped, too."""
        try:
            return self._preview(path, limit).size
        except ReadingFailed:
            return None

    def _preview(self, path, limit):
        """The `Preview` of an upload. Raises InputError, or Stopped."""
        small = preview_apart(path, Path(path).name, self._max_pixels, limit, SIDE)
        limit.check()
        return small


def original(path: str) -> str:
    """The path of the upload that is shown, by itself or by a preview, at a path."""
    upload = path.removesuffix(PREVIEW)
    return upload if os.path.isfile(upload) else path
