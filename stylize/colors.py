"""The photo in the colours of its styles: where a run may start, and what it may be held to."""

from collections.abc import Sequence

import numpy as np

LEAST_DEVIATION = 4.0  # of a photo's colours, in 0..255: less is noise, and is not spread out


def recolored(
    photo: np.ndarray,
    styles: Sequence[np.ndarray],
    shares: Sequence[np.ndarray | float],
) -> np.ndarray:
    """Moves a photo's colours linearly so that their mean and covariance are the styles'.

    The map is the symmetric one that moves colours the least (Monge and Kantorovich's, between
    Gaussians): A = R^-1 (R C_s R)^(1/2) R^-1 with R = C_p^(1/2).

    Args:
        photo: (rows, cols, 3), 0..255 or less the mean pixel, in any order of channels.
        styles: each (rows, cols, 3) of any size, values as the photo's.
        shares: of each style: a number, or (rows, cols) of the photo where it differs by place.
            What they add up to does not matter; where all are 0 the photo stays as it is. A style
            with a share by place matches the part of the photo that it covers.

    Returns:
        float64 (rows, cols, 3), not clipped.
    """
    photo = np.asarray(photo, np.float64)
    places = np.stack([np.broadcast_to(share, photo.shape[:2]) for share in shares]).astype(float)
    total = places.sum(0)
    result = np.where(total > 0, 0.0, 1.0)[..., np.newaxis] * photo
    for style, place in zip(styles, places, strict=True):
        if place.any():
            weight = np.divide(place, total, out=np.zeros_like(place), where=total > 0)
            own = _linear_map(_moments(photo, place), _moments(style), photo)
            result += weight[..., np.newaxis] * own
    return result


def _moments(picture, weights=None):
    """(mean (3,), covariance (3, 3)) of the colours, weighed by place or alike."""
    flat = np.asarray(picture, np.float64).reshape(-1, 3)
    weights = None if weights is None else weights.ravel()
    return np.average(flat, axis=0, weights=weights), np.cov(flat, rowvar=False, aweights=weights)


def _linear_map(of_photo, of_style, photo):
    """The photo's colours moved from the one mean and covariance to the other."""
    values, vectors = np.linalg.eigh(of_photo[1])
    deviations = np.sqrt(np.maximum(values, LEAST_DEVIATION**2))
    root, inverse = (vectors * deviations) @ vectors.T, (vectors / deviations) @ vectors.T
    values, vectors = np.linalg.eigh(root @ of_style[1] @ root)
    matrix = inverse @ (vectors * np.sqrt(values.clip(0))) @ vectors.T @ inverse
    return (photo - of_photo[0]) @ matrix.T + of_style[0]
