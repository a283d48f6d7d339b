#!/usr/bin/env python3
"""The command line of the TensorFlow neural-style program, on this project's engine.

    python neural_style.py --content content.jpg --styles a.jpg b.jpg --output out.jpg

Options and numbers are that program's (recipe `athalye`); what differs is said in the README.
"""

import sys
from collections.abc import Sequence

from neural_style_transfer import paint
from stylize.apps import neural_style


def main(argv: Sequence[str] | None = None) -> int:
    """The command line, see `stylize/apps/neural_style.py`. Returns the exit status."""
    return neural_style.main(paint, argv)


if __name__ == "__main__":
    sys.exit(main())
