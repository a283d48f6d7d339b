"""The frames of a film, scene by scene: what each is painted from; those finished are kept."""

import contextlib
import itertools
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from stylize.backend.files import remove_leftovers
from stylize.backend.scratch import Scratch
from stylize.errors import InputError
from stylize.images.optical_flow import Motion, Previous, find_motion
from stylize.images.reading import load_image
from stylize.images.resize import resize_image
from stylize.images.writing import save_image
from stylize.runs import metadata
from stylize.runs.job import Job
from stylize.vgg.preprocess import preprocess_image

MOTION_BYTES = 9  # for each pixel, of a `Motion`
MOTIONS_BYTES = 2**31  # of all that are kept; the others, of a long film, are found again


class Scene(NamedTuple):
    """A part of a film.

    Attributes:
        first, end: its frames are those from `first` on, without `end`; None: up to the last one.
        motions: of the film's frames, as far as they are known: how each follows from the one
            before it; None: it begins a scene.
    """

    first: int
    end: int | None
    motions: Sequence[Motion | None] = ()

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
    """Finds the scenes of a film. The motions found on the way are kept in a file.

    Args:
        job: of its first frame.
        images: all frames.

    Raises:
        OSError: the disk is full.
    """
    starts: list[int] = []

    def search():
        before = None
        for number, image in enumerate(images):
            frame = _resized(job, image)
            motion = find_motion(before, frame) if before else None
            if motion is None:
                starts.append(number)
            before = frame
            yield motion

    found = search()
    kept = itertools.islice(found, _motions_kept(job))
    motions = Scratch(kept, job.settings.scratch_folder)
    length = len(motions) + sum(1 for _ in found)
    return [Scene(*pair, motions) for pair in itertools.pairwise([*starts, length])]


def _motions_kept(job):
    """The number of motions that may be kept: they take half of the free disk at most."""
    folder = job.settings.scratch_folder or tempfile.gettempdir()
    rows, cols = job.stages[-1][:2]
    free = shutil.disk_usage(folder).free
    return min(MOTIONS_BYTES, free // 2) // (rows * cols * MOTION_BYTES)


def _resized(job, image):
    """An image at the size of the result, at which motion is looked for."""
    rows, cols = job.stages[-1][:2]
    return resize_image(image, rows, cols, job.settings.resample)


def frames_to_paint(
    job: Job, images: Iterable[Image.Image], folder: "FrameFolder", scene: Scene = WHOLE
) -> Iterator[Frame]:
    """Yields each frame that is not in the folder. It must be there before the next is asked for.

    Args:
        job: of the film's first frame.
        images: the frames of the scene, in order.
        folder: of the results.
        scene: the part of the film to paint.
    """
    weight = job.settings.temporal_weight
    before: Image.Image | None = None
    for index, image in enumerate(images, scene.first):
        started = time.monotonic()
        last, before = before, _resized(job, image)
        if folder.has(index):
            continue
        motion = previous = None
        if last is not None and weight:
            known = index < len(scene.motions)
            motion = scene.motions[index] if known else find_motion(last, before)
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
            return path.exists() and metadata.made_alike(metadata.read_record(path), self._record)
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
