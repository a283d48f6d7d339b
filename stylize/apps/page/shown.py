"""What the page shows of a painting: words, pictures, downloads, and what went wrong."""

import contextlib
import html
import os
from collections.abc import Generator, Iterator, Sequence
from typing import Any, NamedTuple

import gradio as gr

from stylize.apps.page.allowance import NotAllowed
from stylize.apps.page.asked import Asked
from stylize.apps.page.choices import STRENGTHS
from stylize.errors import InputError, NoMemory, NonFiniteLoss

READY = "Everything is chosen."
DOWNLOAD, DOWNLOAD_ALL, DOWNLOAD_FILM = "Download PNG", "Download all (ZIP)", "Download MP4"
STOPPING = "Stopping ..."
CHOOSE = (
    "Choose the one that you like best; *Paint* then paints it at your *Size*. Larger pictures "
    "have finer strokes and stay closer to the photo: in doubt, take the stronger one."
)
CHOICES_HIDDEN = (
    "The choices are hidden: they were painted with {unlike}. Set that again to see them, or press "
    "*Show me the choices* for new ones."
)
CHOICES_OF_BEFORE = "The choices are painted, with what was set when you asked for them."
STILL_SHOWN = "Shown above: "  # before the caption of an earlier result
COMPLAINS_FOR = 4  # seconds; it lies over the result, and the status says the same


def lacking(photos: Sequence[str], painting: str | None) -> str:
    """What is still to be chosen: "a photo", "a painting" or both, in words; "" if none."""
    given = {"a photo": photos, "a painting": painting}
    return " and ".join(name for name, picture in given.items() if not picture)


def what_to_do(photos: Sequence[str], painting: str | None) -> str:
    """What a visitor has to do next, in words."""
    missing = lacking(photos, painting)
    return f"Choose {missing}." if missing else READY


class Row(NamedTuple):
    """Whether the row of small pictures is there, and the words that are in its place."""

    is_there: bool
    instead: str = ""


THERE, NOT_YET = Row(True), Row(False)


def row_of(offered: Asked, now: Asked) -> Row:
    """The row of what was offered: hidden while something else is set now.

    Words say what to set again, but not of other pictures, which have no choices yet.
    """
    if (unlike := offered.unlike(now)) is None:
        return THERE
    return Row(False, CHOICES_HIDDEN.format(unlike=html.escape(unlike))) if unlike else NOT_YET


class Shown(NamedTuple):
    """What the page shows from now on, in the order of its outputs; the rest stays as it is."""

    words: Any
    picture: Any = gr.skip()
    plot: Any = gr.skip()
    download: Any = gr.skip()
    gallery: Any = gr.skip()
    earlier: Any = gr.skip()

    @property
    def result(self) -> str | None:
        """The path of what can be downloaded from now on."""
        return getattr(self.download, "constructor_args", {}).get("value")

    def in_place_of(self, earlier: Sequence[tuple[str, str]]) -> "Shown":
        """The same in place of all that is shown of an earlier painting, which moves below.

        Args:
            earlier: the path and the caption of each result so far, the last one last.
        """
        download = gr.DownloadButton(DOWNLOAD, value=None, interactive=False)
        fresh = [(path, caption) for path, caption in reversed(earlier) if os.path.exists(path)]
        below = gr.Gallery(fresh, visible=bool(fresh)) if earlier else gr.skip()
        nothing = Shown("", None, None, download, gr.Gallery(None, visible=False), below)
        pairs = zip(self, nothing, strict=True)
        return Shown(*(old if is_left(new) else new for new, old in pairs))


class Offered(NamedTuple):
    """The same of small pictures to choose from, one for each of `STRENGTHS`, in a `Row`."""

    words: Any
    row: Row | None = None
    pictures: Any = (gr.skip(),) * len(STRENGTHS)


def is_left(shown):
    """Whether something stays on the page as it is."""
    return isinstance(shown, dict)  # what `gr.skip` returns


def in_place_of_earlier(
    events: Generator[Shown], earlier: Sequence[tuple[str, str]], above: list[str]
) -> Iterator[Shown]:
    """Yields events. What an earlier painting has left stays until the first with a picture.

    So a run that is stopped before, or cannot begin, takes nothing away.

    Args:
        events: of a painting.
        earlier: all results so far, see `Shown.in_place_of`.
        above: see `Asked`; emptied when the first picture comes.
    """
    begun = False
    with contextlib.closing(events):
        for shown in events:
            begins = not (begun or is_left(shown.picture))
            begun |= begins
            if begins:
                above.clear()
            yield shown.in_place_of(earlier) if begins else shown


def with_caption(events: Generator[Shown], asked: Asked) -> Iterator[Shown]:
    """Yields events. The result's caption is below the words about it, and is now `above`."""
    with contextlib.closing(events):
        for shown in events:
            if shown.result:
                several = len(asked.photos) > 1
                asked.above[:] = [asked.caption() if several else asked.results[-1][1]]
                shown = shown._replace(words=captioned(shown.words, asked.above))
            yield shown


def captioned(words: str, above: Sequence[str], begin: str = "") -> str:
    """Words, and below them the caption of what is shown, if it has one, begun with `begin`."""
    return "\n\n".join([words, *(f"{begin}{html.escape(caption)}" for caption in above)])


def with_notes(events: Generator[Any], notes: Sequence[str]) -> Iterator[Any]:
    """Yields events, `Shown` or `Offered`, with the notes that there are so far below the words."""
    with contextlib.closing(events):
        for shown in events:
            if not is_left(shown.words):
                shown = shown._replace(words="\n\n".join([shown.words, *notes]))
            yield shown


def complaint(message):
    """What shows a visitor what to change. It is no fault of ours: no traceback is printed."""
    return gr.Error(html.escape(str(message)), duration=COMPLAINS_FOR, print_exception=False)


def reason_by_name(error: Exception) -> str:
    """The same for a program, or the log: it begins with the parameter, where one is at fault."""
    return f"{error.parameter}: {error}" if isinstance(error, NotAllowed) else reason(error)


def reason(error: Exception) -> str:
    """What an error says in a line to a visitor. Raises it again if it is a bug."""
    if isinstance(error, MemoryError | NoMemory):  # visitors have no option for more
        return "There is not enough memory for this size; choose a smaller one."
    if isinstance(error, InputError | NonFiniteLoss):
        return str(error)
    if isinstance(error, OSError):
        return f"The page's machine cannot read or write a file: {error.strerror or error}"
    raise error
