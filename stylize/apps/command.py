"""The command line of `neural_style_transfer.py`: one photo, a film, or folders.

main            reads the options, refuses those that would do nothing, then calls one of these
  photo         paints one photo, here or with its tiles on a Ray cluster
  paint_choices paints small pictures of a photo to choose from
  paint_film    paints a film frame by frame
  paint_folder  paints every photo in every style, in several processes
"""

import argparse
import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from stylize.apps import photo
from stylize.apps.compare import paint_choices
from stylize.apps.console import exit_status, say_of_start
from stylize.apps.film import paint_film
from stylize.apps.folder import paint_folder
from stylize.apps.options import PROGRAM, follow_suffix, parse, refuse_stream
from stylize.backend.tensors import told_of_start
from stylize.errors import InputError, SettingError

APPS = {"photo": photo, "comparison": paint_choices, "film": paint_film, "folder": paint_folder}
ALONE = {  # options that others than these know nothing of
    **dict.fromkeys(("pairs", "watch", "fail_fast"), ("folder",)),
    **dict.fromkeys(("format", "bits"), ("photo", "folder", "comparison")),
    **dict.fromkeys(("every_iteration", "plot", "gif", "mp4"), ("photo", "folder")),
    "compare": ("photo", "comparison"),
    "ray": ("photo", "folder", "film"),
    "jobs": ("folder", "film", "comparison"),
    "temporal_weight": ("film",),
    **dict.fromkeys(("resume", "final_only"), ("photo",)),
}
INSTEAD = {
    "resume": "the same command without it resumes where it was stopped",
    "final_only": "leave it out: there is one file for each anyway",
    "compare": "leave it out, or give one photo to compare settings on",
}
EXCLUSIVE = (("final_only", "every_iteration"), ("watch", "overwrite"))


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line. Returns the exit status, see `exit_status`.

    Args:
        argv: the arguments; None: those of the process.
    """
    args = parse(argv)
    kind = kind_of(args)
    if status := exit_status(PROGRAM, lambda: check(args, kind)):
        return status
    with contextlib.nullcontext() if args.quiet else told_of_start(say_of_start):
        return APPS[kind].main(args)


def kind_of(args: argparse.Namespace) -> str:
    """Returns what the options ask for, a key of `APPS`."""
    if paint_film.is_film(args):
        return "film"
    if paint_folder.has_folder(args):
        return "folder"
    return "photo" if args.compare is None else "comparison"


def check(args: argparse.Namespace, kind: str) -> None:
    """Raises InputError where options do not go together. Takes the format from the prefix."""
    refuse_idle(args, kind)
    refuse_stream(args.result_prefix)
    if kind in ("photo", "comparison"):
        follow_suffix(args)


def refuse_idle(args: argparse.Namespace, kind: str) -> None:
    """Raises InputError where an option was given that does nothing in this kind of run, or
    something else than another one; or where nobody knows the kind, since nothing is there.

    What an earlier result's record says, of another kind perhaps, was not given.
    """
    for name, kinds in ALONE.items():
        given = getattr(args, name)
        if given is None or given is False or kind in kinds:
            continue
        if kind == "photo" and not os.path.lexists(args.base):
            raise InputError(f"{args.base}: no such file or folder; check the path")
        *others, last = [each for each in kinds if (name, each) != ("compare", "comparison")]
        wanted = f"{', a '.join(others)} or a {last}" if others else last
        instead = INSTEAD.get(name, "leave it out")
        folder_of_styles = kind == "folder" and not Path(args.base).is_dir()
        named = args.style_reference if folder_of_styles else args.base
        this = "--compare is given" if kind == "comparison" else f"{named} is a {kind}"
        raise SettingError(f"--{name}", f"is for a {wanted}, and {this}; {instead}")
    for one, other in EXCLUSIVE:
        if getattr(args, one) and getattr(args, other):
            raise SettingError(f"--{one}", f"and --{other} exclude each other; give one of them")
