"""What is printed and ends the program: the help, and how an earlier result was made."""

import argparse
import json
import os
import re
import sys
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, NoReturn

from stylize.apps.console import exit_status, in_shell, print_and_end, started_as
from stylize.backend.frameworks import FRAMEWORKS
from stylize.errors import InputError, listed, printable
from stylize.images import clips
from stylize.images.writing import FORMATS
from stylize.runs import metadata
from stylize.runs.recipes import DEFAULT_RECIPE, OWN_RECIPE, RECIPES
from stylize.runs.settings import EVALUATIONS_PER_ITERATION, PICTURE_SETTINGS, SETTINGS
from stylize.vgg.download import MIRROR_NUMBERS_SHA256

ON_THE_WAY = re.compile(r"_at_iteration_[0-9]+$")  # at the end of such a picture's name
KEPT = re.compile(r"\.[1-9][0-9]{0,8}$")  # at the end of the prefix of an earlier result
USAGE = "%(prog)s photo.jpg painting.jpg results/name [options]"
OF_OWN_RECIPE = "It was made from Python with a custom recipe"
FIRST = """Paints a photo in the style of a picture:
  {program} photo.jpg painting.jpg results/photo
  {program} photo.jpg painting.jpg results/try --compare
On a page in the browser: {page}, then http://127.0.0.1:7860
More: {program} --help"""
HELP = """usage: {usage}

A film or a folder may take the photo's place, a folder the painting's.

{options}

All options: {program} --help all
The guide: docs/guide.md"""
MOST_USED = (  # what --help has room for: what is typed, what it does
    ("--compare", "paint small pictures of several choices on one sheet"),
    ("--strength 0..1", "from the photo (0) to the painting (1); default {strength}"),
    ("--size ROWS", "rows (800x: columns; own: the photo's); default {size}"),
    ("--iter N", "iterations: more make finer work; default {iterations}"),
    ("--style_scale SCALE", "below 1, finer strokes; above, coarser"),
    ("--styles STYLE ...", "blend further paintings with the first"),
    ("--keep_mask MASK", "keep the photo where this grey picture is white"),
    ("--preserve_colors METHOD", "keep the photo's colours: luma, linear or histogram"),
    ("--recipe NAME", "start from the settings of pyramid, keras, gatys ..."),
    ("--like RESULT", "use the settings of an earlier result"),
    ("--show RESULT ...", "print how earlier results were made"),
    ("--overwrite", "start anew, and replace an earlier result"),
    ("--quiet", "print nothing but errors"),
)


def greet(name: str, status: int) -> NoReturn:
    """Prints how to begin, and ends the program of that name with a status."""
    python, *script = program = started_as()
    page = [python, str(Path(script[0]).with_name("app.py"))] if script else [f"{python}-app"]
    print_and_end(name, FIRST.format(program=in_shell(program), page=in_shell(page)), status)


class Help(argparse.Action):
    """Prints the options that most people need, or all of them, and exits."""

    def __call__(self, parser, namespace, topic, option=None):
        text = parser.format_help() if topic == "all" else short_help(parser.prog)
        print_and_end(parser.prog, text)


def short_help(program: str) -> str:
    """The options that most people need, on a screen of 24 lines."""
    defaults = vars(RECIPES[DEFAULT_RECIPE])
    lines = (f"  {typed:<26}{does.format_map(defaults)}" for typed, does in MOST_USED)
    return HELP.format(program=program, usage=USAGE % {"prog": program}, options="\n".join(lines))


class Show(argparse.Action):
    """Prints, of each result, the command that makes such a picture and how it was made; exits."""

    def __call__(self, parser, namespace, paths, option=None):
        records, status = _read_all(parser.prog, paths)
        told = [
            (f"{printable(path)}:\n" if len(paths) > 1 else "") + told_of(record, path)
            for path, record in records.items()
        ]
        if told:
            print_and_end(parser.prog, "\n\n".join(told), status)
        sys.exit(status)


class ShowRecord(argparse.Action):
    """Prints all that a result says of how it was made, as JSON, or a list of several; exits."""

    def __call__(self, parser, namespace, paths, option=None):
        records, status = _read_all(parser.prog, paths)
        told = [{"result": path, **record} for path, record in records.items()]
        if told:
            whole = told if len(paths) > 1 else told[0]
            print_and_end(parser.prog, json.dumps(whole, indent=2), status)
        sys.exit(status)


def _read_all(program, paths):
    """The records of results, by their paths, and the exit status, having said why it is not 0."""
    records, statuses = {}, []
    for path in map(find_result, paths):
        record: dict = {}
        statuses.append(
            exit_status(program, lambda p=path, r=record: r.update(metadata.read_record(p)))
        )
        if record:
            records[path] = record
    return records, max(statuses)


def find_result(path: str) -> str:
    """The file of a result that may be named by its prefix; the path itself where there is none."""
    ends = *(f".{suffix}" for suffix in (*FORMATS, "mp4")), "_compare.png"
    named = [path, *(f"{path}{end}" for end in ends)]
    return next(filter(os.path.isfile, named), path)


def told_of(record: Mapping[str, Any], path: str) -> str:
    """How a result was made, in lines: first the command that makes such a picture."""
    if record["recipe"] == "comparison":
        lines = _of_sheet(record, path)
    elif not _can_be_repeated(record):
        photo, *styles = (in_shell([name]) for name in _pictures(record))
        named = all("name" in each for each in (record["base"], *(record.get("styles") or [{}])))
        of = [f"It is {photo} in the style of {listed(styles, ' and ')}"] * named
        lines = [f"{OF_OWN_RECIPE}, which no command can repeat", *of, _summary(record)]
    else:
        lines = [command_like(record, path), *_not_found(record), *_without_option(record)]
        lines += [*_renamed(path), *_threads(record)]
        lines.append(_summary(record))
    rest = in_shell([*started_as(), "--show_record", _no_option(path)])
    return "\n".join([*lines, f"Its whole record, as JSON: {rest}"])


def _can_be_repeated(record):
    """Whether a command can repeat a result: a custom recipe may have what no record holds."""
    if record["recipe"] != OWN_RECIPE:
        return True
    try:
        metadata.recipe_of(record)
    except InputError:
        return False
    return True


def _of_sheet(record, path):
    """Says which pictures a comparison's sheet has, and where their commands are."""
    sheet = Path(path)
    folder, page = sheet.with_suffix(""), sheet.with_suffix(".html")
    names = (str(folder / name) for name in record.get("pictures", {}))
    pictures = listed(in_shell([_no_option(name)]) for name in names)
    lines = [f"A comparison of several pictures; give --show one of them: {pictures}"]
    return lines + [f"To choose, open {page}: it has the command for each"] * page.exists()


def _without_option(record):
    """Says what Python was given that no option can say, in lines."""
    had = ["a custom recipe"] * (record["recipe"] == OWN_RECIPE)
    number = record.get("evaluations_per_iteration", EVALUATIONS_PER_ITERATION)
    if number != EVALUATIONS_PER_ITERATION:
        had.append(f"{number} evaluations per iteration instead of {EVALUATIONS_PER_ITERATION}")
    if _is_exact_size("size", size := record["settings"].get("size")):
        had.append("exactly {1}x{0} pixels".format(*size))
    return [f"It had {listed(had, ' and ')}: only --like can repeat that"] * bool(had)


def _renamed(path):
    """Says, in lines, that the command paints by the name that a result had before it moved."""
    if not (prefix := _moved_from(path)):
        return []
    name = in_shell([f"{prefix}{os.path.splitext(path)[1]}"])
    return [
        f"This result has moved aside: the command paints {name}, and moves a different one there "
        "aside"
    ]


def _threads(record):
    """Says, in lines, how many threads painted a picture, if environment variables set it."""
    numbers = metadata.threads_of(record.get("machine", {}))
    if not numbers:
        return []
    variables = " ".join(f"{name}={number}" for name, number in numbers.items())
    return [f"For the same bytes, use the same number of threads: set {variables}"]


def _is_exact_size(name, value):
    """Whether a setting is rows and columns, which are given from Python, or by neural_style.py."""
    return name == "size" and isinstance(value, list)


def _summary(record):
    """What the command does not say, of any record that can be read, in a line."""
    total = record["losses"].get("total") if isinstance(record.get("losses"), dict) else None
    iteration, versions = record.get("iteration"), record["versions"]
    backend = next((name for name in FRAMEWORKS if name in versions), "")
    strength = record.get("settings", {}).get("strength")
    words = [
        f"recipe {record['recipe']}",
        f"strength {strength:g}" if isinstance(strength, int | float) else "",
        _number_of_iterations(iteration + 1) if isinstance(iteration, int) else "",
        f"loss {total:.6g}" if isinstance(total, int | float) else "",
        record["program"].replace(" ", " version ", 1),
        f"{backend} {versions[backend]}" if backend else "",
        f"on a {record['machine']['on']}" if record.get("machine", {}).get("on") else "",
    ]
    return printable(f"Made with: {', '.join(filter(None, words))}")


def _number_of_iterations(number):
    return "1 iteration" if number == 1 else f"{number} iterations"


def command_like(record: Mapping[str, Any], path: str) -> str:
    """The command that makes such a picture as the one at `path`, from what its record says.

    Pictures have no folders in it, and weights are named where they are those of `mirror`: a
    record knows no more of them.
    """
    recipe = RECIPES.get(record["recipe"], RECIPES[DEFAULT_RECIPE])
    named = ["--recipe", record["recipe"]] * (recipe is not RECIPES[DEFAULT_RECIPE])
    to_name = [*SETTINGS]
    if record["recipe"] == OWN_RECIPE:
        settings = record["settings"]
        named = ["--like", _no_option(path)]
        to_name = [n for n in PICTURE_SETTINGS if metadata.names_file(settings.get(n))]
    photo, first, *others = _pictures(record)
    words = [photo, first, _no_option(_prefix(path))]
    if "rate" in record and Path(photo).suffix.lower() not in clips.SUFFIXES:  # of a folder
        words += ["--frames", "--fps", f"{float(Fraction(record['rate'])):.10g}"]
    words += ["--styles", *others] if others else []
    for name, value in metadata.settings_of(record).items():
        if name not in to_name or _is_exact_size(name, value):
            continue
        own = _plain(recipe[name])
        chosen_here = name == "precision" and own == "auto"  # by the machine that painted
        if value != own and not chosen_here:
            words_of = _words(value)
            if name in PICTURE_SETTINGS:
                words_of = map(_no_option, words_of)
            named += [SETTINGS[name].flag, *words_of]
    if "rate" not in record and record["recipe"] != OWN_RECIPE:  # a film has one format
        for name, default in (("format", "png"), ("bits", 8)):
            if (value := record.get(name, default)) != default:
                named += [f"--{name}", str(value)]
    if record.get("weights", {}).get("sha256") == MIRROR_NUMBERS_SHA256:
        named += ["--weights", "mirror"]
    return in_shell([*started_as(), *words, *named])


def _pictures(record):
    """The names of the photo and the paintings; words that stand for those without one."""
    styles = record.get("styles") or [{}]
    names = [style.get("name", "painting.jpg") for style in styles]
    return [*map(_no_option, [record["base"].get("name", "photo.jpg"), *names])]


def _no_option(name):
    """A file's name that is not taken for an option."""
    return os.path.join(os.curdir, name) if name.startswith("-") else name


def _prefix(path):
    """The prefix that a result was painted with: an earlier one, and a step, have more."""
    whole, suffix = os.path.splitext(path)
    prefix = _moved_from(path) or ON_THE_WAY.sub("", whole)
    # Of `cat.jpg`, beside `cat.png`, a folder's result is `cat.jpg.png`: `cat.jpg` would be a name.
    return prefix + suffix if Path(prefix).suffix else prefix


def _moved_from(path):
    """The prefix that a result had before it moved aside for the one there; "" if it has not."""
    whole, suffix = os.path.splitext(path)
    prefix = ON_THE_WAY.sub("", whole)
    later = KEPT.sub("", prefix)
    return later if later != prefix and os.path.exists(f"{later}{suffix}") else ""


def _not_found(record):
    """The lines that say which pictures of a command are not files, or not found as they stand."""
    styles, base = record.get("styles") or [{}], record["base"]
    pictures = [*zip(_pictures(record), (base, *styles), strict=True)]
    for name in PICTURE_SETTINGS:
        if (value := record["settings"].get(name)) not in metadata.WORDS:
            words, about = [*map(_no_option, _words(value))], record.get(name, {"name": ""})
            about = about if isinstance(about, list) else [about] * len(words)
            pictures += zip(words, about, strict=False)
    unnamed = dict.fromkeys(word for word, about in pictures if "name" not in about)
    names = dict.fromkeys(word for word, about in pictures if "name" in about)
    unfound = [name for name in names if not os.path.exists(name)]
    lines = []
    if unnamed:
        shown = listed(map(printable, unnamed), " and ")
        lines.append(
            f"Painted from Python with pictures that are not files: put yours in place of {shown}"
        )
    if unfound:
        shown = listed((in_shell([name]) for name in unfound), " and ")
        lines.append(f"Add the folder before {shown}: a result records names without folders")
    return lines


def _plain(value):
    """A setting as a record has it."""
    return json.loads(json.dumps(value, default=dict))


def _words(value):
    """A setting of a record in the words that are typed for it."""
    if isinstance(value, dict):
        return [f"{name}:{share}" for name, share in value.items()]
    values = value if isinstance(value, list) else ["none" if value is None else value]
    return [str(each) for each in values]
