"""The frames of a film, scene by scene: what each is painted from; those finished are kept."""

import contextlib
import itertools
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from stylize.backend.files import remove_leftovers
from stylize.errors import InputError
from stylize.images.optical_flow import Previous, find_motion
from stylize.images.reading import load_image
from stylize.images.resize import resize_image
from stylize.images.writing import save_image
from stylize.runs import metadata
from stylize.runs.checkpoint import made_alike
from stylize.runs.job import Job
from stylize.vgg.preprocess import preprocess_image


class Scene(NamedTuple):
    """The frames from `first` on, without `end`; None: up to the last one."""

    first: int
    end: int | None

    @property
    def frames(self) -> range:
        """Their numbers, where the end is known."""
        assert self.end is not None
        return range(self.first, self.end)


WHOLE = Scene(0, None)  # a film whose scenes are found while it is painted


class Frame(NamedTuple):
    """A frame to be painted.

    Attributes:
        number: its own, from 0.
        image: as it was read.
        previous: what it is held to; None: it begins a scene.
        started: when its own work began, as `time.monotonic` has it.
    """

    number: int
    image: Image.Image
    previous: Previous | None
    started: float

    @property
    def seconds(self) -> float:
        """The seconds that it has taken so far."""
        return time.monotonic() - self.started


def find_scenes(job: Job, images: Iterable[Image.Image]) -> list[Scene]:
    """The scenes of a film.

    Args:
        job: of its first frame.
        images: all frames.
    """
    starts, count = [], 0
    resized = (_resized(job, image) for image in images)
    for count, (before, frame) in enumerate(itertools.pairwise(resized), 1):
        if find_motion(before, frame) is None:
            starts.append(count)
    return [Scene(*pair) for pair in itertools.pairwise([0, *starts, count + 1])]


def _resized(job, image):
    """An image at the size of the result, at which motion is looked for."""
    rows, cols = job.stages[-1][:2]
    return resize_image(image, rows, cols, job.settings.resample)


def frames_to_paint(
    job: Job, images: Iterable[Image.Image], folder: "FrameFolder", first: int = 0
) -> Iterator[Frame]:
    """Yields each frame that is not in the folder. It must be there before the next is asked for.

    Args:
        job: of the film's first frame.
        images: the frames from `first` on, which begins a scene.
        folder: of the results.
        first: the number of the first.
    """
    weight = job.settings.temporal_weight
    before: Image.Image | None = None
    for index, image in enumerate(images, first):
        started = time.monotonic()
        last, before = before, _resized(job, image)
        if folder.has(index):
            continue
        motion = find_motion(last, before) if last is not None and weight else None
        previous = None
        if motion:
            previous = motion.move(preprocess_image(folder.load(index - 1)))
        yield Frame(index, image, previous, started)


class FrameFolder:
    """The finished frames of a film, in a folder.

    Args:
        path: of the folder, which is created with the first frame.
        record: how they are made, as `metadata.make_record` has it.
    """

    def __init__(self, path: str | Path, record: Mapping[str, Any]):
        self.path, self._record = Path(path), record

    def file(self, index: int) -> Path:
        """The file of a frame; they count from 1."""
        return self.path / f"{index + 1:06}.png"

    def has(self, index: int) -> bool:
        """Whether a frame is there, made as the record says."""
        path = self.file(index)
        with contextlib.suppress(InputError):
            return path.exists() and made_alike(metadata.read_record(path), self._record)
        return False

    def save(self, index: int, pixels: Any) -> None:
        """Writes a frame, whole or not at all. Raises OSError."""
        save_image(pixels, self.file(index), description=metadata.to_text(self._record))

    def load(self, index: int) -> Image.Image:
        """A frame that is there."""
        return load_image(self.file(index))

    def finished(self, length: int) -> set[int]:
        """The numbers of the frames that are there, of the first `length`."""
        return {index for index in range(length) if self.has(index)}

    def files(self) -> list[Path]:
        """The files of the frames that are there, up to the first that is not."""
        whole = itertools.takewhile(self.has, itertools.count())
        return [self.file(index) for index in whole]

    def remove(self) -> None:
        """Removes the frames, and the folder if nothing else is in it."""
        for path in self.path.glob("*.png"):
            if re.fullmatch(r"\d{6,}", path.stem):
                with contextlib.suppress(InputError, OSError):
                    metadata.read_record(path)
                    path.unlink()
                    remove_leftovers(path.with_suffix(""))
        with contextlib.suppress(OSError):
            self.path.rmdir()
