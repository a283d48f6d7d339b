"""How long several pictures will take, told before they are painted."""

import argparse
import functools
from collections.abc import Sequence

import neural_style_transfer as nst
from stylize.apps import photo
from stylize.apps.console import in_words
from stylize.parallel.pool import Crew, kept_weights
from stylize.runs import forecast
from stylize.runs.progress import Stage

MUCH = 4e7  # of work, some minutes': with less, the first picture soon says how long all take


def seconds_each(
    crew: Crew,
    args: argparse.Namespace,
    tasks: Sequence[argparse.Namespace],
    stages: Sequence[Sequence[Stage]],
) -> list[float]:
    """About how long each picture will take one of the crew's processes.

    Measuring takes seconds. It is left out where there is little to paint, other machines paint,
    or nobody is to be told.

    Args:
        crew: before it has given its painters.
        args: the options of all.
        tasks: those of each picture.
        stages: of each picture.

    Returns:
        Seconds; an empty list where they were not measured.
    """
    work = [sum(stage.work for stage in own) for own in stages]
    if args.quiet or args.ray or sum(work) <= MUCH:
        return []
    pace = crew.ask(measure_pace, tasks[max(range(len(work)), key=work.__getitem__)])
    return forecast.seconds_each(stages, pace)


def measure_pace(options: argparse.Namespace) -> forecast.Pace:
    """How fast this process paints such a picture. Takes seconds."""
    job, _ = photo.plan(argparse.Namespace(**vars(options)))
    objective = functools.partial(nst.stage_objective, job, kept_weights(options.weights))
    return forecast.measure(job, objective)


def about(seconds: Sequence[float], painters: int) -> str:
    """How long so many painters will take for pictures of some seconds each, in words to append.

    "" where there are no pictures.
    """
    if not seconds:
        return ""
    total = max(*seconds, sum(seconds) / painters)
    return f", about {in_words(max(10, round(total, -1)))}"
