"""The page's log, for whoever runs it: one line at a time, each with its time."""

import contextlib
import time

from stylize.errors import one_line


def log(said: object) -> None:
    """Prints a line on standard output. Where that cannot be written, painting goes on."""
    with contextlib.suppress(OSError):
        print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {one_line(said)}", flush=True)
