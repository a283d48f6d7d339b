"""How much a visitor may ask for."""

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from PIL import Image

from stylize.apps.page.watch import Limit
from stylize.errors import InputError, SettingError
from stylize.images.clips import SUFFIXES, Clip, open_clip
from stylize.images.optical_flow import require_opencv
from stylize.images.resize import SMALLEST_SIDE, least_rows, working_size
from stylize.runs.progress import Stage
from stylize.runs.recipes import choose_settings
from stylize.runs.settings import Settings
from stylize.runs.style_sizes import seen_size
from stylize.runs.validators import side

MOST_ENLARGED = 2  # times the side of the largest result: a painting's, however it is scaled


class NotAllowed(InputError):
    """A visitor asks for what the page does not allow.

    Args:
        parameter: what programs call that which asks for it.
    """

    def __init__(self, parameter: str, message: str):
        super().__init__(message)
        self.parameter = parameter


class Allowance(NamedTuple):
    """How much a visitor may ask for.

    Attributes:
        size: pixels of a result's longer side.
        seconds: that a photo or a clip is painted.
        photos: that are given at once.
        frames: of a clip.
        pixels: of an upload, or of a frame of it.
        bytes: of all visitors' uploads and results; once they take more, nothing more is painted.
    """

    size: int
    seconds: float
    photos: int
    frames: int
    pixels: int
    bytes: float = math.inf

    def check_photos(self, photos: Sequence[str]) -> None:
        """Raises InputError where there are too many, or clips among them."""
        if len(photos) > 1 and any(map(is_clip, photos)):
            raise InputError("Give either one clip or photos.")
        if len(photos) > self.photos:
            raise InputError(f"Too many photos: at most {self.photos} at once. Leave some out.")

    def open_clip(self, path: str, limit: Limit) -> tuple[Clip, Image.Image]:
        """The clip of an upload, and its first frame.

        Raises InputError, also where it is too long; or Stopped.
        """
        require_opencv()
        try:
            clip = open_clip(path, most=self.frames + 1, max_pixels=self.pixels, ending=limit)
        except (InputError, OSError) as error:  # OSError: no FFmpeg
            limit.check()
            message = str(error).replace(f"video {path}", path).replace(path, "the clip")
            raise InputError(message) from None
        if clip.length > self.frames:
            raise InputError(
                f"The clip has more than {self.frames} frames, the most that this page accepts; "
                "give a shorter one."
            )
        first = next(clip.frames(0, limit), None)
        limit.check()
        if first is None:
            raise InputError("The clip has no frames that can be read.")
        return clip, first

    def check_clip_settings(self, given: Mapping[str, Any]) -> None:
        """Raises InputError where a clip cannot be painted with settings."""
        if given["preserve_colors"] == "luma":
            words = "Keep the photo's colours: luma is for photos; choose another way"
            raise NotAllowed("preserve_colors", words)

    def settings(
        self, given: Mapping[str, Any], size: tuple[int, int]
    ) -> tuple[Settings, tuple[int, int]]:
        """The settings of a photo, and (rows, cols) of its result.

        Args:
            given: settings as a visitor gives them.
            size: (cols, rows) of the photo.

        Raises:
            InputError: a value is out of range, or the result would be too small or too large.
        """
        cols, rows = size
        least, most = self.rows_for([size])
        photo: Any = SimpleNamespace(width=cols, height=rows, size=size)
        refused = NotAllowed("size", _wanted(least, most) if least <= most else self._too_long)
        if given["size"] is None:  # the page's field is empty
            raise refused
        try:
            settings = choose_settings(**given)
            rows, cols = working_size(photo, settings.size, settings.longer_side)
        except SettingError as error:
            raise refused if error.flag == "--size" else error from None
        if max(rows, cols) > self.size:
            remedy = f"Choose at most {most} rows." if least <= most else self._too_long
            raise NotAllowed(
                "size",
                f"The result would be {cols}x{rows} pixels; the limit here is {self.size} on the "
                f"longer side. {remedy}",
            )
        return settings, (rows, cols)

    def check_size(self, rows: object) -> None:
        """Raises NotAllowed where no photo's result can have so many rows."""
        try:
            is_possible = side(rows) <= self.size
        except InputError:
            is_possible = False
        if not is_possible:
            raise NotAllowed("size", _wanted(SMALLEST_SIDE, self.size))

    def rows_for(self, sizes: Iterable[tuple[int, int]]) -> tuple[int, int]:
        """The least and the most rows that the results of photos, each (cols, rows), may all have.

        Where the least are more than the most, no number of rows is right for all.
        """
        sizes = [*sizes]
        least = max(least_rows(cols, rows) for cols, rows in sizes)
        # Columns are rounded down.
        most = min(((self.size + 1) * rows - 1) // cols for cols, rows in sizes)
        return least, min(self.size, most)

    @property
    def _too_long(self):
        """What is said of a photo that no size makes small enough."""
        return (
            f"The photo is too long and narrow: at {self.size} pixels on the longer side, the "
            f"limit here, the shorter side would have fewer than {SMALLEST_SIDE}. Crop the photo."
        )

    def check_painting(
        self, size: tuple[int, int], settings: Settings, result: tuple[int, int]
    ) -> None:
        """Raises InputError if strokes are so coarse that a painting would be enlarged too much.

        Args:
            size: (cols, rows) of the painting, without its margins.
            settings: of the photo.
            result: (rows, cols) of its result.
        """
        scales = settings.style_scale
        # `prepare` checks how many there are.
        scale = scales if isinstance(scales, str) else next(iter(scales), 1.0)
        painting: Any = SimpleNamespace(width=size[0], height=size[1], size=size)
        stage = Stage(*result, settings.iterations, 1, settings.precision)
        rows, cols = seen_size(painting, scale, stage, settings)
        if rows * cols > (MOST_ENLARGED * self.size) ** 2:
            raise NotAllowed(
                "style_scale",
                f"For strokes of this size the painting would be {cols}x{rows} pixels, too many "
                f"here. Choose finer strokes, or a smaller size.",
            )


def is_clip(path: str | os.PathLike) -> bool:
    """Whether an upload is a video, by its suffix."""
    return Path(path).suffix.lower() in SUFFIXES


def _wanted(least, most):
    """What a size must be, in words."""
    return f"The size, the rows of the result, must be a whole number from {least} to {most}."
