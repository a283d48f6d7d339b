"""Starts the page, or says in a line what has to be installed for it."""

from collections.abc import Sequence

from stylize.apps.console import exit_status
from stylize.errors import InputError


def main(argv: Sequence[str] | None = None) -> int:
    """Serves the page, see `stylize/apps/page/server.py`. Returns the exit status."""
    return exit_status("app.py", lambda: _serve(argv))


def _serve(argv):
    """Gradio takes seconds to load, in which Ctrl-C may come."""
    try:
        from stylize.apps.page import server
    except ModuleNotFoundError as error:
        raise InputError(f"pip install {error.name}, which the page needs") from None
    return server.main(argv)
