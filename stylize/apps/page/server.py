"""The web page: give it a photo and a painting, watch the picture grow, download it.

Several photos are painted in turn, and downloaded together; a short clip becomes a film. One
picture is painted at a time; other visitors wait and see their place in the queue. The pictures are
those of `style_transfer`. Uploads and results stay in a temporary folder, which is removed when the
page stops.
"""

import argparse
import contextlib
import functools
import inspect
import os
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi.exceptions import RequestValidationError
from gradio.routes import App
from starlette.exceptions import HTTPException
from starlette.middleware.errors import ServerErrorMiddleware

from stylize.apps.page.allowance import Allowance
from stylize.apps.page.api import DEFAULT_ROWS, add_endpoint
from stylize.apps.page.asked import Asked
from stylize.apps.page.choices import STRENGTHS
from stylize.apps.page.guard import NOT_OURS, Guard, check_uploads, no_such_request, not_taken
from stylize.apps.page.keeping import own_folder, remove_old_from
from stylize.apps.page.previews import SECONDS, original
from stylize.apps.page.shown import DOWNLOAD, READY, Shown, complaint
from stylize.apps.page.studio import CONTROLS, Studio
from stylize.apps.page.uploads import take_files_only
from stylize.apps.page.watch import Limit
from stylize.backend.signals import stopping_signals
from stylize.errors import InputError
from stylize.images.colors import COLOR_METHODS
from stylize.images.formats import picture_suffixes
from stylize.runs.recipes import DEFAULT_RECIPE, RECIPES
from stylize.vgg.download import load_weights

DEFAULTS = RECIPES[DEFAULT_RECIPE]
PACKAGE = Path(__file__).parents[2]
# The wheel has the examples in the package, a checkout beside it.
EXAMPLES = next(path for path in (PACKAGE / "img", PACKAGE.parent / "img") if path.is_dir())
PHOTOS = ("astronaut", "hopper", "temple", "cat", "flower", "coffee")
PAINTINGS = (
    "swirling_night",
    "impasto",
    "woodcut",
    "pointillism",
    "watercolour",
    "stained_glass",
)
STROKES = [  # words -> `style_scale`
    ("finest", 0.3),
    ("finer", 0.6),
    ("as in the painting", "area"),
    ("coarser", 1.5),
    ("coarsest", 2.0),
]
CSS = """
#head .prose { display: flex; flex-wrap: wrap; align-items: baseline; column-gap: 1em }
#head .prose * { margin: 0 } /* with one row less, the choices are on the first screen */
#choices .column { gap: 4px }
main.fillable { max-width: 1280px } /* and as wide as a narrower window */
#result img, #choices img { width: 100%; height: 100%; object-fit: contain } /* small sizes too */
#result .image-container { padding-top: var(--size-7) } /* below the label */
.grid-container { margin-top: var(--size-5) } /* the same */
#gallery .grid-wrap, #earlier .grid-wrap { min-height: 0 } /* no empty rows */
#earlier .caption-label { white-space: normal } /* the strength is at its end */
.given .upload-wrapper { height: calc(100% - var(--size-10)) } /* leaves room for the sources */
.given .gallery-item:only-child .thumbnail-item { height: 150px; aspect-ratio: auto } /* whole */
.wrap:has(> .error) { display: none } /* the status says it; a badge stays on what is mended */
"""
# Folded away once it is there: what an accordion shows that was never open, Gradio loses.
FOLD_LOSSES = """() => {
    const watcher = new MutationObserver(() => {
        const button = document.querySelector("#losses button");
        if (button) { watcher.disconnect(); button.click(); }
    });
    watcher.observe(document.body, {childList: true, subtree: true});
}"""
WORDS = gr.I18n(
    en={
        "upload_text.drop_gallery": "Drop pictures here",  # else "Media"
        "common.complete": "Done",  # read to the blind; Gradio has no words for it
    }
)
MOST_SESSIONS = 200  # of which Gradio keeps what they sent last; a program begins one each time
# No fonts from elsewhere: the page works where only this computer can be reached.
THEME = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["monospace"])


class Page(gr.Blocks):
    """A page that looks at what a browser sends before Gradio does.

    Attributes:
        folder: of the uploads.
    """

    folder: str

    async def preprocess_data(self, block_fn, inputs, *more, **options):
        """See `gr.Blocks`. Raises gr.Error for whatever the page itself does not send."""
        try:
            self._check_uploads(block_fn, inputs)
            if inputs == [None]:  # no example: Gradio's own event trips over it
                raise InputError("Choose one of the examples.")
            return await super().preprocess_data(block_fn, inputs, *more, **options)
        except gr.Error as error:
            error.print_exception = False  # it is no fault of ours
            raise
        except InputError as error:
            raise complaint(error) from None
        except Exception:
            raise complaint(NOT_OURS) from None

    def _check_uploads(self, block_fn, inputs):
        """See `check_uploads`. What a program gives is named, as it knows the names."""
        if block_fn.api_visibility != "private":
            names = inspect.signature(block_fn.fn).parameters
            for name, given in zip(names, inputs, strict=False):
                try:
                    check_uploads([given], self.folder)
                except InputError as error:
                    raise InputError(f"{name}: {error}") from None
        check_uploads(inputs, self.folder)


def build_page(studio: Studio, folder: str, max_size: int) -> Page:
    """The page, with uploads in a folder."""

    def paint_entered(request: gr.Request) -> Iterator[Shown]:
        yield from studio.paint(request.session_hash)

    def as_asked(request: gr.Request, photos: Any, painting: Any, mask: Any, *values: Any) -> Asked:
        """What a visitor asks for, which stays in memory, from what the browser sends of inputs."""
        if not all(map(_is_plain, [request.session_hash, *values])):
            raise complaint(NOT_OURS)
        some = _paths(photos)[: studio.allowed.photos + 1]  # one too many says that they are
        given = dict(zip(CONTROLS, values, strict=True))
        return Asked(some, _last(painting), _last(mask), given)

    def enter(request: gr.Request, *sent: Any) -> str:
        return studio.enter(request, as_asked(request, *sent))

    def enter_for_choices(request: gr.Request, *sent: Any) -> str:
        return studio.enter(request, as_asked(request, *sent), is_choice=True)

    def ready(request: gr.Request, *sent: Any) -> Any:
        return studio.ready(request, as_asked(request, *sent))

    def given(request: gr.Request, *sent: Any) -> tuple:
        words = ready(request, *sent)
        return words, gr.Row(visible=False) if words == READY else gr.skip()  # choices of others

    def offer(request: gr.Request) -> Iterator[tuple]:
        for shown in studio.offer(request.session_hash):
            yield shown.words, shown.row, *shown.pictures

    def shown_instead(paths: list[str], last: int = 0) -> Any:
        limit = Limit(max_seconds=SECONDS)
        shown = [studio.previews.shown(path, limit) for path in paths[-last:]]
        # Sending back what has not changed could overwrite a newer upload.
        return gr.skip() if shown == paths else shown

    def show(photos: Any) -> Any:
        return shown_instead(_paths(photos))

    def show_last(pictures: Any) -> Any:
        return shown_instead(_paths(pictures), last=1)

    def mask_of(photos: Any) -> Any:
        return gr.skip() if _paths(photos) else None  # it goes with the photos that it was for

    def foresee(photos: Any, painting: Any, *values: Any) -> str:
        given = dict(zip(CONTROLS, values, strict=True))
        return studio.foresight.words(_paths(photos), _last(painting), given)

    with Page(title="Neural style transfer", fill_width=True, analytics_enabled=False) as page:
        page.folder = folder
        gr.Markdown(
            "# Neural style transfer\n"
            "A photo, or several, or a short clip, painted in the style of a picture.",
            elem_id="head",
        )
        with gr.Row():
            with gr.Column():
                with gr.Row():
                    photos = _upload("Photos, or a clip", ["image", "video"], "photos")
                    painting = _upload("Painting", ["image"], "painting")
                with gr.Row():
                    strength = gr.Slider(
                        0, 1, DEFAULTS["strength"], label="Strength", info="photo ... painting"
                    )
                    rows = min(DEFAULT_ROWS, max_size)
                    size = gr.Number(rows, label="Size", info="rows of the result", precision=0)
                with gr.Row():
                    start = gr.Button("Paint", variant="primary", min_width=100, scale=2)
                    choices = gr.Button("Show me the choices", min_width=220, scale=3)
                    stop = gr.Button("Stop", min_width=100, scale=1)
                expected = gr.Markdown(elem_id="expected")
                with gr.Row(visible=False, elem_id="choices") as row:
                    offered = [_choice(strength) for strength in STRENGTHS]
                with gr.Row():
                    examples = [
                        _examples("Example photos", PHOTOS, photos),
                        _examples("Example paintings", PAINTINGS, painting),
                    ]
                keep_mask, *more = _more_controls()
                inputs = [photos, painting, keep_mask, strength, size, *more]
            with gr.Column():
                result = gr.Image(
                    label="Result",
                    format="png",
                    interactive=False,
                    buttons=["fullscreen"],
                    height=420,
                    elem_id="result",
                )
                words = gr.Markdown(READY, elem_id="status")
                gallery = _results("Results", "gallery")  # of several photos, or the film
                download = gr.DownloadButton(DOWNLOAD, interactive=False)
                with gr.Accordion("Losses", elem_id="losses"):
                    plot = gr.Plot(show_label=False)
                earlier = _results("Earlier results (kept until you leave the page)", "earlier")
        in_turn: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "painting"}
        # Else a second click would only stop the first.
        one_at_a_time = in_turn | {"trigger_mode": "multiple"}
        outputs = [words, result, plot, download, gallery, earlier]  # as `Shown` has them
        # As the browser sends it: `load_image` and `prepare` say what is wrong.
        at_once: dict[str, Any] = {"queue": False, "show_progress": "hidden"}
        entered = start.click(enter, inputs, words, preprocess=False, **at_once)
        # What is earlier stays in sight meanwhile.
        waited_for = {"show_progress_on": outputs[:-1]}
        entered.then(paint_entered, None, outputs, **waited_for, **one_at_a_time)
        small = [words, row, *(picture for picture, _ in offered)]
        asked = choices.click(enter_for_choices, inputs, words, preprocess=False, **at_once)
        asked.then(offer, None, small, **one_at_a_time)
        for each, (picture, button) in zip(STRENGTHS, offered, strict=True):
            for event in (picture.select, button.click):
                event(functools.partial(float, each), None, strength, **at_once)
        buttons = [button for _, button in offered]
        looking: dict[str, Any] = {
            "concurrency_limit": 2,
            "concurrency_id": "looking",
            "preprocess": False,  # as for `enter`
        }
        photos.upload(show, photos, photos, **looking)
        for each in (painting, keep_mask):
            each.upload(show_last, each, each, **looking)
        settings = inputs[3:]
        changed = at_once | {"trigger_mode": "always_last", "preprocess": False}
        strength.change(_marked, strength, buttons, **changed)
        gr.on([each.change for each in settings], ready, inputs, words, **changed)
        pictures = [photos.change, painting.change, keep_mask.change]
        gr.on(pictures, given, inputs, [words, row], **changed)
        photos.change(mask_of, photos, keep_mask, **changed)
        foreseeing = foresee, [photos, painting, *settings], expected
        changes = [photos.change, painting.change, *(each.change for each in settings)]
        looking["show_progress"] = "hidden"
        gr.on(changes, *foreseeing, trigger_mode="always_last", **looking)
        # Gradio sees no change in it.
        for each in examples:
            each.load_input_event.then(given, inputs, [words, row], preprocess=False, **at_once)
            each.load_input_event.then(*foreseeing, **looking)
        stop.click(studio.stop, queue=False)
        page.unload(studio.leave)
        for event in page.fns.values():
            event.api_visibility = "private"  # programs have one way of their own, and no other
        add_endpoint(studio, max_size, **in_turn)
    return page


def _choice(strength):
    """A small picture, and the button that takes its strength, as a click on it does."""
    with gr.Column(min_width=120):
        picture = gr.Image(show_label=False, interactive=False, buttons=[], height=146)
        mark = _mark(strength, DEFAULTS["strength"])
        return picture, gr.Button(f"Strength {strength}", variant=mark, size="sm")


def _results(label, elem_id):
    """A gallery of results, to look at and download; hidden while empty."""
    return gr.Gallery(
        label=label,
        columns=3,
        fit_columns=False,
        object_fit="contain",
        interactive=False,
        visible=False,
        buttons=["download", "fullscreen"],
        elem_id=elem_id,
    )


def _mark(strength, chosen):
    """How the button of a strength looks."""
    return "primary" if strength == chosen else "secondary"


def _marked(chosen):
    """The choices' buttons, where a strength is set."""
    return [gr.Button(variant=_mark(each, chosen)) for each in STRENGTHS]


def _upload(label, file_types, elem_id):
    """Takes pictures or videos. A single one fills its place."""
    return gr.Gallery(
        label=label,
        sources=["upload", "clipboard"],
        file_types=[*file_types, *sorted(picture_suffixes())],  # no browser knows all as pictures
        height=200,
        columns=3,
        object_fit="contain",
        buttons=[],
        elem_id=elem_id,
        elem_classes="given",
    )


def _paths(gallery):
    """Those of the pictures and videos in what the browser sends of a gallery."""
    files = [each.get("video") or each.get("image") for each in gallery or ()]
    return [original(file["path"]) for file in files if file["path"]]


def _is_plain(value):
    """Whether a value may be that of a control."""
    return (
        value is None
        or isinstance(value, int | float)
        or (isinstance(value, str) and len(value) < 100)
    )


def _last(gallery):
    """The path of the last of them; None: there is none."""
    return next(reversed(_paths(gallery)), None)


def _examples(label, names, component):
    """Pictures of ours to try, photos or paintings: either goes with what a visitor has given."""
    with gr.Column(min_width=200):
        samples = [[[str(EXAMPLES / f"{name}.jpg")]] for name in names]
        elem_id = f"{component.elem_id}_examples"
        return gr.Examples(samples, component, label=label, elem_id=elem_id)


def _more_controls():
    """The mask, and a component for each of `CONTROLS` but the strength and the size, in order."""
    with gr.Row():
        iterations = gr.Slider(
            1,
            20,
            DEFAULTS["iterations"],
            step=1,
            label="Iterations",
            info="more of them give finer work, but take longer",
        )
        colours = gr.Dropdown(
            COLOR_METHODS,
            value="none",
            label="Keep the photo's colours",
            info="luma changes only the brightness; linear and histogram recolour the "
            "painting first",
        )
    with gr.Accordion("More settings", open=False):
        keep_mask = _upload("Keep a part of the photo: a mask", ["image"], "keep_mask")
        gr.Markdown(
            "White parts of the mask stay as they are in the photo, black parts are painted. In a "
            "cut-out, with a transparent background, opaque parts stay."
        )
        with gr.Row():
            strokes = gr.Dropdown(
                STROKES, value=DEFAULTS["style_scale"], label="Strokes", info="their size"
            )
            smoothness = gr.Number(
                DEFAULTS["tv_weight"], label="Smoothness", info="weight of total variation"
            )
        with gr.Row():
            content = gr.Number(
                DEFAULTS["content_weight"], label="Content weight", info="the photo's forms"
            )
            style = gr.Number(
                DEFAULTS["style_weight"], label="Style weight", info="colours and textures"
            )
        with gr.Row():
            noise = gr.Slider(0, 1, 0, label="Noise", info="its share of the starting picture")
            seed = gr.Number(0, label="Seed", info="of the noise", precision=0)
        gr.Markdown("The command line also takes several paintings at once (`--styles`).")
    return keep_mask, iterations, colours, content, style, smoothness, noise, seed, strokes


def _check_port(host, port):
    """Raises InputError, before anything takes time, where a page cannot be served."""
    name = host.removeprefix("[").removesuffix("]")  # an address of IPv6
    with contextlib.suppress(OSError, UnicodeError):  # the latter where it cannot be a name
        for family, kind, _, _, address in socket.getaddrinfo(name, port, type=socket.SOCK_STREAM):
            with contextlib.suppress(OSError), socket.socket(family, kind) as tried:
                if os.name != "nt":  # where it would let two have one port
                    tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                tried.bind(address)
                return
    raise _no_port(host, port)


def _no_port(host, port):
    return InputError(f"--port {port}: cannot be used on {host}; choose another")


def serve(args: argparse.Namespace) -> None:
    """Serves the page until Ctrl-C, with all that visitors leave in a temporary folder."""
    _check_port(args.host, args.port)
    for number in stopping_signals():  # clean up then too
        signal.signal(number, signal.default_int_handler)
    with own_folder() as folder:
        tempfile.tempdir = folder  # unfinished uploads go there too
        os.environ["GRADIO_TEMP_DIR"] = folder
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
        allowed = Allowance(
            size=args.max_size,
            seconds=args.max_seconds,
            photos=args.max_photos,
            frames=args.max_frames,
            pixels=args.max_pixels,
            bytes=args.max_gigabytes * 2**30,
        )
        studio = Studio(load_weights(args.weights), folder, allowed)
        studio.foresight.measure()
        take_files_only()
        page = build_page(studio, folder, args.max_size).queue(max_size=60, api_open=False)
        remove_old_from(folder)
        guarded = {"host": args.host, "hosts": args.allow_host, "folder": folder}

        @contextlib.asynccontextmanager
        async def outermost(app: App) -> AsyncIterator[None]:
            """Puts the guard before all of Gradio, which would answer CORS preflights itself."""
            # Gradio's own is told to all under the address that the first to ask made up.
            app.api_info = page.get_api_info()
            errors = app.middleware_stack  # the outermost, which answers with a 500
            assert isinstance(errors, ServerErrorMiddleware)
            errors.app = Guard(errors.app, **guarded, max_bytes=allowed.bytes)
            yield

        try:
            page.launch(
                server_name=args.host,
                server_port=args.port,
                quiet=True,  # it would advise to share the page with the whole internet
                prevent_thread_lock=True,
                theme=THEME,
                css=CSS,
                js=FOLD_LOSSES,
                i18n=WORDS,
                footer_links=[],
                max_file_size="50mb",
                run_history=False,
                state_session_capacity=MOST_SESSIONS,
                app_kwargs={
                    "lifespan": outermost,
                    "exception_handlers": {
                        RequestValidationError: no_such_request,
                        HTTPException: not_taken,
                    },
                },
            )
        except OSError:  # another has taken it meanwhile
            raise _no_port(args.host, args.port) from None
        print(f"The page is at {page.local_url} (Ctrl-C stops it)", flush=True)
        page.block_thread()
