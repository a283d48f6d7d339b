"""Measures what happens before a run's first evaluation, part by part.

    python benchmarks/startup.py img/astronaut.jpg img/swirling_night.jpg

The default command's steps, each time in a new process; the median of the times is printed. What a
part compiles or imports when it is first used counts there.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def measure(args):
    """Part -> seconds, in this process, which has imported nothing of the project yet."""
    clock, parts = time.perf_counter(), {}

    def done(part):
        nonlocal clock
        parts[part], clock = time.perf_counter() - clock, time.perf_counter()

    sys.path.insert(0, str(ROOT))
    import neural_style_transfer as nst

    done("imports of the program")
    nst.keras.backend.backend()
    done("imports of Keras and its backend")
    job = nst.prepare(args.base, args.ref, args.recipe, size=args.rows)
    done("pictures read, run planned")
    weights = nst.load_weights(args.weights, quiet=True)
    done("weights read")
    stage = job.stages[0]
    level = job.level(stage)
    nst._kept_network(weights, job.layers, **level.network_options)  # as `stage_objective` has it
    done("network built")
    objective = nst.stage_objective(job, weights, stage, level=level)
    done("targets and neighbours at the first size")
    objective(level.start)
    done("first evaluation, compiled")
    return parts


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("base", type=Path)
    parser.add_argument("ref", type=Path)
    parser.add_argument("--rows", type=int, default=400, help="default: %(default)s")
    parser.add_argument("--recipe", default="neighbors")
    parser.add_argument("--weights", default="imagenet", help="as for neural_style_transfer.py")
    parser.add_argument("--repeats", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.one:
        print(json.dumps(measure(args)))
        return 0
    command = [sys.executable, __file__, "--one", *(sys.argv[1:] if argv is None else argv)]
    runs = []
    for _ in range(args.repeats):
        start = time.perf_counter()
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        parts = json.loads(output.splitlines()[-1])
        total = time.perf_counter() - start
        runs.append({"Python's start and end": total - sum(parts.values()), **parts})
    for part in runs[0]:
        print(f"{part:42}{statistics.median(run[part] for run in runs):6.2f} s")
    print(f"{'together':42}{statistics.median(sum(run.values()) for run in runs):6.2f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
