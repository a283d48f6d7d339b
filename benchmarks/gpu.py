"""Prints what the owner of a GPU wants to know: seconds, the optimiser's share, memory.

    python benchmarks/gpu.py

Paints the default recipe's picture at 400, 800, 1600 and 4000 rows with every backend that is
installed, each in a process of its own. Seconds are of the whole run, network loaded; *optimiser*
is its share of them, as benchmarks/optimizers.py measures it. A size that is too large, or a
backend that fails, gives a line that says so.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from optimizers import measured_run

import neural_style_transfer as nst
from stylize.backend import tensors

BACKENDS = [name for name in ("tensorflow", "jax", "torch") if importlib.util.find_spec(name)]


def measure(args):
    """What a run in this process takes, with the backend that Keras is configured for."""
    job = nst.prepare(
        args.base, args.ref, size=args.rows[0], evaluations_per_iteration=args.evaluations
    )
    run, _ = measured_run(job, nst.load_weights(args.weights, quiet=True))
    return {
        "on": "GPU" if tensors.uses_gpu() else "CPU",
        "version": tensors.backend_version(),
        "precision": job.stages[-1].precision,
        "seconds": run.seconds,
        "evaluations": run.evaluations,
        "optimizer": run.outside / run.seconds,
        "memory": tensors.peak_memory(),
    }


def measure_apart(argv, backend_name, rows):
    """The same in a process of its own; a line of text where that fails."""
    command = [sys.executable, __file__, *argv, "--rows", str(rows), "--one"]
    environment = os.environ | {"KERAS_BACKEND": backend_name}
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    if result.returncode:
        return (result.stderr.strip().splitlines() or [f"exit status {result.returncode}"])[-1]
    return json.loads(result.stdout.splitlines()[-1])


def main(argv=None):
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", type=Path, default=ROOT / "img" / "astronaut.jpg")
    parser.add_argument("--ref", type=Path, default=ROOT / "img" / "swirling_night.jpg")
    parser.add_argument("--rows", type=int, nargs="+", default=[400, 800, 1600, 4000])
    parser.add_argument("--backends", nargs="+", default=BACKENDS, choices=BACKENDS)
    parser.add_argument(
        "--evaluations", type=int, default=20, help="of an iteration; default: %(default)s"
    )
    parser.add_argument("--weights", default="imagenet", help="as for neural_style_transfer.py")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.one:
        print(json.dumps(measure(args)))
        return 0
    print(f"{'backend':>18}{'on':>5}{'rows':>6}{'seconds':>9}{'evaluations':>13}{'optimiser':>11}")
    for name in args.backends:
        for rows in args.rows:
            row = measure_apart(argv, name, rows)
            if isinstance(row, str):
                print(f"{name:>18}{'':5}{rows:6d}  {row}", flush=True)
                continue
            memory = ", ".join(f"{mib:.0f} MiB {where}" for where, mib in row["memory"].items())
            print(
                f"{name + ' ' + row['version']:>18}{row['on']:>5}{rows:6d}{row['seconds']:9.1f}"
                f"{row['evaluations']:13d}{row['optimizer']:11.1%}  {row['precision']}, {memory}",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
