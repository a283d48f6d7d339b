"""How far a run is, and how long it will go on. The clock is the tests' own."""

import math

import numpy as np
import pytest
from PIL import Image

from stylize.optimize.state import Losses, Step
from stylize.runs import progress
from stylize.runs.job import prepare
from stylize.runs.progress import Checkpoint, Evaluation, Progress

LOSSES = Losses(3.0, {"content": 3.0})


@pytest.fixture
def clock(monkeypatch):
    """A list of the time now, in seconds."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    return now


class Foretelling(Progress):
    """Notes when it can first say how long a run will take, and what: (time, seconds left)."""

    foretold = None

    def on_evaluation(self, evaluation):
        super().on_evaluation(evaluation)
        if self.is_foreseeable and not self.foretold:
            self.foretold = self.seconds, self.seconds_left


def replay(stages, seconds, clock, run=None):
    """Runs a `Progress` through stages. Returns (time, seconds that it says are left) as it goes.

    Args:
        stages: of the run.
        seconds: for each stage, those of its evaluations, the first with all that comes before it.
        clock: that of the test.
        run: the `Progress`; None: a new one.
    """
    run, told = run or Progress(), []
    run.start_run(stages)
    for index, each in enumerate(seconds):
        run.on_stage(index)
        for taken in each:
            clock[0] += taken
            run.on_evaluation(Evaluation(LOSSES, None, None))
            told.append((clock[0], run.seconds_left))
    return told


def farthest_off(told, after):
    """By how much of what was left at most, from `after` seconds to the last evaluation but one."""
    end = told[-1][0]
    return max(abs(left / (end - now) - 1) for now, left in told[:-1] if now >= after)


def on_a_machine(job, rng):
    """Seconds of all evaluations: more for more pixels, and never quite alike.

    In tiles each is three passes instead of two, over margins too. Neighbours are looked up for
    each place among all places, which takes the pixels squared, until blocks are compared: then
    what takes longest is the features of all places.
    """
    for stage in job.stages:
        megapixels = stage.rows * stage.cols / 1e6
        seen = math.prod(with_margins(side, stage.tile) for side in stage[:2]) / 1e6
        each = 0.02 + 2.4 * seen * (1.5 if stage.tile else 1)
        searched = 3 * megapixels + 9 * megapixels**2 if megapixels < 0.26 else 2.5 * each
        search = searched if job.settings.neighbor_weight else 0
        taken = each * rng.uniform(0.9, 1.1, stage.total_evaluations)
        targets = each * (1.25 if job.settings.similarity_weight else 1)
        taken[0] += 0.8 + targets + search
        yield taken


def with_margins(length, tile, margin=80):
    """Pixels of all tiles along an axis, each with what it sees on both sides."""
    tile = tile or length
    ends = [(max(0, at - margin), min(length, at + tile + margin)) for at in range(0, length, tile)]
    return sum(end - start for start, end in ends)


@pytest.mark.parametrize(
    "settings",
    [
        {"size": 1600, "memory": 99},
        {"size": 2160, "memory": 4},  # the last sizes in tiles
        {"size": 900, "memory": 99, "tile": 512},
        {"size": 1000, "memory": 99, "recipe": "pyramid", "iterations": 4},
        {"size": 1000, "memory": 99, "recipe": "keras"},
    ],
    ids=str,
)
def test_time_left_is_right_within_a_fifth_from_the_second_minute_on(settings, clock):
    photo = Image.new("RGB", (3840, 2160))
    job = prepare(photo, Image.new("RGB", (300, 300)), **settings)
    run = Foretelling()
    told = replay(job.stages, on_a_machine(job, np.random.default_rng(0)), clock, run)
    assert told[-1][0] > 140
    assert farthest_off(told, after=60) < 0.2
    at, left = run.foretold
    assert at < 20
    assert 1 / 1.5 < left / (told[-1][0] - at) < 1.5


def test_time_left_of_a_run_as_it_was(clock):
    """Seconds from the table of losses of `hopper.jpg` in 1600 rows, on two cores of a Zen 3."""
    photo, style = Image.new("RGB", (1365, 1600)), Image.new("RGB", (300, 300))
    stages = prepare(photo, style, size=1600, memory=99).stages
    first = [2.52, 2.0, 3.97, 8.86, 30.18, 124.14]
    each = [0.053, 0.133, 0.474, 1.505, 6.159, 26.44]
    seconds = [
        [start] + [later] * (stage.total_evaluations - 1)
        for stage, start, later in zip(stages, first, each, strict=True)
    ]
    assert farthest_off(replay(stages, seconds, clock), after=30) < 0.2


def test_time_left_is_unknown_at_first_and_nothing_at_the_end(clock):
    stages = prepare(Image.new("RGB", (64, 64)), Image.new("RGB", (64, 64)), size=64).stages
    assert math.isinf(Progress().seconds_left)
    told = replay(stages, [[1.0] * stage.total_evaluations for stage in stages], clock)
    assert told[-1][1] == pytest.approx(0, abs=1e-6)


def test_progress_that_is_used_again_starts_anew(clock):
    stages = prepare(Image.new("RGB", (64, 64)), Image.new("RGB", (64, 64)), size=64).stages
    seconds = [[1.0] * stage.total_evaluations for stage in stages]
    run = Progress()
    first = replay(stages, seconds, clock, run)
    assert (run.evaluations, run.fraction) == (len(first), 1)
    clock[0] += 1000  # in between
    began = clock[0]
    run.start_run(stages)
    assert (run.evaluations, run.fraction, run.seconds, run.last) == (0, 0, 0, None)
    again = replay(stages, seconds, clock, run)
    assert [(now - began, left) for now, left in again] == first
    assert (run.evaluations, run.fraction, run.seconds) == (len(first), 1, len(first))


def test_a_size_that_ends_early_makes_no_other_size_seem_faster(clock):
    """Its evaluations that were not made took no time, and tell of none."""
    first, last = prepare(
        Image.new("RGB", (500, 500)), Image.new("RGB", (300, 300)), "pyramid", size=500, scales=2
    ).stages
    seconds = [np.full(first.total_evaluations // 4, 0.5), np.full(last.total_evaluations, 2.0)]
    assert first.work_each * 4 == pytest.approx(last.work_each, rel=0.05)
    assert farthest_off(replay([first, last], seconds, clock), after=15) < 0.1


def test_resumed_run_measures_its_own_seconds(clock):
    (stage,) = prepare(
        Image.new("RGB", (300, 300)), Image.new("RGB", (300, 300)), "pyramid", size=300, scales=1
    ).stages
    made, run = stage.total_evaluations // 2, Progress()
    run.on_start([stage])
    run.on_stage(0)
    run.on_resume(Checkpoint(0, None, made, 1000.0, Step(0, made, losses=LOSSES)))
    for left in range(stage.total_evaluations - made - 1, 0, -1):
        clock[0] += 2.0
        run.on_evaluation(Evaluation(LOSSES, None, None))
        assert run.seconds_left == pytest.approx(2 * left, rel=0.6)  # the first has prepared it
    assert run.seconds_left == pytest.approx(2)
    assert run.seconds == 1000 + clock[0]
