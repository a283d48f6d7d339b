"""A run, prepared: pictures and settings checked, sizes planned, the start made."""

import itertools
import math

import numpy as np
import pytest
from PIL import Image

from stylize.backend import tensors
from stylize.backend.tensors import keras
from stylize.errors import InputError
from stylize.images import resize, writing
from stylize.images.margins import Box, without_margins
from stylize.runs import level as levels
from stylize.runs import memory
from stylize.runs.job import prepare
from stylize.runs.progress import Checkpoint
from stylize.runs.recipes import RECIPES
from stylize.vgg import preprocess


def mean_and_covariance(picture):
    colors = np.asarray(picture, float).reshape(-1, 3)
    return colors.mean(0), np.cov(colors, rowvar=False)


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
    np.testing.assert_array_equal(base, preprocess.preprocess_image(photo))
    blended = start(noise_blend=0.25)
    np.testing.assert_allclose(blended, 0.75 * base + 0.25 * noise, atol=1e-4)


def test_margins_of_a_style_are_left_out_where_that_is_asked_for(photo, painting):
    framed = np.pad(painting, [(20, 20), (30, 30), (0, 0)], constant_values=255)
    box = without_margins(Image.fromarray(framed))
    assert box != Box.whole(Image.fromarray(framed))
    cropped = prepare(photo, [framed, painting], style_crop="auto").inputs
    assert cropped.style_boxes == [box, Box.whole(Image.fromarray(painting))]
    assert cropped.styles[0].size == (box.right - box.left, box.lower - box.upper)
    whole = prepare(photo, framed, style_crop="none").inputs
    np.testing.assert_array_equal(whole.styles[0], framed)


def test_paintings_have_no_period_at_the_last_size_that_would_become_a_weave(photo):
    """Grain has all periods, and at smaller sizes it keeps them."""
    rng = np.random.default_rng(0)
    grain = rng.integers(0, 256, (96, 96, 3)) + 2 * rng.integers(0, 256, (48, 48, 3)).repeat(
        2, 0
    ).repeat(2, 1)
    grain = (grain / 3).astype(np.uint8)

    def styles(period):
        job = prepare(photo, grain, RECIPES["neighbors"] | {"finest_period": period}, size=(96, 96))
        return [job.level(stage).styles[0].picture for stage in job.stages]

    *smaller, last = styles(2.5)
    *smaller_whole, whole = styles(2.0)
    np.testing.assert_array_equal(smaller, smaller_whole)
    np.testing.assert_array_equal(styles(0.01)[-1], whole)  # none is shorter than two pixels
    own, all_of_it = (np.abs(np.fft.fft2(x[..., 0])) ** 2 for x in (last, whole))
    fine = np.maximum.outer(*[np.abs(np.fft.fftfreq(96))] * 2) > 1 / 2.3
    coarse = np.hypot.outer(*[np.fft.fftfreq(96)] * 2) < 1 / 3.5
    assert own[fine].sum() < 0.15 * all_of_it[fine].sum()
    assert own[coarse].sum() > 0.9 * all_of_it[coarse].sum()


def test_paintings_smaller_than_the_result_go_on_as_their_mirror_image(photo):
    """Else they would be mostly border. Their colours are those of the painting alone."""
    rng = np.random.default_rng(0)
    painting = rng.integers(0, 256, (60, 90, 3), np.uint8)

    def styles(scale, recipe="neighbors"):
        job = prepare(photo, painting, recipe, size=(60, 90), scales=1, style_scale=scale)
        level = job.level(job.stages[0])
        return level.styles[0].picture, level.start, job.needed_mib

    small, start, needed = styles(0.4)
    assert small.shape == (60, 90, 3)
    own, own_start, own_needed = styles(0.4, RECIPES["neighbors"] | {"extend_styles": False})
    assert own.shape == (24, 36, 3)
    np.testing.assert_array_equal(small[18:42, 27:63], own)
    np.testing.assert_array_equal(small[:18, 27:63], own[17::-1])
    np.testing.assert_array_equal(small[18:42, 63:], own[:, :-28:-1])
    np.testing.assert_array_equal(start, own_start)
    assert needed > own_needed
    for scale in (1.5, 0.97, "area"):
        rows, cols, _ = styles(scale)[0].shape
        assert (rows, cols) == {1.5: (90, 135), 0.97: (58, 87)}.get(scale, (60, 90))
    assert styles([0.4], "pyramid")[0].shape == (24, 36, 3)  # as programs that it is like
    painting = painting.transpose(1, 0, 2)
    assert styles("fit")[0].shape == (60, 90, 3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"style_scale": [1, 2, 3]},
            "style_scale must have one value for each style: 2 in all, not 3",
        ),
        ({"style_blend": [1]}, "style_blend must have one value for each style: 2 in all, not 1"),
        ({"style_blend": [0, 0]}, "style_blend must not add up to 0"),
        ({"style_blend": [1, -1]}, "style_blend must be a finite number of at least 0"),
        (
            {"style_masks": ["a.png"]},
            "style_masks must have one value for each style: 2 in all, not 1",
        ),
        ({"learning_rate": 3}, "learning_rate needs optimizer adam, or recipe athalye"),
        ({"init": "none.png"}, "picture none.png: no such file"),
        ({"init": "nois"}, "init must be base, recolored, noise or a picture; there is no nois"),
        ({"init": 5}, "init must be a path, a Pillow image or a uint8 array; received int"),
        (
            {"content_mask": np.ones((20, 20))},
            "content_mask as an array must be uint8 .* received float64",
        ),
        ({"scratch": 5}, "scratch must be a writable folder, or auto, received 5"),
        ({"evaluations_per_iteration": 0}, "evaluations_per_iteration must be a whole number"),
        ({"evaluations_per_iteration": math.nan}, "evaluations_per_iteration must be a whole num"),
        ({"evaluations_per_iteration": "a"}, "evaluations_per_iteration must be a whole number"),
        ({"pooling": "min"}, "pooling must be one of max, avg"),
        ({"preserve_colors": "hue"}, "preserve_colors must be one of none, luma"),
    ],
)
def test_pictures_and_numbers_that_do_not_fit(given, message, photo, painting):
    with pytest.raises(InputError, match=message):
        prepare(photo, [painting, painting], "keras", **given)


def test_black_mask_is_refused(photo, painting):
    with pytest.raises(InputError, match="it is all black; paint white"):
        prepare(photo, painting, "keras", style_masks=[np.zeros((20, 20), np.uint8)])


def test_pyramid_doubles_up_to_the_size_from_about_100_pixels():
    def sizes(width, height, **given):
        picture = Image.new("RGB", (width, height))
        return [stage[:2] for stage in prepare(picture, picture, "pyramid", **given).stages]

    assert sizes(400, 300) == [(100, 133), (200, 266), (400, 533)]
    assert sizes(300, 400, size=600) == [(150, 112), (300, 225), (600, 450)]
    assert sizes(300, 300, size=150) == [(150, 150)]
    assert sizes(300, 300, size=80, scales=2) == [(40, 40), (80, 80)]
    with pytest.raises(InputError, match="scales must be smaller: the first of 4 sizes"):
        sizes(300, 300, size=64, scales=4)


def test_neighbors_begin_at_48_pixels_whatever_the_size():
    def stages(width, height, **given):
        picture = Image.new("RGB", (width, height))
        return prepare(picture, picture, "neighbors", **given).stages

    assert [stage[:2] for stage in stages(400, 300)] == [
        (48, 64),
        (97, 129),
        (197, 262),
        (400, 533),
    ]
    for size in (70, 150, 300, 1000):
        sizes = [stage.rows for stage in stages(300, 300, size=size)]
        assert sizes[0] == 48 and sizes[-1] == size
        assert all(1.4 < b / a < 2.9 for a, b in itertools.pairwise(sizes))
    assert [stage.rows for stage in stages(300, 300, size=60)] == [60]
    assert [stage.rows for stage in stages(300, 300, size=80, scales=2)] == [40, 80]


def test_johnson_s_size_is_the_longer_side_and_so_is_the_styles():
    photo, style = Image.new("RGB", (300, 400)), Image.new("RGB", (500, 200))
    job = prepare(photo, style, "johnson", size=200, style_scale=0.5)
    assert [stage[:2] for stage in job.stages] == [(71, 53), (100, 75), (141, 105), (200, 150)]
    assert job.styles(job.stages[-1])[0].picture.shape == (40, 100, 3)
    assert prepare(photo, style, "johnson", size="own").stages[-1][:2] == (400, 300)


def test_crowson_s_sizes_grow_by_the_root_of_two_and_styles_are_not_enlarged():
    photo, style = Image.new("RGB", (400, 300)), Image.new("RGB", (200, 90))
    job = prepare(photo, style, "crowson")
    assert [stage.cols for stage in job.stages] == [128, 181, 256, 362, 512]
    assert [stage.rows for stage in job.stages] == [96, 136, 192, 272, 384]
    assert job.styles(job.stages[0])[0].picture.shape == (58, 128, 3)
    assert job.styles(job.stages[-1])[0].picture.shape == (90, 200, 3)


def test_small_sizes_have_more_evaluations():
    picture = Image.new("RGB", (400, 300))
    stages = prepare(picture, picture, "neighbors", iterations=2).stages
    assert [stage.total_evaluations for stage in stages] == [40, 36, 32, 28]


def test_recolored_start_has_the_styles_colours(photo, painting):
    job = prepare(photo, painting, "pyramid", size=40, init="recolored")
    (stage,) = job.stages
    start = mean_and_covariance(job.start(stage))
    expected = mean_and_covariance(job.styles(stage)[0].picture)
    for own, other in zip(start, expected, strict=True):
        np.testing.assert_allclose(own, other, rtol=0.15, atol=5)  # but for what is clipped
    np.testing.assert_array_equal(job.base(stage), preprocess.preprocess_image(photo))
    both = {"init": "recolored", "content_colors": "recolored"}
    recolored = prepare(photo, painting, "pyramid", size=40, **both)
    np.testing.assert_array_equal(recolored.base(stage), job.start(stage))


def test_recoloured_start_of_kept_colours_is_nearly_the_photo(photo, painting):
    """The style has the photo's colours by then: there is nothing to move."""
    given = {"init": "recolored", "preserve_colors": "linear"}
    job = prepare(photo, painting, "pyramid", size=40, **given)
    (stage,) = job.stages
    np.testing.assert_allclose(job.start(stage), preprocess.preprocess_image(photo), atol=0.5)


def test_recoloured_regions_follow_their_masks(photo, painting):
    left = np.zeros((40, 48), np.uint8)
    left[:, :24] = 255
    styles = [painting, 255 - painting]
    given = {"init": "recolored", "style_masks": [left, 255 - left]}
    job = prepare(photo, styles, "pyramid", size=40, **given)
    (stage,) = job.stages
    for part, style in ((slice(0, 24), 0), (slice(24, 48), 1)):
        own, _ = mean_and_covariance(job.start(stage)[:, part])
        expected, _ = mean_and_covariance(job.styles(stage)[style].picture)
        np.testing.assert_allclose(own, expected, atol=6)


def test_content_mask_holds_what_the_map_of_detail_would_leave(photo, painting):
    plain = np.full((40, 48, 3), 128, np.uint8)
    left = np.zeros((40, 48), np.uint8)
    left[:, :24] = 255
    job = prepare(plain, painting, "neighbors", size=40, content_mask=left)
    (stage,) = job.stages
    np.testing.assert_array_equal(job.level(stage).content_mask, left / 255)
    shares = job.level(stage).query_content
    assert (shares[:, :24] == 1).all() and shares[:, 24:] == pytest.approx(0.9)


def test_memory_foreseen_grows_with_all_that_needs_it(photo, painting):
    def needed(styles=1, **given):
        job = prepare(photo, [painting] * styles, **({"recipe": "neighbors", "size": 400} | given))
        return job.needed_mib

    assert needed() > needed(size=300)
    assert needed(styles=2) > needed()
    assert needed(style_turns=1) > needed()
    assert needed(style_scale=2.0) > needed()
    assert needed(precision="float32") > needed(precision="bfloat16")
    assert needed() > needed(neighbor_weight=0)


@pytest.mark.parametrize(("strength", "given"), [(0.5, 1.0), (0.75, 0.5), (1.0, 0.0)])
def test_larger_size_begins_with_the_detail_that_the_smaller_could_not_show(
    photo, painting, strength, given
):
    """What was the photo, and so lost nothing but its detail, is the photo again."""
    job = prepare(photo, painting, "neighbors", size=40, scales=2, strength=strength)
    before, level = map(job.level, job.stages)
    small, large = before.base, level.base
    blurred = resize.enlarge(small, 40, 48)
    assert abs(large - blurred).mean() > 0.5
    expected = blurred + given * (large - blurred)
    np.testing.assert_allclose(level.enlarged(small, before), expected, atol=1e-3)


def test_other_recipes_add_nothing_to_a_larger_size(photo, painting):
    job = prepare(photo, painting, "pyramid", size=40, scales=2)
    before, level = map(job.level, job.stages)
    x = before.start
    np.testing.assert_array_equal(level.enlarged(x, before), resize.enlarge(x, 40, 48))


def test_turns_without_neighbors_are_refused(photo, painting):
    with pytest.raises(InputError, match="style_turns needs a neighbor_weight"):
        prepare(photo, painting, "pyramid", style_turns=1)


def test_a_loss_without_weights_is_refused(photo, painting):
    nothing = {"content_weight": 0, "style_weight": 0, "tv_weight": 0}
    with pytest.raises(InputError, match="^style_weight and all other weights are 0: nothing"):
        prepare(photo, painting, "pyramid", **nothing)
    prepare(photo, painting, "pyramid", **nothing | {"tv_weight": 1})


def test_strength_turns_what_is_looked_up(photo, painting):
    def shares(strength):
        job = prepare(photo, painting, "neighbors", size=40, strength=strength)
        return job.level(job.stages[-1]).query_content

    assert (shares(0) == 1).all() and (shares(1) == 0).all()
    assert shares(0.5).min() >= 0.799 and shares(0.5).max() <= 1
    assert (shares(0.25) >= shares(0.5)).all() and (shares(0.5) >= shares(0.75)).all()


@pytest.mark.parametrize(("fast", "precision"), [(True, "bfloat16"), (False, "float32")])
def test_auto_precision_is_bfloat16_only_where_that_is_fast(fast, precision, monkeypatch):
    monkeypatch.setattr(tensors, "bfloat16_is_fast", lambda: fast)
    for asked, expected in [("auto", precision), ("float32", "float32"), ("float16", "float16")]:
        picture = Image.new("RGB", (300, 300))
        stages = prepare(picture, picture, "pyramid", precision=asked).stages
        assert {stage.precision for stage in stages} == {expected}


def test_style_takes_the_photos_mean_and_covariance_where_colours_are_kept(photo, painting):
    job = prepare(photo, painting, "pyramid", size=40, preserve_colors="linear")
    (stage,) = job.stages
    (style,) = job.styles(stage)
    for kept, expected in zip(
        mean_and_covariance(style.picture), mean_and_covariance(job.base(stage)), strict=True
    ):
        np.testing.assert_allclose(kept, expected, rtol=1e-4, atol=0.01)


def test_style_takes_the_photos_histogram_where_colours_are_kept(photo, painting):
    job = prepare(photo, painting, "pyramid", size=40, preserve_colors="histogram")
    (stage,) = job.stages
    (style,) = job.styles(stage)
    base = job.base(stage)
    for channel in range(3):
        quantiles = [np.percentile(p[..., channel], range(5, 100)) for p in (style.picture, base)]
        np.testing.assert_allclose(*quantiles, atol=4)


def test_luma_keeps_the_photos_chroma(photo, painting):
    job = prepare(photo, painting, "pyramid", size=40, preserve_colors="luma")
    (stage,) = job.stages
    flat = np.tile(np.float64([10, -5, 3]), (40, 48, 1))
    kept = Image.fromarray(writing.quantize(job.to_pixels(stage)(flat)))
    chroma = [np.asarray(i.convert("YCbCr"), int)[..., 1:] for i in (kept, Image.fromarray(photo))]
    inside = (np.asarray(kept) > 0).all(-1) & (np.asarray(kept) < 255).all(-1)  # RGB has these
    assert inside.mean() > 0.2
    np.testing.assert_allclose(chroma[0][inside], chroma[1][inside], atol=2)


def test_masks_are_resized_and_go_with_their_styles(photo, painting):
    left = np.zeros((20, 31), np.uint8)
    left[:, :15] = 255
    job = prepare(
        photo, [painting] * 2, "pyramid", size=40, style_masks=[left, 255 - left], content_mask=left
    )
    (stage,) = job.stages
    first, second = (style.mask for style in job.styles(stage))
    assert first.shape == (40, 48)
    assert (first[:, :20] > 0.9).all() and (first[:, 28:] < 0.1).all()
    np.testing.assert_allclose(first + second, 1, atol=0.01)
    np.testing.assert_array_equal(job.level(stage).content_mask, first)


def tiles(allowed, size=(800, 1000), **given):
    """The tile at each size of a run that may take so many GiB."""
    picture = Image.new("RGB", size[::-1])
    given = {"size": size, "scales": 1, "precision": "float32", "memory": allowed} | given
    return [stage.tile for stage in prepare(picture, picture, "pyramid", **given).stages]


def test_tiles_are_the_largest_that_fit_and_none_where_all_fits():
    (large,), (small,) = tiles(3.2), tiles(2.2)
    assert large > small > 0
    assert tiles(99) == [None]
    assert tiles(99, tile=300) == [300]
    assert tiles(99, tile=3000) == [None]
    assert tiles("auto", tile="off") == [None]
    assert tiles(3.2, scales=3) == [None, None, large]


def test_faster_ways_to_save_memory_come_first():
    """Files cost less than tiles, and tiles less the larger they are."""
    stage = prepare(Image.new("RGB", (900, 900)), Image.new("RGB", (900, 900)), size=900).stages[-1]
    settings, layers = RECIPES["pyramid"], ["block5_conv1"]
    ways = [(s.tile, s.in_files) for s in memory.choices(stage, settings, layers)]
    assert ways[:3] == [(None, False), (None, True), (768, False)]
    assert ways[-1] == (128, True)
    assert {files for _, files in ways} == {True, False}
    scipy = memory.choices(stage, settings | {"optimizer": "scipy"}, layers)
    assert not any(choice.in_files for choice in scipy)


def test_files_are_taken_where_memory_is_short():
    def stage(gib):
        picture = Image.new("RGB", (3000, 2000))
        given = {"size": 2000, "scales": 1, "precision": "float32", "memory": gib}
        return prepare(picture, picture, "pyramid", **given).stages[-1]

    assert not stage(99).in_files and stage(99).tile is None
    assert stage(2.6).in_files and stage(2.6).tile
    with pytest.raises(InputError, match="choose a smaller size or a larger memory$"):
        stage(1.2)


def test_large_sizes_only_refine():
    """They have fewer evaluations."""
    job = prepare(Image.new("RGB", (1600, 900)), Image.new("RGB", (50, 50)), size=2400, memory=999)
    assert [stage.rows * stage.cols > 1.2e6 for stage in job.stages] == [False] * 5 + [True] * 2
    assert [s.evaluations_per_iteration for s in job.stages] == [20, 18, 17, 15, 14, 5, 5]


def test_memory_foreseen_is_less_in_tiles(photo, painting):
    def needed(**given):
        return prepare(photo, painting, "neighbors", size=1000, memory=99, **given).needed_mib

    assert needed(tile=128) < needed(tile=256) < needed(tile="off")


def test_memory_that_not_even_the_smallest_tile_fits_in_is_refused():
    message = "1000x800 pixels need about .* GiB of memory in tiles of 128, and 1.0 may be taken; "
    with pytest.raises(InputError, match=message + "choose a smaller size"):
        tiles(1.0)
    with pytest.raises(InputError, match="GiB of memory, and 1.0 may be taken"):
        tiles(1.0, tile="off")
    told = "the program alone takes 0.9: free some, or give a larger {}memory"
    with pytest.raises(InputError, match=told.format("") + "$") as caught:
        tiles(0.5)
    assert caught.value.option.endswith(told.format("--"))


def test_refusal_for_memory_names_the_size_that_was_asked_for(photo, painting):
    """Not one of the smaller sizes, which come first and may be too large as well."""
    with pytest.raises(InputError, match="^1920x1600 pixels need about"):
        prepare(photo, painting, size=1600, memory=0.95)


def test_what_is_needed_and_what_may_be_taken_look_different():
    assert memory.told_apart(1500, 1024) == ("1.5", "1.0")
    assert memory.told_apart(1060, 1024) == ("1.04", "1.00")
    assert memory.told_apart(1025, 1024) == ("1.001", "1.000")


def test_no_style_is_refused(photo):
    with pytest.raises(InputError, match="at least one style"):
        prepare(photo, [])


def test_auto_takes_four_fifths_of_what_is_free(monkeypatch):
    monkeypatch.setattr(tensors, "free_memory", lambda: 99 * 1024)
    assert tiles("auto") == [None]
    monkeypatch.setattr(tensors, "free_memory", lambda: 3.5 * 1024 / 0.8)
    assert tiles("auto") == tiles(3.5)


def test_colours_and_detail_of_a_large_photo_are_measured_on_a_smaller_one(
    monkeypatch, photo, painting
):
    """And come out as if they had been measured on all of it, nearly."""

    def parts():
        job = prepare(photo, painting, "neighbors", size=160, scales=1)
        (stage,) = job.stages
        return job.start(stage), job.level(stage).content_mask

    expected = parts()
    monkeypatch.setattr(levels, "MEASURED", 80 * 96)
    monkeypatch.setattr(resize, "STRIP", 2000)  # pixels: ten rows or so at once
    start, mask = parts()
    assert np.abs(start - expected[0]).mean() < 1  # gray level
    assert np.abs(mask - expected[1]).mean() < 0.02
    assert (start != expected[0]).any()


@pytest.mark.parametrize("kept", ["none", "luma"])
def test_rounded_pixels_are_those_of_the_whole_picture(monkeypatch, photo, painting, kept):
    job = prepare(photo, painting, "keras", size=40, preserve_colors=kept)
    (stage,) = job.stages
    x = np.random.default_rng(0).uniform(-200, 200, (40, 48, 3))
    to_pixels = job.to_pixels(stage)
    monkeypatch.setattr(resize, "STRIP", 500)
    np.testing.assert_array_equal(to_pixels(x, 8), np.rint(to_pixels(x)).astype(np.uint8))
    np.testing.assert_array_equal(to_pixels(x, 16), np.rint(257 * to_pixels(x)).astype(np.uint16))


def test_first_size_paints_however_large_it_is():
    """There is nothing yet that it could refine."""
    picture = Image.new("RGB", (1600, 1200))
    (alone,) = prepare(picture, picture, size=1200, scales=1, memory=999).stages
    assert alone.evaluations_per_iteration == 14
    first, last = prepare(picture, picture, size=2400, scales=2, memory=999).stages
    assert [stage.evaluations_per_iteration for stage in (first, last)] == [14, 5]


def test_memory_foreseen_counts_pictures_and_every_style(photo, painting):
    def needed(photo, styles):
        given = {"size": 2000, "memory": 99, "tile": 512, "neighbor_weight": 0}
        return prepare(photo, styles, "neighbors", **given).needed_mib

    large = Image.new("RGB", (4000, 3000))  # 34 MiB
    small = Image.new("RGB", (400, 300))
    assert needed(large, [small]) - needed(small, [small]) == pytest.approx(34, abs=1)
    more = needed(small, [small, small.copy()]) - needed(small, [small])
    assert more == pytest.approx(2000 * 2666 * 12 / 2**20, rel=0.02)


def test_disk_foreseen_counts_the_targets_of_tiles():
    picture = Image.new("RGB", (1024, 1024))
    given = {"size": 1024, "scales": 1, "memory": 99, "tile": 256}
    files, _ = prepare(picture, picture, "pyramid", **given).needed_disk_mib
    assert files == pytest.approx(4 * 512 / 64)  # block4_conv2: 512 channels, 1 position in 8 x 8
    assert prepare(picture, picture, "pyramid", **given | {"tile": "off"}).needed_disk_mib[0] == 0


def test_panorama_starts_where_its_short_side_is_long_enough():
    panorama, style = Image.new("RGB", (3000, 300)), Image.new("RGB", (400, 300))
    stages = prepare(panorama, style, "crowson", size=512).stages
    assert min(stages[0][:2]) >= resize.SMALLEST_SIDE


def test_sizes_on_the_way_have_the_shape_that_is_asked_for():
    strip, style = Image.new("RGB", (100, 1000)), Image.new("RGB", (400, 300))
    stages = prepare(strip, style, "neighbors", size=(400, 400)).stages
    assert len(stages) > 2
    assert all(stage.rows == stage.cols for stage in stages)


@pytest.mark.parametrize(
    ("tiles", "said"),
    [
        ([64], "must be a list of 2, one value for each stage"),
        (64, "must be a list of 2"),
        ("64", "must be a list of 2"),
        ([None, 8], "must be a whole number of at least 16.*, received 8"),
        (["auto", 64], "must be a whole number .*, received 'auto'"),
    ],
)
def test_tiles_that_cannot_be_are_refused(tiles, said, photo, painting):
    job = prepare(photo, painting, "pyramid", size=96, scales=2)
    with pytest.raises(InputError, match=f"^tiles {said}"):
        job.with_tiles(tiles)
    assert [stage.tile for stage in job.with_tiles([None, 64]).stages] == [None, 64]


def test_pictures_in_memory_are_called_by_their_arguments(photo, painting):
    for given, said in [
        ((None, painting), "base must be a path, a Pillow image or a uint8 array; received None"),
        ((photo.tobytes(), painting), "base must be a path, .* received bytes$"),
        (
            (photo / 255, painting),
            r"base as an array must .* received float64 .*\(255 \* x.clip\(0, 1\)\).round\(\)",
        ),
        ((photo / 250, painting), r"base .* for values 0..1, give"),  # as after a resize
        ((photo * np.nan, painting), "base .* some of its values are not finite numbers$"),
        ((photo[np.newaxis], painting), r"base .* give one picture of it, such as x\[0\]$"),
        (
            (photo.astype(float), painting),
            r"base .* for values 0..255, give x.clip\(0, 255\).round\(\)",
        ),
        ((photo.astype(int), painting), r"base .* for values 0..255, give x.astype\('uint8'\)"),
        ((photo * np.uint16(257), painting), r"base .* 0..65535, give \(x / 257\).round\(\)"),
        ((photo.astype(int) * 257, painting), r"base .* 0..65535, give \(x / 257\).round\(\)"),
        ((photo / 127.5 - 1, painting), r"base .* for values -1..1, give \(127.5 \* "),
        ((photo - 128.0, painting), "base .* some of its values are below 0$"),
        ((photo.transpose(2, 0, 1), painting), "base as an array .* move the channels to the end"),
        ((keras.ops.ones((40, 48, 3)), painting), "base must be a path.*; convert it to a NumPy"),
        ((photo, [painting, painting / 255]), "style_reference as an array must be uint8"),
        ((photo, painting[:4, :4]), "style_reference: 4x4 pixels is too small"),
    ]:
        with pytest.raises(InputError, match=f"^{said}"):
            prepare(*given)


def test_checkpoint_of_another_run_is_refused(photo, painting):
    """It would go on with losses and steps that are not those of this run."""
    job = prepare(photo, painting, "keras", size=24)
    own = Checkpoint(0, job.start(job.stages[0]), run=job.key)
    again = prepare(photo, painting, "keras", size=24, memory=10)
    assert again.resumed(own).start is own.start
    assert job.resumed(own._replace(run="")).start is own.start  # a start of one's own
    for other in [
        prepare(photo, painting, "keras", size=24, content_weight=1),
        prepare(photo, painting, "keras", size=24, optimizer="adam"),
        prepare(painting, photo, "keras", size=24),
    ]:
        with pytest.raises(InputError, match="checkpoint must be of this run"):
            other.resumed(own)
    for wrong, message in [
        (own._replace(stage=3), "checkpoint must be of this run"),
        (own._replace(start=own.start[:9], run=""), r"shape \(24, 28, 3\) at stage 0, not"),
    ]:
        with pytest.raises(InputError, match=message):
            job.resumed(wrong)
    with pytest.raises(InputError, match="checkpoint must be a Checkpoint, .* received str"):
        job.resumed("foo")


def test_memory_that_is_no_number_is_named(photo, painting):
    with pytest.raises(InputError, match="^mib must be a number, received str$"):
        prepare(photo, painting).within("a")
