"""How a picture was made: the record that a run saves with it, and what comes of one later."""

import functools
import hashlib
import json
import os
import platform
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import scipy
from PIL import Image

from stylize import __version__
from stylize.backend import machine
from stylize.backend.tensors import backend_version, keras, uses_gpu
from stylize.errors import InputError, one_line, printable, require
from stylize.images.clips import read_comment
from stylize.images.formats import Picture, opened, why_missing
from stylize.images.reading import read_description
from stylize.images.resize import SMALLEST_SIDE
from stylize.images.writing import FORMATS, check_bits
from stylize.runs import untrusted
from stylize.runs.job import Job
from stylize.runs.recipes import OWN_RECIPE, RECIPES, choose_settings
from stylize.runs.settings import (
    MAY_BE_NONE,
    OF_ADAM,
    OF_FILMS,
    PICTURE_SETTINGS,
    SETTINGS,
    UNRECORDED,
    Settings,
)
from stylize.runs.validators import checked, one_of
from stylize.vgg.weights import VGG19Weights

WORDS = (None, "none", "base", "recolored", "noise")  # that these may have instead
BEFORE = {  # what versions without them did
    "style_crop": "none",
    "similarity_weight": 0.0,
}
GIVEN = ("base", "styles")  # of a record: pictures that each has
# Of a record: what was not asked for.
ONE_PICTURE = ("versions", "machine", "tiles", "iteration", "losses")


def make_record(
    job: Job,
    weights: VGG19Weights,
    base: Picture,
    styles: Sequence[Picture],
    suffix: str = "png",
    bits: int = 8,
    of_film: bool = False,
) -> dict[str, Any]:
    """Everything needed to make a result again, except the pictures themselves.

    Args:
        job: the run; `precision: auto` is recorded as the precision that it takes.
        weights: the network's.
        base, styles: the path of the base, and those of the styles. An array or a Pillow image
            appears by the SHA-256 of its pixels, as it has no name.
        suffix, bits: of the result.
        of_film: whether it is a film.

    Returns:
        A dictionary that JSON can hold. Files appear by name and SHA-256, never by folder.

    Raises:
        InputError: an argument of another kind, a file that cannot be read, more or fewer styles
            than the run has, or a format that cannot have so many bits.
    """
    require("job", job, Job, "a Job, from prepare")
    require("weights", weights, VGG19Weights, "a VGG19Weights, from load_weights")
    require("styles", styles, list | tuple, "a list of pictures")
    if len(styles) != (number := len(job.inputs.styles)):
        raise InputError(f"styles must be those of the job: {number}, received {len(styles)}")
    suffix = checked("suffix", one_of(*FORMATS), suffix)
    bits = checked("bits", one_of(8, 16), bits)
    check_bits(bits, suffix)
    left_out = UNRECORDED if of_film else UNRECORDED + OF_FILMS
    settings = job.settings | {"precision": job.stages[-1].precision}
    used = {name: settings[name] for name in PICTURE_SETTINGS if names_file(settings[name])}
    names = {name: each(_name_of, files) for name, files in used.items()}
    own = {name: _as_json(value) for name, value in vars(settings).items() if _is_own(name)}
    return {
        "program": f"neural_style_transfer {__version__}",
        "recipe": job.recipe,
        **({"own_recipe": own} if job.recipe == OWN_RECIPE else {}),
        "settings": {n: settings[n] for n in SETTINGS if n not in left_out} | names,
        "evaluations_per_iteration": job.evaluations_per_iteration,
        "base": describe_file(base, "base"),
        "styles": [describe_file(style, "styles") for style in styles],
        "style_boxes": [list(box) for box in job.inputs.style_boxes],
        **{name: each(describe_file, files) for name, files in used.items()},
        "weights": {"sha256": weights.digest},
        "tiles": [stage.tile for stage in job.stages],
        "versions": {
            "python": platform.python_version(),
            keras.backend.backend(): backend_version(),
            "keras": keras.__version__,
            "numpy": np.__version__,
            "pillow": PIL.__version__,
            "scipy": scipy.__version__,
        },
        "machine": machine.what_rounding_depends_on() | {"on": "GPU" if uses_gpu() else "CPU"},
        "format": suffix,
        "bits": bits,
    }


def _is_own(name):
    """Whether the record of a custom recipe keeps this value apart from the settings.

    Settings for films are kept there too, as photos' records leave them out.
    """
    return name not in SETTINGS or name in OF_FILMS


def _as_json(value):
    """A value of a recipe: a function, which JSON cannot hold, by its name."""
    return getattr(value, "__name__", type(value).__name__) if callable(value) else value


def names_file(value: Any) -> bool:
    """Whether a setting is a picture or several, not a word for one or for none."""
    return value is not None and not (isinstance(value, str) and value in WORDS)


def _name_of(picture):
    """A picture's name, without the folder it is in."""
    in_memory = isinstance(picture, Image.Image | np.ndarray)
    return "picture" if in_memory else Path(os.fsdecode(picture)).name


def describe_file(picture: Picture, argument: str | None = None) -> dict[str, str]:
    """A file by its name, without the folder it is in, and its SHA-256.

    Of a folder, that of the files in it that are not hidden, one after another by their names. Of
    a picture in memory, which has no name, that of its pixels; errors call it by the `argument`.

    Raises:
        InputError: no picture, or a file that cannot be read.
    """
    if not isinstance(picture, str | os.PathLike):
        with opened(picture, argument) as image:
            return {"sha256": hashlib.sha256(np.asarray(image).tobytes()).hexdigest()}
    path = Path(os.fsdecode(picture))
    try:
        if not path.is_dir():
            return {"name": path.name, "sha256": _sha256(path)}
        files = sorted(file for file in path.iterdir() if file.is_file() and file.name[0] != ".")
        digests = "".join(map(_sha256, files))
    except FileNotFoundError:
        raise InputError(f"{path}: {why_missing(path)}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    return {"name": path.name, "sha256": hashlib.sha256(digests.encode()).hexdigest()}


def _sha256(path):
    """The SHA-256 of a file, which is read only if it is another than before: a style may be that
    of a thousand photos."""
    now = path.stat()
    state = now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns
    return _kept_sha256(path.absolute(), *state)


@functools.lru_cache(maxsize=1024)
def _kept_sha256(path, *_):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def each(function: Callable[[Any], Any], value: Any) -> Any:
    """`function` of a value, or of each in a list."""
    return [function(item) for item in value] if isinstance(value, list) else function(value)


def made_alike(found: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    """Whether a picture with the record `found` was made as `record` says.

    Whatever libraries, and whatever the names of pictures: what is in them counts.
    """
    found, now = (
        {name: value for name, value in without_names(made).items() if name not in ONE_PICTURE}
        for made in (found, json.loads(json.dumps(record)))
    )
    return not changes(found, now)


def without_names(record: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a record with pictures by what is in them, whatever they are called."""
    files = {n: _digests(record[n]) for n in (*GIVEN, *PICTURE_SETTINGS) if n in record}
    named = [name for name in PICTURE_SETTINGS if name in record]  # in the settings, by name
    of_now = settings_of({"settings": {}, **record})  # an earlier version did without some of them
    settings = {name: value for name, value in of_now.items() if name not in named}
    return {**record, **files, "settings": settings}


def changes(before: Any, now: Any, name: str = "") -> list[str]:
    """What differs between two records: "strength: 0.5, now 0.6", one line for each value."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        return [
            line
            for key in sorted(before.keys() | now.keys())
            for line in changes(before.get(key), now.get(key), f"{name} {key}".strip())
        ]
    return [] if before == now else [f"{name}: {before}, now {now}"]


def to_text(record: Mapping[str, Any], **more: Any) -> str:
    """A record, with what is known about this one picture, as `save_image` stores it.

    Raises:
        InputError: JSON cannot hold some of it.
    """
    try:
        return json.dumps({**record, **more}, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"a record must be what JSON can hold; {one_line(error)}") from None


def read_record(path: str | os.PathLike) -> dict[str, Any]:
    """The record of the picture or film at `path`; fields that it lacks get defaults.

    Raises:
        InputError: not a picture or film, or one that does not say how it was made.
    """
    require("path", path, str | os.PathLike, "the path of a result")
    path = Path(path)
    is_film = path.suffix == ".mp4" and path.is_file()
    text = read_comment(path) if is_film else read_description(path)
    try:
        record = untrusted.parse(text)
        _check_record(record)
    except InputError:
        raise InputError(
            f"{path}: does not say how it was made; was it edited, or made by another program?"
        ) from None
    settings = {n: value for n, value in record["settings"].items() if n not in UNRECORDED}
    return {
        "format": "png",
        "bits": 8,
        "program": "unknown",
        "weights": {},
        "versions": {},
    } | (record | {"settings": settings})


def _check_settings(settings):
    """A check: values for some of the settings. What others there may have been does not matter."""
    untrusted.fields({})(settings)
    for name, value in settings.items():
        if name in PICTURE_SETTINGS:
            NAMES(value)
        elif name in SETTINGS and name not in UNRECORDED and value is not None:
            checked(SETTINGS[name].flag, SETTINGS[name].check, value)


def _check_rate(rate):
    """A check: frames per second as a fraction, such as 30000/1001."""
    if not (isinstance(rate, str) and re.fullmatch(r"[1-9]\d{0,8}(/[1-9]\d{0,8})?", rate)):
        raise InputError("must be a fraction")


NAMES = untrusted.any_of(untrusted.nothing, untrusted.text, untrusted.items(untrusted.text))
FILE = untrusted.fields({}, {"name": untrusted.text, "sha256": untrusted.text})
FILES = untrusted.any_of(FILE, untrusted.items(FILE))
WORD = untrusted.any_of(untrusted.nothing, untrusted.text, untrusted.number())
TILE = untrusted.any_of(untrusted.nothing, untrusted.number(SMALLEST_SIDE, whole=True))
_check_record = untrusted.fields(
    {"settings": _check_settings, "recipe": untrusted.text, "base": FILE},
    {
        "program": untrusted.text,
        "styles": untrusted.items(FILE),
        "style_boxes": untrusted.items(untrusted.items(untrusted.number(0, whole=True))),
        **dict.fromkeys(PICTURE_SETTINGS, FILES),
        "weights": FILE,
        "tiles": untrusted.items(TILE),
        "own_recipe": untrusted.fields({}),
        "versions": untrusted.mapping(untrusted.text),
        "machine": untrusted.mapping(WORD),
        "evaluations_per_iteration": untrusted.number(1, 10**6, whole=True),
        "format": one_of(*FORMATS),
        "bits": one_of(8, 16),
        "rate": _check_rate,
        "pictures": untrusted.mapping(untrusted.text),
    },
)


def settings_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings of a record, by their present names.

    Those that its version did not have yet are off.
    """
    program = record.get("program", "unknown")
    settings = (BEFORE if program != "unknown" else {}) | record["settings"]
    if program.startswith("neural_style_transfer 0.") and settings.get("optimizer") == "lbfgs":
        settings["optimizer"] = "scipy"
    return settings


def recipe_of(record: Mapping[str, Any]) -> Settings:
    """Returns a recipe that makes a record's result again, even if its recipe was a custom one.

    It has all the record's settings but pictures, such as masks: a record has only their names.

    Raises:
        InputError: no record, an unknown recipe, or a custom one whose values the record lacks.
    """
    if not (isinstance(record, Mapping) and record.keys() >= {"recipe", "settings"}):
        raise InputError("record must be one, as read_record or make_record returns it")
    if record["recipe"] != OWN_RECIPE:
        recipe = choose_settings(record["recipe"])
    elif "own_recipe" in record:  # values that its version did not have yet are off in this one
        own = record["own_recipe"]  # a stranger's may name files and folders, as settings
        recipe = RECIPES["keras"] | {name: own[name] for name in own if _is_own(name)}
    else:
        raise InputError(
            "made with a custom recipe, but its values are not recorded; paint from Python with "
            "that recipe"
        )
    settings = {
        name: value
        for name, value in settings_of(record).items()
        if name in SETTINGS and (value is not None or name in MAY_BE_NONE)
    }
    pictures = {name for name in PICTURE_SETTINGS if names_file(settings.get(name))}
    return choose_settings(recipe | {n: settings[n] for n in settings.keys() - pictures})


def settings_like(
    record: Mapping[str, Any], given: Mapping[str, Any], path: str | os.PathLike
) -> dict[str, Any]:
    """The settings of a record, but for those that are `given` (not None), or would do nothing.

    Raises:
        InputError: it was made with pictures (masks, say) that are not given.
    """
    recorded = {name: value for name, value in settings_of(record).items() if name in SETTINGS}
    optimizer = given["optimizer"] or recorded.get("optimizer")
    if optimizer != "adam":
        recorded = {name: value for name, value in recorded.items() if name not in OF_ADAM}
    for name in PICTURE_SETTINGS:
        if recorded.get(name) not in WORDS and given[name] is None:
            without = "base" if name == "init" else "none"
            raise InputError(
                f"{path}: was made with {SETTINGS[name].flag} {recorded[name]}; give it again, "
                f"or {SETTINGS[name].flag} {without} to go without it"
            )
    return recorded | {name: value for name, value in given.items() if value is not None}


def differences(record: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two records that may make another picture of the same settings."""
    changed = [
        name.replace("_", " ")
        for name in ("weights", *PICTURE_SETTINGS)
        if name in record and name in now and _digests(record[name]) != _digests(now[name])
    ]
    tiles = [list(filter(None, made.get("tiles", now["tiles"]))) for made in (record, now)]
    if tiles[0] != tiles[1]:
        before, after = (", ".join(map(str, sizes)) or "none" for sizes in tiles)
        changed.append(f"tiles ({before}, now {after})")
    then = {"program": record["program"], **record["versions"], **record.get("machine", {})}
    here = {"program": now["program"], **now["versions"]}
    here |= now["machine"] if "machine" in record else {}  # earlier records do not say
    told = {"python"}
    if threads := _other_threads(then, here):
        changed.append(threads)
        told |= {*machine.THREADS}
    for name in sorted((then.keys() | here.keys()) - told):
        before, after = then.get(name, "none"), here.get(name, "none")
        if before != after:
            changed.append(f"{name} ({before}, now {after})")
    return [printable(line) for line in changed]


def threads_of(machine_then: Mapping[str, Any]) -> dict[str, str] | None:
    """Returns the variables that set how many threads there were, with their numbers.

    Args:
        machine_then: what a record says of the machine.

    Returns None if they have no numbers, as may be in a stranger's record.
    """
    said = {name: str(machine_then[name]) for name in machine.THREADS if name in machine_then}
    return said if all(re.fullmatch("[0-9]{1,9}", number) for number in said.values()) else None


def _other_threads(then, here):
    """Says how many threads there were, where variables set another number, and how to have them.

    "": they set the same, or not by a number.
    """
    before, now = threads_of(then), threads_of(here)
    if before is None or now is None or before == now:
        return ""
    was, is_now = (
        "/".join(dict.fromkeys(map(str, numbers.values()))) or "as many as cores"
        for numbers in (before, now)
    )
    set_them = [f"{name}={number}" for name, number in before.items()]
    unset = [name for name in now if name not in before]
    steps = {"set": set_them, "unset": unset}
    remedy = " and ".join(" ".join([verb, *names]) for verb, names in steps.items() if names)
    return f"number of threads ({was}, now {is_now}; for the same, {remedy})"


def _digests(files):
    """The SHA-256 of what `describe_file` gave, of one file or a list."""
    return [file.get("sha256") for file in (files if isinstance(files, list) else [files])]
