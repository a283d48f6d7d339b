"""A run, prepared once: settings chosen, pictures read and checked, sizes and memory foreseen."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import psutil
from PIL import Image

from stylize import backend
from stylize.colors import COLOR_TRANSFERS, keep_luma, recolored, within_range
from stylize.errors import InputError
from stylize.flow import Previous
from stylize.lbfgs import FIRST_STEP
from stylize.neighbors import HYPERCOLUMN_LAYERS, SIMILARITIES, detail_map
from stylize.pictures import (
    enlarge,
    load_image,
    load_mask,
    preprocess_image,
    resize_image,
    resize_mask,
    rgb_values,
    scaled_size,
    working_size,
)
from stylize.progress import Stage
from stylize.settings import DEFAULT_RECIPE, EVALUATIONS_PER_ITERATION, choose_settings
from stylize.weights import CONVOLUTIONS, IMAGENET_MEAN_BGR

SMALLEST_SCALE = 100  # pixels of the short side at which a pyramid begins, or a little more
STARTS = ("base", "recolored", "noise")  # what `init` may be, if not a picture
FRAME_STEP = 1.0  # root mean square of a film's first step in frames that follow another
NOISE = 0.256  # standard deviation of the noise to start from, around the mean pixel
# What memory is needed for, measured by benchmarks/memory.py:
PROCESS_MIB = 940  # before a picture is there
NETWORK_BYTES = {"float32": 3000, "bfloat16": 2180, "float16": 2180}  # for each pixel it sees
STATE_BYTES = {"lbfgs": 320, "scipy": 1200, "adam": 200}  # for each pixel, by optimizer
WORKSPACE_BYTES, WORKSPACE_MIB = 640, 270  # of the convolutions, for each pixel, but not more than
COLUMN_BYTES = 900  # of hypercolumns, for each pixel of the picture and of the styles
SEARCH_BYTES = 10  # for each similarity that is in memory at once
TILES = (4096, 3072, 2048, 1536, 1024, 768, 512, 384, 256, 128)  # to choose from
FORWARD_BYTES = 480  # for each pixel of a style that goes through the network whole
SHARE = 0.8  # of the free memory that a run takes if it is not told


class Style(NamedTuple):
    """A style at one size of the combination."""

    picture: np.ndarray  # (rows, cols, 3), as `preprocess_image` makes it, of any size
    share: float = 1.0
    mask: np.ndarray | None = None  # (rows, cols) of the combination, 0..1: where the style goes


class Inputs(NamedTuple):
    """The pictures of a run, read and checked."""

    base: Image.Image
    styles: list[Image.Image]
    style_scales: list[float | str]  # for each style: a number, "fit" or "area"
    style_shares: list[float]
    style_masks: list[Image.Image | None]  # for each style, gray
    content_mask: Image.Image | None
    start: Image.Image
    noise: float  # share of noise in the start


class Job(NamedTuple):
    """All that there is to know before the first evaluation, but for the weights.

    Attributes:
        recipe: the name of the recipe, "custom" for a mapping.
        settings: a value for every key of a recipe.
        inputs: the pictures.
        stages: from the coarsest to the result.
        evaluations_per_iteration: before the recipe's `effort`.
        previous: of a film's frame, what it is held to; None: it begins a scene, or is a photo.
    """

    recipe: str
    settings: dict[str, Any]
    inputs: Inputs
    stages: list[Stage]
    evaluations_per_iteration: int = EVALUATIONS_PER_ITERATION
    previous: Previous | None = None

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of the layers whose features are compared."""
        layers = {**self.settings["content_layers"], **self.settings["style_layers"]}
        if self.settings["neighbor_weight"]:
            layers |= dict.fromkeys(HYPERCOLUMN_LAYERS)
        return tuple(layers)

    def with_tiles(self, tiles: Sequence[int | None]) -> "Job":
        """The same, each stage in tiles of the size given for it."""
        stages = zip(self.stages, tiles, strict=True)
        return self._replace(stages=[stage._replace(tile=tile) for stage, tile in stages])

    def frame(self, image: Image.Image, previous: Previous | None) -> "Job":
        """The same for another frame of the film whose first frame this job is of.

        Args:
            image: the frame, as `load_image` gives it.
            previous: where there is one, a few evaluations at the last size are enough.
        """
        start = image if self.inputs.start is self.inputs.base else self.inputs.start
        job = self._replace(inputs=self.inputs._replace(base=image, start=start))
        if previous is None:
            return job
        evaluations = self.settings["frame_evaluations"]
        last = self.stages[-1]._replace(iterations=1, evaluations_per_iteration=evaluations)
        return job._replace(stages=[last], previous=previous)

    @property
    def total_evaluations(self) -> int:
        """At all sizes."""
        return sum(stage.total_evaluations for stage in self.stages)

    @property
    def first_step(self) -> float:
        """Of L-BFGS: a frame that follows another starts near its end."""
        return FIRST_STEP if self.previous is None else FRAME_STEP

    @property
    def needed_mib(self) -> float:
        """About the peak MiB of a process that paints this on a CPU."""
        return max(self.needed_mib_at(stage) for stage in self.stages)

    def needed_mib_at(self, stage: Stage) -> float:
        """The same for one stage alone."""
        pixels = stage.rows * stage.cols
        seen = pixels  # by the network at once
        if stage.tile:
            side = stage.tile + 2 * margin(self.layers)
            seen = min(stage.rows, side) * min(stage.cols, side)
        needed = PROCESS_MIB * 2**20 + pixels * STATE_BYTES[self.settings["optimizer"]]
        sizes = [
            math.prod(_style_size(image, scale, stage))
            for image, scale in zip(self.inputs.styles, self.inputs.style_scales, strict=True)
        ]
        network = seen * NETWORK_BYTES[stage.precision]
        needed += max(network, 0 if stage.tile else max(sizes) * FORWARD_BYTES)
        needed += min(seen * WORKSPACE_BYTES, WORKSPACE_MIB * 2**20)
        if self.settings["neighbor_weight"]:
            sizes = [size * (1 + self.settings["style_turns"]) for size in sizes]
            similarities = min(SIMILARITIES, pixels // 16 * max(sizes) // 16)
            needed += (pixels + sum(sizes)) * COLUMN_BYTES + similarities * SEARCH_BYTES
        return needed / 2**20

    def start(self, stage: Stage) -> np.ndarray:
        """The first combination, (rows, cols, 3), as `preprocess_image` makes it."""
        x = self._own_start(stage)
        if self.previous is None:
            return x
        return self.previous.start(x, self.styles(stage)[0].picture)

    def _own_start(self, stage):
        """The same without a frame before."""
        x = preprocess_image(self._resized(self.inputs.start, stage))
        if isinstance(self.settings["init"], str) and self.settings["init"] == "recolored":
            x = self._recolored(x, stage)
        share = self.inputs.noise
        if not share:
            return x
        noise = np.random.default_rng(self.settings["seed"]).normal(0, NOISE, x.shape)
        return ((1 - share) * x + share * noise).astype(np.float32)

    def base(self, stage: Stage) -> np.ndarray:
        """What content is compared with, (rows, cols, 3), as `preprocess_image` makes it."""
        base = preprocess_image(self._resized(self.inputs.base, stage))
        recolor = self.settings["content_colors"] == "recolored"
        return self._recolored(base, stage) if recolor else base

    def styles(self, stage: Stage) -> list[Style]:
        """The styles, in the base's colours where these are kept so."""
        inputs, resample = self.inputs, self.settings["resample"]
        recolor = COLOR_TRANSFERS.get(self.settings["preserve_colors"])
        styles = []
        for image, scale, share, mask in zip(
            inputs.styles, inputs.style_scales, inputs.style_shares, inputs.style_masks, strict=True
        ):
            picture = resize_image(image, *_style_size(image, scale, stage), resample)
            if recolor:
                picture = recolor(picture, self._resized(inputs.base, stage))
            styles.append(Style(preprocess_image(picture), share, _resized_mask(mask, stage)))
        return styles

    def enlarged(self, x: np.ndarray, index: int) -> np.ndarray:
        """The last combination of the stage before, at the size of the stage of this index.

        It gets the detail that the photo has at this size and could not have at the smaller one:
        small faces have their eyes again before they are painted on.

        Args:
            x: (rows, cols, 3) of the stage before.
            index: of the stage, above 0.
        """
        stage, before = self.stages[index], self.stages[index - 1]
        x = enlarge(x, stage.rows, stage.cols)
        share = self.settings["handover"] * min(1.0, 2 * (1 - self.settings["strength"]))
        init = self.settings["init"]
        from_photo = isinstance(init, str) and init in ("base", "recolored")
        if not (share and from_photo and self.settings["content_weight"]):
            return x
        detail = self.base(stage) - enlarge(self.base(before), stage.rows, stage.cols)
        return (x + share * detail).astype(np.float32)

    def content_mask(self, stage: Stage) -> np.ndarray | None:
        """(rows, cols), 0..1: where and how much the content counts; None: everywhere alike."""
        kept = self.settings["detail_content"] * min(1.0, 2 * self.settings["strength"])
        if self.inputs.content_mask is not None or not kept:
            return _resized_mask(self.inputs.content_mask, stage)
        return 1 - kept + kept * self._detail(stage)

    def query_content(self, stage: Stage) -> np.ndarray:
        """(rows, cols), 0..1: how much of the queries for neighbours is the photo's.

        Strength s takes a share a to 1 - 2 s (1 - a) below 0.5, and to 2 (1 - s) a above.
        """
        plain, detailed = self.settings["query_content"]
        share = plain + (detailed - plain) * self._detail(stage)
        strength = self.settings["strength"]
        return np.where(strength <= 0.5, 1 - 2 * strength * (1 - share), 2 * (1 - strength) * share)

    def _detail(self, stage):
        """Where the photo has detail, or the content mask says that it is to be kept."""
        detail = detail_map(self._resized(self.inputs.base, stage), stage.rows, stage.cols)
        mask = _resized_mask(self.inputs.content_mask, stage)
        return detail if mask is None else np.maximum(detail, mask)

    def _recolored(self, picture, stage):
        """A picture, as `preprocess_image` makes it, in the styles' colours, turned by strength."""
        styles = self.styles(stage)
        shares = [s.share if s.mask is None else s.share * s.mask for s in styles]
        moved = recolored(picture, [style.picture for style in styles], shares)
        black = np.negative(IMAGENET_MEAN_BGR)
        amount = min(1.0, 2 * self.settings["strength"])
        moved = black + within_range(moved - black)
        return (picture + amount * (moved - picture)).astype(np.float32)

    def to_pixels(self, stage: Stage) -> Callable[[Any], np.ndarray]:
        """The function from a combination of any shape to RGB 0..255, float64 (rows, cols, 3)."""
        keep_colors = self.settings["preserve_colors"] == "luma"
        base = self._resized(self.inputs.base, stage) if keep_colors else None

        def to_pixels(x):
            x = backend.keras.ops.convert_to_numpy(x).reshape(stage.rows, stage.cols, 3)
            return rgb_values(x) if base is None else keep_luma(rgb_values(x), base)

        return to_pixels

    def _resized(self, image, stage):
        return resize_image(image, stage.rows, stage.cols, self.settings["resample"])


def margin(layers: Iterable[str]) -> int:
    """Pixels around a tile that the deepest of some layers sees, up to the coarsest step.

    `tiles.make_tiles` has it from the network itself, before which memory is foreseen.
    """
    deepest = max(list(CONVOLUTIONS).index(layer) for layer in layers)
    strides = [2 ** (int(name[5]) - 1) for name in list(CONVOLUTIONS)[: deepest + 1]]
    return math.ceil(sum(strides) / strides[-1]) * strides[-1]


def _style_size(image: Image.Image, scale: float | str, stage: Stage) -> tuple[int, int]:
    """(rows, cols) that a style is resized to, by its `style_scale`."""
    if scale == "fit":
        return stage.rows, stage.cols
    if scale == "area":
        area = stage.rows * stage.cols / (image.width * image.height)
        return scaled_size(image, math.sqrt(area))
    return scaled_size(image, float(scale) * stage.cols / image.width)


def _resized_mask(mask, stage):
    return None if mask is None else resize_mask(mask, stage.rows, stage.cols)


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
        recipe: as in `choose_settings`.
        evaluations_per_iteration: or about as many, as the recipe's `effort` has it.
        **given: settings that win over the recipe's; None is not given.

    Raises:
        InputError: a picture or a setting that cannot be used.
    """
    settings = choose_settings(recipe, **given)
    if settings["style_turns"] and not settings["neighbor_weight"]:
        raise InputError("--style_turns needs a --neighbor_weight above 0, or recipe neighbors")
    inputs = _read_inputs(base, style_reference, settings)
    stages = _plan_stages(inputs.base, settings, evaluations_per_iteration)
    name = recipe if isinstance(recipe, str) else "custom"
    job = Job(name, settings, inputs, stages, evaluations_per_iteration)
    allowed = allowed_mib(settings)
    return job._replace(stages=[_with_tile(job, stage, allowed) for stage in stages])


def allowed_mib(settings: Mapping[str, Any]) -> float:
    """The MiB that a run may take. Who asks for tiles or none, and for no limit, may try it."""
    if settings["memory"] != "auto":
        return settings["memory"] * 2**10
    return SHARE * backend.free_memory() if settings["tile"] == "auto" else math.inf


def _with_tile(job, stage, allowed):
    """The stage with the tile that is asked for, or the largest that the MiB allowed have room for.

    Raises InputError: not even the smallest fits.
    """
    tile, largest = job.settings["tile"], max(stage.rows, stage.cols)
    sizes = {"auto": (None, *TILES), "off": (None,)}.get(tile, (tile,))
    choices = [stage._replace(tile=size) for size in sizes if size is None or size < largest]
    for choice in choices or [stage]:
        needed = job.needed_mib_at(choice)
        if needed <= allowed:
            return choice
    larger = "" if job.settings["memory"] == "auto" else " or a larger --memory"
    raise InputError(
        f"{stage.cols}x{stage.rows} pixels need about {needed / 1024:.1f} GiB of memory"
        f"{f' in tiles of {choice.tile}' if choice.tile else ''}, and {allowed / 1024:.1f} may be "
        f"taken; choose a smaller size{larger}"
    )


def _read_inputs(base, style_reference, settings):
    """The `Inputs` that the arguments and the settings name. Raises InputError."""
    several = isinstance(style_reference, (list, tuple))
    styles = [load_image(s) for s in (style_reference if several else [style_reference])]
    base = load_image(base)
    scales = settings["style_scale"]
    scales = [scales] if isinstance(scales, str) else scales
    blend = settings["style_blend"] or [1 / len(styles)] * len(styles)
    masks = settings["style_masks"] or [None] * len(styles)
    scales = scales * len(styles) if len(scales) == 1 else scales
    for flag, given in [("style_scale", scales), ("style_blend", blend), ("style_masks", masks)]:
        if len(given) != len(styles):
            raise InputError(f"--{flag}: give one for each style: {len(styles)}, not {len(given)}")
    init, noise = settings["init"], settings["noise_blend"]
    return Inputs(
        base=base,
        styles=styles,
        style_scales=scales,
        style_shares=blend,
        style_masks=[load_mask(mask) for mask in masks],
        content_mask=load_mask(settings["content_mask"]),
        start=base if isinstance(init, str) and init in STARTS else load_image(init),
        noise=1.0 if isinstance(init, str) and init == "noise" else noise,
    )


def _plan_stages(base, settings, evaluations_per_iteration):
    """The list of `Stage` for the Pillow image `base`. Raises InputError: too small for VGG19."""
    precision = settings["precision"]
    if precision == "auto":
        precision = "bfloat16" if backend.bfloat16_is_fast() else "float32"
    sizes = _plan_sizes(base, settings)
    stages = []
    for index, size in enumerate(sizes):
        coarse = 1 - index / (len(sizes) - 1) if index + 1 < len(sizes) else 0.0  # 1 at the first
        at_first, at_last = settings["effort"]
        effort = at_last + (at_first - at_last) * coarse
        evaluations = max(1, round(evaluations_per_iteration * effort))
        stages.append(Stage(*size, settings["iterations"], evaluations, precision))
    return stages


def _plan_sizes(base, settings):
    """(rows, cols) from the coarsest to the result."""
    rows, cols = working_size(base, settings["size"])
    if settings["strength"] == 0:  # the photo, which small sizes would only blur
        return [(rows, cols)]
    scales, first, short = settings["scales"], settings["first_size"], min(rows, cols)
    if scales == "auto" and first:
        steps = max(0, round(math.log2(short / first)))  # each about twice the one before
        ratios = [(first / short) ** ((steps - step) / steps) for step in range(steps)]
    else:
        if scales == "auto":
            scales = 1 + max(0, math.floor(math.log2(short / SMALLEST_SCALE)))
        ratios = [1 / 2**halvings for halvings in range(scales - 1, 0, -1)]
    return [*(working_size(base, round(rows * ratio)) for ratio in ratios), (rows, cols)]


def memory_warning(job: Job) -> str:
    """What to tell where the machine has less free memory than the job needs, else "".

    On a GPU it is the GPU's memory that counts, of which nothing is known here.
    """
    needed, free = job.needed_mib, psutil.virtual_memory().available / 2**20
    if needed <= free or backend.uses_gpu():
        return ""
    rows, cols = job.stages[-1][:2]
    return (
        f"{cols}x{rows} pixels need about {needed / 1024:.1f} GiB of memory and "
        f"{free / 1024:.1f} GiB are free; choose a smaller --size"
    )
