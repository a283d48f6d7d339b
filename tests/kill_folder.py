"""Paints a folder of 40 pictures, four of them bad, and kills it again and again on the way.

    python tests/kill_folder.py STYLE --weights mirror --size 64 --times 10 --seed 0

The pictures, small and of all formats that can be written, are made from those in img/. Everything
after the style but `--times` and `--seed` goes to the command. Exit status 0: each of the 36 good
pictures was painted once, the four bad ones are named, the command's own status was 1, and when it
is started once more it does nothing.
"""

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pillow_heif
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
SUFFIXES = ("jpg", "png", "webp", "tiff", "bmp", "gif", "heic", "avif")
BAD = ("empty.jpg", "text.png", "sub/truncated.jpg", "sub/small.png")


def make_pictures(folder):
    pillow_heif.register_heif_opener()
    (folder / "sub").mkdir(parents=True)
    sources = sorted((ROOT / "img").glob("*.jpg"))
    for number in range(36):
        image = Image.open(sources[number % len(sources)])
        image.thumbnail((240, 240))
        suffix = SUFFIXES[number % len(SUFFIXES)]
        image.save(folder / ("sub" if number % 3 == 0 else "") / f"{number:02}.{suffix}")
    (folder / "empty.jpg").touch()
    (folder / "text.png").write_text("hello")
    (folder / "sub/truncated.jpg").write_bytes((folder / "08.jpg").read_bytes()[:2000])
    Image.new("RGB", (10, 99)).save(folder / "sub/small.png")


def start(folder, arguments):
    """The command, in a process group of its own."""
    command = [sys.executable, ROOT / "neural_style_transfer.py", folder / "photos"]
    return subprocess.Popen(
        [*command, arguments[0], folder / "results", *arguments[1:]],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def painted(folder):
    """How often the log says that each result was painted."""
    log = folder / "results" / "log.jsonl"
    lines = map(json.loads, log.read_text().splitlines()) if log.exists() else ()
    return Counter(line["result"] for line in lines if line["status"] == "painted")


def finish(folder, arguments):
    """Lets the command end. Returns what it prints, and its seconds."""
    started = time.monotonic()
    run = start(folder, arguments)
    out, err = run.communicate()
    assert run.returncode == 1, (run.returncode, err)
    lines = err.splitlines()
    assert len(lines) == len(BAD), err
    assert all(any(name in line for line in lines) for name in BAD), err
    return out, time.monotonic() - started


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=10, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    args, arguments = parser.parse_known_args(argv)
    chance = random.Random(args.seed)
    print(f"seed {args.seed}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_pictures(folder / "photos")
        for number in range(args.times):
            run, moment = start(folder, arguments), chance.uniform(5, 25)
            time.sleep(moment)
            # Every other time the parent alone: its processes then have to end by themselves.
            (os.kill if number % 2 else os.killpg)(run.pid, signal.SIGKILL)
            run.communicate()
            print(f"killed after {moment:.0f}s, {len(painted(folder))} painted", flush=True)
        out, seconds = finish(folder, arguments)
        print(f"finished in {seconds:.0f}s: {out.splitlines()[-1]}", flush=True)
        results = folder / "results"
        final = [p for p in results.rglob("*.png") if not re.search("_at_iteration_", p.stem)]
        assert len(final) == 36, len(final)
        times = painted(folder)
        assert max(times.values()) == 1, times
        hidden = [path for path in results.rglob("*") if path.name.startswith(".")]
        states = list(results.rglob("*_state.npz"))
        assert not hidden and not states, (hidden, states)
        dates = {path: path.stat().st_mtime_ns for path in final}
        out, seconds = finish(folder, arguments)
        assert dates == {path: path.stat().st_mtime_ns for path in final}
        print(f"once more, in {seconds:.1f}s: {out.splitlines()[-1]}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
