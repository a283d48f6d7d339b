"""The settings on the page: the words for them, and the values that it opens with."""

from collections.abc import Collection, Mapping
from typing import Any

from stylize.runs.recipes import DEFAULT_RECIPE, RECIPES

DEFAULTS = RECIPES[DEFAULT_RECIPE]
DEFAULT_ROWS = 256  # of a result, where nothing else is asked for
CONTROLS = {  # setting -> what a caption calls it
    "strength": "strength",
    "size": "size",
    "iterations": "iterations",
    "preserve_colors": "colours",
    "content_weight": "content weight",
    "style_weight": "style weight",
    "tv_weight": "smoothness",
    "noise_blend": "noise",
    "seed": "seed",
    "style_scale": "strokes",
}
COLOURS = [  # words -> `preserve_colors`
    ("no", "none"),
    ("yes (luma)", "luma"),
    ("yes (linear)", "linear"),
    ("yes (linear_cholesky)", "linear_cholesky"),
    ("yes (histogram)", "histogram"),
]
STROKES = [  # words -> `style_scale`
    ("finest", 0.3),
    ("finer", 0.6),
    ("as in the painting", "area"),
    ("coarser", 1.5),
    ("coarsest", 2.0),
]


def in_caption(given: Mapping[str, Any], without: Collection[str] = ()) -> str:
    """The strength, and whatever else differs from what the page opens with, in words.

    Args:
        given: settings.
        without: those to leave out.
    """
    opens_with = {name: DEFAULTS[name] for name in CONTROLS} | {"size": DEFAULT_ROWS}
    told = [name for name in CONTROLS if name == "strength" or given[name] != opens_with[name]]
    return ", ".join(
        f"{CONTROLS[name]} {_in_words(name, given[name])}" for name in told if name not in without
    )


def of_then(given: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Settings that have other values `now`, each with the one that was `given`, in words."""
    changed = (name for name in given if given[name] != now[name])
    return [f"{CONTROLS[name]} {_in_words(name, given[name])}" for name in changed]


def _in_words(name, value):
    """A value as the page calls it."""
    words = {"style_scale": STROKES, "preserve_colors": COLOURS[:1]}.get(name, [])
    return next((label for label, own in words if own == value), value)
