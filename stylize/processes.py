"""Processes that share this machine's cores or GPUs, and never outlive the one that starts them."""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor

from tqdm import tqdm

from stylize import machine
from stylize.terminal import TERMINATED

STOP_SECONDS = 30  # that a process without a parent has to keep its state


@contextlib.contextmanager
def processes(number: int, gpus: int = 0) -> Iterator[Executor]:
    """A pool of processes that share the cores, or the GPUs where there are several.

    However it is left, nothing runs on: where that is by an error, what they do is stopped.
    """
    context = multiprocessing.get_context("spawn")  # Keras's threads do not survive a fork
    numbers = context.SimpleQueue()
    for index in range(number):
        numbers.put(index)
    threads = machine.threads(max(1, machine.count_cores() // number))
    with threads if number > 1 else contextlib.nullcontext():
        executor = ProcessPoolExecutor(number, context, _start_process, (numbers, gpus))
        try:
            yield executor
        except BaseException:
            for process in multiprocessing.active_children():
                process.terminate()
            raise
        finally:
            executor.shutdown(cancel_futures=True)


def _start_process(numbers, gpus):
    """What a process does first."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent has it too, and sends SIGTERM
    tqdm.set_lock(threading.RLock())  # one between processes would be left behind by `os._exit`
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    if gpus:
        machine.use_gpu(numbers.get() % gpus)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent():
    """Ends this process when its parent was killed: a pool's processes would wait for ever."""
    parent = multiprocessing.parent_process()
    assert parent
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOP_SECONDS)
    os._exit(TERMINATED)
