"""Runs that the page watches: one at a time, whoever has gone meanwhile."""

import threading

import pytest

from stylize.apps.page import watch as watches
from stylize.apps.page.watch import Limit, Stopped, Watch
from stylize.runs.progress import Stage


@pytest.fixture
def left_behind(monkeypatch):
    """An event that ends a run whose visitor has gone: it is in an evaluation, and nobody waits."""
    monkeypatch.setattr(watches, "UPDATE_EVERY", 0.01)
    ends, begun = threading.Event(), threading.Event()

    def run(watch):
        begun.set()
        assert ends.wait(30)

    following = Watch(Limit()).follow(run)
    assert next(following) is None and begun.wait(30)
    following.close()
    yield ends
    ends.set()


def test_the_next_run_begins_when_the_one_before_has_ended(left_behind):
    began = threading.Event()
    following = Watch(Limit()).follow(lambda watch: began.set())
    assert [next(following) for _ in range(3)] == [None] * 3 and not began.is_set()
    left_behind.set()
    assert set(following) <= {None} and began.is_set()


@pytest.mark.parametrize("stopped", [True, False])
def test_who_waits_for_it_can_stop_and_has_a_time_limit(stopped, left_behind):
    limit = Limit(max_seconds=60 if stopped else 0.05)
    waiting = Watch(limit)
    following = waiting.follow(lambda watch: pytest.fail("it has begun"))
    assert next(following) is None
    if stopped:
        limit.stop()
    assert set(following) <= {None} and isinstance(waiting.error, Stopped)


def test_words_of_a_coarse_size_say_what_the_result_will_have():
    watch = Watch(Limit())
    watch.on_start([Stage(48, 60, 1, 20, "float32"), Stage(400, 500, 1, 20, "float32")])
    for index, words in ((0, ", first at 60x48 of 500x400 pixels"), (1, " at 500x400 pixels")):
        watch.on_stage(index)
        watch._done += 10 * watch.stage.work_each
        assert watch.painting.startswith(f"Painting{words}: ")
