#!/usr/bin/env python3
"""The web page: give it a photo and a painting, watch the picture grow, download it.

python app.py
"""

import sys

from stylize.apps.page.command import main

if __name__ == "__main__":
    sys.exit(main())
