"""Films of the growing picture."""

from pathlib import Path

import numpy as np
from PIL import Image

from stylize.pictures import replacing
from stylize.progress import Evaluation

FILM_ROWS = 400  # a film is no higher than this
FILM_FRAMES = 120  # and has about as many frames as this
FRAMES_PER_SECOND = 15


class Film:
    """The growth of a picture, as a GIF or MP4.

    Args:
        path: ends in .gif or .mp4.
        rows, cols: of the result; the film is no higher than `FILM_ROWS`.
    """

    def __init__(self, path, rows: int, cols: int):
        self.path = Path(path)
        factor = min(1, FILM_ROWS / rows)
        # Video codecs want even sides.
        self._size = tuple(max(2, round(side * factor / 2) * 2) for side in (cols, rows))
        self._frames: list[np.ndarray] = []

    def add(self, fraction: float, evaluation: Evaluation) -> None:
        """Adds a picture where the next frame is due, `fraction` of the run being done."""
        if fraction * FILM_FRAMES > len(self._frames):
            frame = evaluation.image.resize(self._size, Image.Resampling.BICUBIC)
            self._frames.append(np.asarray(frame))

    def discard(self) -> None:
        """Leaves no file."""
        self._frames = []

    def save(self) -> None:
        """Writes the film, whole or not at all; the last frame stays a second. Raises OSError."""
        import imageio.v3 as iio

        frames = np.stack(self._frames + self._frames[-1:] * FRAMES_PER_SECOND)
        options = {
            ".gif": {"plugin": "pillow", "duration": 1000 / FRAMES_PER_SECOND, "loop": 0},
            ".mp4": {"plugin": "FFMPEG", "fps": FRAMES_PER_SECOND, "macro_block_size": 2},
        }[self.path.suffix]
        with replacing(self.path) as temporary:
            iio.imwrite(temporary, frames, **options)
