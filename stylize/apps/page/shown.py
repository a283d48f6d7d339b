"""What the page shows of a painting: words, pictures, downloads, and what went wrong."""

import html
from collections.abc import Iterator
from typing import Any, NamedTuple

import gradio as gr

from stylize.apps.page.choices import STRENGTHS
from stylize.errors import InputError, NoMemory, NonFiniteLoss
from stylize.runs.job import Job

DOWNLOAD, DOWNLOAD_ALL, DOWNLOAD_FILM = "Download PNG", "Download all (ZIP)", "Download MP4"
STOPPING = "Stopping ..."
COMPLAINS_FOR = 4  # seconds; it lies over the result, and the status says the same


class Shown(NamedTuple):
    """What the page shows from now on, in the order of its outputs; the rest stays as it is."""

    words: Any
    picture: Any = gr.skip()
    plot: Any = gr.skip()
    download: Any = gr.skip()
    gallery: Any = gr.skip()

    @property
    def result(self) -> str | None:
        """The path of what can be downloaded from now on."""
        return getattr(self.download, "constructor_args", {}).get("value")


class Offered(NamedTuple):
    """The same of small pictures to choose from, one for each of `STRENGTHS`."""

    words: Any
    row: Any = gr.skip()
    pictures: Any = (gr.skip(),) * len(STRENGTHS)


def cleared(words: str) -> Shown:
    """Words, and no results of what was asked for before."""
    download = gr.DownloadButton(DOWNLOAD, value=None, interactive=False)
    return Shown(words, download=download, gallery=gr.Gallery(None, visible=False))


def margins_left_out(job: Job, words: str) -> Iterator[Shown]:
    """Yields what is used of a painting with margins, until the first picture takes its place."""
    (painting,), (box,) = job.inputs.styles, job.inputs.style_boxes
    if box.is_cut:
        margins = "Plain margins of the painting are left out."
        yield Shown(f"{words}\n\n{margins}", painting)


def complaint(message):
    """What shows a visitor what to change. It is no fault of ours: no traceback is printed."""
    return gr.Error(html.escape(str(message)), duration=COMPLAINS_FOR, print_exception=False)


def reason(error: Exception) -> str:
    """What an error says in a line to a visitor. Raises it again if it is a bug."""
    if isinstance(error, MemoryError | NoMemory):  # visitors have no option for more
        return "There is not enough memory for this size; choose a smaller one."
    if isinstance(error, InputError | NonFiniteLoss):
        return str(error)
    if isinstance(error, OSError):
        return f"The page's machine cannot read or write a file: {error.strerror or error}"
    raise error
