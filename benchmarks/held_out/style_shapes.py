"""Shapes and tables that the held-out styles share; the brushes are those of docs/styles."""

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage
from style_brushes import HEIGHT, WIDTH, bezier, gx, gy

edge = np.minimum(np.minimum(gx, 1.25 - gx), np.minimum(gy, 1 - gy))  # how far from the border


def table(text):
    """Rows of numbers and hex colours ("aa0000+bb0000" for several), parted by semicolons."""
    return [
        [float(w) if "." in w or len(w) < 6 else w.replace("+", " ") for w in row.split()]
        for row in text.split(";")
    ]


def turned(x, y, turn, size=1.0):
    """Coordinates around x, y along and across the direction `turn`, in units of `size`."""
    c, s = np.cos(turn) / size, np.sin(turn) / size
    return (gx - x) * c + (gy - y) * s, (gy - y) * c - (gx - x) * s


def limbs(*strokes):
    """A mask of round-ended strokes: control points, and radius at the start and at the end."""
    image = Image.new("L", (WIDTH, HEIGHT))
    draw = ImageDraw.Draw(image)
    for points, first, last in strokes:
        for (x, y), r in zip(bezier(points, 90), np.linspace(first, last, 90), strict=True):
            draw.ellipse([c * HEIGHT for c in (x - r, y - r, x + r, y + r)], fill=1)
    return np.asarray(image) > 0


def polygon(points):
    """A mask of the area within straight edges between points in picture heights."""
    image = Image.new("L", (WIDTH, HEIGHT))
    ImageDraw.Draw(image).polygon([(x * HEIGHT, y * HEIGHT) for x, y in points], fill=1)
    return np.asarray(image) > 0


def soften(mask, blur):
    """A mask as numbers from 0 to 1, blurred."""
    return ndimage.gaussian_filter(mask.astype(np.float32), blur)


def bounds(mask, margin):
    """The box around a mask, with a margin."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return np.s_[
        max(rows[0] - margin, 0) : rows[-1] + margin,
        max(columns[0] - margin, 0) : columns[-1] + margin,
    ]


def pixels(x, y):
    """Rows and columns of places in pixels, kept within the picture."""
    return np.clip(y, 0, HEIGHT - 1).astype(int), np.clip(x, 0, WIDTH - 1).astype(int)
