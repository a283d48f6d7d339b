"""Models the time of an evaluation against the number of machines, from what is measured here.

    python benchmarks/cluster.py --weights mirror

Loss and gradient are compared bit for bit with 1, 2 and 4 workers of a cluster of two nodes on this
machine, and the bytes that travel are counted and compared with the model's. Then the network is
measured on a tile of an 8K picture (median), and what the machine that is asked does itself: the
targets, once, and in each evaluation copies, sums and L-BFGS. The model adds up, as if nothing went
on at the same time:

    evaluation = ceil(tiles / machines) * both passes of a tile + bytes / link + its own
    size       = tiles * targets of a tile + evaluations * evaluation

Seconds are processor time divided by the cores: other programs may be running.
"""

import argparse
import math
import os
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks"), str(ROOT / "tests")]

import evaluation
import numpy as np
from kill_node import two_nodes
from where_time_goes import seconds_of_ours

import neural_style_transfer as nst
from stylize.backend.machine import count_cores
from stylize.backend.tensors import keras
from stylize.losses.tiled import TilePasses
from stylize.losses.tiles import features_by_tile, make_tiles
from stylize.parallel.pool import RAY_IS_QUIET

PICTURES = {"8K": (4320, 7680), "32K": (17280, 30720)}
MACHINES = (1, 2, 4, 8, 16, 32, 64)
LINKS = (1, 10)  # Gbit/s of the machine that is asked
EVALUATIONS = 10  # of the default recipe at a large size
TERMS = 3  # of recipe pyramid, whose bytes are compared


class Counting:
    """Passes of which the bytes are counted that go to workers and come back."""

    def __init__(self, passes, tiles):
        self.parts = self.others = self.answers = 0
        self._passes, self._tiles = passes, tiles

    def map(self, name, picture, *others):
        self.parts += sum(picture[tile.outer].nbytes for tile in self._tiles)
        self.others += sum(np.asarray(x).nbytes for x in keras.tree.flatten(others))
        for answer in self._passes.map(name, picture, *others):
            self.answers += sum(array.nbytes for array in answer)
            yield answer


def bytes_travelling(network, tiles, workers):
    """By the model, in an evaluation, whose workers are each on a machine of their own."""
    outer = 12 * sum(math.prod(len(range(s.start, s.stop)) for s in t[:2]) for t in tiles)
    layers = nst.RECIPES["pyramid"]["style_layers"]  # the default's, too
    grams = 4 * sum(network.output[layer].shape[-1] ** 2 for layer in layers)
    return 3 * outer + len(tiles) * (grams + 4 * TERMS) + workers * grams


def prepare(rows, cols, tile, recipe=nst.DEFAULT_RECIPE, precision="auto"):
    given = {"size": (rows, cols), "scales": 1, "tile": tile, "memory": 1000}
    pictures = evaluation.BASE, evaluation.STYLE
    job = nst.prepare(*pictures, recipe, precision=precision, **given)
    return job, job.stages[0]


def compare_bits(weights):
    """Prints whether workers change a bit, and whether the model counts bytes as they are."""
    job, stage = prepare(256, 320, 128, "pyramid", "float32")
    x = job.start(stage).ravel()
    here = nst.stage_objective(job, weights, stage)(x)
    with two_nodes() as (address, environment, _):
        os.environ |= environment | RAY_IS_QUIET
        from stylize.parallel import ray_cluster

        for number in (1, 2, 4):
            with ray_cluster.connect(address, 100, cores_each=1, most=number) as workers:
                made = []

                def passes(network, terms, tiles, targets, there=workers, made=made):
                    made.append(Counting(there.passes(network, terms, tiles, targets), tiles))
                    made.append(bytes_travelling(network, tiles, 1))
                    return made[0]

                objective = nst.stage_objective(job._replace(passes=passes), weights, stage)
                there = objective(x)
                counted = made[0].parts + made[0].others + made[0].answers
            same = all(np.array_equal(a, b) for a, b in zip(here, there, strict=True))
            print(
                f"{number} workers, {len(objective.tiles)} tiles: "
                f"{'the same bits' if same else 'OTHER BITS'} as here; "
                f"{counted} bytes counted, {made[1]} by the model",
                flush=True,
            )


def measure(weights, tile, repeats):
    """(network, seconds of both passes of an 8K picture's tile, of its targets, a pixel's sums)."""
    side = [math.ceil(n / math.ceil(n / tile) / 16) * 16 for n in PICTURES["8K"]]
    job, stage = prepare(3 * side[0], 3 * side[1], max(side))
    made = []

    def passes(network, *given):
        made.extend([network, TilePasses(network, *given)])
        return made[1]

    objective = nst.stage_objective(job._replace(passes=passes), weights, stage)
    network, passes = made
    picture, middle = job.start(stage), objective.tiles[4]  # it has margins all around
    part = picture[middle.outer]
    sums = passes.sums(4, part)
    slopes = [
        term.split(value_and_grad(9 * own, term.shared)[1])
        for (_, term, value_and_grad), own in zip(objective._of_sums, sums, strict=True)
    ]
    first = median_seconds(lambda: passes.sums(4, part), repeats)
    second = median_seconds(lambda: passes.losses(4, part, slopes), repeats)
    given = network, job.settings.content_layers, picture, [middle]
    content = median_seconds(lambda: list(features_by_tile(*given)), repeats)
    print(
        f"tile {tile}: {part.shape[1]}x{part.shape[0]} with margins, {stage.precision}, "
        f"{first:.2f} + {second:.2f} s, targets {content:.2f} s",
        flush=True,
    )
    return network, first + second, content, seconds_of_sums(objective, picture, sums)


def median_seconds(function, repeats, cores=None):
    """Of processor time, on so many cores; None: all."""
    function()  # compiled, and memory is there
    taken = []
    for _ in range(repeats):
        began = time.process_time()
        function()
        taken.append(time.process_time() - began)
    return statistics.median(taken) / (cores or count_cores())


def seconds_of_sums(objective, picture, sums):
    """Seconds a pixel of what is done here with answers that are there already."""

    class Answered:
        def map(self, name, picture, *others):
            for tile in objective.tiles:
                part = np.ascontiguousarray(picture[tile.outer])
                answers = {"sums": sums, "losses": (np.zeros(len(objective.names)), part)}
                yield [answer.copy() for answer in answers[name]]

    objective._passes, x = Answered(), picture.ravel()
    return median_seconds(lambda: objective(x), 3, cores=1) / math.prod(picture.shape[:2])


def lbfgs_seconds(rows=1080, cols=1920):
    """Seconds a pixel of L-BFGS in an evaluation."""
    x = np.random.default_rng(0).uniform(-100, 100, (1, rows, cols, 3)).astype(np.float32)
    return seconds_of_ours(x, np.float32(-130), np.float32(160)) / (rows * cols)


def print_table(network, tile, seconds, content, own):
    for name, (rows, cols) in PICTURES.items():
        tiles = make_tiles(network, rows, cols, tile)
        here, targets = own * rows * cols, len(tiles) * content
        print(f"\n{name} ({cols}x{rows}), {len(tiles)} tiles of {tile}")
        print(f"here: {here:.1f} s an evaluation; targets, once: {targets:.0f} s\n")
        print("| machines | GB | s, 1 Gbit/s | s, 10 Gbit/s | times as fast | the size, min |")
        print("|---|---|---|---|---|---|")
        alone = len(tiles) * seconds + here  # nothing travels
        for machines in MACHINES:
            work = math.ceil(len(tiles) / machines) * seconds
            travels = bytes_travelling(network, tiles, machines)
            times = [work + here + 8e-9 * travels / link for link in LINKS]
            cells = [f"{machines}", f"{travels * 1e-9:.2f}", *(f"{t:.0f}" for t in times)]
            cells += [f"{alone / times[-1]:.1f}", f"{(targets + EVALUATIONS * times[-1]) / 60:.1f}"]
            print(f"| {' | '.join(cells)} |", flush=True)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default="imagenet", help="as for neural_style_transfer.py")
    parser.add_argument("--tiles", type=int, nargs="+", default=[1024, 512])
    parser.add_argument("--repeats", type=int, default=3, help="default: %(default)s")
    args = parser.parse_args(argv)
    weights = nst.load_weights(args.weights)
    compare_bits(weights)
    lbfgs = lbfgs_seconds()
    print(f"L-BFGS: {lbfgs * 1e6:.3f} s a megapixel", flush=True)
    for tile in args.tiles:
        network, *seconds, sums = measure(weights, tile, args.repeats)
        print(f"sums: {sums * 1e6:.3f} s a megapixel", flush=True)
        print_table(network, tile, *seconds, lbfgs + sums)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
