"""The options of `neural_style_transfer.py`."""

import argparse
import json
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from stylize import __version__
from stylize.apps.console import Parser, exit_status, underscored
from stylize.apps.photo_console import WRITTEN_FAST
from stylize.images.writing import DEEP_FORMATS, FORMATS, SUFFIXES
from stylize.runs import metadata
from stylize.runs.recipes import DEFAULT_RECIPE, RECIPES
from stylize.runs.settings import SETTINGS

PROGRAM = "neural_style_transfer.py"
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


class Show(argparse.Action):
    """Prints how a picture was made and exits."""

    def __call__(self, parser, namespace, path, option=None):
        status = exit_status(
            parser.prog, lambda: print(json.dumps(metadata.read_record(path), indent=2))
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
        ".jpg, .webp or .tiff), a film's as PREFIX.mp4 (or as PREFIX itself if it ends in .mp4), "
        "a folder's in the folder PREFIX; missing folders are created",
    )
    add("--styles", nargs="+", default=[], metavar="STYLE", help="further styles to blend in")
    add(
        "--pairs",
        action="store_true",
        help="with two folders: the first photo in the first style, the second in the second ...",
    )
    add(
        "--watch",
        action="store_true",
        help="wait for new pictures in the folder, and paint them as they come, until Ctrl-C",
    )
    add("--frames", action="store_true", help="the folder holds the numbered frames of a film")
    add(
        "--fps",
        type=float,
        metavar="N",
        help="with --frames: frames per second (default: 25, or as --like says)",
    )


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
        help="save PREFIX_at_iteration_N.png even in a folder, or if the result is larger than "
        f"{WRITTEN_FAST / 1e6:.0f} megapixels",
    )
    add(
        "--final_only",
        action="store_true",
        help="save the result alone: no pictures on the way, no table of losses; folders and films "
        "do so anyway",
    )
    add(
        "--overwrite",
        action="store_true",
        help="replace an earlier result, which else is kept as PREFIX.1.png and so on, and paint "
        "one again that is finished",
    )
    add("--plot", action="store_true", help="save a plot of the losses, PREFIX_losses.png")
    add("--gif", action="store_true", help="save a film of the growing picture, PREFIX.gif")
    add("--mp4", action="store_true", help="save the same film as PREFIX.mp4")
    add(
        "--resume",
        action="store_true",
        help="resume a photo where the same command was stopped or killed; folders and films "
        "resume without it",
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
        "core, per two cores for a film, or per GPU; fewer where memory is short)",
    )
    add(
        "--ray",
        metavar="local|ADDRESS",
        help="share out a folder, a film or a large picture among the machines of a Ray cluster",
    )


def started_as() -> list[str]:
    """The words that start this program again."""
    program = sys.argv[0]
    return [sys.orig_argv[0], program] if program.endswith(".py") else [Path(program).name]


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The options, with the `command` that they are from and the `resume_command`.

    Args:
        argv: the arguments; None: those of the process.
    """
    parser = build_parser()
    if "_ARGCOMPLETE" in os.environ:  # the shell asks for completions
        import argcomplete

        argcomplete.autocomplete(parser)
    argv = sys.argv[1:] if argv is None else argv
    args = parser.parse_args(underscored(argv))
    args.command = in_shell([*started_as(), *argv])
    again = argv if args.resume else _with_resume(argv)
    args.resume_command = in_shell([*started_as(), *again])
    return args


def in_shell(words: Sequence[str]) -> str:
    """A command as a person types it, even where a file's name is not to be printed as it is."""
    return " ".join(
        shlex.quote(word) if word.isprintable() else f"$'{_escaped(word)}'" for word in words
    )


def _escaped(word):
    """A word as it stands between $' and '. Shells know it by bytes."""
    plain = set(range(32, 127)) - set(b"'\\")
    return "".join(chr(b) if b in plain else f"\\x{b:02x}" for b in os.fsencode(word))


def _with_resume(argv: Sequence[str]) -> list[str]:
    """Returns the arguments with --resume: before "--", since no options come after that."""
    end = argv.index("--") if "--" in argv else len(argv)
    return [*argv[:end], "--resume", *argv[end:]]


def follow_suffix(args: argparse.Namespace) -> None:
    """Treats a prefix such as `out.jpg` as the result's full name, which sets its format."""
    path = Path(args.result_prefix)
    suffix = SUFFIXES.get(path.suffix.lower())
    if suffix and args.format in (None, suffix):
        args.result_prefix, args.format = str(path.with_suffix("")), suffix


def follow_record(path: str, args: argparse.Namespace) -> dict:
    """Fills in what is not given in `args` from the record of an earlier result, and returns it.

    Raises:
        InputError: it says nothing of how it was made, or was made with other pictures too.
    """
    record = metadata.read_record(path)
    given = {name: getattr(args, name) for name in SETTINGS}
    vars(args).update(metadata.settings_like(record, given, path))
    args.recipe = record["recipe"]
    args.format = args.format or record["format"]
    args.bits = args.bits or (record["bits"] if args.format in DEEP_FORMATS else 8)
    return record
