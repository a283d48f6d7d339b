"""Compares the search for neighbours with one that compares every pair.

    python benchmarks/neighbor_search.py img/astronaut.jpg img/swirling_night.jpg --rows 400

Prints the seconds of both, how many neighbours are the same, and the cosine that is lost. What is
looked up is where the last size of the default recipe starts from the photo in the style's colours.
"""

import argparse
import contextlib
import sys
import time
from pathlib import Path
from unittest import mock

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import neural_style_transfer as nst
from stylize.losses import matching, search
from stylize.vgg.download import load_weights


@contextlib.contextmanager
def noted(name, calls, instead=None):
    """Notes (arguments, result, seconds, seconds of processor time) of calls of a search."""
    function = instead or getattr(matching, name)

    def call(*arguments):
        wall, processor = time.perf_counter(), time.process_time()
        result = function(*arguments)
        seconds = time.perf_counter() - wall, time.process_time() - processor
        calls.append((arguments, result, seconds))
        return result

    with mock.patch.object(matching, name, call):
        yield


def compared(queries, candidates, indices, nearest):
    """How many of the candidates found are the nearest ones, 0..1; the mean cosine that is lost.

    Args:
        queries, candidates: (places, channels).
        indices: of the candidates found.
        nearest: (indices, cosines) of the nearest.
    """
    found = np.asarray(search.unit(candidates))[indices]
    cosines = np.sum(np.asarray(search.unit(queries)) * found, axis=1)
    return (indices == nearest[0]).mean(), (nearest[1] - cosines).mean()


def timed(function, *arguments):
    wall, processor = time.perf_counter(), time.process_time()
    function(*arguments)
    return time.perf_counter() - wall, time.process_time() - processor


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("base")
    parser.add_argument("style")
    parser.add_argument("--rows", type=int, default=400, help=" ")
    parser.add_argument("--weights", default="imagenet", help="as for neural_style_transfer.py")
    args = parser.parse_args()
    job = nst.prepare(args.base, args.style, size=args.rows)
    level = job.level(job.stages[-1])
    weights = load_weights(args.weights)
    network = nst.build_network(weights, job.layers, **level.network_options)
    calls: list = []
    with noted("nearest", calls), noted("nearest_by_blocks", calls):
        all_of_it = timed(level.find_neighbors, network)
    (_, (indices, _), seconds), exact = calls[0], []
    with (
        mock.patch.object(matching, "MANY", np.inf),
        noted("nearest", exact, search.nearest_of_all),
    ):
        level.find_neighbors(network)
    ((queries, candidates, dtype), nearest, exact_seconds) = exact[0]
    same, lost = compared(queries, candidates, indices, nearest)
    print(f"{queries.shape[0]} x {candidates.shape[0]} places, {dtype}")
    for name, (wall, processor) in {
        "search": seconds,
        "with all features": all_of_it,
        "every pair": exact_seconds,
    }.items():
        print(f"{name:18} {wall:7.2f} s {processor:7.2f} s of processor time")
    print(f"the same   {same:7.2%}")
    print(f"cosine     {nearest[1].mean():7.4f}, lost {lost:.5f}")


if __name__ == "__main__":
    main()
