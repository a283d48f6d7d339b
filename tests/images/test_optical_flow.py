"""Optical flow: known motions, naive loops, and what cannot be followed."""

import sys

import numpy as np
import pytest
from conftest import smooth_picture
from PIL import Image

from stylize.errors import InputError
from stylize.images import optical_flow
from stylize.images.optical_flow import Previous
from stylize.losses.tiles import Span, Tile

ROWS, COLS = 60, 80


def grid(rows=ROWS, cols=COLS):
    """(rows, cols, 2): the column and the row of each pixel."""
    return np.stack(np.meshgrid(np.arange(cols), np.arange(rows)), -1).astype(np.float32)


def scene(x, y):
    """A picture that is known everywhere, at columns x and rows y: gray waves, uint8."""
    waves = np.sin(x / 3) + np.sin(y / 4) + np.sin((x + 2 * y) / 7) + np.sin((2 * x - y) / 11)
    return np.rint(128 + 30 * waves).astype(np.uint8)


@pytest.mark.parametrize(
    "motion",
    [
        lambda p: p + np.array((3.3, -1.6)),
        lambda p: (p - (40, 30)) * 1.06 + (40, 30),
        lambda p: (p - (40, 30)) @ [[0.998, 0.06], [-0.06, 0.998]] + (40, 30),
    ],
    ids=["shift", "zoom", "turn"],
)
def test_known_motion_is_found_and_sound(motion):
    """`motion` takes a pixel of the second frame to where it was in the first."""
    before, after = scene(*np.moveaxis(grid(), -1, 0)), scene(*np.moveaxis(motion(grid()), -1, 0))
    backward, forward = (
        optical_flow.optical_flow(after, before),
        optical_flow.optical_flow(before, after),
    )
    reliable = optical_flow.reliable_pixels(backward, forward)
    error = np.linalg.norm(backward - (motion(grid()) - grid()), axis=-1)
    assert np.median(error[reliable]) < 0.2
    assert reliable.mean() > 0.75
    assert not optical_flow.is_cut(before, after, backward, reliable)
    moved = optical_flow.warp(before.astype(np.float32), backward)
    assert np.abs(moved - after)[reliable].mean() < np.abs(before.astype(float) - after).mean() / 5


def test_warp_by_whole_pixels_takes_them_as_they_are_mirrored_outside():
    picture = np.random.default_rng(0).normal(size=(6, 7, 3)).astype(np.float32)
    moved = optical_flow.warp(picture, np.full((6, 7, 2), (2, -1), np.float32))
    expected = np.pad(picture, ((1, 0), (0, 2), (0, 0)), "reflect")[:6, 2:]
    np.testing.assert_allclose(moved, expected, atol=1e-6)


def test_warp_between_pixels_of_a_slope_is_between_them():
    slope = 2 * grid()[..., 0] + 3 * grid()[..., 1]
    moved = optical_flow.warp(slope, np.full((ROWS, COLS, 2), (0.5, 0.25), np.float32))
    inner = np.s_[4:-4, 4:-4]
    np.testing.assert_allclose(moved[inner], slope[inner] + 2 * 0.5 + 3 * 0.25, atol=0.06)


def test_contrast_survives_many_moves():
    picture = np.random.default_rng(2).normal(size=(60, 80)).astype(np.float32)
    picture = optical_flow.warp(
        picture, np.full((60, 80, 2), 0.5, np.float32)
    )  # no finer than it can show
    moved = picture
    for step in range(40):
        moved = optical_flow.warp(moved, np.full((60, 80, 2), 0.3 * (-1) ** step, np.float32))
    assert moved.std() / picture.std() == pytest.approx(1, abs=0.1)


def naive_reliable(backward, forward):
    """`reliable_pixels` pixel by pixel, for flows of whole pixels."""
    rows, cols = backward.shape[:2]
    reliable = np.zeros((rows, cols), bool)

    def slope(i, j, di, dj):
        """The derivative of the flow: half of what is between both sides, at an edge to one."""
        low, high = (max(i - di, 0), max(j - dj, 0)), (min(i + di, rows - 1), min(j + dj, cols - 1))
        return (backward[high] - backward[low]) / (high[0] - low[0] + high[1] - low[1])

    for i in range(rows):
        for j in range(cols):
            w = backward[i, j]
            x, y = j + int(w[0]), i + int(w[1])
            if not (0 <= x < cols and 0 <= y < rows):
                continue
            back = forward[y, x]
            edge = (slope(i, j, 1, 0) ** 2).sum() + (slope(i, j, 0, 1) ** 2).sum()
            reliable[i, j] = ((w + back) ** 2).sum() <= 0.01 * (w @ w + back @ back) + 0.5 and (
                edge <= 0.01 * (w @ w) + 0.002
            )
    return reliable


def test_sound_pixels_against_loops():
    rng = np.random.default_rng(1)
    backward = np.repeat(np.repeat(rng.integers(-3, 4, (5, 6, 2)), 6, 0), 7, 1).astype(np.float32)
    forward = np.where(rng.random((30, 42, 1)) < 0.7, -backward, 3 - backward).astype(np.float32)
    reliable = optical_flow.reliable_pixels(backward, forward)
    assert 0.05 < reliable.mean() < 0.95
    np.testing.assert_array_equal(reliable, naive_reliable(backward, forward))


def test_what_was_hidden_before_is_not_sound():
    """A square has moved by 5 columns over ground that stays: the 5 that it uncovers are new."""
    backward, forward = np.zeros((2, 40, 40, 2), np.float32)
    backward[10:30, 15:35, 0], forward[10:30, 10:30, 0] = -5, 5
    reliable = optical_flow.reliable_pixels(backward, forward)
    assert not reliable[11:29, 10:15].any()
    assert reliable[12:28, 17:33].all() and reliable[:9].all()


@pytest.mark.parametrize(
    ("before", "after", "cut"),
    [
        (smooth_picture(60, 80, 1), smooth_picture(60, 80, 1), False),
        (smooth_picture(60, 80, 1)[:, :-3], smooth_picture(60, 80, 1)[:, 3:], False),
        (smooth_picture(60, 80, 1), smooth_picture(60, 80, 2), True),
        (np.zeros((60, 80, 3), np.uint8), np.full((60, 80, 3), 255, np.uint8), True),
    ],
    ids=["still", "moved", "another", "black to white"],
)
def test_frames_of_one_scene_are_followed(before, after, cut):
    motion = optical_flow.find_motion(Image.fromarray(before), Image.fromarray(after))
    assert (motion is None) == cut


def test_result_moves_with_the_scene():
    """The result is a number for each column; what came in from the right is not held."""
    picture = smooth_picture(60, 90, 3)
    result = np.repeat(grid()[..., :1], 3, axis=2)
    before, after = (Image.fromarray(picture[:, x : x + COLS]) for x in (0, 4))
    motion = optical_flow.find_motion(before, after)
    previous = motion.move(result)
    held = previous.hold > 0
    assert (previous.hold[held] < 1).any() and previous.hold[20, 20] == 1
    assert not held[:, -3:].any() and held.mean() > 0.6
    assert np.abs(previous.picture - (result + 4))[held].mean() < 0.2


def test_ground_stays_put_around_what_moves_over_it():
    """A square moves by 6 columns. What it uncovers is new; all else is as it was."""
    ground, square = smooth_picture(60, 90, 4), smooth_picture(20, 20, 5)
    frames = []
    for left in (30, 36):
        frames.append(ground.copy())
        frames[-1][20:40, left : left + 20] = square
    motion = optical_flow.find_motion(*map(Image.fromarray, frames))
    around = np.ones((60, 90), bool)
    around[16:44, 26:60] = False
    assert motion.reliable[around].mean() > 0.999
    assert np.abs(motion.backward[around]).max() < 1
    assert motion.reliable[22:38, 31:35].mean() < 0.2


@pytest.mark.parametrize("camera", [(0, 0), (3, -2)])
def test_what_a_motion_explains_against_loops(camera):
    """Squares of what it leaves, against those from the mean, in 5 by 5 pixels."""
    rng = np.random.default_rng(6)
    before = rng.integers(0, 200, (20, 24, 3)).astype(np.uint8)
    after = np.roll(before, (-camera[1], -camera[0]), axis=(0, 1))
    after[:, 12:] += rng.integers(0, 55, (20, 12, 3)).astype(np.uint8)
    found = optical_flow.explained(before, after, np.array(camera))
    for i in range(5, 15):
        for j in range(5, 19):
            own = np.s_[i - 2 : i + 3, j - 2 : j + 3]
            y, x = i + camera[1], j + camera[0]
            left = after[own] - before[y - 2 : y + 3, x - 2 : x + 3].astype(float)
            varies = after[own] - after[own].mean((0, 1))
            assert found[i, j] == (np.square(left).sum() < np.square(varies).sum() / 4)
    assert found.any() and not found.all()
    assert camera == (0, 0) or (not found[:2].any() and not found[:, -3:].any())


@pytest.mark.parametrize(
    ("ground", "square"), [((0, 178, 0), (255, 47, 0)), ((90, 90, 90), (93, 93, 93))]
)
def test_what_was_hidden_by_something_like_it_is_new(ground, square):
    """Plain colours of the same brightness: the camera's motion explains nothing of them."""
    pictures = np.full((2, 60, 90, 3), ground, np.uint8)
    for left, picture in zip((30, 38), pictures, strict=True):
        picture[20:40, left : left + 20] = square
    assert not optical_flow.explained(*pictures, np.zeros(2))[22:38, 32:36].any()


def test_frame_starts_from_the_one_before_where_that_is_sound():
    rng = np.random.default_rng(0)
    picture, photo = rng.normal(size=(2, ROWS, COLS, 3)).astype(np.float32)
    reliable = (rng.random((ROWS, COLS)) < 0.5).astype(np.float32)
    start = Previous(picture, reliable).start(photo)
    np.testing.assert_array_equal(start[reliable > 0], picture[reliable > 0])
    assert (start[reliable == 0] != picture[reliable == 0]).any()


def test_what_comes_into_view_has_the_photos_detail_and_the_pictures_colours_nearby():
    """A picture 30 lighter than the photo: so is what comes into view beside it, then ever less."""
    photo = np.random.default_rng(0).normal(0, 20, (ROWS, COLS, 3)).astype(np.float32)
    reliable = (grid()[..., 0] < COLS - 20).astype(np.float32)
    difference = Previous(photo + 30, reliable).start(photo) - photo
    np.testing.assert_allclose(difference - difference[:1, :, :1], 0, atol=1e-3)
    across = difference[0, :, 0]
    np.testing.assert_allclose(across[: COLS - 20], 30, atol=1e-3)
    assert 20 < across[COLS - 20] <= 30 and (np.diff(across[COLS - 20 :]) < 0.01).all()
    assert across[-1] < 1


def test_gain_of_what_is_held_is_a_tenth_of_that_of_what_is_new():
    reliable = (grid()[..., 0] < COLS / 2).astype(np.float32)
    previous = Previous(np.zeros((ROWS, COLS, 3), np.float32), reliable)
    np.testing.assert_allclose(previous.gains[:, :10], 0.1, atol=1e-3)
    np.testing.assert_allclose(previous.gains[:, -10:], 1, atol=1e-3)
    assert not previous.new[:, :10].any() and previous.new[:, COLS // 2 :].all()


def test_what_moves_in_from_an_edge_counts_more_the_farther_in_it_was():
    """From 2 pixels and twice the motion on, or from a twentieth of the rows, it counts in full."""
    moves = np.zeros((400, 60, 2), np.float32)
    assert (optical_flow.from_within(moves) == 1).all()
    moves[..., 1] = 5  # each was 5 rows lower: it moves up, in from the bottom edge
    counts = optical_flow.from_within(moves)[:, 30]
    np.testing.assert_allclose(
        counts[375:395], np.minimum(1, np.arange(19, -1, -1) / 12), atol=1e-6
    )
    assert (counts[:375] == 1).all()
    moves[..., 1] = 12
    np.testing.assert_allclose(optical_flow.from_within(moves)[377, 30], 10 / 20, atol=1e-6)


def test_tile_has_its_own_part():
    picture = np.arange(6 * 8 * 3, dtype=np.float32).reshape(6, 8, 3)
    reliable = picture[..., 0]
    tile = Tile(Span(2, 5, 0, 6), Span(4, 8, 1, 8), {})
    pixels, counts = Previous(picture, reliable).of(tile)
    np.testing.assert_array_equal(pixels, picture[np.newaxis, 2:5, 4:8])
    np.testing.assert_array_equal(counts.reshape(3, 4), reliable[2:5, 4:8])


def test_missing_opencv_is_said_in_a_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(InputError, match="pip install opencv-python-headless"):
        optical_flow.require_opencv()
