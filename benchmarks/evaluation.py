"""Measures one evaluation (loss and gradient): the Keras example's concatenated batch, and ours.

    python benchmarks/evaluation.py --rows 200 400 800 --json evaluation.json

Both run in one process, in turns, so that a slow moment of the machine hits both; the figure is the
median. Memory is the peak resident size of a process that only ever ran the one.
"""

import argparse
import json
import logging
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import neural_style_transfer as nst
from stylize.vgg.download import load_weights

BASE, STYLE = ROOT / "img" / "astronaut.jpg", ROOT / "img" / "swirling_night.jpg"
WAYS = ("concatenated", "ours")


def prepare(way, weights, rows):
    """(the function that evaluates, the flat picture to evaluate at) for `way` at `rows` rows."""
    job = nst.prepare(BASE, STYLE, "keras", size=rows)
    (stage,) = job.stages
    x = job.base(stage).astype("float64").ravel()
    if way == "concatenated":
        import keras_example

        pictures = job.base(stage), job.styles(stage)[0].picture
        return keras_example.concatenated_loss_and_grads(weights, *pictures), x
    return nst.stage_objective(job, weights, stage), x


def seconds_each(weights, rows, repeats):
    """Median seconds of an evaluation, per way, measured in turns after one warm-up each."""
    prepared = {way: prepare(way, weights, rows) for way in WAYS}
    seconds = {way: [] for way in WAYS}
    for repeat in range(repeats + 1):
        for way, (evaluate, x) in prepared.items():
            start = time.perf_counter()
            evaluate(x)
            if repeat:
                seconds[way].append(time.perf_counter() - start)
    return {way: statistics.median(values) for way, values in seconds.items()}


def peak_mib(way, rows, weights):
    """Peak resident MiB of a new process that sets up and evaluates twice."""
    command = [sys.executable, __file__, "--rows", str(rows), "--weights", weights, "--only", way]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return float(output.split()[0])


def own_peak_mib():
    """Peak resident MiB of this process."""
    try:  # not ru_maxrss, which on Linux starts from the parent's at fork
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 2**10
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # macOS: in bytes


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[200, 400, 800])
    parser.add_argument("--weights", default="imagenet", help="as for neural_style_transfer.py")
    parser.add_argument("--repeats", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--only", choices=WAYS, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.only:
        logging.disable()  # the first process has said where the weights come from
    weights = load_weights(args.weights)
    if args.only:
        evaluate, x = prepare(args.only, weights, args.rows[0])
        evaluate(x)
        start = time.perf_counter()
        evaluate(x)
        seconds = time.perf_counter() - start
        print(own_peak_mib(), seconds)
        return 0
    print(f"{'rows':>5} {'concatenated':>13} {'ours':>8} {'ratio':>6} {'peak MiB':>9} {'ours':>6}")
    figures = []
    for rows in args.rows:
        seconds = seconds_each(weights, rows, args.repeats)
        peaks = {way: peak_mib(way, rows, args.weights) for way in WAYS}
        figure = {
            "rows": rows,
            "seconds_concatenated": seconds["concatenated"],
            "seconds": seconds["ours"],
            "ratio": seconds["ours"] / seconds["concatenated"],
            "peak_mib_concatenated": peaks["concatenated"],
            "peak_mib": peaks["ours"],
        }
        figures.append(figure)
        print(
            "{rows:5d} {seconds_concatenated:11.2f} s {seconds:6.2f} s {ratio:6.3f} "
            "{peak_mib_concatenated:9.0f} {peak_mib:6.0f}".format(**figure),
            flush=True,
        )
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
