"""The web page: give it a photo and a painting, watch the picture grow, download it.

Several photos are painted in turn, and downloaded together; a short clip becomes a film. One
picture is painted at a time; other visitors wait and see their place in the queue. The pictures are
those of `style_transfer`. Uploads and results stay in a temporary folder, which is removed when the
page stops.
"""

import argparse
import contextlib
import errno
import inspect
import os
import signal
import socket
import tempfile
from collections.abc import AsyncIterator

import gradio as gr
from fastapi.exceptions import RequestValidationError
from gradio.routes import App
from starlette.exceptions import HTTPException
from starlette.middleware.errors import ServerErrorMiddleware

from stylize.apps.page.allowance import Allowance
from stylize.apps.page.api import add_endpoint
from stylize.apps.page.events import IN_TURN, Answers, connect
from stylize.apps.page.first_script import FirstScript
from stylize.apps.page.guard import NOT_OURS, Guard, check_uploads, no_such_request, not_taken
from stylize.apps.page.keeping import own_folder, remove_old_from
from stylize.apps.page.layout import BEFORE_ALL, CSS, ON_LOAD, THEME, WORDS, lay_out
from stylize.apps.page.log import log
from stylize.apps.page.shown import complaint
from stylize.apps.page.studio import Studio
from stylize.apps.page.uploads import take_files_only
from stylize.backend.signals import Terminated, stopping_signals
from stylize.errors import InputError
from stylize.vgg.download import load_weights

MOST_SESSIONS = 200  # of which Gradio keeps what they sent last; a program begins one each time


class Page(gr.Blocks):
    """A page that looks at what a browser sends before Gradio does.

    Attributes:
        folder: of the uploads.
    """

    folder: str

    async def preprocess_data(self, block_fn, inputs, *more, **options):
        """See `gr.Blocks`. Raises gr.Error for whatever the page itself does not send."""
        if block_fn.fn is None:  # what the browser does alone
            raise complaint(NOT_OURS)
        try:
            self._check_uploads(block_fn, inputs)
            if inputs == [None]:  # no example: Gradio's own event trips over it
                raise InputError("Choose one of the examples.")
            return await super().preprocess_data(block_fn, inputs, *more, **options)
        except gr.Error as error:
            error.print_exception = False  # it is no fault of ours
            raise
        except InputError as error:
            if block_fn.api_visibility != "private":  # a program's, which had its turn
                log(f"failed: {error}")
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
    with Page(title="Neural style transfer", fill_width=True, analytics_enabled=False) as page:
        page.folder = folder
        connect(lay_out(max_size), Answers(studio))
        page.unload(studio.leave)
        for event in page.fns.values():
            event.api_visibility = "private"  # programs have one way of their own, and no other
        add_endpoint(studio, max_size, **IN_TURN)
    return page


def _check_port(host, port):
    """Raises InputError, before anything takes time, where a page cannot be served."""
    name = host.removeprefix("[").removesuffix("]")  # an address of IPv6
    is_taken = False
    with contextlib.suppress(OSError, UnicodeError):  # the latter where it cannot be a name
        for family, kind, _, _, address in socket.getaddrinfo(name, port, type=socket.SOCK_STREAM):
            try:
                with socket.socket(family, kind) as tried:
                    if os.name != "nt":  # where it would let two have one port
                        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    tried.bind(address)
                    return
            except OSError as error:
                is_taken |= error.errno == errno.EADDRINUSE
    raise _no_port(host, port, is_taken)


def _no_port(host, port, is_taken):
    """The error where nothing can be served; `is_taken`: as somebody listens there already."""
    choose = f"choose another, such as --port {7862 if port == 7861 else 7861}"
    if not is_taken:
        return InputError(f"port {port} cannot be used on {host}; {choose}")
    url = f"http://{'localhost' if host == '0.0.0.0' else host}:{port}"  # as Gradio says it
    open_already = f"perhaps the page is open already at {url}"
    return InputError(f"port {port} is in use on {host}: {open_already}; else {choose}")


def serve(args: argparse.Namespace) -> None:
    """Serves the page until Ctrl-C, with all that visitors leave in a temporary folder."""
    _check_port(args.host, args.port)
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
            with_script = FirstScript(errors.app, BEFORE_ALL)
            errors.app = Guard(with_script, **guarded, max_bytes=allowed.bytes)
            yield

        try:
            page.launch(
                server_name=args.host,
                server_port=args.port,
                quiet=True,  # it would advise to share the page with the whole internet
                prevent_thread_lock=True,
                theme=THEME,
                css=CSS,
                js=ON_LOAD,
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
        except OSError as error:  # another may have taken it meanwhile
            is_taken = error.errno in (None, errno.EADDRINUSE)  # Gradio's own has no number
            raise _no_port(args.host, args.port, is_taken) from None
        print(f"The page is at {page.local_url} (Ctrl-C stops it)", flush=True)

        def end(*_):
            studio.stop_all()  # else what is being painted would be waited for
            raise Terminated

        for number in (signal.SIGINT, *stopping_signals()):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, end)
        with contextlib.suppress(Terminated):
            page.block_thread()
        with contextlib.suppress(Terminated):  # once more, which changes nothing
            log("shut down")
            page.server.close()
