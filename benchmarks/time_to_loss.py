"""Measures how long three algorithms take to the loss that the Keras example ends with.

    python benchmarks/time_to_loss.py --json benchmarks/time_to_loss.json

    original   the Keras example as published: concatenated batch, L-BFGS anew each iteration
    keras      this program with --recipe keras: the same numbers, targets computed once
    pyramid    this program with --recipe pyramid, with the layers and loss weights of the others

All three are given the pictures as the Keras example resizes them, so that they aim at the same.
Each runs in a process of its own, on the same weights and pictures, in turns of one iteration, so
that a slow moment of the machine hits all. The clock runs only in a process's turns, from when
pictures and weights are read: building, compiling and targets count. Every loss is the Keras
example's formula at full size (for `pyramid` it is computed while its clock stands still).
"""

import argparse
import json
import math
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import evaluation
import numpy as np

import neural_style_transfer as nst
from vgg19_weights import load_weights

ALGORITHMS = ("original", "keras", "pyramid")
KERAS = nst.RECIPES["keras"]


class Clock:
    """Counts the seconds in which a worker has its turn, and records a loss at each evaluation."""

    def __init__(self):
        self.trace = []  # [seconds, loss] of each evaluation at full size
        self.evaluations = 0
        self._seconds = 0.0
        self._started = time.perf_counter()

    def evaluated(self, loss=None):
        """Notes an evaluation; `loss` is a function, called while the clock stands still."""
        self._seconds += time.perf_counter() - self._started
        self.evaluations += 1
        if loss:
            self.trace.append([self._seconds, loss()])
        if self.evaluations % nst.EVALUATIONS_PER_ITERATION == 0:
            self._wait_for_turn()
        self._started = time.perf_counter()

    def _wait_for_turn(self):
        print("done", flush=True)
        sys.stdin.readline()

    def stop(self):
        self._seconds += time.perf_counter() - self._started
        return self._seconds


def work(algorithm, args):
    """A worker: runs one algorithm in turns and prints its figures as JSON."""
    weights = load_weights(args.weights)
    base, style = nst.load_image(args.base), nst.load_image(args.ref)
    rows, cols = nst.working_size(base, args.size)
    base, style = (
        nst.resize_image(image, rows, cols, KERAS["resample"]) for image in (base, style)
    )
    pictures = [nst.preprocess_image(image) for image in (base, style)]
    nst.keras.backend.backend()
    sys.stdin.readline()
    clock = Clock()
    if algorithm == "original":
        run_original(weights, pictures, args.iter, clock)
    elif algorithm == "keras":
        nst.style_transfer(
            base,
            style,
            args.iter,
            recipe="keras",
            size=rows,
            weights=weights,
            on_evaluation=lambda losses: clock.evaluated(lambda: losses.total),
        )
    else:
        run_pyramid(weights, base, style, pictures, clock)
    figures = {
        "evaluations": clock.evaluations,
        "seconds": clock.stop(),
        "peak_mib": evaluation.own_peak_mib(),
        "loss": min(loss for _, loss in clock.trace),
        "trace": clock.trace,
    }
    print(json.dumps(figures), flush=True)


def run_original(weights, pictures, iterations, clock):
    import keras_example

    loss_and_grads = keras_example.concatenated_loss_and_grads(weights, *pictures)

    def timed(x):
        loss, grads = loss_and_grads(x)
        clock.evaluated(lambda: loss)
        return loss, grads

    for _ in keras_example.run(timed, pictures[0].astype(np.float64), iterations):
        pass


def run_pyramid(weights, base, style, pictures, clock):
    """Like `keras` in what is minimised; at full size, x is measured by the Keras formula."""
    same = ("content_weight", "style_weight", "tv_weight", "content_layers", "style_layers")
    settings = {name: KERAS[name] for name in same}
    rows, cols, _ = pictures[0].shape
    # The pyramid's weights of sums over pixels mean what they say at reference_rows.
    per_pixel = (rows / nst.RECIPES["pyramid"]["reference_rows"]) ** 2
    settings["content_weight"] *= per_pixel
    settings["tv_weight"] *= per_pixel
    layers = {**settings["content_layers"], **settings["style_layers"]}
    network = nst.build_network(weights, layers)
    targets = pictures[0], [nst.Style(pictures[1])]
    formula = nst.make_objective(network, *targets, nst.loss_weights(KERAS, rows))
    formula(pictures[0].ravel())
    clock.__init__()  # what measures the formula is not part of the algorithm

    class Watched(nst.Evaluator):
        def _evaluate(self, x):
            super()._evaluate(x)
            full_size = x.size == rows * cols * 3
            clock.evaluated((lambda: float(formula(x)[0].sum())) if full_size else None)

    nst.Evaluator = Watched
    nst.style_transfer(base, style, recipe="pyramid", size=rows, weights=weights, **settings)


def run_in_turns(argv):
    """Runs a worker per algorithm, one iteration each in turn. Returns their figures."""
    workers = {
        algorithm: subprocess.Popen(
            [sys.executable, __file__, *argv, "--work", algorithm],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for algorithm in ALGORITHMS
    }
    figures = {}
    while len(figures) < len(workers):
        for algorithm, worker in workers.items():
            if algorithm not in figures:
                worker.stdin.write("go\n")
                worker.stdin.flush()
                line = worker.stdout.readline()
                if not line:
                    raise SystemExit(f"{algorithm}: failed; run it with --work {algorithm}")
                if line != "done\n":
                    figures[algorithm] = json.loads(line)
                    worker.communicate()
    return figures


def add_comparisons(figures):
    """Adds the seconds to the original's last loss, and what `keras` has when `pyramid` ends."""
    for algorithm in ("keras", "pyramid"):
        reached = [
            seconds
            for seconds, loss in figures[algorithm]["trace"]
            if loss <= figures["original"]["loss"]
        ]
        figures[algorithm]["seconds_to_original_loss"] = reached[0] if reached else None
    end = figures["pyramid"]["seconds"]
    meanwhile = [loss for seconds, loss in figures["keras"]["trace"] if seconds <= end]
    figures["keras"]["loss_when_pyramid_ends"] = min(meanwhile) if meanwhile else None


def print_table(figures):
    print(f"{'':>9} {'evaluations':>11} {'seconds':>8} {'peak MiB':>8} {'loss':>10} {'reached':>9}")
    for algorithm in ALGORITHMS:
        row = figures[algorithm]
        reached = row["seconds"] if algorithm == "original" else row["seconds_to_original_loss"]
        print(
            "{:>9} {evaluations:11d} {seconds:8.1f} {peak_mib:8.0f} {loss:10.4g} {}".format(
                algorithm, f"{reached:7.1f} s" if reached else "   never", **row
            )
        )
    if reached := figures["pyramid"]["seconds_to_original_loss"]:
        print(f"original / pyramid: {figures['original']['seconds'] / reached:.1f} times faster")
    if meanwhile := figures["keras"]["loss_when_pyramid_ends"]:
        ratio = figures["pyramid"]["loss"] / meanwhile
        print(f"loss when pyramid ends: {ratio:.2f} of that of keras at that time")


def plot(figures, path):
    """Draws loss against seconds."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for algorithm in ALGORITHMS:
        seconds, losses = zip(*figures[algorithm]["trace"], strict=True)
        axes.loglog(seconds, np.minimum.accumulate(losses), label=algorithm)
    axes.set(xlabel="seconds", ylabel="loss so far (Keras formula, full size)")
    axes.legend()
    figure.savefig(path, dpi=120)


def scaling(rows, weights):
    """Seconds an evaluation and peak MiB at each number of rows, each in a process of its own."""
    figures = []
    for count in rows:
        command = [sys.executable, evaluation.__file__, "--only", "ours"]
        command += ["--rows", str(count), "--weights", weights]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        peak, seconds = map(float, output.split())
        figures.append({"rows": count, "seconds": seconds, "peak_mib": peak})
        print(f"{count:5d} rows {seconds:7.2f} s an evaluation {peak:7.0f} MiB", flush=True)
    return figures


def exponent(figures):
    """p where seconds grow as pixels^p, fitted from 200 rows on."""
    points = [(math.log(f["rows"] ** 2), math.log(f["seconds"])) for f in figures]
    points = [point for point in points if point[0] >= math.log(200**2)]
    return float(np.polyfit(*zip(*points, strict=True), 1)[0]) if len(points) > 1 else None


def main(argv=None):
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default=evaluation.BASE)
    parser.add_argument("--ref", default=evaluation.STYLE)
    parser.add_argument("--weights", default="imagenet", help="as for neural_style_transfer.py")
    parser.add_argument("--size", type=int, default=400, help="default: %(default)s rows")
    parser.add_argument(
        "--iter", type=int, default=10, help="of original and keras (default: %(default)s)"
    )
    parser.add_argument(
        "--scaling",
        type=int,
        nargs="*",  # of them, at least two of 200 or more
        default=[100, 200, 400, 800, 1600],
        metavar="ROWS",
        help="measure an evaluation at these sizes too; nothing: do not",
    )
    parser.add_argument("--json", type=Path, help="write the figures here, and a .png beside it")
    parser.add_argument("--work", choices=ALGORITHMS, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.work:
        work(args.work, args)
        return 0
    figures = run_in_turns(argv)
    add_comparisons(figures)
    print_table(figures)
    sizes = scaling(args.scaling, args.weights)
    if sizes:
        print(f"from 200 rows on, seconds grow as pixels^{exponent(sizes):.2f}")
    if args.json:
        plot(figures, args.json.with_suffix(".png"))
        for row in figures.values():
            row["trace"] = [
                [round(seconds, 2), float(f"{loss:.6g}")] for seconds, loss in row["trace"]
            ]
        figures["scaling"] = {"sizes": sizes, "exponent": exponent(sizes) if sizes else None}
        args.json.write_text(json.dumps(figures) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
