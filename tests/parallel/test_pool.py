"""How pictures are handed out to processes, with threads in their place."""

import os
import signal
import threading
import types
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ClassVar

import pytest

from stylize.backend import machine
from stylize.parallel import pool
from stylize.parallel.pool import Crew, Demand, Painters, count_missing, result

SMALL = Demand(number=6, needed_mib=1.0, gpus=0, allowed_mib=1e9)


class Threads(ThreadPoolExecutor):
    """Processes that end before others are started in their place, and that compute nothing."""

    started: ClassVar[list] = []  # how many, each time

    def __init__(self, number, gpus=0):
        super().__init__(number)
        self.started.append((number, gpus))


@pytest.fixture(autouse=True)
def threads(monkeypatch):
    monkeypatch.setattr(Threads, "started", [])
    monkeypatch.setattr(pool, "processes", Threads)
    monkeypatch.setattr(machine, "count_cores", lambda: 4)
    monkeypatch.setattr(machine, "free_memory", lambda: 1e9)
    return Threads


def arguments(**options):
    return types.SimpleNamespace(**{"jobs": None, "ray": None} | options)


@pytest.mark.skipif(os.name == "nt", reason="signals come to the process alone there")
def test_signal_that_another_thread_got_acts_while_the_main_thread_waits():
    def take(number):
        signal.pthread_kill(threading.get_ident(), number)

    never = Future()
    give_up = threading.Timer(20, never.set_result, [None])
    give_up.start()
    threading.Timer(0.1, take, [signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        result(never)
    give_up.cancel()
    assert not never.done()


def test_each_is_told_of_when_it_is_done_not_when_all_are_handed_out():
    told, gates = [], [threading.Event() for _ in range(4)]
    with ThreadPoolExecutor(2) as executor:
        running = Painters(executor, 2, None).each(lambda gate: gate.wait(10), gates)
        for index in (1, 0, 2, 3):
            gates[index].set()
            told.append(next(running)[0])
    assert told == [1, 0, 2, 3]


def test_no_more_are_handed_out_than_are_worked_on():
    busy, most = [], []

    def work(index):
        busy.append(index)
        most.append(len(busy))
        busy.remove(index)
        return index

    with ThreadPoolExecutor(8) as executor:
        done = dict(Painters(executor, 2, None).each(work, range(20)))
    assert max(most) <= 2
    assert all(future.result() == index for index, future in done.items())


def test_processes_that_look_go_on_to_paint(threads):
    with Crew(arguments(), 6) as crew:
        assert crew.ask(abs, -1) == 1
        painters = crew.painters(SMALL, print)
        assert painters.number == 4
        assert painters.executor.submit(abs, -2).result() == 2
    assert threads.started == [(4, 0)]


@pytest.mark.parametrize(
    ("options", "number", "demand", "started"),
    [
        ({"jobs": 2}, 6, SMALL, [(2, 0)]),
        ({}, 0, SMALL._replace(number=1), [(1, 0)]),  # nothing is to be painted, probably
        ({}, 6, SMALL._replace(number=2), [(4, 0), (2, 0)]),  # some are painted already
        ({}, 6, SMALL._replace(needed_mib=5e8), [(4, 0), (1, 0)]),  # which the memory holds
        ({}, 6, SMALL._replace(gpus=2), [(4, 0), (2, 2)]),
        ({}, 6, SMALL._replace(gpus=4), [(4, 0), (4, 4)]),  # each is given its own
        ({}, 6, SMALL._replace(gpus=1), [(4, 0), (1, 1)]),
    ],
)
def test_other_processes_paint_where_others_are_needed(options, number, demand, started, threads):
    with Crew(arguments(**options), number) as crew:
        crew.ask(abs, -1)
        crew.painters(demand, print)
    assert threads.started == started


def test_results_that_are_not_there_are_counted(tmp_path):
    (tmp_path / "a.png").touch()
    assert count_missing(tmp_path / name for name in ("a.png", "b.png", "c.png")) == 2
