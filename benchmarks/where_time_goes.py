"""Shows where the time of one evaluation goes, against the machine's matrix-product rate.

    python benchmarks/where_time_goes.py --rows 400

Each part is measured alone, the parts in turns, and the median of the turns is printed. TensorFlow.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import evaluation
import numpy as np
import scipy.optimize
from threadpoolctl import threadpool_limits

import neural_style_transfer as nst
from stylize.backend.tensors import LossAndGrads, keras, with_gradient
from stylize.optimize.lbfgs import ProjectedLBFGS
from stylize.vgg.download import load_weights
from stylize.vgg.weights import IMAGENET_MEAN_BGR


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def matrix_product_rate(size=3000):
    """float32 GFLOP/s of NumPy's matrix product."""
    a = np.random.default_rng(0).random((size, size), np.float32)
    a @ a
    return 2e-9 * size**3 / min(seconds(lambda: a @ a) for _ in range(5))


def network_gflop(network, rows, cols):
    """GFLOP of the convolutions, once through: a multiplication and an addition count two."""
    total = 0
    for layer in network.layers:
        if "_conv" in layer.name:
            halvings = int(layer.name[5]) - 1
            total += 2 * np.prod(layer.kernel.shape) * (rows >> halvings) * (cols >> halvings)
    return total * 1e-9


def seconds_of_scipy(x, bounds):
    """Seconds that SciPy takes (an evaluation, once a run), on a function that costs it nothing."""
    short, long = scipy_alone(x, bounds, 1), scipy_alone(x, bounds, 40)
    each = (long[0] - short[0]) / (long[1] - short[1])
    return each, short[0] - short[1] * each


def scipy_alone(x, bounds, evaluations):
    """(seconds outside the function, number of evaluations) of a run of L-BFGS."""
    target = np.random.default_rng(0).normal(0, 100, x.size)
    curvature = np.linspace(1, 100, x.size)
    spent, calls = 0.0, 0

    def quadratic(x):
        nonlocal spent, calls
        start = time.perf_counter()
        result = 0.5 * curvature @ (x - target) ** 2, curvature * (x - target)
        spent += time.perf_counter() - start
        calls += 1
        return result

    with threadpool_limits(1, "blas"):  # as in fmin_l_bfgs_b
        total = seconds(
            lambda: scipy.optimize.fmin_l_bfgs_b(quadratic, x, bounds=bounds, maxfun=evaluations)
        )
    return total - spent, calls


def seconds_of_ours(x, low, high, evaluations=40):
    """Seconds an evaluation that the program's own L-BFGS takes, on the same function."""
    target = np.random.default_rng(0).normal(0, 100, x.shape).astype(np.float32)
    curvature = np.linspace(1, 100, x.size, dtype=np.float32).reshape(x.shape)
    spent, calls = 0.0, 0

    def quadratic(x):
        nonlocal spent, calls
        start = time.perf_counter()
        gradient = curvature * (x - target)
        result = float(np.vdot(gradient, x - target)) / 2, gradient
        spent += time.perf_counter() - start
        calls += 1
        return result

    def run():
        search = ProjectedLBFGS(x, low, high)
        search.start(quadratic)
        while calls < evaluations:
            search.step(quadratic, evaluations - calls)

    with threadpool_limits(1, "blas"):  # as in minimize_lbfgs
        total = seconds(run)
    return (total - spent) / calls


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=400, help="default: %(default)s")
    parser.add_argument("--weights", default="imagenet", help="as for neural_style_transfer.py")
    parser.add_argument("--repeats", type=int, default=5, help="default: %(default)s")
    args = parser.parse_args(argv)

    weights = load_weights(args.weights)
    given = {"size": args.rows, "scales": 1, "precision": "float32"}
    job = nst.prepare(evaluation.BASE, evaluation.STYLE, "pyramid", **given)
    (stage,) = job.stages
    rows, cols = stage.rows, stage.cols
    network = nst.build_network(weights, job.layers)
    whole = nst.stage_objective(job, weights, stage)
    deepest, ops = max(job.layers), keras.ops
    only = with_gradient(lambda x: ops.reshape(ops.sum(network(x)[deepest]), (1,)))
    network_only = LossAndGrads(only, rows, cols)
    import tensorflow as tf

    forward = tf.function(network)
    batch = tf.constant(job.base(stage)[np.newaxis])
    x = job.base(stage).astype(np.float64).ravel()
    parts = {
        "forward": lambda: forward(batch),
        "network": lambda: network_only(x),
        "whole": lambda: whole(x),
        "copies": lambda: (
            tf.constant(np.asarray(x, np.float32).reshape(1, rows, cols, 3)),
            np.asarray(batch.numpy(), np.float64).ravel() / np.float32(1),
        ),
    }
    for part in parts.values():
        part()
    times = {name: [] for name in parts}
    for _ in range(args.repeats):
        for name, part in parts.items():
            times[name].append(seconds(part))
    times = {name: statistics.median(values) for name, values in times.items()}
    black = np.tile(np.negative(IMAGENET_MEAN_BGR), rows * cols)
    bounds = np.stack([black, black + 255], axis=1)
    free, _ = seconds_of_scipy(x, None)
    bounded, set_up = seconds_of_scipy(x, bounds)
    rows_of_table = [
        ("network, forward", times["forward"]),
        ("network, backward", times["network"] - times["forward"] - times["copies"]),
        ("Grams, losses, their gradients", times["whole"] - times["network"]),
        ("copies between SciPy and TensorFlow", times["copies"]),
        ("SciPy's L-BFGS-B, bounded", bounded),
    ]
    total = sum(part for _, part in rows_of_table)
    for name, part in rows_of_table:
        print(f"{name:38} {part:7.3f} s {part / total:6.1%}")
    print(f"{'one evaluation':38} {total:7.3f} s")
    print(f"{'(SciPy, unbounded (keras))':38} {free:7.3f} s")
    print(f"{'(SciPy, bounds set up, once a size)':38} {set_up:7.3f} s")
    low = np.tile(np.negative(IMAGENET_MEAN_BGR), (cols, 1))
    ours = seconds_of_ours(job.base(stage)[np.newaxis], low, low + 255)
    print(f"{'(our L-BFGS, bounded (neighbors))':38} {ours:7.3f} s")
    gflop = 2 * network_gflop(network, rows, cols)
    rate, peak = gflop / (times["network"] - times["copies"]), matrix_product_rate()
    print(f"network: {gflop:.0f} GFLOP, {rate:.0f} GFLOP/s; matrix product: {peak:.0f} GFLOP/s")
    # Above 1 where minimal filtering leaves out multiplications that are counted here.
    print(f"an evaluation reaches {gflop / total / peak:.2f} of the matrix product's rate")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
