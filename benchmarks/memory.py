"""Measures the peak memory of whole runs against what the program foresees.

    python benchmarks/memory.py --rows 200 400 800 1600 --precision bfloat16 float32

Each run is in a process of its own: one iteration at every size, which fills L-BFGS's history. The
last column must lie between 1.0 and 1.1.
"""

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import evaluation

import neural_style_transfer as nst


def measure(args):
    """(foreseen, measured) MiB of a run in this process."""
    job = nst.prepare(
        evaluation.BASE,
        evaluation.STYLE,
        args.recipe,
        size=args.rows[0],
        precision=args.precision[0],
        iterations=1,
        style_turns=args.style_turns,
        tile=args.tile,
    )
    nst.paint(job, nst.load_weights(args.weights, quiet=True))
    return job.needed_mib, evaluation.own_peak_mib()


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[200, 400, 800, 1600])
    parser.add_argument("--precision", nargs="+", default=["bfloat16", "float32"])
    parser.add_argument("--recipe", default=nst.DEFAULT_RECIPE, choices=nst.RECIPES)
    parser.add_argument("--style_turns", default="0", help="as for neural_style_transfer.py")
    parser.add_argument("--tile", default="auto", help="as for neural_style_transfer.py")
    parser.add_argument("--weights", default="imagenet", help="as for neural_style_transfer.py")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.one:
        print(*measure(args))
        return 0
    print(f"{'rows':>5} {'precision':>9} {'foreseen':>10} {'measured':>10}")
    for precision in args.precision:
        for rows in args.rows:
            command = [sys.executable, __file__, "--one", "--rows", str(rows)]
            command += ["--precision", precision, "--recipe", args.recipe]
            command += ["--weights", args.weights]
            command += ["--style_turns", args.style_turns, "--tile", args.tile]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            foreseen, measured = map(float, output.split())
            print(
                f"{rows:5d} {precision:>9} {foreseen:6.0f} MiB {measured:6.0f} MiB "
                f"{foreseen / measured:5.2f}",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
