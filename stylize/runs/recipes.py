"""The recipes: named settings, each for a look or for another program's numbers."""

import math
from collections.abc import Mapping
from typing import Any

from PIL import Image

from stylize.errors import InputError, listed
from stylize.runs.settings import (
    CHECKS,
    MAY_BE_NONE,
    PICTURE_SETTINGS,
    SETTINGS,
    STYLE_LAYERS,
    Settings,
)
from stylize.runs.validators import checked, meant, shown

RECIPES = {"keras": Settings()}  # the Keras example script's, number for number
RECIPES["pyramid"] = RECIPES["keras"] | {
    "iterations": 2,
    "content_weight": 0.05,
    "tv_weight": 0.1,
    "scales": "auto",
    "content_layers": {"block4_conv2": 1.0},
    "precision": "auto",
    "resample": Image.Resampling.LANCZOS,
    "optimizer": "lbfgs",
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
    "temporal_weight": 5e3,
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
RECIPES["johnson"] = RECIPES["keras"] | {
    "iterations": 3,
    "content_weight": 5.0,
    "style_weight": 100.0,
    "tv_weight": 1e-3,
    "temporal_weight": 1e4,
    "size": 512,
    "scales": "auto",
    "style_scale": [1.0],
    "content_layers": {"block4_conv2": 1.0},
    "init": "noise",
    "optimizer": "lbfgs",
    "formula": "johnson",
    "resample": Image.Resampling.BILINEAR,
    "longer_side": int,
    "noise": 0.001,
    "restart": False,
    "size_step": math.sqrt(2),
    "smallest_size": 63.5,  # 64, but for rounding
    "effort": (0.3, 1.0),
    "pairs": 30,
    "preconditioner": 1.0,
    "reference_rows": "last",
    "content_exponent": 3.0,
    "tv_exponent": 0.0,
    "handover": 1.0,
}
RECIPES["crowson"] = RECIPES["keras"] | {
    "iterations": 2,
    "content_weight": 0.015,
    "tv_weight": 2.0,
    "temporal_weight": 10.0,
    "size": 512,
    "scales": "auto",
    "style_scale": [1.0],
    "content_layers": {"block4_conv2": 1.0},
    "style_layers": {layer: 4.0**-place * 256 / 341 for place, layer in enumerate(STYLE_LAYERS)},
    "optimizer": "lbfgs",
    "learning_rate": 0.02 * 255,  # its pixels go from 0 to 1
    "beta2": 0.99,
    "epsilon": 1e-8 / 255,
    "formula": "crowson",
    "resample": Image.Resampling.BICUBIC,
    "longer_side": round,
    "enlarge_styles": False,
    "edges": "replicate",
    "average_decay": 0.99,
    "restart": False,
    "bounded": True,
    "size_step": math.sqrt(2),
    "smallest_size": 127.5,  # rounded, 128
}
RECIPES["neighbors"] = RECIPES["pyramid"] | {
    "content_weight": 2500.0,
    "neighbor_weight": 1e4,
    "similarity_weight": 7e3,
    "tv_weight": 0.02,
    "temporal_weight": 5.0,
    "style_scale": "area",
    "extend_styles": True,
    "style_crop": "auto",
    "finest_period": 2.5,
    "content_colors": "recolored",
    "content_layers": {"block3_conv1": 1.0},
    "init": "recolored",
    "formula": "mean",
    "content_exponent": 0.43,
    "tv_exponent": -1.0,
    "first_size": 48,
    "effort": (1.0, 0.7),
    "frame_evaluations": 5,
    "refine_from": 1_200_000,
    "refine_effort": 0.25,
    "handover": 1.0,
    "relative_content": True,
    "query_content": (0.9, 1.0),
    "detail_content": 0.6,
    "style_energy": 2e5,
}
DEFAULT_RECIPE = "neighbors"
OWN_RECIPE = "custom"  # what one is called that differs from all of these in more than settings
# Of `style_transfer`, but for the pictures and settings: a slip may mean one of them. No settings.
ARGUMENTS = ("recipe", "weights", "evaluations_per_iteration", "callback", "progress")


def choose_settings(recipe: str | Settings | Mapping = DEFAULT_RECIPE, **given: Any) -> Settings:
    """Returns the recipe's settings with the `given` ones (but for None) in place of its own.

    Args:
        recipe: a name in `RECIPES`, or `Settings`, such as `RECIPES["pyramid"] | {"bounded":
            False}`, or a mapping with the keys of these.

    Raises:
        InputError: an unknown recipe or setting, or a value out of range.
    """
    settings, values = _recipe_settings(recipe), {}
    for name, value in given.items():
        if name not in SETTINGS and name in CHECKS:
            base = f"RECIPES[{recipe!r}]" if isinstance(recipe, str) else "your_recipe"
            own = f"{base} | {{{name!r}: ...}}"
            raise InputError(f"{name} is part of a recipe, not a setting; give recipe={own}")
        if name in ARGUMENTS:
            raise InputError(f"{name} is not a setting, but an argument of style_transfer")
        if name not in SETTINGS:
            known = [*SETTINGS, *ARGUMENTS]
            raise InputError(f"unknown setting {name!r}; {meant(name, known)}")
        if value is not None:
            values[name] = checked(SETTINGS[name].flag, SETTINGS[name].check, value, name)
    return settings | values


def name_of(settings: Settings) -> str:
    """The name of the recipe that has the same values but for settings; `OWN_RECIPE` if none.

    Of several, it is the one with the fewest settings of other values, whatever the pictures.
    """
    compared = SETTINGS.keys() - set(PICTURE_SETTINGS)  # arrays are not compared by ==

    def own(values):
        return {name: value for name, value in vars(values).items() if name not in SETTINGS}

    def distance(name):
        return sum(RECIPES[name][setting] != settings[setting] for setting in compared)

    alike = [name for name, known in RECIPES.items() if own(known) == own(settings)]
    return min(alike, key=distance, default=OWN_RECIPE)


def _recipe_settings(recipe):
    """The settings of a recipe. Raises InputError."""
    if isinstance(recipe, Settings):
        return _checked_values(recipe)
    if isinstance(recipe, Mapping):
        Settings.check_names(recipe)
        if missing := set(Settings.keys()) - recipe.keys():
            raise InputError(
                f"recipe must be a name, or made as RECIPES[{DEFAULT_RECIPE!r}] | {{...}}; "
                f"missing: {listed(sorted(missing))}"
            )
        return _checked_values(recipe)
    if not isinstance(recipe, str) or recipe not in RECIPES:
        raise InputError(f"there is no recipe {shown(recipe)}; {meant(str(recipe), RECIPES)}")
    return RECIPES[recipe]


def _checked_values(recipe):
    """The `Settings` with the values of a recipe of one's own. Raises InputError."""
    return Settings(
        **{
            name: value if value is None and name in MAY_BE_NONE else checked(name, check, value)
            for name, check in CHECKS.items()
            for value in [recipe[name]]
        }
    )
