"""Measures evaluations with TensorFlow's own convolutions, and with ours, in turns.

    python benchmarks/convolutions.py --rows 400 --repeats 4
    python benchmarks/convolutions.py --rows 400 --losses --recipes neighbors

For a processor without AVX-512; elsewhere, `TF_ENABLE_ONEDNN_OPTS=0 ONEDNN_MAX_CPU_ISA=AVX2` makes
of TensorFlow what it is on such a one. "before" is also without kept memory, on Linux. Each way has
a process of its own a turn, since memory that one has kept would serve the next. Printed are the
least seconds of each, the least of the processor's time divided by the number of cores (on a
machine that is busy with other things it tells more), and the peak memory. With `--losses`, whole
pictures are painted by "memory kept" and "ours", and the losses that they end with are compared.
With `--copies 5`, each pair is painted five times either way, each time from a photo of which
other values, one in a hundred, are changed by one level: how far apart the losses of one way are
says how much of the difference between the ways is chance.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import evaluation
import numpy as np
from optimizers import PAIRS

import neural_style_transfer as nst
from stylize.backend import machine, tensors
from stylize.backend.tensors import to_numpy
from stylize.vgg.download import load_weights

# Way -> (our convolutions, kept memory)
WAYS = {"before": (False, False), "memory kept": (False, True), "ours": (True, True)}


def measure(args):
    """Prints [least seconds, least processor's seconds a core, MiB at the peak] of one way.

    Saves the gradient where none of the combination's values beside each other are equal. Where a
    picture is flat, max-pooling's inputs are equal but for rounding: which of them gets the
    gradient is then chance, and gradients differ more than they do anywhere else.
    """
    ours, kept = WAYS[args.way]
    tensors.convolves_slowly = lambda: ours
    if not kept:
        machine.keep_freed_memory = lambda: None
    given = {"size": args.rows, "scales": 1, "precision": "float32"}
    (recipe,) = args.recipes
    job = nst.prepare(evaluation.BASE, evaluation.STYLE, recipe, **given)
    (stage,) = job.stages
    objective = nst.stage_objective(job, load_weights(args.weights, quiet=True), stage)
    start = job.start(stage)
    x = start + np.random.default_rng(0).normal(0, 3, start.shape)
    x = x.astype(np.float32)[np.newaxis]
    np.save(args.gradient, to_numpy(objective.on_device(x)[1]))
    taken = []
    for _ in range(args.repeats):
        start, cpu = time.perf_counter(), time.process_time()
        to_numpy(objective.on_device(x)[1])
        cpu = (time.process_time() - cpu) / machine.count_cores()
        taken.append((time.perf_counter() - start, cpu))
    print(json.dumps([*np.min(taken, axis=0), evaluation.own_peak_mib()]))


def paint(args):
    """Prints [evaluations, last loss] of a picture that is painted one way."""
    tensors.convolves_slowly = lambda: WAYS[args.way][0]
    photo, painting = (
        np.array(nst.load_image(ROOT / "img" / f"{name}.jpg")) for name in args.pairs[0].split("+")
    )
    if args.copy:  # the first is as it is
        photo ^= np.random.default_rng(args.copy).random(photo.shape) < 0.01  # the last bit
    job = nst.prepare(photo, painting, args.recipes[0], size=args.rows, precision="float32")
    last = nst.paint(job, load_weights(args.weights, quiet=True))
    print(json.dumps([last.evaluations, last.losses.total]))


def measured(way, recipe, args, *more):
    """What `measure`, or `paint`, prints, in a process of its own."""
    command = [sys.executable, __file__, "--way", way, "--recipes", recipe, *more]
    command += ["--rows", args.rows, "--repeats", args.repeats, "--weights", args.weights]
    result = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, check=True)
    return json.loads(result.stdout.splitlines()[-1])


def compare_losses(recipe, args):
    """Prints a line for each pair."""
    for pair in args.pairs:
        more = "--losses", "--pairs", pair, "--copy"
        painted = np.array(
            [
                [measured(way, recipe, args, *more, copy) for way in ("memory kept", "ours")]
                for copy in range(args.copies)
            ]
        )  # (copies, ways, [evaluations, loss])
        evaluations, (plain, ours) = painted[..., 0], painted[..., 1].T
        print(
            f"{recipe:10} {pair:26} {evaluations.min():.0f} to {evaluations.max():.0f} evaluations "
            f"{plain.mean():12.6g} {ours.mean():12.6g} ({ours.mean() / plain.mean() - 1:+.2%})",
            flush=True,
        )
        if args.copies > 1:
            for name, losses in (("memory kept", plain), ("ours", ours)):
                print(f"    {name:12}", *(f"{loss:.6g}" for loss in losses), flush=True)


def compare(recipe, args):
    """Prints a line for each way."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {way: Path(folder) / f"{way}.npy" for way in WAYS}
        turns = [
            {way: measured(way, recipe, args, "--gradient", path) for way, path in paths.items()}
            for _ in range(args.turns)
        ]
        gradients = [np.load(paths[way]).ravel() for way in ("before", "ours")]
    least = {way: np.min([turn[way] for turn in turns], axis=0) for way in WAYS}
    for way, (seconds, cpu, mib) in least.items():
        ratios = [f"{ratio:.2f}" for ratio in least[way] / least["before"]]
        print(
            f"{recipe:10} {way:12} {seconds:6.2f} s ({ratios[0]}) {cpu:6.2f} s ({ratios[1]}) "
            f"{mib:6.0f} MiB ({ratios[2]})"
        )
    cosine = np.vdot(*gradients) / np.prod([np.linalg.norm(each) for each in gradients])
    print(f"{recipe:10} gradients' cosine {cosine:.8f}", flush=True)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=400, help="default: %(default)s")
    parser.add_argument("--recipes", nargs="+", default=["pyramid", "neighbors"])
    parser.add_argument("--weights", default="imagenet", help="as for neural_style_transfer.py")
    parser.add_argument("--repeats", type=int, default=4, help="a turn; default: %(default)s")
    parser.add_argument("--turns", type=int, default=2, help="default: %(default)s")
    parser.add_argument(
        "--losses", action="store_true", help="compare the losses of whole pictures, not times"
    )
    parser.add_argument("--pairs", nargs="+", default=PAIRS, help="PHOTO+PAINTING, for --losses")
    parser.add_argument("--copies", type=int, default=1, help="of each pair, for --losses")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--copy", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--gradient", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.way:
        (paint if args.losses else measure)(args)
        return 0
    for recipe in args.recipes:
        (compare_losses if args.losses else compare)(recipe, args)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
