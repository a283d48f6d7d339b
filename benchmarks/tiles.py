"""Measures one evaluation in tiles against the same one of the whole picture.

    python benchmarks/tiles.py --rows 2048 --cols 2304 --tile 1024 --weights mirror

Both run in one process, in turns; figures are medians. `--one` evaluates in tiles only, and prints
the peak memory.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import evaluation
import numpy as np

import neural_style_transfer as nst


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2048)
    parser.add_argument("--cols", type=int, default=2048)
    parser.add_argument("--tile", type=int, default=1024)
    parser.add_argument("--recipe", default="pyramid", choices=nst.RECIPES)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--repeats", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--weights", default="imagenet", help="as for neural_style_transfer.py")
    parser.add_argument("--one", action="store_true", help="tiles only, once")
    args = parser.parse_args(argv)
    weights = nst.load_weights(args.weights)
    job = nst.prepare(
        evaluation.BASE,
        evaluation.STYLE,
        args.recipe,
        size=(args.rows, args.cols),
        scales=1,
        precision=args.precision,
        tile="off",
    )
    (stage,) = job.stages
    x = job.start(stage).ravel()
    ways = {"tiles": stage._replace(tile=args.tile)} | ({} if args.one else {"whole": stage})
    objectives = {way: nst.stage_objective(job, weights, stage) for way, stage in ways.items()}
    seconds = {way: [] for way in ways}
    results = {}
    for _ in range(1 if args.one else 1 + args.repeats):
        for way, objective in objectives.items():
            start = time.perf_counter()
            results[way] = objective(x)
            seconds[way].append(time.perf_counter() - start)
    for way, all_seconds in seconds.items():
        own = statistics.median(all_seconds[1:] or all_seconds)
        print(f"{way}: {own:.2f} s an evaluation, {args.cols}x{args.rows}, tile {args.tile}")
    if not args.one:
        ratio = statistics.median(seconds["tiles"][1:]) / statistics.median(seconds["whole"][1:])
        (terms, gradient), (own_terms, own_gradient) = results["whole"], results["tiles"]
        apart = np.linalg.norm(own_gradient - gradient) / np.linalg.norm(gradient)
        print(
            f"ratio {ratio:.3f}; loss apart {abs(own_terms.sum() / terms.sum() - 1):.1e}, ", end=""
        )
        print(f"gradient {apart:.1e}")
    print(f"peak {evaluation.own_peak_mib():.0f} MiB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
