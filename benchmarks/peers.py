"""Measures how long another program takes to its final loss, and this one to the same.

    python benchmarks/peers.py johnson ~/neural-style-pt --size 512 --scales 3 --iter 6
    python benchmarks/peers.py crowson ~/style-transfer-pytorch --size 192

The other program runs as it is, from a folder with its source: ProGamerGov/neural-style-pt, or
crowsonkb/style-transfer-pytorch at one size. Both run on the weights that are used here, both need
PyTorch and torchvision. This program paints the recipe of the same name, coarse to fine, with
`--init recolored --precision auto`.

Both start at once and run in turns, so that a slow moment of the machine hits both: the other is
stopped (SIGSTOP) while one runs. Seconds are of a program's turns, from the start of its process:
imports, weights and targets count. The losses are those that a program prints of its evaluations at
full size; they are the same formula (see docs/recipes).
"""

import argparse
import json
import os
import re
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import neural_style_transfer as nst
from stylize.vgg.download import load_weights
from stylize.vgg.weights import VGG19Weights, passes_through

TURNS = {"theirs": 4.0, "ours": 1.0}  # seconds
LOSS = re.compile(r"Total loss: (\S+)")
TORCHVISION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # mean, standard deviation: RGB, 0..1


# ---------------------------------------------------------------------------------------------
# In the processes
# ---------------------------------------------------------------------------------------------


def paint_ours(args):
    """Paints the recipe, and prints the loss of each evaluation at full size."""
    given = {"precision": "auto", "init": "recolored"}
    given |= {"iterations": args.iter} if args.iter else {}
    given |= {"scales": args.scales} if args.scales else {}
    job = nst.prepare(args.photo, args.painting, args.program, size=args.size, **given)

    class Printing(nst.Progress):
        def on_evaluation(self, evaluation):
            super().on_evaluation(evaluation)
            if self.stage is job.stages[-1]:
                print(f"Total loss: {evaluation.losses.total}", flush=True)

    nst.paint(job, load_weights(args.weights, quiet=True), Printing())


def paint_johnson(args):
    """Runs neural-style-pt, which prints its losses."""
    import torch

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "vgg16.pth"  # the mirror's layers, see `convolutions`
        weights = load_weights(args.weights, quiet=True)
        torch.save(johnson_state(weights), file)
        options = {
            "content_image": args.photo,
            "style_image": args.painting,
            "image_size": args.size,
            "num_iterations": args.steps,
            "model_file": file,
            "output_image": Path(folder) / "result.png",
            "gpu": "c",
            "backend": "mkl",
            "print_iter": 1,
            "save_iter": 0,
            "seed": 1,
        }
        words = [word for name, value in options.items() for word in (f"-{name}", str(value))]
        sys.argv = ["neural_style.py", *words, "-disable_check"]
        sys.path.insert(0, str(args.source))
        runpy.run_path(str(Path(args.source) / "neural_style.py"), run_name="__main__")


def paint_crowson(args):
    """Runs style-transfer-pytorch at one size, and prints the loss of each step."""
    from PIL import Image
    from torchvision import models

    weights = load_weights(args.weights, quiet=True)
    models.vgg19 = lambda **_: SimpleNamespace(features=torchvision_vgg19(weights))
    package = ModuleType("style_transfer")  # without its web page, which needs more packages
    package.__path__ = [str(Path(args.source) / "style_transfer")]
    sys.modules["style_transfer"] = package
    from style_transfer.style_transfer import StyleTransfer

    StyleTransfer().stylize(
        Image.open(args.photo).convert("RGB"),
        [Image.open(args.painting).convert("RGB")],
        min_scale=args.size,
        end_scale=args.size,
        initial_iterations=args.steps,
        callback=lambda step: print(f"Total loss: {step.loss}", flush=True),
    )


def convolutions(weights: VGG19Weights):
    """Yields (whether it begins a block, kernel, bias); None for one that passes its input on."""
    before = ""
    for name, (kernel, bias) in weights.layers.items():
        block = name.partition("_")[0]
        given = passes_through(kernel, bias)
        yield block != before, None if given else np.asarray(kernel), np.asarray(bias)
        before = block


def johnson_state(weights: VGG19Weights):
    """The state of neural-style-pt's VGG16, which has no places for the layers left out."""
    import torch

    state, index = {}, 0
    for begins, kernel, bias in convolutions(weights):
        index += begins and bool(state)  # a pooling layer before all blocks but the first
        if kernel is not None:
            state[f"features.{index}.weight"] = torch.tensor(kernel.transpose(3, 2, 0, 1).copy())
            state[f"features.{index}.bias"] = torch.tensor(bias)
            index += 2  # and its ReLU
    return state


def torchvision_vgg19(weights: VGG19Weights):
    """VGG19's layers in PyTorch, for pictures that are normalised as torchvision does."""
    import torch
    from torch import nn

    mean, deviation = (255 * np.array(values) for values in TORCHVISION)
    layers: list = []
    for begins, kernel, bias in convolutions(weights):
        if begins and layers:
            layers.append(nn.MaxPool2d(2, 2))
        if kernel is None:
            layers += [nn.Identity(), nn.Identity()]
            continue
        if not layers:  # what it is given is in RGB, and of another mean and scale
            kernel = kernel[:, :, ::-1].astype(np.float64)
            shift = mean - np.array(weights.mean_bgr)[::-1]
            bias = bias + np.einsum("hwio,i->o", kernel, shift)
            kernel = kernel * deviation[:, np.newaxis]
        convolution = nn.Conv2d(*kernel.shape[2:], 3, padding=1)
        with torch.no_grad():
            convolution.weight.copy_(torch.tensor(kernel.transpose(3, 2, 0, 1).copy()))
            convolution.bias.copy_(torch.tensor(bias))
        layers += [convolution, nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.MaxPool2d(2, 2))


# ---------------------------------------------------------------------------------------------
# In the parent
# ---------------------------------------------------------------------------------------------


class Turns:
    """A process that runs only in its turns.

    Args:
        command: prints a line with a loss for each evaluation.

    Attributes:
        trace: [seconds of its turns, loss] of each.
    """

    def __init__(self, command):
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        os.kill(self._process.pid, signal.SIGSTOP)
        self._clock, self.trace = (0.0, None), []  # seconds before this turn, and its start
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def seconds(self):
        before, since = self._clock
        return before + (time.perf_counter() - since if since else 0.0)

    def _read(self):
        for line in self._process.stdout:
            if found := LOSS.search(line):
                self.trace.append([self.seconds, float(found[1])])

    def take(self, seconds):
        """Lets it run for so long. Returns whether it has more to do."""
        self._clock = self.seconds, time.perf_counter()
        os.kill(self._process.pid, signal.SIGCONT)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.kill(self._process.pid, signal.SIGSTOP)
        self._clock = self.seconds, None
        if self._process.poll() is None:
            return True
        self._reader.join()
        self._process.stdout.close()
        return False

    def end(self):
        """Ends it, wherever it is."""
        self._process.kill()
        self._process.wait()

    def check(self, name):
        """Raises SystemExit where it failed."""
        if self._process.returncode or not self.trace:
            raise SystemExit(f"{name}: failed; run it with --work {name}")


def run_in_turns(argv):
    """Program -> its trace."""
    command = [sys.executable, "-u", __file__, *argv, "--work"]
    programs = {name: Turns([*command, name]) for name in TURNS}
    running = dict(programs)
    try:
        while running:
            for name, program in list(running.items()):
                if not program.take(TURNS[name]):
                    program.check(name)
                    del running[name]
    finally:
        for program in programs.values():
            program.end()
    return {name: program.trace for name, program in programs.items()}


def compare(args, traces):
    """The object for `--json`: pair, size, losses, seconds, and the ratio of seconds (or None)."""
    their_seconds, their_loss = traces["theirs"][: args.steps][-1]
    reached = (seconds for seconds, loss in traces["ours"] if loss <= their_loss)
    seconds = next(reached, None)
    return {
        "program": args.program,
        "pair": f"{Path(args.photo).stem}+{Path(args.painting).stem}",
        "size": args.size,
        "steps": len(traces["theirs"][: args.steps]),
        "seconds_theirs": round(their_seconds, 1),
        "loss_theirs": their_loss,
        "seconds": seconds and round(seconds, 1),
        "ratio": seconds and round(seconds / their_seconds, 3),
        "loss": min(loss for _, loss in traces["ours"]),
        "seconds_at_the_end": round(traces["ours"][-1][0], 1),
    }


def main(argv=None):
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", choices=("johnson", "crowson"))
    parser.add_argument("source", type=Path, help="the folder with the other program's source")
    parser.add_argument("--photo", default=str(ROOT / "img" / "coffee.jpg"))
    parser.add_argument("--painting", default=str(ROOT / "img" / "impasto.jpg"))
    parser.add_argument("--size", type=int, default=192, help="longer side (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=500, help="theirs (default: %(default)s)")
    parser.add_argument("--iter", type=int, help="ours, at each size (default: the recipe's)")
    parser.add_argument("--scales", type=int, help="ours: how many sizes (default: the recipe's)")
    parser.add_argument("--weights", default="imagenet", help="as for neural_style_transfer.py")
    parser.add_argument("--json", type=Path, help="a file to write")
    parser.add_argument("--work", choices=TURNS, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.work:
        paint_theirs = {"johnson": paint_johnson, "crowson": paint_crowson}[args.program]
        (paint_ours if args.work == "ours" else paint_theirs)(args)
        return 0
    row = compare(args, run_in_turns(argv))
    for name, value in row.items():
        print(f"{name:>18}  {value}")
    if args.json:
        args.json.write_text(json.dumps(row, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
