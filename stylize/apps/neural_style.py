"""The command line of the TensorFlow neural-style program, `neural_style.py`.

Options and numbers are that program's (recipe `athalye`); what differs is said in the README.
"""

import argparse
import functools
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

import neural_style_transfer as nst
from stylize.apps.console import (
    Parser,
    check_files,
    check_kept,
    check_writable,
    exit_status,
    say,
)
from stylize.errors import InputError, SettingError
from stylize.images.reading import load_image
from stylize.images.writing import save_image, suffix_of
from stylize.runs import metadata
from stylize.runs.job import Job, prepare
from stylize.runs.progress import Progress
from stylize.runs.recipes import RECIPES, STYLE_LAYERS
from stylize.runs.settings import EVALUATIONS_PER_ITERATION
from stylize.runs.validators import checked, factor, fraction, rows_or_own
from stylize.vgg.download import load_weights

PROGRAM = "neural_style.py"
NETWORK = "imagenet-vgg-verydeep-19.mat"  # taken where it lies in the folder, as tutorials have it
RECIPE = RECIPES["athalye"]
ITERATIONS = RECIPE.iterations * EVALUATIONS_PER_ITERATION
# Patterns allowed in checkpoints' names. Python's formatting takes more, such as huge widths.
IN_BRACES = re.compile(r"[^{}]*\{0?(:[0-9]{0,2}d?)?\}[^{}]*")
AFTER_PERCENT = re.compile(r"([^%]|%%)*%(s|[0-9]{0,2}[di])([^%]|%%)*")
OWN_FLAGS = {  # of settings that this program spells otherwise than with other hyphens
    "--iter": "--iterations",
    "--size": "--width",
    "--style_scale": "--style-scales",
    "--style_blend": "--style-blend-weights",
    "--style_layers": "--style-layer-weight-exp",
    "--epsilon": "--eps",
    "--init": "--initial",
    "--noise_blend": "--initial-noiseblend",
}


def build_parser() -> Parser:
    """The command line's parser."""
    parser = Parser(PROGRAM, description="Paints a picture in one or more styles.")
    add = parser.add_argument
    number = functools.partial(add, type=float)
    add("--content", required=True, metavar="CONTENT", help="content picture")
    add("--styles", required=True, nargs="+", metavar="STYLE", help="one or more style pictures")
    add("--output", required=True, metavar="OUTPUT", help="where the result is written")
    add("--iterations", type=int, default=ITERATIONS, help="steps (default: %(default)s)")
    add("--print-iterations", type=int, metavar="N", help="print the losses every N steps")
    add("--checkpoint-output", metavar="PATTERN", help="such as out_%%s.jpg; %%s is the step")
    add("--checkpoint-iterations", type=int, metavar="N", help="write a checkpoint every N steps")
    add("--width", type=int, help="of the result (default: the content's own)")
    number("--style-scales", nargs="+", metavar="SCALE", help="one for each style")
    add("--network", metavar="imagenet|mirror|PATH", help=f"default: {NETWORK}, else imagenet")
    blend = "b in: conv4_2 * b + conv5_2 * (1 - b)"
    number("--content-weight-blend", default=1.0, help=blend)
    number("--content-weight", default=RECIPE.content_weight, help="default: %(default)s")
    number("--style-weight", default=RECIPE.style_weight, help="default: %(default)s")
    growth = "each style layer counts this times the one before (default: %(default)s)"
    number("--style-layer-weight-exp", default=1.0, help=growth)
    number("--style-blend-weights", nargs="+", metavar="WEIGHT", help="one for each style")
    number("--tv-weight", default=RECIPE.tv_weight, help="default: %(default)s")
    of_adam = "of Adam (default: %(default)s)"
    number("--learning-rate", default=RECIPE.learning_rate, help=of_adam)
    number("--beta1", default=RECIPE.beta1, help=of_adam)
    number("--beta2", default=RECIPE.beta2, help=of_adam)
    number("--eps", default=RECIPE.epsilon, help=of_adam)
    add("--initial", metavar="INITIAL", help="picture to start from (default: noise)")
    number("--initial-noiseblend", metavar="B", help="(1 - B) * initial + B * noise")
    add("--preserve-colors", action="store_true", help="keep the content's colours")
    add("--pooling", choices=("max", "avg"), default="max", help="default: %(default)s")
    add("--overwrite", action="store_true", help="replace OUTPUT if it exists")
    add("--seed", type=int, default=RECIPE.seed, help="of the noise (default: %(default)s)")
    return parser


def check(options: argparse.Namespace) -> None:
    """Raises InputError where options contradict each other, before anything is loaded."""
    if (options.checkpoint_output is None) != (options.checkpoint_iterations is None):
        raise InputError("--checkpoint-output and --checkpoint-iterations go together; give both")
    for name in ("iterations", "print_iterations", "checkpoint_iterations", "width"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise InputError(f"--{name.replace('_', '-')} must be at least 1, received {value}")
    suffix_of(options.output)
    check_files([Path(options.output)])
    given = [options.content, *options.styles, options.initial]
    check_kept([Path(options.output)], given, "--output")
    if Path(options.output).exists() and not options.overwrite:
        raise InputError(
            f"--output {options.output} already exists; give --overwrite to replace it"
        )
    check_writable(options.output)
    if options.checkpoint_output is not None:
        longest = checkpoint_path(options.checkpoint_output, options.iterations)
        suffix_of(longest)
        check_writable(longest)
        check_kept(checkpoints_named_as(given, options), given, "--checkpoint-output")


def checkpoints_named_as(given: Iterable[str | None], options: argparse.Namespace) -> list[Path]:
    """The checkpoints whose names may be those of pictures given by their paths.

    Only steps that occur as digits in these names are tried, since there may be millions.
    """
    there = [name for name in given if name and os.path.exists(name)]
    paths = [path for name in there for path in (name, os.path.realpath(name))]
    digits = [run for path in paths for run in re.findall("[0-9]+", path)]
    named = {int(run[i:j]) for run in digits for i, j in combinations(range(len(run) + 1), 2)}
    steps = sorted(step for step in named if is_due(step, options))
    return [Path(checkpoint_path(options.checkpoint_output, step)) for step in steps]


def is_due(step: int, options: argparse.Namespace) -> bool:
    """Whether a checkpoint is written after a step."""
    last = options.iterations - 1
    return step == last or (step < last and step % options.checkpoint_iterations == 0)


def checkpoint_path(pattern: str, step: int) -> str:
    """The path of a checkpoint: `step` in place of one that is like %s, %05d, {} or {:05d}.

    Raises InputError: there is none of these, or more than one, or another one.
    """
    if IN_BRACES.fullmatch(pattern):
        return pattern.format(step)
    if AFTER_PERCENT.fullmatch(pattern):
        return pattern % step
    raise InputError(
        f"--checkpoint-output {pattern}: must contain %s once, where the step goes, as in "
        "out_%s.jpg (for a percent sign, write %%); %05d works too, as do {} and {:05d} without "
        "other braces"
    )


def settings_of(options: argparse.Namespace) -> dict[str, Any]:
    """The engine's settings: recipe `athalye` with the options in place."""
    blend = checked("--content-weight-blend", fraction, options.content_weight_blend)
    growth = checked("--style-layer-weight-exp", factor, options.style_layer_weight_exp)
    init, noise = options.initial, options.initial_noiseblend
    if noise is None:
        noise = 0.0 if init else 1.0
    return {
        "iterations": options.iterations,
        "content_weight": options.content_weight,
        "style_weight": options.style_weight,
        "tv_weight": options.tv_weight,
        "style_scale": options.style_scales,
        "style_blend": options.style_blend_weights,
        "content_layers": {
            layer: share
            for layer, share in {"block4_conv2": blend, "block5_conv2": 1 - blend}.items()
            if share
        },
        "style_layers": {layer: growth**place for place, layer in enumerate(STYLE_LAYERS)},
        "pooling": options.pooling,
        "init": init or "base",
        "noise_blend": noise,
        "seed": options.seed,
        "learning_rate": options.learning_rate,
        "beta1": options.beta1,
        "beta2": options.beta2,
        "epsilon": options.eps,
        "preserve_colors": "luma" if options.preserve_colors else "none",
    }


def own_flag(flag: str) -> str:
    """Returns the name that this program has for another's option."""
    return OWN_FLAGS.get(flag, flag.replace("_", "-"))


class NeuralStyleConsole(Progress):
    """Prints losses and progress, and writes checkpoints, as a run goes on.

    Args:
        options: the command line's.

    Attributes:
        saved: the path of the last picture, None before the first.
    """

    def __init__(self, options: argparse.Namespace):
        super().__init__()
        self.saved: str | None = None
        self._record: Mapping[str, Any] = {}
        self._options = options

    def begin(self, record: Mapping[str, Any]) -> None:
        """Gets ready to save pictures made as `record`, of `metadata.make_record`, says."""
        self._record = record

    def on_evaluation(self, evaluation):
        """Prints the losses before the first step and after the steps that are due."""
        super().on_evaluation(evaluation)
        options, step, losses = self._options, self.evaluations - 2, evaluation.losses
        due = step < 0 or step % (options.print_iterations or 1) == 0
        if options.print_iterations and (due or step + 1 == options.iterations):
            say(f"  content loss: {losses.content:g}")
            say(f"    style loss: {losses.style:g}")
            say(f"       tv loss: {losses.total_variation:g}")
            say(f"    total loss: {losses.total:g}")

    def on_iterate(self, iterate):
        """Prints progress, twenty times a run, and writes the best picture so far where due."""
        super().on_iterate(iterate)
        options, step = self._options, iterate.iteration
        if self.iteration % max(1, options.iterations // 20) == 0:
            left = self.seconds / self.iteration * (options.iterations - self.iteration)
            times = (timedelta(seconds=round(seconds)) for seconds in (self.seconds, left))
            line = "Iteration {:4d}/{:4d} ({} elapsed, {} remaining)"
            say(line.format(self.iteration, options.iterations, *times))
        if options.checkpoint_iterations and is_due(step, options):
            self.save(iterate, checkpoint_path(options.checkpoint_output, step))

    def save(self, iterate, path):
        """Writes a picture, and in it how it was made."""
        more = {"iteration": iterate.iteration, "losses": iterate.losses.as_dict()}
        save_image(iterate.image, path, description=metadata.to_text(self._record, **more))
        self.saved = path

    def kept(self):
        """What is left of a run that did not finish, in words."""
        return f"the last picture is {self.saved}" if self.saved else "no picture was finished"


def plan(options: argparse.Namespace) -> Job:
    """The job that the options ask for. Raises InputError, in which they have their own names."""
    content = load_image(options.content)
    size = None
    if options.width:
        width = checked("--width", rows_or_own, options.width)
        size = int(content.height / content.width * width), width
    try:
        return prepare(content, options.styles, "athalye", 1, size=size, **settings_of(options))
    except SettingError as error:
        raise InputError(f"{own_flag(error.flag)} {error.problem}") from None


def run(options: argparse.Namespace, console: NeuralStyleConsole) -> None:
    """Checks what is cheap to check, paints, and writes the best picture of all steps."""
    check(options)
    job = plan(options)
    network = options.network or (NETWORK if Path(NETWORK).is_file() else "imagenet")
    weights = load_weights(network)
    suffix = suffix_of(options.output)
    console.begin(metadata.make_record(job, weights, options.content, options.styles, suffix))
    console.save(nst.paint(job, weights, console), options.output)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line. Returns the exit status, see `exit_status`."""
    options = build_parser().parse_args(sys.argv[1:] if argv is None else argv)
    console = NeuralStyleConsole(options)
    return exit_status(PROGRAM, lambda: run(options, console), console.kept)
