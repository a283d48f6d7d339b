"""The settings of a run: what each is, what it may be, and how the command line spells it.

Defaults are those of recipe `keras`; the other recipes (`stylize/runs/recipes.py`) say where they
differ.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from stylize.errors import InputError
from stylize.images.colors import COLOR_METHODS
from stylize.losses.laplacian import POOLED
from stylize.runs.recipe_values import Recipe
from stylize.runs.validators import (
    below_one,
    fit_area_or_scales,
    folder_or_auto,
    fraction,
    gibibytes,
    layer_weights,
    mask_or_none,
    masks_or_none,
    meant,
    one_of,
    picture_or_word,
    positive,
    rows_or_own,
    scale_count,
    shares,
    shown,
    tile_size,
    weight,
    whole_number,
)
from stylize.vgg.layers import VALUES

EVALUATIONS_PER_ITERATION = 20
MOST_ITERATIONS = 100_000  # more is a slip of the finger
PRECISIONS = VALUES["precision"]
STYLE_LAYERS = ("block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1", "block5_conv1")


class Setting(NamedTuple):
    """One choice that a person has: how the command line spells it, and what it may be."""

    flag: str
    check: Callable
    metavar: str
    group: str  # of the command line's help
    help: str
    nargs: str | None = None


def _setting(
    default: Any,
    flag: str,
    check: Callable,
    metavar: str,
    group: str,
    help: str,
    nargs: str | None = None,
) -> Any:
    """Returns the field of a `Setting`, with recipe `keras`'s value as its default."""
    metadata = {"setting": Setting(flag, check, metavar, group, help, nargs)}
    if isinstance(default, dict):
        return dataclasses.field(default_factory=lambda: dict(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings(Recipe):
    """A value for everything that decides how a picture comes out: a recipe, a person's choices.

    Like a mapping, it has values by name, `settings.size`, and `settings | {"size": 800}` is a
    copy with another one. Neither checks anything: `choose_settings` does.
    """

    strength: float = _setting(
        0.5, "--strength", fraction, "0..1", "look", "from the photo (0) to the painting (1)"
    )
    iterations: int = _setting(
        10,
        "--iter",
        functools.partial(whole_number, maximum=MOST_ITERATIONS),
        "N",
        "optimisation",
        f"iterations at each size, of {EVALUATIONS_PER_ITERATION} evaluations each; in recipe "
        "neighbors from 20 evaluations at the first size down to 14 at the last (5 from 1.2 "
        "megapixels on), in recipe johnson from 6 up to 20",
    )
    content_weight: float = _setting(
        0.025, "--content_weight", weight, "W", "look", "faithfulness to the photo"
    )
    style_weight: float = _setting(
        1.0, "--style_weight", weight, "W", "look", "faithfulness to the style"
    )
    neighbor_weight: float = _setting(
        0.0,
        "--neighbor_weight",
        weight,
        "W",
        "look",
        "how closely every place matches the most similar one in the style",
    )
    tv_weight: float = _setting(
        1.0, "--tv_weight", weight, "W", "look", "smoothness (total variation)"
    )
    laplacian_weight: float = _setting(
        0.0,
        "--laplacian_weight",
        weight,
        "W",
        "look",
        "how closely edges follow the photo's; 0: they are free (docs/recipes/laplacian.md)",
    )
    similarity_weight: float = _setting(
        0.0,
        "--similarity_weight",
        weight,
        "W",
        "look",
        "how strongly parts that are alike in the photo, such as those of a sky, are kept alike; "
        "0: not at all",
    )
    # A thousandth of the whole loss of a photo, or up to a hundredth. Those of recipes athalye,
    # johnson and crowson are scaled to that, not judged by eye.
    temporal_weight: float = _setting(
        1e7,
        "--temporal_weight",
        weight,
        "W",
        "look",
        "in a film, how closely each frame follows the one before it; 0: each is painted by itself",
    )
    size: int | str | tuple[int, int] = _setting(
        400,
        "--size",
        rows_or_own,
        "ROWS|COLSx|own",
        "output",
        "rows of the result (recipes johnson and crowson: its longer side), or its columns as in "
        "800x; the other side follows from the photo; own: the photo's own size",
    )
    scales: int | str = _setting(
        1,
        "--scales",
        scale_count,
        "auto|N",
        "optimisation",
        "sizes to paint at: N sizes, each twice the one before (recipes johnson and crowson: "
        "sqrt(2) times), or auto, which starts small",
    )
    style_scale: list[float] | str = _setting(
        "fit",
        "--style_scale",
        fit_area_or_scales,
        "fit|area|SCALE",
        "look",
        "width of each style as a multiple of the result's width (recipes johnson and crowson: "
        "longer sides instead of widths); fit: stretched to the result's size; area: as many "
        "pixels as the result; the aspect ratio is kept except with fit",
        nargs="+",
    )
    style_crop: str = _setting(
        "none",
        "--style_crop",
        one_of("auto", "none"),
        "auto|none",
        "look",
        "auto: plain margins around a style, such as a mat or bars, are left out; none: they are "
        "part of it",
    )
    style_turns: int = _setting(
        0,
        "--style_turns",
        functools.partial(whole_number, minimum=0, maximum=3),
        "0..3",
        "look",
        "how many copies of each style, turned by 90, 180 and 270 degrees, to search as well",
    )
    style_blend: list[float] | None = _setting(
        None,  # equal shares
        "--style_blend",
        shares,
        "SHARE",
        "look",
        "share of each of several styles; none: equal shares",
        nargs="+",
    )
    preserve_colors: str = _setting(
        "none",
        "--preserve_colors",
        one_of(*COLOR_METHODS),
        "METHOD",
        "look",
        f"keep the photo's colours: {', '.join(COLOR_METHODS)}",
    )
    content_colors: str = _setting(
        "own",
        "--content_colors",
        one_of("own", "recolored"),
        "own|recolored",
        "look",
        "the photo that content is compared with: as it is, or in the styles' colours",
    )
    style_masks: list | None = _setting(
        None,
        "--style_masks",
        masks_or_none,
        "MASK",
        "look",
        "one grey picture per style: white where that style goes in the result; none: everywhere",
        nargs="+",
    )
    content_mask: Any = _setting(
        None,
        "--content_mask",
        mask_or_none,
        "MASK",
        "look",
        "a grey picture: where faithfulness to the photo counts, from fully (white) to "
        "not at all (black, left to the style); all of it is painted; none: no mask",
    )
    keep_mask: Any = _setting(
        None,
        "--keep_mask",
        mask_or_none,
        "MASK",
        "look",
        "a grey picture: white where the photo stays as it is, black where it is painted, soft in "
        "between; in a film the same for every frame; none: no mask",
    )
    content_layers: Mapping[str, float] = _setting(
        {"block5_conv2": 1.0},
        "--content_layers",
        layer_weights,
        "LAYER[:SHARE]",
        "look",
        "where content is compared; shares are relative, layers not listed are not used",
        nargs="+",
    )
    style_layers: Mapping[str, float] = _setting(
        dict.fromkeys(STYLE_LAYERS, 0.2),
        "--style_layers",
        layer_weights,
        "LAYER[:SHARE]",
        "look",
        "where style is compared; shares are relative, layers not listed are not used",
        nargs="+",
    )
    pooling: str = _setting(
        "max", "--pooling", one_of(*VALUES["pooling"]), "max|avg", "look", "the network's pooling"
    )
    init: Any = _setting(
        "base",
        "--init",
        picture_or_word,
        "base|recolored|noise|PATH",
        "optimisation",
        "what to start from: the photo, the photo in the styles' colours, noise, or a picture",
    )
    noise_blend: float = _setting(
        0.0, "--noise_blend", fraction, "0..1", "optimisation", "how much noise is in the start"
    )
    seed: int = _setting(
        0,
        "--seed",
        functools.partial(whole_number, minimum=0, maximum=2**64 - 1),
        "N",
        "optimisation",
        "seed of the noise; no effect unless the start has some (noise_blend, or init noise)",
    )
    optimizer: str = _setting(
        "scipy",
        "--optimizer",
        one_of("lbfgs", "torch", "scipy", "adam"),
        "lbfgs|torch|scipy|adam",
        "optimisation",
        "what lowers the loss: lbfgs (this program's own), torch or scipy (their L-BFGS), or adam",
    )
    learning_rate: float = _setting(
        10.0, "--learning_rate", positive, "RATE", "optimisation", "Adam's learning rate"
    )
    beta1: float = _setting(
        0.9, "--beta1", below_one, "0..1", "optimisation", "Adam: decay of the mean"
    )
    beta2: float = _setting(
        0.999, "--beta2", below_one, "0..1", "optimisation", "Adam: decay of the mean square"
    )
    epsilon: float = _setting(
        1e-8, "--epsilon", positive, "E", "optimisation", "Adam: added to the root mean square"
    )
    tolerance: float = _setting(
        0.0,
        "--tolerance",
        fraction,
        "0..1",
        "optimisation",
        "stop when an iteration lowers the loss by less than this fraction",
    )
    precision: str = _setting(
        "float32",
        "--precision",
        one_of(*PRECISIONS, "auto"),
        "TYPE",
        "machine",
        f"number type of the network: {', '.join(PRECISIONS)}, or auto: bfloat16 where that is "
        "faster and as good",
    )
    memory: float | str = _setting(
        "auto",
        "--memory",
        gibibytes,
        "auto|GIB",
        "machine",
        "GiB of memory that a run may take; auto: four fifths of what is free",
    )
    scratch: Any = _setting(
        "auto",
        "--scratch",
        folder_or_auto,
        "auto|FOLDER",
        "machine",
        "where a run keeps what does not fit into memory while it lasts; auto: beside the result "
        "(in Python and on the page, the system's folder for temporary files)",
    )
    tile: int | str = _setting(
        "auto",
        "--tile",
        tile_size,
        "auto|off|PIXELS",
        "machine",
        "rows and columns that the network sees at once; changes memory and time, but the loss "
        "only by rounding; auto: all, or the largest tiles that fit into --memory; off: all",
    )

    def __getitem__(self, name: str) -> Any:
        if name not in self.keys():
            raise KeyError(name)
        return getattr(self, name)

    def __or__(self, others: Mapping[str, Any]) -> "Settings":
        self.check_names(others)
        return dataclasses.replace(self, **others)

    @classmethod
    def check_names(cls, names: Iterable[str]) -> None:
        """Raises InputError where a name is that of no value."""
        if unknown := set(names) - set(cls.keys()):
            name = min(map(str, unknown))
            raise InputError(f"no recipe has a value {shown(name)}; {meant(name, cls.keys())}")

    @classmethod
    def keys(cls) -> Iterable[str]:
        """Returns the names of all values."""
        return [field.name for field in dataclasses.fields(cls)]

    @property
    def to_photo(self) -> float:
        """What strength s multiplies what holds the photo by: (2 (1 - s))^2, which is 1 at 0.5."""
        return (2 * (1 - self.strength)) ** 2

    @property
    def to_painting(self) -> float:
        """What strength s multiplies what paints by: (2 s)^2, which is 1 at 0.5."""
        return (2 * self.strength) ** 2

    @property
    def around(self) -> int:
        """Pixels that a term of the loss itself sees around a tile."""
        return POOLED[-1] if self.laplacian_weight else 1

    @property
    def scratch_folder(self) -> Any:
        """The folder for files without a name; None: the system's folder for temporary files."""
        return None if self.scratch == "auto" else self.scratch

    @property
    def filter_exponent(self) -> float:
        """The exponent of the run's `Preconditioner`; 0: it has none.

        Only our own L-BFGS uses it, and not where pixels are bounded: bounds on them are none on
        its coordinates.
        """
        ours = self.optimizer == "lbfgs" and not self.bounded
        return self.preconditioner if ours else 0.0


SETTINGS: dict[str, Setting] = {
    field.name: field.metadata["setting"]
    for field in dataclasses.fields(Settings)
    if "setting" in field.metadata
}
CHECKS: dict[str, Callable] = {  # of every value, those that only a recipe says too
    field.name: field.metadata["setting"].check
    if field.name in SETTINGS
    else field.metadata["check"]
    for field in dataclasses.fields(Settings)
}
MAY_BE_NONE = {field.name for field in dataclasses.fields(Settings) if field.default is None}
UNRECORDED = ("memory", "scratch", "tile")  # of the machine; a record has the tiles
PICTURE_SETTINGS = ("init", "style_masks", "content_mask", "keep_mask")  # those that may name files
OF_FILMS = ("temporal_weight",)  # a photo is painted the same whatever they are
OF_ADAM = ("learning_rate", "beta1", "beta2", "epsilon")
WEIGHTS = (  # of a photo's terms
    *("content_weight", "style_weight", "neighbor_weight", "tv_weight", "laplacian_weight"),
    "similarity_weight",
)
