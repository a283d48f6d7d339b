"""Signals that stop a program, so that its files are finished or removed."""

import contextlib
import signal
import threading
from collections.abc import Iterator

INTERRUPTED, TERMINATED = 130, 143  # exit statuses, as shells have them: 128 + the signal


class Terminated(BaseException):
    """SIGTERM or SIGHUP asks the program to stop, as Ctrl-C does."""


def stopping_signals() -> list[int]:
    """Returns SIGTERM, and SIGHUP where there is one: not on Windows, and not under `nohup`."""
    numbers = [getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP")]
    return [n for n in numbers if n and signal.getsignal(n) != signal.SIG_IGN]


@contextlib.contextmanager
def sigterm_raises() -> Iterator[None]:
    """Raises `Terminated` where such a signal comes, so that files are finished or removed."""

    def terminate(*_):
        raise Terminated

    if threading.current_thread() is not threading.main_thread():  # only it may set handlers
        yield
        return
    before = {number: signal.signal(number, terminate) for number in stopping_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
