"""Writes docs/options.md from the command line's own help: `python docs/make_options.py`."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from stylize.apps import options, words

HEAD = """# Options

Made from the command line's own help by `python docs/make_options.py`. The defaults are those of
recipe `neighbors`; other recipes have [their own](api.md#settings-and-recipes). Hyphens work as
well as underscores: `--content-weight`."""
TABLE = ["| option | default | what it does |", "|---|---|---|"]


def row(parser, action):
    """The Markdown row of an option: how it is typed, its default, what it does."""
    text = parser._get_formatter()._expand_help(action).replace("|", r"\|")
    text, _, default = re.fullmatch(r"(.*?)( \(default: (.*)\))?", text).groups("")
    metavar = action.metavar or ("|".join(map(str, action.choices)) if action.choices else "")
    if action.nargs == "+":
        metavar += " ..."
    typed = f"{action.option_strings[-1]} {metavar}".strip().replace("|", r"\|")
    return f"| `{typed}` | {f'`{default}`' if default else ''} | {text} |"


def page():
    """All of docs/options.md."""
    parser, parts = options.build_parser(), [HEAD]
    for group in parser._action_groups:
        rows = [row(parser, action) for action in group._group_actions if action.option_strings]
        if group.title in options.GROUPS:
            title = f"## {group.title.capitalize()}: {group.description}"
            parts += [title, "\n".join([*TABLE, *rows])]
    return "\n\n".join([*parts, other_names()]) + "\n"


def other_names():
    """The names from elsewhere that are taken for ours, of options and of their values."""
    taken = {"PREFIX": list(words.OUTPUT), "--size COLSx": ["--width COLS"]}
    for other, own in words.OPTION_NAMES.items():
        taken.setdefault(own, []).append(other)
    for flag, values in words.VALUE_NAMES.items():
        for other, own in values.items():
            taken.setdefault(f"{flag} {own}", []).append(other)
    rows = [f"| `{own}` | {', '.join(f'`{o}`' for o in names)} |" for own, names in taken.items()]
    title = "## Other names that are accepted: other programs' names, other spellings"
    return "\n\n".join([title, "\n".join(["| ours | also |", "|---|---|", *rows])])


if __name__ == "__main__":
    (ROOT / "docs" / "options.md").write_text(page())
