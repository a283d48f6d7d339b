"""A mask goes with its photo, and comes back with that; whatever order answers come in."""

from types import SimpleNamespace

import pytest

gr = pytest.importorskip("gradio", reason="the page needs requirements-app.txt")
from stylize.apps.page import masks  # noqa: E402
from stylize.apps.page.events import NO_MASK, Answers  # noqa: E402

VISITOR = SimpleNamespace(session_hash="a visitor")
UNCHANGED = (gr.skip(),) * 3


@pytest.fixture
def answers():
    shown = SimpleNamespace(shown=lambda path, limit: path)
    return Answers(SimpleNamespace(masks=masks.Masks(), previews=shown))


@pytest.fixture
def photos(photo_path):
    return gallery(photo_path)


@pytest.fixture
def others(painting_path):
    return gallery(painting_path)


@pytest.fixture
def mask(cut_out_path):
    return gallery(cut_out_path)


def gallery(path):
    """What the browser sends of a picture."""
    return [{"image": {"path": str(path)}}]


def test_mask_goes_with_its_photo_and_comes_back(answers, photos, others, mask, cut_out_path):
    answers.mask_given(VISITOR, photos, mask)
    assert answers.mask_for_photos(VISITOR, others, mask, "photo") == NO_MASK
    back, _, _ = answers.mask_for_photos(VISITOR, photos, None, None)
    assert back == [str(cut_out_path)]
    answers.remove_mask(VISITOR, photos)
    answers.mask_for_photos(VISITOR, others, None, None)
    back, _, _ = answers.mask_for_photos(VISITOR, photos, None, None)
    assert back == gr.skip()


def test_late_answer_about_a_photo_leaves_its_mask_alone(answers, photos, mask):
    """The page asks what mask the photo has; before the answer, the visitor gives one."""
    answers.mask_given(VISITOR, photos, mask)
    assert answers.mask_for_photos(VISITOR, photos, None, None) == UNCHANGED


def test_mask_may_be_given_before_its_photo(answers, photos, mask, photo_path):
    answers.mask_given(VISITOR, None, mask)
    kept, of, _ = answers.mask_for_photos(VISITOR, photos, mask, None)
    assert kept == gr.skip() and of == str(photo_path)


def test_others_get_no_mask(answers, photos, mask):
    answers.mask_given(VISITOR, photos, mask)
    for stranger in ("another visitor", None):
        request = SimpleNamespace(session_hash=stranger)
        kept, _, _ = answers.mask_for_photos(request, photos, None, None)
        assert kept == gr.skip()


def test_any_number_of_visitors_takes_bounded_memory(monkeypatch):
    monkeypatch.setattr(masks, "MOST_KNOWN", 3)
    known = masks.Masks()
    for n in range(9):
        known.keep(f"visitor {n}", "photo", "mask")
    assert not known.turn_to("visitor 8", "photo")
    assert known.turn_to("visitor 0", "photo")  # forgotten
