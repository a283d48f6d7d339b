"""The web page: give it a photo and a painting, watch the picture grow, download it.

One picture is painted at a time; other visitors wait and see their place. All numbers are those of
`style_transfer`. Uploads and results stay in a temporary folder, which goes when the page stops.
"""

import argparse
import html
import os
import queue
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from stylize import records
from stylize.colors import COLOR_METHODS
from stylize.download import load_weights
from stylize.errors import InputError, NonFiniteLoss
from stylize.job import Job, prepare
from stylize.pictures import load_image, save_image
from stylize.progress import Iterate, Progress
from stylize.settings import DEFAULT_RECIPE, RECIPES
from stylize.terminal import Parser, exit_status, underscored
from stylize.weights import VGG19Weights

PROGRAM = "app.py"
DEFAULTS = RECIPES[DEFAULT_RECIPE]
PACKAGE = Path(__file__).parent
# The wheel has the examples in the package, a checkout beside it.
EXAMPLES = next(path for path in (PACKAGE / "img", PACKAGE.parent / "img") if path.is_dir())
EXAMPLE_PAIRS = (
    ("astronaut", "swirling_night"),
    ("hopper", "impasto"),
    ("temple", "woodcut"),
    ("cat", "pointillism"),
    ("flower", "watercolour"),
    ("coffee", "stained_glass"),
)
CONTROLS = (  # the settings on the page
    "strength",
    "size",
    "iterations",
    "preserve_colors",
    "content_weight",
    "style_weight",
    "tv_weight",
    "noise_blend",
    "seed",
)
UPDATE_EVERY = 0.5  # seconds between two updates of the page
STALE_AFTER = 24 * 3600  # seconds after which uploads and results are removed
CSS = "#result img { width: 100%; height: 100%; object-fit: contain }"  # small sizes too
# No fonts from elsewhere: the page works where only this computer can be reached.
THEME = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["monospace"])


def complaint(message):
    """What shows a visitor what to change. It is no fault of ours: no traceback is printed."""
    return gr.Error(html.escape(str(message)), duration=None, print_exception=False)


class Stopped(Exception):
    """A visitor, or the time limit, stops a run. The message says which."""


class Watch(Progress):
    """A run in a thread of its own, watched by the page.

    Args:
        stop: an event that stops the run.
        max_seconds: after which the run is stopped.

    Attributes:
        error: what ended the run, None if all went well.
        table: the `LossTable`.
    """

    def __init__(self, stop: threading.Event, max_seconds: float):
        super().__init__()
        self.error: Exception | None = None
        self.table = records.LossTable()
        self._stop, self._max_seconds = stop, max_seconds
        self._news: queue.Queue = queue.Queue()  # of each `Iterate`, and None at the end

    def follow(self, run: Callable[["Watch"], object]) -> Iterator[tuple[str, bool]]:
        """Runs. Yields words as it goes on, and whether there is a new picture, `last`."""
        thread = threading.Thread(target=self._run, args=(run,), daemon=True)
        thread.start()
        try:
            while True:
                try:
                    if self._news.get(timeout=UPDATE_EVERY) is None:
                        return
                    yield self._words(), True
                except queue.Empty:
                    yield self._words(), False
        finally:  # the visitor may have gone
            self._stop.set()
            thread.join()

    def _run(self, run):
        try:
            self._check()
            run(self)
        except Exception as error:
            self.error = error
        finally:
            self._news.put(None)

    def on_stage(self, index):
        super().on_stage(index)
        self._check()

    def on_evaluation(self, evaluation):
        super().on_evaluation(evaluation)
        self.table.add(self.iteration, self.seconds, evaluation.losses, self.stage.rows)
        self._check()

    def on_iterate(self, iterate):
        super().on_iterate(iterate)
        self._news.put(iterate)

    def _check(self):
        if self._stop.is_set():
            raise Stopped("stopped")
        if self.seconds > self._max_seconds:
            raise Stopped(f"stopped by the time limit of {self._max_seconds:.0f} s")

    def _words(self):
        if not self.fraction:
            return "Getting ready ..."
        return (
            f"Painting at {self.stage.cols}x{self.stage.rows} pixels: {self.fraction:.0%}, "
            f"about {self.seconds_left:.0f} s left"
        )


class Studio:
    """What the page's events call.

    Args:
        paint: the script's.
        weights: the network's.
        folder: where results are kept.
        max_size, max_seconds: limits of a picture's longer side, in pixels, and of a run.
    """

    def __init__(
        self, paint: Callable, weights: VGG19Weights, folder: str, max_size: int, max_seconds: float
    ):
        self._paint, self._weights, self._folder = paint, weights, folder
        self._max_size, self._max_seconds = max_size, max_seconds
        # session -> (what stops its next run, what it asked for last)
        self._asked: dict[str | None, tuple[threading.Event, tuple]] = {}
        self._running: dict[str | None, threading.Event] = {}  # session -> what stops its run

    def warm_up(self) -> None:
        """Builds the network, which stays, before the first visitor needs it."""
        gray = Image.new("RGB", (32, 32), "gray")
        self._paint(prepare(gray, gray, iterations=1, size=32, tolerance=1), self._weights)

    def enter(self, request: gr.Request, *asked: Any) -> tuple:
        """A visitor asks for a picture, and waits from now on. Returns (words, download).

        What they asked for before, waiting or being painted, is dropped.

        Args:
            request: whose it is.
            asked: the paths of the uploads, then the values of `CONTROLS`, in their order.
        """
        self.stop(request)
        self._asked[request.session_hash] = threading.Event(), asked
        return "Waiting for a place ...", gr.DownloadButton(value=None, interactive=False)

    def paint(self, session: str | None) -> Iterator[tuple]:
        """Paints what a visitor asked for last, in their turn.

        Yields (words, picture, plot, download) until the run has ended or was stopped.
        """
        if session not in self._asked:
            return  # they left while they waited, or an earlier turn of theirs has painted it
        stop, (base, style, *values) = self._asked.pop(session)
        self._running[session] = stop
        try:
            yield from self._paint_until(
                stop, base, style, dict(zip(CONTROLS, values, strict=True))
            )
        finally:
            if self._running.get(session) is stop:
                del self._running[session]

    def _paint_until(self, stop, base, style, given):
        try:
            job = self._prepare(base, style, given)
        except gr.Error as error:
            yield error.message, gr.skip(), gr.skip(), gr.skip()
            raise
        watch = Watch(stop, self._max_seconds)
        for words, is_new in watch.follow(lambda w: self._paint(job, self._weights, w)):
            picture = (watch.last.image, watch.table.figure()) if is_new else (gr.skip(), gr.skip())
            yield words, *picture, gr.skip()
        if isinstance(watch.error, (InputError, NonFiniteLoss)):
            raise complaint(watch.error)
        if isinstance(watch.error, MemoryError):
            raise complaint("There is not enough memory for this size; choose a smaller one.")
        if watch.error and not isinstance(watch.error, Stopped):
            raise watch.error
        words = f"{watch.error or 'Done'}".capitalize()
        if watch.last is None:
            yield f"{words}; no picture was finished", gr.skip(), gr.skip(), gr.skip()
            return
        words += f": {watch.last.image.width}x{watch.last.image.height} pixels"
        path = self._save(watch.last, records.make_record(job, self._weights, base, [style]))
        download = gr.DownloadButton(value=path, interactive=True)
        yield words, watch.last.image, watch.table.figure(), download

    def _prepare(self, base: str, style: str, given: dict[str, Any]) -> Job:
        """The `Job` of the uploads. Raises gr.Error."""
        if not (base and style):
            raise complaint("Give a photo and a painting: drop them above, or choose an example.")
        try:
            pictures = load_image(base, "the photo"), load_image(style, "the painting")
            job = prepare(*pictures, **given)
        except InputError as error:
            raise complaint(error) from None
        rows, cols = job.stages[-1][:2]
        if max(rows, cols) > self._max_size:
            raise complaint(
                f"The result would have {cols}x{rows} pixels; here at most {self._max_size} are "
                "painted on a side. Choose a smaller size."
            )
        return job

    def _save(self, iterate: Iterate, record: dict) -> str:
        """Saves a result in a folder of its own. Returns its path."""
        path = Path(tempfile.mkdtemp(dir=self._folder)) / "painted.png"
        more = {"iteration": iterate.iteration, "losses": iterate.losses._asdict()}
        save_image(iterate.rounded(), path, description=records.to_text(record, **more))
        return str(path)

    def stop(self, request: gr.Request) -> None:
        """Stops the visitor's run, or its waiting; what is painted so far stays."""
        if asked := self._asked.get(request.session_hash):
            asked[0].set()
        if stop := self._running.get(request.session_hash):
            stop.set()

    def leave(self, request: gr.Request) -> None:
        """Stops the run of a visitor who closes the page, and forgets them."""
        self.stop(request)
        self._asked.pop(request.session_hash, None)


def build_page(studio: Studio, max_size: int) -> gr.Blocks:
    """The page, a `gr.Blocks`."""

    def paint(request: gr.Request) -> Iterator[tuple]:
        yield from studio.paint(request.session_hash)

    def enter(request: gr.Request, *asked: Any) -> tuple:  # a method's self would count as an input
        return studio.enter(request, *asked)

    with gr.Blocks(
        title="Neural style transfer",
        analytics_enabled=False,
        delete_cache=(3600, STALE_AFTER),
    ) as page:
        gr.Markdown("# Neural style transfer\nA photo, painted in the style of a picture.")
        with gr.Row():
            with gr.Column():
                with gr.Row():
                    photo, painting = _upload("Photo"), _upload("Painting")
                with gr.Row():
                    start = gr.Button("Paint", variant="primary")
                    stop = gr.Button("Stop")
                gr.Examples(
                    [[str(EXAMPLES / f"{name}.jpg") for name in pair] for pair in EXAMPLE_PAIRS],
                    [photo, painting],
                )
                inputs = [photo, painting, *_controls(max_size)]
            with gr.Column():
                result = gr.Image(
                    label="Result",
                    format="png",
                    interactive=False,
                    buttons=["fullscreen"],
                    height=420,
                    elem_id="result",
                )
                words = gr.Markdown("Ready.", elem_id="status")
                download = gr.DownloadButton("Download PNG", interactive=False)
                with gr.Accordion("Losses"):
                    plot = gr.Plot(show_label=False)
        entered = start.click(enter, inputs, [words, download], queue=False)
        entered.then(
            paint,
            None,
            [words, result, plot, download],
            concurrency_limit=1,
            trigger_mode="multiple",  # else a second click would only stop the first
        )
        stop.click(studio.stop, queue=False)
        page.unload(studio.leave)
    return page


def _upload(label):
    """A picture that comes as the path of the upload, unread: `load_image` says what is wrong."""
    image = gr.Image(label=label, sources=["upload", "clipboard"], height=240)
    image.preprocess = lambda upload: upload and upload.path
    return image


def _controls(max_size):
    """A component for each of `CONTROLS`, in that order."""
    strength = gr.Slider(0, 1, DEFAULTS["strength"], label="Strength", info="photo ... painting")
    with gr.Row():
        size = gr.Number(min(256, max_size), label="Size", info="rows of the result", precision=0)
        iterations = gr.Slider(1, 20, DEFAULTS["iterations"], step=1, label="Iterations")
    colours = gr.Dropdown(COLOR_METHODS, value="none", label="Keep the photo's colours")
    with gr.Accordion("More settings", open=False):
        return [
            strength,
            size,
            iterations,
            colours,
            gr.Number(DEFAULTS["content_weight"], label="Content weight"),
            gr.Number(DEFAULTS["style_weight"], label="Style weight"),
            gr.Number(DEFAULTS["tv_weight"], label="Smoothness (total variation)"),
            gr.Slider(0, 1, 0, label="Noise", info="how much of it is in the start"),
            gr.Number(0, label="Seed", info="of the noise", precision=0),
        ]


def _port(text):
    if not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError("must be from 1 to 65535")
    return int(text)


def build_parser() -> Parser:
    """The command line's parser."""
    parser = Parser(PROGRAM, description="Serves the web page.")
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s, this computer")
    parser.add_argument("--port", type=_port, default=7860, help="default: %(default)s")
    parser.add_argument("--weights", default="imagenet", help="as for neural_style_transfer.py")
    parser.add_argument(
        "--max_size", type=int, default=1024, help="pixels of the longer side (%(default)s)"
    )
    parser.add_argument(
        "--max_seconds", type=float, default=1800, help="of a run (default: %(default)s)"
    )
    return parser


def serve(paint: Callable, args: argparse.Namespace) -> None:
    """Serves the page until Ctrl-C, with all that visitors leave in a temporary folder."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # clean up then too
    with tempfile.TemporaryDirectory(prefix="style_transfer_") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
        studio = Studio(paint, load_weights(args.weights), folder, args.max_size, args.max_seconds)
        studio.warm_up()
        page = build_page(studio, args.max_size).queue(max_size=20)
        try:
            page.launch(
                server_name=args.host,
                server_port=args.port,
                theme=THEME,
                css=CSS,
                footer_links=[],
                max_file_size="50mb",
            )
        except OSError:
            raise InputError(
                f"--port {args.port}: cannot be used on {args.host}; choose another"
            ) from None


def main(paint: Callable, argv: Sequence[str] | None = None) -> int:
    """The page's command line. Returns the exit status, see `exit_status`."""
    args = build_parser().parse_args(underscored(sys.argv[1:] if argv is None else argv))
    return exit_status(PROGRAM, lambda: serve(paint, args))
