"""Paint eight style pictures that were never used for tuning: no photo, only noise and geometry.

    python paint_styles.py                            paints all of them into the current folder
    python paint_styles.py mosaic batik --out styles  paints two of them into styles/

Every picture comes out the same every time. They are in style_drawings.py, style_crafts.py and
style_papers.py.
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs" / "styles"))  # the brushes

import numpy as np
from PIL import Image
from style_brushes import HEIGHT, WIDTH
from style_crafts import batik, embroidery, mosaic
from style_drawings import charcoal, coloured_pencil, pastel
from style_papers import cut_paper, halftone

PICTURES = (mosaic, pastel, cut_paper, batik, charcoal, coloured_pencil, embroidery, halftone)


def main():
    """Paint the pictures that were asked for."""
    names = {painter.__name__: painter for painter in PICTURES}
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(names)}")
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the pictures")
    parser.add_argument("--width", type=int, default=1000, help="of the pictures, in pixels")
    args = parser.parse_args()
    unknown = set(args.names) - set(names)
    if unknown:
        parser.error(f"no such picture: {', '.join(sorted(unknown))}")
    args.out.mkdir(parents=True, exist_ok=True)
    size = args.width, round(args.width * HEIGHT / WIDTH)
    for name in args.names or names:
        began, worked = time.perf_counter(), time.process_time()
        whole = Image.fromarray((np.clip(names[name](), 0, 1) * 255 + 0.5).astype(np.uint8))
        path = args.out / f"{name}.jpg"
        whole.resize(size, Image.Resampling.LANCZOS).save(path, quality=92)
        seconds, busy = time.perf_counter() - began, time.process_time() - worked
        print(f"{path}: {path.stat().st_size // 1000} kB in {seconds:.0f} s ({busy:.0f} s of CPU)")


if __name__ == "__main__":
    main()
