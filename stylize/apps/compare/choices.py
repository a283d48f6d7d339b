"""What `--compare` asks for: the settings that vary, their values, and all combinations of them."""

import argparse
import csv
import functools
import itertools
import math
import re
from pathlib import Path
from typing import NamedTuple

from stylize.apps.words import OF_RECIPES, OPTION_NAMES, spelled_value, suggestion
from stylize.errors import InputError
from stylize.runs.recipes import RECIPES
from stylize.runs.settings import OF_FILMS, SETTINGS, UNRECORDED, Setting
from stylize.runs.validators import checked, meant, one_of, picture_or_word

ROWS = 200  # of each picture, unless --size says otherwise
MOST = 64  # pictures of a comparison; more than anybody can compare
CHOOSABLE = {  # what may vary: its name in the options -> what it is
    "recipe": Setting("--recipe", one_of(*RECIPES), "NAME", "", ""),
    "style_reference": Setting("", picture_or_word, "PICTURE", "", ""),
    **{
        name: setting
        for name, setting in SETTINGS.items()
        if name not in UNRECORDED and name not in OF_FILMS
    },
}
NAMES = {  # how each is called: without hyphens, as its option is
    "style" if name == "style_reference" else setting.flag.removeprefix("--"): name
    for name, setting in CHOOSABLE.items()
}

OTHER_NAMES = {other[2:]: flag[2:] for other, flag in OPTION_NAMES.items()}


class Choice(NamedTuple):
    """A picture of a comparison, by what is chosen for it: name -> what is typed for that."""

    values: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def label(self) -> list[str]:
        """The lines to write below its picture."""
        return [f"{name} {' '.join(map(_short, words))}" for name, words in self.values] or [
            "as typed"
        ]

    @property
    def stem(self) -> str:
        """What its file is called."""
        parts = ["-".join([name, *map(_short, words)]) for name, words in self.values]
        return re.sub(r"[^\w.+-]+", "-", "_".join(parts))[:100] or "as_typed"

    @property
    def options(self) -> list[str]:
        """The words to add to a command, but for another style."""
        given = [(CHOOSABLE[NAMES[name]].flag, words) for name, words in self.values]
        return [word for flag, words in given if flag for word in (flag, *words)]

    @property
    def style(self) -> str | None:
        """The painting instead of the one that was given, if another is chosen."""
        return next((words[0] for name, words in self.values if name == "style"), None)

    def chosen(self, args: argparse.Namespace) -> argparse.Namespace:
        """The options `args`, with what is chosen."""
        values = {NAMES[name]: _as_parsed(NAMES[name], words) for name, words in self.values}
        return argparse.Namespace(**vars(args) | values)


MATTERING = (  # what a person who has named nothing sees: each differs from the first in one thing
    Choice(),
    Choice((("strength", ("0.3",)),)),
    Choice((("strength", ("0.7",)),)),
    Choice((("style_scale", ("2",)),)),
    Choice((("preserve_colors", ("luma",)),)),
    Choice((("recipe", ("pyramid",)),)),
)


def _short(word):
    """A value as it is shown: of a path, the name."""
    return Path(word).name or word


def _as_parsed(name, words):
    """A value as the parser would have it."""
    return list(words) if CHOOSABLE[name].nargs else words[0]


def plan_choices(args: argparse.Namespace) -> tuple[list[Choice], int]:
    """The choices of `args.compare`, each once, and how many make a row of the sheet.

    Raises:
        InputError: something that cannot vary, or a value that cannot be; or too many.
    """
    if not args.compare:
        choices = [*MATTERING[:-1]] if args.like else [*MATTERING]  # the last has another recipe
        return choices, _columns(len(choices))
    varying: dict[str, list[tuple[str, ...]]] = {}
    for text in args.compare:
        name, values = _parse(text)
        _refuse_given(name, args)
        varying[name] = list(dict.fromkeys([*varying.get(name, ()), *values]))
    first, *others = [[(name, value) for value in values] for name, values in varying.items()]
    number = math.prod(map(len, varying.values()))
    if number > MOST:
        raise InputError(
            f"--compare asks for {number} pictures, and at most {MOST} are compared at once; name "
            "fewer values"
        )
    # Across the sheet go the values of the first setting, down it those of the others.
    choices = [Choice((own, *rest)) for *rest, own in itertools.product(*others, first)]
    return choices, len(first) if others else _columns(number)


def _columns(number):
    """How many of so many pictures make a row, where nothing else says so."""
    return min(number, max(3, math.ceil(math.sqrt(number))))


def _parse(text):
    """The name of a setting and its values, each a tuple of words. Raises InputError."""
    typed, _, values = text.partition("=")
    name = OTHER_NAMES.get(key := typed.strip("-").replace("-", "_").lower(), key)
    if name not in NAMES:
        found = suggestion(f"--{name}", [f"--{each}" for each in NAMES]).removeprefix("--")
        is_known = found in NAMES or name in OF_RECIPES
        remedy = f"did you mean {found}" if is_known else meant(name, NAMES)
        raise InputError(f"--compare {typed}: no setting of this name can vary; {remedy}")
    setting = CHOOSABLE[NAMES[name]]
    try:  # it knows "a, b.jpg",c.jpg
        listed = next(csv.reader([values], skipinitialspace=True, strict=True), [])
    except csv.Error:
        raise InputError(
            f"--compare {typed}: quotes must enclose a whole value, and a value with a line break "
            f'needs them, as in {name}="A","B"'
        ) from None
    if not all(listed) or not listed:
        raise InputError(f"--compare {typed}: needs values, such as {name}=A,B")
    several = [value.split("+") if setting.nargs else [value] for value in listed]
    flag, spell = setting.flag, functools.partial(spelled_value, setting.flag)
    result = [tuple(map(spell, words)) for words in several]
    for words in result:
        checked(flag or name, setting.check, list(words) if setting.nargs else words[0])
    return name, result


def _refuse_given(name, args):
    """Raises InputError where an option says already what a setting is to be."""
    flag, option = CHOOSABLE[NAMES[name]].flag, NAMES[name]
    if flag and getattr(args, option) is not None:
        raise InputError(f"{flag} is given, and --compare {name} too; leave one of them out")
    if name == "recipe" and args.like:
        raise InputError("--like sets a recipe, and --compare recipe others; leave one of them out")
