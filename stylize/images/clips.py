"""A clip: frames and sound, read as streams from a video or a folder, written as a video."""

import errno
import functools
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from stylize.backend.files import replacing
from stylize.errors import InputError, one_line
from stylize.images.apart import Ending, ask, kill_at
from stylize.images.ffmpeg import Mp4Writer, find_ffmpeg
from stylize.images.formats import picture_suffixes, why_missing
from stylize.images.reading import load_image

SUFFIXES = (
    *(".3gp", ".avi", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4"),
    *(".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".webm", ".wmv"),
)
# FFmpeg's names of the containers with these suffixes. Whatever else it can open may name other
# files (playlists, manifests), which a file from a stranger must not have read.
CONTAINERS = ("mov", "matroska", "avi", "mpegts", "mpeg", "mpegvideo", "ogg", "asf")
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


class Clip(NamedTuple):
    """A film to be painted.

    Attributes:
        frames: of the number of a frame, from 0, and perhaps an event; yields the frames from that
            one on, Pillow RGB images, and ends where the event is set. Raises InputError, or
            OSError where FFmpeg ends too soon.
        rate: of them, per second.
        length: about how many there are.
        sound: FFmpeg's inputs and options that add the sound.
    """

    frames: Callable[..., Iterator[Image.Image]]
    rate: Fraction
    length: int
    sound: Sequence[str] = ()


def open_clip(
    path: str,
    frames: bool = False,
    rate: float | None = None,
    most: int | None = None,
    max_pixels: int | None = None,
    ending: Ending | None = None,
) -> Clip:
    """The film at a path.

    Args:
        path: of a video, or of a folder.
        frames: whether it is a folder of numbered frames.
        rate: of these, per second; None: `DEFAULT_RATE`.
        most: of a video, frames that are counted; None: all.
        max_pixels: of a video, that a frame may have; None: as many as FFmpeg reads.
        ending: ends the reading of a video, as if there were no more frames.

    Raises:
        InputError: it cannot be read, or has no frames.
    """
    if not frames:
        return _open_video(path, most, max_pixels, ending)
    if not Path(path).is_dir():
        raise InputError(f"{path}: --frames needs a folder of numbered frames")
    paths = numbered_frames(path)
    load = functools.partial(_load_frames, paths)
    return Clip(load, frame_rate(rate or DEFAULT_RATE), len(paths))


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


def _load_frames(paths, first=0, stop=None):
    size = load_image(paths[0]).size
    for path in paths[first:]:
        if stop and stop.is_set():
            return
        frame = load_image(path)
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


def _open_video(path, most, max_pixels, ending):
    """The `Clip` of a video. Raises InputError."""
    if not Path(path).exists():
        raise InputError(f"video {path}: {why_missing(path)}")
    if not Path(path).is_file():
        raise InputError(f"video {path}: is a folder, a device or a pipe, not a file")
    source = _source(path, max_pixels)
    command = [find_ffmpeg(path), "-nostdin", *source]
    _, said = _ask(command, ending)
    says = re.search(r" Video: .* ([\d.]+)(k?) fps", said)
    rate = frame_rate(float(says[1]) * (1000 if says[2] else 1) if says else DEFAULT_RATE)
    limit = ("-frames:v", str(most)) if most else ()
    reading = [*command, "-map", "0:v:0", "-r", str(rate), "-vf"]
    whole, said = _ask([*reading, _evenly(rate), *limit, "-f", "null", "-"], ending)
    counts = re.findall(r"^frame= *(\d+)", said.replace("\r", "\n"), re.MULTILINE)
    if not whole or not counts or counts[-1] == "0":
        if "exceeds specified max pixel count" in said:
            raise InputError(
                f"video {path}: its frames have more than {max_pixels:,} pixels, the most that are "
                "taken; make it smaller"
            )
        last = one_line(said.strip().rpartition("\n")[2])
        raise InputError(f"video {path}: has no frames that can be read ({last})")
    sound: tuple[str, ...] = ()
    if codec := re.search(r" Audio: (\w+)", said):
        kept = "copy" if codec[1] in KEPT_SOUND else "aac"
        sound = (*source, "-map", "0:v", "-map", "1:a:0", "-c:a", kept)
    frames = functools.partial(_read_frames, reading, path, rate)
    return Clip(frames, rate, int(counts[-1]), sound)


def _source(path, max_pixels=None):
    """FFmpeg's options that read a video, and no file but this, whatever is written in it."""
    limit = ("-max_pixels", str(max_pixels)) if max_pixels else ()
    only = ("-protocol_whitelist", "file,pipe", "-format_whitelist", ",".join(CONTAINERS))
    return *limit, *only, "-i", f"file:{path}"  # else what is before a colon would name a protocol


def _ask(command, ending=None):
    """(Whether FFmpeg succeeds, what it says.)"""
    asked = ask(command, ending)
    return asked.returncode == 0, asked.stderr.decode(errors="replace")


def _evenly(rate, first=0):
    """FFmpeg's filters that turn uneven frames into `rate` a second, from `first` on.

    Time starts at 0, as the sound does. Those before `first` are decoded too: no other way finds
    the same frame in every video.
    """
    return f"fps={rate}:start_time=0,select=gte(n\\,{first}),setpts=N/({rate}*TB)"


def _read_frames(reading, path, rate, first=0, stop=None):
    """Yields the frames of the video at `path` from the number `first` on. Raises OSError."""
    piping = ("-f", "image2pipe", "-c:v", "ppm", "-pix_fmt", "rgb24", "-")  # else 10 bits stay so
    return _read_pipe([*reading, _evenly(rate, first), *piping], path, stop)


def _read_pipe(command, path, stop=None):
    """Yields the pictures that FFmpeg pipes of the video at `path`, one PPM after another.

    Raises OSError: it ended before the video did.
    """

    def stopped():
        return stop is not None and stop.is_set()

    options = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    # In a session of its own, or Ctrl-C would end it, which would then be what is reported.
    with subprocess.Popen(command, start_new_session=True, **options) as process:
        if stop:
            kill_at(stop, process)
        try:
            while not stopped() and process.stdout.readline():  # "P6"
                yield Image.frombytes("RGB", *_read_pixels(process.stdout))
            if not stopped() and process.wait():
                raise ValueError
        except ValueError:
            if not stopped():
                raise OSError(errno.EIO, "FFmpeg ended before the video did", path) from None
        finally:
            process.kill()


def _read_pixels(stream):
    """((cols, rows), bytes) of a PPM after its first line. Raises ValueError: it is cut short."""
    cols, rows = map(int, stream.readline().split())
    stream.readline()  # "255"
    pixels = stream.read(3 * rows * cols)
    if len(pixels) < 3 * rows * cols:
        raise ValueError
    return (cols, rows), pixels


def read_comment(path: str | Path) -> str:
    """The comment in a film, as `encode` writes it; "" where there is none.

    Raises OSError: there is no FFmpeg.
    """
    command = [find_ffmpeg(path), "-nostdin", *_source(path), "-f", "ffmetadata", "-"]
    told = subprocess.run(command, capture_output=True).stdout.decode(errors="replace")
    comment = re.search(r"^comment=(.*)$", told, re.MULTILINE)
    return re.sub(r"\\(.)", r"\1", comment[1]) if comment else ""


def encode(path: str | Path, frames: Sequence[Path], clip: Clip, comment: str = "") -> bool:
    """Writes a film, whole or not at all. Returns False if sound had to be left out.

    Sound that MP4 does not allow is re-encoded, or else left out.

    Args:
        path: ends in .mp4.
        frames: pictures of one size.
        clip: has the rate and the sound.
        comment: a line that the film keeps.

    Raises:
        OSError: FFmpeg or the disk fails.
    """
    anew = tuple("aac" if option == "copy" else option for option in clip.sound)
    for sound in dict.fromkeys([tuple(clip.sound), anew]):
        try:
            _encode(path, frames, clip._replace(sound=sound), comment)
            return True
        except OSError:
            if not sound:
                raise
    _encode(path, frames, clip._replace(sound=()), comment)
    return False


def _encode(path, frames, clip, comment):
    with replacing(path) as temporary:
        size = load_image(frames[0]).size
        more = (*clip.sound, *ENCODING, "-metadata", f"comment={comment}")
        writer = Mp4Writer(temporary, size, clip.rate, more)
        try:
            for frame in frames:
                writer.write(load_image(frame), 1)
            writer.finish()
        finally:
            writer.abort()
