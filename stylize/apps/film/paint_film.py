"""Paints a film frame by frame, several scenes at once, and keeps its sound.

    main                    checks the options, paints the film, writes it
      survey                in a process: settings, memory, weights
      paint_scenes          paints scene after scene, each frame in a process or by a worker
        paint_frame         there: paints one frame

Finished frames are kept in a hidden folder beside the result, each with the record of how it was
made, so that the same command resumes where it was stopped. They are removed when the film is
finished.
"""

import argparse
import contextlib
import functools
import itertools
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

import neural_style_transfer as nst
from stylize.apps import earlier, photo
from stylize.apps.console import (
    check_files,
    check_kept,
    check_writable,
    exit_status,
    in_words,
    say,
    warn,
)
from stylize.apps.film.scenes import WHOLE, Frame, FrameFolder, Scene, find_scenes, frames_to_paint
from stylize.apps.options import PROGRAM
from stylize.backend import machine, tensors
from stylize.backend.files import alone, remove_leftovers
from stylize.errors import InputError, SettingError
from stylize.images.clips import (
    FASTEST,
    SLOWEST,
    SUFFIXES,
    Clip,
    encode,
    missing_frames,
    open_clip,
)
from stylize.images.formats import picture_suffixes
from stylize.images.optical_flow import Previous, require_opencv
from stylize.parallel.pool import (
    Crew,
    Demand,
    Painters,
    as_ended,
    choose_jobs,
    kept_weights,
    require_jobs,
    result,
)
from stylize.runs import metadata
from stylize.runs.job import Job
from stylize.runs.memory import allowed_mib
from stylize.runs.settings import Settings
from stylize.vgg.weights import VGG19Weights

CORES_EACH = 2  # for a scene; to paint several at once, all frames must be searched for cuts first
SAID_EVERY = 500  # frames that are searched, which takes some 20 seconds


# ---------------------------------------------------------------------------------------------
# In the processes
# ---------------------------------------------------------------------------------------------


class FilmSurvey(NamedTuple):
    """What a process found before anything is painted.

    Attributes:
        job: of the first frame.
        record: how all frames are made.
        source: of the weights, in words.
        gpus: how many the backend finds.
        allowed_mib: that all processes together may take.
    """

    job: Job
    record: dict[str, Any]
    source: str
    gpus: int
    allowed_mib: float


def survey(args: argparse.Namespace, image: Image.Image) -> FilmSurvey:
    """Checks and plans a film by its options and its first frame.

    Raises:
        InputError: it cannot be painted so.
        WeightsError: there are none.
    """
    job, _ = photo.plan(argparse.Namespace(**vars(args) | {"base": image}))
    if job.settings.preserve_colors == "luma":
        raise SettingError("--preserve_colors", "luma is for photos; give linear or histogram")
    weights = kept_weights(args.weights)
    record, allowed = photo.make_record(args, job, weights, of_film=True), allowed_mib(job.settings)
    return FilmSurvey(job, record, weights.source, tensors.count_gpus(), allowed)


class Painted(NamedTuple):
    """What has become of a frame: uint8 (rows, cols, 3); the peak MiB of its process, or GPU."""

    pixels: np.ndarray
    peak_mib: float


def paint_frame(
    weights: VGG19Weights, job: Job, image: Image.Image, previous: Previous | None
) -> Painted:
    """Paints a frame.

    Args:
        weights: the network's.
        job: of the film's first frame.
        image, previous: of a `Frame`.
    """
    with tensors.freed_afterwards():
        pixels = nst.paint(job.frame(image, previous), weights).pixels
    return Painted(pixels, max(tensors.peak_memory().values(), default=0.0))


def _paint_within_gpu(weights, job, *frame):
    """`paint_frame` with all the memory of a worker's GPU, which only the worker can tell."""
    allowed = _kept_allowed_mib(job.settings.memory, job.settings.tile)
    return paint_frame(weights, job.within(allowed), *frame)


@functools.cache
def _kept_allowed_mib(memory, tile):
    """`allowed_mib` at the first frame: all frames are painted in the same tiles."""
    return allowed_mib(Settings(memory=memory, tile=tile))


def _paint_here(source, *given):
    """`paint_frame` with this process's own weights."""
    return paint_frame(kept_weights(source), *given)


# ---------------------------------------------------------------------------------------------
# In the parent
# ---------------------------------------------------------------------------------------------


class FilmConsole:
    """Says how far a film is. May be told of frames in several threads.

    Args:
        quiet: say nothing.

    Attributes:
        length: about how many frames it has.
        finished: how many there are, painted now or before.
        at_once: how many are painted at the same time.
        peak_mib: of a process so far.
    """

    def __init__(self, quiet: bool = False):
        self.length = self.finished = 0
        self.at_once, self.peak_mib = 1, 0.0
        self._quiet, self._lock = quiet, threading.Lock()
        self._seconds = 0.0  # of the last frame that told of those to come

    def print(self, line: str) -> None:
        """Prints a line."""
        if not self._quiet:
            say(line)

    def warn(self, line: str) -> None:
        """Prints a warning, on stderr."""
        if not self._quiet:
            warn(line)

    def count(self, images: Iterable[Image.Image]) -> Iterator[Image.Image]:
        """Yields the frames to be searched for scenes, and says how many have been."""
        self.print(f"Looking for scenes in {self.length} frames")
        for number, image in enumerate(images):
            if number and number % SAID_EVERY == 0:
                self.print(f"{number} of {self.length} frames searched")
            yield image

    def start(self, finished: int) -> None:
        """Painting of the unfinished frames begins."""
        self.finished = finished
        self.print(f"{finished} of {self.length} frames are finished")

    def on_frame(self, index: int, seconds: float, begins: bool, peak_mib: float = 0.0) -> None:
        """A frame was painted.

        Args:
            index: its number, from 0.
            seconds: that it took.
            begins: whether it begins a scene, which takes longer than to follow one.
            peak_mib: of its process so far.
        """
        with self._lock:
            self.finished += 1
            self.peak_mib = max(self.peak_mib, peak_mib)
            self._seconds = self._seconds if begins else seconds
            left = (self.length - self.finished) * self._seconds / self.at_once
            first = ", the first of a scene" if begins else ""
            more = f", about {in_words(left)} left" if left > 0 else ""
            self.print(f"Frame {index + 1} of {self.length} in {seconds:.1f}s{first}{more}")

    def kept(self) -> str:
        """What is kept of a film that was stopped, in words."""
        return f"{self.finished} of {self.length} frames are finished" if self.finished else ""


def is_film(args: argparse.Namespace) -> bool:
    """Whether the options are those of a film."""
    return args.frames or args.fps is not None or Path(args.base).suffix.lower() in SUFFIXES


def _check(args):
    """Raises InputError where the options do not go together, or OpenCV is not there."""
    if args.fps is not None and not args.frames:
        raise SettingError("--fps", "is for a folder of frames; with one, give --frames too")
    if args.fps is not None and not SLOWEST <= args.fps <= FASTEST:
        raise SettingError("--fps", f"must be from {SLOWEST} to {FASTEST}, received {args.fps}")
    if Path(args.style_reference).is_dir():
        raise InputError(f"{args.style_reference}: is a folder; give one picture in it")
    require_jobs(args.jobs)
    require_opencv()


def _check_suffix(prefix):
    """Raises InputError where a film's name ends like another kind of file."""
    path = Path(prefix)
    if (ending := path.suffix.lower()) in {*SUFFIXES, *picture_suffixes()}:
        mp4 = path.with_suffix(".mp4")
        raise InputError(f"{path}: a film is saved as MP4, not as {ending[1:]}; name it {mp4}")


def result_paths(prefix: str) -> tuple[Path, Path]:
    """The film, and the folder of its finished frames, which is ours and so hidden."""
    result = Path(f"{prefix}.mp4")
    return result, result.with_name(f".{result.stem}.frames")


def paint_scenes(
    scenes: Sequence[Scene],
    paint_one: Callable[[Frame], Painted],
    job: Job,
    clip: Clip,
    folder: FrameFolder,
    console: FilmConsole,
    threads: ThreadPoolExecutor,
) -> None:
    """Paints every frame that is not in the folder yet, scene by scene.

    Args:
        scenes: to be painted.
        paint_one: waits until a frame is painted; called in several threads.
        job: of the first frame.
        clip: the film.
        folder: of the results.
        console: is told of each frame.
        threads: as many as there are scenes to be painted at once. They end with this, or, where it
            ends by an error, as soon as `paint_one` fails.
    """
    stop = threading.Event()

    def paint_scene(scene):
        count = None if scene.end is None else len(scene.frames)
        with contextlib.closing(clip.frames(scene.first, stop)) as images:
            own = itertools.islice(images, count)
            for frame in frames_to_paint(job, own, folder, scene):
                pixels, peak_mib = paint_one(frame)
                folder.save(frame.number, pixels)
                begins = frame.previous is None and bool(job.settings.temporal_weight)
                console.on_frame(frame.number, frame.seconds, begins, peak_mib)

    # The longest first, so that none of them is left alone at the end.
    ordered = sorted(scenes, key=lambda scene: scene.first - (scene.end or 0))
    try:
        running = [threads.submit(paint_scene, scene) for scene in ordered]
        for future in as_ended(running):
            future.result()
    finally:
        stop.set()
        threads.shutdown(wait=False, cancel_futures=True)


def _rate_of(path):
    """The frames per second in the record of an earlier film, None if it is a picture's."""
    rate = metadata.read_record(path).get("rate")
    return rate and float(Fraction(rate))


def _painting(painters: Painters, job: Job, args: argparse.Namespace) -> Callable:
    """The function that has a `Frame` painted by one of the painters, and waits for it."""
    if painters.memory_mib is not None:
        fewer = "give fewer --jobs, a smaller size or a larger --memory"
        job = job.within(painters.memory_mib, fewer if painters.number > 1 else "")
    if painters.workers is None:
        there: tuple = (_paint_here, args.weights, job)
    else:
        job = job._replace(settings=job.settings | {"scratch": "auto"})  # of its own machine
        paint_there = _paint_within_gpu if painters.memory_mib is None else paint_frame
        there = painters.workers.call, args.base, paint_there, painters.workers.share(job)

    def paint_one(frame):
        given = *there, frame.image, frame.previous
        future = painters.executor.submit(*given)
        if isinstance(future.exception(), BrokenProcessPool):  # it was killed: once more
            future = painters.executor.submit(*given)
        return result(future)

    return paint_one


def _paint_all(args, clip, console):
    """Paints all frames that are not finished.

    Returns the folder that has them all, None if the film itself is finished; and how it is made.
    """
    film, path = result_paths(args.result_prefix)
    # The threads end last: they wait for what the crew ends.
    with contextlib.ExitStack() as last, Crew(args) as crew:
        seen = crew.ask(survey, args, next(clip.frames()))
        of_masks = photo.surprises_of_masks(seen.job.settings, seen.job.inputs.base.size)
        photo.tell_of_masks(of_masks, console.print, console.warn)
        console.print(f"A scene needs about {seen.job.needed_mib / 1024:.1f} GiB of memory")
        console.print(f"Using {seen.source}{', on the GPU' if seen.gpus else ''}")
        folder, scenes = FrameFolder(path, seen.record), [WHOLE]
        made = seen.record | {"rate": str(clip.rate)}
        if earlier.is_made_so(film, made) and not (args.overwrite or path.exists()):
            return None, made
        demand = Demand(clip.length, seen.job.needed_mib, seen.gpus, seen.allowed_mib, CORES_EACH)
        finished = folder.finished(clip.length)
        if not finished and any(path.glob("*.png")) and not args.overwrite:
            _keep_frames(path, console)
        console.start(len(finished))
        if args.ray or choose_jobs(demand, machine.count_cores(), args.jobs) > 1:
            scenes = find_scenes(seen.job, console.count(clip.frames()))
            console.length = scenes[-1].frames.stop
        finished = folder.finished(console.length)
        scenes = [s for s in scenes if s is WHOLE or not finished.issuperset(s.frames)]
        if not scenes:
            return folder, made
        demand = demand._replace(number=len(scenes))
        painters = crew.painters(demand, console.print)
        if scenes != [WHOLE]:
            several = "scenes" if len(scenes) > 1 else "scene"
            console.print(f"{len(scenes)} {several} to paint, {painters.number} at once")
        console.at_once = painters.number
        threads = last.enter_context(ThreadPoolExecutor(painters.number))
        paint_one = _painting(painters, seen.job, args)
        paint_scenes(scenes, paint_one, seen.job, clip, folder, console, threads)
    return folder, made


def _keep_frames(path, console):
    """Moves the frames of an earlier run, made differently, aside, and says so."""
    for kept in earlier.set_aside(str(path.with_suffix("")), [path]).values():
        console.print(f"The frames of an earlier run, made differently, are kept in {kept}")


def run(args: argparse.Namespace, console: FilmConsole) -> Path:
    """Checks everything that is cheap to check, then paints a film. Returns its path.

    Args:
        args: the options.
        console: is told of the run.
    """
    args.result_prefix = re.sub(r"\.mp4$", "", args.result_prefix, flags=re.IGNORECASE)
    if args.frames and args.fps is None and args.like:
        args.fps = _rate_of(args.like)
    _check(args)
    _check_suffix(args.result_prefix)
    film, finished = result_paths(args.result_prefix)
    check_kept([film, finished], [args.base])
    clip = open_clip(args.base, args.frames, args.fps)
    console.length = clip.length
    if args.frames and (missing := missing_frames(args.base)):
        console.warn(f"{args.base}: {_skipped(missing)}")
    check_files([film])
    if finished.is_symlink():  # its name can be foreseen: anybody may have made it
        raise InputError(f"{finished}: is a link, but the film's frames are kept there; remove it")
    check_writable(args.result_prefix, film.suffix)
    with alone(args.result_prefix):
        return _run(args, console, clip, film)


def _skipped(missing):
    """Says which of a folder's frames are missing, given by their numbers."""
    first, *others = missing
    if others:
        return f"frame {first} and {len(others)} more are missing; the film skips them"
    return f"frame {first} is missing; the film skips it"


def _run(args, console, clip, film):
    """Paints a film that no other run paints. Returns its path."""
    remove_leftovers(args.result_prefix)
    folder, made = _paint_all(args, clip, console)
    if folder is None:
        console.print(earlier.finished(film))
        return film
    if line := earlier.make_room(args.result_prefix, film, made, overwrite=args.overwrite):
        console.print(line)
    with_sound = encode(film, folder.files(), clip, metadata.to_text(made))
    folder.remove()
    console.print(f"Film saved as {film}")
    if not with_sound:
        console.warn(f"{film} has no sound: the clip's could not be converted")
    if args.verbose:
        console.print(f"Peak memory of a process: {console.peak_mib:.0f} MiB")
    return film


def main(args: argparse.Namespace) -> int:
    """Paints a film. Returns the exit status, see `exit_status`.

    Args:
        args: from `options.parse`.
    """
    console = FilmConsole(args.quiet)

    def kept():
        return f"{console.kept()}; resume with: {args.command}" if console.kept() else ""

    def paint() -> None:
        run(args, console)

    return exit_status(PROGRAM, paint, kept)
