"""Compares the search for neighbours with one that compares every pair.

    python benchmarks/neighbor_search.py img/astronaut.jpg img/swirling_night.jpg --rows 400

Prints the seconds of both, how many neighbours are the same, and the cosine that is lost. What is
looked up is where the last size of the default recipe starts from the photo in the style's colours.
"""

import argparse
import sys
import time
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import neural_style_transfer as nst
from stylize.losses import neighbors, search
from stylize.vgg.download import load_weights


def compare(queries, candidates, dtype):
    """Searches in both ways, prints how they differ, and returns what the faster one found."""
    found, seconds = [], []
    for method in (search.nearest, search.nearest_of_all):
        wall, processor = time.perf_counter(), time.process_time()
        found.append(method(queries, candidates, dtype))
        seconds.append((time.perf_counter() - wall, time.process_time() - processor))
    (indices, cosines), (all_indices, all_cosines) = found
    print(f"{queries.shape[0]} x {candidates.shape[0]} places, {dtype}")
    for name, (wall, processor) in zip(("search", "every pair"), seconds, strict=True):
        print(f"{name:10} {wall:7.2f} s {processor:7.2f} s of processor time")
    print(f"the same   {(indices == all_indices).mean():7.2%}")
    print(f"cosine     {all_cosines.mean():7.4f}, lost {(all_cosines - cosines).mean():.5f}")
    return found[0]


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
    with mock.patch.object(neighbors, "nearest", compare):
        level.find_neighbors(network)


if __name__ == "__main__":
    main()
