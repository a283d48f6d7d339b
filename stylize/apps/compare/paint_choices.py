"""Paints small pictures of one photo to choose from, on one sheet, by `--compare`.

    run             checks the options, has what is not painted yet painted, shows all
      survey        in a process: plans all pictures
      paint_choice  in that process or several: paints a picture as the photo command does

A process keeps its network, and what several pictures are compared with is computed once. As many
processes paint as for a folder's pictures.
"""

import argparse
import contextlib
import errno
import functools
import time
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from stylize import __version__
from stylize.apps import foretold, photo
from stylize.apps.compare.choices import ROWS, Choice, plan_choices
from stylize.apps.compare.room import make_room
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
    warn,
)
from stylize.apps.folder.ledger import Outcome
from stylize.apps.folder.paint_folder import KILLED, paint_photo, paint_photo_again
from stylize.apps.folder.pictures import check_ours
from stylize.apps.options import PROGRAM, follow_record, parse_words, with_options
from stylize.apps.words import spelled
from stylize.backend import tensors
from stylize.backend.files import alone, distinct
from stylize.errors import InputError
from stylize.images.masks import Surprise
from stylize.images.reading import load_image
from stylize.images.resize import working_size
from stylize.images.writing import save_image
from stylize.parallel.pool import Crew, Demand, count_missing, kept_weights, require_jobs
from stylize.runs import metadata
from stylize.runs.checkpoint import state_path
from stylize.runs.memory import allowed_mib
from stylize.runs.progress import Stage
from stylize.runs.recipes import DEFAULT_RECIPE, choose_settings
from stylize.runs.settings import SETTINGS

NOT_YET = "not painted yet"
CHOOSE = (
    "Copy the command below the picture that you like, and run it where you ran this comparison: "
    "it paints "
)
NO_SPACE = "No space left, on the disk or of your share of it"
UNFINISHED = " This comparison is not finished; run it again to paint the others."


class ChoicesSurvey(NamedTuple):
    """What a process found before anything is painted.

    Attributes:
        stages: of each picture.
        records: how each is made.
        surprises: what somebody may not expect of the masks.
        demand: on what paints them.
    """

    stages: list[list[Stage]]
    records: list[dict]
    surprises: list[Surprise]
    demand: Demand


def survey(options: Sequence[argparse.Namespace]) -> ChoicesSurvey:
    """Plans all pictures, each given by its options. Raises InputError and WeightsError."""
    photo.plan(argparse.Namespace(**vars(options[0])))  # what is wrong shows before a download
    weights = kept_weights(options[0].weights)
    stages, records, needed, allowed, surprises = [], [], [], [], dict[Surprise, None]()
    for own in options:  # one after another: each job holds its pictures
        own = argparse.Namespace(**vars(own))
        job, _ = photo.plan(own)
        stages.append(job.stages)
        records.append(photo.make_record(own, job, weights))
        needed.append(job.needed_mib)
        allowed.append(allowed_mib(job.settings))
        surprises |= dict.fromkeys(photo.surprises_of_masks(job.settings, job.inputs.base.size))
    demand = Demand(len(options), max(needed), tensors.count_gpus(), min(allowed))
    return ChoicesSurvey(stages, records, [*surprises], demand)


def paint_choice(options: argparse.Namespace) -> Outcome:
    """Paints a picture, unless it is painted. Its `Outcome` has a record if it had to be."""
    begun = state_path(options.result_prefix).exists()
    return paint_photo_again(options) if begun else paint_photo(options)


class Comparison:
    """The pictures to choose from, and the files that show them.

    Args:
        args: the options.

    Attributes:
        missing: why there is no picture, for those of which there is none, by their index.

    Raises:
        InputError: something cannot be compared, or a file would be replaced that is not ours.
    """

    def __init__(self, args: argparse.Namespace):
        self.args = args
        self.choices, self.columns = plan_choices(args)
        self.missing = dict.fromkeys(range(len(self.choices)), NOT_YET)
        prefix = f"{args.result_prefix}_compare"
        self.folder, self.page = Path(prefix), Path(f"{prefix}.html")
        self.sheet = Path(f"{prefix}.png")
        own = vars(args) | {"final_only": True, "quiet": True}
        if args.like and not args.format:
            own["format"] = follow_record(args.like, argparse.Namespace(**own))["format"]
        self.varies_size = any(name == "size" for name, _ in self.choices[0].values)
        if not self.varies_size:
            own["size"] = args.size or str(ROWS)
        shared = argparse.Namespace(**own)
        self.options = [choice.chosen(shared) for choice in self.choices]
        stems = distinct(choice.stem for choice in self.choices)
        for options, stem in zip(self.options, stems, strict=True):
            options.result_prefix = str(self.folder / stem)
        self.results = [photo.result_paths(options)[0] for options in self.options]
        check_writable(args.result_prefix, "_compare.html")
        self.given = [path for options in self.options for path in photo.pictures_given(options)]
        check_kept([self.sheet, self.page, *self.results], self.given)
        check_ours(self.page)

    def label(self, index: int) -> str:
        """A choice in a line."""
        return ", ".join(self.choices[index].label)

    @functools.cached_property
    def photo(self) -> Image.Image:
        """As `load_image` reads it."""
        return load_image(self.args.base)

    @property
    def failed(self) -> bool:
        """Whether a picture cannot be painted."""
        return any(why != NOT_YET for why in self.missing.values())

    def make_room(self, records: Sequence[dict]) -> str:
        """Moves an earlier comparison aside, see `room`; finds what is painted already.

        Args:
            records: how each picture is made.

        Returns:
            The line that says what has become of the earlier one.
        """
        made = dict(zip(self.results, records, strict=True))
        line = make_room(str(self.folder), made, [*self.given, self.args.like], self.args.overwrite)
        for index, (options, record) in enumerate(zip(self.options, records, strict=True)):
            if photo.is_finished(options, record):
                del self.missing[index]
        return line

    def command(self, choice: Choice) -> str:
        """The command that paints a choice, without a --size that was for the small pictures."""
        return in_shell([*started_as(), *self._words_and_rows(choice)[0]])

    def _words_and_rows(self, choice):
        """The words of the command that paints a choice, and how many rows the result has."""
        words = without(self.args.plain, "--jobs")  # a single picture takes none
        if choice.style:
            words = _with_style(words, self.args.style_reference, choice.style)
        plain = without(words, "--size")
        own = _rows(choice.chosen(self.args), self.photo)
        full = _rows(choice.chosen(parse_words(plain)), self.photo)
        words = plain if own < full else words
        return with_options(words, choice.options), max(own, full)

    def show(self) -> None:
        """Saves the sheet and the page. Raises OSError."""
        missing = self.missing
        image = [None if i in missing else load_image(p) for i, p in enumerate(self.results)]
        lines = [
            [*choice.label, *([missing[index]] if index in missing else [])]
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
            Exhibit(path, self.label(index), self.command(choice), missing.get(index, ""))
            for index, (path, choice) in enumerate(zip(self.results, self.choices, strict=True))
        ]
        advice = CHOOSE + ("that picture." if self.varies_size else self._size_in_words())
        if NOT_YET in missing.values():
            advice += UNFINISHED
        shown = [Path(path) for path, _ in given]
        write_page(self.page, self.sheet, shown, painted, self.columns, advice)

    def _size_in_words(self):
        """The size that the commands paint in, as their advice ends."""
        sizes = [self._words_and_rows(choice)[1] for choice in self.choices]
        least, most = min(sizes), max(sizes)
        rows = f"{least} rows" if least == most else f"{least} to {most} rows"
        other = f"--size {2 * most}"
        return f"at {rows}. For another size, add for example {other} at the end of the command."

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


def without(words: Sequence[str], option: str) -> list[str]:
    """The words of a command without an option of one value, however that is spelled."""
    kept, rest = [], [*words]
    while rest and rest[0] != "--":
        name = spelled([word := rest.pop(0)])[0].partition("=")[0]
        if not (len(name) > len("--") and option.startswith(name)):
            kept.append(word)
        elif "=" not in word:
            del rest[0]  # its value
    return [*kept, *rest]


def _rows(options, image):
    """How many rows the picture of a photo has that some options ask for."""
    if options.like:
        follow_record(options.like, options)
    given = {name: getattr(options, name) for name in SETTINGS}
    settings = choose_settings(options.recipe or DEFAULT_RECIPE, **given)
    return working_size(image, settings.size, settings.longer_side)[0]


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
    with alone(comparison.folder):
        return _run(args, comparison)


def _run(args, comparison):
    """Paints a comparison that no other run paints."""
    tell = (lambda line: None) if args.quiet else say
    try:
        _paint_all(comparison, tell)
    except BaseException:
        if len(comparison.missing) < len(comparison.choices):
            with contextlib.suppress(OSError, InputError):  # what is told is why the run stopped
                comparison.show()
                tell(f"What is painted so far is shown on {comparison.page}")
        raise
    comparison.show()
    tell(f"Saved as {comparison.sheet}; to choose, open {comparison.page}")
    return int(comparison.failed)


def _paint_all(comparison, tell):
    """Paints the pictures, several at once, and tells of each."""
    args, options = comparison.args, comparison.options
    with Crew(args, count_missing(comparison.results)) as crew:
        stages, records, surprises, demand = crew.ask(survey, options)
        photo.tell_of_masks(surprises, tell, tell if args.quiet else warn)
        if room := comparison.make_room(records):
            tell(room)
        work = [sum(stage.work for stage in own) for own in stages]
        waiting = list(comparison.missing)
        left_to_paint = [options[i] for i in waiting], [stages[i] for i in waiting]
        each = foretold.seconds_each(crew, args, *left_to_paint)
        painters = crew.painters(demand, tell)
        pictures = f"{len(options)} picture{'s' * (len(options) != 1)}"
        tell(f"{pictures} to choose from{foretold.about(each, painters.number)}")
        if painters.memory_mib is not None:
            for own in options:
                own.memory = f"{painters.memory_mib / 1024:.3f}"
        started, left, done = time.monotonic(), sum(work[index] for index in waiting), 0.0
        for number, (index, future) in enumerate(painters.each(paint_choice, options), 1):
            outcome, label = _outcome(future), comparison.label(index)
            left -= work[index] if index in comparison.missing else 0
            if outcome.full_disk:  # for the others, too
                raise OSError(errno.ENOSPC, NO_SPACE, outcome.full_disk)
            if outcome.status == "failed":
                comparison.missing[index] = outcome.error
                complain(f"{PROGRAM}: error: {label}: {outcome.error}")
                continue
            comparison.missing.pop(index, None)
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
