"""A run in a thread of its own, watched by the page, which may stop it."""

import contextlib
import math
import queue
import threading
import time
from collections.abc import Callable, Iterator

from stylize.apps.console import in_words
from stylize.runs.loss_table import LossTable
from stylize.runs.progress import Iterate, Progress, Stage

UPDATE_EVERY = 0.5  # seconds between two updates of the page


class Stopped(Exception):
    """A visitor, or the time limit, stops a run. The message says which."""


class Limit:
    """What ends the reading and painting of what a visitor has sent, from now on.

    Args:
        stop: an event that the visitor sets; None: they cannot stop it.
        max_seconds: after which it is stopped.
    """

    def __init__(self, stop: threading.Event | None = None, max_seconds: float = math.inf):
        self._stop, self._max_seconds = stop or threading.Event(), max_seconds
        self._started = time.monotonic()

    @property
    def _left(self):
        return self._started + self._max_seconds - time.monotonic()

    def is_set(self) -> bool:
        """Whether it has ended, as for an event."""
        return self._stop.is_set() or self._left < 0

    def wait(self, timeout: float) -> bool:
        """Waits until it ends, for so many seconds at most, as for an event."""
        self._stop.wait(max(0, min(timeout, self._left)))
        return self.is_set()

    def check(self) -> None:
        """Raises Stopped if it has ended."""
        if self._stop.is_set():
            raise Stopped("stopped")
        if self._left < 0:
            raise Stopped(f"stopped by the time limit of {in_words(self._max_seconds)}")

    def stop(self) -> None:
        """Ends it."""
        self._stop.set()


@contextlib.contextmanager
def held(lock: threading.Lock, limit: Limit) -> Iterator[None]:
    """Holds a lock; waits for it no longer than a limit allows. Raises Stopped."""
    while not lock.acquire(timeout=UPDATE_EVERY):
        limit.check()
    try:
        yield
    finally:
        lock.release()


class Watch(Progress):
    """A run in a thread of its own, watched by the page. It begins once the one before has ended.

    Args:
        limit: ends the run.

    Attributes:
        error: what ended the run, None if all went well.
        table: the `LossTable`.
    """

    _one_at_a_time = threading.Lock()  # one whose visitor has gone still ends its evaluation

    def __init__(self, limit: Limit):
        super().__init__()
        self.error: Exception | None = None
        self.table = LossTable()
        self._limit = limit
        self._news: queue.Queue = queue.Queue()  # of each `Iterate`, and None at the end

    def follow(self, run: Callable[["Watch"], object]) -> Iterator[Iterate | None]:
        """Runs. Yields each `Iterate`, and None while it waits for the next."""
        thread = threading.Thread(target=self._run, args=(run,), daemon=True)
        thread.start()
        try:
            while True:
                try:
                    if (iterate := self._news.get(timeout=UPDATE_EVERY)) is None:
                        return
                    yield iterate
                except queue.Empty:
                    yield None
        except GeneratorExit:  # the visitor has gone; Gradio answers nobody until this returns
            self._limit.stop()
            raise

    def _run(self, run):
        try:
            with held(self._one_at_a_time, self._limit):
                self._limit.check()
                run(self)
        except Exception as error:
            self.error = error
        finally:
            self._news.put(None)

    def on_stage(self, index):
        super().on_stage(index)
        self._limit.check()

    def on_evaluation(self, evaluation):
        super().on_evaluation(evaluation)
        self.table.add(self.iteration, self.seconds, evaluation.losses, self.stage.rows)
        self._limit.check()

    def on_iterate(self, iterate):
        super().on_iterate(iterate)
        self._news.put(iterate)

    @property
    def is_stopping(self) -> bool:
        """Whether it ends as soon as it can: while the network gets ready, it cannot."""
        return self._limit.is_set()

    @property
    def left(self) -> str:
        """The time left, in words."""
        if not self.fraction:
            return "getting ready ..."
        return f"about {in_words(max(1, self.seconds_left))} left"

    @property
    def painting(self) -> str:
        """What goes on, in words."""
        if not (self.stage and self.fraction):
            return self.left.capitalize()
        last = self.stages[-1]
        at, size = (" at", "") if self.stage is last else (", first at", f" of {_size(last)}")
        words = f"Painting{at} {_size(self.stage)}{size} pixels: {self.fraction:.0%}, {self.left}"
        if self.last and (so_far := self.last.image.size) != (last.cols, last.rows):
            words += "; stopped now, it would have {}x{}".format(*so_far)
        return words

    @property
    def ending(self) -> str:
        """What the run came to, in words."""
        words = f"{self.error or 'done'}"
        if self.last is None:
            return f"{words}; no picture was finished"
        return f"{words}: {self.last.image.width}x{self.last.image.height} pixels"


def _size(stage: Stage) -> str:
    """That of the picture at a stage, in words."""
    return f"{stage.cols}x{stage.rows}"
