#!/usr/bin/env python3
"""The command line of the TensorFlow neural-style program, on this project's engine.

    python neural_style.py --content content.jpg --styles a.jpg b.jpg --output out.jpg

Options and numbers are that program's (recipe `athalye`); what differs is said in the README.
"""

import re
import sys
import time
from datetime import timedelta
from pathlib import Path

from PIL import Image

import neural_style_transfer as nst
import recipes
from vgg19_weights import load_weights

NETWORK = "imagenet-vgg-verydeep-19.mat"  # taken where it lies in the folder, as tutorials have it
RECIPE = nst.RECIPES["athalye"]
ITERATIONS = RECIPE["iterations"] * nst.EVALUATIONS_PER_ITERATION


def build_parser():
    """The command line's parser."""
    parser = nst.Parser(Path(__file__).name, description="Paints a picture in one or more styles.")
    add = parser.add_argument
    add("--content", required=True, metavar="CONTENT", help="content picture")
    add("--styles", required=True, nargs="+", metavar="STYLE", help="one or more style pictures")
    add("--output", required=True, metavar="OUTPUT", help="where the result is written")
    add("--iterations", type=int, default=ITERATIONS, help="steps (default: %(default)s)")
    add("--print-iterations", type=int, metavar="N", help="print the losses every N steps")
    add("--checkpoint-output", metavar="PATTERN", help="such as out_%%s.jpg; %%s is the step")
    add("--checkpoint-iterations", type=int, metavar="N", help="write a checkpoint every N steps")
    add("--width", type=int, help="of the result (default: the content's own)")
    add("--style-scales", type=float, nargs="+", metavar="SCALE", help="one for each style")
    add("--network", metavar="imagenet|mirror|PATH", help=f"default: {NETWORK}, else imagenet")
    add("--content-weight-blend", type=float, default=1.0, help="conv4_2 * b + conv5_2 * (1 - b)")
    add("--content-weight", type=float, default=RECIPE["content_weight"], help="%(default)s")
    add("--style-weight", type=float, default=RECIPE["style_weight"], help="%(default)s")
    add(
        "--style-layer-weight-exp",
        type=float,
        default=1.0,
        help="each style layer counts this times the one before (default: %(default)s)",
    )
    add("--style-blend-weights", type=float, nargs="+", metavar="WEIGHT", help="one for each style")
    add("--tv-weight", type=float, default=RECIPE["tv_weight"], help="%(default)s")
    add("--learning-rate", type=float, default=RECIPE["learning_rate"], help="%(default)s")
    add("--beta1", type=float, default=RECIPE["beta1"], help="of Adam (default: %(default)s)")
    add("--beta2", type=float, default=RECIPE["beta2"], help="of Adam (default: %(default)s)")
    add("--eps", type=float, default=RECIPE["epsilon"], help="of Adam (default: %(default)s)")
    add("--initial", metavar="INITIAL", help="picture to start from (default: noise)")
    add("--initial-noiseblend", type=float, metavar="B", help="(1 - B) * initial + B * noise")
    add("--preserve-colors", action="store_true", help="keep the content's colours")
    add("--pooling", choices=("max", "avg"), default="max", help="default: %(default)s")
    add("--overwrite", action="store_true", help="replace OUTPUT where it is there already")
    add("--seed", type=int, default=RECIPE["seed"], help="of the noise (default: %(default)s)")
    return parser


def check(options):
    """Raises InputError where options contradict each other, before anything is loaded."""
    if (options.checkpoint_output is None) != (options.checkpoint_iterations is None):
        raise nst.InputError("give both of --checkpoint-output and --checkpoint-iterations")
    if options.checkpoint_output is not None:
        checkpoint_path(options.checkpoint_output, 0)
    for name in ("iterations", "print_iterations", "checkpoint_iterations", "width"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise nst.InputError(f"--{name.replace('_', '-')} must be at least 1, received {value}")
    if Path(options.output).suffix.lower() not in Image.registered_extensions():
        raise nst.InputError(f"--output {options.output}: name it .jpg or .png")
    if Path(options.output).exists() and not options.overwrite:
        raise nst.InputError(f"--output {options.output} is there already; give --overwrite")
    nst.check_writable(options.output)


def checkpoint_path(pattern, step):
    """The path of a checkpoint: `step` in place of %s, %d or {}. Raises InputError."""
    try:
        if re.search(r"\{.*\}", pattern):
            return pattern.format(step)
        if "%" in pattern:
            return pattern % step
    except (ValueError, TypeError, LookupError):
        pass
    raise nst.InputError(f"--checkpoint-output {pattern}: must contain %s, in place of the step")


def settings_of(options):
    """The engine's settings: recipe `athalye` with the options in place."""
    blend = recipes.fraction(options.content_weight_blend)
    exponents = range(len(recipes.STYLE_LAYERS))
    growth = recipes.positive(options.style_layer_weight_exp)
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
        "style_layers": dict(
            zip(recipes.STYLE_LAYERS, (growth**exponent for exponent in exponents), strict=True)
        ),
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


class Report:
    """Prints losses and progress, and writes checkpoints, as a run goes on."""

    def __init__(self, options):
        self.saved = None
        self._options = options
        self._evaluations = 0
        self._start = None

    def on_evaluation(self, losses, _pixels):
        """Prints the losses before the first step and after the steps that are due."""
        options, step = self._options, self._evaluations - 1
        self._evaluations += 1
        self._start = self._start or time.perf_counter()
        due = step < 0 or step % (options.print_iterations or 1) == 0
        if options.print_iterations and (due or step + 1 == options.iterations):
            print(f"  content loss: {losses.content:g}")
            print(f"    style loss: {losses.style:g}")
            print(f"       tv loss: {losses.total_variation:g}")
            print(f"    total loss: {losses.total:g}", flush=True)

    def on_iterate(self, iterate):
        """Prints progress, twenty times a run, and writes the best picture so far where due."""
        options, step = self._options, iterate.iteration
        done, last = step + 1, step + 1 == options.iterations
        if done % max(1, options.iterations // 20) == 0:
            elapsed = time.perf_counter() - self._start
            remaining = elapsed / done * (options.iterations - done)
            times = (timedelta(seconds=round(seconds)) for seconds in (elapsed, remaining))
            line = "Iteration {:4d}/{:4d} ({} elapsed, {} remaining)"
            print(line.format(done, options.iterations, *times), flush=True)
        if options.checkpoint_iterations and (step % options.checkpoint_iterations == 0 or last):
            self.saved = checkpoint_path(options.checkpoint_output, step)
            nst.save_image(iterate.image, self.saved)

    def kept(self):
        """What is left of a run that did not finish, in words."""
        return f"the last picture is {self.saved}" if self.saved else "no picture was finished"


def run(options, report):
    """Checks what is cheap to check, paints, and writes the best picture of all steps."""
    check(options)
    settings = settings_of(options)
    content = nst.load_image(options.content)
    if options.width:
        rows = int(content.height / content.width * options.width)
        content = nst.resize_image(content, rows, options.width, RECIPE["resample"])
    nst.read_inputs(content, options.styles, nst.choose_settings("athalye", **settings))
    network = options.network or (NETWORK if Path(NETWORK).is_file() else "imagenet")
    result = nst.style_transfer(
        content,
        options.styles,
        recipe="athalye",
        weights=load_weights(network),
        evaluations_per_iteration=1,
        callback=report.on_iterate,
        on_evaluation=report.on_evaluation,
        **settings,
    )
    nst.save_image(result, options.output)


def main(argv=None):
    """The command line. Returns 0, 1 (it failed), 2 (it cannot be done as asked), 130 (Ctrl-C)."""
    options = build_parser().parse_args(sys.argv[1:] if argv is None else argv)
    report = Report(options)
    return nst.exit_status(Path(__file__).name, lambda: run(options, report), report.kept)


if __name__ == "__main__":
    raise SystemExit(main())
