"""Paints one photo, by the options of `neural_style_transfer.py`."""

import argparse
import contextlib
import functools
import glob
import math
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from PIL import ImageStat

import neural_style_transfer as nst
from stylize.apps import earlier
from stylize.apps.console import check_files, check_kept, check_writable, exit_status
from stylize.apps.options import PROGRAM, follow_record
from stylize.apps.photo_console import WRITTEN_FAST, PhotoConsole
from stylize.apps.timelapse import Film
from stylize.backend import tensors
from stylize.backend.files import alone, remove_leftovers
from stylize.errors import InputError, NonFiniteLoss, NoRoom, SettingError, listed
from stylize.images.masks import Surprise, surprises_of
from stylize.images.writing import LARGEST_SIDES, check_bits
from stylize.parallel.pool import CORES_EACH, import_cluster
from stylize.runs import memory, metadata
from stylize.runs.checkpoint import (
    ANEW,
    Damaged,
    OtherRun,
    StateFile,
    check_state,
    state_path,
)
from stylize.runs.job import Job, prepare
from stylize.runs.progress import Checkpoint
from stylize.runs.recipes import DEFAULT_RECIPE, choose_settings
from stylize.runs.settings import EVALUATIONS_PER_ITERATION, SETTINGS, Settings
from stylize.vgg.download import load_weights
from stylize.vgg.weights import VGG19Weights

FILMS = ("gif", "mp4")
ENLARGED = 3  # times a photo's side: a result beyond that may be a slip
PANORAMA, LARGE = 3, 640_000  # sides' ratio, and pixels: 800 x 800; smaller ones take minutes
PLAIN = 3  # levels between the darkest and the brightest of a channel: no picture has so few
ON_THE_WAY = re.compile(r"_at_iteration_([0-9]{1,9})$")  # how the names of such pictures end


def find_checkpoint(
    state: StateFile, args: argparse.Namespace, job: Job, console: PhotoConsole
) -> Checkpoint | None:
    """The checkpoint to resume from, None to start anew. Raises InputError.

    Without --resume, a run goes on where that makes the same picture as starting anew.
    """
    if not state.path.exists():
        if args.resume:
            console.print(f"There is no {state.path} to resume from; starting from the beginning")
        return None
    differences = _differences_if_resumed(args, job)
    if not args.resume and (why := _why_anew(state, args, differences)):
        console.warn(f"{state.path} of an unfinished run will be replaced: {why}")
        return None
    try:
        checkpoint = state.load()
    except Damaged:
        if args.resume:
            raise
        console.warn(f"{state.path} of an unfinished run is damaged and will be replaced")
        return None
    stage = job.stages[checkpoint.stage]
    anew = "" if args.resume else "; --overwrite starts anew"
    console.print(f"Resuming at {stage.cols}x{stage.rows} pixels{anew}")
    for line in differences:
        console.warn(line)
    return checkpoint


def _why_anew(state, args, differences):
    """Why a run that was not told to resume is not to do so; "": it is."""
    if args.overwrite:
        return "--overwrite is given"
    try:
        differences = [*differences, *state.differences()]
    except (Damaged, OtherRun) as error:
        return f"it {str(error).removeprefix(f'{state.path}: ').removesuffix(f'; {ANEW}')}"
    return f"--resume goes on with it, but {differences[0]}" if differences else ""


def _differences_if_resumed(args, job):
    """What of a resumed run's files is not as it would be anew, in lines."""
    lines = []
    if job.settings.optimizer == "scipy" and not job.settings.restart:
        lines.append("SciPy's L-BFGS starts afresh, so the picture will differ")
    if job.stages[-1].precision == "float16":
        lines.append("float16 scales gradients anew, so the picture may differ by rounding")
    if args.gif or args.mp4:
        lines.append("the film of the growing picture begins here, not at the start of the run")
    return lines


def plan(args: argparse.Namespace) -> tuple[Job, dict]:
    """The job that the options ask for, and the record that --like names, else an empty one.

    What is not given in `args` is filled in from that record. Raises InputError.
    """
    followed = follow_record(args.like, args) if args.like else {}
    _refuse_without_styles(args)
    evaluations = followed.get("evaluations_per_iteration", EVALUATIONS_PER_ITERATION)
    recipe = args.recipe or DEFAULT_RECIPE
    job = prepare(args.base, _styles(args), recipe, evaluations, **_given(args))
    if job.settings.scratch == "auto":  # whether the result's folder can be written shows later
        beside = existing_folder(args.result_prefix)
        job = job._replace(settings=job.settings | {"scratch": beside})
    return job, followed


def check_settings(args: argparse.Namespace) -> None:
    """Checks what the options set, whatever the pictures. Raises InputError."""
    _refuse_without_styles(args)
    choose_settings(args.recipe or DEFAULT_RECIPE, **_given(args))


def _given(args):
    """The settings that the options name; None: not given."""
    return {name: getattr(args, name) for name in SETTINGS}


def _refuse_without_styles(args):
    """Raises SettingError where values are given for more styles than there are."""
    number = len(_styles(args))
    for name in ("style_blend", "style_masks", "style_scale"):
        values = getattr(args, name)
        if isinstance(values, list | tuple) and len(values) > number:
            problem = f"must have one value for each style: {number} in all, not {len(values)}"
            raise SettingError(f"--{name}", f"{problem}; name further paintings with --styles")


def make_record(
    args: argparse.Namespace, job: Job, weights: VGG19Weights, of_film: bool = False
) -> dict:
    """How the result that the options ask for is made. Of the job, only its settings count."""
    suffix, bits = args.format or "png", args.bits or 8
    return metadata.make_record(job, weights, args.base, _styles(args), suffix, bits, of_film)


def _styles(args):
    return [args.style_reference, *args.styles]


def result_paths(args: argparse.Namespace) -> list[Path]:
    """The files that there are at the end, without those on the way: the result comes first."""
    ends = [f".{args.format or 'png'}", *(f".{kind}" for kind in FILMS if getattr(args, kind))]
    return [Path(f"{args.result_prefix}{end}") for end in ends + ["_losses.png"] * args.plot]


def end_on_the_way(args: argparse.Namespace, iteration: int) -> str:
    """How the name of the picture after an iteration, the longest of all, ends after the prefix."""
    return f"_at_iteration_{iteration}.{args.format or 'png'}"


def paths_on_the_way(args: argparse.Namespace, iterations: Iterable[int]) -> list[Path]:
    """The pictures that may be saved after some iterations, before the result."""
    return [Path(f"{args.result_prefix}{end_on_the_way(args, i)}") for i in iterations]


def iterations_named(pictures: Iterable[Any]) -> set[int]:
    """The iterations that pictures, given by their paths, are named after.

    No other picture on the way can take the place of one of them, so that there may be millions.
    """
    found = (ON_THE_WAY.search(_real_path(path).stem) for path in pictures if path)
    return {int(match[1]) for match in found if match}


def _real_path(path):
    """That of the file that a path leads to; an empty one: it is no path."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        return Path(os.path.realpath(path))
    return Path()


def pictures_given(args: argparse.Namespace) -> list:
    """The values of all options that take a picture: paths, or words such as `noise`."""
    return [args.base, *_styles(args), args.init, *masks_given(args)]


def masks_given(options: argparse.Namespace | Settings) -> list:
    """The values of all options that take a mask, each once."""
    masks = options.content_mask, options.keep_mask, *(options.style_masks or [])
    return [*dict.fromkeys(filter(None, masks))]


def surprises_of_masks(
    settings: Settings, photo_size: tuple[int, int] | None = None
) -> list[Surprise]:
    """What may surprise about how the masks in the settings are read.

    Args:
        settings: that have their paths.
        photo_size: (cols, rows) of the photo; None: they are for several.
    """
    masks = masks_given(settings)
    return [surprise for mask in masks for surprise in surprises_of(mask, None, photo_size)]


def tell_of_masks(
    surprises: Iterable[Surprise], note: Callable[[str], None], warn: Callable[[str], None]
) -> None:
    """Passes on what may surprise about masks."""
    for line, is_warning in surprises:
        if is_warning:
            warn(line)
        else:
            note(f"{line[0].upper()}{line[1:]}")


def is_finished(args: argparse.Namespace, record: Mapping) -> bool:
    """Whether all files that the options ask for are there, made as `record` says.

    Versions of libraries do not count. Where there is still a state, the run was killed at its end.
    With --overwrite nothing is finished before it is painted again.
    """
    paths = result_paths(args)
    begun = state_path(args.result_prefix).exists()
    if args.overwrite or begun or not all(path.exists() for path in paths):
        return False
    return earlier.is_made_so(paths[0], record)


def make_room(args: argparse.Namespace, record: Mapping) -> str:
    """Has no file of an earlier, other run beside or in the place of a new one, see `earlier`.

    Returns the line that says what has become of them. Raises OSError.
    """
    prefix, (result, *more) = args.result_prefix, result_paths(args)
    name, given = Path(prefix).name, set(map(_real_path, pictures_given(args)))
    found = result.parent.glob(f"{glob.escape(name)}_at_iteration_*{result.suffix}")
    steps = [path for path in sorted(found) if ON_THE_WAY.fullmatch(path.stem, len(name))]
    table = table_path(args)
    if table.exists():  # a run of ours was here, and its plot and films are ours
        more = [table, *(Path(f"{prefix}{end}") for end in ("_losses.png", ".gif", ".mp4"))]
    return earlier.make_room(
        prefix,
        result,
        record,
        [path for path in steps if _real_path(path) not in given],
        [path for path in more if path.exists() and _real_path(path) not in given],
        args.overwrite,
    )


def table_path(args: argparse.Namespace) -> Path:
    """Where the losses are saved."""
    return Path(f"{args.result_prefix}_losses.csv")


def files_of(args: argparse.Namespace) -> list[Path]:
    """All files that a run has or leaves, but for the pictures on the way."""
    return [*result_paths(args), state_path(args.result_prefix), table_path(args)]


def existing_folder(prefix: str) -> Path:
    """The folder of a prefix, or the one above it that is there."""
    folder = Path(f"{prefix}_").absolute().parent
    return next(path for path in (folder, *folder.parents) if path.is_dir())


def needs(job: Job) -> str:
    """The memory and disk that a job needs, in words."""
    stage, (files, _) = job.stages[-1], job.needed_disk_mib
    words = f"{job.needed_mib / 1024:.1f} GiB of memory"
    words += f", in tiles of {stage.tile} pixels" if stage.tile else ""
    tell = stage.in_files or files > 100  # MiB; fewer are not worth a word
    return words + (f", and {files / 1024:.1f} GiB of disk" if tell else "")


def surprises(job: Job, styles: Iterable[Any]) -> list[str]:
    """What may surprise about the size that a photo will have, and other settings, in lines.

    Args:
        job: that paints it.
        styles: the paintings, as they are called.
    """
    photo, stage = job.inputs.base, job.stages[-1]
    sides = f"{stage.cols}x{stage.rows} pixels"
    lines, times, long = [], stage.rows / photo.height, max(photo.size) / min(photo.size)
    if times > ENLARGED:
        lines.append(
            f"the photo has {photo.width}x{photo.height} pixels and the result {sides}, "
            f"{times:.1f} times as many on each side; --size own keeps its size"
        )
    if long > PANORAMA and stage.rows * stage.cols > LARGE:
        is_wide = photo.width > photo.height
        shape, option = ("wide as high", "--width") if is_wide else ("high as wide", "--size")
        longer = int(math.sqrt(LARGE * long)) // 10 * 10
        lines.append(
            f"the photo is {long:.1f} times as {shape}, so the result has {sides} and takes "
            f"long; {option} {longer} takes less time"
        )
    if job.settings.seed and not job.inputs.noise:
        lines.append("--seed changes nothing, as the start has no noise (--noise_blend)")
    return lines + [
        f"{style}: is one plain colour; there is nothing to paint with"
        for style, picture in zip(styles, job.inputs.styles, strict=True)
        if all(high - low <= PLAIN for low, high in ImageStat.Stat(picture).extrema)
    ]


def announce(words: str, job: Job, args: argparse.Namespace, console: PhotoConsole) -> None:
    """Says, after some words, what a job needs; warns of too little. Raises NoRoom."""
    console.print(f"{words} about {needs(job)}")
    check_disk(job, args.result_prefix, console)
    if warning := memory.warning(job.needed_mib, job.stages[-1]):
        console.warn(warning)


def check_disk(job: Job, prefix: str, console: PhotoConsole) -> None:
    """Raises NoRoom where the disk has none for a job's files; warns if it has none for its state.

    Args:
        job: of a result with this prefix.
        console: is told.
    """
    scratch, (files, state) = Path(job.settings.scratch), job.needed_disk_mib
    if files > (free := free_disk(scratch)):
        raise NoRoom(
            f"{scratch}: the optimiser's arrays need {files / 1024:.1f} GiB of disk "
            f"and {free / 1024:.1f} are free; choose another folder with --scratch, a larger "
            "--memory, or a smaller size"
        )
    folder = existing_folder(prefix)
    if folder.stat().st_dev == scratch.stat().st_dev:
        state += files
    if state > (free := free_disk(folder)):
        console.warn(
            f"{folder}: {_size(free)} of disk are free and this run's files may take "
            f"{_size(state)}; if the disk fills up, --resume cannot resume it"
        )


def _size(mib):
    """So many MiB in words."""
    return f"{mib:.1f} MiB" if mib < 100 else f"{mib / 1024:.1f} GiB"


def free_disk(folder: str | os.PathLike) -> float:
    """MiB."""
    return shutil.disk_usage(folder).free / 2**20


def _check_format(job, args):
    """Raises InputError where a format cannot hold the result."""
    suffix = args.format or "png"
    check_bits(args.bits or 8, suffix)
    longest = max(job.stages[-1][:2])
    if longest > (most := LARGEST_SIDES.get(suffix, math.inf)):
        raise InputError(
            f"{longest} pixels do not fit in a .{suffix}, whose limit is {most}; choose another "
            "--format"
        )


def run(
    args: argparse.Namespace, console: PhotoConsole, weights: VGG19Weights | None = None
) -> None:
    """Checks everything that is cheap to check, then paints one photo.

    Args:
        args: the options.
        console: is told of the run.
        weights: None: loaded as the options say, when all else has been checked.
    """
    if args.ray:
        args.tile = args.tile or str(import_cluster().TILE)
    job, followed = plan(args)
    last = job.settings.iterations - 1
    check_writable(args.result_prefix, end_on_the_way(args, last))
    with alone(args.result_prefix):
        _run(args, console, job, followed, weights)


def _run(args, console, job, followed, weights):
    """Paints a job that no other run paints, and that follows an earlier one's record."""
    last = job.settings.iterations - 1
    given = pictures_given(args)
    saved = [i for i in iterations_named(given) if i <= last]
    check_kept(result_paths(args) + paths_on_the_way(args, saved), given)
    check_files(files_of(args))
    check_state(state_path(args.result_prefix))
    remove_leftovers(args.result_prefix)
    _check_format(job, args)
    for path, box in zip(_styles(args), job.inputs.style_boxes, strict=True):
        if box.is_cut:
            console.print(f"Leaving out plain margins of {path}; --style_crop none keeps them")
    for line in surprises(job, _styles(args)):
        console.warn(line)
    of_masks = surprises_of_masks(job.settings, job.inputs.base.size)
    tell_of_masks(of_masks, console.print, console.warn)
    announce("This needs", job, args, console)
    weights = weights or load_weights(args.weights, quiet=args.quiet)
    console.print(f"Using {weights.source}{', on the GPU' if tensors.uses_gpu() else ''}")
    record = make_record(args, job, weights)
    if is_finished(args, record):
        console.print(earlier.finished(result_paths(args)[0]))
        return
    if followed and (others := metadata.differences(followed, record)):
        console.warn(f"the result will differ a little from {args.like}: other {listed(others)}")
    state = StateFile(state_path(args.result_prefix), record, job.stages, console.table, job.empty)
    found = [find_checkpoint(state, args, job, console)]  # a list, so that the run alone holds it
    planned, job = job, job.with_tiles(state.record["tiles"])
    if job.stages != planned.stages:
        announce("Keeping the earlier run's tiling, which needs", job, args, console)
    rows, cols = job.stages[-1][:2]
    kinds = [kind for kind in FILMS if getattr(args, kind)]
    films = [Film(f"{args.result_prefix}.{kind}", rows, cols) for kind in kinds]
    console.begin(
        state.record,
        functools.partial(make_room, args, state.record),
        films,
        math.inf if args.every_iteration else 0 if args.final_only else WRITTEN_FAST,
    )
    _paint_and_keep(args, console, weights, job, state, found)
    if args.verbose:
        for where, mib in tensors.peak_memory().items():
            console.print(f"Peak memory of the {where}: {mib:.0f} MiB")


def _paint_and_keep(args, console, weights, job, state, found):
    """Paints a job. Removes its state only when all files of the result are written."""
    try:
        with _shared_out(job, args, console) as job:
            nst.paint(job, weights, console, checkpoint=found.pop(), keep=console.keeper(state))
    except NonFiniteLoss:  # as it would be again
        state.remove()
        raise
    except BaseException:
        try:
            with contextlib.suppress(OSError):  # what is told is why the run stopped
                state.write()
        finally:  # a second Ctrl-C leaves the last state that is whole
            if state.written:
                console.can_resume_with(args.resume_command)
        raise
    finally:
        # Beside a plot or a film it says that they are ours.
        with_table = args.plot or args.gif or args.mp4 or not args.final_only
        console.save_extras(table_path(args) if with_table else None, args.plot)
    state.path.unlink(missing_ok=True)


@contextlib.contextmanager
def _shared_out(job: Job, args: argparse.Namespace, console: PhotoConsole) -> Iterator[Job]:
    """The job, with its tiles on the Ray cluster that the options name. Raises InputError."""
    if not args.ray:
        yield job
        return
    connected = import_cluster().connect_for_tiles(job, args.ray, CORES_EACH, console.warn)
    with connected as cluster:
        yield job._replace(passes=cluster.passes)


def main(args: argparse.Namespace) -> int:
    """Paints one photo. Returns the exit status, see `exit_status`.

    Args:
        args: from `parse`.
    """
    with contextlib.closing(PhotoConsole(args.result_prefix, args.quiet)) as console:
        return exit_status(PROGRAM, lambda: run(args, console), console.kept)
