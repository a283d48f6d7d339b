"""Other programs that read what a stranger has sent, and are killed where a run is stopped.

A decoder may take minutes or hang; only a process can be ended at any time.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from PIL import Image

from stylize.errors import InputError, one_line
from stylize.images.masks import load_keep_mask, surprises_of
from stylize.images.reading import load_image

ROOT = Path(__file__).parents[2]  # where a new process finds this package
LOOK_EVERY = 0.5  # seconds between two looks at whether a process has ended by itself


class Ending(Protocol):
    """What says that a run is to end; a `threading.Event` is one."""

    def is_set(self) -> bool:
        """Whether it is to end."""

    def wait(self, timeout: float) -> bool:
        """Waits until it is to end, for so many seconds at most. Returns whether it is."""


def kill_at(ending: Ending, process: subprocess.Popen) -> None:
    """Has a thread kill a process where the run is to end. The thread ends with the process."""

    def watch():
        while process.poll() is None:
            if ending.wait(LOOK_EVERY):
                process.kill()
                return

    threading.Thread(target=watch, daemon=True).start()


def ask(
    command: Sequence[str], ending: Ending | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess:
    """Runs a program; returns all that it writes, as `subprocess.run` does."""
    pipe = subprocess.PIPE
    # In a session of its own, or Ctrl-C would end it, which would then be what is reported.
    with subprocess.Popen(
        command, stdout=pipe, stderr=pipe, env=env, start_new_session=True
    ) as process:
        try:
            if ending:
                kill_at(ending, process)
            written, said = process.communicate()
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(command, process.returncode, written, said)


class ReadingFailed(InputError):
    """The process that was to read a picture has failed, perhaps through no fault of it."""


class Preview(NamedTuple):
    """A picture made smaller, and the (cols, rows) that it had."""

    image: Image.Image
    size: tuple[int, int]


class Mask(NamedTuple):
    """A mask; the (cols, rows) that it had; what somebody may not expect of how it is read."""

    image: Image.Image
    size: tuple[int, int]
    surprises: list[str]


def load_image_apart(path: str, name: str, max_pixels: int, ending: Ending) -> Image.Image | None:
    """`load_image` in a process of its own. The rest: see `preview_apart`."""
    whole = preview_apart(path, name, max_pixels, ending, None)
    return whole and whole.image


def preview_apart(
    path: str, name: str, max_pixels: int, ending: Ending, side: int | None
) -> Preview | None:
    """`load_image` in a process of its own, which then makes it smaller.

    Args:
        path: of the picture.
        name: what errors call it.
        max_pixels: that it may have.
        ending: ends the process; None is returned then.
        side: pixels of its longer side, beyond which it is made smaller; None: it stays as it is.

    Raises:
        InputError: what `load_image` raises, too many pixels, or a process that failed.
    """
    told = _told("preview", path, name, max_pixels, side, ending=ending)
    return told and Preview(told[0], tuple(told[1]))


def load_keep_mask_apart(
    path: str, name: str, max_pixels: int, ending: Ending, side: int | None = None
) -> Mask | None:
    """`load_keep_mask` in a process of its own. The rest: see `preview_apart`."""
    told = _told("keep_mask", path, name, max_pixels, side, ending=ending)
    if told is None:
        return None
    image, (size, surprises) = told
    return Mask(image, tuple(size), surprises)


def _told(what: str, path: str, name: str, *more: Any, ending: Ending) -> Any:
    """What a process of its own reads: an image, and what it says of it; None: it was ended."""
    arguments = json.dumps([what, os.fspath(path), name, *more])
    command = [sys.executable, "-m", "stylize.images.apart", arguments]
    places = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    told = ask(command, ending, env=os.environ | {"PYTHONPATH": os.pathsep.join(places)})
    if ending.is_set():
        return None
    if told.returncode:
        said = told.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        if told.returncode == 2:
            raise InputError(said)
        raise ReadingFailed(f"{name}: cannot be read ({one_line(said)})")
    header, _, pixels = told.stdout.partition(b"\n")
    mode, size, about = json.loads(header)
    return Image.frombytes(mode, size, pixels), about


def _preview(path, name, max_pixels, side):
    """A picture made smaller, and the size that it had."""
    image = load_image(path, name, max_pixels)
    size = image.size
    if side:
        image.thumbnail((side, side))
    return image, size


def _keep_mask(path, name, max_pixels, side=None):
    """The same of a mask; and its surprises, once it is known to be small enough."""
    mask = load_keep_mask(path, name, max_pixels)
    size = mask.size
    if side:
        mask.thumbnail((side, side))
    return mask, (size, [surprise.line for surprise in surprises_of(path, name)])


READERS: Mapping[str, Callable[..., tuple[Image.Image, Any]]] = {
    "preview": _preview,
    "keep_mask": _keep_mask,
}


def main(arguments: str) -> int:
    """Writes what a reader makes of its arguments, JSON: a header and pixels."""
    what, *given = json.loads(arguments)
    try:
        image, about = READERS[what](*given)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    header = json.dumps([image.mode, image.size, about])
    sys.stdout.buffer.write(header.encode() + b"\n" + image.tobytes())
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
