"""A film as the photo: read as a stream, painted frame by frame, and written with its sound.

    main                    reads the options
      open_clip             the frames and the sound of a video, or a folder of frames
      paint_frames          paints one frame after another; frames that are finished are kept
      encode                puts the finished frames and the sound into one file

Finished frames are kept in a hidden folder beside the result, each with the record of how it was
made, so that the same command goes on where it was stopped. They are removed when the film is
finished.
"""

import argparse
import contextlib
import errno
import gc
import itertools
import math
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from stylize import backend, cli, records
from stylize.download import load_weights
from stylize.errors import InputError, one_line
from stylize.films import Mp4Writer, find_ffmpeg
from stylize.flow import find_motion, require_opencv
from stylize.formats import picture_suffixes
from stylize.job import Job
from stylize.pictures import (
    load_image,
    preprocess_image,
    remove_leftovers,
    replacing,
    resize_image,
    save_image,
)
from stylize.resume import made_alike
from stylize.terminal import check_writable, exit_status, in_words
from stylize.weights import VGG19Weights

SUFFIXES = (
    *(".3gp", ".avi", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4"),
    *(".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".webm", ".wmv"),
)
OF_PICTURES = (  # options
    *("pairs", "jobs", "fail_fast", "ray", "format", "bits", "every_iteration", "plot"),
    *("gif", "mp4"),
)
KEPT_SOUND = ("aac", "ac3", "alac", "eac3", "flac", "mp3", "opus")  # what an MP4 may hold as it is
# Painted strokes are what compression blurs first. Players guess BT.601 for small films and BT.709
# for large ones, so it is said: some versions of FFmpeg heed the frames, some the options. H.264
# wants even sides: a row or column may go.
ENCODING = (
    *("-crf", "18", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"),
    "-vf",
    "scale=out_color_matrix=bt709,setparams=color_primaries=bt709:color_trc=bt709,"
    "crop=trunc(iw/2)*2:trunc(ih/2)*2",
)
NTSC = (24, 30, 48, 60, 120)  # frames per second that are often a thousandth fewer
SLOWEST = 0.001  # frames per second
DEFAULT_RATE = 25.0  # frames per second of a folder of frames, or where a video does not say

# ---------------------------------------------------------------------------------------------
# Reading and writing
# ---------------------------------------------------------------------------------------------


class Clip(NamedTuple):
    """A film to be painted.

    Attributes:
        frames: begins again with each call; yields Pillow RGB images, and raises InputError, or
            OSError where FFmpeg ends too soon.
        rate: of them, per second.
        length: about how many there are.
        sound: FFmpeg's inputs and options that add the sound.
    """

    frames: Callable[[], Iterator[Image.Image]]
    rate: Fraction
    length: int
    sound: Sequence[str] = ()


def open_clip(path: str, frames: bool = False, rate: float | None = None) -> Clip:
    """The film at a path.

    Args:
        path: of a video, or of a folder.
        frames: whether it is a folder of numbered frames.
        rate: of these, per second; None: `DEFAULT_RATE`.

    Raises:
        InputError: it cannot be read, or has no frames.
    """
    if not frames:
        return _open_video(path)
    if not Path(path).is_dir():
        raise InputError(f"{path}: --frames needs a folder of numbered frames")
    paths = numbered_frames(path)
    return Clip(lambda: _load_frames(paths), frame_rate(rate or DEFAULT_RATE), len(paths))


def numbered_frames(folder: str | Path) -> list[Path]:
    """The pictures in a folder by the last number in their names. Raises InputError.

    Hidden files and folders are left out.
    """
    suffixes = picture_suffixes()
    numbers = {
        path: int(digits[-1])
        for path in Path(folder).iterdir()
        if path.suffix.lower() in suffixes and path.name[0] != "."
        if (digits := "".join(c if c.isdecimal() else " " for c in path.stem).split())
    }
    if not numbers:
        raise InputError(f"{folder}: has no numbered frames, such as frame_0001.png")
    return sorted(numbers, key=lambda path: (numbers[path], path))


def _load_frames(paths):
    size = None
    for path in paths:
        frame = load_image(path)
        size = size or frame.size
        if frame.size != size:
            raise InputError(
                f"picture {path}: has {frame.width}x{frame.height} pixels, and the first frame "
                f"{size[0]}x{size[1]}; give frames of one size"
            )
        yield frame


def frame_rate(rate: float) -> Fraction:
    """The exact rate that a rounded one stands for: 29.97 is 30000/1001."""
    for whole in NTSC:
        if abs(rate - whole / 1.001) < 0.006:
            return Fraction(whole * 1000, 1001)
    return Fraction(rate).limit_denominator(1000)


def _open_video(path):
    """The `Clip` of a video. Raises InputError."""
    if not Path(path).exists():
        raise InputError(f"video {path}: no such file; check the path")
    file = f"file:{path}"  # else what is before a colon would name a protocol
    command = [find_ffmpeg(path), "-nostdin", "-i", file, "-map", "0:v:0"]
    decoded = subprocess.run([*command, "-f", "null", "-"], stderr=subprocess.PIPE)
    said = decoded.stderr.decode(errors="replace")
    counts = re.findall(r"^frame= *(\d+)", said.replace("\r", "\n"), re.MULTILINE)
    if decoded.returncode or not counts or counts[-1] == "0":
        last = one_line(said.strip().rpartition("\n")[2])
        raise InputError(f"video {path}: has no frames that can be read ({last})")
    says = re.search(r" Video: .* ([\d.]+) fps", said)
    rate = frame_rate(float(says[1]) if says else DEFAULT_RATE)
    sound: tuple[str, ...] = ()
    if codec := re.search(r" Audio: (\w+)", said):
        kept = "copy" if codec[1] in KEPT_SOUND else "aac"
        sound = ("-i", file, "-map", "0:v", "-map", "1:a:0", "-c:a", kept)
    piping = ("-f", "image2pipe", "-c:v", "ppm", "-pix_fmt", "rgb24", "-")  # else 10 bits stay so
    reading = [*command, "-r", str(rate), *piping]
    return Clip(lambda: _read_frames(reading, path), rate, int(counts[-1]), sound)


def _read_frames(command, path):
    """Yields the pictures that FFmpeg pipes of the video at `path`, one PPM after another.

    Raises OSError: it ended before the video did.
    """
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            while process.stdout.readline():  # "P6"
                yield _read_pixels(process.stdout)
            if process.wait():
                raise ValueError
        except ValueError:
            raise OSError(errno.EIO, "FFmpeg ended before the video did", path) from None
        finally:
            process.kill()


def _read_pixels(stream):
    """The picture of a PPM after its first line. Raises ValueError: it is cut short."""
    cols, rows = map(int, stream.readline().split())
    stream.readline()  # "255"
    pixels = stream.read(3 * rows * cols)
    if len(pixels) < 3 * rows * cols:
        raise ValueError
    return Image.frombytes("RGB", (cols, rows), pixels)


def encode(path: str | Path, frames: Sequence[Path], clip: Clip) -> None:
    """Writes a film, whole or not at all.

    Args:
        path: ends in .mp4.
        frames: pictures of one size.
        clip: has the rate and the sound.

    Raises:
        OSError: FFmpeg or the disk fails.
    """
    with replacing(path) as temporary:
        size = load_image(frames[0]).size
        writer = Mp4Writer(temporary, size, clip.rate, (*clip.sound, *ENCODING))
        try:
            for frame in frames:
                writer.write(load_image(frame), 1)
            writer.finish()
        finally:
            writer.abort()


# ---------------------------------------------------------------------------------------------
# Painting
# ---------------------------------------------------------------------------------------------


class FrameFolder:
    """The finished frames of a film, in a folder.

    Args:
        path: of the folder, which is created with the first frame.
        record: how they are made, as `records.make_record` has it.
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
            return path.exists() and made_alike(records.read_record(path), self._record)
        return False

    def save(self, index: int, pixels: Any) -> None:
        """Writes a frame, whole or not at all. Raises OSError."""
        save_image(pixels, self.file(index), description=records.to_text(self._record))

    def load(self, index: int) -> Image.Image:
        """A frame that is there."""
        return load_image(self.file(index))

    def count(self) -> int:
        """How many frames there are from the first on."""
        return next(index for index in itertools.count() if not self.has(index))

    def remove(self) -> None:
        """Removes the frames, and the folder if nothing else is in it."""
        for path in self.path.glob("*.png"):
            if re.fullmatch(r"\d{6,}", path.stem):
                with contextlib.suppress(InputError, OSError):
                    records.read_record(path)
                    path.unlink()
                    remove_leftovers(path.with_suffix(""))
        with contextlib.suppress(OSError):
            self.path.rmdir()


def paint_frames(
    paint: Callable,
    job: Job,
    weights: VGG19Weights,
    frames: Iterator[Image.Image],
    folder: FrameFolder,
    on_frame: Callable[[int, float, bool], None] = lambda index, seconds, begins: None,
) -> int:
    """Paints every frame that is not in the folder yet. Returns how many there are in all.

    Args:
        paint: the script's.
        job: of the first frame.
        weights: the network's.
        frames: of the film.
        folder: of the results.
        on_frame: called with the number of a frame that was painted, from 0, the seconds that it
            took, and whether it begins a scene, which takes longer than to go on with one.
    """
    rows, cols = job.stages[-1][:2]
    before: Image.Image | None = None
    weight, shift, index = job.settings["temporal_weight"], np.zeros(2), -1
    for index, image in enumerate(frames):
        started = time.monotonic()
        frame = resize_image(image, rows, cols, job.settings["resample"])
        motion = find_motion(before, frame) if before is not None and weight else None
        shift = shift + motion.camera if motion else np.zeros(2)
        before = frame
        if folder.has(index):
            continue
        previous = None
        if motion:
            previous = motion.move(preprocess_image(folder.load(index - 1)), shift)
        folder.save(index, paint(job.frame(image, previous), weights).pixels)
        gc.collect()  # compiled functions hold each other, and their tensors, until then
        on_frame(index, time.monotonic() - started, bool(weight) and previous is None)
    return index + 1


class Report:
    """Says how far a film is.

    Args:
        quiet: say nothing.

    Attributes:
        length: about how many frames it has.
        finished: how many there are, painted now or before.
    """

    def __init__(self, quiet: bool = False):
        self.length = self.finished = 0
        self._quiet, self._seconds = quiet, 0.0  # of the last frame that told of those to come

    def print(self, line: str) -> None:
        """Prints a line."""
        if not self._quiet:
            print(line, flush=True)

    def start(self, finished: int) -> None:
        """The first of the frames that are not finished begins."""
        self.finished = finished
        self.print(f"{finished} of {self.length} frames are finished")

    def on_frame(self, index: int, seconds: float, begins: bool) -> None:
        """A frame was painted, see `paint_frames`."""
        self.finished = index + 1
        self._seconds = self._seconds if begins else seconds
        left = (self.length - self.finished) * self._seconds
        first = ", the first of a scene" if begins else ""
        more = f", about {in_words(left)} left" if left > 0 else ""
        self.print(f"Frame {self.finished} of {self.length} in {seconds:.1f}s{first}{more}")

    def kept(self) -> str:
        """What is left of a film that was stopped, in words."""
        return f"{self.finished} of {self.length} frames are finished" if self.finished else ""


def is_film(args: argparse.Namespace) -> bool:
    """Whether the options are those of a film."""
    return args.frames or args.fps is not None or Path(args.base).suffix.lower() in SUFFIXES


def _check(args):
    """Raises InputError where the options do not go together, or OpenCV is not there."""
    if given := [name for name in OF_PICTURES if getattr(args, name)]:
        raise InputError(f"--{given[0]} is for photos, and {args.base} is a film")
    if args.fps is not None and not (args.frames and SLOWEST <= args.fps < math.inf):
        raise InputError(f"--fps, at least {SLOWEST}, is for the folder of --frames")
    if Path(args.style_reference).is_dir():
        raise InputError(f"{args.style_reference}: is a folder; give one picture in it")
    require_opencv()


def result_paths(prefix: str) -> tuple[Path, Path]:
    """The film, and the folder of its finished frames, which is ours and so hidden."""
    result = Path(f"{prefix}.mp4")
    return result, result.with_name(f".{result.stem}.frames")


def _keep_base(args):
    """Raises InputError where the results would take the place of the film that is painted."""
    for path in result_paths(args.result_prefix):
        with contextlib.suppress(OSError):
            if path.samefile(args.base):
                raise InputError(
                    f"{args.result_prefix}: {args.base} would be overwritten; choose another prefix"
                )


def run(paint: Callable, args: argparse.Namespace, report: Report) -> None:
    """Checks everything that is cheap to check, then paints a film.

    Args:
        paint: the script's.
        args: the options.
        report: is told of the run.
    """
    _check(args)
    _keep_base(args)
    clip = open_clip(args.base, args.frames, args.fps)
    report.length = clip.length
    job, _ = cli.plan(argparse.Namespace(**vars(args) | {"base": next(clip.frames())}))
    if job.settings["preserve_colors"] == "luma":
        raise InputError("--preserve_colors luma is for photos; give linear or histogram")
    result, folder = result_paths(args.result_prefix)
    check_writable(args.result_prefix)
    remove_leftovers(args.result_prefix)
    report.print(f"This needs about {job.needed_mib / 1024:.1f} GiB of memory")
    weights = load_weights(args.weights, quiet=args.quiet)
    report.print(f"Using {weights.source}")
    finished = FrameFolder(folder, cli.make_record(args, job, weights))
    report.start(finished.count())
    gc.freeze()  # what is loaded by now stays; to look at it after each frame would take a while
    count = paint_frames(paint, job, weights, clip.frames(), finished, report.on_frame)
    encode(result, [finished.file(index) for index in range(count)], clip)
    finished.remove()
    report.print(f"Film saved as {result}")
    if args.verbose:
        for where, mib in backend.peak_memory().items():
            report.print(f"Peak memory of the {where}: {mib:.0f} MiB")


def main(paint: Callable, args: argparse.Namespace) -> int:
    """Paints a film. Returns the exit status, see `exit_status`.

    Args:
        paint: the script's.
        args: from `cli.parse`.
    """
    report = Report(args.quiet)

    def kept():
        return f"{report.kept()}; go on with: {args.command}" if report.kept() else ""

    return exit_status(cli.PROGRAM, lambda: run(paint, args, report), kept)
