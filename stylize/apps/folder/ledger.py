"""What has become of a folder's pictures: said on the screen, logged, and shown on a page."""

import contextlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from stylize.apps.console import complain, in_words, progress_bar, say, warn
from stylize.apps.folder.pictures import Task, append_line, write_index
from stylize.apps.options import PROGRAM
from stylize.errors import is_full

LOG, INDEX = "log.jsonl", "index.html"
REST = "the same command, without --overwrite, paints what is left"


class Outcome(NamedTuple):
    """What became of one photo in one style.

    Attributes:
        status: "unknown" (not looked at yet), "finished" (by an earlier run), "waiting" (to be
            painted), "painted" or "failed".
        error: why it failed, in a line.
        seconds: that painting took.
        work: pixels times evaluations, roughly proportional to time; 0: it was not to be painted,
            or could not be.
        needed_mib: about the peak of a process that paints it; 0 as for `work`.
        resumable: whether this very run has left a state to resume from.
        peak_mib: of the process so far, or of its GPU.
        room: a line that says what was done with an earlier result.
        record: how it was painted, as the process says it; not kept here.
        full_disk: a file or folder on the disk that was full, as it would be for the others too;
            "": it did not fail for that.
    """

    status: str
    error: str = ""
    seconds: float = 0.0
    work: float = 0.0
    needed_mib: float = 0.0
    resumable: bool = False
    peak_mib: float = 0.0
    room: str = ""
    record: Mapping[str, Any] = {}
    full_disk: str = ""


class Ledger:
    """What has become of the tasks: says it, logs it, and writes the page.

    Args:
        tasks: all of them.
        results: the path of each task's.
        folder: of the results.
        quiet: say nothing but errors.

    Attributes:
        outcomes: of the tasks.
        at_once: how many of them are painted at the same time.
        results: as given.
    """

    def __init__(
        self, tasks: Sequence[Task], results: Sequence[Path], folder: Path, quiet: bool = False
    ):
        self.outcomes = [Outcome("unknown") for _ in tasks]
        self.at_once = 1
        self._tasks, self.results, self._folder, self._quiet = tasks, results, folder, quiet
        self._errors: set[str] = set()
        self._work = 0.0
        self._painted: list[tuple[float, float]] = []  # (seconds, work) of each picture so far
        self._firsts = 1  # of these, as many as there are processes
        # The tasks being painted: their start times, and what their results' files were then.
        self._since: dict[int, float] = {}
        self._files: dict[int, object] = {}
        self._bar = progress_bar(quiet)

    def begin(self, at_once: int) -> None:
        """Painting begins, with so many pictures at once."""
        self._work, self.at_once, self._firsts = self._work_left(), at_once, at_once

    def start(self, index: int) -> None:
        """Painting of a task begins."""
        self._since[index] = time.monotonic()
        self._files[index] = _file_at(self.results[index])

    def stop(self, index: int) -> None:
        """A task is no longer being painted, finished or not."""
        self._since.pop(index, None)

    @property
    def is_painting(self) -> bool:
        """Whether a task is being painted."""
        return bool(self._since)

    def add(self, index: int, outcome: Outcome) -> None:
        """A task has ended, or is known to wait."""
        before = self.outcomes[index]
        if outcome.status != "waiting":
            self.stop(index)
            # Only one that waits is given with these.
            outcome = outcome._replace(work=before.work, needed_mib=before.needed_mib)
        self.outcomes[index] = outcome._replace(record={})
        if outcome.status not in ("waiting", "finished"):  # first, as printing may fail
            with self._as_far_as_there_is_room():
                self._log(index, outcome, before.resumable)
        if outcome.room:
            self.print(outcome.room)
        if outcome.status == "waiting":
            return
        if outcome.status == "failed":
            self._fail(outcome)
        elif outcome.status == "painted":
            if not before.resumable:  # else only a part of the work was left
                self._painted.append((outcome.seconds, before.work))
            resumed = ", resumed" if before.resumable else ""
            self.print(
                f"{self._ended()}: {self.results[index]} in {outcome.seconds:.0f}s{resumed}"
                f"{self._left()}"
            )
        self.tick()

    def again(self, indices: Sequence[int]) -> None:
        """Tasks whose process was killed are painted again, one at a time, from their states."""
        self.at_once = 1
        for index in indices:
            self.outcomes[index] = self.outcomes[index]._replace(resumable=True)

    def _log(self, index, outcome, resumed):
        """Adds a line to the log."""
        task = self._tasks[index]
        append_line(
            self._folder / LOG,
            time=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            status=outcome.status,
            photo=str(task.photo),
            style=str(task.style),
            result=str(self.results[index]),
            seconds=round(outcome.seconds, 1),
            resumed=resumed,
            error=outcome.error,
        )

    def _fail(self, outcome):
        """Says what went wrong, once: a style may spoil all photos."""
        if outcome.error not in self._errors:
            self._errors.add(outcome.error)
            more = ""
            if outcome.full_disk and REST not in self._errors:
                self._errors.add(REST)
                more = f": {REST}"
            complain(f"{PROGRAM}: error: {outcome.error}{more}")

    @contextlib.contextmanager
    def _as_far_as_there_is_room(self):
        """Where a full disk was named already, log and page do without their last lines."""
        try:
            yield
        except OSError as error:
            if not (self.is_disk_full and is_full(error)):
                raise

    @property
    def is_disk_full(self) -> bool:
        """Whether a picture could not be saved for lack of space."""
        return any(outcome.full_disk for outcome in self.outcomes)

    def time_left(self) -> float | None:
        """Seconds, at the pace so far; None: no picture is painted yet, or none is left."""
        waiting = self.count("waiting")
        # The first picture of each process took longer, as its functions were compiled then.
        telling = self._painted[self._firsts :] or self._painted
        work = sum(work for _, work in telling)
        if not work or not waiting:
            return None
        each, now = sum(seconds for seconds, _ in telling) / work, time.monotonic()
        spent = sum(
            min(now - since, each * self.outcomes[index].work)
            for index, since in self._since.items()
        )
        return (each * self._work_left() - spent) / min(self.at_once, waiting)

    def _work_left(self):
        """That of the tasks that wait."""
        return sum(o.work for o in self.outcomes if o.status == "waiting")

    def _left(self):
        """The time left, in words."""
        seconds = self.time_left()
        return "" if seconds is None else f", about {in_words(seconds)} left"

    def tick(self) -> None:
        """Draws the progress line anew."""
        if self._work:
            self._bar.n = 1 - self._work_left() / self._work
        self._bar.set_postfix_str(f"{self._ended()} pictures{self._left()}")

    def _ended(self):
        """How many tasks have ended, those that failed too: "2 of 9"."""
        return f"{self.count('finished', 'painted', 'failed')} of {len(self._tasks)}"

    def count(self, *statuses: str) -> int:
        """How many tasks have one of these statuses."""
        return sum(outcome.status in statuses for outcome in self.outcomes)

    def print(self, line: str) -> None:
        """Prints a line above the progress bar."""
        if not self._quiet:
            say(line)

    def warn(self, line: str) -> None:
        """Prints a warning, on stderr."""
        if not self._quiet:
            warn(line)

    def close(self) -> None:
        """Writes the page, unless it says the same already, or too little is known. Raises OSError.

        A stopped run may have saved a picture that was never reported.
        """
        for index, since in [*self._since.items()]:
            if _file_at(self.results[index]) not in (None, self._files[index]):
                with contextlib.suppress(OSError):  # the terminal is gone, or the disk is full
                    self.add(index, Outcome("painted", seconds=time.monotonic() - since))
        self._bar.close()
        if self.count("unknown"):
            return
        path = self._folder / INDEX
        words = {"failed": lambda o: o.error, "waiting": lambda o: "not painted yet"}
        rows = [
            (task.photo, task.style, words[o.status](o) if o.status in words else result)
            for task, result, o in zip(self._tasks, self.results, self.outcomes, strict=True)
        ]
        with self._as_far_as_there_is_room():
            write_index(path, rows)


def _file_at(path):
    """What distinguishes a file from any that replaces it; None if there is no file."""
    with contextlib.suppress(OSError):
        about = path.stat()
        return about.st_ino, about.st_mtime_ns, about.st_size
    return None
