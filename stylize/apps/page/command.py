"""The page's command line. It answers at once: the page itself takes a while to start."""

import argparse
import sys
from collections.abc import Sequence

from stylize.apps.console import Parser, exit_status, underscored
from stylize.errors import InputError
from stylize.images.resize import SMALLEST_SIDE
from stylize.runs.validators import positive, whole_number

PROGRAM = "app.py"


def main(argv: Sequence[str] | None = None) -> int:
    """Serves the page, see `stylize/apps/page/server.py`. Returns the exit status."""
    args = build_parser().parse_args(underscored(sys.argv[1:] if argv is None else argv))
    return exit_status(PROGRAM, lambda: _serve(args))


def _serve(args):
    """Gradio takes seconds to load, in which Ctrl-C may come."""
    print("Starting the page, which takes up to half a minute ...", flush=True)
    try:
        from stylize.apps.page import server
    except ModuleNotFoundError as error:
        raise InputError(f"pip install {error.name}, which the page needs") from None
    server.serve(args)


def _checked(check, *bounds):
    """What argparse calls with a text: the check of a setting, which may have bounds."""

    def checked(text):
        try:
            return check(text, *bounds)
        except InputError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return checked


def build_parser() -> Parser:
    """The command line's parser."""
    parser = Parser(PROGRAM, description="Serves the web page.")
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s, this computer")
    parser.add_argument(
        "--allow_host",
        nargs="+",
        default=[],
        metavar="NAME",
        help="another name that visitors may use, such as that of a server in front of the page",
    )
    parser.add_argument(
        "--port", type=_checked(whole_number, 1, 65535), default=7860, help="default: %(default)s"
    )
    parser.add_argument("--weights", default="imagenet", help="as for neural_style_transfer.py")
    parser.add_argument(
        "--max_size",
        type=_checked(whole_number, SMALLEST_SIDE),
        default=1024,
        help="pixels of a result's longer side (default: %(default)s)",
    )
    parser.add_argument(
        "--max_seconds",
        type=_checked(positive),
        default=1800,
        help="seconds for each photo, or for a clip (default: %(default)s)",
    )
    parser.add_argument(
        "--max_photos",
        type=_checked(whole_number),
        default=20,
        help="photos of one visitor at once (default: %(default)s)",
    )
    parser.add_argument(
        "--max_frames",
        type=_checked(whole_number),
        default=250,
        help="frames of a clip (default: %(default)s)",
    )
    parser.add_argument(
        "--max_pixels",
        type=_checked(whole_number),
        default=50_000_000,
        help="pixels of an upload, or of one frame of it (default: %(default)s)",
    )
    parser.add_argument(
        "--max_gigabytes",
        type=_checked(positive),
        default=4,
        help="GiB of all uploads and results that the page keeps (default: %(default)s)",
    )
    return parser
