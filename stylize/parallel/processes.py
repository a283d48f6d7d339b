"""Processes that share this machine's cores or GPUs, and never outlive the one that starts them."""

import contextlib
import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any

from tqdm import tqdm

from stylize.backend import machine
from stylize.backend.signals import TERMINATED

STOP_SECONDS = 30  # that a process without a parent has to keep its state


class _Remembering(SpawnContext):  # spawned: Keras's threads do not survive a fork
    """Starts processes, and remembers them: the calling program may have others of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[SpawnProcess] = []

    def Process(self, *args: Any, **options: Any) -> SpawnProcess:  # type: ignore[override]
        """A process, as `multiprocessing.Process` makes it."""
        process = SpawnProcess(*args, **options)
        self.started.append(process)
        return process


class Processes(Executor):
    """Independent processes: if one is killed, the others go on and a new one takes its place.

    Each is a pool of one, since a pool gives up all its work when one of its processes is killed.

    Args:
        number: of processes; `submit` waits while all are busy.
        gpus: how many they share.
    """

    def __init__(self, number: int, gpus: int = 0):
        self._gpus, self._closed, self._lock = gpus, False, threading.Lock()
        self._context = _Remembering()
        self._pools = [self._start(index) for index in range(number)]
        self._idle: queue.SimpleQueue[int] = queue.SimpleQueue()
        for index in range(number):
            self._idle.put(index)

    def _start(self, index):
        gpu = index % self._gpus if self._gpus else None
        return ProcessPoolExecutor(1, self._context, _start_process, (gpu,))

    def submit(self, function: Callable, /, *args: Any, **options: Any) -> Future:
        """Has a process call a function. The future raises BrokenProcessPool if it was killed.

        Raises RuntimeError after `close`.
        """
        index = self._idle.get()
        try:
            with self._lock:
                future = self._submit_to(index, function, *args, **options)
        except BaseException:
            self._idle.put(index)
            raise
        future.add_done_callback(lambda _: self._idle.put(index))
        return future

    def _submit_to(self, index, function, *args, **options):
        if self._closed:
            raise RuntimeError("the processes have ended")
        try:
            return self._pools[index].submit(function, *args, **options)
        except BrokenProcessPool:  # its process was killed, while working or idle
            self._pools[index] = self._start(index)
            return self._pools[index].submit(function, *args, **options)

    def close(self) -> None:
        """Takes no more work, and so starts no process."""
        with self._lock:
            self._closed = True

    def terminate(self) -> None:
        """Takes no more work, and asks the processes to stop what they are doing."""
        self.close()
        for process in self._context.started:
            if process.is_alive():
                process.terminate()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Ends the processes once they have finished what they are doing."""
        self.close()
        for pool in self._pools:
            pool.shutdown(wait, cancel_futures=cancel_futures)


@contextlib.contextmanager
def processes(number: int, gpus: int = 0) -> Iterator[Executor]:
    """Processes that share the cores, or the GPUs where there are several.

    However the block is left, nothing keeps running; after an error, work in progress is stopped.
    """
    _start_tracker()
    threads = machine.threads(max(1, machine.count_cores() // number))
    with threads if number > 1 else contextlib.nullcontext():
        executor = Processes(number, gpus)
        try:
            yield executor
        except BaseException:
            executor.terminate()
            raise
        finally:
            executor.shutdown(cancel_futures=True)


def _start_tracker():
    """Starts the process that tracks the locks of all others, spared by a terminal that closes.

    Python has it ignore SIGINT and SIGTERM. If SIGHUP ended it, the next one would know no lock.
    """
    if not hasattr(signal, "SIGHUP"):  # on Windows, which needs no tracker
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # it inherits this
    try:
        resource_tracker.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_process(gpu):
    """What a process does first."""
    for name in ("SIGINT", "SIGHUP"):  # the parent has them too, and sends SIGTERM
        if number := getattr(signal, name, None):
            signal.signal(number, signal.SIG_IGN)
    tqdm.set_lock(threading.RLock())  # one between processes would be left behind by `os._exit`
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    if gpu is not None:
        machine.use_gpu(gpu)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent():
    """Ends this process when its parent was killed: a pool's processes would wait for ever."""
    parent = multiprocessing.parent_process()
    assert parent
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOP_SECONDS)
    os._exit(TERMINATED)
