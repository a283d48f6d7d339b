"""What VGG19 expects of a picture: BGR minus ImageNet's mean pixel; and the way back."""

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from stylize.errors import InputError
from stylize.vgg.weights import IMAGENET_MEAN_BGR


def preprocess_image(image: Image.Image | ArrayLike) -> np.ndarray:
    """Turns a picture into what VGG19 expects: BGR minus ImageNet's mean pixel.

    Args:
        image: a Pillow RGB image or an array of shape (..., rows, cols, 3), RGB, 0..255; it is not
            changed.

    Returns:
        float32 of the same shape, BGR, about -124..152.

    Raises:
        InputError: not such an image or array.
    """
    x = np.asarray(image)
    kind = image.mode if isinstance(image, Image.Image) else x.shape
    if kind != "RGB" and (isinstance(kind, str) or len(kind) < 3 or kind[-1] != 3):
        raise InputError(
            "image must be an RGB image (load_image makes one from any file) or an array (..., "
            f"rows, cols, 3); received {kind or type(image).__name__}"
        )
    x = x[..., ::-1].astype(np.float32, order="C")
    x -= np.asarray(IMAGENET_MEAN_BGR, np.float32)
    return x


def rgb_values(x: ArrayLike) -> np.ndarray:
    """Turns what VGG19 sees back into colours: the inverse of `preprocess_image`.

    Args:
        x: array of shape (..., rows, cols, 3), BGR minus the mean pixel; it is not changed.

    Returns:
        float64 of the same shape, RGB, clipped to 0..255, not rounded.

    Raises:
        InputError: an array of another shape.
    """
    x = np.asarray(x, np.float64)
    if x.ndim < 3 or x.shape[-1] != 3:
        raise InputError(f"x must be (..., rows, cols, 3), received {x.shape}")
    return (x + IMAGENET_MEAN_BGR)[..., ::-1].clip(0, 255)
