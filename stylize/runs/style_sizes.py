"""How large the paintings are that the network sees, at each size of the result."""

import math

import numpy as np
from PIL import Image

from stylize.images.resize import SMALLEST_SIDE, fitted_size, scaled_size
from stylize.runs.progress import Stage
from stylize.runs.settings import Settings

SMALL = 0.9  # of the result's pixels: styles that have fewer are extended


def style_size(
    image: Image.Image, scale: float | str, stage: Stage, settings: Settings
) -> tuple[int, int]:
    """Returns (rows, cols) that a style is resized to, by its `style_scale`."""
    if scale == "fit":
        return stage.rows, stage.cols
    if scale == "area":
        area = stage.rows * stage.cols / (image.width * image.height)
        return scaled_size(image, math.sqrt(area))
    if settings.longer_side:
        longer = float(scale) * max(stage.rows, stage.cols)
        if not settings.enlarge_styles:
            longer = min(longer, max(image.size))
        rows, cols = fitted_size(image, longer, settings.longer_side)
        return max(rows, SMALLEST_SIDE), max(cols, SMALLEST_SIDE)
    return scaled_size(image, float(scale) * stage.cols / image.width)


def seen_size(
    image: Image.Image, scale: float | str, stage: Stage, settings: Settings
) -> tuple[int, int]:
    """Returns (rows, cols) of a style as the network sees it: extended, if it is small."""
    own = style_size(image, scale, stage, settings)
    whole = style_size(image, "area", stage, settings)
    is_small = math.prod(own) < SMALL * math.prod(whole)
    if isinstance(scale, str) or not (settings.extend_styles and is_small):
        return own
    return max(own[0], whole[0]), max(own[1], whole[1])


def extended(picture: np.ndarray, rows: int, cols: int) -> np.ndarray:
    """Returns a picture with its mirror image around it, so many rows and columns in all."""
    missing = rows - picture.shape[0], cols - picture.shape[1]
    if not any(missing):
        return picture
    around = [(number // 2, number - number // 2) for number in missing]
    return np.pad(picture, [*around, (0, 0)], mode="symmetric")
