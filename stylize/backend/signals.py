"""Signals that stop a program, so that its files are finished or removed."""

import contextlib
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator

INTERRUPTED, TERMINATED = 130, 143  # exit statuses, as shells have them: 128 + the signal


class Terminated(BaseException):
    """SIGTERM or SIGHUP asks the program to stop, as Ctrl-C does."""


class _Stop:
    """What acts on signals that stop the program: it raises an exception, and knows that it did."""

    raised: type[BaseException] | None = None

    def __call__(self, number, frame):
        self.raised = KeyboardInterrupt if number == signal.SIGINT else Terminated
        raise self.raised


def stopping_signals() -> list[int]:
    """Returns SIGTERM, and SIGHUP where there is one: not on Windows, and not under `nohup`."""
    numbers = [getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP")]
    return [n for n in numbers if n and signal.getsignal(n) != signal.SIG_IGN]


@contextlib.contextmanager
def stops_raise() -> Iterator[None]:
    """Raises `Terminated` where such a signal comes, so that files are finished or removed.

    See `stop_again` for what comes of it, or of Ctrl-C, where an exception is lost.
    Python's traceback of that exception is suppressed.
    """
    if threading.current_thread() is not threading.main_thread():  # only it may set handlers
        yield
        return
    numbers, stop = stopping_signals(), _Stop()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # as Python has it
        numbers.append(signal.SIGINT)
    before = {number: signal.signal(number, stop) for number in numbers}
    tell_of_lost = sys.unraisablehook

    def tell_of_others(lost):
        if lost.exc_type is not stop.raised:
            tell_of_lost(lost)

    sys.unraisablehook = tell_of_others
    try:
        yield
    finally:
        sys.unraisablehook = tell_of_lost
        for number, handler in before.items():
            signal.signal(number, handler)


def stop_again() -> None:
    """Raises what a signal within `stops_raise` has raised before, if the program goes on.

    C++ code that calls Python, as a backend's does, may not pass an exception on, nor does what
    Python calls while it collects garbage.
    """
    if threading.current_thread() is not threading.main_thread():  # it is not for others to stop
        return
    for number in (signal.SIGINT, *stopping_signals()):
        handler = signal.getsignal(number)
        if isinstance(handler, _Stop) and handler.raised:
            raise handler.raised


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Has signals that stop the program, Ctrl-C too, act only afterwards.

    An exception amid an import may leave half a module, or be lost in C++ code that cannot pass it
    on: the program would go on as if nobody had stopped it.
    """
    if threading.current_thread() is not threading.main_thread():  # only it may set handlers
        yield
        return
    came: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: came.append(number))
        for number in (signal.SIGINT, *stopping_signals())
        if signal.getsignal(number) not in (None, signal.SIG_IGN)  # None could not be set again
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in came:
            signal.raise_signal(number)


@contextlib.contextmanager
def told_of_stops(tell: Callable[[], None], patience: float = 1.0) -> Iterator[None]:
    """Calls `tell` where the program goes on for long after a signal that should stop it.

    Python acts on a signal when a computation comes back to it, which may take a minute. `tell` is
    called meanwhile, in another thread.

    Args:
        tell: takes nothing; called once.
        patience: seconds that the program may take to stop before.
    """
    if threading.current_thread() is not threading.main_thread():  # only it is woken
        yield
        return
    stopping, ended = {signal.SIGINT, *stopping_signals()}, threading.Event()
    try:
        numbers, writer = socket.socketpair()  # not a pipe: Windows can wake only by sockets
    except OSError:  # nobody is told, which should stop nothing
        yield
        return
    writer.setblocking(False)

    def wait():
        while number := numbers.recv(1):  # nothing once the writer is closed
            if ord(number) in stopping:
                if not ended.wait(patience):
                    tell()
                return

    before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        signal.set_wakeup_fd(before)
        writer.shutdown(socket.SHUT_WR)  # even if a forked process has a copy
        writer.close()
        thread.join()
        numbers.close()
