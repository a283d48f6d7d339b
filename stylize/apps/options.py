"""The options of `neural_style_transfer.py`."""

import argparse
import functools
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from stylize import __version__
from stylize.apps.answers import USAGE, Help, Show, ShowRecord, find_result, greet
from stylize.apps.console import Parser, in_shell, started_as, underscored
from stylize.apps.photo_console import WRITTEN_FAST
from stylize.apps.words import OUTPUT, PICTURES, spelled, spelled_value, suggestion
from stylize.errors import InputError
from stylize.images import clips
from stylize.images.formats import picture_suffixes
from stylize.images.writing import DEEP_FORMATS, FORMATS, SUFFIXES
from stylize.runs import metadata
from stylize.runs.recipes import DEFAULT_RECIPE, OWN_RECIPE, RECIPES
from stylize.runs.settings import SETTINGS, Setting

PROGRAM = "neural_style_transfer.py"
GROUPS = {  # of the options, as --help all shows them
    "pictures": "what to paint, and where the results go",
    "look": "what the result looks like",
    "optimisation": "how the loss is lowered",
    "output": "what is saved",
    "machine": "what it runs on",
}
OTHER_SUFFIXES = (  # of files that are neither pictures nor films, or pictures that we do not know
    *(".ai", ".cr2", ".csv", ".dng", ".doc", ".docx", ".eps", ".exr", ".htm", ".html", ".ico"),
    *(".jp2", ".json", ".jxl", ".md", ".mp3", ".nef", ".npy", ".npz", ".odt", ".pdf", ".ppt"),
    *(".pptx", ".ps", ".psd", ".raw", ".rtf", ".svg", ".tga", ".txt", ".wav", ".xcf", ".xml"),
    *(".zip",),
)
CHOICE = re.compile(r"[A-Za-z][\w-]*=")  # how a setting with values to compare begins
MOST_WORDS = 20  # of a name with spaces
STREAMS = ("/dev", "/dev/fd", "/proc/self/fd")  # folders of what is no result's place
EPILOG = f"""The defaults shown are those of recipe {DEFAULT_RECIPE}; other recipes have their own.
Options may be spelled with hyphens too: --content-weight."""


def as_typed(value: object) -> object:
    """A setting's value as a person would type it."""
    if isinstance(value, dict):
        return " ".join(f"{name}:{share:.3g}" for name, share in value.items())
    return "none" if value is None else value


def build_parser() -> Parser:
    """The command line's parser. Settings that are not given stay None: the recipe has them."""
    parser = Parser(
        PROGRAM,
        usage=USAGE,
        description="Paints a photo in the style of a picture.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
        exit_on_error=False,  # `parse_words` knows more to say of some errors
    )
    parser.suggest, parser.example = suggestion, USAGE % {"prog": parser.prog}
    groups = {
        name: parser.add_argument_group(name, description) for name, description in GROUPS.items()
    }
    _add_pictures(groups["pictures"].add_argument)
    recipes = groups["look"].add_mutually_exclusive_group()
    recipes.add_argument(
        "--recipe",
        choices=RECIPES,
        type=functools.partial(spelled_value, "--recipe"),
        help=f"the settings to start from (default: {DEFAULT_RECIPE})",
    )
    recipes.add_argument(
        "--like", metavar="RESULT", help="use the settings that an earlier result was made with"
    )
    default = RECIPES[DEFAULT_RECIPE]
    for name, setting in SETTINGS.items():
        action = groups[setting.group].add_argument(
            setting.flag,
            dest=name,
            nargs=setting.nargs,
            metavar=setting.metavar,
            type=functools.partial(spelled_value, setting.flag),
            help=f"{setting.help} (default: {as_typed(default[name])})",
        )
        complete_with(action, words_of(setting))
    _add_output(groups["output"].add_argument)
    _add_machine(groups["machine"].add_argument)
    return parser


def words_of(setting: Setting) -> list[str]:
    """The words that a setting may be."""
    words = [word for word in setting.metavar.split("|") if word.isalpha() and word.islower()]
    return list(dict.fromkeys([*words, *getattr(setting.check, "names", ())]))


def complete_with(action: argparse.Action, words: Sequence[str]) -> None:
    """Has the Tab key complete an option's value with these words, or file names if none fits."""
    action.completer = lambda **_: words  # type: ignore[attr-defined] # argcomplete looks there


def _add_pictures(add):
    add("base", help="the photo, the film, or a folder of photos (with --frames: of frames)")
    add("style_reference", help="the picture whose style is wanted, or a folder of them")
    add(
        "result_prefix",
        help="a photo's result is saved as PREFIX.png (or as PREFIX itself if it ends in .png, "
        ".jpg, .webp or .tiff), a film's as PREFIX.mp4 (or as PREFIX itself if it ends in .mp4), "
        "a folder's in the folder PREFIX; missing folders are created",
    )
    compare = add(
        "--compare",
        nargs="*",
        metavar="SETTING=VALUE,VALUE",
        help="paint small pictures (200 rows unless --size) of all combinations of some settings' "
        "values, such as strength=0.3,0.7 recipe=neighbors,pyramid or style=a.jpg,b.jpg, and save "
        "them as a sheet, PREFIX_compare.png, and a page with their commands, "
        "PREFIX_compare.html; without values: six choices that matter",
    )
    complete_with(compare, [f"{setting.flag[2:]}=" for setting in SETTINGS.values()])
    add("--styles", nargs="+", default=[], metavar="STYLE", help="further styles to blend in")
    add(
        "--pairs",
        action="store_true",
        help="with two folders: the first photo in the first style, the second in the second ...",
    )
    add(
        "--watch",
        action="store_true",
        help="wait for new pictures in the folder, and paint them as they arrive, until Ctrl-C",
    )
    add("--frames", action="store_true", help="the folder holds the numbered frames of a film")
    add(
        "--fps",
        type=float,
        metavar="N",
        help="with --frames: frames per second (default: 25, or as --like says)",
    )


def _add_output(add):
    spell = functools.partial(spelled_value, "--format")
    add(
        "--format",
        choices=FORMATS,
        type=spell,
        help="format of the results (default: PREFIX's, or png)",
    )
    add(
        "--bits",
        type=int,
        choices=(8, 16),
        help="bits per channel; 16 for png and tiff only (default: 8)",
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
        help="replace an earlier result instead of keeping it as PREFIX.1.png and so on, and "
        "paint a finished one again",
    )
    add("--plot", action="store_true", help="save a plot of the losses, PREFIX_losses.png")
    add("--gif", action="store_true", help="save a film of the growing picture, PREFIX.gif")
    add("--mp4", action="store_true", help="save the same film as PREFIX.mp4")
    add(
        "--resume",
        action="store_true",
        help="resume a photo where the same command was stopped or killed, even if the picture "
        "may then differ (see docs/troubleshooting.md); else the same command resumes without it",
    )
    add(
        "--show",
        action=Show,
        nargs="+",
        metavar="RESULT",
        help="print how earlier results were made, and do nothing else",
    )
    add(
        "--show_record",
        action=ShowRecord,
        nargs="+",
        metavar="RESULT",
        help="print the whole records of earlier results, as JSON, and do nothing else",
    )
    add(
        "-h",
        "--help",
        action=Help,
        nargs="?",
        metavar="all",
        help="print the options that most people need, or all, and do nothing else",
    )
    add("--quiet", action="store_true", help="print nothing but errors")
    add("--verbose", action="store_true", help="print the peak memory at the end")
    add("--fail_fast", action="store_true", help="in a folder, start no picture after an error")
    add("--version", action="version", version=f"%(prog)s {__version__}")


def _add_machine(add):
    weights = add(
        "--weights",
        default="imagenet",
        metavar="imagenet|mirror|PATH",
        help="VGG19's weights: Keras's own, those from the package index, or a .h5 or .mat file "
        "(default: %(default)s)",
    )
    complete_with(weights, ["imagenet", "mirror"])
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
        help="share a folder, a film or a large picture among the machines of a Ray cluster",
    )


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
    if not argv or list(argv) == ["help"]:
        greet(parser.prog, 0 if argv else 2)
    args = parse_words(argv, parser)
    args.command = in_shell([*started_as(), *argv])
    again = argv if args.resume else with_options(argv, ["--resume"])
    args.resume_command = in_shell([*started_as(), *again])
    return args


def parse_words(argv: Sequence[str], parser: Parser | None = None) -> argparse.Namespace:
    """The options, and in `plain` the words without those of --compare."""
    parser = parser or build_parser()
    compared, plain = split_compared(argv)
    try:
        words = spelled(plain)
    except InputError as error:
        parser.error(str(error))
    options, typed = (each[: [*each, "--"].index("--")] for each in (words, plain))
    if names := [word for word in options if word.partition("=")[0] in PICTURES]:
        parser.error(f"{names[0]}: pictures are given without an option: {parser.example}")
    if names := [word for word in typed if _is_odd_name(word, parser)]:
        there = os.path.join(os.curdir, names[0])
        parser.error(f"{names[0]}: is taken for an option; for the file, write {there}")
    try:
        args, unknown = parser.parse_known_args(words)
        unknown = [word for word in unknown if word != "--"]  # `spelled` puts it before names
    except argparse.ArgumentError as error:
        parser.error(_lacking(error, plain, parser) or str(error))
    if unknown and unknown[0].startswith("-") and unknown[0] in options:
        parser.refuse(unknown)
    if unknown and (names := torn_names(plain) + torn_choices(argv if compared else [])):
        quoted = " and ".join(f'"{name}"' for name in names)
        parser.error(f"a name with spaces needs quotes: {quoted}")
    if unknown:
        given = [args.base, args.style_reference, args.result_prefix, *unknown]
        by_option = any(word.partition("=")[0] in OUTPUT for word in underscored(plain))
        parser.error(too_many(given, compared is not None, by_option))
    args.compare, args.plain = compared, plain
    return args


def _is_odd_name(word, parser):
    """Whether a word names a file that there is, but would be taken for an option."""
    is_value = (
        word == "-"
        or not word.startswith("-")
        or " " in word  # for argparse, a name then
        or parser._negative_number_matcher.match(word)
    )
    return not is_value and word not in parser._option_string_actions and os.path.lexists(word)


def _lacking(error, typed, parser):
    """Says what an option that came without a value needs; "" if the error is another one."""
    action = parser._option_string_actions.get(error.argument_name)
    if not action or not error.message.startswith("expected"):
        return ""
    option = next((word for word in typed if spelled([word]) == [error.argument_name]), None)
    setting = SETTINGS.get(action.dest)
    values = getattr(setting and setting.check, "names", action.choices)
    needed = f"one of {', '.join(map(str, values))}" if values else f"a value: {action.metavar}"
    return f"{option or error.argument_name} needs {needed}"


def split_compared(argv: Sequence[str]) -> tuple[list[str] | None, list[str]]:
    """What follows --compare, None where that is not among the words, and all other words."""
    compared: list[str] | None = None
    plain, words = [], [*argv]
    while words and words[0] != "--":
        option, _, value = (word := words.pop(0)).partition("=")
        if not (len(option) > len("--co") and "--compare".startswith(option)):
            plain.append(word)
            continue
        compared = [*(compared or []), *([value] if value else [])]
        while words and CHOICE.match(words[0]):
            compared.append(words.pop(0))
    return compared, [*plain, *words]


def too_many(given: Sequence[str], compares: bool, by_option: bool = False) -> str:
    """Says how to give more pictures, or values to compare, than there are places for.

    Args:
        given: the words that are no options.
        compares: whether --compare is among these.
        by_option: whether the last one was named by --output.
    """
    first, second, *others, last = given
    if by_option and len(given) == 4 and not os.path.exists(others[0]):
        return f"the result is named twice, {others[0]} and {last}; leave one out"
    said = f"{len(given)} names are given; a photo, a painting and a result are expected"
    if compares:
        return f"{said}; give --compare its values without spaces, as in strength=0.3,0.5"
    folder = in_shell([os.path.dirname(first) or ".", given[-2], last])
    if len(given) > 5 or last.endswith(("/", os.sep)) or Path(last).is_dir():
        return f"{said}; for several photos, give their folder: {folder}"
    several = in_shell([first, second, last, "--styles", *others])
    return f"{said}; for several paintings: {several}; for several photos, their folder: {folder}"


def torn_names(words: Sequence[str]) -> list[str]:
    """The names with spaces, of files or folders that there are, that words are the parts of.

    Args:
        words: as they were typed. The first part may stand after an option and "=".
    """
    names: list[str] = []
    left = [word.partition("=")[2] or word if word.startswith("--") else word for word in words]
    while left:
        ends = range(min(len(left), MOST_WORDS), 1, -1)
        end = next((end for end in ends if os.path.exists(" ".join(left[:end]))), 1)
        names += [" ".join(left[:end])] * (end > 1)
        del left[:end]
    return names


def torn_choices(words: Sequence[str]) -> list[str]:
    """Settings of --compare that were torn apart at spaces in the names of existing files.

    Args:
        words: as they were typed.
    """
    found = []
    for start, word in enumerate(words):
        if not (match := CHOICE.match(word.removeprefix("--compare="))):
            continue
        for end in range(min(len(words), start + MOST_WORDS), start + 1, -1):
            whole = " ".join([match.string, *words[start + 1 : end]])
            torn = [name for name in whole[match.end() :].split(",") if " " in name]
            if torn and all(map(os.path.exists, torn)):
                found.append(whole)
                break
    return found


def with_options(argv: Sequence[str], options: Sequence[str]) -> list[str]:
    """Returns the arguments with more options: before "--", since none come after that."""
    end = argv.index("--") if "--" in argv else len(argv)
    return [*argv[:end], *options, *argv[end:]]


def refuse_stream(prefix: str) -> None:
    """Raises InputError where a result's prefix names standard output, a device or a pipe."""
    is_there = os.path.exists(prefix)
    is_odd = is_there and not os.path.isfile(prefix) and not os.path.isdir(prefix)
    # Redirected, /dev/stdout is a file.
    if prefix == "-" or is_odd or os.path.dirname(os.path.abspath(prefix)) in STREAMS:
        raise InputError(f"{prefix}: a result is a file; name one, such as results/painted")


def follow_suffix(args: argparse.Namespace) -> None:
    """Treats a prefix such as `out.jpg` as the result's full name, which sets its format.

    Raises:
        InputError: another one is given, or no result can have it, or it is a folder's name.
    """
    path = Path(args.result_prefix)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; add a name for the result: {path / 'NAME'}")
    ending = path.suffix.lower()
    suffix = SUFFIXES.get(ending)
    if suffix and args.format not in (None, suffix):
        raise InputError(
            f"{path}: is the name of a .{suffix}, but --format is {args.format}; leave one out"
        )
    if suffix:
        args.result_prefix, args.format = str(path.with_suffix("")), suffix
    elif ending in {*picture_suffixes(), *clips.SUFFIXES, *OTHER_SUFFIXES}:
        film = ", with --gif or --mp4 for a film of how it grows" * (ending in (".gif", ".mp4"))
        raise InputError(
            f"{path}: no result can be a {ending}; name it {path.with_suffix('.png')}{film}"
        )


def follow_record(path: str, args: argparse.Namespace) -> dict:
    """Fills in what is not given in `args` from the record of an earlier result, and returns it.

    Raises:
        InputError: it says nothing of how it was made, or was made with other pictures too.
    """
    path = find_result(path)
    record = metadata.read_record(path)
    if pictures := record.get("pictures"):
        folder = Path(path).with_suffix("")
        raise InputError(
            f"{path}: is a sheet of several pictures; give one of them, such as "
            f"{folder / next(iter(pictures))}"
        )
    args.recipe = record["recipe"]
    if args.recipe == OWN_RECIPE:
        try:
            args.recipe = metadata.recipe_of(record)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
    given = {name: getattr(args, name) for name in SETTINGS}
    vars(args).update(metadata.settings_like(record, given, path))
    args.format = args.format or record["format"]
    args.bits = args.bits or (record["bits"] if args.format in DEEP_FORMATS else 8)
    return record
