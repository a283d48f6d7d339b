"""Starts the page, or says in a line what has to be installed for it."""

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Serves the page, see `stylize/apps/page/server.py`. Returns the exit status."""
    try:
        from stylize.apps.page import server
    except ModuleNotFoundError as error:
        print(f"app.py: error: pip install {error.name}, which the page needs", file=sys.stderr)
        return 2
    return server.main(argv)
