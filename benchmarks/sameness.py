"""Says whether gradients and pictures are the same each time, bit for bit, on a busy machine.

    python benchmarks/sameness.py
    python benchmarks/sameness.py --cases neighbors gatys --backends torch --kills 0

For every recipe and backend, the gradient at the start is computed again and again at 400 rows, in
two processes one after the other, while every core is kept busy beside them. Then the default
picture is painted twice, the second time killed and resumed. Exit status 0: all are the same.
"""

import argparse
import contextlib
import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import numpy as np
from gpu import BACKENDS

import neural_style_transfer as nst
from stylize.backend.machine import count_cores
from stylize.backend.tensors import to_numpy

CASES = {name: {"recipe": name} for name in nst.RECIPES} | {
    "tiles": {"tile": 208},
    "turned styles": {"style_turns": 2, "recipe": "neighbors"},
    "bfloat16": {"precision": "bfloat16"},
    "float16": {"precision": "float16", "recipe": "pyramid"},
}
BUSY = """
import os, numpy
a, parent = numpy.ones((500, 500)), os.getppid()
while os.getppid() == parent:  # whatever ends it
    a @ a
"""
PROCESSES = 2


@contextlib.contextmanager
def busy_cores():
    """Keeps every core busy meanwhile."""
    command, one = [sys.executable, "-c", BUSY], {"OPENBLAS_NUM_THREADS": "1"}
    others = [subprocess.Popen(command, env=os.environ | one) for _ in range(count_cores())]
    try:
        yield
    finally:
        for process in others:
            process.kill()
            process.wait()


def print_digests(args):
    """Prints the SHA-256 of losses and gradient of each evaluation at a case's start."""
    job = nst.prepare(args.base, args.ref, size=args.rows, **CASES[args.one])
    weights, stage = nst.load_weights(args.weights, quiet=True), job.stages[-1]
    x = job.start(stage)
    objective = nst.stage_objective(job, weights, stage, x)
    for _ in range(args.gradients // PROCESSES):
        found = objective.on_device(x[np.newaxis].astype(np.float32))
        digest = hashlib.sha256(b"".join(to_numpy(array).tobytes() for array in found))
        print(digest.hexdigest(), flush=True)


def gradients(argv, case, backend_name):
    """(The digests of the gradients, a line on what went wrong or "")."""
    command = [sys.executable, __file__, *argv, "--one", case]
    environment, digests = os.environ | {"KERAS_BACKEND": backend_name}, []
    for _ in range(PROCESSES):
        result = subprocess.run(command, env=environment, capture_output=True, text=True)
        if result.returncode:
            return digests, (result.stderr.strip().splitlines() or ["killed"])[-1]
        digests += result.stdout.split()
    return digests, ""


def main(argv=None):
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default=str(ROOT / "img" / "astronaut.jpg"))
    parser.add_argument("--ref", default=str(ROOT / "img" / "swirling_night.jpg"))
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--cases", nargs="*", default=list(CASES), choices=CASES)
    parser.add_argument("--backends", nargs="+", default=BACKENDS, choices=BACKENDS)
    parser.add_argument("--gradients", type=int, default=10, help="of each; default: %(default)s")
    parser.add_argument("--kills", type=int, default=2, help="of the picture; 0: paint none")
    parser.add_argument("--weights", default="imagenet", help="as for neural_style_transfer.py")
    parser.add_argument("--one", choices=CASES, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.one:
        print_digests(args)
        return 0
    same = True
    with busy_cores():
        for name in args.backends:
            for case in args.cases:
                digests, error = gradients(argv, case, name)
                different = len(set(digests))
                same = same and different == 1 and not error
                said = error or f"{len(digests)} gradients, {different} different"
                print(f"{name:>12}  {case:<16}{said}", flush=True)
        if args.kills:
            pictures = [args.base, args.ref, "--weights", args.weights, "--size", str(args.rows)]
            kill = [sys.executable, ROOT / "tests" / "kill.py", *pictures, "--iter", "1"]
            same = not subprocess.call([*kill, "--times", str(args.kills)]) and same
    return 0 if same else 1


if __name__ == "__main__":
    raise SystemExit(main())
