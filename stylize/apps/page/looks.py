"""What uploads look like, small: to show those that browsers cannot, and to foresee the time.

A preview lies beside what was uploaded, which is what is painted: its record names the photo.
"""

import contextlib
import os
from collections import OrderedDict
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from stylize.apps.page.watch import Limit, Stopped
from stylize.backend.files import replacing
from stylize.errors import InputError
from stylize.images.apart import load_image_apart
from stylize.images.formats import picture_suffixes

SHOWN = {".apng", ".avif", ".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".webp"}
PREVIEW = ".preview.jpg"  # how its name goes on after that of the upload
SIDE = 640  # pixels of a small picture's longer side
SECONDS = 20  # that an upload may take to be looked at
MOST_KNOWN = 1000  # uploads whose shape is remembered


class Looks:
    """Looks at uploads.

    Args:
        max_pixels: that an upload may have.
    """

    def __init__(self, max_pixels: int):
        self._max_pixels = max_pixels
        self._shapes: OrderedDict[str, Image.Image | None] = OrderedDict()

    def changed(self, paths: list[str], most: int | None = None) -> Any:
        """What is to be shown of uploads, of which the last `most` count; else nothing changes.

        What did not have to change would only take the place of what came meanwhile.
        """
        shown = [self.shown(path) for path in paths][-(most or len(paths)) :]
        return gr.skip() if shown == paths else shown

    def shown(self, path: str) -> str:
        """The path of what a browser can show of an upload: its own, or that of a preview."""
        if Path(path).suffix.lower() not in picture_suffixes() - SHOWN:
            return path
        preview = f"{path}{PREVIEW}"
        if not os.path.isfile(preview):
            with contextlib.suppress(InputError, OSError, Stopped):  # painting says what is wrong
                small = self._small(path)
                with replacing(Path(preview)) as temporary:
                    small.save(temporary, format="JPEG", quality=90)
        return preview if os.path.isfile(preview) else path

    def shape(self, path: str) -> Image.Image | None:
        """An empty picture as wide and high as an upload, but small; None: it cannot be read."""
        if path not in self._shapes:
            try:
                shape = Image.new("RGB", self._small(path).size)
            except (InputError, Stopped):
                shape = None
            self._shapes[path] = shape
            while len(self._shapes) > MOST_KNOWN:
                self._shapes.popitem(last=False)
        return self._shapes[path]

    def _small(self, path):
        """An upload with `SIDE` pixels a side at most. Raises InputError, or Stopped."""
        limit = Limit(max_seconds=SECONDS)
        small = load_image_apart(path, "the upload", self._max_pixels, limit, SIDE)
        limit.check()
        return small


def original(path: str) -> str:
    """The path of the upload that is shown, by itself or by a preview, at a path."""
    upload = path.removesuffix(PREVIEW)
    return upload if os.path.isfile(upload) else path
