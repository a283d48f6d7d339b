"""What is printed and ends the program: the help, and how an earlier result was made."""

import argparse
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from stylize.apps.console import exit_status, in_shell, print_and_end, started_as
from stylize.runs import metadata
from stylize.runs.recipes import DEFAULT_RECIPE, RECIPES
from stylize.runs.settings import SETTINGS

ON_THE_WAY = re.compile(r"_at_iteration_[0-9]+$")  # at the end of such a picture's name
USAGE = "%(prog)s photo.jpg painting.jpg results/name [options]"
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
    ("--compare", "small pictures of several choices, on one sheet"),
    ("--strength 0..1", "from the photo (0) to the painting (1); default {strength}"),
    ("--size ROWS", "rows; 800x: columns; own: the photo's; default {size}"),
    ("--iter N", "iterations: more make finer work; default {iterations}"),
    ("--style_scale SCALE", "below 1, finer strokes; above, coarser"),
    ("--styles STYLE ...", "further paintings, blended with the first"),
    ("--preserve_colors METHOD", "keep the photo's colours: luma, linear or histogram"),
    ("--recipe NAME", "what to start from: pyramid, keras, gatys ..."),
    ("--like RESULT", "the settings of an earlier result"),
    ("--show RESULT", "how an earlier result was made"),
    ("--resume", "resume where the same command was stopped"),
    ("--quiet", "print nothing but errors"),
)


def greet(status: int) -> NoReturn:
    """Prints how to begin, and ends the program with a status."""
    python, *script = program = started_as()
    page = [python, str(Path(script[0]).with_name("app.py"))] if script else [f"{python}-app"]
    print_and_end(FIRST.format(program=in_shell(program), page=in_shell(page)), status)


class Help(argparse.Action):
    """Prints the options that most people need, or all of them, and exits."""

    def __call__(self, parser, namespace, topic, option=None):
        print_and_end(parser.format_help() if topic == "all" else short_help(parser.prog))


def short_help(program: str) -> str:
    """The options that most people need, on a screen of 24 lines."""
    defaults = vars(RECIPES[DEFAULT_RECIPE])
    lines = (f"  {typed:<26}{does.format_map(defaults)}" for typed, does in MOST_USED)
    return HELP.format(program=program, usage=USAGE % {"prog": program}, options="\n".join(lines))


class Show(argparse.Action):
    """Prints the command that makes such a picture, then how it was made, and exits."""

    def __call__(self, parser, namespace, path, option=None):
        record: dict = {}
        if status := exit_status(parser.prog, lambda: record.update(metadata.read_record(path))):
            parser.exit(status)
        command = [] if record["recipe"] == "comparison" else [command_like(record, path)]
        print_and_end("\n".join([*command, json.dumps(record, indent=2)]))


def command_like(record: Mapping[str, Any], path: str) -> str:
    """The command that makes such a picture as the one at `path`, from what its record says."""
    recipe = RECIPES.get(record["recipe"], RECIPES[DEFAULT_RECIPE])
    named = ["--recipe", record["recipe"]] * (recipe is not RECIPES[DEFAULT_RECIPE])
    styles = record.get("styles") or [{}]  # a stranger's record may name nothing
    first, *others = [style.get("name", "painting.jpg") for style in styles]
    photo = record["base"].get("name", "photo.jpg")
    words = [photo, first, ON_THE_WAY.sub("", str(Path(path).with_suffix("")))]
    words += ["--styles", *others] if others else []
    for name, value in record["settings"].items():
        own = _plain(recipe[name]) if name in SETTINGS else value
        if value != own and own != "auto":  # a precision that is left to the machine, it chose
            named += [SETTINGS[name].flag, *_words(value)]
    return in_shell([*started_as(), *words, *named])


def _plain(value):
    """A setting as a record has it."""
    return json.loads(json.dumps(value, default=dict))


def _words(value):
    """A setting of a record in the words that are typed for it."""
    if isinstance(value, dict):
        return [f"{name}:{share}" for name, share in value.items()]
    values = value if isinstance(value, list) else ["none" if value is None else value]
    return [str(each) for each in values]
