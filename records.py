"""What a run leaves with its pictures: how each was made, its losses as table and plot, a film."""

import csv
import hashlib
import importlib.metadata
import json
import platform
from pathlib import Path

import numpy as np
from PIL import Image

from pictures import InputError, read_description, replacing
from recipes import SETTINGS

PICTURE_SETTINGS = ("init", "style_masks", "content_mask")  # those that may name files
PACKAGES = ("keras", "numpy", "pillow", "scipy")
LOSS_COLUMNS = (
    "iteration",
    "evaluation",
    "seconds",
    "content",
    "style",
    "tv",
    "total",
    "size",  # rows
)
FILM_ROWS = 400  # a film is no higher than this
FILM_FRAMES = 120  # and has about as many frames as this
FRAMES_PER_SECOND = 15


# ---------------------------------------------------------------------------------------------
# How a picture was made
# ---------------------------------------------------------------------------------------------


def make_record(program, recipe, settings, weights, base, styles, backend):
    """What is to be known to make a result again, but for the pictures themselves.

    Args:
        program: its name and version.
        recipe: a name in `RECIPES`.
        settings: the values of all `SETTINGS`.
        weights: the `VGG19Weights`.
        base, styles: the path of the base, and those of the styles.
        backend: the name of Keras's backend, which is the name of its package.

    Returns:
        A dictionary that JSON can hold. Files appear by name and SHA-256, never by folder.
    """
    record = {"program": program, "recipe": recipe}
    record["settings"] = {name: settings[name] for name in SETTINGS}
    for name in PICTURE_SETTINGS:
        record["settings"][name] = _without_folders(settings[name])
    record["base"] = describe_file(base)
    record["styles"] = [describe_file(style) for style in styles]
    record["weights"] = {"sha256": weights_digest(weights)}
    record["versions"] = {"python": platform.python_version()} | {
        package: importlib.metadata.version(package) for package in (backend, *PACKAGES)
    }
    return record


def describe_file(path):
    """A file by its name, without the folder, and its SHA-256."""
    path = Path(path)
    return {"name": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def _without_folders(value):
    """A path, or a list of them, or neither, without folders."""
    if isinstance(value, (list, tuple)):
        return [_without_folders(path) for path in value]
    return value and Path(value).name


def weights_digest(weights):
    """The SHA-256 of all kernels and biases: of the numbers, whatever file they come from."""
    digest = hashlib.sha256()
    for kernel, bias in weights.layers.values():
        digest.update(np.ascontiguousarray(kernel))
        digest.update(np.ascontiguousarray(bias))
    return digest.hexdigest()


def to_text(record, **more):
    """A record, with what is known of this one picture added, as `save_image` stores it."""
    return json.dumps(record | more)


def read_record(path):
    """The record of the picture at `path`, a dictionary.

    Raises:
        InputError: no picture, or one that says nothing of how it was made.
    """
    try:
        record = json.loads(read_description(path))
        record["settings"], record["recipe"], record["base"]
    except (ValueError, TypeError, KeyError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path}: does not say how it was made; was it edited, or made by another program?"
        ) from None
    return record


def settings_like(record, given, path):
    """The settings of a record, but for those that are `given` (not None).

    Raises:
        InputError: it was made with pictures (masks, say) that are not given.
    """
    recorded = {name: value for name, value in record["settings"].items() if name in SETTINGS}
    for name in PICTURE_SETTINGS:
        needed = recorded.get(name) not in (None, "base", "noise")
        if needed and given[name] is None:
            raise InputError(
                f"{path}: was made with {SETTINGS[name].flag} {recorded[name]}; give it again"
            )
    return recorded | {name: value for name, value in given.items() if value is not None}


def differences(record, now):
    """What differs between two records that may make another picture of the same settings."""
    changed = ["weights"] if record["weights"] != now["weights"] else []
    then, here = record["versions"], now["versions"]
    for package in sorted((then.keys() | here.keys()) - {"python"}):
        versions = then.get(package, "none"), here.get(package, "none")
        if versions[0] != versions[1]:
            changed.append("{} ({}, now {})".format(package, *versions))
    return changed


# ---------------------------------------------------------------------------------------------
# Losses and growth
# ---------------------------------------------------------------------------------------------


class LossTable:
    """The losses of all evaluations, row by row as `LOSS_COLUMNS` names them."""

    def __init__(self):
        self.rows = []

    def add(self, iteration, seconds, losses, size):
        """Adds an evaluation: its iteration, seconds since the start, `Losses`, and rows."""
        terms = losses.content, losses.style, losses.total_variation, losses.total
        self.rows.append((iteration, len(self.rows) + 1, seconds, *terms, size))

    def save(self, path):
        """Writes a CSV file, whole or not at all. Raises OSError."""
        with replacing(path) as temporary, temporary.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(LOSS_COLUMNS)
            writer.writerows(self.rows)

    def plot(self, path):
        """Writes a plot of the losses against evaluations, a line where the size changes."""
        with replacing(path) as temporary:
            self.figure().savefig(temporary, dpi=120)

    def figure(self):
        """The plot as a Matplotlib figure."""
        from matplotlib.figure import Figure

        columns = dict(zip(LOSS_COLUMNS, np.array(self.rows, float).T, strict=True))
        figure = Figure(figsize=(7, 4), layout="constrained")
        axes = figure.subplots()
        for name in ("total", "content", "style", "tv"):
            losses = np.where(columns[name] > 0, columns[name], np.nan)  # a weight may be 0
            axes.semilogy(columns["evaluation"], losses, label=name)
        changes = np.flatnonzero(np.diff(columns["size"]))
        for index in changes:
            axes.axvline(columns["evaluation"][index] + 0.5, color="gray", linewidth=0.5)
        # A line search may try a point millions of times too high; it would flatten all the rest.
        axes.set_ylim(top=10 * np.median(columns["total"]))
        axes.set(xlabel="evaluations", ylabel="loss")
        axes.legend()
        return figure


class Film:
    """The growth of a picture, as a GIF or MP4.

    Args:
        path: ends in .gif or .mp4.
        rows, cols: of the result; the film is no higher than `FILM_ROWS`.
        evaluations: of the run, so that the film has about `FILM_FRAMES` frames.
    """

    def __init__(self, path, rows, cols, evaluations):
        self.path = Path(path)
        factor = min(1, FILM_ROWS / rows)
        # Video codecs want even sides.
        self._size = tuple(max(2, round(side * factor / 2) * 2) for side in (cols, rows))
        self._every = max(1, evaluations // FILM_FRAMES)
        self._frames = []
        self._seen = 0

    def add(self, pixels):
        """Notes a picture; `pixels` is a function that makes it, called where it is needed."""
        if self._seen % self._every == 0:
            image = Image.fromarray(np.rint(pixels()).astype(np.uint8))
            self._frames.append(np.asarray(image.resize(self._size, Image.Resampling.BICUBIC)))
        self._seen += 1

    def save(self):
        """Writes the film, whole or not at all; the last frame stays a second. Raises OSError."""
        import imageio.v3 as iio

        frames = np.stack(self._frames + self._frames[-1:] * FRAMES_PER_SECOND)
        options = {
            ".gif": {"plugin": "pillow", "duration": 1000 / FRAMES_PER_SECOND, "loop": 0},
            ".mp4": {"plugin": "FFMPEG", "fps": FRAMES_PER_SECOND, "macro_block_size": 2},
        }[self.path.suffix]
        with replacing(self.path) as temporary:
            iio.imwrite(temporary, frames, **options)
