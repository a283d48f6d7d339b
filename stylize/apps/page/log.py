"""The page's log, for whoever runs it: one line at a time, each with its time."""

import time

from stylize.errors import one_line


def log(said: object) -> None:
    """Prints a line on standard output."""
    print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {one_line(said)}", flush=True)
