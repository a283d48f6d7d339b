"""Measures a folder against a shell loop over its pictures, in turns.

    python benchmarks/folders.py img/swirling_night.jpg --jobs 1 2 --pictures 6 --size 200

Every command starts with an empty folder of results, so that all of it counts: Python, Keras, the
network, the pictures. What else is given goes to the commands.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "neural_style_transfer.py"
PHOTOS = ("astronaut", "camera", "cat", "coffee", "coins", "hopper", "rocket", "temple")


def seconds(commands):
    """That the commands take, one after another."""
    started = time.perf_counter()
    for command in commands:
        subprocess.run([sys.executable, SCRIPT, *command, "--quiet"], check=True)
    return time.perf_counter() - started


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("style")
    parser.add_argument("--jobs", nargs="+", default=["1", "2"])
    parser.add_argument("--pictures", type=int, default=6, help="default: %(default)s")
    parser.add_argument("--times", type=int, default=2, help="default: %(default)s")
    args, more = parser.parse_known_args(argv)
    with tempfile.TemporaryDirectory() as name:
        photos, results = Path(name, "photos"), Path(name, "results")
        photos.mkdir()
        for photo in PHOTOS[: args.pictures]:
            shutil.copy(ROOT / "img" / f"{photo}.jpg", photos)
        pictures = sorted(photos.iterdir())
        loop = [[path, args.style, results / path.stem, *more] for path in pictures]
        ways = {"shell loop": loop} | {
            f"--jobs {jobs}": [[photos, args.style, results, *more, "--jobs", jobs]]
            for jobs in args.jobs
        }
        taken = {way: [] for way in ways}
        for _ in range(args.times):
            for way, commands in ways.items():
                shutil.rmtree(results, ignore_errors=True)
                taken[way].append(seconds(commands))
    slowest = statistics.median(taken["shell loop"])
    print(f"{len(pictures)} pictures, median of {args.times}")
    for way, times in taken.items():
        median = statistics.median(times)
        each = ", ".join(f"{t:.0f}" for t in times)
        print(
            f"{way:12} {median:6.1f} s ({each})  {slowest / median:.2f} times the loop's throughput"
        )


if __name__ == "__main__":
    main()
