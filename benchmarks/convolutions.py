"""Measures evaluations with TensorFlow's own convolutions, and with ours, in turns.

    python benchmarks/convolutions.py --rows 400 --repeats 4

For a processor without AVX-512; elsewhere, `TF_ENABLE_ONEDNN_OPTS=0 ONEDNN_MAX_CPU_ISA=AVX2` makes
of TensorFlow what it is on such a one. "before" is also without kept memory, on Linux. Printed are
the least seconds of each, and the least of the processor's time divided by the number of cores: on
a machine that is busy with other things the second tells more.
"""

import argparse
import ctypes
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import evaluation
import numpy as np

import neural_style_transfer as nst
from stylize.backend import machine, tensors
from stylize.vgg.download import load_weights

# Way -> (our convolutions, kept memory)
WAYS = {"before": (False, False), "memory kept": (False, True), "ours": (True, True)}
GIVEN_BACK = {-4: 2**16, -1: 2**26}  # glibc's M_MMAP_MAX, and the M_TRIM_THRESHOLD that it comes to


def keep_memory(kept):
    if kept:
        machine.keep_freed_memory()
    else:
        for parameter, value in GIVEN_BACK.items():
            ctypes.CDLL(None).mallopt(parameter, value)


def objectives(weights, recipe, rows):
    """(the functions to minimise, by way; a combination that has no two equal values side by side)

    Where a picture is flat, max-pooling's inputs are equal but for rounding: which of them gets the
    gradient is then chance, and gradients differ more than they do anywhere else.
    """
    given = {"size": rows, "scales": 1, "precision": "float32"}
    job = nst.prepare(evaluation.BASE, evaluation.STYLE, recipe, **given)
    (stage,) = job.stages
    level, made = job.level(stage), {}
    for way, (ours, _) in WAYS.items():
        tensors.convolves_slowly = lambda ours=ours: ours
        nst._kept_network.cache_clear()
        made[way] = nst.stage_objective(job, weights, stage, level=level)
    noise = np.random.default_rng(0).normal(0, 3, level.start.shape)
    return made, (level.start + noise).astype(np.float32)[np.newaxis]


def least_seconds(made, x, repeats):
    """{way: (seconds, processor's seconds / cores)}, the least of each, after a warm-up each."""
    taken = {way: [] for way in made}
    for _ in range(repeats + 1):
        for way, evaluate in made.items():
            keep_memory(WAYS[way][1])
            start, cpu = time.perf_counter(), time.process_time()
            evaluate.on_device(x)
            cpu = (time.process_time() - cpu) / machine.count_cores()
            taken[way].append((time.perf_counter() - start, cpu))
    return {way: np.min(seconds[1:], axis=0) for way, seconds in taken.items()}


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=400, help="default: %(default)s")
    parser.add_argument("--recipes", nargs="+", default=["pyramid", "neighbors"])
    parser.add_argument("--weights", default="imagenet", help="as for neural_style_transfer.py")
    parser.add_argument("--repeats", type=int, default=4, help="default: %(default)s")
    args = parser.parse_args(argv)
    weights = load_weights(args.weights)
    for recipe in args.recipes:
        made, x = objectives(weights, recipe, args.rows)
        gradients = [np.ravel(made[way].on_device(x)[1]) for way in ("before", "ours")]
        cosine = np.vdot(*gradients) / np.prod([np.linalg.norm(g) for g in gradients])
        least = least_seconds(made, x, args.repeats)
        for way, (seconds, cpu) in least.items():
            wall, busy = np.array([seconds, cpu]) / least["before"]
            print(f"{recipe:10} {way:12} {seconds:6.2f} s ({wall:.2f}) {cpu:6.2f} s ({busy:.2f})")
        print(f"{recipe:10} gradients' cosine {cosine:.8f}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
