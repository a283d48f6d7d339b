"""What the page's events call, without a browser: turns, Stop, limits, visitors who leave."""

from types import SimpleNamespace

import pytest

from neural_style_transfer import paint
from stylize import records
from stylize.pictures import load_image

gr = pytest.importorskip("gradio", reason="the page needs requirements-app.txt")
web = pytest.importorskip("stylize.web")

VISITOR = SimpleNamespace(session_hash="a visitor")
ENDLESS = 10_000  # iterations


@pytest.fixture
def studio(small_vgg19, tmp_path):
    """It may paint up to 64 pixels, for a minute."""
    return web.Studio(paint, small_vgg19, tmp_path, max_size=64, max_seconds=60)


@pytest.fixture
def painting_of(studio, photo_path, painting_path):
    """A function that asks for a picture as the page does; returns the events' generator."""

    def ask(iterations, size=24, photo=photo_path):
        given = {name: web.DEFAULTS[name] for name in web.CONTROLS}
        values = (given | {"size": size, "iterations": iterations}).values()
        studio.enter(VISITOR, photo, painting_path, *values)
        return studio.paint(VISITOR.session_hash)

    return ask


def until_picture(events):
    """Follows until the first picture is shown."""
    return next(picture for _, picture, *_ in events if is_picture(picture))


def is_picture(value):
    return hasattr(value, "size")


def last_words(events):
    return [words for words, *_ in events][-1]


def test_painting_ends_with_a_picture_that_says_how_it_was_made(studio, painting_of):
    *_, (words, picture, plot, download) = painting_of(2)
    assert words == "Done: 28x24 pixels"
    assert picture.size == load_image(download.value["path"]).size == (28, 24)
    assert plot.axes
    record = records.read_record(download.value["path"])
    assert (record["base"]["name"], record["settings"]["iterations"]) == ("photo.png", 2)


def test_words_say_how_far_it_is(studio, painting_of):
    seen = [words for words, *_ in painting_of(5)]
    assert any(words.startswith("Painting at 28x24 pixels: ") for words in seen)


def test_stop_keeps_the_picture(studio, painting_of):
    events = painting_of(ENDLESS)
    until_picture(events)
    studio.stop(VISITOR)
    assert last_words(events) == "Stopped: 28x24 pixels"


def test_second_click_starts_anew_and_stop_stops_that(studio, painting_of):
    first = painting_of(ENDLESS)
    until_picture(first)
    second = painting_of(ENDLESS)
    assert last_words(first) == "Stopped: 28x24 pixels"
    until_picture(second)
    studio.stop(VISITOR)
    assert last_words(second) == "Stopped: 28x24 pixels"


def test_two_clicks_before_ones_turn_paint_what_was_asked_last(studio, painting_of):
    first, second = painting_of(ENDLESS, size=48), painting_of(1)
    assert last_words(first) == "Done: 28x24 pixels"
    assert list(second) == []


def test_click_stop_and_click_again_while_waiting(studio, painting_of):
    first = painting_of(ENDLESS, size=48)
    studio.stop(VISITOR)
    second = painting_of(1)
    assert last_words(first) == "Done: 28x24 pixels"
    assert list(second) == []


def test_stop_while_waiting(studio, painting_of):
    events = painting_of(ENDLESS)
    studio.stop(VISITOR)
    assert last_words(events) == "Stopped; no picture was finished"


def test_visitor_who_leaves_while_waiting_is_forgotten(studio, painting_of):
    events = painting_of(ENDLESS)
    studio.leave(VISITOR)
    assert list(events) == []


def test_visitor_who_leaves_while_uploads_are_decoded(studio, painting_of, monkeypatch):
    def load_and_leave(*arguments):
        studio.leave(VISITOR)
        return load_image(*arguments)

    monkeypatch.setattr(web, "load_image", load_and_leave)
    assert last_words(painting_of(ENDLESS)) == "Stopped; no picture was finished"


def test_page_that_is_closed_ends_the_run(studio, painting_of):
    """Gradio closes the generator of a visitor who is gone; nothing goes on in the background."""
    events = painting_of(ENDLESS)
    until_picture(events)
    events.close()
    assert last_words(painting_of(1)) == "Done: 28x24 pixels"


def test_time_limit_stops_and_says_so(studio, painting_of):
    studio._max_seconds = 0.5
    assert last_words(painting_of(ENDLESS)).startswith("Stopped by the time limit of 0 s")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"size": 100}, "The result would have 120x100 pixels; here at most 64 are painted"),
        ({"size": 1}, "--size must be a whole number of at least 16"),
        ({"photo": None}, "Give a photo and a painting"),
        ({"photo": "none.png"}, "the photo: no such file"),
    ],
)
def test_what_cannot_be_painted_is_answered(given, message, studio, painting_of):
    events = painting_of(1, **given)
    words, *_ = next(events)
    assert message in words
    with pytest.raises(gr.Error, match=message):
        next(events)


def test_too_little_memory_is_answered(studio, painting_of):
    def paint_nothing(*_):
        raise MemoryError

    studio._paint = paint_nothing
    with pytest.raises(gr.Error, match="not enough memory for this size; choose a smaller"):
        list(painting_of(1))
