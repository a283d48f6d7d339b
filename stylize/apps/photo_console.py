"""What the command line shows of a run as it goes on, and the pictures that it saves meanwhile."""

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from stylize.apps.console import in_words, progress_bar, say, warn
from stylize.apps.timelapse import Film
from stylize.backend.files import linked
from stylize.images.writing import save_image
from stylize.runs import metadata
from stylize.runs.loss_table import LossTable
from stylize.runs.progress import Progress

WRITTEN_FAST = 8_000_000  # pixels, of a picture that takes a second or two


class PhotoConsole(Progress):
    """Prints, shows progress and saves as a run goes on.

    Args:
        prefix: of the files that are saved.
        quiet: print nothing.

    Attributes:
        saved: the path of the last picture, None before the first.
        table: of the losses.
        record: how its pictures are made; empty before `begin`.
        room: the line that says what has become of an earlier result.
    """

    def __init__(self, prefix: str, quiet: bool = False):
        super().__init__()
        self.saved: Path | None = None
        self.table = LossTable()
        self.record: Mapping[str, Any] = {}
        self.room = ""
        self._make_room: Callable[[], str] | None = None
        self._films: Sequence[Film] = ()
        self._most_pixels, self._command = 0.0, ""
        self._prefix, self._quiet = prefix, quiet
        self._is_foretold = False
        self._bar = progress_bar(quiet)

    def begin(
        self,
        record: Mapping[str, Any],
        make_room: Callable[[], str],
        films: Sequence[Film] = (),
        most_pixels: float = WRITTEN_FAST,
    ) -> None:
        """Gets ready to save pictures; call it before any is painted.

        Args:
            record: how they are made, as `metadata.make_record` has it.
            make_room: called before the first is saved; returns what is to be said of it.
            films: to add to.
            most_pixels: of a picture that is saved after each iteration, not only at the end.
        """
        self.record, self._make_room = record, make_room
        self._films, self._most_pixels = films, most_pixels

    def print(self, line):
        """Prints a line above the progress bar."""
        if not self._quiet:
            say(line)

    def warn(self, line):
        """Prints a warning, on stderr."""
        if not self._quiet:
            warn(line)

    def on_resume(self, checkpoint):
        super().on_resume(checkpoint)
        earlier = Path(f"{self._prefix}_at_iteration_{self.iteration - 1}.{self.record['format']}")
        if self.stage is self.stages[-1] and earlier.exists():
            self.saved = earlier
        if self.stage is self.stages[-1] and checkpoint.step.losses:
            self.print(f"Start of iteration {self.iteration}")

    def on_evaluation(self, evaluation):
        if self.stage is self.stages[-1] and math.isinf(self.lowest):  # the first there
            self.print("Start of iteration 0")
        super().on_evaluation(evaluation)
        self.table.add(self.iteration, self.seconds, evaluation.losses, self.stage.rows)
        if self.improved:
            for film in self._films:
                film.add(self.fraction, evaluation)
        left = f"about {in_words(self.seconds_left)} left"
        if self.is_foreseeable and not self._is_foretold:
            self._is_foretold = True
            self.print(left.capitalize())
        self._bar.set_postfix_str(f"{left}, loss {evaluation.losses.total:.4g}", refresh=False)
        self._bar.update(self.fraction - self._bar.n)

    def on_iterate(self, iterate):
        """Reports an iteration; at the size asked for, saves its picture and announces the next."""
        super().on_iterate(iterate)
        if iterate.final:
            self._on_final_iterate(iterate)
        else:
            self.print(
                f"On the way, at {self.stage.cols}x{self.stage.rows} pixels: "
                f"loss {iterate.losses.total:.6g} after {iterate.seconds:.0f}s"
            )
        if iterate.stopped:
            self.print(f"Stopped at this size: {iterate.stopped}")

    def _on_final_iterate(self, iterate):
        terms = iterate.losses.terms.items()
        self.print(f"Current loss value: {iterate.losses.total}")
        shown = (f"{name.replace('_', ' ')} {value:.6g}" for name, value in terms)
        self.print(f"  {', '.join(shown)}")
        step = None
        if self.stage.rows * self.stage.cols <= self._most_pixels:
            step = self._save(iterate, f"_at_iteration_{iterate.iteration}")
        self.print(f"Iteration {iterate.iteration} completed in {iterate.seconds:.0f}s")
        if self.iteration < self.stage.iterations and not iterate.stopped:
            self.print(f"Start of iteration {self.iteration}")
        else:
            self._save(iterate, "", step)

    def _save(self, iterate, name, same=None):
        """Saves the picture of an iterate, and in it how it was made. Returns its path.

        Where `same` is a file that has it already, the two are one on the disk, if that can be.
        """
        self._have_room()
        path, bits = Path(f"{self._prefix}{name}.{self.record['format']}"), self.record["bits"]
        more = {"iteration": iterate.iteration, "losses": iterate.losses.as_dict()}
        if not (same and linked(same, path)):
            save_image(iterate.rounded(bits), path, bits, metadata.to_text(self.record, **more))
        self.saved = path
        self.print(f"Image saved as {path}")
        return path

    def _have_room(self):
        """Before the first picture, makes room for it and says so."""
        if self._make_room:
            self.room, self._make_room = self._make_room(), None
            if self.room:
                self.print(self.room)

    def save_extras(self, table: Path | None, plot: bool) -> None:
        """Saves the table of losses and the plot where they are wanted, and the films.

        A run that was interrupted has them too, if it finished a picture.
        """
        if not self.saved:
            for film in self._films:
                film.discard()
            return
        with contextlib.ExitStack() as saving:  # one that fails does not keep the others from it
            if table:
                saving.callback(self.table.save, table)
            if plot:
                saving.callback(self._save_plot, f"{self._prefix}_losses.png")
            for film in self._films:
                saving.callback(self._save_film, film)

    def _save_plot(self, path):
        self.table.plot(path)
        self.print(f"Plot saved as {path}")

    def _save_film(self, film):
        film.save()
        self.print(f"Film saved as {film.path}")

    def keeper(self, state):
        """`state.keep`; that its file cannot be written must not end the run."""

        def keep(checkpoint):
            try:
                state.keep(checkpoint)
            except OSError as error:
                lost = "a stop loses what is painted from here on"
                self.warn(f"{state.path}: {error.strerror or error}; {lost}")

        return keep

    def can_resume_with(self, command: str) -> None:
        """A run that did not finish can be resumed by this command."""
        self._command = command

    def kept(self):
        """What is left of a run that did not finish, in words."""
        kept = f"the last picture is {self.saved}" if self.saved else "no picture was finished"
        return f"{kept}; resume with: {self._command}" if self._command else kept

    def close(self):
        self._bar.close()
