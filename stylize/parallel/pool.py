"""What paints several pictures at once: processes of this machine, or workers of a Ray cluster."""

import contextlib
import errno
import functools
import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from stylize.backend import machine, tensors
from stylize.errors import InputError, SettingError
from stylize.parallel.processes import processes
from stylize.runs.memory import PROCESS_MIB, SHARE
from stylize.vgg.download import load_weights
from stylize.vgg.weights import VGG19Weights

LOOK_EVERY = 0.5  # seconds between two looks at what is waited for
CORES_EACH = 2  # for a worker on a cluster; one was not measured there
RAY_IS_QUIET = {"RAY_DEDUP_LOGS_SKIP_REGEX": ".", "RAY_USAGE_STATS_ENABLED": "0"}


class Demand(NamedTuple):
    """What is to be painted, as a process has found it on this machine.

    Attributes:
        number: pictures that could be painted at once.
        needed_mib: about the peak of a process that paints the largest.
        gpus: how many the backend finds.
        allowed_mib: that all processes together may take; infinite where `--tile` is given and
            `--memory` is not.
        cores_each: for each picture, where no number of jobs is given.
    """

    number: int
    needed_mib: float
    gpus: int
    allowed_mib: float
    cores_each: int = 1


class Painters(NamedTuple):
    """What paints.

    Attributes:
        executor: calls what is submitted to it: in processes, or in threads that wait for workers.
        number: how many of them paint at once.
        memory_mib: that each may take; None: all that a single process may.
        workers: the `Cluster`; None: processes of this machine.
    """

    executor: Executor
    number: int
    memory_mib: float | None
    workers: Any = None

    def each(self, function: Callable, given: Iterable) -> Iterator[tuple[int, Future]]:
        """Has a function called with each thing given, and yields (index, future) as each is done.

        No more are handed out than are worked on: who hands out a further one would wait.
        """
        waiting, running = deque(enumerate(given)), dict[Future, int]()
        while waiting or running:
            while waiting and len(running) < self.number:
                index, thing = waiting.popleft()
                running[self.executor.submit(function, thing)] = index
            future = next(as_ended(running))
            yield running.pop(future), future


class Crew:
    """A context that owns processes: one that looks at what is to be painted, then the painters.

    As many are started at once as will probably paint, since each takes seconds to get ready.

    Args:
        args: the options.
        number: how many pictures there are probably to paint.
    """

    def __init__(self, args: Any, number: int = 1):
        self._args, self._contexts = args, contextlib.ExitStack()
        smallest = Demand(max(1, number), PROCESS_MIB, 0, math.inf)
        likely = choose_jobs(smallest, machine.count_cores(), args.jobs)
        self._jobs = 1 if args.ray else likely

    def __enter__(self) -> "Crew":
        tensors.tell_of_start()
        self._processes = self._contexts.enter_context(processes(self._jobs))
        for _ in range(self._jobs - 1):
            self._processes.submit(tensors.import_keras)
        return self

    def __exit__(self, *error: Any) -> bool | None:
        return self._contexts.__exit__(*error)

    def ask(self, function: Callable, *given: Any) -> Any:
        """Returns what a function finds in a process. Raises ChildProcessError: it was killed."""
        return result(self._processes.submit(function, *given))

    def painters(self, demand: Demand, on_death: Callable[[str], None]) -> Painters:
        """Returns the painters that the options ask for: those started, if they are as many.

        Args:
            demand: on the painters.
            on_death: is told in a line that a worker has died.

        Raises:
            InputError: there is no such cluster, or no Ray.
        """
        if self._args.ray:
            weights = self.ask(kept_weights, self._args.weights)
            self._contexts.close()
            return self._on_cluster(demand, weights, on_death)
        jobs = choose_jobs(demand, machine.count_cores(), self._args.jobs)
        if jobs != self._jobs or (jobs > 1 and demand.gpus):  # it gets its GPU at the start
            self._contexts.close()
            self._processes = self._contexts.enter_context(processes(jobs, demand.gpus))
        return Painters(self._processes, jobs, memory_each(demand, jobs))

    def _on_cluster(self, demand, weights, on_death):
        """Workers of a Ray cluster. Raises InputError."""
        args, cluster = self._args, import_cluster()
        most = min(args.jobs or demand.number, demand.number)
        connected = cluster.connect(args.ray, demand.needed_mib, CORES_EACH, most, on_death)
        workers = self._contexts.enter_context(connected)
        workers.keep_weights(weights)
        allowed = min(workers.memory_mib, demand.allowed_mib if args.memory else math.inf)
        memory_mib = None if math.isinf(allowed) else allowed
        return Painters(workers.executor, len(workers.alive), memory_mib, workers)


def count_missing(results: Iterable[Path]) -> int:
    """How many results are not there: those at least are to be painted."""
    return sum(not path.exists() for path in results)


def require_jobs(jobs: int | None) -> None:
    """Raises InputError unless it is a number of jobs, or None."""
    if jobs is not None and jobs < 1:
        raise SettingError("--jobs", f"must be at least 1, received {jobs}")


def choose_jobs(demand: Demand, cores: int, wanted: int | None = None) -> int:
    """How many pictures to paint at once: one for each GPU, or for some cores if memory allows.

    benchmarks/folders.py finds that two processes on two cores are faster than one.

    Args:
        demand: on the processes.
        cores: of this machine.
        wanted: this number instead, but no more than there are pictures.
    """
    allowed = min(demand.allowed_mib, SHARE * machine.free_memory())
    fitting = math.inf if demand.gpus else allowed / demand.needed_mib
    jobs = wanted or min(demand.gpus or cores // demand.cores_each, fitting)
    return int(max(1, min(jobs, demand.number)))


def memory_each(demand: Demand, jobs: int) -> float | None:
    """MiB that each of so many processes may take; None: no limit of its own."""
    sharing = math.ceil(jobs / max(1, demand.gpus))  # of the processor's memory, or of a GPU's
    if sharing == 1 or math.isinf(demand.allowed_mib):
        return None
    return demand.allowed_mib / sharing


@functools.cache
def kept_weights(source: str) -> VGG19Weights:
    """The weights, loaded once a process, and so one network for all of its pictures.

    Raises WeightsError.
    """
    return load_weights(source, quiet=True)


def import_cluster() -> ModuleType:
    """The module that needs Ray. Raises InputError where that is not installed."""
    os.environ |= RAY_IS_QUIET  # read when it is imported
    try:
        from stylize.parallel import ray_cluster
    except ModuleNotFoundError as error:
        needed = f'--ray needs the package {error.name}: pip install ".[ray]"'
        raise InputError(needed) from None
    return ray_cluster


def as_ended(futures: Iterable[Future]) -> Iterator[Future]:
    """Yields futures as they end. Signals that come meanwhile act within `LOOK_EVERY` seconds.

    The system may hand a signal to any thread, but the main one acts on it, and only when it wakes:
    `concurrent.futures.as_completed` and `Future.result` would have it sleep to the end.
    """
    left = {*futures}
    while left:
        ended, left = wait(left, timeout=LOOK_EVERY, return_when=FIRST_COMPLETED)
        yield from ended


def result(future: Future) -> Any:
    """A process's answer. Raises ChildProcessError where somebody has killed it."""
    try:
        return next(as_ended([future])).result()
    except BrokenProcessPool:
        reason = "was killed, perhaps for lack of memory; give fewer --jobs"
        raise ChildProcessError(errno.ECHILD, reason, "a process") from None
