"""Colours: the photo recoloured like its styles, to start from, or the styles like the photo."""

import functools
from collections.abc import Callable, Sequence

import numpy as np

from stylize.images.formats import Pixels

LUMA = (0.299, 0.587, 0.114)  # of red, green, blue: Rec. 601
KNEE = 0.75  # of the range: where shades begin to make room for what is beyond it
LEAST_DEVIATION = 4.0  # of a photo's colours, in 0..255: less is noise, and is not spread out


# ---------------------------------------------------------------------------------------------
# The photo in the styles' colours
# ---------------------------------------------------------------------------------------------


def recoloring(
    photo: np.ndarray,
    styles: Sequence[np.ndarray],
    shares: Sequence[np.ndarray | float],
) -> Callable[[np.ndarray, Sequence[np.ndarray | float]], np.ndarray]:
    """Returns what moves a photo's colours linearly to the mean and covariance of the styles'.

    The map is the symmetric one that moves colours the least (Monge and Kantorovich's, between
    Gaussians): A = R^-1 (R C_s R)^(1/2) R^-1 with R = C_p^(1/2).

    Args:
        photo: (rows, cols, 3), 0..255 or less the mean pixel, in any order of channels.
        styles: each (rows, cols, 3) of any size, values as the photo's.
        shares: of each style: a number, or (rows, cols) of the photo where it differs by place.
            What they add up to does not matter; where all are 0 the photo stays as it is. A style
            with a share by place matches the part of the photo that it covers.

    Returns:
        The function from the photo, or a part of it, and the shares there, to float64 values of
        its shape, not clipped.
    """
    photo, places = np.asarray(photo, np.float64), _by_place(shares, photo)
    maps = [
        _linear_map(_moments(photo, place), _moments(style)) if place.any() else None
        for style, place in zip(styles, places, strict=True)
    ]

    def move(part, shares):
        part, places = np.asarray(part, np.float64), _by_place(shares, part)
        total = places.sum(0)
        result = np.where(total > 0, 0.0, 1.0)[..., np.newaxis] * part
        for linear_map, place in zip(maps, places, strict=True):
            if linear_map:
                mean, matrix, moved_mean = linear_map
                weight = np.divide(place, total, out=np.zeros_like(place), where=total > 0)
                result += weight[..., np.newaxis] * ((part - mean) @ matrix.T + moved_mean)
        return result

    return move


def _by_place(shares, photo):
    """The shares of each style, (styles, rows, cols), float64."""
    return np.stack([np.broadcast_to(share, photo.shape[:2]) for share in shares]).astype(float)


def shade_limits(values: np.ndarray) -> tuple[float, float]:
    """(lowest, highest) of values, of any shape, but for one in a thousand at each end."""
    least, most = np.percentile(values, (0.1, 99.9))
    return float(least), float(most)


def within_range(values: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """Brings values into 0..255 so that what lay outside keeps its shades, instead of clipping it.

    The quarter of the range next to a bound makes room for what is beyond it, as far as the limits;
    values further inside, and all values where the limits are not outside, stay.

    Args:
        values: of any shape; two that differ stay in their order.
        limits: from `shade_limits`.
    """
    least, most = limits
    upper = _compressed(values / 255, most / 255)
    return 255 * (1 - _compressed(1 - upper, 1 - least / 255)).clip(0, 1)


def _compressed(values, most):
    """Values from `KNEE` to `most` brought to `KNEE`..1, with a slope that starts at one."""
    if most <= 1:
        return values.clip(max=1)
    beyond = ((values - KNEE) / (most - KNEE)).clip(0, 1)
    power = (most - KNEE) / (1 - KNEE)
    return np.where(values > KNEE, KNEE + (1 - KNEE) * (1 - (1 - beyond) ** power), values)


def _moments(picture, weights=None):
    """(mean (3,), covariance (3, 3)) of the colours, weighed by place or alike."""
    flat = np.asarray(picture, np.float64).reshape(-1, 3)
    weights = None if weights is None else weights.ravel()
    return np.average(flat, axis=0, weights=weights), np.cov(
        flat, rowvar=False, aweights=weights, bias=True
    )


def _linear_map(of_photo, of_style):
    """(mean, matrix, mean moved to) of the map from the one mean and covariance to the other."""
    values, vectors = np.linalg.eigh(of_photo[1])
    deviations = np.sqrt(np.maximum(values, LEAST_DEVIATION**2))
    root, inverse = (vectors * deviations) @ vectors.T, (vectors / deviations) @ vectors.T
    values, vectors = np.linalg.eigh(root @ of_style[1] @ root)
    matrix = inverse @ (vectors * np.sqrt(values.clip(0))) @ vectors.T @ inverse
    return of_photo[0], matrix, of_style[0]


# ---------------------------------------------------------------------------------------------
# The photo's own colours kept
# ---------------------------------------------------------------------------------------------


def match_mean_and_covariance(style: Pixels, content: Pixels, cholesky: bool = False) -> np.ndarray:
    """Moves a style's colours linearly so that their mean and covariance are the content's.

    Args:
        style, content: Pillow RGB images or arrays (rows, cols, 3), RGB, 0..255.
        cholesky: take A = L_c L_s^-1 of the Cholesky factors, else A = C_c^(1/2) C_s^(-1/2) of the
            symmetric roots, which turns no colour into another without need. Where the style's
            covariance is singular (a grey picture), only the symmetric roots can be had; a colour
            that does not vary there stays as it is.

    Returns:
        float64 (rows, cols, 3), RGB, not clipped.

    Source: Gatys et al. 2016, "Preserving Color in Neural Artistic Style Transfer"
    (arXiv:1606.05897), sec. 5.1.
    """
    style, content = (np.asarray(image, np.float64) for image in (style, content))
    covariances = [np.cov(image.reshape(-1, 3), rowvar=False) for image in (style, content)]
    singular = min(np.linalg.cond(c) for c in covariances) > 1e10 or any(
        np.linalg.eigvalsh(c)[0] <= 1e-6 for c in covariances
    )
    if cholesky and not singular:
        of_style, of_content = map(np.linalg.cholesky, covariances)
        matrix = of_content @ np.linalg.inv(of_style)
    else:
        of_style, of_content = map(_symmetric_root, covariances)
        matrix = of_content @ np.linalg.pinv(of_style, rcond=1e-6)
    return (style - style.mean((0, 1))) @ matrix.T + content.mean((0, 1))


def _symmetric_root(covariance):
    """The symmetric square root of a covariance matrix."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(values.clip(0))) @ vectors.T


def match_histograms(style: Pixels, content: Pixels) -> np.ndarray:
    """Gives each channel of a style the content's histogram. Arguments as above."""
    from skimage.exposure import match_histograms

    return match_histograms(np.asarray(style), np.asarray(content), channel_axis=-1)


def keep_luma(result: Pixels, content: Pixels) -> np.ndarray:
    """The brightness of `result` with the colours of `content`, arrays (rows, cols, 3), RGB 0..255.

    In YCbCr, Y of the one and Cb, Cr of the other: that adds the difference in Y to every channel.

    Source: Gatys et al. 2016 (arXiv:1606.05897), sec. 5.2, with Rec. 601's luma.
    """
    result, content = np.asarray(result, np.float64), np.asarray(content, np.float64)
    difference = (result - content) @ LUMA  # (rows, cols)
    return (content + difference[..., np.newaxis]).clip(0, 255)


COLOR_TRANSFERS: dict[str, Callable] = {  # for the styles, before a run; luma is for the result
    "linear": match_mean_and_covariance,
    "linear_cholesky": functools.partial(match_mean_and_covariance, cholesky=True),
    "histogram": match_histograms,
}
COLOR_METHODS = ("none", "luma", *COLOR_TRANSFERS)
