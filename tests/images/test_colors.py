"""Colours. The oracles are means and covariances, closed forms, and Pillow."""

import numpy as np
import pytest
from PIL import Image

from stylize.images import colors
from stylize.images.colors import KNEE, LEAST_DEVIATION, recoloring, shade_limits


def recolored(photo, styles, shares):
    return recoloring(photo, styles, shares)(photo, shares)


def within_range(values):
    return colors.within_range(values, shade_limits(values))


def moments(picture):
    flat = picture.reshape(-1, 3)
    return flat.mean(0), np.cov(flat, rowvar=False, bias=True)


def test_mean_and_covariance_become_the_styles(photo, painting):
    result = recolored(photo, [painting], [1.0])
    for own, expected in zip(moments(result), moments(painting.astype(float)), strict=True):
        np.testing.assert_allclose(own, expected, rtol=1e-6, atol=1e-6)


def test_its_own_style_changes_nothing(photo):
    np.testing.assert_allclose(recolored(photo, [photo], [1.0]), photo, atol=1e-6)


def test_channels_apart_are_scaled_and_shifted():
    """Closed form for diagonal covariances: each channel by the ratio of deviations."""
    rng = np.random.default_rng(0)
    photo = rng.permuted(np.tile(np.linspace(-1, 1, 3000), (3, 1)), axis=1).T.reshape(60, 50, 3)
    photo, style = photo * [40, 50, 60], photo * [80, 25, 60] + [10, 20, 30]
    np.testing.assert_allclose(
        recolored(photo, [style], [1.0]), photo * [2, 0.5, 1] + [10, 20, 30], atol=4
    )


def test_noise_of_a_gray_photo_is_not_spread_out():
    rng = np.random.default_rng(0)
    gray = np.repeat(rng.uniform(0, 255, (50, 60, 1)), 3, axis=2)
    noisy = gray + rng.normal(0, 0.5, gray.shape)
    style = rng.normal(128, 50, (50, 60, 3))
    difference = recolored(noisy, [style], [1.0]) - recolored(gray, [style], [1.0])
    assert difference.std() < 0.6 * 50 / LEAST_DEVIATION


def test_blend_is_the_mean_by_shares(photo, painting):
    other = painting[::-1] // 2
    blend = recolored(photo, [painting, other], [3.0, 1.0])
    apart = [recolored(photo, [style], [1.0]) for style in (painting, other)]
    np.testing.assert_allclose(blend, 0.75 * apart[0] + 0.25 * apart[1], atol=1e-9)


def test_masked_regions_take_their_own_styles_colours(photo, painting):
    other = painting[::-1] // 3
    left = np.zeros(photo.shape[:2])
    left[:, :24] = 1
    result = recolored(photo, [painting, other], [left, 1 - left])
    for part, style in ((result[:, :24], painting), (result[:, 24:], other)):
        for own, expected in zip(moments(part), moments(style.astype(float)), strict=True):
            np.testing.assert_allclose(own, expected, rtol=0.01, atol=0.5)


def test_soft_edges_are_blended_and_the_rest_stays(photo, painting):
    mask = np.zeros(photo.shape[:2])
    mask[:, :20], mask[:, 20:24] = 1, 0.5
    result = recolored(photo, [painting, painting // 3], [mask, (mask == 0.5) * 0.5])
    np.testing.assert_array_equal(result[:, 24:], photo[:, 24:])
    alone = [
        recolored(photo, [painting], [mask]),
        recolored(photo, [painting // 3], [(mask == 0.5) * 0.5]),
    ]
    edge = (slice(None), slice(20, 24))
    np.testing.assert_allclose(result[edge], (alone[0][edge] + alone[1][edge]) / 2, atol=1e-9)


@pytest.mark.parametrize("constant", [0, 255])
def test_plain_pictures_become_plain(constant, painting):
    plain = np.full((20, 20, 3), constant)
    expected = np.broadcast_to(painting.reshape(-1, 3).mean(0), plain.shape)
    np.testing.assert_allclose(recolored(plain, [painting], [1.0]), expected, atol=1e-6)


# --- The photo's own colours kept ---------------------------------------------------------


def mean_and_covariance(image):
    pixels = np.asarray(image, float).reshape(-1, 3)
    return pixels.mean(axis=0), np.cov(pixels, rowvar=False)


def test_values_within_the_range_stay():
    values = np.linspace(0, 255, 100)
    np.testing.assert_allclose(within_range(values), values, atol=1e-9)


@pytest.mark.parametrize("sign", [1, -1])
def test_values_beyond_the_range_keep_their_shades(sign):
    values = 127.5 + sign * (np.linspace(0, 400, 10001) - 127.5)  # to 145 beyond one bound
    result = 127.5 + sign * (within_range(values) - 127.5)  # as if it were the upper one
    original = np.linspace(0, 400, 10001)
    assert result.min() >= 0 and result.max() == pytest.approx(255)
    assert (np.diff(result[original < 399]) > 0).all()  # none is flattened into another
    inside = original < KNEE * 255
    np.testing.assert_allclose(result[inside], original[inside], atol=1e-9)
    assert (np.diff(result) < np.diff(original) + 1e-9).all()  # no edge becomes steeper


@pytest.mark.parametrize("cholesky", [False, True])
def test_linear_gives_the_style_the_contents_mean_and_covariance(cholesky, photo, painting):
    matched = colors.match_mean_and_covariance(painting, photo, cholesky)
    for received, expected in zip(
        mean_and_covariance(matched), mean_and_covariance(photo), strict=True
    ):
        np.testing.assert_allclose(received, expected, rtol=1e-3, atol=1e-3)


def test_linear_is_the_identity_for_a_picture_and_itself(photo):
    np.testing.assert_allclose(colors.match_mean_and_covariance(photo, photo), photo, atol=1e-6)


@pytest.mark.parametrize("cholesky", [False, True])
def test_linear_with_a_gray_style_falls_back_to_what_can_be_had(cholesky, photo, painting):
    gray = Image.fromarray(painting).convert("L").convert("RGB")
    matched = colors.match_mean_and_covariance(gray, photo, cholesky)
    assert np.isfinite(matched).all()
    np.testing.assert_allclose(matched.mean((0, 1)), photo.mean((0, 1)))


def test_histogram_gives_each_channel_the_contents_values(photo, painting):
    matched = colors.match_histograms(painting, photo)
    for channel in range(3):
        percentiles = [np.percentile(i[..., channel], range(5, 100, 10)) for i in (matched, photo)]
        np.testing.assert_allclose(*percentiles, atol=6)


def test_luma_is_the_results_and_chroma_the_contents(photo, painting):
    result = Image.fromarray(painting).resize((48, 40))
    ycbcr = np.asarray(Image.fromarray(photo).convert("YCbCr")).copy()
    ycbcr[..., 0] = np.asarray(result.convert("YCbCr"))[..., 0]
    expected = Image.frombytes("YCbCr", (48, 40), ycbcr.tobytes()).convert("RGB")
    kept = colors.keep_luma(result, Image.fromarray(photo))
    # Pillow rounds Y, Cb, Cr and the result to whole numbers.
    np.testing.assert_allclose(kept, np.asarray(expected, float), atol=4)
