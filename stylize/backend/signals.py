"""Signals that stop a program, so that its files are finished or removed."""

import contextlib
import signal
import threading
from collections.abc import Iterator

INTERRUPTED, TERMINATED = 130, 143  # exit statuses, as shells have them: 128 + the signal


class Terminated(BaseException):
    """SIGTERM asks the program to stop, as Ctrl-C does."""


@contextlib.contextmanager
def sigterm_raises() -> Iterator[None]:
    """Raises `Terminated` where SIGTERM comes, so that files are finished or removed."""

    def terminate(*_):
        raise Terminated

    if threading.current_thread() is not threading.main_thread():  # only it may set handlers
        yield
        return
    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
