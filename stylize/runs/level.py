"""A size of the pyramid: the pictures that painting at it needs, each made once."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from stylize.backend import tensors
from stylize.backend.arrays import NUMPY, ArrayNamespace, array_namespace
from stylize.backend.scratch import file_arrays
from stylize.backend.tensors import keras
from stylize.errors import InputError
from stylize.images.colors import (
    COLOR_TRANSFERS,
    keep_luma,
    recoloring,
    shade_limits,
    within_range,
)
from stylize.images.detail import detail_map
from stylize.images.fineness import has_fine_detail, without_finest
from stylize.images.margins import Box
from stylize.images.masks import resize_mask
from stylize.images.optical_flow import Previous
from stylize.images.resize import (
    enlarge,
    enlarged_channels,
    resize_image,
    scaled_size,
    strips,
)
from stylize.images.writing import quantize
from stylize.losses import similarity
from stylize.losses.hypercolumns import BEYOND
from stylize.losses.kept import KeptLossAndGrads, KeptPhoto
from stylize.losses.matching import find_neighbors
from stylize.losses.style import Painting
from stylize.losses.term import Canvas
from stylize.runs.progress import Stage
from stylize.runs.settings import Settings
from stylize.runs.style_sizes import extended, seen_size, style_size
from stylize.runs.validators import is_word
from stylize.vgg.preprocess import preprocess_image, rgb_values
from stylize.vgg.weights import IMAGENET_MEAN_BGR

MEASURED = 2**20  # pixels of which a photo's colours and detail are measured, at most


class Inputs(NamedTuple):
    """The pictures of a run, read and checked."""

    base: Image.Image
    styles: list[Image.Image]
    style_boxes: list[Box]  # the part of each style's picture that is the style
    style_scales: list[float | str]  # for each style: a number, "fit" or "area"
    style_shares: list[float]
    style_masks: list[Image.Image | None]  # for each style, grey
    content_mask: Image.Image | None
    keep_mask: Image.Image | None
    start: Image.Image
    noise: float  # share of noise in the start


class Level:
    """A size of the pyramid. Pictures are (rows, cols, 3), as `preprocess_image` makes them.

    Args:
        settings, inputs: of the run.
        stage: what is painted at this size.
        last_rows: of the result.
        previous: what a film's frame is kept close to; None: nothing.
    """

    def __init__(
        self,
        settings: Settings,
        inputs: Inputs,
        stage: Stage,
        last_rows: int,
        previous: Previous | None = None,
    ):
        self.settings, self.inputs, self.stage = settings, inputs, stage
        self.last_rows, self.previous = last_rows, previous
        self._resized_images: dict[tuple[int, int, int], Image.Image] = {}

    @property
    def arrays(self) -> ArrayNamespace:
        """The arrays that our own L-BFGS computes with."""
        if self.stage.in_files:
            return file_arrays(self.settings.scratch_folder)
        return NUMPY if self.stage.tile else array_namespace()

    @property
    def times_smaller(self) -> float:
        """How many times smaller this size is than the one at which weights mean what they say."""
        reference = self.settings.reference_rows or self.stage.rows
        if isinstance(reference, str):  # "last"
            reference = self.last_rows
        return reference / self.stage.rows

    @functools.cached_property
    def start(self) -> np.ndarray:
        """The first combination."""
        if self.previous is None:
            return self._kept(self._own_start())
        # Too few evaluations follow to paint over noise, or another picture.
        own_colors = is_word(self.settings.init, "base")
        photo = self.photo() if own_colors else self._recolored_photo
        return self._kept(self.previous.start(photo))

    def _own_start(self):
        """The same without a frame before."""
        init, inputs = self.settings.init, self.inputs
        recolor = is_word(init, "recolored")
        if inputs.start is inputs.base:
            x = self._recolored_photo if recolor else self.photo()
        else:
            x = preprocess_image(self._resized(inputs.start))
        if share := inputs.noise:
            rng = np.random.default_rng(self.settings.seed)
            noise = rng.normal(0, self.settings.noise, x.shape)
            x = ((1 - share) * x + share * noise).astype(np.float32)
        return x

    @functools.cached_property
    def base(self) -> np.ndarray:
        """The photo as content is compared with it: recoloured if `content_colors` says so."""
        recolor = self.settings.content_colors == "recolored"
        return self._recolored_photo if recolor else self.photo()

    def photo(self) -> np.ndarray:
        """The photo in its own colours, a new array."""
        return preprocess_image(self._resized(self.inputs.base))

    @functools.cached_property
    def styles(self) -> list[Painting]:
        """The styles, in the base's colours if `preserve_colors` asks for that.

        Those that are smaller than the result are extended if the recipe says so.
        """
        return [
            style._replace(picture=extended(style.picture, *size))
            for style, size in zip(self._own_styles, self._seen_sizes(), strict=True)
        ]

    def _seen_sizes(self):
        """(rows, cols) of each style as the network sees it."""
        images, scales = self.inputs.styles, self.inputs.style_scales
        return [
            seen_size(image, scale, self.stage, self.settings)
            for image, scale in zip(images, scales, strict=True)
        ]

    @functools.cached_property
    def _own_styles(self):
        """The styles before any of them is extended."""
        return self._styles_at(self.stage)

    def _styles_at(self, stage):
        inputs = self.inputs
        recolor = COLOR_TRANSFERS.get(self.settings.preserve_colors)
        painted = self._painted_at(stage)
        styles = []
        for image, scale, share, mask in zip(
            inputs.styles, inputs.style_scales, inputs.style_shares, inputs.style_masks, strict=True
        ):
            size = style_size(image, scale, stage, self.settings)
            picture = self._without_finest(resize_image(image, *size, self.settings.resample))
            if recolor:
                picture = recolor(picture, self._resized(inputs.base, stage))
            where, part = _within(painted, _resized_mask(mask, stage))
            styles.append(Painting(preprocess_image(picture), share, where, part))
        return styles

    def _without_finest(self, picture):
        """A style without periods that would become a weave, unless it is drawn with such."""
        period = self.settings.finest_period
        if period <= 2 or self.stage.rows < self.last_rows or has_fine_detail(picture):
            return picture
        return without_finest(picture, period, self.settings.resample)

    def enlarged(self, x: np.ndarray, before: "Level") -> np.ndarray:
        """Returns the last combination of the level before, at this size.

        It gets the detail that the photo has at this size and could not have at the smaller one:
        small faces have their eyes again before they are painted on.

        Args:
            x: (rows, cols, 3) of the level before.
            before: that level.
        """
        x = enlarge(x, self.stage.rows, self.stage.cols)
        share = self.settings.handover * min(1.0, 2 * (1 - self.settings.strength))
        init = self.settings.init
        from_photo = is_word(init, "base", "recolored")
        if share and from_photo and self.settings.content_weight:
            without = enlarged_channels(before.base, self.stage.rows, self.stage.cols)
            for channel, enlarged in enumerate(without):  # one after another, for memory's sake
                x[..., channel] += share * (self.base[..., channel] - enlarged)
        before.release(all_of_it=True)
        return self._kept(x)

    def _kept(self, x):
        """A combination, in a file where those of the stage are to be."""
        return self.arrays.asarray(x) if self.stage.in_files else x

    def release(self, all_of_it: bool = False) -> None:
        """Lets go of the pictures; but not, unless of all, of what the next size is made from."""
        self._resized_images.clear()
        made = {"start", "base", "styles", "content_mask"}
        made |= {"_own_styles", "_detail", "_recolored_photo"}
        if all_of_it:
            made |= {"to_pixels"}
        elif self.stage.rows < self.last_rows:
            made -= {"base"}
        for name in made:
            self.__dict__.pop(name, None)

    @functools.cached_property
    def content_mask(self) -> np.ndarray | None:
        """(rows, cols), 0..1: how much the content counts where; None: the same everywhere."""
        kept = self.settings.detail_content * min(1.0, 2 * self.settings.strength)
        mask = _resized_mask(self.inputs.content_mask, self.stage)
        if mask is None and kept:
            mask = 1 - kept + kept * self._detail
        return _within(self.painted, mask)[0]

    @functools.cached_property
    def painted(self) -> np.ndarray | None:
        """(rows, cols), 0..1: how much the photo is painted where; None: all of it."""
        return self._painted_at(self.stage)

    def _painted_at(self, stage):
        mask = _resized_mask(self.inputs.keep_mask, stage)
        return None if mask is None else 1 - mask

    @functools.cached_property
    def _kept_photo(self):
        """The photo that is laid over all that is painted; None: nothing of it is kept."""
        return None if self.painted is None else KeptPhoto(self.photo(), self.painted)

    def keeping(self, objective: Any) -> Any:
        """Returns the function to minimise where a part of the photo is kept."""
        return KeptLossAndGrads(objective, self._kept_photo) if self._kept_photo else objective

    @property
    def query_content(self) -> np.ndarray:
        """(rows, cols), 0..1: how much of the queries for neighbours comes from the photo.

        Strength s takes a share a to 1 - 2 s (1 - a) below 0.5, and to 2 (1 - s) a above.
        """
        plain, detailed = self.settings.query_content
        share = plain + (detailed - plain) * self._detail
        strength = self.settings.strength
        return np.where(strength <= 0.5, 1 - 2 * strength * (1 - share), 2 * (1 - strength) * share)

    @functools.cached_property
    def _detail(self):
        """Where the photo has detail, or the content mask says that it is to be kept."""
        stage, small = self.stage, _measurable(self.stage)
        detail = detail_map(self._resized(self.inputs.base, small), small.rows, small.cols)
        if small is not stage:
            size = stage.cols, stage.rows
            image = Image.fromarray(detail).resize(size, Image.Resampling.BILINEAR)
            detail = np.asarray(image)
        mask = _resized_mask(self.inputs.content_mask, stage)
        return detail if mask is None else np.maximum(detail, mask)

    @functools.cached_property
    def _recolored_photo(self):
        """The photo in the styles' colours, as far as strength says."""
        stage, small, black = self.stage, _measurable(self.stage), np.negative(IMAGENET_MEAN_BGR)
        picture, styles = self.photo(), self._own_styles
        measured = picture
        if small is not stage:
            measured = preprocess_image(self._resized(self.inputs.base, small))
            styles = self._styles_at(small)
        shares = _shares(styles)
        move = recoloring(measured, [style.picture for style in styles], shares)
        limits = shade_limits(move(measured, shares) - black)
        amount = min(1.0, 2 * self.settings.strength)
        shares = _shares(self._own_styles)
        for rows in strips(stage.rows, stage.cols):
            part = picture[rows]
            own = [share if np.isscalar(share) else share[rows] for share in shares]
            moved = black + within_range(move(part, own) - black, limits)
            picture[rows] = part + amount * (moved - part)
        return picture

    def find_neighbors(self, network: Any, x: np.ndarray | None = None) -> Sequence | None:
        """Returns what the term of neighbours compares x with; None: the loss has no such term.

        Args:
            network: gives the features.
            x: the combination, (rows, cols, 3); None: the start.

        Raises:
            InputError: x has another shape.
        """
        shape = self.stage.rows, self.stage.cols, 3
        if x is not None and x.shape != shape:
            raise InputError(f"x must have shape {shape}, received {x.shape}")
        new = None if self.previous is None else self.previous.new
        where, _ = _within(self.painted, new)
        if not self.settings.neighbor_weight or (where is not None and not where.any()):
            return None
        x = self.start if x is None else x
        if self._kept_photo:
            x = self._kept_photo.laid_over(np.asarray(x)[np.newaxis])[0]
        return find_neighbors(
            network,
            self.base,
            x,
            self.styles,
            self.query_content,
            self.settings.style_turns,
            self.stage.tile,
            where,
            self.settings.scratch_folder,
        )

    def similarity_weight(self, network: Any) -> float:
        """Returns the weight of the term of similarity, times the mean variety of the paintings.

        It is 0 if the loss has no such term.

        Args:
            network: gives the features.
        """
        weight = self.settings.similarity_weight * self.settings.to_photo
        if not weight:
            return 0.0
        varieties = []
        for image in self.inputs.styles:
            factor = math.sqrt(similarity.MEASURED / (image.width * image.height))
            size = scaled_size(image, min(1.0, factor))
            picture = preprocess_image(resize_image(image, *size, Image.Resampling.LANCZOS))
            varieties.append(similarity.variety(network, picture))
        return weight * float(np.average(varieties, weights=self.inputs.style_shares))

    def canvas(self, network: Any, neighbors: Sequence | None) -> Canvas:
        """Returns the combination as the network sees it: whole, or in tiles as the stage says."""
        beyond = BEYOND if neighbors else None
        return Canvas(
            network,
            self.stage.rows,
            self.stage.cols,
            self.stage.tile,
            beyond,
            self.settings.around,
            self.settings.scratch_folder,
        )

    @property
    def network_options(self) -> dict[str, Any]:
        """The options of `build_network`."""
        return {
            "precision": self.stage.precision,
            "pooling": self.settings.pooling,
            "pool_padding": self.settings.pool_padding,
            "data_format": keras.config.image_data_format(),
            "edges": self.settings.edges,
        }

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray] | tuple[()]:
        """The lowest and highest values of the combination, each (cols, 3); (): it has none."""
        if not self.settings.bounded:
            return ()
        black = np.tile(np.negative(IMAGENET_MEAN_BGR), (self.stage.cols, 1))
        return black, black + 255

    @property
    def lbfgs_options(self) -> dict[str, Any]:
        """The options of `minimize_lbfgs`."""
        return {
            "optimizer": self.settings.optimizer,
            "arrays": self.arrays,
            "pairs": self.settings.pairs,
            "exponent": self.settings.filter_exponent,
            "gains": self.previous and self.previous.gains,
        }

    @property
    def adam_options(self) -> dict[str, float]:
        """The options of `minimize_adam`."""
        return {
            "average_decay": self.settings.average_decay,
            "learning_rate": self.settings.learning_rate,
            "beta_1": self.settings.beta1,
            "beta_2": self.settings.beta2,
            "epsilon": self.settings.epsilon,
        }

    @functools.cached_property
    def to_pixels(self) -> Callable[..., np.ndarray]:
        """The function from a combination of any shape to RGB 0..255, (rows, cols, 3).

        It returns float64, or, given a number of bits, whole numbers of so many.
        """
        stage = self.stage
        keep_colors, painted = self.settings.preserve_colors == "luma", self.painted
        needed = keep_colors or painted is not None
        base = np.asarray(self._resized(self.inputs.base)) if needed else None

        def values(x, rows):
            pixels = rgb_values(x[rows])
            if keep_colors:
                pixels = keep_luma(pixels, base[rows])
            if painted is not None:
                share = painted[rows][..., np.newaxis]
                pixels = share * pixels + (1 - share) * base[rows]
            return pixels

        def to_pixels(x, bits=None):
            x = tensors.to_numpy(x).reshape(stage.rows, stage.cols, 3)
            if bits is None:
                return values(x, slice(None))
            return np.concatenate(
                [quantize(values(x, rows), bits) for rows in strips(stage.rows, stage.cols)]
            )

        return to_pixels

    def _resized(self, image, stage=None):
        """An image at this size, or at that of another stage."""
        stage = stage or self.stage
        key = id(image), stage.rows, stage.cols
        if key not in self._resized_images:
            self._resized_images[key] = resize_image(
                image, stage.rows, stage.cols, self.settings.resample
            )
        return self._resized_images[key]


def _shares(styles):
    """The share of each style: a number, or (rows, cols) where it has a mask."""
    return [style.share if style.mask is None else style.share * style.mask for style in styles]


def _resized_mask(mask, stage):
    return None if mask is None else resize_mask(mask, stage.rows, stage.cols)


def _within(painted, mask):
    """A mask where the photo is painted, and how much of it that is. None: everywhere."""
    if painted is None:
        return mask, 1.0
    if mask is None:
        return painted, float(np.mean(np.square(painted)))
    part = np.sum(np.square(mask * painted)) / max(np.sum(np.square(mask)), 1e-6)
    return mask * painted, float(part)


def _measurable(stage):
    """The stage, or a smaller one with its aspect: what is measured there holds at any size."""
    factor = math.sqrt(MEASURED / (stage.rows * stage.cols))
    if factor >= 1:
        return stage
    return stage._replace(rows=round(stage.rows * factor), cols=round(stage.cols * factor))
