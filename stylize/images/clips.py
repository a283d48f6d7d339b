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
from stylize.errors import InputError, SettingError, one_line
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
INDEXED = ("mov", "matroska")  # of these, those that say where their key frames are
EARLIER = 10  # seconds before a frame, from where it is decoded: some pictures are built up slowly
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
SLOWEST, FASTEST = 0.001, 1000  # frames per second
DEFAULT_RATE = 25.0  # frames per second of a folder of frames, or where a video does not say
HDR = ("smpte2084", "arib-std-b67")  # how FFmpeg calls the transfer functions PQ and HLG
# From HDR to what is seen on a common screen, its peak taken as ten times as bright as white there.
TONE_MAPPED = (
    "zscale=t=linear:npl=100,format=gbrapf32le,zscale=p=bt709,tonemap=hable:desat=0:peak=10,"
    "zscale=t=bt709:m=bt709:r=tv,format=yuva444p"
)
NOWHERE = ("-f", "null", "-")  # decoded for what FFmpeg says of it alone
WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}  # FFmpeg's own decoders leave it out


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
        raise SettingError("--frames", f"needs a folder of numbered frames, received {path}")
    paths = list(numbered_frames(path))
    load = functools.partial(_load_frames, paths)
    return Clip(load, frame_rate(rate or DEFAULT_RATE), len(paths))


def numbered_frames(folder: str | Path) -> dict[Path, int]:
    """The pictures in a folder, in order, each with the last number in its name.

    Hidden files and folders are left out. Raises InputError.
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
    if others := [path for path in numbers if not path.is_file()]:
        raise InputError(f"{min(others)}: is named like a frame, and is no file; remove it")
    return {path: numbers[path] for path in sorted(numbers, key=lambda path: (numbers[path], path))}


def missing_frames(folder: str | Path) -> list[int]:
    """The numbers between those of a folder's frames that none of them has. Raises InputError.

    If half as many are missing as there are, the gaps are taken as intended (every other frame,
    say), and none is returned.
    """
    numbers = set(numbered_frames(folder).values())
    first, last = min(numbers), max(numbers)
    number_missing = last - first + 1 - len(numbers)
    if 2 * number_missing >= len(numbers):
        return []
    return sorted(set(range(first, last)) - numbers)


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
    ffmpeg = (find_ffmpeg(path), "-nostdin")
    _, said = _ask([*ffmpeg, *source], ending)
    stream = _first_stream(said)
    if not SLOWEST <= stream.rate <= FASTEST:
        problem = f"more than {FASTEST}" if stream.rate > FASTEST else f"less than {SLOWEST}"
        raise InputError(
            f"video {path}: has {problem} frames per second; save it at another rate, or give its "
            "frames with --frames"
        )
    rate = frame_rate(stream.rate)
    command = [*ffmpeg, *stream.decoder, *source]
    length, said = _count_frames(command, path, rate, most, ending)
    once = ("-map", "0:v:0", "-vf", TONE_MAPPED, "-frames:v", "1", *NOWHERE)
    if stream.is_hdr and not _ask([*command, *once], ending)[0]:
        raise InputError(
            f"video {path}: is HDR, which the FFmpeg in use cannot convert; unset "
            f"IMAGEIO_FFMPEG_EXE, or convert the clip elsewhere: ffmpeg -i CLIP -vf {TONE_MAPPED} "
            "SDR.mp4"
        )
    sound: tuple[str, ...] = ()
    if codec := re.search(r"^ *Stream #0:.*: Audio: (\w+)", said, re.MULTILINE):
        kept = "copy" if codec[1] in KEPT_SOUND else "aac"
        sound = (*source, "-map", "0:v", "-map", "1:a:0", "-c:a", kept)
    shown = f",{TONE_MAPPED}" if stream.is_hdr else ""
    indexed = re.search(rf"^Input #0, ({'|'.join(INDEXED)})\b", said, re.MULTILINE)
    frames = functools.partial(_read_frames, command, path, rate, shown, bool(indexed))
    return Clip(frames, rate, length, sound)


def _count_frames(command, path, rate, most, ending):
    """(How many frames the video at `path` has, what FFmpeg says of it.) Raises InputError."""
    limit = ("-frames:v", str(most)) if most else ()
    whole, said = _ask([*command, *_evenly(rate), *limit, *NOWHERE], ending)
    counts = re.findall(r"^frame= *(\d+)", said.replace("\r", "\n"), re.MULTILINE)
    if whole and counts and counts[-1] != "0":
        return int(counts[-1]), said
    if found := re.search(r"exceeds specified max pixel count (\d+)", said):
        raise InputError(
            f"video {path}: its frames have more than {int(found[1]):,} pixels, the most that are "
            "taken; make it smaller"
        )
    last = one_line(said.strip().rpartition("\n")[2])
    raise InputError(f"video {path}: has no frames that can be read ({last})")


class _Stream(NamedTuple):
    """What FFmpeg says of the pictures in a video: frames per second, how they are encoded."""

    rate: float = DEFAULT_RATE
    is_hdr: bool = False
    decoder: Sequence[str] = ()  # FFmpeg's options, where its own decoder is not the one to take


def _first_stream(said):
    """The `_Stream` that FFmpeg says of its input. Titles and comments stand on other lines."""
    found = re.search(r"^ *Stream #0:.*: Video: (\w+).*\n((?: {4,}.*\n)*)", said, re.MULTILINE)
    if not found:
        return _Stream()
    line, codec, about = found[0].partition("\n")[0], found[1], found[2]
    says = re.search(r" ([\d.]+)(k?) fps", line)
    rate = float(says[1]) * (1000 if says[2] else 1) if says else DEFAULT_RATE
    is_hdr = re.search(rf"[/(, ]({'|'.join(HDR)})[,)]", line) is not None
    has_alpha = codec in WITH_ALPHA and re.search(r"^ *alpha_mode *: 1$", about, re.MULTILINE)
    return _Stream(rate, is_hdr, ("-c:v", WITH_ALPHA[codec]) if has_alpha else ())


def _source(path, max_pixels=None):
    """FFmpeg's options that read a video, and no file but this, whatever is written in it."""
    limit = ("-max_pixels", str(max_pixels)) if max_pixels else ()
    only = ("-protocol_whitelist", "file,pipe", "-format_whitelist", ",".join(CONTAINERS))
    return *limit, *only, "-i", f"file:{path}"  # else what is before a colon would name a protocol


def _ask(command, ending=None):
    """(Whether FFmpeg succeeds, what it says.)"""
    asked = ask(command, ending)
    return asked.returncode == 0, asked.stderr.decode(errors="replace")


def _evenly(rate, first=0, shown=""):
    """FFmpeg's options that turn uneven frames into `rate` a second, from `first` on.

    Time starts at 0, as the sound does. What is not decoded before `first` is filled up, so that
    the frames are counted alike, wherever decoding begins.
    """
    filters = f"fps={rate}:start_time=0,select=gte(n\\,{first}),setpts=N/({rate}*TB)"
    return "-map", "0:v:0", "-r", str(rate), "-vf", filters + shown


def _read_frames(command, path, rate, shown, indexed, first=0, stop=None):
    """Yields the frames of the video at `path` from the number `first` on. Raises OSError.

    Where the video has no index, those before are decoded too: FFmpeg's search of it may end too
    late.
    """
    seconds = float(first / rate) - EARLIER
    place = ("-copyts", "-start_at_zero", "-noaccurate_seek", "-ss", f"{seconds:.3f}")
    seek = place if indexed and seconds > 0 else ()
    piping = ("-f", "image2pipe", "-c:v", "pam", "-pix_fmt", "rgba", "-")  # else 10 bits stay so
    program, *source = command
    frames = _evenly(rate, first, shown)
    return _read_pipe([program, *seek, *source, *frames, *piping], path, stop)


def _read_pipe(command, path, stop=None):
    """Yields the pictures that FFmpeg pipes of the video at `path`, one PAM after another.

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
            while not stopped() and process.stdout.readline():  # "P7"
                yield _on_white(Image.frombytes("RGBA", *_read_pixels(process.stdout)))
            if not stopped() and process.wait():
                raise ValueError
        except ValueError:
            if not stopped():
                raise OSError(errno.EIO, "FFmpeg ended before the video did", path) from None
        finally:
            process.kill()


def _on_white(image):
    """An RGBA image as a person sees it."""
    if image.getextrema()[3] == (255, 255):
        return image.convert("RGB")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def _read_pixels(stream):
    """((cols, rows), bytes) of a PAM after its first line. Raises ValueError: it is cut short."""
    lines = iter(stream.readline, b"ENDHDR\n")
    told = dict(line.split(b" ", 1) for line in lines)  # ValueError at the end: b"" has no value
    cols, rows = int(told.get(b"WIDTH", 0)), int(told.get(b"HEIGHT", 0))
    pixels = stream.read(4 * rows * cols)
    if len(pixels) < 4 * rows * cols:
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


def encode(
    path: str | Path,
    frames: Sequence[Path],
    clip: Clip,
    comment: str = "",
    ending: Ending | None = None,
) -> bool:
    """Writes a film, whole or not at all. Returns False if sound had to be left out.

    Sound that MP4 does not allow is re-encoded, or else left out.

    Args:
        path: ends in .mp4.
        frames: pictures of one size.
        clip: has the rate and the sound.
        comment: a line that the film keeps.
        ending: ends FFmpeg.

    Raises:
        OSError: FFmpeg or the disk fails, or it was ended.
    """
    anew = tuple("aac" if option == "copy" else option for option in clip.sound)
    for sound in dict.fromkeys([tuple(clip.sound), anew]):
        try:
            _encode(path, frames, clip._replace(sound=sound), comment, ending)
            return True
        except OSError:
            if not sound:
                raise
    _encode(path, frames, clip._replace(sound=()), comment, ending)
    return False


def _encode(path, frames, clip, comment, ending):
    with replacing(path) as temporary:
        size = load_image(frames[0]).size
        more = (*clip.sound, *ENCODING, "-metadata", f"comment={comment}")
        writer = Mp4Writer(temporary, size, clip.rate, more)
        if ending:
            kill_at(ending, writer.process)
        try:
            for frame in frames:
                writer.write(load_image(frame), 1)
            writer.finish()
        finally:
            writer.abort()
