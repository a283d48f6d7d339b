"""Those benchmarks that are to be run on machines of all kinds, at a tiny size."""

import json
import re

import cluster
import gpu
import optimizers
import pytest
import startup

import neural_style_transfer as nst
from stylize.tiles import TilePasses

TINY = ["--rows", "32", "--evaluations", "1"]


def test_gpu_prints_a_row_for_each_size(full_weights_path, capfd):
    tensorflow = ["--backends", "tensorflow", "--weights", str(full_weights_path)]
    assert gpu.main([*TINY, *tensorflow]) == 0
    row = capfd.readouterr().out.splitlines()[-1]
    assert re.match(r" *tensorflow [\d.]+ +[CG]PU +32 +[\d.]+ +2 +[\d.]+%  \w+, \d+ MiB", row)


def test_gpu_says_what_went_wrong_and_goes_on(capfd):
    tensorflow = ["--backends", "tensorflow", "--weights", "missing.h5"]
    assert gpu.main([*TINY, *tensorflow]) == 0
    assert "missing.h5: no such file" in capfd.readouterr().out


def test_optimizers_are_compared_in_turns(full_weights_path, tmp_path, capfd):
    path = tmp_path / "optimizers.json"
    arguments = ["--pairs", "cat+ink", "--rows", "32", "--weights", str(full_weights_path)]
    assert optimizers.main([*arguments, "--json", str(path)]) == 0
    (row,) = json.loads(path.read_text())
    assert (row["pair"], row["rows"]) == ("cat+ink", 32)
    for name in ("seconds_scipy", "seconds", "loss_scipy", "loss"):
        assert row[name] > 0
    assert re.search(r"cat\+ink +scipy +[\d.]+ +40 ", capfd.readouterr().out)


def test_summary_is_the_median_of_times_and_the_mean_and_highest_of_losses():
    rows = [
        {"seconds": s, "seconds_scipy": 10, "loss": loss, "loss_scipy": 2}
        for s, loss in [(1, 2), (2, 4), (9, 6)]
    ]
    assert optimizers.summary(rows).endswith(
        "seconds 0.200 (median), loss 2.0000 (mean), 3.0000 (highest)"
    )


def test_startup_is_measured_part_by_part(full_weights_path, photo_path, painting_path, capfd):
    arguments = [photo_path, painting_path, "--rows", 32, "--weights", full_weights_path]
    assert startup.main([str(argument) for argument in [*arguments, "--repeats", 1]]) == 0
    *parts, total = capfd.readouterr().out.splitlines()
    seconds = [float(line.split()[-2]) for line in parts]
    assert len(parts) == 8
    assert float(total.split()[-2]) == pytest.approx(sum(seconds), abs=0.05)


def test_model_of_a_cluster_has_the_bytes_that_travel(small_vgg19):
    job, stage = cluster.prepare(64, 80, 48, "pyramid", "float32")
    made = {}

    def passes(network, objective, tiles, *others):
        made["counted"] = cluster.Counting(TilePasses(network, objective, tiles, *others), tiles)
        made["model"] = cluster.bytes_travelling(network, tiles, 1)
        return made["counted"]

    objective = nst.stage_objective(job._replace(passes=passes), small_vgg19, stage)
    objective(job.start(stage).ravel())
    counted = made["counted"]
    assert len(objective.tiles) == 4
    assert counted.parts + counted.others + counted.answers == made["model"]
