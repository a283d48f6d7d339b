"""Measures the program's own L-BFGS against SciPy's, in turns, on the same pictures.

    python benchmarks/optimizers.py --json benchmarks/optimizers.json

Seconds are of the whole run, network loaded. The loss is the recipe's, in float32, of the picture
that comes out. *Outside* is what the optimiser and its reports take: of the seconds at each size
from the first evaluation to the last iteration, those that are not spent in evaluations. *Highest*
is the highest loss of an evaluation after the first of a size, in the lowest before it.
"""

import argparse
import contextlib
import json
import math
import statistics
import sys
import time
from pathlib import Path
from typing import NamedTuple
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import neural_style_transfer as nst
from stylize.backend import LossAndGrads
from stylize.pictures import preprocess_image
from stylize.progress import Progress

PAIRS = [
    "astronaut+swirling_night",
    "coffee+stained_glass",
    "cat+pointillism",
    "hopper+impasto",
    "temple+woodcut",
    "rocket+watercolour",
]
OPTIMIZERS = ("scipy", "lbfgs")


class Measured(NamedTuple):
    """What a run took, and came to; `result` is the last `Iterate`."""

    seconds: float
    outside: float  # seconds
    evaluations: int
    highest: float
    result: nst.Iterate


class Watch(Progress):
    """Notes the seconds outside evaluations, and how far the loss goes up."""

    def __init__(self):
        super().__init__()
        self.in_evaluations = self.outside = self.highest = 0.0
        self._since = math.nan

    @contextlib.contextmanager
    def clocking(self):
        """Clocks the evaluations meanwhile."""
        evaluate = LossAndGrads.on_device

        def clocked(objective, combination):
            start = time.perf_counter()
            result = evaluate(objective, combination)  # it waits for the device
            self.in_evaluations += time.perf_counter() - start
            return result

        with mock.patch.object(LossAndGrads, "on_device", clocked):
            yield

    def on_evaluation(self, evaluation):
        if math.isinf(self.lowest):  # the first of a size, which may compile
            self._since = time.perf_counter() - self.in_evaluations
        else:
            self.highest = max(self.highest, evaluation.losses.total / self.lowest)
        super().on_evaluation(evaluation)

    def on_iterate(self, iterate):
        super().on_iterate(iterate)
        now = time.perf_counter() - self.in_evaluations
        self.outside += now - self._since
        self._since = now


def measured_run(job, weights):
    """Paints a `Job`. Returns what was `Measured`."""
    watch = Watch()
    start = time.perf_counter()
    with watch.clocking():
        result = nst.paint(job, weights, watch)
    seconds = time.perf_counter() - start
    return Measured(seconds, watch.outside, watch.evaluations, watch.highest, result)


def float32_loss(weights, pictures, recipe, rows, result):
    """The recipe's loss at full size, in float32, of a picture."""
    job = nst.prepare(*pictures, recipe, size=rows, scales=1, precision="float32")
    return float(
        nst.stage_objective(job, weights, job.stages[0])(preprocess_image(result))[0].sum()
    )


def compare(weights, pair, recipe, rows, order):
    """Paints a pair with each optimiser. Prints a row for each; returns the object for `--json`."""
    pictures = [ROOT / "img" / f"{name}.jpg" for name in pair.split("+")]
    row = {"pair": pair, "rows": rows}
    for optimizer in order:
        run = measured_run(nst.prepare(*pictures, recipe, size=rows, optimizer=optimizer), weights)
        loss = float32_loss(weights, pictures, recipe, rows, run.result.image)
        suffix = "_scipy" if optimizer == "scipy" else ""
        row |= {f"seconds{suffix}": run.seconds, f"loss{suffix}": loss}
        print(
            f"{pair:>26}{optimizer:>8}{run.seconds:9.1f}{run.evaluations:13d}{loss:12.5g}"
            f"{run.outside / run.seconds:9.1%}{run.highest:10.3g}",
            flush=True,
        )
    return row


def summary(rows):
    """The lines that sum up the `compare`d pairs."""
    seconds = [row["seconds"] / row["seconds_scipy"] for row in rows]
    losses = [row["loss"] / row["loss_scipy"] for row in rows]
    return (
        f"ours in SciPy's: seconds {statistics.median(seconds):.3f} (median), "
        f"loss {statistics.mean(losses):.4f} (mean), {max(losses):.4f} (highest)"
    )


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", nargs="+", default=PAIRS, metavar="PHOTO+PAINTING")
    parser.add_argument("--rows", type=int, default=400, help="default: %(default)s")
    parser.add_argument("--recipe", default="pyramid", choices=nst.RECIPES)
    parser.add_argument("--weights", default="imagenet", help="as for neural_style_transfer.py")
    parser.add_argument("--json", type=Path, help="a file to write")
    args = parser.parse_args(argv)
    weights = nst.load_weights(args.weights)
    print(f"recipe {args.recipe}, {args.rows} rows")
    print(
        f"{'':26}{'':8}{'seconds':>9}{'evaluations':>13}{'loss':>12}{'outside':>9}{'highest':>10}"
    )
    rows = []
    for index, pair in enumerate(args.pairs):  # each goes first in turn
        order = OPTIMIZERS[::-1] if index % 2 else OPTIMIZERS
        rows.append(compare(weights, pair, args.recipe, args.rows, order))
    print(summary(rows))
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
