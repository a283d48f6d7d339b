"""FFmpeg: the program, and an MP4 that frames are piped to."""

import contextlib
import errno
import subprocess
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from PIL import Image

from stylize.errors import one_line

FRAMES_PER_SECOND = 15


def find_ffmpeg(path: str | Path) -> str:
    """The program FFmpeg. Raises OSError: none is there to read or write the film at `path`."""
    import imageio_ffmpeg

    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise OSError(errno.EIO, f"no FFmpeg ({one_line(error)})", str(path)) from None


class Mp4Writer:
    """An MP4 in H.264, by a process of FFmpeg that the frames are piped to.

    Args:
        path: of the film.
        size: (cols, rows) of its frames.
        rate: frames per second.
        more: further inputs and options of FFmpeg.

    Attributes:
        process: FFmpeg's.
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        rate: float | Fraction = FRAMES_PER_SECOND,
        more: Sequence[str] = (),
    ) -> None:
        ffmpeg = find_ffmpeg(path)
        incoming = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-r", str(rate))
        outgoing = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-f", "mp4", "-y")
        self._path = path
        # Not a pipe: one that nobody reads could fill up.
        self._said = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            [
                *(ffmpeg, "-hide_banner", "-loglevel", "error"),
                *(*incoming, "-s", "{}x{}".format(*size), "-i", "-"),
                *(*more, *outgoing, str(path.absolute())),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._said,
            start_new_session=True,  # else Ctrl-C would end it before the last frames are written
        )
        assert self.process.stdin
        self._frames = self.process.stdin

    def write(self, frame: Image.Image, count: int) -> None:
        """Adds a frame, `count` times. Raises OSError."""
        try:
            for _ in range(count):
                self._frames.write(frame.tobytes())
        except BrokenPipeError:
            raise self._error() from None

    def finish(self) -> None:
        """Closes the film. Raises OSError."""
        try:
            self._frames.close()
        except BrokenPipeError:
            raise self._error() from None
        if self.process.wait():
            raise self._error()
        self._said.close()

    def _error(self) -> OSError:
        """What FFmpeg said last."""
        self.process.wait()
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "it gave up")
        said = f"FFmpeg cannot write it ({one_line(last)})"
        return OSError(errno.EIO, said, str(self._path))

    def abort(self) -> None:
        """Ends FFmpeg at once; may follow `finish`."""
        self.process.kill()
        with contextlib.suppress(BrokenPipeError):
            self._frames.close()
        self.process.wait()
        self._said.close()
