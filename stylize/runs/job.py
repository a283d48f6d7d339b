"""A run, prepared once: settings chosen, pictures read and checked, sizes and memory planned."""

import functools
import hashlib
import json
import math
import numbers
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from stylize.backend.scratch import empty_in_file, empty_in_memory
from stylize.errors import InputError, NoMemory, SettingError, one_line, require
from stylize.images.margins import Box, without_margins
from stylize.images.masks import load_keep_mask, load_mask
from stylize.images.optical_flow import Previous
from stylize.images.reading import load_image
from stylize.losses.hypercolumns import HYPERCOLUMN_LAYERS
from stylize.losses.similarity import LAYERS as SIMILARITY_LAYERS
from stylize.losses.style import Painting
from stylize.losses.tiled import TilePasses
from stylize.runs import memory
from stylize.runs.level import Inputs, Level
from stylize.runs.progress import Checkpoint, Iterate, Progress, Stage
from stylize.runs.pyramid import plan_stages
from stylize.runs.recipes import DEFAULT_RECIPE, choose_settings, name_of
from stylize.runs.settings import (
    EVALUATIONS_PER_ITERATION,
    OF_ADAM,
    PICTURE_SETTINGS,
    SETTINGS,
    UNRECORDED,
    WEIGHTS,
    Settings,
)
from stylize.runs.style_sizes import seen_size
from stylize.runs.validators import checked, is_word, side, whole_number
from stylize.vgg.weights import VGG19Weights

MOST_EVALUATIONS = 10**6  # of an iteration
STARTS = ("base", "recolored", "noise")  # what `init` may be, if not a picture


class Job(NamedTuple):
    """All that is known of a run before its first evaluation, except the weights.

    Attributes:
        recipe: the name of the recipe whose values, settings aside, are the same, or "custom".
        settings: a value for everything that decides how the picture comes out.
        inputs: the pictures.
        stages: from the coarsest to the result.
        evaluations_per_iteration: before the recipe's `effort`.
        passes: what runs tiles through the network, see `TiledLossAndGrads`.
        previous: what a film's frame is kept close to; None: it begins a scene, or is a photo.
    """

    recipe: str
    settings: Settings
    inputs: Inputs
    stages: list[Stage]
    evaluations_per_iteration: int = EVALUATIONS_PER_ITERATION
    passes: Callable = TilePasses
    previous: Previous | None = None

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of the layers whose features are compared."""
        layers = [*self.settings.content_layers, *self.settings.style_layers]
        if self.settings.neighbor_weight:
            layers += HYPERCOLUMN_LAYERS
        if self.settings.similarity_weight:
            layers += SIMILARITY_LAYERS
        return tuple(dict.fromkeys(layers))

    @property
    def key(self) -> str:
        """What tells this run from others: settings, sizes and, at a glance, pictures."""
        inputs = self.inputs
        masks = inputs.content_mask, inputs.keep_mask, *inputs.style_masks
        pictures = [inputs.base, inputs.start, *inputs.styles, *filter(None, masks)]
        glances = [each.resize((32, 32), Image.Resampling.NEAREST).tobytes() for each in pictures]
        left_out = UNRECORDED + PICTURE_SETTINGS
        settings = {n: value for n, value in vars(self.settings).items() if n not in left_out}
        known = [settings, [stage[:5] for stage in self.stages]]
        text = json.dumps(known, default=_as_json, sort_keys=True)
        return hashlib.sha256(b"".join([text.encode(), *glances])).hexdigest()

    def resumed(self, checkpoint: Checkpoint | None) -> Checkpoint | None:
        """Returns a copy of a checkpoint to resume from. Raises InputError: it is of another run.

        One that does not say of which run it is, as `Checkpoint(stage, start)` to begin with a
        picture of one's own, is only to have the size of its stage.
        """
        if checkpoint is None:
            return None
        require("checkpoint", checkpoint, Checkpoint, "a Checkpoint, as `keep` is given")
        index, stages = checkpoint.stage, self.stages
        if checkpoint.run not in ("", self.key) or not 0 <= index < len(stages):
            raise InputError("checkpoint must be of this run; it is of another job")
        wanted, shape = (*stages[index][:2], 3), np.shape(checkpoint.start)
        if shape != wanted:
            problem = f"must have shape {wanted} at stage {index}, not {shape}"
            raise InputError(f"checkpoint's start {problem}")
        return checkpoint.copy()

    def with_tiles(self, tiles: Sequence[int | None]) -> "Job":
        """The same job, with other tiles.

        Args:
            tiles: for each stage the pixels of a tile's sides, None for the whole picture.

        Raises InputError: not one value for each stage, one that no tile can have, or no room.
        """
        number = len(self.stages)
        if not isinstance(tiles, list | tuple) or len(tiles) != number:
            raise InputError(f"tiles must be a list of {number}, one value for each stage")
        allowed, stages = memory.allowed_mib(self.settings), []
        for stage, tile in zip(self.stages, tiles, strict=True):
            tile = None if tile is None else checked("--tile", side, tile, "tiles")
            if stage.tile != tile:
                job = self._replace(settings=self.settings | {"tile": tile or "off"})
                stage = _with_room(job, stage, allowed, "free some, or give a larger --memory")
            stages.append(stage)
        return self._replace(stages=stages)

    def within(self, mib: float, remedy: str = "") -> "Job":
        """The same job in so much memory, in tiles if need be. Raises InputError: no room."""
        require("mib", mib, numbers.Real, "a number")
        # The largest first: where there is no room, the answer names the size that was asked for.
        stages = [_with_room(self, stage, mib, remedy) for stage in reversed(self.stages)]
        return self._replace(stages=stages[::-1])

    def frame(self, image: Image.Image, previous: Previous | None) -> "Job":
        """The same job for another frame of the film; this one is for the first frame.

        Args:
            image: the frame, as `load_image` gives it.
            previous: where there is one, a few evaluations at the last size are enough.
        """
        start = image if self.inputs.start is self.inputs.base else self.inputs.start
        job = self._replace(inputs=self.inputs._replace(base=image, start=start))
        if previous is None:
            return job
        return job._replace(stages=self.frame_stages, previous=previous)

    @property
    def frame_stages(self) -> list[Stage]:
        """The stages of each film frame but those that begin a scene."""
        evaluations = self.settings.frame_evaluations
        return [self.stages[-1]._replace(iterations=1, evaluations_per_iteration=evaluations)]

    @property
    def total_evaluations(self) -> int:
        """The evaluations at all sizes."""
        return sum(stage.total_evaluations for stage in self.stages)

    @property
    def needed_mib(self) -> float:
        """About the peak MiB of a process that paints this on a CPU."""
        return max(self.needed_mib_at(stage) for stage in self.stages)

    def needed_mib_at(self, stage: Stage) -> float:
        """About the peak MiB for one stage alone."""
        sizes = self._style_pixels(stage)
        return memory.needed_mib(stage, self.settings, self.layers, sizes) + self._decoded_mib()

    def _style_pixels(self, stage):
        """The pixels of each style at a stage."""
        return [
            math.prod(seen_size(image, scale, stage, self.settings))
            for image, scale in zip(self.inputs.styles, self.inputs.style_scales, strict=True)
        ]

    def _decoded_mib(self):
        """MiB of the pictures as they were read."""
        inputs = self.inputs
        images = [inputs.base, inputs.start, *inputs.styles]
        masks = inputs.content_mask, inputs.keep_mask, *inputs.style_masks
        images += [mask for mask in masks if mask]
        sizes = {id(i): i.width * i.height * len(i.getbands()) for i in images}
        return sum(sizes.values()) / 2**20

    @property
    def needed_disk_mib(self) -> tuple[float, float]:
        """About the peak MiB of files in the scratch folder, and of the state file."""
        needed = [
            memory.needed_disk_mib(stage, self.settings, self._style_pixels(stage))
            for stage in self.stages
        ]
        return max(files for files, _ in needed), max(state for _, state in needed)

    def level(self, stage: Stage) -> Level:
        """Returns the pictures that one of the stages needs, each made once."""
        require("stage", stage, Stage, "a Stage, one of job.stages")
        return Level(self.settings, self.inputs, stage, self.stages[-1].rows, self.previous)

    def start(self, stage: Stage) -> np.ndarray:
        """Returns the first combination, (rows, cols, 3), as `preprocess_image` makes it."""
        return self.level(stage).start

    def base(self, stage: Stage) -> np.ndarray:
        """Returns what content is compared with, of the same kind."""
        return self.level(stage).base

    def styles(self, stage: Stage) -> list[Painting]:
        """Returns the styles as the network sees them: recoloured or extended, if that is asked."""
        return self.level(stage).styles

    def to_pixels(self, stage: Stage) -> Callable[..., np.ndarray]:
        """Returns the function from a combination of any shape to RGB 0..255, (rows, cols, 3).

        It returns float64, or, given a number of bits, whole numbers of so many.
        """
        return self.level(stage).to_pixels

    @property
    def empty(self) -> Callable[[tuple[int, ...]], np.ndarray]:
        """Makes an array to read a state into: in a file if any stage's arrays are."""
        if any(stage.in_files for stage in self.stages):
            return functools.partial(empty_in_file, folder=self.settings.scratch_folder)
        return empty_in_memory


def started(
    job: Job,
    weights: VGG19Weights,
    progress: Progress | None,
    callback: Callable[[Iterate], None] | None,
    keep: Callable[[Checkpoint], None],
) -> Progress:
    """Returns the progress of a run that starts now, a new one if None is given.

    Raises InputError: an argument of `paint` is of another kind.
    """
    require("job", job, Job, "a Job, from prepare")
    require("weights", weights, VGG19Weights, "a VGG19Weights, from load_weights")
    progress = Progress() if progress is None else progress
    require("progress", progress, Progress, "a Progress")
    require("keep", keep, Callable, "a function of a Checkpoint")
    progress.start_run(job.stages, callback)
    return progress


def prepare(
    base: Any,
    style_reference: Any,
    recipe: str | Mapping = DEFAULT_RECIPE,
    evaluations_per_iteration: int = EVALUATIONS_PER_ITERATION,
    **given: Any,
) -> Job:
    """Checks all that can be checked before the network is there, and returns the `Job`.

    Args:
        base: a path, a Pillow image or a uint8 array, see `load_image`.
        style_reference: the same, or a list of them.
        recipe: a name in `RECIPES`, or a mapping with the keys of one of them.
        evaluations_per_iteration: the recipe's `effort` multiplies it, size by size.
        **given: settings that override the recipe's; None counts as not given.

    Raises:
        InputError: a picture or a setting that cannot be used.
    """
    settings = choose_settings(recipe, **given)
    _refuse_idle(settings, given)
    evaluations_per_iteration = checked(
        "evaluations_per_iteration",
        functools.partial(whole_number, maximum=MOST_EVALUATIONS),
        evaluations_per_iteration,
    )
    inputs = _read_inputs(base, style_reference, settings)
    stages = plan_stages(inputs.base, settings, evaluations_per_iteration)
    name = recipe if isinstance(recipe, str) else name_of(settings)
    job = Job(name, settings, inputs, stages, evaluations_per_iteration)
    return job.within(memory.allowed_mib(settings))


def _as_json(value):
    """A value that JSON has no word for: layers with their shares, or what is known by its kind."""
    return dict(value) if isinstance(value, Mapping) else type(value).__name__


def _refuse_idle(settings, given):
    """Raises SettingError where a setting that was given would change nothing."""
    if settings.style_turns and not settings.neighbor_weight:
        raise SettingError(
            "--style_turns", "needs a --neighbor_weight above 0, or recipe neighbors"
        )
    if not any(settings[name] for name in WEIGHTS):
        raise SettingError("--style_weight", "and all other weights are 0: nothing would change")
    for name in OF_ADAM:
        if given.get(name) is not None and settings.optimizer != "adam":
            raise SettingError(SETTINGS[name].flag, "needs --optimizer adam, or recipe athalye")


def _with_room(job, stage, allowed, remedy=""):
    """The stage as the MiB allowed have room for it: whole, in tiles, with files.

    Raises NoMemory, with the remedy: not even the smallest tile fits.
    """
    for choice in memory.choices(stage, job.settings, job.layers):
        needed = job.needed_mib_at(choice)
        if needed <= allowed:
            return choice
    if allowed < memory.PROCESS_MIB:
        remedy = (
            f"the program alone takes {memory.PROCESS_MIB / 1024:.1f}: free some, or give a larger "
            "--memory"
        )
    elif not remedy:
        remedy = "choose a smaller size or a larger --memory"
        if job.settings.optimizer != "lbfgs":
            remedy += ", or --optimizer lbfgs, which can do with files"
    needs, may = memory.told_apart(needed, allowed)
    raise NoMemory(
        f"{stage.cols}x{stage.rows} pixels need about {needs} GiB of memory"
        f"{f' in tiles of {choice.tile}' if choice.tile else ''}, and {may} may be taken; {remedy}"
    )


def _read_inputs(base, style_reference, settings):
    """The `Inputs` that the arguments and the settings name. Raises InputError."""
    several = isinstance(style_reference, (list, tuple))
    pictures = style_reference if several else [style_reference]
    styles = [_read("style_reference", load_image, picture) for picture in pictures]
    if not styles:
        raise InputError("style_reference must be at least one style, received an empty list")
    find_box = without_margins if settings.style_crop == "auto" else Box.whole
    boxes = [find_box(style) for style in styles]
    base = _read("base", load_image, base)
    scales = settings.style_scale
    scales = [scales] if isinstance(scales, str) else scales
    blend = settings.style_blend or [1 / len(styles)] * len(styles)
    masks = settings.style_masks or [None] * len(styles)
    scales = scales * len(styles) if len(scales) == 1 else scales
    for flag, given in [("style_scale", scales), ("style_blend", blend), ("style_masks", masks)]:
        if len(given) != len(styles):
            raise SettingError(
                f"--{flag}",
                f"must have one value for each style: {len(styles)} in all, not {len(given)}",
            )
    init, noise = settings.init, settings.noise_blend
    return Inputs(
        base=base,
        styles=[box.of(style) for style, box in zip(styles, boxes, strict=True)],
        style_boxes=boxes,
        style_scales=scales,
        style_shares=blend,
        style_masks=[_read("style_masks", load_mask, mask) for mask in masks],
        content_mask=_read("content_mask", load_mask, settings.content_mask),
        keep_mask=_read("keep_mask", load_keep_mask, settings.keep_mask),
        start=base if is_word(init, *STARTS) else _read_start(init),
        noise=1.0 if is_word(init, "noise") else noise,
    )


def _read_start(init):
    """The picture to start from. Raises InputError, also of what looks like a misspelt word."""
    if isinstance(init, str) and not any([os.path.splitext(init)[1], os.path.exists(init)]):
        words = ", ".join(STARTS)
        raise SettingError("--init", f"must be {words} or a picture; there is no {one_line(init)}")
    return _read("init", load_image, init)


def _read(argument, load, picture):
    """What `load` makes of a picture; errors name the argument of one that has no path."""
    has_path = isinstance(picture, str | os.PathLike)
    return load(picture, None if has_path else argument)
