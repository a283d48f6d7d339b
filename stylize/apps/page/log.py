"""What whoever runs the page is told of it, a line at a time, with when."""

import time

from stylize.errors import one_line


def log(said: object) -> None:
    """Prints a line on standard output."""
    print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {one_line(said)}", flush=True)
