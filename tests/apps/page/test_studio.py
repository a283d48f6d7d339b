"""What the page's events call, without a browser: turns, Stop, limits, visitors who leave."""

import errno
import itertools
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import tracemalloc
import zipfile
from collections import deque
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import smooth_picture
from PIL import Image

import neural_style_transfer as nst
from stylize.errors import InputError
from stylize.images import apart
from stylize.images.clips import open_clip
from stylize.images.colors import COLOR_METHODS
from stylize.images.ffmpeg import Mp4Writer, find_ffmpeg
from stylize.images.reading import load_image
from stylize.runs import forecast, memory, metadata
from stylize.runs.forecast import Pace
from stylize.runs.job import prepare
from stylize.runs.recipes import choose_settings

gr = pytest.importorskip("gradio", reason="the page needs requirements-app.txt")
studios = pytest.importorskip("stylize.apps.page.studio")
from stylize.apps.page import allowance, asked, choices, previews  # noqa: E402
from stylize.apps.page import easel as easels  # noqa: E402
from stylize.apps.page.allowance import Allowance  # noqa: E402
from stylize.apps.page.controls import COLOURS, CONTROLS, DEFAULT_ROWS, DEFAULTS  # noqa: E402
from stylize.apps.page.series import Series, download_name  # noqa: E402
from stylize.apps.page.shown import CHOICES_HIDDEN, NOT_YET, THERE, Row  # noqa: E402

VISITOR = SimpleNamespace(session_hash="a visitor")
# What results of `three` are called:
CAT, DOG = "cat_painting_0.5_size_24", "dog_painting_0.5_size_24"
ENDLESS = 10_000  # iterations
WHATSAPP = "WhatsApp_Image_2024-05-01_at_10_33_12"
SMALL = "size 24, iterations 1"  # what `painting_of(1)` sets, as captions have it
UNCHANGED = [studios.Shown(gr.skip())]  # on the page


@pytest.fixture
def read_here(monkeypatch):
    """Uploads are read in this process: to start another takes longer than to paint them."""

    def load_image_here(path, name, max_pixels, ending):
        return load_image(path, name, max_pixels)

    def load_keep_mask_here(path, name, max_pixels, ending, side=None):
        image, about = apart.READERS["keep_mask"](path, name, max_pixels, side)
        return apart.Mask(image, *about)

    def preview_here(path, name, max_pixels, ending, side):
        return apart.Preview(*apart.READERS["preview"](path, name, max_pixels, side))

    monkeypatch.setattr(easels, "load_image_apart", load_image_here)
    monkeypatch.setattr(easels, "load_keep_mask_apart", load_keep_mask_here)
    monkeypatch.setattr(previews, "load_keep_mask_apart", load_keep_mask_here)
    monkeypatch.setattr(previews, "preview_apart", preview_here)


@pytest.fixture
def studio(small_vgg19, tmp_path, read_here):
    """It may paint up to 64 pixels, for a minute, four photos at once, or a clip of four frames."""
    allowed = Allowance(size=64, seconds=60, photos=4, frames=4, pixels=10_000)
    (tmp_path / "page").mkdir()
    return studios.Studio(small_vgg19, tmp_path / "page", allowed)


def allow(studio, **limits):
    """Sets other limits."""
    studio.allowed = studio._easel._allowed = studio.allowed._replace(**limits)


@pytest.fixture
def painting_of(studio, photo_path, painting_path, monkeypatch):
    """A function that asks for pictures as the page does; returns the events' generator."""
    on_evaluation = easels.Watch.on_evaluation

    def unhurried(self, evaluation):
        time.sleep(0.02)  # else a run without end finds a minimum within a second
        on_evaluation(self, evaluation)

    def ask(
        iterations,
        size=24,
        photos=(photo_path,),
        painting=painting_path,
        mask=None,
        is_choice=False,
        **more,
    ):
        given = {name: DEFAULTS[name] for name in CONTROLS}
        given |= {"size": size, "iterations": iterations} | more
        if iterations == ENDLESS:
            monkeypatch.setattr(easels.Watch, "on_evaluation", unhurried)
        studio.enter(VISITOR, asked.Asked(photos, painting, mask, given), is_choice)
        return studio.paint(VISITOR.session_hash)

    return ask


def until_picture(events):
    """Follows until the first picture is shown."""
    return next(picture for _, picture, *_ in events if is_picture(picture))


def is_picture(value):
    return hasattr(value, "size")


def last_words(events):
    """How it ended; what is said of the pictures is below."""
    *_, (words, *_) = events
    return words.partition("\n\n")[0]


@pytest.fixture
def three(photo_path, tmp_path):
    """Three photos in folders of their own, as uploads are; two have the same name."""
    photos = [tmp_path / place for place in ("1/cat.png", "2/cat.png", "3/dog.png")]
    for photo in photos:
        photo.parent.mkdir()
        shutil.copy(photo_path, photo)
    return photos


def packed(shown, folder):
    """Unpacks what may be downloaded. Returns the files, sorted."""
    with zipfile.ZipFile(shown.download.value["path"]) as archive:
        assert archive.testzip() is None
        archive.extractall(folder)
    return sorted(folder.iterdir())


def test_painting_ends_with_a_picture_that_says_how_it_was_made(studio, painting_of):
    shown = list(painting_of(2))
    caption = "photo.png + painting.png, strength 0.5, size 24"
    assert shown[-1].words == f"Done: 28x24 pixels\n\n{caption}"
    result = shown[-1].download.value["path"]
    *_, picture = (s.picture for s in shown if is_picture(s.picture))
    *_, plot = (s.plot for s in shown if hasattr(s.plot, "axes"))
    assert np.array_equal(picture, load_image(result))
    assert plot.axes
    record = metadata.read_record(result)
    assert (record["base"]["name"], record["settings"]["iterations"]) == ("photo.png", 2)


def test_time_is_foreseen_by_the_pace_of_the_machine(studio, photo_path, tmp_path):
    """A unit of work is a pixel of an evaluation; reading takes three seconds."""
    default = {name: DEFAULTS[name] for name in CONTROLS}

    def said(photos=(photo_path,), **given):
        words = studio.foresight.words(
            photos, None, default | {"size": 48, "iterations": 5} | given
        )
        return words.partition(" *Show me")[0]

    assert said() == ""  # it is not measured yet
    studio.foresight._pace = Pace(1e-4, 1.0, 0.5)
    assert (
        said() == "*Paint* takes about 40s."
    )  # 5 * 20 evaluations of 48 x 57 + 2500 pixels, and 4
    assert said(iterations=1) == "*Paint* takes about 10s."
    together = "*Paint* takes about 80s for all 2 photos."
    assert said([photo_path, photo_path]) == together
    assert "*Paint* would take about 2 min, but painting stops after 60s here." in said(
        iterations=20
    )
    too_large = "The result would be 120x100 pixels; the limit here is 64 on the longer side."
    assert said(size=100) == f"{too_large} Choose at most 54 rows."
    assert "would be 64x54" not in said(size=54) and "would be 66x55" in said(size=55)
    assert said([]) == ""
    Image.new("RGB", (315, 25)).save(tmp_path / "wide.png")
    long = (
        "The photo is too long and narrow: at 64 pixels on the longer side, the limit here, the "
        "shorter side would have fewer than 16. Crop the photo."
    )
    wide = said([tmp_path / "wide.png"], size=20)
    assert "would be 252x20 pixels" in wide and wide.endswith(long)
    assert said([tmp_path / "wide.png"], size=1) == long


def test_uploads_that_cannot_be_read_are_named_beforehand(studio, photo_path, tmp_path):
    default = {name: DEFAULTS[name] for name in CONTROLS}
    studio.foresight._pace = Pace(1e-4, 1.0, 0.5)
    empty, text = tmp_path / "<empty>.png", tmp_path / "text.jpg"
    empty.touch()
    text.write_text("hello")
    for photos, style, message in (
        ([photo_path, text], None, "text.jpg: not a picture that can be read"),
        ([photo_path], empty, "&lt;empty&gt;.png: the file is empty"),
        ([], empty, "&lt;empty&gt;.png: the file is empty"),
        ([tmp_path / "none.png"], None, "none.png: no such file"),
    ):
        for _ in range(2):  # it is remembered
            assert studio.foresight.words(photos, style, default).startswith(message)


@pytest.mark.parametrize("first", [True, False])
def test_time_of_the_others_is_foreseen_where_a_photo_cannot_be_read(
    first, studio, photo_path, tmp_path
):
    studio.foresight._pace = Pace(1e-4, 1.0, 0.5)
    default = {name: DEFAULTS[name] for name in CONTROLS} | {"size": 32}
    (text := tmp_path / "text.jpg").write_text("hello")
    photos = [text, photo_path] if first else [photo_path, text]
    fault, rest, takes = studio.foresight.words(photos, None, default).split("\n\n")
    assert fault.endswith("AVIF.") and rest == "Only the rest can be painted."
    assert takes.startswith("*Paint* takes about 20s.")
    assert ("3 small pictures of the first photo" in takes) == (not first)
    for bad in ([text], [text] * 3):  # there is no rest
        assert studio.foresight.words(bad, None, default).endswith("HEIC or AVIF.")


def test_impossible_size_of_several_photos_is_refused_once(studio, painting_of, three):
    for size in (0, -3, 128.5, 65, None, "own"):
        with pytest.raises(gr.Error, match="must be a whole number from 16 to 64"):
            list(painting_of(1, photos=three, size=size))


def test_what_may_surprise_of_a_mask_is_said_beforehand(studio, photo_path, cut_out_path, tmp_path):
    studio.foresight._pace = Pace(1e-4, 1.0, 0.5)
    default = {name: DEFAULTS[name] for name in CONTROLS} | {"size": 32}

    def said(mask, photos=(photo_path,)):
        return studio.foresight.words(photos, None, default, str(mask)).split("\n\n")

    assert said(cut_out_path)[1:] == [
        "mask cut_out.png: a cut-out: opaque parts count as white, transparent ones as black"
    ]
    Image.linear_gradient("L").resize((40, 20)).save(wide := tmp_path / "<wide>.png")
    takes, stretched = said(wide)
    assert takes.startswith("*Paint* takes")
    assert stretched.startswith("mask &lt;wide&gt;.png (40x20) is stretched over a photo of 48x40;")
    Image.new("L", (48, 40), "white").save(white := tmp_path / "white.png")
    for photos in ([photo_path], []):
        (refused,) = said(white, photos)
        assert refused.startswith("mask white.png: it is all white, so nothing would be painted;")


@pytest.mark.parametrize("scale", [[], {}, [1, 2]])
def test_number_of_stroke_sizes_is_checked(scale, painting_of):
    with pytest.raises(gr.Error, match="style_scale must .*"):
        list(painting_of(1, style_scale=scale))


def test_strokes_that_are_too_coarse_are_refused_beforehand(
    studio, painting_of, photo_path, tmp_path
):
    studio.foresight._pace = Pace(1e-5, 1.0, 0.5)
    default = {name: DEFAULTS[name] for name in CONTROLS}
    Image.new("RGB", (16, 300)).save(tall := tmp_path / "tall.png")
    given = default | {"size": 48, "style_scale": 2.0}
    words = studio.foresight.words([photo_path], tall, given)
    assert words.startswith(
        "For strokes of this size the painting would be 114x2137 pixels, too many"
    )
    given = default | {"size": 48, "style_scale": 1000.0}
    assert "too many here" in studio.foresight.words([photo_path], tall, given)
    assert "*Paint* takes" in studio.foresight.words([photo_path], tall, default | {"size": 48})


def test_paintings_are_bounded_as_they_are_extended():
    allowed = Allowance(size=64, seconds=60, photos=4, frames=4, pixels=10**8)
    fine = choose_settings(style_scale=0.3)
    with pytest.raises(InputError, match="too many here"):
        allowed.check_painting((100_000, 16), fine, (48, 57))  # to 16 rows, as many as 57 x 48
    allowed.check_painting((1000, 16), fine, (48, 57))


@pytest.mark.parametrize("size", [None, 0, -5, 15, 2 * 10**6, "large"])
def test_size_that_cannot_be_names_those_that_fit_the_photo(
    size, studio, painting_of, photo_path, tmp_path
):
    """An empty field too: it is asked for, both beforehand and when painting."""
    studio.foresight._pace = Pace(1e-5, 1.0, 0.5)
    default = {name: DEFAULTS[name] for name in CONTROLS}
    Image.new("RGB", (25, 50)).save(tmp_path / "upright.png")
    for photo, least, most in ((photo_path, 16, 54), (tmp_path / "upright.png", 32, 64)):
        expected = (
            f"The size, the rows of the result, must be a whole number from {least} to {most}."
        )
        said = studio.foresight.words([photo], None, default | {"size": size})
        assert said.partition(" *Show me")[0] == expected
        with pytest.raises(gr.Error, match=expected):
            list(painting_of(1, photos=[photo], size=size))
        for fits in (least, most):
            words = studio.foresight.words([photo], None, default | {"size": fits})
            assert words.startswith("*Paint* takes")


def test_size_that_is_wrong_for_one_of_several_photos_names_those_that_fit_all(
    studio, photo_path, tmp_path
):
    studio.foresight._pace = Pace(1e-5, 1.0, 0.5)
    default = {name: DEFAULTS[name] for name in CONTROLS}
    upright = tmp_path / "upright.png"
    Image.new("RGB", (25, 50)).save(upright)
    for photos in ([photo_path, upright], [upright, photo_path]):
        for size in (16, 60, None):  # fits the one, the other, neither
            words = studio.foresight.words(photos, None, default | {"size": size})
            assert words.startswith("*Size* must be from 32 to 54 for all of these photos.")
        for size in (32, 54):
            words = studio.foresight.words(photos, None, default | {"size": size})
            assert words.startswith("*Paint* takes")


def test_time_of_a_clip_is_foreseen(studio, photo_path, tmp_path, monkeypatch):
    """Each frame after the first takes a few evaluations at the last size."""
    clip, long = (write_clip(tmp_path / f"{n}.mp4", n) for n in (3, 5))
    default = {name: DEFAULTS[name] for name in CONTROLS}

    def said(photos, **given):
        return studio.foresight.words(photos, None, default | {"size": 32, "iterations": 5} | given)

    studio.foresight._pace = Pace(1e-4, 1.0, 0.5)
    job = prepare(photo_path, photo_path, size=(32, 42), iterations=5)
    first, next_ones = forecast.seconds_each([job.stages, job.frame_stages], Pace(1e-4, 1.0, 0.5))
    assert (
        said([clip])
        == f"*Paint* takes about {round(3 + first + 2 * next_ones, -1):.0f}s for 3 frames."
    )
    assert said([long]).startswith("The clip has more than 4 frames, the most that this page")
    monkeypatch.setattr(allowance, "open_clip", None)  # what was found is remembered
    assert said([long]).startswith("The clip has more than 4 frames, the most that this page")
    assert said([clip], preserve_colors="luma").endswith("luma is for photos; choose another way.")
    slow = said([clip], iterations=20)
    assert "would take about 2 min, but painting stops after 60s" in slow and "shorter" in slow
    assert "the limit here is 64" in said([clip], size=64)
    assert said([clip, photo_path]) == "Give either one clip or photos."
    assert said([photo_path] * 5).startswith("Too many photos: at most 4 at once.")


def test_small_pictures_of_a_tall_photo_are_wide_enough():
    rows = {each["size"] for each in choices.settings_of_choices({}, (100, 900), 2000)}
    assert rows == {144}  # 16 columns


def test_time_of_the_choices_is_foreseen_whatever_the_size(studio, photo_path):
    default = {name: DEFAULTS[name] for name in CONTROLS}
    studio.foresight._pace = Pace(1e-5, 1.0, 0.5)
    for size, more in ((48, ""), (16, ""), (999, "the limit here is 64")):
        words = studio.foresight.words([photo_path], None, default | {"size": size})
        assert more in words and words.endswith(
            "*Show me the choices* paints 3 small pictures (53 rows, whatever *Size* says) in "
            "about 20s."
        )
    assert "pictures of the first photo (53" in studio.foresight.words(
        [photo_path] * 2, None, default
    )


def test_margins_that_are_left_out_are_told_of_and_only_results_are_shown(
    painting_of, painting, tmp_path
):
    """A stop would leave whatever is shown where the result is looked for."""
    framed = np.pad(painting, [(12, 12), (14, 14), (0, 0)], constant_values=255)
    Image.fromarray(framed).save(tmp_path / "framed.png")
    shown = list(painting_of(1, painting=tmp_path / "framed.png"))
    index = next(i for i, each in enumerate(shown) if is_picture(each.picture))
    assert {each.picture.size for each in shown if is_picture(each.picture)} == {(28, 24)}
    said = "\n\nPlain margins of the painting are left out."
    assert all(each.words.endswith(said) for each in shown[index:])  # until the end
    assert shown[-1].words.startswith("Done: 28x24 pixels\n\n")


def test_what_a_mask_keeps_is_as_the_command_keeps_it(
    painting_of, cut_out_path, photo_path, painting_path, small_vgg19
):
    """And the record names the visitor's file."""
    *_, last = painting_of(1, mask=str(cut_out_path))
    given = {"size": 24, "iterations": 1, "weights": small_vgg19}
    expected = nst.style_transfer(photo_path, painting_path, keep_mask=cut_out_path, **given)
    result = last.download.value["path"]
    assert np.array_equal(load_image(result), expected)
    record = metadata.read_record(result)
    assert record["keep_mask"] == metadata.describe_file(cut_out_path)
    assert record["settings"]["keep_mask"] == "cut_out.png"


def test_how_a_mask_is_read_is_said_until_the_end(painting_of, cut_out_path, three):
    cut_out_path = cut_out_path.rename(cut_out_path.with_name("<b>.png"))
    *_, last = painting_of(1, photos=three, mask=str(cut_out_path))
    assert last.words == (  # once, of all photos
        "Done: 3 of 3 painted\n\n"
        f"photos + painting.png, strength 0.5, {SMALL}, mask\n\n"
        "mask &lt;b&gt;.png: a cut-out: opaque parts count as white, "
        "transparent ones as black"
    )


def test_mask_whose_shape_differs_is_named_with_the_photos_size(painting_of, three, tmp_path):
    """As one that was drawn on the first of several."""
    Image.linear_gradient("L").resize((40, 20)).save(tmp_path / "drawn_mask.png")
    *_, last = painting_of(1, photos=three, mask=str(tmp_path / "drawn_mask.png"))
    said = re.findall(r"mask (.*) \(40x20\) is stretched over a photo of (\w*);", last.words)
    assert said == [("drawn_mask.png", "48x40")]


def test_choices_keep_what_the_mask_keeps(studio, painting_of, cut_out_path, photo):
    painting_of(1, mask=str(cut_out_path), size=40, is_choice=True)
    *shown, last = studio.offer(VISITOR.session_hash)
    assert "a cut-out: opaque" in last.words
    small = np.asarray(Image.fromarray(photo).resize((63, 53), Image.Resampling.LANCZOS), int)
    pictures = [picture for each in shown for picture in each.pictures if is_picture(picture)]
    assert np.abs(np.asarray(pictures[-1]) - small)[:, :20].mean() < 2


def test_clip_keeps_what_the_mask_keeps(painting_of, cut_out_path, tmp_path):
    clip = write_clip(tmp_path / "clip.mp4", 2)
    *_, last = painting_of(1, photos=[clip], mask=str(cut_out_path))
    assert last.words.startswith("Done: 2 of 2 frames\n\nclip.mp4 + ")
    assert "mask cut_out.png: a cut-out" in last.words
    record = metadata.read_record(last.download.value["path"])
    assert record["keep_mask"] == metadata.describe_file(cut_out_path)


@pytest.mark.parametrize(
    ("level", "side", "message"),
    [
        (255, 24, "it is all white, so nothing would be painted"),
        (0, 24, "it is all black; paint"),
        (0, 101, "101x101 pixels are too many"),  # it is not decoded
    ],
)
def test_mask_that_cannot_be_used_is_named(level, side, message, painting_of, tmp_path):
    Image.new("L", (side, side), level).save(tmp_path / "my mask.png")
    with pytest.raises(gr.Error, match=f"mask my mask.png: {message}"):
        list(painting_of(1, mask=str(tmp_path / "my mask.png")))


def test_each_picture_is_shown_once(painting_of):
    """Gradio names files by what is in them, and would write over one that is being read."""
    pictures = [np.asarray(s.picture) for s in painting_of(6) if is_picture(s.picture)]
    assert len(pictures) > 2
    for before, after in itertools.pairwise(pictures):
        assert before.shape != after.shape or (before != after).any()


def test_words_say_how_far_it_is(studio, painting_of):
    seen = [words for words, *_ in painting_of(5)]
    assert any(words.startswith("Painting at 28x24 pixels: ") for words in seen)


def test_what_was_painted_before_stays_until_the_first_picture(studio, painting_of):
    """A run that is stopped before, or cannot begin, takes no picture and no download away."""
    events = painting_of(2)
    studio.stop(VISITOR)
    assert all(shown[1:] == studios.Shown("")[1:] for shown in events)
    with pytest.raises(gr.Error):
        for shown in painting_of(1, size=1):
            assert shown[1:] == studios.Shown("")[1:]
    first = next(shown for shown in painting_of(2) if is_picture(shown.picture))
    assert first.download.interactive is False and not first.gallery.visible


def test_earlier_results_move_below_the_next_one(studio, painting_of, three):
    """With their names, the last first; all can be downloaded still, unless they are stale."""

    def earlier(events):
        """Their captions, once the next picture is there."""
        gallery = next(s.earlier for s in events if is_picture(s.picture))
        if gallery == gr.skip():  # there are none
            return []
        assert gallery.visible
        assert len({each["image"]["path"] for each in gallery.value}) == len(gallery.value)
        return [each["caption"] for each in gallery.value]

    first = painting_of(1)
    assert earlier(first) == []
    (*_, last) = first
    several = painting_of(1, photos=three, strength=0.25)
    of_first = f"photo.png + painting.png, strength 0.5, {SMALL}"
    assert earlier(several) == [of_first]
    list(several)
    named = (f"{name}.png + painting.png" for name in ("dog", "cat", "cat"))
    of_several = [f"{names}, strength 0.25, {SMALL}" for names in named]
    assert earlier(painting_of(1)) == [*of_several, of_first]
    os.unlink(last.result)
    studio.leave(VISITOR)  # for a moment: their connection was broken
    assert earlier(painting_of(1)) == of_several


def test_stopped_run_that_ends_late_is_among_the_earlier_results(studio, painting_of):
    """Something else is asked for while it goes on."""
    late = painting_of(ENDLESS)
    until_picture(late)
    events = painting_of(1)
    list(late)
    moved = next(s.earlier for s in events if is_picture(s.picture))
    (late_one,) = (each["caption"] for each in moved.value)
    assert late_one == "photo.png + painting.png, strength 0.5, size 24, iterations 10000, stopped"


def caption_of(given, mask=None):
    """That of a result, as an earlier one."""
    own = asked.Asked(["in/cat.jpg"], "in/impasto.jpg", mask, given)
    own.keep("result.png", "in/cat.jpg")
    ((_, caption),) = own.results
    return caption


def test_caption_tells_what_differs_from_what_the_page_opens_with():
    """In the words of the page."""
    opens_with = {name: DEFAULTS[name] for name in CONTROLS} | {"size": DEFAULT_ROWS}
    assert caption_of(opens_with) == "cat.jpg + impasto.jpg, strength 0.5"
    other = {"strength": 0.3, "size": 300, "preserve_colors": "luma", "style_scale": 0.3}
    assert caption_of(opens_with | other, mask="in/mask.png") == (
        "cat.jpg + impasto.jpg, strength 0.3, size 300, colours luma, strokes finest, mask"
    )


def test_every_way_to_keep_the_colours_is_on_the_page():
    assert [value for _, value in COLOURS] == list(COLOR_METHODS)


def test_results_are_kept_for_their_visitor_and_not_without_end(studio, painting_of, monkeypatch):
    monkeypatch.setattr(asked, "MOST_KEPT", 2)
    for _ in range(3):
        list(painting_of(1))
    (own,) = studio._asked.values()
    assert len(own.results) == 2
    other = SimpleNamespace(session_hash="another visitor")
    studio.enter(other, asked.Asked(own.photos, own.style, None, own.given))
    first = next(s for s in studio.paint(other.session_hash) if is_picture(s.picture))
    assert first.earlier == gr.skip()


def test_what_was_said_is_taken_back_when_something_else_is_given(
    studio, painting_of, photo_path, painting_path
):
    """But not while a run goes on, nor by a browser that tells late of what was asked for."""
    default = {name: DEFAULTS[name] for name in CONTROLS}

    def ready(photos=(photo_path,), painting=painting_path, **given):
        given = default | {"size": 24, "iterations": ENDLESS} | given
        return studio.ready(VISITOR, asked.Asked(photos, painting, None, given))

    assert ready() == "Everything is chosen."
    assert ready(photos=()) == "Choose a photo."
    assert ready(painting=None) == "Choose a painting."
    assert ready(photos=(), painting=None) == "Choose a photo and a painting."
    events = painting_of(ENDLESS)
    assert ready(strength=0.1) == gr.skip()
    until_picture(events)
    assert ready(strength=0.1) == gr.skip()
    events.close()
    assert ready() == gr.skip()
    assert ready(strength=0.1) == "Everything is chosen."


def test_what_is_shown_is_named_beside_a_refusal(studio, painting_of):
    list(painting_of(1))
    shown = []
    with pytest.raises(gr.Error, match="whole number") as refusal:
        shown.extend(painting_of(1, size=1))
    (words,) = {each.words for each in shown if is_text(each.words) and "whole" in each.words}
    assert words.endswith(f"Shown above: photo.png + painting.png, strength 0.5, {SMALL}")
    assert "Shown above" not in refusal.value.message


def test_what_is_shown_is_named(studio, painting_of, photo_path, painting_path, three):
    """Another picture may have taken its place before a run was stopped."""

    def ready(strength):
        given = {name: DEFAULTS[name] for name in CONTROLS} | {"strength": strength}
        return studio.ready(VISITOR, asked.Asked([photo_path], painting_path, None, given))

    of_first = "Shown above: photo.png + painting.png, strength 0.5, size 24, iterations 1"
    list(painting_of(1))
    assert ready(0.1).endswith(f"\n\n{of_first}")
    events = painting_of(ENDLESS, seed=1)
    next(events)
    studio.stop(VISITOR)
    assert [*events][-1].words.endswith(of_first)  # nothing has taken its place
    list(painting_of(1, photos=three))
    assert ready(0.2).endswith(f"Shown above: photos + painting.png, strength 0.5, {SMALL}")
    Image.new("RGB", (90, 90), "white").save(painting_path.with_name("mat.png"))
    with Image.open(painting_path.with_name("mat.png")) as mat:
        mat.paste(Image.open(painting_path).resize((50, 50)), (20, 20))
        mat.save(painting_path.with_name("mat.png"))
    list(painting_of(1))
    events = painting_of(ENDLESS, painting=painting_path.with_name("mat.png"))
    for shown in events:
        if is_picture(shown.picture) or isinstance(shown.picture, Image.Image):
            break
    studio.stop(VISITOR)
    list(events)
    assert of_first not in ready(0.3)  # the painting without its mat is there


def test_one_photo_has_no_gallery(painting_of):
    shown = list(painting_of(1))
    galleries = [s.gallery for s in shown if isinstance(s.gallery, gr.Gallery)]
    assert not any(gallery.visible for gallery in galleries)
    assert shown[-1].download.value["orig_name"] == "photo_painting_0.5_size_24.png"


def test_several_photos_are_painted_in_turn_and_downloaded_together(painting_of, three, tmp_path):
    shown = list(painting_of(2, photos=three))
    places = dict.fromkeys(s.words.partition(",")[0] for s in shown if is_text(s.words))
    assert list(places) == [
        "Getting ready ...",
        *("1 of 3: cat.png", "2 of 3: cat.png", "3 of 3: dog.png"),
        "Done: 3 of 3 painted\n\nphotos + painting.png",
    ]
    assert shown[-1].words.endswith(" + painting.png, strength 0.5, size 24")
    words = [s.words for s in shown if is_text(s.words)]
    assert "2 of 3: cat.png, getting ready ..." in words
    assert any(
        re.fullmatch(r"3 of 3: dog\.png, about \d+s left for this one", each) for each in words
    )
    cat, dog = "cat.png", "dog.png"
    assert captions(shown) == [[], [cat], [cat, cat], [cat, cat, dog]]
    results = packed(shown[-1], tmp_path / "unpacked")
    names = [path.name for path in results]
    assert names == [f"{each}.png" for each in (CAT, f"{CAT}_2", DOG)]
    for result, name in zip(results, (cat, cat, dog), strict=True):
        assert load_image(result).size == (28, 24)
        assert metadata.read_record(result)["base"]["name"] == name


def is_text(value):
    return isinstance(value, str)


def captions(shown):
    """Those of the gallery, each time that it changed."""
    galleries = [s.gallery.value for s in shown if isinstance(s.gallery, gr.Gallery)]
    return [[picture["caption"] for picture in gallery] for gallery in galleries]


def test_photo_that_cannot_be_painted_is_named_and_the_rest_goes_on(painting_of, three, tmp_path):
    three[1].write_text("hello")
    *_, last = painting_of(1, photos=three)
    first, bad, _ = last.words.split("\n\n")
    assert first == "Done: 2 of 3 painted"
    assert bad.startswith("cat.png: not a picture that can be read")
    names = [path.name for path in packed(last, tmp_path / "unpacked")]
    assert names == [f"{CAT}.png", f"{DOG}.png"]


def test_only_picture_of_a_series_is_no_archive(painting_of, three):
    for bad in three[1:]:
        bad.write_text("hello")
    *_, last = painting_of(1, photos=three)
    assert last.words.startswith("Done: 1 of 3 painted")
    assert last.download.label == "Download PNG"
    assert load_image(last.result).size == (28, 24)


def test_how_large_a_stopped_picture_of_a_series_is_follows_its_name_and_one_colon(tmp_path):
    series = Series(tmp_path, ["in/cat.heic", "in/dog.jpg"], ["cat", "dog"])
    watch = easels.Watch(easels.Limit())
    watch.error, watch.last = (
        easels.Stopped("stopped"),
        SimpleNamespace(image=Image.new("L", (9, 8))),
    )
    series.add(0, watch)
    assert series.summary("Stopped").endswith("\n\ncat.heic: stopped at 9x8 pixels")


def test_what_is_wrong_with_all_photos_is_said_once(painting_of, three):
    *_, last = painting_of(1, photos=three, content_weight=-1)
    first, wrong = last.words.split("\n\n")
    assert first == "Done: 0 of 3 painted"
    assert wrong.startswith("cat.png, cat.png, dog.png: content_weight must be")
    assert not isinstance(last.download, gr.DownloadButton)


def test_stop_ends_the_series_and_keeps_what_is_there(studio, painting_of, three, tmp_path):
    for last in painting_of(5, photos=three):
        if is_picture(last.picture) and last.words.startswith("2 of 3"):
            studio.stop(VISITOR)
    assert last.words.startswith("Stopped: ") and "dog.png" not in last.words
    names = [path.name for path in packed(last, tmp_path / "unpacked")]
    assert names == [f"{CAT}.png", f"{CAT}_2_stopped.png"]


def test_stop_before_the_first_picture_leaves_nothing(studio, painting_of, three, tmp_path):
    events = painting_of(2, photos=three)
    studio.stop(VISITOR)
    *_, last = events
    assert last.words == "Stopped: 0 of 3 painted"
    assert not isinstance(last.download, gr.DownloadButton)
    assert list((tmp_path / "page").iterdir()) == []


def test_stop_while_the_first_photo_is_read_leaves_earlier_results(
    studio, painting_of, three, monkeypatch
):
    events, load = painting_of(2, photos=three), easels.load_image_apart

    def load_and_stop(*arguments):
        studio.stop(VISITOR)
        return load(*arguments)

    monkeypatch.setattr(easels, "load_image_apart", load_and_stop)
    shown = list(events)
    assert shown[-1].words.startswith("Stopped: 0 of 3 painted")
    assert all(s.gallery == gr.skip() for s in shown)


def test_visitor_who_leaves_ends_the_series(studio, painting_of, three):
    events = painting_of(ENDLESS, photos=three)
    until_picture(events)
    events.close()
    assert last_words(painting_of(1)) == "Done: 28x24 pixels"


def test_time_limit_holds_for_each_photo(studio, painting_of, three):
    allow(studio, seconds=0.1)
    *_, last = painting_of(ENDLESS, photos=three[1:])
    first, limit = last.words.split("\n\n", 1)
    assert first == "Done: 0 of 2 painted"
    assert "stopped by the time limit" in limit and "dog.png" in limit


def test_too_little_memory_for_a_photo_does_not_stop_the_rest(painting_of, three, monkeypatch):
    paint = nst.paint

    def paint_small(job, *arguments):
        if job.stages[-1].cols > 28:
            raise MemoryError
        return paint(job, *arguments)

    monkeypatch.setattr(nst, "paint", paint_small)
    load_image(three[0]).resize((96, 40)).save(three[0])
    *_, last = painting_of(1, photos=three)
    first, short, _ = last.words.split("\n\n")
    assert first == "Done: 2 of 3 painted"
    assert short.startswith("cat.png: There is not enough memory")


def test_names_on_the_page_are_no_markup(painting_of, three):
    photo = three[2].rename(three[2].with_name("<b>.png"))
    *_, last = painting_of(1, photos=[photo, Path("<i>.png")])
    assert "&lt;i&gt;.png: no such file" in last.words


def write_clip(path, frames, sound=None):
    """Writes a film of a window that moves over a picture, and a tone of so many seconds."""
    tone = ("-f", "lavfi", "-i", f"sine=duration={sound}", "-c:a", "aac") if sound else ()
    wide, writer = smooth_picture(48, 84, seed=1), Mp4Writer(path, (64, 48), 12, tone)
    for index in range(frames):
        writer.write(Image.fromarray(wide[:, 2 * index : 2 * index + 64]), 1)
    writer.finish()
    return str(path)


def test_clip_is_painted_frame_by_frame_and_becomes_a_film(studio, painting_of, tmp_path):
    shown = list(painting_of(1, photos=[write_clip(tmp_path / "clip.mp4", 3)]))
    words = [s.words for s in shown if is_text(s.words)]
    assert re.fullmatch(r"Frame 1 of 3: \d+%", words[2])
    assert any(re.fullmatch(r"Frame 3 of 3: \d+%, about \d+s left", each) for each in words)
    assert words[-1].startswith("Done: 3 of 3 frames\n\nclip.mp4 + painting.png, strength 0.5, ")
    film = shown[-1].download.value["path"]
    assert shown[-1].gallery.value[0]["video"]["path"] == film
    assert shown[-1].gallery.value[0]["caption"] == "clip.mp4"
    assert metadata.read_record(film)["base"]["name"] == "clip.mp4"
    clip = open_clip(film)
    assert (clip.rate, clip.length) == (12, 3)
    assert next(clip.frames()).size == (32, 24)
    assert len({s.picture.tobytes() for s in shown if is_picture(s.picture)}) >= 3
    assert [path.name for path in files_in(tmp_path / "page")] == ["clip_painting_0.5_size_24.mp4"]


def files_in(folder):
    return [path for path in Path(folder).rglob("*") if path.is_file()]


@pytest.mark.parametrize("sound", [0.05, 2])
def test_stopped_clip_becomes_a_film_of_what_is_painted(studio, painting_of, tmp_path, sound):
    """However short or long its sound is."""
    for last in painting_of(1, photos=[write_clip(tmp_path / "clip.mp4", 4, sound)]):
        if is_text(last.words) and last.words.startswith("Frame 3"):
            studio.stop(VISITOR)
    assert last.words.startswith("Stopped: 2 of 4 frames\n\n")
    ((_, caption),) = studio._asked[VISITOR.session_hash].results
    assert caption == f"clip.mp4 + painting.png, strength 0.5, {SMALL}, stopped"
    film = last.download.value["path"]
    assert open_clip(film).length == 2
    said = subprocess.run([find_ffmpeg(film), "-i", film], capture_output=True, text=True).stderr
    assert "Audio: aac" in said
    assert float(re.search(r"Duration: 00:00:([\d.]+)", said)[1]) < 0.4
    (film,) = files_in(tmp_path / "page")
    assert film.name == "clip_painting_0.5_size_24_stopped.mp4"


def test_film_whose_sound_cannot_be_kept_is_silent(painting_of, tmp_path, monkeypatch):
    clip = write_clip(tmp_path / "clip.mp4", 2, sound=1)
    noise = open_clip(clip)._replace(sound=("-i", str(tmp_path / "none.aac"), "-map", "1:a:0"))
    monkeypatch.setattr(allowance, "open_clip", lambda *_, **__: noise)
    *_, last = painting_of(1, photos=[clip])
    silent = "Done: 2 of 2 frames, without sound, which could not be converted"
    assert last.words.startswith(silent)
    film = open_clip(last.download.value["path"])
    assert (film.length, film.sound) == (2, ())


def test_clip_that_is_stopped_at_once_or_left_leaves_nothing(studio, painting_of, tmp_path):
    clip = write_clip(tmp_path / "clip.mp4", 2)
    events = painting_of(1, photos=[clip])
    studio.stop(VISITOR)
    assert last_words(events) == "Stopped; no frame was finished"
    events = painting_of(ENDLESS, photos=[clip])
    until_picture(events)
    events.close()
    assert list((tmp_path / "page").iterdir()) == []


def test_clip_that_is_stopped_at_once_leaves_what_was_painted_before(studio, painting_of, tmp_path):
    *_, done = painting_of(1)
    events = painting_of(1, photos=[write_clip(tmp_path / "clip.mp4", 2)])
    studio.stop(VISITOR)
    caption = done.words.partition("\n\n")[2]
    *_, last = events
    assert last.words == f"Stopped; no frame was finished\n\nShown above: {caption}"


def test_time_that_is_spent_counts():
    limit = easels.Limit(threading.Event(), 0.2)
    assert not limit.is_set() and limit.wait(10)
    watch = easels.Watch(limit)
    assert list(watch.follow(pytest.fail)) == []
    assert str(watch.error) == "stopped by the time limit of 0s"


@pytest.mark.parametrize(
    ("frames", "others", "message"),
    [
        (
            5,
            [],
            "The clip has more than 4 frames, the most that this page accepts",
        ),
        (2, ["photo.png"], "Give either one clip or photos"),
        (0, [], r"the clip: has no frames that can be read \("),
    ],
)
def test_clips_that_are_not_painted(frames, others, message, painting_of, tmp_path):
    path = tmp_path / "clip.mp4"
    path.touch()
    if frames:
        write_clip(path, frames)
    with pytest.raises(gr.Error, match=message):
        list(painting_of(1, photos=[str(path), *others]))


def test_all_that_reads_an_upload_and_writes_a_film_has_a_limit(
    painting_of, cut_out_path, tmp_path, monkeypatch
):
    limits = []

    def limited(name, function):
        def noting(*args, **options):
            given = (*args, *options.values())
            limits.extend((name, each) for each in given if isinstance(each, easels.Limit))
            return function(*args, **options)

        return noting

    def open_limited(*args, **options):
        clip = limited("open_clip", open_clip)(*args, **options)
        return clip._replace(frames=limited("frames", clip.frames))

    monkeypatch.setattr(allowance, "open_clip", open_limited)
    for name in ("load_image_apart", "load_keep_mask_apart", "encode"):
        monkeypatch.setattr(easels, name, limited(name, getattr(easels, name)))
    list(painting_of(1, photos=[write_clip(tmp_path / "clip.mp4", 1)], mask=str(cut_out_path)))
    pictures = ["load_image_apart", "load_keep_mask_apart"]
    names = ["open_clip", "frames", *pictures, "frames", "encode"]
    assert [name for name, _ in limits] == names
    *reading, (_, writing) = limits
    assert len({limit for _, limit in reading} | {writing}) == 2  # Stop is to leave a film


def test_full_page_paints_nothing_more(studio, painting_of, tmp_path):
    """Else results of the same upload, painted again and again, would fill the disk."""
    allow(studio, bytes=20_000)
    assert last_words(painting_of(1)) == "Done: 28x24 pixels"
    (tmp_path / "page" / "result.png").write_bytes(bytes(20_001))
    with pytest.raises(gr.Error, match="no room for this now; come back later"):
        list(painting_of(1))


def test_luma_of_a_clip_is_refused_in_the_words_of_the_page(painting_of):
    with pytest.raises(gr.Error, match="colours: luma is for photos"):
        list(painting_of(1, photos=["clip.mp4"], preserve_colors="luma"))


def test_film_that_cannot_be_written_is_answered_and_leaves_nothing(
    painting_of, tmp_path, monkeypatch
):
    def encode(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(easels, "encode", encode)
    with pytest.raises(gr.Error, match="cannot read or write a file: No space left on device"):
        list(painting_of(1, photos=[write_clip(tmp_path / "clip.mp4", 2)]))
    assert list((tmp_path / "page").iterdir()) == []


def test_clip_without_opencv_is_answered(painting_of, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(gr.Error, match="pip install opencv-python-headless"):
        list(painting_of(1, photos=["clip.mp4"]))


@pytest.mark.parametrize(
    ("photo", "painting", "name"),
    [
        ("in/My cat (2).jpg", "in/impasto.jpg", "My_cat_2_impasto_0.5"),
        ("köln-1.jpeg", "...", "köln-1_0.5"),
        ("...", "...", "painted_0.5"),
        ("-<b>.png", "../i.png", "b_i_0.5"),
        ("WhatsApp Image 2024-05-01 at 10.33.12.jpg", "i.png", f"{WHATSAPP}_i_0.5"),
        ("字" * 99 + ".png", "i.png", "字" * 28 + "_i_0.5"),
        ("x" * 99 + ".png", "y" * 99 + ".png", "x" * 45 + "_" + "y" * 45 + "_0.5"),
    ],
)
def test_download_is_called_as_its_pictures_but_for_odd_characters(photo, painting, name):
    assert download_name(photo, painting, 0.5) == name
    others = "colours luma, strokes finest, mask"
    assert download_name(photo, painting, 0.5, others) == f"{name}_colours_luma_strokes_finest_mask"


def test_archive_is_made_without_the_pictures_in_memory(tmp_path):
    """Far less memory than one picture has bytes."""
    series = Series(tmp_path, ["big.jpg", "other.jpg"], ["big", "other"])
    for path in series.paths:
        path.write_bytes(os.urandom(8_000_000))
        series.gallery.append((str(path), ""))
    tracemalloc.start()
    try:
        archive = Path(series.pack())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000 < 16_000_000 < archive.stat().st_size
    assert list(tmp_path.glob(".*")) == []  # nothing unfinished is left


def test_stop_keeps_the_picture(studio, painting_of):
    events = painting_of(ENDLESS)
    until_picture(events)
    studio.stop(VISITOR)
    assert last_words(events) == "Stopped: 28x24 pixels"


def test_stop_while_the_network_gets_ready_is_heard_at_once(studio, painting_of, monkeypatch):
    going_on = threading.Event()
    monkeypatch.setattr(nst, "paint", lambda *_: going_on.wait(20))
    events = painting_of(1)
    assert [words for words, *_ in itertools.islice(events, 3)] == ["Getting ready ..."] * 3
    studio.stop(VISITOR)
    assert next(events).words == "Stopping ..."
    going_on.set()
    events.close()


def test_click_with_other_settings_starts_anew_and_stop_stops_that(studio, painting_of):
    first = painting_of(ENDLESS)
    until_picture(first)
    second = painting_of(ENDLESS, seed=1)
    assert last_words(first) == "Stopped: 28x24 pixels"
    until_picture(second)
    studio.stop(VISITOR)
    assert last_words(second) == "Stopped: 28x24 pixels"


def test_two_clicks_before_ones_turn_paint_what_was_asked_last(studio, painting_of):
    first, second = painting_of(ENDLESS, size=48), painting_of(1)
    assert last_words(first) == "Done: 28x24 pixels"
    assert list(second) == UNCHANGED


def test_click_stop_and_click_again_while_waiting(studio, painting_of):
    first = painting_of(ENDLESS, size=48)
    studio.stop(VISITOR)
    second = painting_of(1)
    assert last_words(first) == "Done: 28x24 pixels"
    assert list(second) == UNCHANGED


def test_choices_asked_for_while_a_picture_waits_take_its_place(studio, painting_of):
    """Each in the turn of its kind."""
    painting = painting_of(ENDLESS)
    painting_of(1, is_choice=True)
    assert list(painting) == UNCHANGED
    assert last_words(studio.offer(VISITOR.session_hash)).startswith("Choose the one")


def test_visitors_who_wait_are_remembered_longer_than_those_who_were_served(
    studio, painting_of, monkeypatch
):
    monkeypatch.setattr(studios, "MOST_ASKED", 20)

    def enter(number):
        studio.enter(SimpleNamespace(session_hash=number), asked.Asked([], None, None, {}))

    enter("waits")
    list(painting_of(1))
    for number in range(studios.MOST_ASKED - 1):
        enter(number)
    assert VISITOR.session_hash not in studio._asked and "waits" in studio._asked
    enter("one more")
    assert "waits" not in studio._asked  # all others wait, too


def test_stop_while_waiting(studio, painting_of):
    events = painting_of(ENDLESS)
    studio.stop(VISITOR)
    assert last_words(events) == "Stopped; no picture was finished"


def test_double_click_changes_nothing(painting_of):
    events = painting_of(ENDLESS)
    until_picture(events)
    with pytest.raises(gr.Error, match="This is already being painted; press Stop to end it."):
        painting_of(ENDLESS)
    until_picture(events)


def test_other_request_of_the_same_visitor_stops_what_is_being_painted(studio, painting_of):
    before = painting_of(ENDLESS)
    until_picture(before)
    other = asked.Asked([], None, None, {})
    assert studio.enter(VISITOR, other) == "Stopping what was being painted for you ..."
    assert other.notes == ["What was being painted before has been stopped."]
    assert last_words(before).startswith("Stopped: ")


def test_what_was_being_painted_is_said_to_be_stopped_by_what_cannot_be_painted(painting_of):
    before = painting_of(ENDLESS)
    until_picture(before)
    events, said = painting_of(1, size=1), []
    with pytest.raises(gr.Error):
        said += (shown.words for shown in events)
    assert said[-1].startswith("The size, the rows of the result, must be")
    assert "\n\nWhat was being painted before has been stopped." in said[-1]
    list(before)


def test_stopped_request_may_be_made_again_at_once(studio, painting_of):
    before = painting_of(ENDLESS)
    until_picture(before)
    studio.stop(VISITOR)
    after = painting_of(2)
    assert last_words(before).startswith("Stopped: ")
    assert last_words(after) == "Done: 28x24 pixels"


def test_log_has_a_line_for_each_picture(painting_of, three, tmp_path, capsys):
    events = painting_of(ENDLESS)
    until_picture(events)
    events.close()
    Path(three[1]).write_bytes(b"hello")
    list(painting_of(1, photos=three[:2]))
    told = capsys.readouterr().out.splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", line) for line in told)
    assert [line[20:].partition(", ")[0] for line in told] == [
        "abandoned",
        "done: 28x24 pixels",
        "failed: the photo: not a picture that can be read; save it as JPEG",
    ]


def test_program_is_not_given_what_goes_with_the_page(studio, photo_path, painting_path):
    given = {name: DEFAULTS[name] for name in CONTROLS} | {"size": 24, "iterations": ENDLESS}
    events = studio.paint_for_program(asked.Asked([photo_path], painting_path, None, given))
    until_picture(events)
    studio.stop_all()
    with pytest.raises(InputError, match="The page was shut down before this was finished"):
        assert not any(shown.result for shown in events)
    waiting = studio.paint_for_program(asked.Asked([photo_path], painting_path, None, given))
    with pytest.raises(InputError, match="The page was shut down"):
        next(waiting)


def test_those_who_ask_and_never_wait_are_forgotten_in_the_end(studio, monkeypatch):
    monkeypatch.setattr(studios, "MOST_ASKED", 20)
    for number in range(studios.MOST_ASKED + 2):
        studio.enter(SimpleNamespace(session_hash=number), asked.Asked([], None, None, {}))
    assert len(studio._asked) == studios.MOST_ASKED
    assert last_words(studio.paint(0)) == "Too many others have asked since; please ask again."
    with pytest.raises(gr.Error, match="Choose a photo and a painting: your own"):
        list(studio.paint(studios.MOST_ASKED))


def test_only_those_who_wait_for_others_are_told_so(studio, painting_of, photo_path, painting_path):
    """For other visitors, or for a program."""

    def told():
        other = SimpleNamespace(session_hash="another visitor")
        return studio.enter(other, asked.Asked([], None, None, {}))

    given = {name: DEFAULTS[name] for name in CONTROLS} | {"size": 24, "iterations": ENDLESS}
    program = studio.paint_for_program(asked.Asked([photo_path], painting_path, None, given))
    for events in (painting_of(ENDLESS), program):
        assert told() == "Getting ready ..."
        until_picture(events)
        assert told() == "Waiting for your turn ..."
        events.close()
    assert told() == "Getting ready ..."


def test_visitor_who_leaves_while_waiting_is_not_painted_for(studio, painting_of):
    events = painting_of(ENDLESS)
    studio.leave(VISITOR)
    assert list(events) == UNCHANGED


def test_visitor_who_leaves_while_uploads_are_decoded(studio, painting_of, monkeypatch):
    load = easels.load_image_apart

    def load_and_leave(*arguments):
        studio.leave(VISITOR)
        return load(*arguments)

    monkeypatch.setattr(easels, "load_image_apart", load_and_leave)
    assert last_words(painting_of(ENDLESS)) == "Stopped; no picture was finished"


def test_page_that_ends_stops_what_is_painted(studio, painting_of):
    """It would be waited for."""
    events = painting_of(ENDLESS)
    until_picture(events)
    studio.stop_all()
    assert last_words(events).startswith("Stopped")


def test_page_that_is_closed_ends_the_run(studio, painting_of):
    """Gradio closes the generator of a visitor who is gone; nothing goes on in the background."""
    events = painting_of(ENDLESS)
    until_picture(events)
    events.close()
    assert last_words(painting_of(1)) == "Done: 28x24 pixels"


def test_time_limit_stops_and_says_so(studio, painting_of):
    allow(studio, seconds=0.1)
    assert last_words(painting_of(ENDLESS)).startswith("Stopped by the time limit of 0s")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"size": 100}, "The result would be 120x100 pixels; the limit here is 64"),
        ({"size": 100_000}, "The result would be 120000x100000 pixels; the limit here is 64"),
        ({"size": 1}, "The size, the rows of the result, must be a whole number from 16"),
        ({"photos": []}, "Choose a photo: your own, or an example"),
        ({"painting": None}, "Choose a painting: your own, or an example"),
        ({"photos": ["none.png"]}, "the photo: no such file"),
        ({"photos": ["a.png"] * 5}, "Too many photos: at most 4 at once. Leave some"),
    ],
)
def test_what_cannot_be_painted_is_answered_and_leaves_nothing(
    given, message, painting_of, tmp_path
):
    seen = []
    with pytest.raises(gr.Error, match=message):
        for shown in painting_of(1, **given):
            seen.append(shown.words)
    assert message in seen[-1]
    assert list((tmp_path / "page").iterdir()) == []


def test_too_little_memory_is_answered(painting_of, monkeypatch):
    def paint_nothing(*_):
        raise MemoryError

    message = "not enough memory for this size; choose a smaller"
    monkeypatch.setattr(nst, "paint", paint_nothing)
    with pytest.raises(gr.Error, match=message):
        list(painting_of(1))
    monkeypatch.setattr(memory, "allowed_mib", lambda settings: 1.0)  # foreseen, in tiles too
    with pytest.raises(gr.Error, match=message):
        list(painting_of(1))


def test_too_large_a_painting_is_answered_by_its_size_whatever_memory_there_is(
    painting_of, monkeypatch
):
    monkeypatch.setattr(memory, "allowed_mib", lambda settings: 1.0)
    with pytest.raises(gr.Error, match="too many here. Choose finer strokes"):
        list(painting_of(1, style_scale=100.0))


def test_choices_are_small_pictures_of_three_strengths(studio, photo_path, painting_path):
    given = {name: DEFAULTS[name] for name in CONTROLS}
    given |= {"size": 40}
    studio.enter(VISITOR, asked.Asked([photo_path], painting_path, None, given), is_choice=True)
    shown = list(studio.offer(VISITOR.session_hash))
    last = {}
    for each in shown:
        last |= {i: p for i, p in enumerate(each.pictures) if is_picture(p)}
    assert [last[index].size for index in range(3)] == [(63, 53)] * 3  # at most 64 a side
    pixels = [np.asarray(last[index]) for index in range(3)]
    assert (pixels[0] != pixels[1]).any() and (pixels[1] != pixels[2]).any()
    assert shown[-1].words.startswith("Choose the one that you like best")


def hidden(unlike):
    """What is shown while choices are hidden that are in this unlike what would be painted."""
    return Row(False, CHOICES_HIDDEN.format(unlike=unlike))


@pytest.fixture
def wanted(photo_path, painting_path):
    """A function that makes what a visitor asks for, small."""

    def wanted(mask=None, painting=painting_path, **more):
        given = {name: DEFAULTS[name] for name in CONTROLS} | {"size": 40} | more
        return asked.Asked([photo_path], painting, mask, given)

    return wanted


def test_choices_are_offered_while_they_are_of_what_is_set(studio, wanted, photo_path):
    """Whatever the strength, which they vary, and the size, which only *Paint* follows."""
    assert studio.row(VISITOR, wanted()) is None
    studio.enter(VISITOR, wanted(), is_choice=True)
    assert studio.row(VISITOR, wanted()) is None  # until the first is there
    rows = [each.row for each in studio.offer(VISITOR.session_hash) if each.row]
    assert rows == [NOT_YET, THERE, THERE]
    studio.enter(VISITOR, wanted(seed=1))
    assert studio.row(VISITOR, wanted(strength=0.7, size=50)) == THERE
    for other, unlike in (
        (wanted("mask.png"), "no mask"),
        (wanted(preserve_colors="luma"), "colours no"),
        (wanted(style_scale=0.6, seed=1), "seed 0, strokes as in the painting"),
    ):
        assert studio.row(VISITOR, other) == hidden(unlike)
    assert studio.row(VISITOR, wanted(painting=photo_path)) == NOT_YET  # it has no choices yet


def test_choices_are_hidden_at_their_end_if_something_else_is_set_by_then(studio, wanted):
    """Before, they and their progress stay in sight."""
    studio.enter(VISITOR, wanted(), is_choice=True)
    events = studio.offer(VISITOR.session_hash)
    while next(events).row != THERE:
        pass
    assert studio.row(VISITOR, wanted(seed=1)) is None
    *_, last = events
    assert last.words == "The choices are painted, with what was set when you asked for them."
    assert last.row == studio.row(VISITOR, wanted(seed=1)) == hidden("seed 0")


def test_choices_are_not_shown_where_they_were_stopped_early(studio, wanted):
    studio.enter(VISITOR, wanted(), is_choice=True)
    events = studio.offer(VISITOR.session_hash)
    next(events)
    studio.stop(VISITOR)
    (last,) = events
    assert (last.words, last.row) == ("Stopped: 0 of 3 choices", NOT_YET)
    assert studio.row(VISITOR, wanted()) is None


def test_choices_stay_until_all_new_ones_are_painted(studio, wanted):
    studio.enter(VISITOR, wanted(), is_choice=True)
    *_, last = studio.offer(VISITOR.session_hash)
    assert all(map(is_picture, last.pictures))
    studio.enter(VISITOR, wanted(seed=1), is_choice=True)
    events = studio.offer(VISITOR.session_hash)
    while next(events).row != THERE:
        pass
    studio.stop(VISITOR)
    *_, stopped = events
    assert re.fullmatch("Stopped: [01] of 3 choices; the choices of before stay", stopped.words)
    assert stopped.pictures == last.pictures and stopped.row == hidden("seed 0")
    assert studio.row(VISITOR, wanted()) == THERE


def test_choices_of_another_painting_do_not_take_the_place_of_new_ones(studio, wanted, photo_path):
    """They could not be seen."""
    studio.enter(VISITOR, wanted(), is_choice=True)
    list(studio.offer(VISITOR.session_hash))
    studio.enter(VISITOR, other := wanted(painting=photo_path), is_choice=True)
    events = studio.offer(VISITOR.session_hash)
    while not other.choices:
        next(events)
    studio.stop(VISITOR)
    *_, last = events
    assert (last.words, last.row) == ("Stopped: 1 of 3 choices", THERE)
    assert [*map(is_picture, last.pictures)] == [True, False, False]


@pytest.mark.parametrize(
    ("given", "name"), [("mask", "mask bad.png"), ("painting", "the painting")]
)
def test_choices_stay_if_new_ones_cannot_be_painted(given, name, studio, wanted, tmp_path):
    studio.enter(VISITOR, wanted(), is_choice=True)
    list(studio.offer(VISITOR.session_hash))
    (bad := tmp_path / "bad.png").write_text("hello")
    studio.enter(VISITOR, wanted(**{given: str(bad)}), is_choice=True)
    with pytest.raises(gr.Error, match=f"{name}: not a picture"):
        list(studio.offer(VISITOR.session_hash))
    assert studio.row(VISITOR, wanted()) == THERE


@pytest.mark.parametrize("shows_one", [False, True])
def test_choices_stay_if_those_of_another_painting_are_stopped_at_once(
    shows_one, studio, wanted, photo_path
):
    studio.enter(VISITOR, wanted(), is_choice=True)
    list(studio.offer(VISITOR.session_hash))
    studio.enter(VISITOR, wanted(painting=photo_path), is_choice=True)
    events = studio.offer(VISITOR.session_hash)
    while next(events).row != (THERE if shows_one else NOT_YET):
        pass
    studio.stop(VISITOR)
    *_, last = events
    assert (last.words, last.row) == ("Stopped: 0 of 3 choices", NOT_YET)  # these have none
    assert studio.row(VISITOR, wanted()) == THERE


def test_choices_are_not_kept_without_end(studio, wanted, monkeypatch):
    studio._easel._with_choices = deque(maxlen=1)
    monkeypatch.setattr(easels, "MOST_WITH_CHOICES", 1)
    for visitor in (VISITOR, SimpleNamespace(session_hash="another visitor")):
        studio.enter(visitor, wanted(), is_choice=True)
        list(studio.offer(visitor.session_hash))
    assert [len(each.choices) for each in studio._asked.values()] == [0, 3]


def test_choices_count_down_to_the_last_of_them(monkeypatch):
    """The first as foreseen, those after it as long as the one before; a run that tells, tells."""
    now = 100.0
    monkeypatch.setattr(choices.time, "monotonic", lambda: now)
    run = SimpleNamespace(is_foreseeable=False)
    countdown = choices.Countdown([20, 20, 20])
    countdown.begin_next()
    assert countdown.words(run) == "1 of 3, about 60s until all are painted"
    now += 5
    assert countdown.words(run) == "1 of 3, about 55s until all are painted"
    telling = SimpleNamespace(is_foreseeable=True, seconds_left=25)
    assert countdown.words(telling) == "1 of 3, about 85s until all are painted"  # 25 + 30 + 30
    now += 35
    countdown.begin_next()
    assert countdown.words(run) == "2 of 3, about 80s until all are painted"
    countdown.begin_next()
    unknown = choices.Countdown(None)
    unknown.begin_next()
    assert unknown.words(run) == "1 of 3, getting ready ..."


def test_choices_to_come_are_as_much_slower_than_foreseen_as_the_last(monkeypatch):
    """The first, for which the loss is compiled, takes longer than those after it."""
    now = 100.0
    monkeypatch.setattr(choices.time, "monotonic", lambda: now)
    countdown = choices.Countdown([20, 10, 10])
    countdown.begin_next()
    now += 30
    countdown.begin_next()
    run = SimpleNamespace(is_foreseeable=False)
    assert countdown.words(run) == "2 of 3, about 30s until all are painted"
