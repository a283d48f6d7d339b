"""The small pictures that a visitor may choose from: one photo at several strengths."""

import time
from collections.abc import Mapping
from typing import Any

from stylize.apps.console import in_words
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
    rows = min(ROWS, max_size * size[1] // max(size))
    return [{**given, "size": rows, "strength": strength} for strength in STRENGTHS]


class Countdown:
    """How long it takes until all the small pictures are painted.

    Args:
        foreseen: seconds for all of them; None: nobody knows.
    """

    def __init__(self, foreseen: float | None):
        self._each = foreseen and foreseen / len(STRENGTHS)  # seconds
        self._to_come = len(STRENGTHS)
        self._begun = 0.0

    def begin_next(self) -> None:
        """The next picture begins. Those to come will take as long as the last has taken."""
        now = time.monotonic()
        if self._begun:
            self._each = now - self._begun
        self._begun = now
        self._to_come -= 1

    def words(self, progress: Progress) -> str:
        """Which one is painted and how long all will take from now on."""
        taken, each = time.monotonic() - self._begun, self._each
        if progress.is_foreseeable:
            each = taken + progress.seconds_left
        place = f"{len(STRENGTHS) - self._to_come} of {len(STRENGTHS)}"
        if each is None:
            return f"{place}, getting ready ..."
        left = max(0, each - taken) + max(each, taken) * self._to_come
        return f"{place}, about {in_words(left)} until all are painted"
