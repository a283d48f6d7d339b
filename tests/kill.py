"""Stops a run again and again at random moments; the picture must be the same in the end.

    python tests/kill.py BASE STYLE --weights mirror --times 20 --seed 0
    python tests/kill.py BASE STYLE --weights mirror --times 20 --seed 0 --signal TERM

Everything after the pictures but `--times`, `--seed` and `--signal` goes to the command. After
each signal every file in the folder of results is read: it must be whole. A run that is asked to
stop must do so in seconds and leave no unfinished file. It is then resumed with `--resume`. Exit
status 0: the picture is the same, byte for byte, as that of a run left alone.
"""

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

SIGNALS = {  # what may be sent, and the exit status of a run that has taken note of it
    "KILL": (signal.SIGKILL, None),
    "TERM": (signal.SIGTERM, 143),
    "INT": (signal.SIGINT, 130),
}
SECONDS_TO_STOP = 30
SCRIPT = Path(__file__).resolve().parent.parent / "neural_style_transfer.py"


def start(prefix, arguments):
    command = [sys.executable, SCRIPT, *arguments[:2], prefix, *arguments[2:], "--quiet"]
    return subprocess.Popen(command)


def check_files(folder):
    """Reads every file that has its final name. Raises what reading a damaged one does."""
    for path in folder.iterdir():
        if path.name.startswith("."):  # not finished, and so called
            continue
        if path.suffix == ".npz":
            with np.load(path) as archive:
                for name in archive.files:
                    archive[name]
        elif path.suffix == ".png":
            Image.open(path).load()


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=20, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--signal", default="KILL", choices=SIGNALS, help="default: %(default)s")
    args, arguments = parser.parse_known_args(argv)
    chance, kills, finished = random.Random(args.seed), 0, 0
    print(f"seed {args.seed}, signal {args.signal}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        began = time.monotonic()
        assert start(folder / "whole", arguments).wait() == 0
        seconds = time.monotonic() - began
        whole = (folder / "whole.png").read_bytes()
        while kills < args.times:
            prefix = folder / f"part{finished}"
            run = start(prefix, [*arguments, "--resume"])
            moment = chance.uniform(0, seconds)
            try:
                run.wait(moment)
            except subprocess.TimeoutExpired:
                status = stop(run, *SIGNALS[args.signal])
                kills += 1
                check_files(folder)
                if status is not None:
                    assert not list(folder.glob(".*")), "an unfinished file is left"
                print(f"{moment:.1f} of {seconds:.1f} s: status {run.returncode}", flush=True)
            else:
                finished += 1
                check(run, prefix, whole)
        run = start(prefix, [*arguments, "--resume"])
        run.wait()
        check(run, prefix, whole)
        left = [path.name for path in folder.glob(".*")]
        assert not left, left
    print(f"{args.times} kills, {finished + 1} runs finished, all with the same bytes")
    return 0


def stop(run, number, status):
    """Sends a signal. Returns the status, None if Python's default ended the run.

    It does until the run has installed its own handlers.
    """
    run.send_signal(number)
    run.wait(SECONDS_TO_STOP)
    assert run.returncode in (0, status, -number), run.returncode
    return status if run.returncode == status else None


def check(run, prefix, whole):
    assert run.returncode == 0, run.returncode
    assert Path(f"{prefix}.png").read_bytes() == whole, "another picture"


if __name__ == "__main__":
    raise SystemExit(main())
