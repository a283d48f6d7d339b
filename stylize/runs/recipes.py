"""The recipes: named sets of settings, each for a look or for another program's numbers."""

import math
from typing import Any

from PIL import Image

STYLE_LAYERS = ("block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1", "block5_conv1")

# A recipe is a value for every setting, which the caller's wins over, and what makes the recipe:
#   formula        the constants in the losses, a name in FORMULAS
#   resample       the filter that resizes pictures
#   longer_side    None: size is the rows of the result, style_scale that of widths. Or a function
#                  that makes whole numbers of sides: both are of longer sides
#   noise          standard deviation of the noise to start from, around the mean pixel
#   enlarge_styles whether a style that is smaller than style_scale says is enlarged
#   pool_padding   "valid" leaves an odd last row and column out, "same" pools them alone
#   edges          what the first convolution sees beyond the picture's edges: "zero", or the pixels
#                  at the edge, "replicate"
#   average_decay  see `minimize_adam`
#   restart        whether L-BFGS starts anew in every iteration, as in the Keras example
#   bounded        whether pixels are kept within black and white while they are optimised. Without
#                  it L-BFGS moves one in twenty outside, and clipping them undoes much of its work
#   pairs          how many steps our L-BFGS remembers: in runs of hundreds of evaluations, more
#                  steps reach a low loss sooner; each takes 24 bytes a pixel
#   preconditioner the exponent of `Preconditioner`; 0: none. Not where pixels are bounded
#   reference_rows the rows at which content_weight and tv_weight mean what the formulas say; at
#                  others they are multiplied by a power of reference_rows / rows, so that a weight
#                  gives the same look at any size. None: they are not. "last": those of the result;
#                  the content weight then begins high and keeps small sizes close to the photo,
#                  since a picture that strays returns slowly.
#   content_exponent, tv_exponent  that power: 2 for sums over pixels
#   first_size     pixels of the short side of the coarsest size, where scales is "auto" and sizes
#                  grow evenly from it; None: see below. Large forms are laid down
#                  at the first size, so that it must not depend on the last.
#   size_step      each size in parts of the one before, else
#   smallest_size  which side the sizes then begin with at least, where scales is "auto": pixels of
#                  the short side, or of the longer one if that is what size means
#   effort         evaluations of an iteration at the first and at the last size, in parts of 20
#   temporal_weight  a thousandth of the whole loss of a photo, or up to a hundredth. Those of
#                  athalye, johnson and crowson are scaled to that, not judged by eye
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
        "longer_side": None,
        "noise": 0.256,
        "enlarge_styles": True,
        "pool_padding": "valid",
        "edges": "zero",
        "average_decay": 0.0,
        "restart": True,
        "bounded": False,
        "pairs": 10,
        "preconditioner": 0.0,
        "reference_rows": None,
        "content_exponent": 2.0,
        "tv_exponent": 2.0,
        "first_size": None,
        "size_step": 2.0,
        "smallest_size": 100.0,
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
    "tv_weight": 0.02,
    "temporal_weight": 5.0,
    "style_scale": "area",
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
