"""The losses of a run: as a table, which is saved with its pictures, and as a plot."""

import csv
import itertools
import os
from typing import Any

import numpy as np

from stylize.backend.files import replacing
from stylize.losses.term import Term
from stylize.optimize.state import Losses


class LossTable:
    """The losses of all evaluations: a row for each, by column."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    def add(self, iteration: int, seconds: float, losses: Losses, size: int) -> None:
        """Adds an evaluation: its iteration, seconds since the start, losses, and rows."""
        row = {"iteration": iteration, "evaluation": len(self.rows) + 1}
        terms = {Term.columns[name]: value for name, value in losses.terms.items()}
        seconds = round(seconds, 3)
        self.rows.append(row | {"seconds": seconds, **terms, "total": losses.total, "size": size})

    def save(self, path: str | os.PathLike) -> None:
        """Writes a CSV file, whole or not at all. Raises OSError."""
        columns = ["iteration", "evaluation", "seconds", *_terms_of(self.rows), "total", "size"]
        with replacing(path) as temporary, temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns, restval=0.0)  # of a term that a size lacks
            writer.writeheader()
            writer.writerows(self.rows)

    def plot(self, path: str | os.PathLike) -> None:
        """Writes a plot of the losses against evaluations, a line where the size changes."""
        with replacing(path) as temporary:
            self.figure().savefig(temporary, dpi=120)

    def figure(self) -> Any:
        """Returns the plot, a Matplotlib figure. Another thread may go on adding evaluations."""
        from matplotlib.figure import Figure

        rows = self.rows.copy()

        def column(name):
            return np.array([row.get(name, 0.0) for row in rows], float)

        figure = Figure(figsize=(7, 4), layout="constrained")
        axes = figure.subplots()
        for name in ("total", *_terms_of(rows)):
            losses = column(name)
            shown = np.where(losses > 0, losses, np.nan)  # a weight may be 0
            axes.semilogy(column("evaluation"), shown, label=name)
        changes = np.flatnonzero(np.diff(column("size")))
        for index in changes:
            axes.axvline(index + 1.5, color="gray", linewidth=0.5)
        # A line search may try a point millions of times too high; it would flatten all the rest.
        axes.set_ylim(top=10 * np.median(column("total")))
        axes.set(xlabel="evaluations", ylabel="loss")
        figure.legend(loc="outside right center")  # the curves may be anywhere in the plot
        return figure


def _terms_of(rows):
    """The columns of the terms, of all sizes together."""
    every = dict.fromkeys(itertools.chain.from_iterable(rows))
    return [column for column in every if column in Term.columns.values()]
