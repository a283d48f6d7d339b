"""The words that people type: what others call our options and values, and what slips may mean.

Other programs for style transfer, and other kinds of English, have names of their own for the same
things. Where one means exactly what ours does it is taken for it; where it comes near, ours is
suggested. Names here have underscores; hyphens do as well.
"""

import dataclasses
import difflib
import re
from collections.abc import Iterable, Mapping, Sequence

from stylize.apps.console import underscored
from stylize.errors import InputError
from stylize.runs.recipe_values import Recipe

OPTION_NAMES = {  # of others -> ours
    **dict.fromkeys(("--iterations", "--num_iterations", "--num_iter", "--n_iter"), "--iter"),
    **dict.fromkeys(("--neighbors", "--neighbours", "--neighbour_weight"), "--neighbor_weight"),
    **dict.fromkeys(
        (
            *("--preserve_color", "--preserve_colour", "--preserve_colours", "--keep_colors"),
            *("--keep_colours", "--original_color", "--original_colors", "--original_colour"),
            "--original_colours",
        ),
        "--preserve_colors",
    ),
    "--content_colours": "--content_colors",
    **dict.fromkeys(("--total_variation_weight", "--tv"), "--tv_weight"),
    **dict.fromkeys(("--height", "--rows"), "--size"),
    "--style_scales": "--style_scale",
    "--style_blend_weights": "--style_blend",
    **dict.fromkeys(("--pool", "--pool_type", "--pooling_type"), "--pooling"),
    **dict.fromkeys(("--initial", "--init_image"), "--init"),
    "--initial_noiseblend": "--noise_blend",
    "--optimiser": "--optimizer",
    "--lr": "--learning_rate",
    **dict.fromkeys(("--network", "--model", "--vgg_path", "--model_file"), "--weights"),
    **dict.fromkeys(("--output_format", "--extension"), "--format"),
}
OUTPUT = (  # before the result's name
    *("-o", "--out", "--output", "--output_image", "--output_file", "--result_prefix"),
)
SIDES = {"--width": "cols", "--height": "rows", "--rows": "rows"}  # that --size is given by
PICTURES = (  # other programs have options for what ours take without one
    *("--content", "--content_image", "--base", "--base_image", "--input", "--photo"),
    *("--style", "--style_image", "--style_reference", "--painting"),
)
VALUE_NAMES: Mapping[str, Mapping[str, str]] = {  # by option: other words -> ours
    "--recipe": {"neighbours": "neighbors", "neighbor": "neighbors", "neighbour": "neighbors"},
    "--preserve_colors": {
        **dict.fromkeys(("luminance", "lum", "luminosity", "yes", "true", "1"), "luma"),
        **dict.fromkeys(("no", "off", "false", "0"), "none"),
        "hist": "histogram",
    },
    "--content_colors": {"recoloured": "recolored"},
    "--init": {
        **dict.fromkeys(("photo", "content", "image"), "base"),
        "recoloured": "recolored",
        "random": "noise",
    },
    "--pooling": {"average": "avg", "mean": "avg", "maximum": "max"},
    "--optimizer": {"l-bfgs": "lbfgs", "l_bfgs": "lbfgs"},
    "--style_scale": {"finest": "0.3", "finer": "0.6", "coarser": "1.5", "coarsest": "2"},
    "--size": {"original": "own", "full": "own", "same": "own"},
    "--format": {"jpeg": "jpg", "tif": "tiff"},
    "--precision": {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"},
}
ANY_CASE = ("--recipe", "--preserve_colors", "--pooling", "--optimizer", "--format")
MEANINGS = {  # a name that is no option's, or a word in it -> what may be meant
    "style_layer_weights": "--style_layers",
    "content_layer_weights": "--content_layers",
    **dict.fromkeys(("color", "colors", "colour", "colours", "palette"), "--preserve_colors"),
    **dict.fromkeys(("step", "steps", "epoch", "epochs", "iteration", "quality"), "--iter"),
    **dict.fromkeys(("resolution", "dimension", "pixels", "dim", "image", "px"), "--size"),
    **dict.fromkeys(("intensity", "amount", "degree", "ratio", "alpha"), "--strength"),
    **dict.fromkeys(("smooth", "smoothness", "denoise", "variation"), "--tv_weight"),
    "noise": "--noise_blend",
    **dict.fromkeys(("stroke", "strokes", "brush", "brushes"), "--style_scale"),
    **dict.fromkeys(
        ("mask", "masks", "region"),
        "--keep_mask (white stays the photo), --content_mask (white stays close to the photo) or "
        "--style_masks (white is where a style goes)",
    ),
    **dict.fromkeys(("blend", "mix", "interpolate"), "--styles with --style_blend"),
    **dict.fromkeys(("algorithm", "method", "mode", "preset"), "--recipe"),
    **dict.fromkeys(("thread", "threads", "worker", "workers", "parallel", "batch"), "--jobs"),
    **dict.fromkeys(("vgg", "vgg19", "vgg16", "checkpoint"), "--weights"),
    **dict.fromkeys(("continue", "restart"), "--resume"),
    **dict.fromkeys(("preview", "try", "options", "variants", "grid"), "--compare"),
    **dict.fromkeys(("info", "inspect", "metadata", "settings"), "--show"),
    **dict.fromkeys(("force", "replace"), "--overwrite"),
    **dict.fromkeys(("silent", "q"), "--quiet"),
    **dict.fromkeys(("debug", "v"), "--verbose"),
    **dict.fromkeys(("temp", "tmp", "cache"), "--scratch"),
    **dict.fromkeys(("video", "film", "movie"), "the film's name in place of the photo's"),
    **dict.fromkeys(("folder", "directory", "dir"), "the folder's name in place of the photo's"),
    **dict.fromkeys(
        ("gpu", "cuda", "device", "cpu"), "to leave it out: a GPU is used where there is one"
    ),
}

OF_RECIPES = {  # what no option sets
    field.name: "a recipe of your own, made in Python (docs/api.md)"
    for field in dataclasses.fields(Recipe)
}


def spelled(arguments: Sequence[str]) -> list[str]:
    """Spells options as they are declared: with underscores, and by our names for them.

    --tv-weight becomes --tv_weight, --iterations --iter, --width 800 --size 800x; a name for the
    result after -o goes where it is expected, to the end. What comes after "--" is no option.

    Raises:
        InputError: both sides are given.
    """
    arguments = underscored(arguments)
    end = arguments.index("--") if "--" in arguments else len(arguments)
    words, result, names, sides = arguments[:end], [], [], {}
    while words:
        name, equals, value = words.pop(0).partition("=")
        lacks = not equals and (not words or words[0].startswith("--"))
        if name in OUTPUT:
            names.append(value if equals or lacks else words.pop(0))
        elif name in SIDES and not lacks:
            value = value if equals else words.pop(0)
            sides[SIDES[name]] = f"{name} {value}"
            result += ["--size", f"{value}x" if value and SIDES[name] == "cols" else value]
        else:
            own = "--size" if name in SIDES else OPTION_NAMES.get(name, name)
            result.append(own + equals + value)
    if len(sides) > 1:
        both = " and ".join(sides.values())
        raise InputError(f"{both}: leave one of them out; it follows from the photo")
    after = [*arguments[end + 1 :], *names]
    return [*result, "--", *after] if after or end < len(arguments) else result


def spelled_value(option: str, value: str) -> str:
    """What we call a value of an option."""
    names = VALUE_NAMES.get(option, {})
    small = value.lower().removeprefix(".") if option in ANY_CASE else value
    return names.get(small.lower(), small)


def suggestion(name: str, options: Iterable[str]) -> str:
    """What an unknown option may mean, in words; "" where nobody knows.

    Args:
        name: as it was typed.
        options: those that there are.
    """
    meant = [MEANINGS[word] for word in re.split("[-_]+", name.lower()) if word in MEANINGS]
    options = [*options]
    slip = difflib.get_close_matches(name, [*options, *OPTION_NAMES, *OUTPUT], n=1, cutoff=0.85)
    plain = name.lower().lstrip("-")
    bare = [option.lstrip("-") for option in options]
    alike = [f"--{each}" for each in difflib.get_close_matches(plain, bare, n=1)]
    known = MEANINGS.get(plain) or OF_RECIPES.get(plain)
    found = known or next(iter([*slip, *meant, *alike]), "")
    return OPTION_NAMES.get(found, found)
