"""The settings of a run, and the recipes: named sets of them.

`SETTINGS` says how each is spelled on the command line and what it may be; `RECIPES` gives each
a value; `choose_settings` puts what a person gave in place of the recipe's.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from PIL import Image

from stylize.checks import (
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
from stylize.colors import COLOR_METHODS
from stylize.errors import InputError

STYLE_LAYERS = ("block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1", "block5_conv1")
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
        "neighbors 30 at the first size, falling to 15 at the last",
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
        "of a film, how much every frame is like the one before it where nothing but places "
        "changed; 0: each is painted by itself",
        "look",
    ),
    "size": Setting(
        "--size",
        rows_or_own,
        "ROWS|own",
        "rows of the result; its columns follow from the photo; own: the photo's own size",
        "output",
    ),
    "scales": Setting(
        "--scales",
        scale_count,
        "auto|N",
        "sizes to paint at: a number, each twice the one before, or auto, which starts small",
        "optimisation",
    ),
    "style_scale": Setting(
        "--style_scale",
        fit_area_or_scales,
        "fit|area|SCALE",
        "width of each style as a multiple of the result's width; fit: stretched to the result's "
        "size; area: as many pixels as the result; its aspect is kept except with fit",
        "look",
        nargs="+",
    ),
    "style_turns": Setting(
        "--style_turns",
        functools.partial(whole_number, minimum=0, maximum=3),
        "0..3",
        "how many turned copies of each style (90, 180, 270 degrees) to search as well",
        "look",
    ),
    "style_blend": Setting(
        "--style_blend",
        shares,
        "SHARE",
        "share of each style, if there are several; none: equal shares",
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
        "the picture to start from; recolored: the photo in the styles' colours",
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
        one_of("lbfgs", "scipy", "adam"),
        "lbfgs|scipy|adam",
        "what lowers the loss",
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
        "where a run keeps for its time what the memory has no room for; auto: beside the result",
        "machine",
    ),
    "tile": Setting(
        "--tile",
        tile_size,
        "auto|off|PIXELS",
        "rows and columns that the network sees at once, which changes memory and time, and the "
        "result by rounding only; auto: all, or the largest tiles that --memory has room for; "
        "off: all",
        "machine",
    ),
}
UNRECORDED = ("memory", "scratch", "tile")  # of the machine; a record has the tiles chosen

# A recipe is a value for every setting, which the caller's wins over, and what makes the recipe:
#   formula        the constants in the losses, a name in FORMULAS
#   resample       the filter that resizes pictures
#   pool_padding   "valid" leaves an odd last row and column out, "same" pools them alone
#   restart        whether L-BFGS starts anew in every iteration, as in the Keras example
#   bounded        whether pixels are kept within black and white while they are optimised. Without
#                  it L-BFGS moves one in twenty outside, and clipping them undoes much of its work
#   reference_rows the rows at which content_weight and tv_weight mean what the formulas say; at
#                  others they are multiplied by a power of reference_rows / rows, so that a weight
#                  gives the same look at any size. None: they are not.
#   content_exponent, tv_exponent  that power: 2 for sums over pixels
#   first_size     pixels of the short side of the coarsest size, where scales is "auto" and sizes
#                  grow evenly from it; None: they double, from about 100. Large forms are laid down
#                  at the first size, so that it must not depend on the last.
#   effort         evaluations of an iteration at the first and at the last size, in parts of 20
#   frame_evaluations  of each frame of a film but the first of a scene, at the last size only
#   refine_from    pixels from which on a size only refines what smaller ones have painted: it looks
#                  up no neighbours, which takes longer the larger a picture is, and needs fewer
#                  evaluations (docs/large.md). None: every size paints.
#   refine_effort  evaluations of an iteration at such sizes, in parts of 20
#   handover       how much of the photo's detail that a size cannot show the next one begins with
#   query_content  how much of what a place's neighbour is looked up with is the photo's: in plain
#                  places, in detailed ones (see `detail_map`); the rest is the picture's so far
#   detail_content how much of the content term is kept to detailed places, 0..1
#   relative_content  whether content is measured by the mean square of the photo's own features, so
#                  that content_weight gives the same look with any photo
#   style_energy   what each style's energy is taken to be, see `even_out`, so that
#                  style_weight gives the same look with any style. None: left as it is.
RECIPES: dict[str, dict[str, Any]] = {
    "keras": {
        "strength": 0.5,
        "iterations": 10,
        "content_weight": 0.025,
        "style_weight": 1.0,
        "neighbor_weight": 0.0,
        "tv_weight": 1.0,
        "temporal_weight": 1e7,
        "size": 400,
        "scales": 1,
        "style_scale": "fit",
        "style_turns": 0,
        "style_blend": None,  # equal shares
        "preserve_colors": "none",
        "content_colors": "own",
        "style_masks": None,
        "content_mask": None,
        "content_layers": {"block5_conv2": 1.0},
        "style_layers": dict.fromkeys(STYLE_LAYERS, 0.2),
        "pooling": "max",
        "init": "base",
        "noise_blend": 0.0,
        "seed": 0,
        "optimizer": "scipy",
        "learning_rate": 10.0,
        "beta1": 0.9,
        "beta2": 0.999,
        "epsilon": 1e-8,
        "tolerance": 0.0,
        "precision": "float32",
        "memory": "auto",
        "scratch": "auto",
        "tile": "auto",
        "formula": "keras",
        "resample": Image.Resampling.NEAREST,
        "pool_padding": "valid",
        "restart": True,
        "bounded": False,
        "reference_rows": None,
        "content_exponent": 2.0,
        "tv_exponent": 2.0,
        "first_size": None,
        "effort": (1.0, 1.0),
        "frame_evaluations": 20,
        "refine_from": None,
        "refine_effort": 1.0,
        "handover": 0.0,
        "query_content": (1.0, 1.0),
        "detail_content": 0.0,
        "relative_content": False,
        "style_energy": None,
    },
}
RECIPES["pyramid"] = RECIPES["keras"] | {
    "iterations": 2,
    "content_weight": 0.05,
    "tv_weight": 0.1,
    "scales": "auto",
    "content_layers": {"block4_conv2": 1.0},
    "precision": "auto",
    "resample": Image.Resampling.LANCZOS,
    "restart": False,
    "bounded": True,
    "reference_rows": 400,
    "style_energy": 9e10,  # about that of img/swirling_night.jpg
}
RECIPES["athalye"] = RECIPES["keras"] | {  # 1000 steps of Adam
    "iterations": 50,
    "content_weight": 5.0,
    "style_weight": 500.0,
    "tv_weight": 100.0,
    "size": "own",
    "style_scale": [1.0],
    "content_layers": {"block4_conv2": 1.0},
    "init": "noise",
    "optimizer": "adam",
    "formula": "athalye",
    "resample": Image.Resampling.BICUBIC,
    "pool_padding": "same",
}
RECIPES["gatys"] = RECIPES["keras"] | {
    "content_weight": 1.0,
    "style_weight": 1000.0,
    "tv_weight": 0.0,
    "content_layers": {"block4_conv2": 1.0},
    "pooling": "avg",
    "init": "noise",
    "formula": "gatys",
    "resample": Image.Resampling.LANCZOS,
    "restart": False,
}
RECIPES["neighbors"] = RECIPES["pyramid"] | {
    "content_weight": 2500.0,
    "neighbor_weight": 1e4,
    "tv_weight": 0.02,
    "temporal_weight": 5.0,
    "style_scale": "area",
    "content_colors": "recolored",
    "content_layers": {"block3_conv1": 1.0},
    "init": "recolored",
    "optimizer": "lbfgs",
    "formula": "mean",
    "content_exponent": 0.43,
    "tv_exponent": -1.0,
    "first_size": 48,
    "effort": (1.5, 0.75),
    "frame_evaluations": 4,
    "refine_from": 1_200_000,
    "refine_effort": 0.25,
    "handover": 1.0,
    "relative_content": True,
    "query_content": (0.9, 1.0),
    "detail_content": 0.6,
    "style_energy": 2e5,
}
DEFAULT_RECIPE = "neighbors"


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
            try:
                settings[name] = SETTINGS[name].check(value)
            except InputError as error:
                raise InputError(f"{SETTINGS[name].flag} {error}") from None
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

    `style_energy`, where it is not None, is what each style's energy is brought to;
    `relative_content` says whether the photo's features are brought to a mean square of one.
    """

    content: dict[str, float]
    style: dict[str, float]
    total_variation: float
    neighbors: float = 0.0
    style_energy: float | None = None
    relative_content: bool = False
    temporal: float = 0.0

    @classmethod
    def of(cls, settings: Mapping[str, Any], rows: int) -> "LossWeights":
        """The settings' weights at a size, turned by strength.

        Strength s multiplies content by (2 (1 - s))^2, all else by (2 s)^2, which is one at 0.5.
        Content and total variation follow `reference_rows`; the style loss means the same at
        every size as it stands.

        Args:
            settings: of a run.
            rows: of the combination.
        """
        strength = settings["strength"]
        to_photo, to_painting = (2 * (1 - strength)) ** 2, (2 * strength) ** 2
        smaller = (settings["reference_rows"] or rows) / rows
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
