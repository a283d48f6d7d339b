"""Measures how long three algorithms take to the loss that the Keras example ends with.

    python benchmarks/time_to_loss.py --json benchmarks/time_to_loss.json

    original   the Keras example as published: concatenated batch, L-BFGS anew each iteration
    keras      this program with --recipe keras: the same numbers, targets computed once
    pyramid    this program with --recipe pyramid, with the layers and loss weights of the others

All three are given the same pictures, resized without aliasing (the Keras example itself takes the
nearest pixel), so that they aim at the same loss.
Each runs in a process of its own, on the same weights and pictures, in turns of one iteration, so
that a slow moment of the machine hits all. The clock runs only in a process's turns, from when
pictures and weights are read: building, compiling and targets count.

Every loss is the Keras example's formula at full size in float32, computed while the clock stands
still: `loss` of the values that L-BFGS has, and, every evaluation of `pyramid` and every fifth of
the others, `picture_loss` of the picture that they make, with every value a whole number from 0 to
255. L-BFGS left free, as in
`original` and `keras`, moves values outside, which no picture can show; what a person gets is the
picture. What computes these losses is in the peak memory of all three.
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
from stylize.backend import machine
from stylize.images.resize import resize_image, working_size
from stylize.images.writing import quantize
from stylize.runs.settings import EVALUATIONS_PER_ITERATION
from stylize.vgg.download import load_weights
from stylize.vgg.preprocess import preprocess_image, rgb_values

ALGORITHMS = ("original", "keras", "pyramid")
KERAS, PYRAMID = nst.RECIPES["keras"], nst.RECIPES["pyramid"]
PICTURE_EVERY = {"original": 5, "keras": 5, "pyramid": 1}  # evaluations


class Clock:
    """Counts the seconds in which a worker has its turn, and records losses at full size.

    Args:
        formula: the Keras example's, from a flat picture to (terms, gradient).
        picture_every: a `picture_loss` is computed once in so many evaluations.
    """

    def __init__(self, formula, picture_every):
        self.trace = []  # [seconds, loss] of each evaluation at full size
        self.picture_trace = []  # [seconds, picture_loss] of some of them
        self.evaluations = 0
        self._formula, self._picture_every = formula, picture_every
        self._seconds = 0.0
        self._started = time.perf_counter()

    def evaluated(self, x, loss=None):
        """Notes an evaluation at the flat `x`; a `loss` is given where it is the formula's."""
        self._seconds += time.perf_counter() - self._started
        self.evaluations += 1
        if x.size == np.prod(self._formula.shape):
            self.trace.append([self._seconds, loss or self._loss(x)])
            if len(self.trace) % self._picture_every == 0:
                picture = quantize(rgb_values(x.reshape(self._formula.shape)))
                picture_loss = self._loss(preprocess_image(picture))
                self.picture_trace.append([self._seconds, picture_loss])
        if self.evaluations % EVALUATIONS_PER_ITERATION == 0:
            self._wait_for_turn()
        self._started = time.perf_counter()

    def _loss(self, x):
        return float(self._formula(x)[0].sum())

    def _wait_for_turn(self):
        print("done", flush=True)
        sys.stdin.readline()

    def stop(self):
        self._seconds += time.perf_counter() - self._started
        return self._seconds


def work(algorithm, args):
    """A worker: runs one algorithm in turns and prints its figures as JSON."""
    if algorithm == "original":  # which leaves memory as the system has it
        machine.keep_freed_memory = lambda: None
    weights = load_weights(args.weights)
    base, style = nst.load_image(args.base), nst.load_image(args.ref)
    size = working_size(base, args.size)
    base, style = (resize_image(image, *size, PYRAMID["resample"]) for image in (base, style))
    pictures = [preprocess_image(image) for image in (base, style)]
    job = nst.prepare(base, style, "keras", size=size)
    formula = nst.stage_objective(job, weights, job.stages[0])
    formula(pictures[0])  # compiled before the clock starts
    sys.stdin.readline()
    clock = Clock(formula, PICTURE_EVERY[algorithm])
    if algorithm == "original":
        run_original(weights, pictures, args.iter, clock)
    else:
        iterations = args.pyramid_iter if algorithm == "pyramid" else args.keras_iter or args.iter
        run_ours(algorithm, weights, base, style, iterations, clock)
    figures = {
        "evaluations": clock.evaluations,
        "seconds": clock.stop(),
        "peak_mib": evaluation.own_peak_mib(),
        "loss": min(loss for _, loss in clock.trace),
        "picture_loss": min(loss for _, loss in clock.picture_trace),
        "loss_trace": clock.trace,
        "picture_loss_trace": clock.picture_trace,
    }
    print(json.dumps(figures), flush=True)


def run_original(weights, pictures, iterations, clock):
    import keras_example

    loss_and_grads = keras_example.concatenated_loss_and_grads(weights, *pictures)

    def timed(x):
        loss, grads = loss_and_grads(x)
        clock.evaluated(x, loss)
        return loss, grads

    for _ in keras_example.run(timed, pictures[0].astype(np.float64), iterations):
        pass


def run_ours(recipe, weights, base, style, iterations, clock):
    """`keras` as it is; `pyramid` with the layers and weights of `keras`."""
    same = ("content_weight", "style_weight", "tv_weight", "content_layers", "style_layers")
    like_keras = {name: KERAS[name] for name in same}
    like_keras |= {"reference_rows": base.height, "style_energy": None}

    class Watch(nst.Progress):
        def on_evaluation(self, evaluation):
            super().on_evaluation(evaluation)
            loss = evaluation.losses.total if recipe == "keras" else None
            clock.evaluated(evaluation.x, loss)

    nst.style_transfer(
        base,
        style,
        iterations,
        recipe=nst.RECIPES[recipe] | like_keras if recipe == "pyramid" else recipe,
        size=base.height,
        weights=weights,
        progress=Watch(),
    )


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
    """Adds the seconds to the original's last losses, and what `keras` has when `pyramid` ends."""
    end = figures["pyramid"]["seconds"]
    for loss in ("loss", "picture_loss"):
        for algorithm in ALGORITHMS:
            trace = figures[algorithm][f"{loss}_trace"]
            reached = (point[0] for point in trace if point[1] <= figures["original"][loss])
            figures[algorithm][f"seconds_to_original_{loss}"] = next(reached, None)
        meanwhile = [point[1] for point in figures["keras"][f"{loss}_trace"] if point[0] <= end]
        figures["keras"][f"{loss}_when_pyramid_ends"] = min(meanwhile) if meanwhile else None


def print_table(figures):
    columns = ("evaluations", "seconds", "peak MiB", "loss", "reached", "picture", "reached")
    print(" " * 9 + "".join(f"{column:>12}" for column in columns))
    for algorithm in ALGORITHMS:
        row = figures[algorithm]
        reached = [
            f"{seconds:.1f} s" if (seconds := row[f"seconds_to_original_{loss}"]) else "never"
            for loss in ("loss", "picture_loss")
        ]
        print(
            f"{algorithm:>9}{row['evaluations']:12d}{row['seconds']:12.1f}{row['peak_mib']:12.0f}"
            f"{row['loss']:12.4g}{reached[0]:>12}{row['picture_loss']:12.4g}{reached[1]:>12}"
        )
    for loss in ("loss", "picture_loss"):
        if reached := figures["pyramid"][f"seconds_to_original_{loss}"]:
            times = figures["original"][f"seconds_to_original_{loss}"] / reached
            print(f"{loss}: pyramid reaches the original's last {times:.1f} times sooner")
        if meanwhile := figures["keras"][f"{loss}_when_pyramid_ends"]:
            ratio = figures["pyramid"][loss] / meanwhile
            print(f"{loss}: when pyramid ends, it has {ratio:.2f} of that of keras")


def plot(figures, path):
    """Draws loss against seconds."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for algorithm in ALGORITHMS:
        color = None
        for loss, style in (("picture_loss", "-"), ("loss", ":")):
            seconds, losses = zip(*figures[algorithm][f"{loss}_trace"], strict=True)
            (line,) = axes.loglog(seconds, np.minimum.accumulate(losses), style, color=color)
            color = line.get_color()
        axes.plot([], [], color=color, label=algorithm)
    axes.plot([], [], "k", label="of the picture")
    axes.plot([], [], "k:", label="of L-BFGS's values")
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
    parser.add_argument("--iter", type=int, default=10, help="of original (default: %(default)s)")
    parser.add_argument(
        "--keras_iter",
        type=int,
        help="of keras (default: as many); with 3 it goes on for longer than pyramid does",
    )
    parser.add_argument(
        "--pyramid_iter",
        type=int,
        default=PYRAMID["iterations"],
        help="at each size (default: %(default)s, the recipe's)",
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
    if fitted := exponent(sizes):
        print(f"from 200 rows on, seconds grow as pixels^{fitted:.2f}")
    if args.json:
        plot(figures, args.json.with_suffix(".png"))
        for row in figures.values():
            for loss in ("loss", "picture_loss"):
                row[f"{loss}_trace"] = [
                    [round(seconds, 2), float(f"{value:.6g}")]
                    for seconds, value in row[f"{loss}_trace"]
                ]
        figures["scaling"] = {"sizes": sizes, "exponent": fitted}
        args.json.write_text(json.dumps(figures) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
