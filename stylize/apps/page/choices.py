"""The small pictures that a visitor may choose from: one photo at several strengths."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from stylize.apps.console import in_words
from stylize.images.resize import least_rows
from stylize.runs.progress import Progress

STRENGTHS = (0.3, 0.5, 0.7)
ROWS = 128  # of each, whatever size is asked for


def settings_of_choices(
    given: Mapping[str, Any], size: tuple[int, int], max_size: int
) -> list[dict[str, Any]]:
    """The settings of each small picture.

    Args:
        given: those on the page.
        size: (cols, rows) of the photo.
        max_size: pixels of a result's longer side.
    """
    rows = max(least_rows(*size), min(ROWS, max_size * size[1] // max(size)))
    return [{**given, "size": rows, "strength": strength} for strength in STRENGTHS]


class Countdown:
    """How long it takes until all the small pictures are painted.

    Args:
        foreseen: seconds for each of them; None: nobody knows.
    """

    def __init__(self, foreseen: Sequence[float] | None):
        self._slower = 1.0 if foreseen else None  # times as long as foreseen; None: unknown
        self._to_come = [*(foreseen or [1.0] * len(STRENGTHS))]
        self._own = self._begun = 0.0  # the current picture: seconds foreseen, when begun

    def begin_next(self) -> None:
        """The next picture begins.

        The rest are expected to be as much slower than foreseen as the last.
        """
        now = time.monotonic()
        if self._own:
            self._slower = (now - self._begun) / self._own
        self._begun, self._own = now, self._to_come.pop(0)

    def words(self, progress: Progress) -> str:
        """Which one is painted and how long all will take from now on."""
        taken, slower = time.monotonic() - self._begun, self._slower
        if progress.is_foreseeable:
            slower = (taken + progress.seconds_left) / self._own
        place = f"{len(STRENGTHS) - len(self._to_come)} of {len(STRENGTHS)}"
        if slower is None:
            return f"{place}, getting ready ..."
        own, more = slower * self._own, max(slower, taken / self._own) * sum(self._to_come)
        return f"{place}, about {in_words(max(0, own - taken) + more)} until all are painted"
