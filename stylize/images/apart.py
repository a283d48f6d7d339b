"""Other programs that read what a stranger has sent, and are killed where a run is stopped.

A decoder may take minutes or hang; only a process can be ended at any time.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from PIL import Image

from stylize.errors import InputError, one_line
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


class Preview(NamedTuple):
    """A picture made smaller, and the (cols, rows) that it had."""

    image: Image.Image
    size: tuple[int, int]


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
    command = [sys.executable, "-m", "stylize.images.apart", path, name, str(max_pixels)]
    command += [] if side is None else [str(side)]
    places = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    told = ask(command, ending, env=os.environ | {"PYTHONPATH": os.pathsep.join(places)})
    if ending.is_set():
        return None
    if told.returncode:
        said = told.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise InputError(
            said if told.returncode == 2 else f"{name}: cannot be read ({one_line(said)})"
        )
    sizes, _, pixels = told.stdout.partition(b"\n")
    own_cols, own_rows, cols, rows = map(int, sizes.split())
    return Preview(Image.frombytes("RGB", (cols, rows), pixels), (own_cols, own_rows))


def main(path: str, name: str, max_pixels: str, side: str = "") -> int:
    """Writes to standard output the size of a picture, its size made smaller, and its pixels."""
    try:
        image = load_image(path, name, int(max_pixels))
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    size = image.size
    if side:
        image.thumbnail((int(side), int(side)))
    sys.stdout.buffer.write(b"%d %d %d %d\n" % (*size, *image.size))
    sys.stdout.buffer.write(image.tobytes())
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
