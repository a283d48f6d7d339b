"""Folders and films from Python: as on the command line, but errors are raised.

    from stylize.apps.functions import paint_folder

    if __name__ == "__main__":  # other processes paint, and import the program that started them
        paint_folder("photos", "painting.jpg", "results", size=400, strength=0.4)

For one photo there is `neural_style_transfer.style_transfer`.
"""

import os
from pathlib import Path
from typing import Any

from stylize.apps import command
from stylize.apps.film import paint_film as film
from stylize.apps.folder import paint_folder as folder
from stylize.apps.folder.ledger import Outcome
from stylize.apps.options import build_parser, parse_words
from stylize.errors import InputError, require
from stylize.runs.metadata import names_file
from stylize.runs.settings import PICTURE_SETTINGS, SETTINGS
from stylize.runs.validators import checked, meant, one_of, shown

Named = str | os.PathLike

APART = ("compare", "watch", "show", "show_record")  # options that a function has no use for


def paint_folder(
    photos: Named, style_reference: Named, results: Named, **options: Any
) -> dict[Path, Outcome]:
    """Paints every photo of a folder in every style, several at once, and writes a page of them.

    What an earlier call has finished is not painted again. Only errors are printed, on stderr.

    Args:
        photos, style_reference: a folder each; one of them may be a picture.
        results: a folder.
        **options: any of `SETTINGS`, or the other options of the command line that are for
            folders, without dashes: `weights="mirror"`, `jobs=2`, `pairs=True`, `overwrite=True`.

    Returns:
        The path of each result -> its `Outcome`; its `status` is "finished", "painted" or "failed",
        and its `error` says why. With `fail_fast`, or once the disk is full, those that were not
        begun are "waiting".

    Raises:
        InputError: an option, or a folder, that cannot be used.
        WeightsError: no weights, or not those of a VGG19.
        OSError: the results cannot be written.
    """
    paths = {"photos": photos, "style_reference": style_reference, "results": results}
    args = _arguments(paths, options)
    for path in (photos, style_reference):
        if not os.path.exists(path):
            raise InputError(f"{path}: no such folder or picture; check the path")
    if (kind := command.kind_of(args)) == "film":
        raise InputError("photos must be a folder of pictures; paint_film paints a film, or frames")
    if kind != "folder":
        raise InputError(
            f"photos or style_reference must be a folder; received {photos} and {style_reference}"
        )
    command.check(args, "folder")
    return folder.run(args)


def paint_film(clip: Named, style_reference: Named, result: Named, **options: Any) -> Path:
    """Paints a film, frame by frame. Nothing is printed.

    Args:
        clip: a film or, with `frames=True`, a folder of frames; `fps` is the frames per second.
        style_reference: a picture.
        result: the path of the new film, with or without ".mp4".
        **options: any of `SETTINGS`, or the other options of the command line that are for films,
            without dashes: `weights="mirror"`, `jobs=1`.

    Returns:
        The path of the film.

    Raises:
        InputError: an option, a picture or a film that cannot be used.
        WeightsError: no weights, or not those of a VGG19.
        OSError: the result cannot be written.
    """
    paths = {"clip": clip, "style_reference": style_reference, "result": result}
    args = _arguments(paths, options)
    if command.kind_of(args) != "film":
        raise InputError(f"clip must be a film, or a folder with frames=True; received {clip}")
    command.check(args, "film")
    return film.run(args, film.FilmConsole(quiet=True))


def _arguments(paths, options):
    """The command line's options with these values. Raises InputError.

    Args:
        paths: of what is painted, of the style and of the result, by the arguments' names.
        options: by name.
    """
    parser = build_parser()
    for name, path in paths.items():
        require(name, path, str | os.PathLike, "a path")
        if not os.fspath(path):
            raise InputError(f"{name} must not be an empty name")
    args = parse_words(["--quiet", "--", *map(os.fspath, paths.values())], parser)
    actions = {action.dest: action for action in parser._actions if action.option_strings}
    known = sorted(actions.keys() & vars(args).keys() - set(APART))
    for name, value in options.items():
        if name in APART:
            raise InputError(f"{name} is for the command line only; leave it out")
        if name not in known:
            raise InputError(f"unknown option {name!r}; {meant(name, known)}")
        if value is not None and name in SETTINGS:
            value = checked(SETTINGS[name].flag, SETTINGS[name].check, value, name)
            if name in PICTURE_SETTINGS and names_file(value):  # other processes read it
                for each in value if isinstance(value, list) else [value]:
                    require(name, each, str | os.PathLike, "a path")
        elif value is not None and actions[name].choices:
            checked(f"--{name}", one_of(*actions[name].choices), value)
        elif value is not None and (wanted := _wanted(actions[name], value)):
            raise InputError(f"{name} must be {wanted}, received {shown(value)}")
        setattr(args, name, value)
    args.command = args.resume_command = "the same call"
    return args


def _wanted(action, value):
    """What an option of the command line, but no setting, must be; "": the value is all right."""
    if action.nargs == 0:  # a switch
        return "" if isinstance(value, bool) else "True or False"
    if action.type is int:
        return "" if isinstance(value, int) and not isinstance(value, bool) else "a whole number"
    if action.type is float:
        return "" if isinstance(value, int | float) and not isinstance(value, bool) else "a number"
    if action.nargs == "+":
        several = isinstance(value, list | tuple)
        return "" if several and all(map(_is_path, value)) else "a list of paths"
    return "" if _is_path(value) else "a text or a path"


def _is_path(value):
    return isinstance(value, str | os.PathLike) and os.fspath(value) != ""
