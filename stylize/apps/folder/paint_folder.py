"""Paints folders: every photo in every style, several at once.

    main            checks the options, paints what is not finished, tells of it
      survey        in a process: what is finished, what cannot be painted, what is left
      paint_photo   in the others, or on a cluster's workers: paints one picture

Keras is imported in these processes only, so that each has its own share of the machine.
"""

import argparse
import contextlib
import errno
import functools
import itertools
import math
import os
import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import NamedTuple

from stylize.apps import foretold, photo
from stylize.apps.console import (
    check_files,
    check_kept,
    check_writable,
    exit_status,
    failure,
    say,
)
from stylize.apps.folder import watch
from stylize.apps.folder.ledger import INDEX, LOG, Ledger, Outcome
from stylize.apps.folder.pictures import check_ours, may_be_frames, plan_tasks
from stylize.apps.options import PROGRAM, follow_record
from stylize.apps.photo_console import PhotoConsole
from stylize.backend import tensors
from stylize.backend.files import alone
from stylize.backend.signals import INTERRUPTED, TERMINATED, Terminated, stops_raise
from stylize.errors import InputError, is_full, one_line
from stylize.images.masks import KIND, Surprise
from stylize.images.reading import load_image
from stylize.parallel.pool import (
    Crew,
    Demand,
    Painters,
    count_missing,
    kept_weights,
    require_jobs,
)
from stylize.parallel.processes import processes
from stylize.runs import metadata
from stylize.runs.checkpoint import Damaged, StateFile, check_state, state_path
from stylize.runs.memory import allowed_mib
from stylize.runs.progress import Stage
from stylize.vgg.weights import VGG19Weights

KILLED = (
    "the process painting it was killed on both tries, perhaps for lack of memory; choose a "
    "smaller --size or a lower --memory"
)


class FolderSurvey(NamedTuple):
    """What a process found before anything is painted.

    Attributes:
        outcomes: of all tasks, in their order.
        gpus: how many the backend finds.
        allowed_mib: that all processes together may take.
        precision: that all tasks have, `auto` being what it is on this machine; None: unknown.
        surprises: what somebody may not expect of the masks.
        stages: of each task that waits, by its index.
    """

    outcomes: list[Outcome]
    gpus: int
    allowed_mib: float
    precision: str | None = None
    surprises: Sequence[Surprise] = ()
    stages: Mapping[int, Sequence[Stage]] = {}


# ---------------------------------------------------------------------------------------------
# In the processes
# ---------------------------------------------------------------------------------------------


def survey(tasks: Sequence[argparse.Namespace]) -> FolderSurvey:
    """Looks at every task, given by its options. Raises WeightsError."""
    weights = kept_weights(tasks[0].weights)
    outcomes, stages = [], {}
    first = None  # the first job: records take only its settings, which are those of all tasks
    for index, args in enumerate(tasks):
        job = None
        try:
            if first is None:
                first = job = photo.plan(args)[0]
            record = photo.make_record(args, first, weights)
            if photo.is_finished(args, record):
                outcome = Outcome("finished")
            else:
                job = job or photo.plan(args)[0]
                outcome, stages[index] = _waiting(args, record, job), job.stages
        except Exception as error:
            outcome = Outcome("failed", _message(args, error))
        outcomes.append(outcome)
    allowed = allowed_mib(first.settings) if first else math.inf
    precision = first.stages[-1].precision if first else None
    surprises = photo.surprises_of_masks(first.settings) if first else []
    return FolderSurvey(outcomes, tensors.count_gpus(), allowed, precision, surprises, stages)


def _waiting(args, record, job):
    """The `Outcome` of a task that is not finished."""
    work = sum(stage.work for stage in job.stages)
    resumable = _is_resumable(args, record, job)
    return Outcome("waiting", work=work, needed_mib=job.needed_mib, resumable=resumable)


def _is_resumable(args, record, job):
    """Whether there is a state of the very same run."""
    try:
        StateFile(state_path(args.result_prefix), record, job.stages).check()
    except (InputError, OSError):
        return False
    return True


def paint_photo(args: argparse.Namespace, weights: VGG19Weights | None = None) -> Outcome:
    """Paints a photo as `photo.run` does, without a word.

    Args:
        args: the options.
        weights: those that a cluster's worker was sent; None: this process's own.

    Raises:
        OSError: the disk of the worker's machine is full; another machine may paint the photo.
    """
    started = time.monotonic()
    console = PhotoConsole(args.result_prefix, quiet=True)
    try:
        with stops_raise(), contextlib.closing(console), tensors.freed_afterwards():
            _paint_from_state(args, console, weights or kept_weights(args.weights))
    except Terminated:
        os._exit(TERMINATED)  # its state is kept, and whoever waits for it wants the process to end
    except Exception as error:
        if weights and is_full(error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        return _failed(args, error)._replace(**_of_result(console))
    seconds, peak = time.monotonic() - started, max(tensors.peak_memory().values(), default=0.0)
    return Outcome("painted", seconds=seconds, peak_mib=peak, **_of_result(console))


def _paint_from_state(args, console, weights):
    """Paints a photo; anew if the arrays in its state, which nobody has read yet, are damaged."""
    try:
        photo.run(args, console, weights)
    except Damaged:
        args.resume = False
        photo.run(args, console, weights)


def _of_result(console):
    """What an `Outcome` says of the result, where there is a picture of it."""
    return {"room": console.room, "record": console.record} if console.saved else {}


def paint_photo_again(args: argparse.Namespace) -> Outcome:
    """`paint_photo` for a photo that was begun: resumes from its state, if that is sound."""
    with contextlib.suppress(Exception):  # painting says what is wrong
        job, _ = photo.plan(args)
        record = photo.make_record(args, job, kept_weights(args.weights))
        args.resume = _is_resumable(args, record, job)
    return paint_photo(args)


def _failed(args, error):
    """The `Outcome` of a task that went wrong."""
    full_disk = (error.filename or args.result_prefix) if _fills_disk(error) else ""
    return Outcome("failed", _message(args, error), full_disk=str(full_disk))


def _fills_disk(error):
    """Whether it is the disk that has no room, as `NoRoom` says of one picture alone."""
    return isinstance(error, OSError) and is_full(error)


def _message(args, error):
    """What went wrong with a task, in a line that names its photo or the style at fault."""
    try:
        _, message = failure(error)
    except Exception:  # whatever it is, the other pictures are not affected
        message = f"{type(error).__name__}: {one_line(error)}"
    named = any(str(path) in message for path in (args.base, args.style_reference))
    return message if named else f"{args.base}: {message}"


# ---------------------------------------------------------------------------------------------
# In the parent
# ---------------------------------------------------------------------------------------------


def _options(args, task):
    """The options that paint one task."""
    base, style, prefix = map(str, task)
    own = {"base": base, "style_reference": style, "result_prefix": prefix}
    own |= {"final_only": not args.every_iteration}
    whole = {"ray": None, "quiet": True}  # a picture is painted in one place
    return argparse.Namespace(**vars(args) | own | whole)


def has_folder(args: argparse.Namespace) -> bool:
    """Whether the options name a folder, of photos or of styles."""
    return _is_folder(args.base) or _is_folder(args.style_reference)


def _is_folder(path):
    """Whether a path is a folder; False where that cannot be found out: reading it says why."""
    with contextlib.suppress(OSError):
        return Path(path).is_dir()
    return False


def run(args: argparse.Namespace) -> dict[Path, Outcome]:
    """Paints what is not finished. Returns what has become of each result, by its path."""
    tasks = _find_tasks(args)
    with _alone(args):
        options, ledger = _plan(args, tasks)
        _paint(args, options, ledger)
    return dict(zip(ledger.results, ledger.outcomes, strict=True))


def _find_tasks(args):
    """What to paint, having checked what all of it has in common. Raises InputError."""
    _check_options(args)
    folder = Path(args.result_prefix)
    tasks = plan_tasks(args.base, args.style_reference, folder, args.pairs)
    masks = photo.masks_given(args)
    for picture in photo.pictures_given(args):  # one that all tasks have would spoil them all
        if metadata.names_file(picture) and not _is_folder(picture):
            load_image(picture, kind=KIND if picture in masks else "picture")
    check_writable(folder / LOG)
    return tasks


def _check_options(args):
    """Checks what needs no picture: else each would fail, one after another. Raises InputError."""
    require_jobs(args.jobs)
    if args.like:
        follow_record(args.like, args)
    photo.check_settings(args)


def _alone(args):
    """Keeps other runs from the folder of results, see `alone`."""
    folder = Path(args.result_prefix)
    return alone(folder / ".folder", folder)  # no photo's result: hidden photos are not painted


def _plan(args, tasks):
    """The options of each task, and a `Ledger` of them. Raises InputError."""
    folder = Path(args.result_prefix)
    options = [_options(args, task) for task in tasks]
    check_kept(*_written_and_given(options))
    check_files([folder / LOG, folder / INDEX, *itertools.chain(*map(photo.files_of, options))])
    check_ours(folder / INDEX, folder / LOG)
    results = [photo.result_paths(own)[0] for own in options]
    return options, Ledger(tasks, results, folder, args.quiet)


def _paint(args, options, ledger):
    """Paints what is not finished, and says what has become of all, where it is stopped too."""
    try:
        with contextlib.closing(ledger):
            _paint_all(args, options, ledger)
    except (KeyboardInterrupt, Terminated):
        with contextlib.suppress(OSError):  # the terminal is gone
            _sum_up(args, ledger)
        raise
    _sum_up(args, ledger)


def _sum_up(args, ledger):
    """Says what has become of all pictures."""
    if ledger.count("unknown"):
        ledger.print("Stopped before it was known which pictures are finished; none was painted")
        return
    left = f", {n} left unpainted" if (n := ledger.count("waiting")) else ""
    page = Path(args.result_prefix, INDEX)
    see = f"; see {page}" if page.exists() else ""  # a full disk may have no room for it
    ledger.print(
        f"{ledger.count('painted')} painted, {ledger.count('finished')} already finished, "
        f"{ledger.count('failed')} failed{left}{see}"
    )
    if args.verbose:
        peak = max(outcome.peak_mib for outcome in ledger.outcomes)
        ledger.print(f"Peak memory of a process: {peak:.0f} MiB")


def _written_and_given(tasks):
    """The files that tasks, given by their options, may write, and the pictures that they take."""
    given = [path for own in tasks for path in photo.pictures_given(own)]
    named = photo.iterations_named(set(map(str, given)))
    on_the_way = itertools.chain.from_iterable(photo.paths_on_the_way(o, named) for o in tasks)
    return itertools.chain(*map(photo.result_paths, tasks), on_the_way), given


def _paint_all(args, options, ledger):
    """Looks at all tasks and paints those that wait, each given by its options."""
    likely = count_missing(photo.result_paths(own)[0] for own in options)
    with Crew(args, likely) as crew:
        ledger.print(f"Checking {_pictures(len(options))}")  # takes minutes if there are many
        seen = crew.ask(survey, options)
        photo.tell_of_masks(seen.surprises, ledger.print, ledger.warn)
        photos = {Path(own.base).with_suffix("") for own in options}
        if not (args.watch or args.pairs) and may_be_frames(photos):
            ledger.print(f"If {args.base} holds the frames of a film, --frames paints them as one")
        for index, outcome in enumerate(seen.outcomes):
            ledger.add(index, outcome)
        waiting = {i: o for i, o in enumerate(seen.outcomes) if o.status == "waiting"}
        if not waiting or _must_stop(args, ledger):
            return
        largest = max(outcome.needed_mib for outcome in waiting.values())
        demand = Demand(len(waiting), largest, seen.gpus, seen.allowed_mib)
        left_to_paint = [options[i] for i in waiting], [seen.stages[i] for i in waiting]
        each = foretold.seconds_each(crew, args, *left_to_paint)
        painters = crew.painters(demand, ledger.print)
        time_needed = foretold.about(each, painters.number)
        before = f"; {finished} already finished" if (finished := ledger.count("finished")) else ""
        ledger.print(
            f"{_pictures(len(waiting))} to paint, {painters.number} at once{time_needed}{before}"
        )
        ledger.begin(painters.number)
        for index, outcome in waiting.items():
            vars(options[index]).update(_share(painters, seen), resume=outcome.resumable)
        killed = _paint_queue(painters, _painting(painters), args, options, waiting, ledger)
    if killed and not _must_stop(args, ledger):
        _paint_again(args, options, killed, ledger)


def _must_stop(args, ledger):
    """Whether no further picture is to be begun."""
    return ledger.is_disk_full or (args.fail_fast and ledger.count("failed"))


def _painting(painters):
    """The function from options to an `Outcome` that the painters call."""
    if not painters.workers:
        return paint_photo
    return functools.partial(_paint_there, painters.workers)


def _paint_queue(painters, paint_one, args, options, tasks, ledger):
    """Paints tasks, given by their indices. Returns those whose process was killed."""
    queue, running, killed = deque(tasks), {}, []
    while queue or running:
        while queue and len(running) < painters.number:
            index = queue.popleft()
            ledger.start(index)
            running[painters.executor.submit(paint_one, options[index])] = index
        for future in wait(running, timeout=1, return_when=FIRST_COMPLETED).done:
            index = running.pop(future)
            if isinstance(future.exception(), BrokenProcessPool):
                killed.append(index)
                ledger.stop(index)
                ledger.print(f"{options[index].base}: its process was killed")
                continue
            ledger.add(index, future.result())
            if _must_stop(args, ledger):
                queue.clear()
        ledger.tick()
    return killed


def _paint_again(args, options, tasks, ledger):
    """Paints tasks whose process was killed, one by one: each has all the memory."""
    ledger.print(f"{_pictures(len(tasks))} to paint again, one at a time")
    for index in tasks:
        options[index].memory = args.memory
    ledger.again(tasks)
    with processes(1) as executor:
        one = Painters(executor, 1, None)
        for index in _paint_queue(one, paint_photo_again, args, options, tasks, ledger):
            ledger.add(index, Outcome("failed", f"{options[index].base}: {KILLED}"))


def _pictures(number):
    return f"{number} picture{'s' * (number != 1)}"


def _share(painters, seen):
    """The options that give each its share of the memory and, on a cluster, one precision."""
    mib = painters.memory_mib
    share = {} if mib is None else {"memory": f"{mib / 1024:.3f}"}
    if painters.workers:  # its machines have memory and a disk of their own
        share = {"memory": None, "scratch": None, "precision": seen.precision} | share
    return share


def _paint_there(workers, args):
    """The `Outcome` of a photo that a worker paints. Raises ConnectionError: none is left."""

    def make_room(outcome):  # the worker sees nothing of the folder
        if not outcome.record:
            return outcome
        return outcome._replace(room=photo.make_room(args, outcome.record))

    try:
        check_writable(args.result_prefix)
        with alone(args.result_prefix):  # the worker's lock is only on its own copy
            check_state(state_path(args.result_prefix))  # this one is removed in the end
            return workers.run(paint_photo, args, make_room)
    except ConnectionError:
        raise
    except (InputError, OSError) as error:
        return _failed(args, error)


def main(args: argparse.Namespace) -> int:
    """Paints folders. Returns the exit status, see `exit_status`.

    Args:
        args: from `parse`.
    """
    action = paint_what_comes if args.watch else paint_once
    kept = " (without --overwrite, it keeps what is painted already)" * args.overwrite
    return exit_status(PROGRAM, lambda: action(args), lambda: f"resume with: {args.command}{kept}")


def paint_once(args: argparse.Namespace) -> int:
    """Paints what is not finished. Returns the exit status: 1 if something failed."""
    return int(any(outcome.status == "failed" for outcome in run(args).values()))


def paint_what_comes(args: argparse.Namespace) -> int:
    """Paints what is not finished, again whenever there are new pictures, until Ctrl-C.

    Returns the exit status: Ctrl-C stops nothing that would have to be resumed, unless a picture
    is being painted. A full disk ends it too.
    """
    changes = watch.changes([args.base, args.style_reference], args.result_prefix)
    painted, failed, status = 0, 0, 0
    _check_options(args)  # before anything comes
    check_writable(Path(args.result_prefix, LOG))
    with _alone(args):
        while not status:
            _tell(args, "Waiting for new pictures; Ctrl-C ends it")
            ledger = None
            try:
                next(changes)
                options, ledger = _plan(args, _find_tasks(args))
                _paint(args, options, ledger)
                status = int(ledger.is_disk_full)
            except KeyboardInterrupt:
                if ledger and ledger.is_painting:
                    raise
                status = INTERRUPTED
            if ledger:
                painted, failed = painted + ledger.count("painted"), ledger.count("failed")
    _tell(args, f"Ended: {painted} painted, {failed} failed")
    return status


def _tell(args, line):
    """Prints a line unless the options forbid it."""
    if not args.quiet:
        say(line)
