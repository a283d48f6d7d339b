"""Stopping while something is being computed that Python cannot interrupt."""

import os
import signal
import threading
import time

import pytest

from stylize.backend.signals import Terminated, held_back, sigterm_raises, told_of_stops

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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_that_comes_amid_an_import_acts_after_it(number):
    """It could leave half a module, or be lost in C++ code."""
    finished = False
    with pytest.raises((KeyboardInterrupt, Terminated)), sigterm_raises(), held_back():
        os.kill(os.getpid(), number)
        time.sleep(0.01)
        finished = True
    assert finished
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


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
