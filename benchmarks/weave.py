"""Measures the woven pattern that plain areas of a painted picture may show.

    python benchmarks/weave.py photo.jpg results/painted.png ...

Prints a line for each picture: `weave`, and the mean slope of its brightness in the detailed half
of the photo, which blurring would lower as well as the weave.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from stylize.images.reading import load_image

WINDOW = 64  # pixels of the squares whose spectra are added up
STEP = 16  # from one square to the next
PLAIN = 0.5  # share of the squares that are plain: those where the photo is smoothest
FINE, COARSE = (0.28, 0.36), (0.19, 0.25)  # cycles per pixel: periods of 3 and of 4.5 pixels
ALONG = np.tan(np.pi / 8)  # across / along: within 22.5 degrees of an axis


def weave(image: Image.Image, photo: Image.Image) -> float:
    """Returns how much more power a picture has at periods of 3 than of 4.5 pixels.

    It is the ratio of mean power along the rows or along the columns, whichever is higher, in the
    half of the picture where the photo is plain. Brush strokes have less power the finer they are:
    img/swirling_night.jpg, at the size that it has at 400 rows, has 0.47, the other paintings of
    img 0.3 to 0.6 (but engraving.jpg, which is hatched). Above 1, lines 3 pixels apart stand out.

    Args:
        image: the painted picture, at least 64 pixels on a side.
        photo: what it was made of, of any size.
    """
    values = _brightness(image)
    slope = np.hypot(*np.gradient(_brightness(photo.resize(image.size, Image.Resampling.BOX))))
    plain = sorted(_squares(slope), key=np.mean)
    limit = np.mean(plain[int(len(plain) * PLAIN)])
    pairs = zip(_squares(values), _squares(slope), strict=True)
    power = np.mean([_power(own) for own, of_photo in pairs if of_photo.mean() <= limit], axis=0)
    frequencies = np.fft.fftfreq(WINDOW)
    down, across = np.meshgrid(frequencies, frequencies, indexing="ij")
    radius = np.hypot(down, across)

    def ratio(along, aside):
        near = np.abs(aside) <= ALONG * np.abs(along)
        fine, coarse = (
            power[near & (radius >= low) & (radius < high)].mean() for low, high in (FINE, COARSE)
        )
        return fine / max(coarse, 1e-9)

    return float(max(ratio(down, across), ratio(across, down)))


def detail(image: Image.Image, photo: Image.Image) -> float:
    """Returns the mean slope of a picture's brightness, in levels per pixel, where the photo's is
    above its median: what a remedy against the weave is to leave as it is."""
    slopes = [
        np.hypot(*np.gradient(_brightness(own)))
        for own in (image, photo.resize(image.size, Image.Resampling.BOX))
    ]
    return float(slopes[0][slopes[1] >= np.median(slopes[1])].mean())


def _brightness(image):
    return np.asarray(image.convert("L"), float)


def _squares(values):
    """All squares of (rows, cols), `STEP` apart, as views."""
    windows = np.lib.stride_tricks.sliding_window_view(values, (WINDOW, WINDOW))
    return windows[::STEP, ::STEP].reshape(-1, WINDOW, WINDOW)


def _power(square):
    """The power spectrum of a square, its edges faded out."""
    fade = np.hanning(WINDOW)
    return np.abs(np.fft.fft2((square - square.mean()) * np.outer(fade, fade))) ** 2


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo", type=Path)
    parser.add_argument("pictures", type=Path, nargs="+")
    args = parser.parse_args(argv)
    photo = load_image(args.photo)
    for path in args.pictures:
        image = load_image(path)
        print(f"{path.name:50} weave {weave(image, photo):5.2f}  slope {detail(image, photo):5.1f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
