"""The settings of a run.

`SETTINGS` says how each is spelled on the command line and what it may be; `RECIPES` gives each
a value; `choose_settings` puts the values that a person gave in place of the recipe's.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from stylize.errors import InputError
from stylize.images.colors import COLOR_METHODS
from stylize.runs.recipes import (
    DEFAULT_RECIPE,
    RECIPES,
    STYLE_LAYERS,  # noqa: F401
)
from stylize.runs.validators import (
    checked,
    fit_area_or_scales,
    folder_or_auto,
    fraction,
    gibibytes,
    layer_weights,
    mask_or_none,
    masks_or_none,
    one_of,
    picture_or_word,
    positive,
    rows_or_own,
    scale_count,
    shares,
    tile_size,
    weight,
    whole_number,
)

EVALUATIONS_PER_ITERATION = 20
PRECISIONS = ("float32", "bfloat16", "float16")  # Keras's names of its dtype policies


class Setting(NamedTuple):
    """One choice of a run: how the command line spells it, and what it may be."""

    flag: str
    check: Callable
    metavar: str
    help: str
    group: str  # of the command line's help
    nargs: str | None = None


SETTINGS = {
    "strength": Setting(
        "--strength", fraction, "0..1", "from the photo (0) to the painting (1)", "look"
    ),
    "iterations": Setting(
        "--iter",
        whole_number,
        "N",
        f"iterations at each size, of {EVALUATIONS_PER_ITERATION} evaluations each; in recipe "
        "neighbors from 20 evaluations at the first size down to 14 at the last (5 from 1.2 "
        "megapixels on), in recipe johnson from 6 up to 20",
        "optimisation",
    ),
    "content_weight": Setting("--content_weight", weight, "W", "faithfulness to the photo", "look"),
    "style_weight": Setting("--style_weight", weight, "W", "faithfulness to the style", "look"),
    "neighbor_weight": Setting(
        "--neighbor_weight",
        weight,
        "W",
        "how closely every place matches the most similar one in the style",
        "look",
    ),
    "tv_weight": Setting("--tv_weight", weight, "W", "smoothness (total variation)", "look"),
    "temporal_weight": Setting(
        "--temporal_weight",
        weight,
        "W",
        "in a film, how closely each frame follows the one before it; 0: each is painted by itself",
        "look",
    ),
    "size": Setting(
        "--size",
        rows_or_own,
        "ROWS|own",
        "rows of the result (recipes johnson and crowson: its longer side); the columns follow "
        "from the photo; own: the photo's own size",
        "output",
    ),
    "scales": Setting(
        "--scales",
        scale_count,
        "auto|N",
        "sizes to paint at: N sizes, each twice the one before (recipes johnson and crowson: "
        "sqrt(2) times), or auto, which starts small",
        "optimisation",
    ),
    "style_scale": Setting(
        "--style_scale",
        fit_area_or_scales,
        "fit|area|SCALE",
        "width of each style as a multiple of the result's width (recipes johnson and crowson: "
        "longer sides instead of widths); fit: stretched to the result's size; area: as many "
        "pixels as the result; the aspect ratio is kept except with fit",
        "look",
        nargs="+",
    ),
    "style_turns": Setting(
        "--style_turns",
        functools.partial(whole_number, minimum=0, maximum=3),
        "0..3",
        "how many copies of each style, turned by 90, 180 and 270 degrees, to search as well",
        "look",
    ),
    "style_blend": Setting(
        "--style_blend",
        shares,
        "SHARE",
        "share of each of several styles; none: equal shares",
        "look",
        nargs="+",
    ),
    "preserve_colors": Setting(
        "--preserve_colors",
        one_of(*COLOR_METHODS),
        "METHOD",
        f"keep the photo's colours: {', '.join(COLOR_METHODS)}",
        "look",
    ),
    "content_colors": Setting(
        "--content_colors",
        one_of("own", "recolored"),
        "own|recolored",
        "the photo that content is compared with: as it is, or in the styles' colours",
        "look",
    ),
    "style_masks": Setting(
        "--style_masks",
        masks_or_none,
        "MASK",
        "one gray picture per style: white where that style goes in the result; none: everywhere",
        "look",
        nargs="+",
    ),
    "content_mask": Setting(
        "--content_mask",
        mask_or_none,
        "MASK",
        "a gray picture: white where the photo is kept, black where it is left to the style; "
        "none: no mask",
        "look",
    ),
    "content_layers": Setting(
        "--content_layers",
        layer_weights,
        "LAYER[:SHARE]",
        "where content is compared",
        "look",
        nargs="+",
    ),
    "style_layers": Setting(
        "--style_layers",
        layer_weights,
        "LAYER[:SHARE]",
        "where style is compared",
        "look",
        nargs="+",
    ),
    "pooling": Setting(
        "--pooling", one_of("max", "avg"), "max|avg", "the network's pooling", "look"
    ),
    "init": Setting(
        "--init",
        picture_or_word,
        "base|recolored|noise|PATH",
        "what to start from: the photo, the photo in the styles' colours, noise, or a picture",
        "optimisation",
    ),
    "noise_blend": Setting(
        "--noise_blend", fraction, "0..1", "how much noise is in the start", "optimisation"
    ),
    "seed": Setting(
        "--seed",
        functools.partial(whole_number, minimum=0),
        "N",
        "seed of the noise",
        "optimisation",
    ),
    "optimizer": Setting(
        "--optimizer",
        one_of("lbfgs", "torch", "scipy", "adam"),
        "lbfgs|torch|scipy|adam",
        "what lowers the loss: L-BFGS, as PyTorch does it, as SciPy does it, or Adam",
        "optimisation",
    ),
    "learning_rate": Setting(
        "--learning_rate", positive, "RATE", "Adam's learning rate", "optimisation"
    ),
    "beta1": Setting("--beta1", fraction, "0..1", "Adam: decay of the mean", "optimisation"),
    "beta2": Setting("--beta2", fraction, "0..1", "Adam: decay of the mean square", "optimisation"),
    "epsilon": Setting(
        "--epsilon", positive, "E", "Adam: added to the root mean square", "optimisation"
    ),
    "tolerance": Setting(
        "--tolerance",
        fraction,
        "0..1",
        "stop when an iteration lowers the loss by less than this fraction",
        "optimisation",
    ),
    "precision": Setting(
        "--precision",
        one_of(*PRECISIONS, "auto"),
        "TYPE",
        f"number type of the network: {', '.join(PRECISIONS)}, or auto: bfloat16 where that is "
        "faster and as good",
        "machine",
    ),
    "memory": Setting(
        "--memory",
        gibibytes,
        "auto|GIB",
        "GiB of memory that a run may take; auto: four fifths of what is free",
        "machine",
    ),
    "scratch": Setting(
        "--scratch",
        folder_or_auto,
        "auto|FOLDER",
        "where a run keeps what does not fit into memory while it lasts; auto: beside the result "
        "(in Python and on the page, the system's folder for temporary files)",
        "machine",
    ),
    "tile": Setting(
        "--tile",
        tile_size,
        "auto|off|PIXELS",
        "rows and columns that the network sees at once; changes memory and time, but the loss "
        "only by rounding; auto: all, or the largest tiles that fit into --memory; off: all",
        "machine",
    ),
}
UNRECORDED = ("memory", "scratch", "tile")  # of the machine; a record has the tiles chosen
OF_FILMS = ("temporal_weight",)  # a photo is painted the same whatever they are
OF_ADAM = ("learning_rate", "beta1", "beta2", "epsilon")


def choose_settings(recipe: str | Mapping = DEFAULT_RECIPE, **given: Any) -> dict[str, Any]:
    """Returns the recipe's settings with the `given` ones (but for None) in place of its own.

    Args:
        recipe: a name in `RECIPES`, or a mapping with the keys of one of them, such as
            `RECIPES["pyramid"] | {"bounded": False}`.

    Raises:
        InputError: an unknown recipe or setting, or a value out of range.
    """
    settings = _recipe_settings(recipe)
    for name, value in given.items():
        if name not in SETTINGS:
            raise InputError(f"unknown setting {name!r}; there are {', '.join(SETTINGS)}")
        if value is not None:
            settings[name] = checked(SETTINGS[name].flag, SETTINGS[name].check, value)
    return settings


def _recipe_settings(recipe):
    """A copy of a recipe's settings. Raises InputError."""
    if isinstance(recipe, Mapping):
        if wrong := recipe.keys() ^ RECIPES[DEFAULT_RECIPE].keys():
            raise InputError(
                f"a recipe must have the keys of RECIPES[{DEFAULT_RECIPE!r}]; "
                f"missing or unknown: {', '.join(sorted(wrong))}"
            )
        return dict(recipe)
    if recipe not in RECIPES:
        raise InputError(f"recipe must be one of {', '.join(RECIPES)}; received {recipe!r}")
    return dict(RECIPES[recipe])


class LossWeights(NamedTuple):
    """What each layer's content and style loss, and the other terms, are multiplied with.

    `style_energy`, if it is not None, is the energy that each style is scaled to;
    `relative_content` says whether the photo's features are scaled to a mean square of one.
    """

    content: dict[str, float]
    style: dict[str, float]
    total_variation: float
    neighbors: float = 0.0
    style_energy: float | None = None
    relative_content: bool = False
    temporal: float = 0.0

    @classmethod
    def of(
        cls, settings: Mapping[str, Any], rows: int, last_rows: int | None = None
    ) -> "LossWeights":
        """The settings' weights at a size, raised or lowered by strength.

        Strength s multiplies content by (2 (1 - s))^2, all else by (2 s)^2, which is one at 0.5.
        Content and total variation follow `reference_rows`; the style loss needs no change to mean
        the same at every size.

        Args:
            settings: of a run.
            rows: of this size.
            last_rows: of the last size, the result's; None: `rows`.
        """
        strength = settings["strength"]
        to_photo, to_painting = (2 * (1 - strength)) ** 2, (2 * strength) ** 2
        reference = settings["reference_rows"] or rows
        smaller = ((last_rows or rows) if reference == "last" else reference) / rows
        content = settings["content_weight"] * to_photo * smaller ** settings["content_exponent"]
        style = settings["style_weight"] * to_painting
        return cls(
            content={layer: content * share for layer, share in settings["content_layers"].items()},
            style={layer: style * share for layer, share in settings["style_layers"].items()},
            total_variation=settings["tv_weight"]
            * to_painting
            * smaller ** settings["tv_exponent"],
            neighbors=settings["neighbor_weight"] * to_painting,
            style_energy=settings["style_energy"],
            relative_content=settings["relative_content"],
            temporal=settings["temporal_weight"],
        )
