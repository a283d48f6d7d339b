"""What a visitor asks for at once."""

import html
import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stylize.apps.page.controls import in_caption

MOST_KEPT = 24  # of a visitor's results


@dataclass
class Asked:
    """What a visitor asks for at once.

    Attributes:
        photos: their paths, or that of one clip.
        style: the path of the painting; None: there is none.
        keep_mask: the path of a mask of what stays as in the photo, if there is one.
        given: settings.
        is_choice: whether small pictures to choose from are asked for.
        waits: whether its turn, which comes only once, is still to come.
        stop: stops it, or its waiting.
        notes: what is to be known of the pictures, as Markdown; it is learnt as they are read.
        results: the path and the caption of the visitor's last `MOST_KEPT` results, the newest
            last. All that a visitor asks for shares this list, so that a run which ends after the
            next request still adds to it.
        above: the caption of the one result that is shown in the picture's place, alone; empty
            where another picture, or none, is there. It is shared in the same way.
        offered: what the small pictures are of that are shown to choose from, see `of_choices`;
            empty where there are none. It is shared in the same way.
        set_now: the same of what the visitor has set since; None: nothing else.
    """

    photos: Sequence[str]
    style: str | None
    keep_mask: str | None
    given: dict[str, Any]
    is_choice: bool = field(default=False, compare=False)
    waits: bool = field(default=True, compare=False)
    stop: threading.Event = field(default_factory=threading.Event, compare=False)
    notes: list[str] = field(default_factory=list, compare=False)
    results: list[tuple[str, str]] = field(default_factory=list, compare=False)
    above: list[str] = field(default_factory=list, compare=False)
    offered: list[tuple] = field(default_factory=list, compare=False)
    set_now: tuple | None = field(default=None, compare=False)

    @property
    def of_choices(self) -> tuple:
        """What the small pictures to choose from depend on: not on the strength or the size."""
        others = {n: value for n, value in self.given.items() if n not in ("strength", "size")}
        return self.photos[:1], self.style, self.keep_mask, others

    def note(self, texts: Iterable[str]) -> None:
        """Notes what was not noted before: of the next photo too, the same may be known."""
        for text in map(html.escape, texts):
            if text not in self.notes:
                self.notes.append(text)

    def keep(self, path: str | os.PathLike, photo: str, is_stopped: bool = False) -> None:
        """Keeps the result of a photo or a clip, for when the next one has taken its place."""
        names = f"{Path(photo).name} + {Path(self.style or '').name}"
        mask = ", mask" if self.keep_mask else ""
        stopped = ", stopped" if is_stopped else ""
        self.results.append((str(path), f"{names}, {in_caption(self.given)}{mask}{stopped}"))
        del self.results[:-MOST_KEPT]
