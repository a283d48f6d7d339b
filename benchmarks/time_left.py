"""Replays runs from their tables of losses: how wrong was the time left that was shown?

    python benchmarks/time_left.py results/photo results/large

PREFIX.png and PREFIX_losses.csv of each run are read. For the parts of a run it prints the size,
the seconds that were left, those that the program would tell now, and the ratio of both. Each size
is taken as planned with the evaluations that it really made.
"""

import argparse
import csv
import itertools
import sys
import time
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from PIL import Image

from stylize.optimize.state import Losses
from stylize.runs import memory, metadata
from stylize.runs.progress import Evaluation, Progress
from stylize.runs.pyramid import plan_stages
from stylize.runs.recipes import choose_settings

PARTS = 10  # of a run that are printed


def read_run(prefix):
    """(stages, for each the seconds since the start at its evaluations) of a run."""
    record = metadata.read_record(f"{prefix}.png")
    known = {name: value for name, value in record["settings"].items() if value is not None}
    settings = choose_settings(record["recipe"]) | known
    layers = [*settings.content_layers, *settings.style_layers]
    with Image.open(f"{prefix}.png") as picture, open(f"{prefix}_losses.csv", newline="") as file:
        planned = plan_stages(picture, settings, record["evaluations_per_iteration"])
        by_size = [list(rows) for _, rows in itertools.groupby(csv.DictReader(file), _size)]
    stages, tiles = [], record.get("tiles") or [None] * len(planned)
    for stage, rows, tile in zip(planned, by_size, tiles, strict=True):
        counts = {"rows": _size(rows[0]), "iterations": 1, "evaluations_per_iteration": len(rows)}
        tiled = settings | {"tile": tile or "off"}
        stages.append(memory.choices(stage._replace(**counts), tiled, layers)[0])
    return stages, [[float(row["seconds"]) for row in rows] for rows in by_size]


def _size(row):
    return int(row["size"])


def replay(stages, seconds):
    """Yields (stage, time, seconds left as they are told) at each evaluation."""
    now, run = 0.0, Progress()
    with mock.patch.object(time, "perf_counter", lambda: now):
        run.on_start(stages)
        for index, times in enumerate(seconds):
            run.on_stage(index)
            for now in times:
                run.on_evaluation(Evaluation(Losses(3.0, {}), None, None))
                yield run.stage, now, run.seconds_left


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("prefixes", nargs="+", metavar="PREFIX")
    for prefix in parser.parse_args(argv).prefixes:
        stages, seconds = read_run(prefix)
        told = list(replay(stages, seconds))
        end = seconds[-1][-1]
        print(f"{prefix}: {end:.0f} s\n     at s   rows   left s   told s  told / left")
        for part in range(1, PARTS):
            stage, now, left = next(entry for entry in told if entry[1] >= end * part / PARTS)
            if now < end:
                ratio = left / (end - now)
                print(f"{now:9.0f}{stage.rows:7}{end - now:9.0f}{left:9.0f}{ratio:13.2f}")


if __name__ == "__main__":
    main()
