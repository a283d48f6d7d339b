"""The iterations at a size, between the optimiser and whoever watches the run."""

from collections.abc import Callable
from typing import Any

from stylize.optimize.minimize import Iterations
from stylize.runs.level import Level
from stylize.runs.progress import Checkpoint, Progress


def iterations_at(
    evaluator: Any,
    level: Level,
    checkpoint: Checkpoint,
    progress: Progress,
    keep: Callable[[Checkpoint], None],
) -> Iterations:
    """Returns the iterations at a size, which tell a progress, and keep checkpoints.

    Args:
        evaluator: the script's `Evaluator`.
        level: the size.
        checkpoint: where they begin or resume.
        progress: is told of every iteration.
        keep: called with every checkpoint that is reached.
    """
    progress.targets_ready()

    def keep_step(step):
        now = {"evaluations": progress.evaluations, "seconds": progress.seconds}
        keep(checkpoint._replace(step=step, **now))

    return Iterations(
        evaluator,
        level.stage.iterations,
        level.stage.evaluations_per_iteration,
        progress.iterated,
        level.settings.tolerance,
        checkpoint.step,
        keep_step,
    )
