"""Where a photo has detail."""

import numpy as np
from PIL import Image


def detail_map(image: Image.Image, rows: int, cols: int) -> np.ndarray:
    """Where a photo has detail: 1 at faces and edges, 0 in skies and walls, soft between.

    It is the slope of the brightness, blurred over a tenth of the picture, by its mean. A plain
    place that detail surrounds, such as a cheek, belongs to the subject and counts as detailed: as
    much as the least detailed way from there to the picture's border, at its most detailed place.

    Args:
        image: the photo, of the size it is painted at.
        rows, cols: of the map.

    Returns:
        (rows, cols), float32, 0..1.
    """
    from skimage.morphology import reconstruction  # takes a second to import

    luma = np.asarray(image.convert("L"), np.float32)
    slope = np.hypot(*np.gradient(luma))
    radius = max(1, min(luma.shape) // 20)
    for _ in range(2):
        for axis in (0, 1):
            slope = _running_mean(slope, radius, axis)
    reduced = Image.fromarray(slope).resize((cols, rows), Image.Resampling.BOX)
    detail = np.clip((np.asarray(reduced) / max(slope.mean(), 1e-6) - 0.25) / 0.5, 0, 1)
    border = detail.copy()
    border[1:-1, 1:-1] = 1
    return reconstruction(border, detail, method="erosion").astype(np.float32)


def _running_mean(x, radius, axis):
    """The mean over 2 * radius + 1 neighbours along an axis, edges repeated."""
    x = np.moveaxis(x, axis, 0)
    padded = np.concatenate([x[:1]] * (radius + 1) + [x] + [x[-1:]] * radius)
    sums = np.cumsum(padded, axis=0, dtype=np.float64)
    width = 2 * radius + 1
    return np.moveaxis((sums[width:] - sums[:-width]) / width, 0, axis).astype(np.float32)
