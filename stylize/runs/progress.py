"""What a run reports as it goes on, and how far it is."""

import dataclasses
import functools
import math
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from stylize.backend.signals import stop_again
from stylize.errors import require
from stylize.optimize.state import NO_STEP, Losses, Step

# What an evaluation takes however small its picture is, in pixels that would take as long: 1400 on
# a Zen 3, 5000 on a Zen 4, whose evaluations are faster.
ALWAYS = 2500
TELLING_PIXELS, TELLING_SECONDS = 8000, 0.03  # of an evaluation that tells how long others take


class Stage(NamedTuple):
    """A part of a run: so many iterations at one size and precision.

    `tile` is how many rows and columns the network sees at once, without margins; None: all.
    `in_files` says whether the optimiser's arrays are in files instead of memory. `cost` is how
    long an evaluation takes, as a multiple of one without tiles and files; `preparation` is how
    many evaluations could be made in the time before the first one.
    """

    rows: int
    cols: int
    iterations: int
    evaluations_per_iteration: int
    precision: str
    tile: int | None = None
    in_files: bool = False
    cost: float = 1.0
    preparation: float = 0.0

    @property
    def total_evaluations(self) -> int:
        """The evaluations of all iterations."""
        return self.iterations * self.evaluations_per_iteration

    @property
    def work(self) -> float:
        """What all evaluations cost."""
        return self.total_evaluations * self.work_each

    @property
    def work_before(self) -> float:
        """What the preparation costs, before the first evaluation."""
        return self.preparation * self.work_each

    @property
    def work_each(self) -> float:
        """What an evaluation costs: its pixels, in tiles about twice; time goes with that."""
        return (self.rows * self.cols + ALWAYS) * self.cost


class Checkpoint(NamedTuple):
    """Where a run is, and all that it needs to resume from there with the same numbers.

    There are two exceptions. SciPy's L-BFGS cannot restore its history, so a resumed run paints a
    different picture, unless the recipe starts it anew in each iteration, as `keras` does. And
    float16 rounds differently, as small gradients are rescaled.

    Attributes:
        stage: the index of the stage.
        start: the combination that the stage began with, (rows, cols, 3) float32; neighbours are
            those of it.
        evaluations: made at all stages.
        seconds: since the run started.
        step: of the optimiser.
        run: whose it is, see `Job.key`; "": not known.
    """

    stage: int
    start: np.ndarray
    evaluations: int = 0
    seconds: float = 0.0
    step: Step = NO_STEP
    run: str = ""

    @property
    def x(self) -> Any:
        """Where an optimiser of pixels resumes."""
        return self.step.state["x"] if self.step.state else self.start

    def copy(self) -> "Checkpoint":
        """Returns one whose step has a state of its own, of the same arrays.

        An optimiser that resumes from it empties that, so that arrays go when it forgets them.
        """
        state = self.step.state
        return self._replace(step=self.step._replace(state=state and dict(state)))


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """A combination and its losses.

    Attributes:
        losses: of the combination before it is rounded and, in recipes whose `bounded` is False,
            before it is clipped to 0..255. The loss of the resulting picture may be several times
            higher.
        x: the combination, (1, rows, cols, 3) or flat, an array or a tensor of the backend, BGR
            minus the mean pixel. It may change afterwards: use it at once or copy it.
        to_pixels: turns `x` into `pixels`, which are not computed until they are asked for, or
            into integers of so many bits.
    """

    losses: Losses
    x: Any = dataclasses.field(repr=False)
    to_pixels: Callable[..., np.ndarray] = dataclasses.field(repr=False)

    @functools.cached_property
    def pixels(self) -> np.ndarray:
        """The picture so far, float64 (rows, cols, 3), RGB, 0..255, not rounded."""
        return self.to_pixels(self.x)

    def rounded(self, bits: int = 8) -> np.ndarray:
        """The picture so far, uint8 or, of 16 bits, uint16 (rows, cols, 3), RGB."""
        return self.to_pixels(self.x, bits)

    @functools.cached_property
    def image(self) -> Image.Image:
        """The picture so far, a Pillow RGB image."""
        return Image.fromarray(self.rounded())


@dataclasses.dataclass(frozen=True)
class Iterate(Evaluation):
    """What is known after an iteration; its `x` does not change any more.

    Attributes:
        iteration: from 0 at each size.
        evaluations: made since the start, at all sizes.
        seconds: that this iteration took.
        final: whether this is the size asked for, not a smaller one on the way to it.
        stopped: why no more iterations follow at this size, if there are fewer than asked for.
    """

    iteration: int
    evaluations: int
    seconds: float
    final: bool
    stopped: str


class Progress:
    """How far a run is. The run calls the `on_` methods as it goes on. A program that shows or
    saves something overrides them, and calls those of this class first.

    Whatever a method raises ends the run.

    Attributes:
        stages: of the run, from the coarsest to the result.
        stage: the current `Stage`, None before the first.
        iteration: how many iterations are finished at this stage.
        evaluations: how many were made so far, at all sizes.
        lowest: the lowest loss at this stage so far; `improved` says whether the last evaluation
            had it.
        last: the last `Iterate`, None before the first.
    """

    def __init__(self) -> None:
        self._callback: Callable[[Iterate], None] | None = None
        self._result: Iterate | None = None
        self._to_pixels: Callable[..., np.ndarray] = np.asarray
        self._reset(())

    def _reset(self, stages):
        self.stages: Sequence[Stage] = stages
        self.stage: Stage | None = None
        self.iteration = self.evaluations = 0
        self.lowest, self.improved = math.inf, False
        self.last: Iterate | None = None
        self._started = self._iteration_started = time.perf_counter()
        self._done = 0.0  # work of the evaluations
        self._to_prepare = 0.0  # work still to come before the first evaluations
        self._began = 0.0, self._started  # work that was done, and when, as this process began
        self._times: list[float] = []  # of the evaluations at this stage
        self._pace = math.inf  # seconds for a unit of work

    @property
    def seconds(self) -> float:
        """The seconds since the run started."""
        return time.perf_counter() - self._started

    @property
    def fraction(self) -> float:
        """How much of the work is done, 0..1."""
        work = sum(stage.work for stage in self.stages)
        return min(1.0, self._done / work) if work else 0.0

    @property
    def seconds_left(self) -> float:
        """About how many seconds are left; infinite before the first evaluation.

        Estimated from the more recent half of the evaluations so far at this size, as the machine's
        load changes; before its second one, from those at the size before.
        """
        left = sum(stage.work for stage in self.stages) - self._done + self._to_prepare
        return max(0.0, left) * self._pace if math.isfinite(self._pace) else math.inf

    @property
    def seconds_each(self) -> float:
        """The seconds that an evaluation takes at this size, estimated as for `seconds_left`."""
        return self._pace * self.stage.work_each if self.stage else math.inf

    @property
    def is_foreseeable(self) -> bool:
        """Whether `seconds_left` can be trusted yet: small sizes say little about large ones."""
        if self.stage is None or len(self._times) < 3:
            return False
        pixels = self.stage.rows * self.stage.cols
        tells = pixels >= TELLING_PIXELS and self.seconds_each >= TELLING_SECONDS
        return tells or self.stage is self.stages[-1]

    def on_start(self, stages: Sequence[Stage]) -> None:
        """A run starts; an earlier one no longer counts."""
        self._reset(stages)

    def on_stage(self, index: int) -> None:
        """The stage of this index begins."""
        self.stage, self.iteration, self.lowest = self.stages[index], 0, math.inf
        self._times = []
        self._done = sum(stage.work for stage in self.stages[:index])
        self._to_prepare = sum(stage.work_before for stage in self.stages[index:])

    def on_resume(self, checkpoint: Checkpoint) -> None:
        """The stage that has just begun resumes where an earlier run stopped."""
        assert self.stage
        step = checkpoint.step
        self.iteration, self.evaluations = step.iterations, checkpoint.evaluations
        self.lowest = step.losses.total if step.losses else math.inf
        self._done += step.evaluations * self.stage.work_each
        self._started -= checkpoint.seconds
        self._began = self._done, time.perf_counter()

    def on_evaluation(self, evaluation: Evaluation) -> None:
        """An evaluation was made."""
        stop_again()
        assert self.stage
        self.evaluations += 1
        self._done += self.stage.work_each
        self._to_prepare -= 0 if self._times else self.stage.work_before
        self._times.append(time.perf_counter())
        self._measure_pace()
        self.improved = evaluation.losses.total < self.lowest
        self.lowest = min(self.lowest, evaluation.losses.total)

    def _measure_pace(self):
        """Measures the pace at this stage, without its first evaluation, which compiles."""
        assert self.stage
        last = len(self._times) - 1
        if last:
            half = last // 2
            seconds = (self._times[last] - self._times[half]) / (last - half)
            self._pace = seconds / self.stage.work_each
        elif math.isinf(self._pace):
            done, since = self._began
            work = self._done - done + self.stage.work_before
            self._pace = (self._times[0] - since) / work

    def on_iterate(self, iterate: Iterate) -> None:
        """An iteration has ended."""
        self.iteration += 1
        self.last = iterate

    # What a run calls, and nobody overrides:

    @property
    def result(self) -> Iterate:
        """The last `Iterate` of a run that has ended."""
        assert self._result  # every stage has an iteration
        return self._result

    def start_run(
        self, stages: Sequence[Stage], callback: Callable[[Iterate], None] | None = None
    ) -> None:
        """Starts to watch a run. The callback is called with every `Iterate`, too."""
        require("callback", callback, Callable | None, "a function of an Iterate")
        self._callback = callback
        self.on_start(stages)

    def begin_stage(
        self, index: int, to_pixels: Callable[..., np.ndarray], resumed: Checkpoint | None = None
    ) -> None:
        """Begins the stage of this index, perhaps from where an earlier run stopped in it."""
        self._to_pixels = to_pixels
        self.on_stage(index)
        if resumed:
            self.on_resume(resumed)

    def targets_ready(self) -> None:
        """Notes that everything the combination is compared with is ready: iterations begin."""
        self._iteration_started = time.perf_counter()

    def evaluated(self, losses: Losses, x: Any) -> None:
        """Reports an evaluation at x."""
        self.on_evaluation(Evaluation(losses, x, self._to_pixels))

    def iterated(self, x: Any, losses: Losses, stopped: str) -> None:
        """Reports an iteration that ended at x; it is the last if `stopped` says why."""
        iterate = Iterate(
            losses=losses,
            x=x,
            to_pixels=self._to_pixels,
            iteration=self.iteration,
            evaluations=self.evaluations,
            seconds=time.perf_counter() - self._iteration_started,
            final=self.stage is self.stages[-1],
            stopped=stopped,
        )
        self._result = iterate  # whatever `on_iterate` of another class does
        self.on_iterate(iterate)
        if self._callback:
            self._callback(iterate)
        self._iteration_started = time.perf_counter()
