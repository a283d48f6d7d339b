"""Paints small pictures of one photo to choose from, on one sheet, by `--compare`.

    run             checks the options, has what is not painted yet painted, shows all
      survey        in a process: plans all pictures
      paint_choice  in that process or several: paints a picture as the photo command does

A process keeps its network, and what several pictures are compared with is computed once. As many
processes paint as for a folder's pictures.
"""

import argparse
import time
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import NamedTuple

from stylize import __version__
from stylize.apps import photo
from stylize.apps.compare.choices import ROWS, Choice, plan_choices
from stylize.apps.compare.sheet import Cell, Exhibit, draw_sheet, write_page
from stylize.apps.console import (
    check_kept,
    check_writable,
    complain,
    exit_status,
    in_shell,
    in_words,
    say,
    started_as,
)
from stylize.apps.folder.ledger import Outcome
from stylize.apps.folder.paint_folder import KILLED, paint_photo
from stylize.apps.folder.pictures import check_ours
from stylize.apps.options import PROGRAM, parse_words, with_options
from stylize.backend import tensors
from stylize.images.reading import load_image
from stylize.images.writing import save_image
from stylize.parallel.pool import Crew, Demand, count_missing, kept_weights, require_jobs
from stylize.runs import metadata
from stylize.runs.memory import allowed_mib


class ChoicesSurvey(NamedTuple):
    """What a process found before anything is painted.

    Attributes:
        work: of each picture, in pixels of evaluations; time goes with it.
        demand: on what paints them.
    """

    work: list[float]
    demand: Demand


def survey(options: Sequence[argparse.Namespace]) -> ChoicesSurvey:
    """Plans all pictures, each given by its options. Raises InputError and WeightsError."""
    jobs = (photo.plan(argparse.Namespace(**vars(own)))[0] for own in options)
    plans = [
        (sum(stage.work for stage in job.stages), job.needed_mib, allowed_mib(job.settings))
        for job in jobs  # one after another: each holds its pictures
    ]
    work, needed, allowed = map(list, zip(*plans, strict=True))
    kept_weights(options[0].weights)
    return ChoicesSurvey(work, Demand(len(work), max(needed), tensors.count_gpus(), min(allowed)))


def paint_choice(options: argparse.Namespace) -> Outcome:
    """Paints a picture, unless it is painted. Its `Outcome` has a record if it had to be."""
    options.resume = photo.state_path(options).exists()
    outcome = paint_photo(options)
    if outcome.status == "failed" and options.resume:  # the state is of another run, or damaged
        options.resume = False
        outcome = paint_photo(options)
    return outcome


class Comparison:
    """The pictures to choose from, and the files that show them.

    Args:
        args: the options.

    Raises:
        InputError: something cannot be compared, or a file would be replaced that is not ours.
    """

    def __init__(self, args: argparse.Namespace):
        self.args, self.errors = args, dict[int, str]()
        self.choices, self.columns = plan_choices(args)
        prefix = f"{args.result_prefix}_compare"
        self.folder, self.page = Path(prefix), Path(f"{prefix}.html")
        self.sheet = Path(f"{prefix}.png")
        own = vars(args) | {"final_only": True, "quiet": True}
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
        check_ours(self.page)

    def label(self, index: int) -> str:
        """A choice in a line."""
        return ", ".join(self.choices[index].label)

    def command(self, choice: Choice) -> str:
        """The command that paints a choice at full size."""
        words = self.args.plain
        if choice.style:
            words = _with_style(words, self.args.style_reference, choice.style)
        return in_shell([*started_as(), *with_options(words, choice.options)])

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
            [Cell(load_image(path), [what, Path(path).name]) for path, what in given],
            [Cell(*each) for each in zip(image, lines, strict=True)],
            self.columns,
        )
        save_image(sheet, self.sheet, description=metadata.to_text(self._record(styles)))
        painted = [
            Exhibit(path, self.label(index), self.command(choice), self.errors.get(index, ""))
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
        yield f"{choice.stem}_{number + 1}" if number else choice.stem


def _with_style(words, before, after):
    """The words of a command with another painting in the place of the one that it has."""
    for index, word in enumerate(words):
        changed = [*words[:index], after, *words[index + 1 :]]
        if word == before and parse_words(changed).style_reference == after:
            return changed
    raise ValueError(f"{before} is not in {words}")  # it was parsed from them


def run(args: argparse.Namespace) -> int:
    """Paints what is not painted yet, and shows all. Returns 1 if a picture cannot be painted."""
    require_jobs(args.jobs)
    comparison = Comparison(args)
    _paint_all(comparison, (lambda line: None) if args.quiet else say)
    comparison.show()
    if not args.quiet:
        say(f"Saved as {comparison.sheet}; to choose, open {comparison.page}")
    return 1 if comparison.errors else 0


def _paint_all(comparison, tell):
    """Paints the pictures, several at once, and tells of each."""
    args, options = comparison.args, comparison.options
    with Crew(args, count_missing(comparison.results)) as crew:
        tell(f"{len(options)} pictures to choose from")
        work, demand = crew.ask(survey, options)
        painters = crew.painters(demand, tell)
        if painters.memory_mib is not None:
            for own in options:
                own.memory = f"{painters.memory_mib / 1024:.3f}"
        started, left, done = time.monotonic(), sum(work), 0.0
        for number, (index, future) in enumerate(painters.each(paint_choice, options), 1):
            outcome, label = _outcome(future), comparison.label(index)
            left -= work[index]
            if outcome.status == "failed":
                comparison.errors[index] = outcome.error
                complain(f"{PROGRAM}: error: {label}: {outcome.error}")
                continue
            done += work[index] if outcome.record else 0
            seconds = (time.monotonic() - started) * left / done if done else 0
            more = f", about {in_words(seconds)} left" if seconds else ""
            said = "painted" if outcome.record else "was painted before"
            tell(f"{number} of {len(work)}: {label} {said}{more}")


def _outcome(future):
    """What has become of a picture, also where its process was killed."""
    try:
        return future.result()
    except BrokenProcessPool:
        return Outcome("failed", KILLED)


def main(args: argparse.Namespace) -> int:
    """Paints a comparison. Returns the exit status, see `exit_status`.

    Args:
        args: from `parse`.
    """
    return exit_status(PROGRAM, lambda: run(args), lambda: f"resume with: {args.command}")
