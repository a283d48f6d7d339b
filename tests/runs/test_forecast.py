import time

import numpy as np
import pytest
from PIL import Image

import neural_style_transfer as nst
from stylize.optimize.state import Losses
from stylize.runs import forecast
from stylize.runs.job import prepare
from stylize.runs.progress import ALWAYS, Evaluation, Progress

COMPILING, AGAIN = 2.0, 0.5  # seconds: a shape's loss, and what there is before any size


class Machine:
    """Stands in for the network: a clock that only work moves on."""

    def __init__(self, pixel):
        self.now, self._pixel = 100.0, pixel
        self.tried = []  # pixels of each stage
        self._compiled = set()

    def objective_at(self, stage):
        each = self._pixel * (stage.rows * stage.cols + ALWAYS)
        self.now += stage.preparation * each + (0 if self.tried else 30)  # the first time, 30 s
        self.tried.append(stage.rows * stage.cols)
        self.now += AGAIN

        def objective(x):
            assert np.shape(x) == (stage.rows, stage.cols, 3)
            self.now += each + (0 if x.shape in self._compiled else COMPILING)
            self._compiled.add(x.shape)

        return objective


@pytest.fixture
def measured(monkeypatch):
    """A function from the seconds that a pixel takes, and a job, to (its pace, the machine)."""

    def measure(pixel, job):
        machine = Machine(pixel)
        monkeypatch.setattr(time, "perf_counter", lambda: machine.now)
        return forecast.measure(job, machine.objective_at), machine

    return measure


def job_of(size, cols=48, rows=40, **settings):
    gray = Image.new("RGB", (cols, rows), "gray")
    return prepare(gray, gray, size=size, **settings)


@pytest.mark.parametrize("cols", [40, 400, 24])
@pytest.mark.parametrize("size", [32, 100, 300])
def test_pace_is_that_of_the_machine_whatever_the_size(size, cols, measured):
    pace, machine = measured(1e-5, job_of(size, cols))
    assert pace == pytest.approx((1e-5, AGAIN + COMPILING, AGAIN))
    assert machine.tried[-1] <= 128**2 * 1.1  # a moment, not the size asked for


def test_a_fast_machine_is_tried_at_a_larger_size(measured):
    pace, machine = measured(1e-8, job_of(1024, 40))
    assert pace == pytest.approx((1e-8, AGAIN + COMPILING, AGAIN))
    assert machine.tried[-1] == 512**2


def test_seconds_are_those_of_runs_that_go_at_that_pace(measured):
    """The second picture of a shape finds the loss compiled."""
    job, other, ran = job_of(300), job_of(280), []
    pace, machine = measured(1e-5, job)
    pictures = [each.stages for each in (job, job, other)]
    for stages in pictures:
        begun = machine.now
        for stage in stages:
            objective, start = machine.objective_at(stage), np.zeros((stage.rows, stage.cols, 3))
            for _ in range(stage.total_evaluations):
                objective(start)
        ran.append(machine.now - begun)
    assert ran[1] < ran[0] - COMPILING * (len(job.stages) - 1)
    assert forecast.seconds_each(pictures, pace) == pytest.approx(ran, rel=0.05)


def test_larger_more_iterations_and_tiles_take_longer():
    pace = forecast.Pace(1e-5, 1.0, 0.5)

    def seconds(*arguments, **settings):
        (each,) = forecast.seconds_each([job_of(*arguments, **settings).stages], pace)
        return each

    assert 3 < seconds(800) / seconds(400) < 4.5
    assert 1.7 < seconds(400, iterations=4) / seconds(400) < 2
    assert seconds(400, tile=128) > 1.5 * seconds(400, tile="off")
    assert seconds(400, neighbor_weight=0) < seconds(400)


@pytest.mark.parametrize(
    ("size", "each", "evaluations", "learns"),
    [(300, 0.5, 9, True), (40, 0.5, 9, False), (300, 0.01, 9, False), (300, 0.5, 1, False)],
    ids=["slower", "small", "fast", "just begun"],
)
def test_a_run_is_learned_from_where_pixels_count(size, each, evaluations, learns, monkeypatch):
    """A GPU's evaluations of some hundred rows say nothing of larger ones."""
    now, progress = 0.0, Progress()
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    stages = job_of(size).stages
    progress.start_run(stages)
    progress.on_stage(len(stages) - 1)
    for _ in range(evaluations):
        now += each
        progress.on_evaluation(Evaluation(Losses(1.0, {}), None, None))
    pace = forecast.Pace(1e-7, 3.0, 1.0)
    after = forecast.learned(pace, progress)
    assert (after.start, after.start_again) == (3.0, 1.0)
    assert (after.work * stages[-1].work_each == pytest.approx(each)) == learns
    assert (after == pace) != learns


@pytest.mark.usefixtures("evaluated_once")
def test_real_evaluations_are_timed(small_vgg19):
    job = job_of(40)
    pace = forecast.measure(job, lambda stage: nst.stage_objective(job, small_vgg19, stage))
    assert 0 < pace.work < 1 and 0 <= pace.start < 60
