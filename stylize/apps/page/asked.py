"""What a visitor asks for at once."""

import html
import os
import threading
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stylize.apps.page.controls import in_caption, of_then

MOST_KEPT = 24  # of a visitor's results
NOT_OF_CHOICES = ("strength", "size")  # settings that the small pictures to choose from do not have


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
        above: one caption, of the result or the results that are shown in the picture's place;
            empty where another picture, or none, is there. It is shared in the same way.
        offered: holds only the request whose small pictures are shown to choose from; empty if
            there are none. It is shared in the same way.
        choices: strength -> a small picture to choose from, of this request, once it is painted.
        now: what the visitor would ask for since something was changed; None if nothing was.
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
    offered: list["Asked"] = field(default_factory=list, compare=False, repr=False)
    choices: dict[float, Any] = field(default_factory=dict, compare=False, repr=False)
    now: "Asked | None" = field(default=None, compare=False, repr=False)

    def unlike(self, now: "Asked") -> str | None:
        """Names what these small pictures to choose from were painted with that differs from `now`.

        The strength and the size do not count. Returns None if nothing else differs, and "" if the
        photo or the painting is another.
        """
        if not self.is_of_same_pictures(now):
            return ""
        each = ({n: v for n, v in a.given.items() if n not in NOT_OF_CHOICES} for a in (self, now))
        words = of_then(*each)
        if self.keep_mask != now.keep_mask:
            words.append(f"mask {Path(self.keep_mask).name}" if self.keep_mask else "no mask")
        return ", ".join(words) or None

    def is_of_same_pictures(self, other: "Asked") -> bool:
        """Whether another request's small pictures to choose from are of the same pictures."""
        return (self.photos[:1], self.style) == (other.photos[:1], other.style)

    def others(self, without: Collection[str]) -> str:
        """What is asked for besides the pictures, `without` some settings, in words."""
        words = [in_caption(self.given, without), "mask" if self.keep_mask else ""]
        return ", ".join(filter(None, words))

    def caption(self, photo: str | None = None) -> str:
        """Describes the result of a photo or a clip; None: those of all of them."""
        names = f"{Path(photo).name if photo else 'photos'} + {Path(self.style or '').name}"
        return ", ".join(filter(None, [names, self.others(without=())]))

    def note(self, texts: Iterable[str]) -> None:
        """Adds notes that are not there yet: the next photo may give the same ones."""
        for text in map(html.escape, texts):
            if text not in self.notes:
                self.notes.append(text)

    def keep(self, path: str | os.PathLike, photo: str, is_stopped: bool = False) -> None:
        """Keeps the result of a photo or a clip, for when the next one has taken its place."""
        stopped = ", stopped" if is_stopped else ""
        self.results.append((str(path), f"{self.caption(photo)}{stopped}"))
        del self.results[:-MOST_KEPT]
