"""The finest detail of a painting, at the size at which it is compared."""

import numpy as np
from PIL import Image

from stylize.images.resize import resize_image, scaled_size

# In cycles per pixel: periods of 2 to 3.6 pixels, of 3.6 to 10, and of less than 2.5.
FINE, COARSE, FINEST = (0.28, 0.5), (0.1, 0.28), 0.4
DRAWN_RATIO, DRAWN_SHARE = 0.45, 0.21  # ratios above which fine detail is drawn, not grain


def has_fine_detail(image: Image.Image) -> bool:
    """Whether drawn lines or dots are about 3 pixels apart or closer, as in an engraving.

    They are if periods of about 3 pixels have more than 0.45 of the power of longer ones (1.4 times
    as much in img/engraving.jpg with as many pixels as 400 x 300, in a halftone 0.9, in a mosaic
    0.85, or 0.49 with as many as 533 x 400), or if periods below 2.5 have more than a fifth of that
    of all periods below 10 (0.29 in the same engraving with as many as 256 x 192, in the mosaic
    0.36). In the other paintings of img/, both numbers are below 0.4 and 0.21 from 200 x 200 to
    800 x 800 pixels. A very grainy scan counts as drawn, too.

    Args:
        image: of any mode, with at least `SMALLEST_SIDE` pixels a side.
    """
    values = np.asarray(image.convert("L"), float)
    values = (values - values.mean()) * np.outer(*map(np.hanning, values.shape))
    power = np.abs(np.fft.rfft2(values)) ** 2
    frequency = np.hypot.outer(np.fft.fftfreq(image.height), np.fft.rfftfreq(image.width))
    fine, coarse = (
        power[(frequency >= low) & (frequency < high)].mean() for low, high in (FINE, COARSE)
    )
    finest, detail = (power[frequency >= low].sum() for low in (FINEST, COARSE[0]))
    return bool(fine > DRAWN_RATIO * coarse or finest > DRAWN_SHARE * detail)


def without_finest(image: Image.Image, period: float, resample: Image.Resampling) -> Image.Image:
    """Returns an image without periods below `period` pixels.

    Args:
        image: RGB. Sides that would have less than `SMALLEST_SIDE` pixels on the way keep these.
        period: at least 2.
        resample: an antialiasing filter.
    """
    smaller = resize_image(image, *scaled_size(image, 2 / period), resample)
    return resize_image(smaller, image.height, image.width, resample)
