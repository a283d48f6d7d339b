"""A run, prepared once: settings chosen, pictures read and checked, sizes and memory planned."""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from stylize.backend import tensors
from stylize.backend.arrays import NUMPY, ArrayNamespace, array_namespace
from stylize.backend.scratch import empty_in_file, empty_in_memory, file_arrays
from stylize.errors import InputError, SettingError
from stylize.images.colors import COLOR_TRANSFERS, keep_luma, recoloring, shade_limits, within_range
from stylize.images.detail import detail_map
from stylize.images.masks import load_mask, resize_mask
from stylize.images.optical_flow import Previous
from stylize.images.reading import load_image
from stylize.images.resize import (
    SMALLEST_SIDE,
    enlarge,
    enlarged_channels,
    fitted_size,
    resize_image,
    scaled_size,
    strips,
)
from stylize.images.writing import quantize
from stylize.losses.neighbors import HYPERCOLUMN_LAYERS
from stylize.losses.tiles import TilePasses
from stylize.runs import memory
from stylize.runs.progress import Stage
from stylize.runs.pyramid import plan_stages
from stylize.runs.recipes import DEFAULT_RECIPE, choose_settings
from stylize.runs.settings import EVALUATIONS_PER_ITERATION, OF_ADAM, SETTINGS, Settings
from stylize.vgg.preprocess import preprocess_image, rgb_values
from stylize.vgg.weights import IMAGENET_MEAN_BGR

TRIED = 2**20  # pixels of an evaluation that is made to foresee the seconds, at most
MEASURED = 2**20  # pixels of which a photo's colours and detail are measured, at most
STARTS = ("base", "recolored", "noise")  # what `init` may be, if not a picture


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
    """All that is known of a run before its first evaluation, except the weights.

    Attributes:
        recipe: the name of the recipe, "custom" for a mapping.
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
        return tuple(dict.fromkeys(layers))

    def with_tiles(self, tiles: Sequence[int | None]) -> "Job":
        """The same job, with the tile size given for each stage. Raises InputError: no room."""
        allowed, stages = memory.allowed_mib(self.settings), []
        for stage, tile in zip(self.stages, tiles, strict=True):
            if stage.tile != tile:
                job = self._replace(settings=self.settings | {"tile": tile or "off"})
                stage = _with_room(job, stage, allowed, "free some, or give a larger --memory")
            stages.append(stage)
        return self._replace(stages=stages)

    def within(self, mib: float, remedy: str = "") -> "Job":
        """The same job in so much memory, in tiles if need be. Raises InputError: no room."""
        stages = [_with_room(self, stage, mib, remedy) for stage in self.stages]
        return self._replace(stages=stages)

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
        evaluations = self.settings.frame_evaluations
        last = self.stages[-1]._replace(iterations=1, evaluations_per_iteration=evaluations)
        return job._replace(stages=[last], previous=previous)

    @property
    def total_evaluations(self) -> int:
        """The evaluations at all sizes."""
        return sum(stage.total_evaluations for stage in self.stages)

    def estimate_at(self, first: int) -> int:
        """The stage, from `first` on, at which to estimate the time that the run will take.

        The stages before it take only a moment, and so do two more evaluations of it. -1: none,
        for a stage too large for that, or a film's frame that follows another.
        """
        if self.previous is not None or self.stages[first].rows * self.stages[first].cols > TRIED:
            return -1
        small = [i for i, s in enumerate(self.stages[:-1]) if s.rows * s.cols <= TRIED]
        return max([first, *small])

    @property
    def needed_mib(self) -> float:
        """About the peak MiB of a process that paints this on a CPU."""
        return max(self.needed_mib_at(stage) for stage in self.stages)

    def needed_mib_at(self, stage: Stage) -> float:
        """About the peak MiB for one stage alone."""
        sizes = [
            math.prod(self._style_size(image, scale, stage))
            for image, scale in zip(self.inputs.styles, self.inputs.style_scales, strict=True)
        ]
        given = stage, self.settings, self.layers, sizes, self.has_neighbors(stage)
        return memory.needed_mib(*given) + self._decoded_mib()

    def _decoded_mib(self):
        """MiB of the pictures as they were read."""
        inputs = self.inputs
        images = [inputs.base, inputs.start, *inputs.styles]
        images += [mask for mask in (inputs.content_mask, *inputs.style_masks) if mask]
        sizes = {id(i): i.width * i.height * len(i.getbands()) for i in images}
        return sum(sizes.values()) / 2**20

    @property
    def needed_disk_mib(self) -> tuple[float, float]:
        """About the peak MiB of files in the scratch folder, and of the state file."""
        needed = [
            memory.needed_disk_mib(stage, self.settings, self.has_neighbors(stage))
            for stage in self.stages
        ]
        return max(files for files, _ in needed), max(state for _, state in needed)

    def has_neighbors(self, stage: Stage) -> bool:
        """Whether the loss has a term of neighbours at this stage."""
        return bool(self.settings.neighbor_weight) and not stage.refines

    def start(self, stage: Stage) -> np.ndarray:
        """The first combination, (rows, cols, 3), as `preprocess_image` makes it."""
        if self.previous is None:
            return self._kept(self._own_start(stage), stage)
        # Too few evaluations follow to paint over noise, or another picture.
        own_colors = isinstance(self.settings.init, str) and self.settings.init == "base"
        photo = self._preprocessed(self.inputs.base, stage, recolor=not own_colors)
        return self._kept(self.previous.start(photo), stage)

    def _own_start(self, stage):
        """The same without a frame before."""
        recolor = isinstance(self.settings.init, str) and self.settings.init == "recolored"
        x = self._preprocessed(self.inputs.start, stage, recolor)
        share = self.inputs.noise
        if share:
            rng = np.random.default_rng(self.settings.seed)
            noise = rng.normal(0, self.settings.noise, x.shape)
            x = ((1 - share) * x + share * noise).astype(np.float32)
        return x

    def base(self, stage: Stage) -> np.ndarray:
        """What content is compared with, (rows, cols, 3), as `preprocess_image` makes it."""
        recolor = self.settings.content_colors == "recolored"
        return self._preprocessed(self.inputs.base, stage, recolor)

    def styles(self, stage: Stage) -> list[Style]:
        """The styles, in the base's colours if `preserve_colors` asks for that."""
        inputs, resample = self.inputs, self.settings.resample
        recolor = COLOR_TRANSFERS.get(self.settings.preserve_colors)
        styles = []
        for image, scale, share, mask in zip(
            inputs.styles, inputs.style_scales, inputs.style_shares, inputs.style_masks, strict=True
        ):
            picture = resize_image(image, *self._style_size(image, scale, stage), resample)
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
        share = self.settings.handover * min(1.0, 2 * (1 - self.settings.strength))
        init = self.settings.init
        from_photo = isinstance(init, str) and init in ("base", "recolored")
        if not (share and from_photo and self.settings.content_weight):
            return self._kept(x, stage)
        photo = self.base(stage)
        without = enlarged_channels(self.base(before), stage.rows, stage.cols)
        for channel, enlarged in enumerate(without):  # one after another, for memory's sake
            x[..., channel] += share * (photo[..., channel] - enlarged)
        return self._kept(x, stage)

    @property
    def scratch(self) -> str | None:
        """The folder for files without a name; None: the system's folder for temporary files."""
        return None if self.settings.scratch == "auto" else self.settings.scratch

    def arrays(self, stage: Stage) -> ArrayNamespace:
        """The arrays that our own L-BFGS computes with."""
        if stage.in_files:
            return file_arrays(self.scratch)
        return NUMPY if stage.tile else array_namespace()

    @property
    def empty(self) -> Callable[[tuple[int, ...]], np.ndarray]:
        """Makes an array for a state that is read: in a file if those of any stage are."""
        if any(stage.in_files for stage in self.stages):
            return functools.partial(empty_in_file, folder=self.scratch)
        return empty_in_memory

    def _kept(self, x, stage):
        """A combination, in a file where those of the stage are to be."""
        return self.arrays(stage).asarray(x) if stage.in_files else x

    def content_mask(self, stage: Stage) -> np.ndarray | None:
        """(rows, cols), 0..1: how much the content counts where; None: the same everywhere."""
        kept = self.settings.detail_content * min(1.0, 2 * self.settings.strength)
        if self.inputs.content_mask is not None or not kept:
            return _resized_mask(self.inputs.content_mask, stage)
        return 1 - kept + kept * self._detail(stage)

    def query_content(self, stage: Stage) -> np.ndarray:
        """(rows, cols), 0..1: how much of the queries for neighbours comes from the photo.

        Strength s takes a share a to 1 - 2 s (1 - a) below 0.5, and to 2 (1 - s) a above.
        """
        plain, detailed = self.settings.query_content
        share = plain + (detailed - plain) * self._detail(stage)
        strength = self.settings.strength
        return np.where(strength <= 0.5, 1 - 2 * strength * (1 - share), 2 * (1 - strength) * share)

    def _detail(self, stage):
        """Where the photo has detail, or the content mask says that it is to be kept."""
        small = _measurable(stage)
        detail = detail_map(self._resized(self.inputs.base, small), small.rows, small.cols)
        if small is not stage:
            size = stage.cols, stage.rows
            image = Image.fromarray(detail).resize(size, Image.Resampling.BILINEAR)
            detail = np.asarray(image)
        mask = _resized_mask(self.inputs.content_mask, stage)
        return detail if mask is None else np.maximum(detail, mask)

    def _preprocessed(self, image, stage, recolor):
        """An image as `preprocess_image` makes it; in the styles' colours, turned by strength."""
        picture = preprocess_image(self._resized(image, stage))
        if not recolor:
            return picture
        small, black = _measurable(stage), np.negative(IMAGENET_MEAN_BGR)
        is_small = small is stage
        measured = picture if is_small else preprocess_image(self._resized(image, small))
        shares = self._shares(small)
        move = recoloring(measured, [style.picture for style in self.styles(small)], shares)
        limits = shade_limits(move(measured, shares) - black)
        amount = min(1.0, 2 * self.settings.strength)
        shares = shares if is_small else self._shares(stage)
        for rows in strips(stage.rows, stage.cols):
            part = picture[rows]
            own = [share if np.isscalar(share) else share[rows] for share in shares]
            moved = black + within_range(move(part, own) - black, limits)
            picture[rows] = part + amount * (moved - part)
        return picture

    def _shares(self, stage):
        """The share of each style: a number, or (rows, cols) where it has a mask."""
        return [
            share if mask is None else share * _resized_mask(mask, stage)
            for share, mask in zip(self.inputs.style_shares, self.inputs.style_masks, strict=True)
        ]

    def to_pixels(self, stage: Stage) -> Callable[..., np.ndarray]:
        """The function from a combination of any shape to RGB 0..255, (rows, cols, 3).

        It returns float64, or, given a number of bits, whole numbers of so many.
        """
        keep_colors = self.settings.preserve_colors == "luma"
        base = np.asarray(self._resized(self.inputs.base, stage)) if keep_colors else None

        def values(x, rows):
            return (
                rgb_values(x[rows]) if base is None else keep_luma(rgb_values(x[rows]), base[rows])
            )

        def to_pixels(x, bits=None):
            x = tensors.to_numpy(x).reshape(stage.rows, stage.cols, 3)
            if bits is None:
                return values(x, slice(None))
            return np.concatenate(
                [quantize(values(x, rows), bits) for rows in strips(stage.rows, stage.cols)]
            )

        return to_pixels

    def _style_size(self, image: Image.Image, scale: float | str, stage: Stage) -> tuple[int, int]:
        """(rows, cols) that a style is resized to, by its `style_scale`."""
        if scale == "fit":
            return stage.rows, stage.cols
        if scale == "area":
            area = stage.rows * stage.cols / (image.width * image.height)
            return scaled_size(image, math.sqrt(area))
        if self.settings.longer_side:
            longer = float(scale) * max(stage.rows, stage.cols)
            if not self.settings.enlarge_styles:
                longer = min(longer, max(image.size))
            rows, cols = fitted_size(image, longer, self.settings.longer_side)
            return max(rows, SMALLEST_SIDE), max(cols, SMALLEST_SIDE)
        return scaled_size(image, float(scale) * stage.cols / image.width)

    def _resized(self, image, stage):
        return resize_image(image, stage.rows, stage.cols, self.settings.resample)


def _resized_mask(mask, stage):
    return None if mask is None else resize_mask(mask, stage.rows, stage.cols)


def _measurable(stage):
    """The stage, or a smaller one with its aspect: what is measured there holds at any size."""
    factor = math.sqrt(MEASURED / (stage.rows * stage.cols))
    if factor >= 1:
        return stage
    return stage._replace(rows=round(stage.rows * factor), cols=round(stage.cols * factor))


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
        evaluations_per_iteration: the recipe's `effort` multiplies it, size by size.
        **given: settings that override the recipe's; None counts as not given.

    Raises:
        InputError: a picture or a setting that cannot be used.
    """
    settings = choose_settings(recipe, **given)
    _refuse_idle(settings, given)
    inputs = _read_inputs(base, style_reference, settings)
    stages = plan_stages(inputs.base, settings, evaluations_per_iteration)
    name = recipe if isinstance(recipe, str) else "custom"
    job = Job(name, settings, inputs, stages, evaluations_per_iteration)
    return job.within(memory.allowed_mib(settings))


def _refuse_idle(settings, given):
    """Raises SettingError where a setting that was given would change nothing."""
    if settings.style_turns and not settings.neighbor_weight:
        raise SettingError(
            "--style_turns", "needs a --neighbor_weight above 0, or recipe neighbors"
        )
    for name in OF_ADAM:
        if given.get(name) is not None and settings.optimizer != "adam":
            raise SettingError(SETTINGS[name].flag, "needs --optimizer adam, or recipe athalye")


def _with_room(job, stage, allowed, remedy=""):
    """The stage as the MiB allowed have room for it: whole, in tiles, with files.

    Raises InputError, with the remedy: not even the smallest tile fits.
    """
    for choice in memory.choices(stage, job.settings, job.layers):
        needed = job.needed_mib_at(choice)
        if needed <= allowed:
            return choice
    if not remedy:
        remedy = "choose a smaller size or a larger --memory"
        if job.settings.optimizer != "lbfgs":
            remedy += ", or --optimizer lbfgs, which can do with files"
    raise InputError(
        f"{stage.cols}x{stage.rows} pixels need about {needed / 1024:.1f} GiB of memory"
        f"{f' in tiles of {choice.tile}' if choice.tile else ''}, and {allowed / 1024:.1f} may be "
        f"taken; {remedy}"
    )


def _read_inputs(base, style_reference, settings):
    """The `Inputs` that the arguments and the settings name. Raises InputError."""
    several = isinstance(style_reference, (list, tuple))
    styles = [load_image(s) for s in (style_reference if several else [style_reference])]
    base = load_image(base)
    scales = settings.style_scale
    scales = [scales] if isinstance(scales, str) else scales
    blend = settings.style_blend or [1 / len(styles)] * len(styles)
    masks = settings.style_masks or [None] * len(styles)
    scales = scales * len(styles) if len(scales) == 1 else scales
    for flag, given in [("style_scale", scales), ("style_blend", blend), ("style_masks", masks)]:
        if len(given) != len(styles):
            raise SettingError(
                f"--{flag}", f"must have one for each style: {len(styles)}, not {len(given)}"
            )
    init, noise = settings.init, settings.noise_blend
    return Inputs(
        base=base,
        styles=styles,
        style_scales=scales,
        style_shares=blend,
        style_masks=[load_mask(mask) for mask in masks],
        content_mask=load_mask(settings.content_mask),
        start=base if isinstance(init, str) and init in STARTS else load_image(init),
        noise=1.0 if isinstance(init, str) and init == "noise" else noise,
    )
