"""Measures the program's own L-BFGS against SciPy's, in turns, on the same pictures.

    python benchmarks/optimizers.py --recipe neighbors --scipy_effort 1.5 0.75

Each optimiser runs in a process of its own, in turns of five evaluations, so that a slow moment of
the machine hits both. Seconds are of its turns in the whole run, network loaded. The loss is the
recipe's, in float32, of the picture that comes out. *Outside* is what the optimiser and its reports
take: of the seconds at each size from the first evaluation to the last iteration, those that are
not spent in evaluations. *Highest* is the highest loss of an evaluation after the first of a size,
in the lowest before it.
"""

import argparse
import contextlib
import json
import math
import multiprocessing
import statistics
import sys
import time
from pathlib import Path
from typing import NamedTuple
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import neural_style_transfer as nst
from stylize.backend.tensors import LossAndGrads
from stylize.losses.tiled import TiledLossAndGrads
from stylize.runs.progress import Progress
from stylize.vgg.preprocess import preprocess_image

PAIRS = [
    "astronaut+swirling_night",
    "coffee+stained_glass",
    "cat+pointillism",
    "hopper+impasto",
    "temple+woodcut",
    "rocket+watercolour",
]
OPTIMIZERS = ("scipy", "lbfgs")
TURN = 5  # evaluations


class Measured(NamedTuple):
    """What a run took; see the module's docstring."""

    seconds: float
    outside: float  # in seconds
    evaluations: int
    highest: float


class Watch(Progress):
    """Notes the seconds outside evaluations, and how far the loss goes up.

    Args:
        wait_for_turn: called after every turn; the clock stands still meanwhile.
    """

    def __init__(self, wait_for_turn=lambda: None):
        super().__init__()
        self.outside = self.highest = self.waited = 0.0
        self._wait_for_turn, self._in_evaluations, self._since = wait_for_turn, 0.0, math.nan

    @contextlib.contextmanager
    def clocking(self):
        """Clocks the evaluations meanwhile."""
        with contextlib.ExitStack() as patches:
            for kind in (LossAndGrads, TiledLossAndGrads):
                clocked = self._clocked(kind.on_device)
                patches.enter_context(mock.patch.object(kind, "on_device", clocked))
            yield

    def _clocked(self, evaluate):
        """A method that evaluates, which adds the seconds that it takes."""

        def clocked(objective, combination):
            start = time.perf_counter()
            result = evaluate(objective, combination)  # it waits for the device
            self._in_evaluations += time.perf_counter() - start
            return result

        return clocked

    def on_evaluation(self, evaluation):
        if math.isinf(self.lowest):  # the first of a size, which compiles
            self._since = self._seconds_elsewhere()
        else:
            self.highest = max(self.highest, evaluation.losses.total / self.lowest)
        super().on_evaluation(evaluation)
        if self.evaluations % TURN == 0:
            start = time.perf_counter()
            self._wait_for_turn()
            self.waited += time.perf_counter() - start

    def on_iterate(self, iterate):
        super().on_iterate(iterate)
        now = self._seconds_elsewhere()
        self.outside += now - self._since
        self._since = now

    def _seconds_elsewhere(self):
        return time.perf_counter() - self._in_evaluations - self.waited


def measured_run(job, weights, watch=None):
    """Paints a `Job`. Returns (what was `Measured`, the picture)."""
    watch = watch or Watch()
    start = time.perf_counter()
    with watch.clocking():
        result = nst.paint(job, weights, watch)
    seconds = time.perf_counter() - start - watch.waited
    return Measured(seconds, watch.outside, watch.evaluations, watch.highest), result.image


def float32_loss(weights, pictures, recipe, rows, result):
    """The recipe's loss at full size, in float32, of a picture."""
    job = nst.prepare(*pictures, recipe, size=rows, scales=1, precision="float32")
    return float(
        nst.stage_objective(job, weights, job.stages[0])(preprocess_image(result))[0].sum()
    )


def work(connection, args, pair, optimizer):
    """A worker: paints a pair in turns, then sends (what was `Measured`, loss)."""

    def wait_for_turn():
        connection.send(None)
        connection.recv()

    weights = nst.load_weights(args.weights, quiet=True)
    pictures = [ROOT / "img" / f"{name}.jpg" for name in pair.split("+")]
    recipe = nst.RECIPES[args.recipe]
    if optimizer == "scipy" and args.scipy_effort:
        recipe = recipe | {"effort": args.scipy_effort}
    job = nst.prepare(*pictures, recipe, size=args.rows, optimizer=optimizer)
    connection.recv()
    measured, image = measured_run(job, weights, Watch(wait_for_turn))
    connection.send((measured, float32_loss(weights, pictures, args.recipe, args.rows, image)))


def run_in_turns(args, pair):
    """Optimiser -> (what was `Measured`, loss)."""
    context, workers, results = multiprocessing.get_context("spawn"), {}, {}
    for optimizer in OPTIMIZERS:
        workers[optimizer], theirs = context.Pipe()
        context.Process(target=work, args=(theirs, args, pair, optimizer), daemon=True).start()
        theirs.close()  # so that a worker that fails is noticed
    while workers:
        for optimizer, connection in list(workers.items()):
            connection.send("go")
            if result := connection.recv():
                results[optimizer] = result
                del workers[optimizer]
    return results


def compare(args, pair):
    """Paints a pair with each optimiser. Prints a row for each; returns the object for `--json`."""
    row = {"pair": pair, "rows": args.rows}
    for optimizer, (run, loss) in run_in_turns(args, pair).items():
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
    parser.add_argument(
        "--scipy_effort",
        type=float,
        nargs=2,
        metavar=("FIRST", "LAST"),
        help="`effort` of SciPy's runs (default: the recipe's)",
    )
    parser.add_argument("--weights", default="imagenet", help="as for neural_style_transfer.py")
    parser.add_argument("--json", type=Path, help="a file to write")
    args = parser.parse_args(argv)
    print(f"recipe {args.recipe}, {args.rows} rows")
    columns = ("seconds", 9), ("evaluations", 13), ("loss", 12), ("outside", 9), ("highest", 10)
    print(" " * 34 + "".join(f"{name:>{width}}" for name, width in columns))
    rows = [compare(args, pair) for pair in args.pairs]
    print(summary(rows))
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
