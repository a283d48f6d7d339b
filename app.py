#!/usr/bin/env python3
"""The web page: give it a photo and a painting, watch the picture grow, download it.

    python app.py

One picture is painted at a time; other visitors wait and see their place. All numbers are those of
`style_transfer`. Uploads and results stay in a temporary folder, which goes when the page stops.
"""

import html
import os
import queue
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import gradio as gr
from PIL import Image

import neural_style_transfer as nst
import records
from pictures import COLOR_METHODS, load_image, save_image
from recipes import DEFAULT_RECIPE, RECIPES, choose_settings
from vgg19_weights import load_weights

DEFAULTS = RECIPES[DEFAULT_RECIPE]
EXAMPLES = Path(__file__).parent / "img"
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
    """What shows a visitor what is wrong. It is theirs to mend: no traceback is printed."""
    return gr.Error(html.escape(str(message)), duration=None, print_exception=False)


class Stopped(Exception):
    """A visitor, or the time limit, stops a run. The message says which."""


class Job:
    """A run in a thread of its own, watched by the page.

    Args:
        paint: called with the keyword arguments of `style_transfer` that watch it; raises what
            `style_transfer` raises.
        stop: an event that stops the run.
        max_seconds: after which the run is stopped.

    Attributes:
        last: the last `Iterate`, None before the first.
        error: what ended the run, None if all went well.
        table: the `LossTable`.
    """

    def __init__(self, paint, stop, max_seconds):
        self.last = self.error = None
        self.table = records.LossTable()
        self._stop = stop
        self._paint, self._max_seconds = paint, max_seconds
        self._news = queue.Queue()
        self._start = time.perf_counter()
        self._stage = None
        self._done = 0  # pixels evaluated, of `_total`
        self._total = 1

    def follow(self):
        """Runs. Yields words as it goes on, and whether there is a new picture, `last`."""
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        try:
            while (news := self._next()) is not self:
                self.last = news or self.last
                yield self._words(), news is not None
        finally:  # the visitor may have gone
            self._stop.set()
            thread.join()

    def _next(self):
        """The next `Iterate`; None where none came in time; this job where it has ended."""
        try:
            return self._news.get(timeout=UPDATE_EVERY)
        except queue.Empty:
            return None

    def _run(self):
        try:
            self._check()
            self._paint(
                callback=self._news.put,
                on_stage=self._on_stage,
                on_evaluation=self._on_evaluation,
            )
        except Exception as error:
            self.error = error
        self._news.put(self)

    def _on_stage(self, stages, index):
        self._stage = stages[index]
        self._total = sum(map(nst.pixels_evaluated, stages))
        self._check()

    def _on_evaluation(self, losses, pixels):
        self.table.add(0, time.perf_counter() - self._start, losses, self._stage.rows)
        self._done += self._stage.rows * self._stage.cols
        self._check()

    def _check(self):
        if self._stop.is_set():
            raise Stopped("stopped")
        if time.perf_counter() - self._start > self._max_seconds:
            raise Stopped(f"stopped by the time limit of {self._max_seconds:.0f} s")

    def _words(self):
        if not self._done:
            return "Getting ready ..."
        part = min(1, self._done / self._total)
        left = (time.perf_counter() - self._start) * (1 - part) / part
        return (
            f"Painting at {self._stage.cols}x{self._stage.rows} pixels: {part:.0%}, "
            f"about {left:.0f} s left"
        )


class Studio:
    """What the page's events call.

    Args:
        weights: a `VGG19Weights`.
        folder: where results are kept.
        max_size, max_seconds: limits of a picture's longer side, in pixels, and of a run.
    """

    def __init__(self, weights, folder, max_size, max_seconds):
        self._weights, self._folder = weights, folder
        self._max_size, self._max_seconds = max_size, max_seconds
        self._stops = {}  # session -> the event that stops its run

    def warm_up(self):
        """Builds the network, which stays, before the first visitor needs it."""
        gray = Image.new("RGB", (32, 32), "gray")
        nst.style_transfer(gray, gray, 1, weights=self._weights, size=32, tolerance=1)

    def enter(self, request: gr.Request):
        """A visitor asks for a picture, and waits from now on. Returns (words, download)."""
        self._stops[request.session_hash] = threading.Event()
        return "Waiting for a place ...", gr.DownloadButton(value=None, interactive=False)

    def paint(self, base, style, *values, session):
        """Yields (words, picture, plot, download) until the run has ended or was stopped.

        Args:
            base, style: the paths of the uploads.
            values: of `CONTROLS`, in their order.
            session: of the visitor, who has entered.
        """
        if session not in self._stops:
            return  # they left while they waited
        given = dict(zip(CONTROLS, values, strict=True))
        try:
            pictures, settings, stages = self._check(base, style, given)
        except gr.Error as error:
            yield error.message, gr.skip(), gr.skip(), gr.skip()
            raise

        def run(**watch):
            nst.style_transfer(*pictures, weights=self._weights, **given, **watch)

        job = Job(run, self._stops[session], self._max_seconds)
        for words, is_new in job.follow():
            picture = (job.last.image, job.table.figure()) if is_new else (gr.skip(), gr.skip())
            yield words, *picture, gr.skip()
        if isinstance(job.error, (nst.InputError, nst.NonFiniteLoss)):
            raise complaint(job.error)
        if job.error and not isinstance(job.error, Stopped):
            raise job.error
        words = f"{job.error or 'Done'}".capitalize()
        if job.last is None:
            yield f"{words}; no picture was finished", gr.skip(), gr.skip(), gr.skip()
            return
        record = nst.record_of(DEFAULT_RECIPE, settings, stages, self._weights, base, [style])
        words += f": {job.last.image.width}x{job.last.image.height} pixels"
        download = gr.DownloadButton(value=self._save(job.last, record), interactive=True)
        yield words, job.last.image, job.table.figure(), download

    def _check(self, base, style, given):
        """(both pictures, all settings, the stages) of a run. Raises gr.Error."""
        if not (base and style):
            raise complaint("Give a photo and a painting: drop them above, or choose an example.")
        try:
            settings = choose_settings(**given)
            pictures = load_image(base, "the photo"), load_image(style, "the painting")
            stages = nst.plan_stages(pictures[0], settings)
        except nst.InputError as error:
            raise complaint(error) from None
        rows, cols = stages[-1][:2]
        if max(rows, cols) > self._max_size:
            raise complaint(
                f"The result would have {cols}x{rows} pixels; here at most {self._max_size} are "
                "painted on a side. Choose a smaller size."
            )
        return pictures, settings, stages

    def _save(self, iterate, record):
        """Saves a result in a folder of its own. Returns its path."""
        path = Path(tempfile.mkdtemp(dir=self._folder)) / "painted.png"
        more = {"iteration": iterate.iteration, "losses": iterate.losses._asdict()}
        save_image(iterate.pixels, path, description=records.to_text(record, **more))
        return path

    def stop(self, request: gr.Request):
        """Stops the visitor's run, or its waiting; what is painted so far stays."""
        if stop := self._stops.get(request.session_hash):
            stop.set()

    def leave(self, request: gr.Request):
        """Stops the run of a visitor who closes the page, and forgets them."""
        if stop := self._stops.pop(request.session_hash, None):
            stop.set()


def build_page(studio, max_size):
    """The page, a `gr.Blocks`."""

    def paint(request: gr.Request, *inputs):
        yield from studio.paint(*inputs, session=request.session_hash)

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
                    [
                        [str(EXAMPLES / "astronaut.jpg"), str(EXAMPLES / "swirling_night.jpg")],
                        [str(EXAMPLES / "coffee.jpg"), str(EXAMPLES / "stained_glass.jpg")],
                        [str(EXAMPLES / "cat.jpg"), str(EXAMPLES / "swirling_night.jpg")],
                    ],
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
        entered = start.click(studio.enter, None, [words, download], queue=False)
        entered.then(paint, inputs, [words, result, plot, download], concurrency_limit=1)
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


def build_parser():
    parser = nst.Parser(Path(__file__).name, description="Serves the web page.")
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s, this computer")
    parser.add_argument("--port", type=int, default=7860, help="default: %(default)s")
    parser.add_argument("--weights", default="imagenet", help="as for neural_style_transfer.py")
    parser.add_argument(
        "--max_size", type=int, default=1024, help="pixels of the longer side (%(default)s)"
    )
    parser.add_argument(
        "--max_seconds", type=float, default=1800, help="of a run (default: %(default)s)"
    )
    return parser


def serve(args):
    """Serves the page until Ctrl-C, with all that visitors leave in a temporary folder."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # clean up then too
    with tempfile.TemporaryDirectory(prefix="style_transfer_") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
        studio = Studio(load_weights(args.weights), folder, args.max_size, args.max_seconds)
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
            raise nst.InputError(
                f"--port {args.port}: cannot be used on {args.host}; choose another"
            ) from None


def main(argv=None):
    """The command line. Returns the exit status."""
    args = build_parser().parse_args(nst.underscored(sys.argv[1:] if argv is None else argv))
    return nst.exit_status(Path(__file__).name, lambda: serve(args))


if __name__ == "__main__":
    raise SystemExit(main())
