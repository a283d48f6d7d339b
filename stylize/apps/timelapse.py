"""Films of the growing picture, written frame by frame: only one frame at a time is in memory."""

import contextlib
import weakref
from pathlib import Path
from typing import Protocol

from PIL import GifImagePlugin, Image

from stylize.backend.files import Unfinished, naming
from stylize.images.ffmpeg import FRAMES_PER_SECOND, Mp4Writer
from stylize.runs.progress import Evaluation

FILM_ROWS = 400  # a film is no higher than this


FILM_COLS = 712  # and no wider: 16:9


FILM_FRAMES = 120  # and has no more frames than this, but for the last, which stays


HELD = FRAMES_PER_SECOND  # frames that the last one stays after its own: a second


class Writer(Protocol):
    """Writes a film to a path, frame by frame. Each method raises OSError where it cannot."""

    def __init__(self, path: Path, size: tuple[int, int]) -> None:
        """Starts a film of pictures of `size`, (cols, rows)."""

    def write(self, frame: Image.Image, count: int) -> None:
        """Adds an RGB picture that stays as long as `count` frames."""

    def finish(self) -> None:
        """Ends the film: the file is whole."""

    def abort(self) -> None:
        """Lets go of the file, whole or not. May be called after anything, and twice."""


class GifWriter:
    """A GIF that repeats for ever, each frame with 256 colours of its own.

    Pillow's own `save` would hold all frames until the last.
    """

    def __init__(self, path: Path, size: tuple[int, int]) -> None:
        self._file = path.open("wb")

    def write(self, frame: Image.Image, count: int) -> None:
        """See `Writer`."""
        image = frame.quantize(256)
        if not self._file.tell():
            self._file.writelines(GifImagePlugin.getheader(image, info={"loop": 0})[0])
        milliseconds = 1000 * count / FRAMES_PER_SECOND
        self._file.writelines(
            GifImagePlugin.getdata(image, duration=milliseconds, include_color_table=True)
        )

    def finish(self) -> None:
        """See `Writer`."""
        self._file.write(b";")  # GIF's trailer
        self._file.close()

    def abort(self) -> None:
        """See `Writer`."""
        self._file.raw.close()  # without writing what is left, for which there may be no room
        self._file.close()


WRITERS: dict[str, type[Writer]] = {".gif": GifWriter, ".mp4": Mp4Writer}


class Film:
    """The growth of a picture, as a GIF or MP4.

    It grows under another name in the same folder and is renamed when it is whole. That file and
    whatever process writes it are gone after `save` or `discard`, and at the latest with the film.

    Args:
        path: ends in .gif or .mp4.
        rows, cols: of the result; the film has its aspect, and fits in `FILM_ROWS` and `FILM_COLS`.
    """

    def __init__(self, path: str | Path, rows: int, cols: int) -> None:
        self.path = Path(path)
        factor = min(1, FILM_ROWS / rows, FILM_COLS / cols)
        # Video codecs want even sides.
        width, height = (max(2, round(side * factor / 2) * 2) for side in (cols, rows))
        self._size = width, height
        self._latest: Image.Image | None = None  # not written yet: it may be the last one
        self._part = -1  # of the run, 0 .. FILM_FRAMES - 1, that `_latest` is of
        self._writer: Writer | None = None
        self._file: Unfinished | None = None
        self._error: OSError | None = None
        self._let_go = lambda: None

    def add(self, fraction: float, evaluation: Evaluation) -> None:
        """Adds a picture where the next frame is due, `fraction` (0..1) of the run being done.

        That a film cannot be written must not end the run: `save` raises what happened here.
        """
        part = int(min(1, fraction) * (FILM_FRAMES - 1))
        if part <= self._part or self._error:
            return
        self._part = part
        try:
            self._write(1)
        except OSError as error:
            self.discard()
            self._error = error
        else:
            self._latest = evaluation.image.resize(self._size, Image.Resampling.BICUBIC)

    def discard(self) -> None:
        """Leaves no file."""
        self._latest = None
        self._let_go()

    def save(self) -> None:
        """Ends the film and gives it its name; the last frame stays a second.

        Raises:
            OSError: it could not be written; it is discarded then.
        """
        try:
            if self._error:
                raise self._error
            self._write(1 + HELD)
            if self._writer and self._file:
                with naming(self.path):
                    self._writer.finish()
                    self._file.finish()
        finally:
            self.discard()

    def _write(self, count):
        """Writes the frame that waits, if one does, to stay as long as `count` frames."""
        if self._latest is None:
            return
        with naming(self.path):
            if self._writer is None:
                self._begin()
            self._writer.write(self._latest, count)

    def _begin(self):
        """Creates the file, and what writes it; both are let go of together."""
        with contextlib.ExitStack() as started:
            self._file = Unfinished(self.path)
            started.callback(self._file.discard)
            self._writer = WRITERS[self.path.suffix](self._file.path, self._size)
            started.callback(self._writer.abort)
            self._let_go = weakref.finalize(self, started.pop_all().close)
