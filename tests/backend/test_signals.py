"""Stopping while something is being computed that Python cannot interrupt."""

import contextlib
import gc
import os
import signal
import sys
import threading
import time

import pytest

from stylize.backend.signals import (
    Terminated,
    held_back,
    stop_again,
    stops_raise,
    told_of_stops,
)
from stylize.runs.progress import Progress

pytestmark = pytest.mark.skipif(os.name == "nt", reason="os.kill ends a process there")


@pytest.fixture
def nothing_stops():
    """Has Ctrl-C do nothing yet, as while a long computation goes on."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("nothing_stops")
def test_a_stop_that_takes_long_is_told_of_at_once():
    told = threading.Event()
    with told_of_stops(told.set, patience=0.01):
        os.kill(os.getpid(), signal.SIGINT)
        assert told.wait(10)
    assert signal.set_wakeup_fd(-1) == -1  # as before


@pytest.mark.usefixtures("nothing_stops")
def test_a_stop_that_takes_no_time_is_not_told_of():
    told = threading.Event()
    with told_of_stops(told.set, patience=60):
        os.kill(os.getpid(), signal.SIGINT)
    assert not told.is_set()


@pytest.mark.usefixtures("nothing_stops")
def test_other_signals_are_not_stops():
    told = threading.Event()
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    with told_of_stops(told.set, patience=0):
        os.kill(os.getpid(), signal.SIGUSR1)
        assert not told.wait(0.2)
    signal.signal(signal.SIGUSR1, before)


STOPS = [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)]


@pytest.mark.parametrize(("number", "raised"), STOPS)
def test_a_stop_that_comes_amid_an_import_acts_after_it(number, raised):
    """It could leave half a module, or be lost in C++ code."""
    finished = False
    with pytest.raises(raised), stops_raise(), held_back(), held_back():
        os.kill(os.getpid(), number)
        time.sleep(0.01)
        finished = True
    assert finished
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_that_is_ignored_keeps_no_other_stop_from_acting():
    """As in a process of ours: Ctrl-C in a terminal reaches it too, then it is told to end."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(Terminated), stops_raise(), held_back():
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(("number", "raised"), STOPS)
def test_a_stop_that_was_lost_acts_at_the_next_evaluation(number, raised):
    """What calls Python from C++ may not pass an exception on."""
    progress = Progress()
    with pytest.raises(raised), stops_raise():
        with contextlib.suppress(raised):
            os.kill(os.getpid(), number)
            time.sleep(1)
        in_a_thread = threading.Thread(target=stop_again)  # what paints there has its own way
        in_a_thread.start()
        in_a_thread.join(10)
        progress.on_evaluation(None)
    stop_again()  # the next run is not stopped


@pytest.mark.parametrize(("number", "raised"), STOPS)
def test_a_stop_that_comes_amid_a_garbage_collection_is_not_told_of_as_a_fault(
    number, raised, monkeypatch
):
    told = []
    monkeypatch.setattr(sys, "unraisablehook", lambda lost: told.append(lost.exc_type))

    def stop(*_):
        os.kill(os.getpid(), number)
        time.sleep(0.01)

    def fail(*_):
        raise ZeroDivisionError

    with pytest.raises(raised), stops_raise():
        for each in (stop, fail):
            gc.callbacks.append(each)
            try:
                gc.collect()
            finally:
                gc.callbacks.remove(each)
        stop_again()
    assert set(told) == {ZeroDivisionError}


def test_it_is_left_alone_in_other_threads():
    """Only the main thread is woken, and may say who is told."""
    left = threading.Event()

    def use():
        with told_of_stops(lambda: None):
            left.set()

    thread = threading.Thread(target=use)
    thread.start()
    thread.join(10)
    assert left.is_set()
