"""A run, prepared: pictures and settings checked, sizes planned, the start made."""

import numpy as np
import pytest
from PIL import Image

from stylize import backend, pictures
from stylize.errors import InputError
from stylize.job import prepare


def test_seed_decides_the_noise(small_vgg19, photo, painting):
    def start(seed):
        job = prepare(photo, painting, "athalye", seed=seed)
        return job.start(job.stages[0])

    np.testing.assert_array_equal(start(1), start(1))
    assert (start(1) != start(2)).any()
    assert start(0).std() == pytest.approx(0.256, rel=0.05)
    assert abs(start(0).mean()) < 0.01


def test_noise_is_blended_into_the_start(photo, painting):
    def start(**given):
        job = prepare(photo, painting, "keras", size="own", **given)
        return job.start(job.stages[0])

    base, noise = start(), start(init="noise")
    np.testing.assert_array_equal(base, pictures.preprocess_image(photo))
    blended = start(noise_blend=0.25)
    np.testing.assert_allclose(blended, 0.75 * base + 0.25 * noise, atol=1e-4)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"style_scale": [1, 2, 3]}, "--style_scale: give one for each style: 2, not 3"),
        ({"style_blend": [1]}, "--style_blend: give one for each style: 2, not 1"),
        ({"style_blend": [0, 0]}, "--style_blend must not add up to 0"),
        ({"style_blend": [1, -1]}, "--style_blend must be a finite number of at least 0"),
        ({"style_masks": ["a.png"]}, "--style_masks: give one for each style: 2, not 1"),
        ({"init": "none.png"}, "picture none.png: no such file"),
        ({"pooling": "min"}, "--pooling must be one of max, avg"),
        ({"preserve_colors": "hue"}, "--preserve_colors must be one of none, luma"),
    ],
)
def test_pictures_and_numbers_that_do_not_fit(given, message, photo, painting):
    with pytest.raises(InputError, match=message):
        prepare(photo, [painting, painting], "keras", **given)


def test_black_mask_is_refused(photo, painting):
    with pytest.raises(InputError, match="all of it is black; paint white"):
        prepare(photo, painting, "keras", style_masks=[np.zeros((20, 20), np.uint8)])


def test_pyramid_doubles_up_to_the_size_from_about_100_pixels():
    def sizes(width, height, **given):
        picture = Image.new("RGB", (width, height))
        return [stage[:2] for stage in prepare(picture, picture, "pyramid", **given).stages]

    assert sizes(400, 300) == [(100, 133), (200, 266), (400, 533)]
    assert sizes(300, 400, size=600) == [(150, 112), (300, 225), (600, 450)]
    assert sizes(300, 300, size=150) == [(150, 150)]
    assert sizes(300, 300, size=80, scales=2) == [(40, 40), (80, 80)]
    with pytest.raises(InputError, match="at least 16"):
        sizes(300, 300, size=64, scales=4)


@pytest.mark.parametrize(("fast", "precision"), [(True, "bfloat16"), (False, "float32")])
def test_auto_precision_is_bfloat16_only_where_that_is_fast(fast, precision, monkeypatch):
    monkeypatch.setattr(backend, "bfloat16_is_fast", lambda: fast)
    for asked, expected in [("auto", precision), ("float32", "float32"), ("float16", "float16")]:
        picture = Image.new("RGB", (300, 300))
        stages = prepare(picture, picture, "pyramid", precision=asked).stages
        assert {stage.precision for stage in stages} == {expected}
