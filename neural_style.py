#!/usr/bin/env python3
"""The command line of the TensorFlow neural-style program, on this project's engine.

    python neural_style.py --content content.jpg --styles a.jpg b.jpg --output out.jpg

Options and numbers are that program's (recipe `athalye`); what differs is said in the README.
"""

import sys

from stylize.apps.neural_style import main

if __name__ == "__main__":
    sys.exit(main())
