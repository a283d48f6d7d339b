"""What a run leaves with its pictures."""

import imageio.v3 as iio
import numpy as np
import pytest

import pictures
import records
from neural_style_transfer import Losses
from pictures import InputError
from recipes import RECIPES, SETTINGS

NOTHING_GIVEN = dict.fromkeys(SETTINGS)


@pytest.fixture
def record(small_vgg19, photo_path, painting_path):
    settings = RECIPES["pyramid"] | {"content_mask": photo_path, "init": painting_path}
    return records.make_record(
        "program 1", "pyramid", settings, small_vgg19, photo_path, [painting_path], "keras"
    )


def test_record_survives_a_picture_and_names_no_folder(record, photo, tmp_path):
    pictures.save_image(photo, tmp_path / "p.jpg", description=records.to_text(record, iteration=3))
    read = records.read_record(tmp_path / "p.jpg")
    assert read == record | {"iteration": 3}
    assert str(tmp_path) not in str(read)
    assert read["settings"]["content_mask"] == read["base"]["name"] == "photo.png"


def test_digest_is_of_the_numbers(small_vgg19):
    digest = records.weights_digest(small_vgg19)
    _, bias = small_vgg19.layers["block1_conv1"]
    assert digest == records.weights_digest(small_vgg19)
    bias[0] += 1
    assert digest != records.weights_digest(small_vgg19)


@pytest.mark.parametrize("text", ["", "hello", "{}", "[]", "3"])
def test_pictures_without_a_record_are_named(text, photo, tmp_path):
    pictures.save_image(photo, tmp_path / "p.png", description=text)
    with pytest.raises(InputError, match=r"p\.png: does not say how it was made"):
        records.read_record(tmp_path / "p.png")


def test_what_is_given_wins_over_the_record(record):
    given = NOTHING_GIVEN | {"size": 99, "init": "base", "content_mask": "mask.png"}
    settings = records.settings_like(record, given, "r.png")
    assert (settings["size"], settings["content_mask"]) == (99, "mask.png")
    assert settings["tv_weight"] == RECIPES["pyramid"]["tv_weight"]


def test_pictures_that_a_record_only_names_must_be_given_again(record):
    with pytest.raises(InputError, match="r.png: was made with --init painting.png; give it again"):
        records.settings_like(record, NOTHING_GIVEN, "r.png")


def test_differences_name_what_may_change_the_picture(record):
    assert records.differences(record, record) == []
    other = record | {
        "weights": {"sha256": "other"},
        "versions": record["versions"] | {"numpy": "0.1", "python": "2"},
    }
    numpy_version = record["versions"]["numpy"]
    assert records.differences(record, other) == ["weights", f"numpy ({numpy_version}, now 0.1)"]


def table():
    result = records.LossTable()
    for size in (20, 20, 40, 40):
        result.add(0, 0.5, Losses(total=3.0, content=1.0, style=0.0, total_variation=2.0), size)
    return result


def test_plot_shows_every_term_and_where_the_size_changes():
    (axes,) = table().figure().axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        *("total", "content", "style", "tv")
    ]
    change = axes.get_lines()[4]
    assert list(change.get_xdata()) == [2.5, 2.5]


def test_plot_is_a_picture(tmp_path):
    table().plot(tmp_path / "p.png")
    assert pictures.load_image(tmp_path / "p.png").size == (840, 480)


# What imageio starts to read a video it leaves to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("suffix", ["gif", "mp4"])
def test_film_has_the_frames_in_order(suffix, tmp_path):
    """A growing brightness, read back by imageio, at most `FILM_ROWS` high."""
    path = tmp_path / f"film.{suffix}"
    film = records.Film(path, 801, 1001, evaluations=1)
    for value in (0, 100, 200):
        film.add(lambda value=value: np.full((20, 25, 3), float(value)))
    film.save()
    frames = iio.imread(path, plugin={"gif": "pillow", "mp4": "FFMPEG"}[suffix])
    assert frames.shape[1:] == (400, 500, 3)
    brightness = frames.mean((1, 2, 3))
    np.testing.assert_allclose(brightness[:3], [0, 100, 200], atol=4)
    np.testing.assert_allclose(brightness[-1], 200, atol=4)


def test_long_runs_have_films_of_bounded_length():
    film = records.Film("film.gif", 20, 20, evaluations=1200)
    for _ in range(1200):
        film.add(lambda: np.zeros((20, 20, 3)))
    assert len(film._frames) == records.FILM_FRAMES
