"""Paints a folder on a Ray cluster of two nodes, and kills one of them on the way.

    python tests/kill_node.py STYLE --weights mirror --size 64 --pictures 12

Both nodes are started here, on ports of their own and with a key of their own, and are gone at the
end. Everything after the style but `--pictures` goes to the command. Exit status 0: both nodes were
painting when the second was killed, every picture is there, each was painted once, and a second run
finds nothing to do.
"""

import argparse
import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
RAY = Path(sys.executable).with_name("ray")
SMALL = ("--block", "--object-store-memory", "100000000", "--disable-usage-stats")
DOES_NOT_WAIT = {  # for half a minute, before it calls a node dead
    "RAY_health_check_initial_delay_ms": "0",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_failure_threshold": "3",
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def node(environment, *options):
    """A node of a cluster that has started, a process that leads a group of its own."""
    process = subprocess.Popen(
        [RAY, "start", *options, *SMALL],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    said = []
    try:
        for line in process.stdout:
            said.append(line)
            if "Ray runtime started" in line:
                break
        else:
            raise RuntimeError("".join(said))
        yield process
    finally:
        process.terminate()
        process.communicate()


@contextlib.contextmanager
def two_nodes(cores=2):
    """Yields the address of a cluster, the environment to use it with, and its second node."""
    address = f"127.0.0.1:{free_port()}"
    size = "--num-cpus", str(cores)
    head = "--head", "--port", address.partition(":")[2], "--include-dashboard", "false"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        own = {"TMPDIR": folder, "RAY_TMPDIR": folder, "PYTHONPATH": str(ROOT)}
        key = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex()}
        environment = key | os.environ | DOES_NOT_WAIT | own
        with (
            node(environment, *head, *size),
            node(environment, "--address", address, *size) as second,
        ):
            yield address, environment, second


def kill(process):
    """Ends a node as a power cut would, as far as the others can see."""
    os.killpg(process.pid, signal.SIGKILL)


def painted(folder):
    """The results that the log has as painted, one for each time."""
    log = folder / "log.jsonl"
    lines = map(json.loads, log.read_text().splitlines()) if log.exists() else ()
    return [line["result"] for line in lines if line["status"] == "painted"]


def paint_and_kill(command, results, second, environment, after):
    """Runs the command, and kills the node once so many pictures are painted. Returns output."""
    run = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while len(painted(results)) < after:
        assert run.poll() is None, run.communicate()
        time.sleep(0.05)
    kill(second)
    out, err = run.communicate()
    assert run.returncode == 0, (out, err)
    return out, err


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("style")
    parser.add_argument("--pictures", type=int, default=12, help="default: %(default)s")
    args, more = parser.parse_known_args(argv)
    with tempfile.TemporaryDirectory() as name, two_nodes() as (address, environment, second):
        photos, results = Path(name, "photos"), Path(name, "results")
        photos.mkdir()
        sources = sorted((ROOT / "img").glob("*.jpg"))
        for number in range(args.pictures):
            image = Image.open(sources[number % len(sources)])
            image.thumbnail((240, 240))
            image.save(photos / f"{number:02}.png")
        script = [sys.executable, ROOT / "neural_style_transfer.py"]
        command = [*script, photos, args.style, results, *more, "--ray", address]
        out, err = paint_and_kill(command, results, second, environment, args.pictures // 3)
        print(out, err)
        assert "2 at once" in out and "has died; workers left: 1" in out, out
        assert sorted(painted(results)) == [
            str(results / f"{p.stem}.png") for p in sorted(photos.iterdir())
        ]
        again = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        print(again.stdout)
        assert "0 painted" in again.stdout, again
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
