"""Paints small pictures of one photo to choose from, on one sheet, by `--compare`.

The pictures are those that the photo command makes, each with its record, in a folder of their own;
one process paints them all, with one network, and targets that several need are computed once.
"""

import argparse
import contextlib
import gc
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from stylize import __version__
from stylize.apps import photo
from stylize.apps.compare.choices import ROWS, Choice, plan_choices
from stylize.apps.compare.sheet import Cell, Painted, draw_sheet, write_page
from stylize.apps.console import (
    check_kept,
    check_writable,
    exit_status,
    failure,
    in_words,
    say,
    started_as,
)
from stylize.apps.folder.pictures import check_index
from stylize.apps.options import PROGRAM, parse_words, with_options
from stylize.apps.photo_console import PhotoConsole
from stylize.errors import InputError, NonFiniteLoss
from stylize.images.reading import load_image
from stylize.images.writing import save_image
from stylize.runs import metadata
from stylize.vgg.download import load_weights
from stylize.vgg.weights import VGG19Weights


class ChoiceConsole(PhotoConsole):
    """Shows how one of several pictures grows, without a line for each step.

    Args:
        prefix, quiet: as for `PhotoConsole`.
        warned: the warnings so far, which are not repeated.
    """

    def __init__(self, prefix: str, quiet: bool, warned: set[str]):
        super().__init__(prefix, quiet)
        self._warned = warned

    def print(self, line):
        pass

    def warn(self, line):
        if line not in self._warned:
            self._warned.add(line)
            super().warn(line)


class Comparison:
    """The pictures to choose from, and the files that show them.

    Args:
        args: the options.

    Raises:
        InputError: something cannot be compared, or a file would be replaced that is not ours.
    """

    def __init__(self, args: argparse.Namespace):
        self.args, self.errors = args, {}
        self.choices, self.columns = plan_choices(args)
        prefix = f"{args.result_prefix}_compare"
        self.folder, self.page = Path(prefix), Path(f"{prefix}.html")
        self.sheet = Path(f"{prefix}.png")
        own = vars(args) | {"final_only": True}
        if not any(name == "size" for name, _ in self.choices[0].values):
            own["size"] = args.size or str(ROWS)
        shared = argparse.Namespace(**own)
        self.options = [choice.chosen(shared) for choice in self.choices]
        for options, stem in zip(self.options, _unique(self.choices), strict=True):
            options.result_prefix = str(self.folder / stem)
        self.results = [photo.result_paths(options)[0] for options in self.options]
        check_writable(args.result_prefix, "_compare.html")
        given = [path for options in self.options for path in photo.pictures_given(options)]
        check_kept([self.sheet, self.page, *self.results], given)
        check_index(self.page)

    def plan(self) -> list[float]:
        """Returns the work of each picture, in pixels of evaluations. Raises InputError."""
        jobs = (photo.plan(argparse.Namespace(**vars(options)))[0] for options in self.options)
        return [sum(stage.work for stage in job.stages) for job in jobs]

    def label(self, index: int) -> str:
        """A choice in a line."""
        return ", ".join(self.choices[index].label)

    def paint(self, index: int, weights: VGG19Weights, warned: set[str]) -> bool:
        """Paints a choice, unless it is painted. Returns whether it had to be.

        Args:
            index: of the choice.
            weights: the network's.
            warned: as for `ChoiceConsole`.

        Raises:
            InputError, NonFiniteLoss, MemoryError: it cannot be painted.
        """
        options = self.options[index]
        console = ChoiceConsole(options.result_prefix, self.args.quiet, warned)
        with contextlib.closing(console):
            options.resume = photo.state_path(options).exists()
            try:
                photo.run(options, console, weights)
            except InputError:
                if not options.resume:
                    raise
                options.resume = False  # the state is that of another run, or damaged
                photo.run(options, console, weights)
        gc.collect()  # compiled functions hold each other, and their tensors, until then
        return console.saved is not None

    def command(self, choice: Choice) -> str:
        """The command that paints a choice at full size."""
        words = self.args.plain
        if choice.style:
            words = _with_style(words, self.args.style_reference, choice.style)
        return shlex.join([*started_as(), *with_options(words, choice.options)])

    def show(self) -> None:
        """Saves the sheet and the page. Raises OSError."""
        image = [None if i in self.errors else load_image(p) for i, p in enumerate(self.results)]
        lines = [
            [*choice.label, *([self.errors[index]] if index in self.errors else [])]
            for index, choice in enumerate(self.choices)
        ]
        styles = [style for o in self.options for style in (o.style_reference, *o.styles)]
        given = [(self.args.base, "photo"), *((s, "painting") for s in dict.fromkeys(styles))]
        sheet = draw_sheet(
            [Cell(load_image(path), [f"{what}: {Path(path).name}"]) for path, what in given],
            [Cell(*each) for each in zip(image, lines, strict=True)],
            self.columns,
        )
        save_image(sheet, self.sheet, description=metadata.to_text(self._record(styles)))
        painted = [
            Painted(path, self.label(index), self.command(choice), self.errors.get(index, ""))
            for index, (path, choice) in enumerate(zip(self.results, self.choices, strict=True))
        ]
        write_page(self.page, self.sheet, painted, self.columns)

    def _record(self, styles: Sequence[str]) -> dict:
        """What the sheet says of itself: each picture has a whole record of its own."""
        return {
            "program": f"neural_style_transfer {__version__}",
            "recipe": "comparison",
            "settings": {},
            "base": metadata.describe_file(self.args.base),
            "styles": [metadata.describe_file(style) for style in dict.fromkeys(styles)],
            "pictures": {p.name: self.label(index) for index, p in enumerate(self.results)},
        }


def _unique(choices):
    """What the files of choices are called: no two alike."""
    names: list[str] = []
    for choice in choices:
        number = sum(name.casefold() == choice.stem.casefold() for name in names)
        names.append(choice.stem)
        yield f"{choice.stem}.{number + 1}" if number else choice.stem


def _with_style(words, before, after):
    """The words of a command with another painting in the place of the one that it has."""
    for index, word in enumerate(words):
        changed = [*words[:index], after, *words[index + 1 :]]
        if word == before and parse_words(changed).style_reference == after:
            return changed
    raise ValueError(f"{before} is not in {words}")  # it was parsed from them


def run(args: argparse.Namespace) -> int:
    """Paints what is not painted yet, and shows all. Returns 1 if a picture cannot be painted."""
    comparison, say_it = Comparison(args), (lambda line: None) if args.quiet else say
    work = comparison.plan()
    say_it(f"{len(work)} pictures to choose from")
    weights = load_weights(args.weights, quiet=args.quiet)
    spent, done, warned = 0.0, 0.0, set[str]()
    for index, own in enumerate(work):
        started, painted = time.monotonic(), False
        try:
            painted = comparison.paint(index, weights, warned)
        except (InputError, NonFiniteLoss, MemoryError) as error:
            comparison.errors[index] = message = failure(error)[1]
            print(f"{PROGRAM}: error: {comparison.label(index)}: {message}", file=sys.stderr)
            continue
        if painted:
            spent, done = spent + time.monotonic() - started, done + own
        left = sum(work[index + 1 :]) * spent / done if done else 0
        more = f", about {in_words(left)} left" if left else ""
        said = "painted" if painted else "is finished"
        say_it(f"{index + 1} of {len(work)}: {comparison.label(index)} {said}{more}")
    comparison.show()
    say_it(f"Saved as {comparison.sheet}; to choose, open {comparison.page}")
    return 1 if comparison.errors else 0


def main(args: argparse.Namespace) -> int:
    """Paints a comparison. Returns the exit status, see `exit_status`.

    Args:
        args: from `parse`.
    """
    return exit_status(PROGRAM, lambda: run(args), lambda: f"go on with: {args.command}")
