"""The finest detail of paintings."""

import numpy as np
import pytest
from PIL import Image

from stylize.images.fineness import has_fine_detail, without_finest

LANCZOS = Image.Resampling.LANCZOS


def lines(period, rows=120, cols=150):
    """Lines that run across, with some paper's grain."""
    grain = np.random.default_rng(0).normal(0, 12, (rows, cols, 1))
    waves = 128 + 90 * np.sin(2 * np.pi * np.arange(rows) / period)[:, np.newaxis, np.newaxis]
    return Image.fromarray(np.clip(waves + grain, 0, 255).astype(np.uint8).repeat(3, axis=2))


def blurred_noise(radius):
    noise = np.random.default_rng(1).integers(0, 256, (120, 150, 3), np.uint8)
    image = Image.fromarray(noise).resize((150 * radius, 120 * radius), Image.Resampling.BICUBIC)
    return image.crop((0, 0, 150, 120))


@pytest.mark.parametrize(("period", "fine"), [(3, True), (4.6, False), (9, False)])
def test_lines_are_fine_where_they_are_three_pixels_apart(period, fine):
    assert has_fine_detail(lines(period)) == fine


def with_spectrum(share, low):
    """Noise with so much power below 2.5 pixels, beside a part of 1 from `low` to 10 pixels."""
    rng, shape = np.random.default_rng(2), (120, 150)
    frequency = np.hypot.outer(np.fft.fftfreq(shape[0]), np.fft.rfftfreq(shape[1]))
    spectrum = np.fft.rfft2(rng.normal(size=shape))
    fine, coarse = frequency >= 0.42, (frequency > 0.1) & (frequency < 1 / low)
    power = [np.square(np.abs(spectrum[part])).sum() for part in (fine, coarse)]
    spectrum[fine] *= np.sqrt(share / power[0])
    spectrum[coarse] /= np.sqrt(power[1])
    spectrum[~(fine | coarse)] = 0
    values = np.fft.irfft2(spectrum, shape)
    return Image.fromarray(np.uint8(np.clip(128 + 30 * values / values.std(), 0, 255)))


@pytest.mark.parametrize(("share", "fine"), [(0.2, False), (0.5, True)])
def test_dots_are_fine_where_more_than_a_fifth_of_all_detail_is(share, fine):
    """As in newspaper print, over larger forms."""
    assert has_fine_detail(with_spectrum(share, low=5)) == fine


@pytest.mark.parametrize("image", [blurred_noise(2), blurred_noise(4), Image.new("RGB", (40, 40))])
def test_paint_and_plain_surfaces_have_none(image):
    assert not has_fine_detail(image)


def test_without_finest_leaves_what_is_longer():
    def contrast(period):
        image = lines(period)
        return np.std(without_finest(image, 2.5, LANCZOS), axis=0).mean() / np.std(image, 0).mean()

    assert contrast(2.1) < 0.3
    assert contrast(4) > 0.9
    assert without_finest(lines(3), 2.5, LANCZOS).size == (150, 120)
