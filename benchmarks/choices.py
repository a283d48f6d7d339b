"""Measures what choices of the recipe `pyramid` cost and bring, one changed at a time.

    python benchmarks/choices.py --rows 200

The loss is that recipe's, in float32, of the picture that comes out: whatever a choice does
to get there, its pictures are measured alike. Seconds are of the whole run, network loaded.
"""

import argparse
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import neural_style_transfer as nst
from stylize.vgg.download import load_weights
from stylize.vgg.preprocess import preprocess_image

PAIRS = [("astronaut", "swirling_night"), ("coffee", "stained_glass")]
PYRAMID = nst.RECIPES["pyramid"]
CHOICES = {
    "the defaults": {},
    "float32": {"precision": "float32"},
    "bfloat16": {"precision": "bfloat16"},
    "pixels free, clipped at the end": {"bounded": False},
    "one size": {"scales": 1},
    "L-BFGS anew each iteration": {"restart": True},
    "1 iteration": {"iterations": 1},
    "4 iterations": {"iterations": 4},
}


def picture(name):
    return nst.load_image(ROOT / "img" / f"{name}.jpg")


def default_formula(weights, base, style, rows):
    """The recipe's objective at full size, in float32."""
    job = nst.prepare(base, style, PYRAMID, size=rows, scales=1, precision="float32")
    return nst.stage_objective(job, weights, job.stages[0])


def measure(weights, pair, rows):
    """Paints a pair with each choice; prints a row of seconds and losses for each."""
    base, style = map(picture, pair)
    formula = default_formula(weights, base, style, rows)
    print(
        f"{' + '.join(pair)}, {rows} rows\n{'':>32}{'seconds':>9}{'loss':>10}{'of the default':>16}"
    )
    default = None
    for name, choice in CHOICES.items():
        start = time.perf_counter()
        recipe = PYRAMID | choice
        result = nst.style_transfer(base, style, recipe=recipe, weights=weights, size=rows)
        seconds = time.perf_counter() - start
        loss = formula(preprocess_image(result))[0].sum()
        default = default or loss
        print(f"{name:>32}{seconds:9.1f}{loss:10.4g}{loss / default:16.3f}", flush=True)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200, help="default: %(default)s")
    parser.add_argument("--weights", default="imagenet", help="as for neural_style_transfer.py")
    args = parser.parse_args(argv)
    weights = load_weights(args.weights)
    for pair in PAIRS:
        measure(weights, pair, args.rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
