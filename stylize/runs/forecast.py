"""How long a run will take, before it begins: from evaluations at a small size on this machine.

pace = measure(job, lambda stage: stage_objective(job, weights, stage))
(seconds,) = seconds_each([job.stages], pace)
"""

import math
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from stylize.images.resize import SMALLEST_SIDE
from stylize.runs.job import Job
from stylize.runs.progress import Progress, Stage
from stylize.runs.pyramid import preparation

SIDES = 128, 512  # of squares to try; the second where an evaluation of the first says little
TINY = 24  # side of the square that is tried before those
SHORT = 0.05  # seconds, of an evaluation that says little: a GPU's
REPEATS = 2  # of an evaluation, the shortest of which counts


class Pace(NamedTuple):
    """How fast a machine is: seconds per unit of work, and seconds to start a size."""

    work: float  # that of a pixel of an evaluation, see `Stage.work_each`
    start: float  # of a shape that is new, for which the loss is compiled
    start_again: float


def seconds_each(pictures: Sequence[Sequence[Stage]], pace: Pace) -> list[float]:
    """The seconds that each picture takes, where one process paints them in turn.

    A picture is given by its stages; what comes before its evaluations counts too. Of compiling,
    only what is new in each shape counts: tiles and terms of other kinds take a little longer.
    """
    compiled: set[tuple[int, int]] = set()  # shapes
    each = []
    for stages in pictures:
        shapes = {(stage.rows, stage.cols) for stage in stages}
        new = len(shapes - compiled)
        start = pace.start * new + pace.start_again * (len(stages) - new)
        work = sum(stage.work_before + stage.work for stage in stages)
        each.append(start + pace.work * work)
        compiled |= shapes
    return each


def measure(job: Job, objective_at: Callable[[Stage], Callable]) -> Pace:
    """Returns the pace of a job, measured in some evaluations of small sizes, within seconds.

    Args:
        job: any that has the settings and pictures; it is not painted.
        objective_at: from a stage to the function to minimise there, as `stage_objective` makes it.
    """

    def begin(stage):
        objective_at(stage)(job.start(stage))

    begin(_trial(job, TINY))  # what takes longer the first time is not to count
    for side in SIDES:
        stage = _trial(job, side)
        new, again = _timed(begin, stage), _timed(begin, stage)
        objective, start = objective_at(stage), job.start(stage)
        each = min(_timed(objective, start) for _ in range(REPEATS))
        if each > SHORT or stage.rows == job.stages[-1].rows:
            break
    evaluating = (1 + stage.preparation) * each
    return Pace(each / stage.work_each, max(0.0, new - evaluating), max(0.0, again - evaluating))


def learned(pace: Pace, progress: Progress) -> Pace:
    """The pace of a run that has just ended, if its last size can tell; else the old one."""
    stage = progress.stage
    if stage is None or not progress.is_foreseeable:
        return pace
    pixels = stage.rows * stage.cols
    if pixels < SIDES[0] ** 2 or (progress.seconds_each < SHORT and pixels < SIDES[1] ** 2):
        return pace
    return pace._replace(work=progress.seconds_each / stage.work_each)


def _trial(job, side):
    """The job's last stage with as many pixels as a square has, which need no tiles."""
    last = job.stages[-1]
    times = min(1.0, side / math.sqrt(last.rows * last.cols))
    rows, cols = (max(SMALLEST_SIDE, round(each * times)) for each in (last.rows, last.cols))
    small = last._replace(rows=rows, cols=cols, tile=None, in_files=False, cost=1.0)
    return small._replace(preparation=preparation(small, job.settings))


def _timed(function, *arguments):
    """The seconds that a function takes."""
    begun = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - begun
