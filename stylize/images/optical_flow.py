"""The optical flow between frames of a film: where each pixel was before, and where to trust that.

After Ruder, Dosovitskiy and Brox, "Artistic Style Transfer for Videos" (2016, arXiv:1604.08610),
with the flow of Kroeger et al. (2016, arXiv:1603.03590), which OpenCV computes without a network.

A flow is (rows, cols, 2), float32: for each pixel, how many columns and rows away its place in the
other frame is.
"""

import functools
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from stylize.errors import InputError

FOLLOWED = 32  # levels of brightness by which a pixel that is followed may change
UNEXPLAINED = 0.25  # the share of the variance that a motion may leave, if it is to be believed
WINDOW = 5  # pixels, over which that is measured
CUT = 0.25  # the share of followed pixels below which a frame begins a new scene
EDGE = 1 / 20  # of the rows: how far in from a frame's edges its paint counts less than elsewhere
LINE = 2  # pixels: how wide the line is that an edge leaves
STILL = 0.1  # pixels of apparent motion that count as none
FINE = 8  # pixels: a larger standard deviation takes long, and is had of a smaller picture
HELD = 0.1  # the gain of what is held, see `Scaling`; that of what comes into view is 1
BORDER = 1 / 50  # of the rows: standard deviation of the Gaussian that blurs the gains
NEARBY = 1 / 10  # of the rows: that of the one that spreads colours into what is new
FADING = 0.1  # what is added to the weights of that one, so that colours fade with distance


class Previous(NamedTuple):
    """What a frame is held to: the result of the frame before, moved to where things are now.

    Attributes:
        picture: (rows, cols, 3), as `preprocess_image` makes it.
        hold: (rows, cols), float32, 0..1: how much each pixel counts; 0 where the frame is new, as
            far as the motion tells.
    """

    picture: np.ndarray
    hold: np.ndarray

    def start(self, photo: np.ndarray) -> np.ndarray:
        """What the frame starts from: the picture; where the frame is new, the photo.

        There the photo is tinted like the picture nearby, so that no border shows.

        Args:
            photo: the frame, (rows, cols, 3), in the painting's colours.
        """
        hold = self.hold[..., np.newaxis]  # (rows, cols, 1)
        difference = _blurred(hold * (self.picture - photo), NEARBY)
        weight = _blurred(self.hold, NEARBY)[..., np.newaxis]
        return hold * self.picture + (1 - hold) * (photo + difference / (weight + FADING))

    @property
    def gains(self) -> np.ndarray:
        """Those of the `Scaling` that the frame is painted in: (rows, cols), from `HELD` to 1.

        With one gain for all, steps would be as short as what is held requires: a few of them would
        not paint what comes into view.
        """
        return HELD + (1 - HELD) * _blurred(1 - self.hold, BORDER)

    @property
    def new(self) -> np.ndarray:
        """What is to be painted rather than held, a boolean (rows, cols)."""
        return self.gains > 1.5 * HELD

    def of(self, tile: Any) -> tuple[np.ndarray, np.ndarray]:
        """A tile's own pixels (1, rows, cols, 3), and how much each counts, (rows*cols, 1)."""
        own = slice(*tile.rows[:2]), slice(*tile.cols[:2])
        return self.picture[own][np.newaxis], self.hold[own].reshape(-1, 1)


def _blurred(array, sigma):
    """An array (rows, cols, ...) after a Gaussian; sigma is in parts of the rows."""
    cv2, (rows, cols) = require_opencv(), array.shape[:2]
    factor = min(1, FINE / (sigma * rows))
    size = max(1, round(factor * cols)), max(1, round(factor * rows))
    small = cv2.resize(array, size, interpolation=cv2.INTER_AREA)
    return cv2.resize(cv2.GaussianBlur(small, (0, 0), sigma * len(small)), (cols, rows))


class Motion(NamedTuple):
    """How a frame follows from the one before it.

    Attributes:
        backward: the flow to the frame before.
        reliable: where that flow can be trusted, a boolean (rows, cols).
    """

    backward: np.ndarray
    reliable: np.ndarray

    def move(self, result: np.ndarray) -> Previous:
        """What holds the frame.

        Args:
            result: of the frame before, (rows, cols, 3), as `preprocess_image` makes it.
        """
        hold = (self.reliable * from_within(self.backward)).astype(np.float32)
        return Previous(warp(result, self.backward), hold)


def find_motion(before: Image.Image, after: Image.Image) -> Motion | None:
    """How the frame `after` follows from `before`, of one size; None: it begins a new scene."""
    first, second = (np.asarray(frame.convert("L")) for frame in (before, after))
    backward, forward = optical_flow(second, first), optical_flow(first, second)
    reliable = reliable_pixels(backward, forward)
    if is_cut(first, second, backward, reliable):
        return None
    camera = np.median(backward[reliable], axis=0)  # most of what can be followed is ground
    ground = ~reliable & explained(np.asarray(before), np.asarray(after), camera)
    return Motion(np.where(ground[..., np.newaxis], camera, backward), reliable | ground)


def optical_flow(gray: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The flow from one grey picture to another, both uint8 (rows, cols)."""
    cv2 = require_opencv()
    return cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(gray, other, None)


def warp(picture: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """What the picture has where the flow leads, mirrored outside.

    Lanczos's filter keeps contrast: after 60 moves by fractions of a pixel a painting has 0.99 of
    it, against 1.28 with cubic and 0.86 with linear interpolation.

    Args:
        picture: (rows, cols) or (rows, cols, channels), float32.
        flow: from the pixels of the result to those of the picture.
    """
    cv2 = require_opencv()
    x, y = np.moveaxis(places(flow), -1, 0)
    return cv2.remap(picture, x, y, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REFLECT_101)


def places(flow: np.ndarray) -> np.ndarray:
    """Where a flow leads: (rows, cols, 2), float32, the column and the row of each pixel."""
    rows, cols = flow.shape[:2]
    grid = np.stack(np.meshgrid(np.arange(cols), np.arange(rows)), -1)
    return (flow + grid).astype(np.float32)


def reliable_pixels(backward: np.ndarray, forward: np.ndarray) -> np.ndarray:
    """Where the flow back to the frame before can be trusted, a boolean (rows, cols).

    It cannot where going there and back does not end at the start, as in what was hidden before;
    nor at the edges of what moves; nor where it leads outside the frame.

        |w + w'|^2 <= 0.01 (|w|^2 + |w'|^2) + 0.5      and      |grad w|^2 <= 0.01 |w|^2 + 0.002

    Args:
        backward: w, from the frame to the one before.
        forward: the other way; w' is its value where w leads.

    Source: Ruder et al. 2016, sec. 4.3, after Sundaram, Brox and Keutzer (2010).
    """
    returning = warp(forward, backward)
    lengths = np.square(backward).sum(-1), np.square(returning).sum(-1)
    error = np.square(backward + returning).sum(-1)
    slopes = sum(np.square(slope).sum(-1) for slope in np.gradient(backward, axis=(0, 1)))
    inside = _to_edge(places(backward)) >= 0
    consistent = error <= 0.01 * sum(lengths) + 0.5
    return inside & consistent & (slopes <= 0.01 * lengths[0] + 0.002)


def _to_edge(places):
    """The pixels from each place (rows, cols, 2) to the nearest edge; below 0: it is outside."""
    far_edge = np.array(places.shape[1::-1]) - 1
    return np.minimum(places, far_edge - places).min(-1)


def from_within(backward: np.ndarray) -> np.ndarray:
    """How much each pixel counts by its place in the frame before: (rows, cols), 0..1.

    0 at the edges, rising to 1 at `EDGE` from them, or nearer where it moves slowly, but never
    within `LINE`. It is 1 too where a pixel does not move inwards: what is painted at an edge may
    stay there, but would show as a line farther in.
    """
    before, now = (_to_edge(places(flow)) for flow in (backward, np.zeros_like(backward)))
    inwards = now - before
    reach = np.minimum(EDGE * len(backward), LINE + 2 * inwards)
    return np.where(inwards > STILL, np.clip(before / np.maximum(reach, LINE), 0, 1), 1)


def explained(before: np.ndarray, after: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """Where one motion of all pixels explains what varies in a frame, a boolean (rows, cols).

    Near what moves in front of it, the flow of the ground is wrong, though the camera's motion
    explains it. Plain places tell nothing: there, what was hidden looks like what hid it.

    Args:
        before, after: the frames, uint8 (rows, cols, 3).
        motion: the flow from `after` to `before`, (2,).
    """
    backward = np.broadcast_to(motion, (*before.shape[:2], 2))
    before, after = before.astype(np.float32), after.astype(np.float32)
    mean = functools.partial(require_opencv().blur, ksize=(WINDOW, WINDOW))
    left = mean(np.square(warp(before, backward) - after)).sum(-1)
    variance = (mean(np.square(after)) - np.square(mean(after))).sum(-1)
    inside = _to_edge(places(backward)) >= -STILL
    return inside & (variance > 1) & (left < UNEXPLAINED * variance)  # 1: less may be rounding


def is_cut(
    before: np.ndarray, after: np.ndarray, backward: np.ndarray, reliable: np.ndarray
) -> bool:
    """Whether too few pixels are followed from one frame to the next for both to be one scene.

    A pixel is followed where the flow is reliable and leads to about the same brightness.

    Args:
        before, after: the frames, grey, uint8 (rows, cols).
        backward: the flow from `after` to `before`.
        reliable: from `reliable_pixels`.
    """
    change = np.abs(warp(before.astype(np.float32), backward) - after)
    return bool((reliable & (change <= FOLLOWED)).mean() < CUT)


def require_opencv() -> Any:
    """The package `cv2`, which only films need. Raises InputError: it is not installed."""
    try:
        import cv2
    except ModuleNotFoundError:
        raise InputError("a film needs OpenCV: pip install opencv-python-headless") from None
    return cv2
