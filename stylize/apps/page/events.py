"""What happens on the page when a visitor gives something, changes it or clicks."""

import functools
from collections.abc import Iterator
from typing import Any

import gradio as gr

from stylize.apps.page.asked import Asked
from stylize.apps.page.choices import STRENGTHS
from stylize.apps.page.controls import CONTROLS
from stylize.apps.page.guard import NOT_OURS
from stylize.apps.page.layout import Layout, marked
from stylize.apps.page.previews import SECONDS, original
from stylize.apps.page.shown import Shown, complaint
from stylize.apps.page.studio import Studio
from stylize.apps.page.watch import Limit

# Ways to answer, as options of Gradio's events: one painting after the other, for all visitors.
IN_TURN: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "painting"}
# Else a second click would only stop the first.
_EACH_IN_TURN = IN_TURN | {"trigger_mode": "multiple"}
_AT_ONCE: dict[str, Any] = {"queue": False, "show_progress": "hidden"}
# As the browser sends it: `load_image` and `prepare` say what is wrong.
_AS_SENT = _AT_ONCE | {"preprocess": False}
_CHANGED = _AS_SENT | {"trigger_mode": "always_last"}
_LOOKING: dict[str, Any] = {
    "concurrency_limit": 2,
    "concurrency_id": "looking",
    "preprocess": False,
}

REMARKS_FOR = 6  # seconds


class Answers:
    """What the page answers to a visitor."""

    def __init__(self, studio: Studio):
        self.studio = studio

    def enter(self, request: gr.Request, *sent: Any) -> str:
        """A picture is asked for, see `Studio.enter`."""
        return self.studio.enter(request, self._asked(request, *sent))

    def enter_for_choices(self, request: gr.Request, *sent: Any) -> str:
        """Small pictures to choose from are asked for."""
        return self.studio.enter(request, self._asked(request, *sent), is_choice=True)

    def paint_entered(self, request: gr.Request) -> Iterator[Shown]:
        """What was asked for is painted. (The endpoint for programs is called `paint`.)"""
        yield from self.studio.paint(request.session_hash)

    def offer(self, request: gr.Request) -> Iterator[tuple]:
        """The small pictures that were asked for are painted."""
        for shown in self.studio.offer(request.session_hash):
            yield shown.words, shown.row, *shown.pictures

    def ready(self, request: gr.Request, *sent: Any) -> Any:
        """A setting has changed, see `Studio.ready`."""
        return self.studio.ready(request, self._asked(request, *sent))

    def given(self, request: gr.Request, *sent: Any) -> tuple:
        """Another picture is given."""
        asked = self._asked(request, *sent)
        words = self.studio.ready(request, asked)
        is_other = self.studio.has_other_pictures(request, asked)
        is_offering = self.studio.is_offering(request)
        choices = gr.Row(visible=False) if is_other and not is_offering else gr.skip()
        return words, choices

    def foresee(self, photos: Any, painting: Any, *values: Any) -> str:
        """How long it will take, in words."""
        given = dict(zip(CONTROLS, values, strict=True))
        return self.studio.foresight.words(_paths(photos), _last(painting), given)

    def show(self, photos: Any) -> Any:
        """Uploads as any browser can show them."""
        return self._shown_instead(_paths(photos))

    def show_last(self, pictures: Any) -> Any:
        """The last of them: only one is taken."""
        return self._shown_instead(_paths(pictures), last=1)

    def _asked(self, request, photos, painting, mask, *values):
        """What a visitor asks for, which stays in memory, from what the browser sends of inputs."""
        if not all(map(_is_plain, [request.session_hash, *values])):
            raise complaint(NOT_OURS)
        some = _paths(photos)[: self.studio.allowed.photos + 1]  # one too many says that they are
        given = dict(zip(CONTROLS, values, strict=True))
        return Asked(some, _last(painting), _last(mask), given)

    def _shown_instead(self, paths, last=0):
        limit = Limit(max_seconds=SECONDS)
        shown = [self.studio.previews.shown(path, limit) for path in paths[-last:]]
        # Sending back what has not changed could overwrite a newer upload.
        return gr.skip() if shown == paths else shown


def connect(page: Layout, answers: Answers) -> None:
    """Says which answer each event of the page has, within the `gr.Blocks` that is being built."""
    _paint(page, answers)
    _offer_choices(page, answers)
    _show_uploads(page, answers)
    _follow_changes(page, answers)
    _follow_mask(page)
    page.stop.click(answers.studio.stop, queue=False)


def _paint(page, answers):
    """*Paint*. Earlier results stay in sight meanwhile."""
    words, *_ = page.outputs
    entered = page.start.click(answers.enter, page.inputs, words, **_AS_SENT)
    waiting = {"show_progress_on": page.outputs[:-1]}
    entered.success(answers.paint_entered, None, page.outputs, **waiting, **_EACH_IN_TURN)


def _offer_choices(page, answers):
    """*Show me the choices*, and a click on one of them."""
    words, *_ = page.outputs
    small = [words, page.offer, *(picture for picture, _ in page.offered)]
    asked = page.choices.click(answers.enter_for_choices, page.inputs, words, **_AS_SENT)
    asked.success(answers.offer, None, small, **_EACH_IN_TURN)
    strength, *_ = page.settings
    for each, (picture, button) in zip(STRENGTHS, page.offered, strict=True):
        for event in (picture.select, button.click):
            event(functools.partial(float, each), None, strength, **_AT_ONCE)
    buttons = [button for _, button in page.offered]
    strength.change(marked, strength, buttons, **_CHANGED)


def _show_uploads(page, answers):
    """What is given is shown as a browser can show it."""
    page.photos.upload(answers.show, page.photos, page.photos, **_LOOKING)
    for each in (page.painting, page.keep_mask):
        each.upload(answers.show_last, each, each, **_LOOKING)


def _follow_changes(page, answers):
    """What is given or set anew may be ready to be painted, and takes another time."""
    words, *_ = page.outputs
    given = answers.given, page.inputs, [words, page.offer]
    foreseen = answers.foresee, [page.photos, page.painting, *page.settings], page.expected
    settings = [each.change for each in page.settings]
    pictures = [page.photos.change, page.painting.change]
    looking = _LOOKING | {"show_progress": "hidden"}
    gr.on(settings, answers.ready, page.inputs, words, **_CHANGED)
    gr.on([*pictures, page.keep_mask.change], *given, **_CHANGED)
    gr.on([*pictures, *settings], *foreseen, trigger_mode="always_last", **looking)
    # Gradio sees no change in it.
    for each in page.examples:
        each.load_input_event.then(*given, **_AS_SENT)
        each.load_input_event.then(*foreseen, **looking)


def _follow_mask(page):
    """A mask is said to be there, wherever the page is scrolled to, and goes with its photo."""
    about = [page.masked_photo, page.mask_in_use]
    page.keep_mask.change(mask_given, [page.photos, page.keep_mask], about, **_CHANGED)
    waiting = _LOOKING | {"show_progress": "hidden"}  # in the queue: only there toasts are shown
    given = [page.photos, page.keep_mask, page.masked_photo]
    all_of_it = [page.keep_mask, *about]  # Gradio sees no change in what is removed
    page.photos.change(mask_for_photos, given, all_of_it, **waiting)
    page.remove_mask.click(no_mask, None, all_of_it, **_AT_ONCE)


def mask_given(photos: Any, mask: Any) -> tuple[str | None, gr.Markdown]:
    """The path of the first photo, for which a new mask is, and words that there is one."""
    is_there = bool(_paths(mask))
    return _first(photos) if is_there else None, gr.Markdown(visible=is_there)


def mask_for_photos(photos: Any, mask: Any, masked_photo: Any) -> tuple[Any, ...]:
    """Removes a mask with the photo that it was for, or leaves it. What is returned: `no_mask`."""
    first = _first(photos)
    is_kept = first and masked_photo in (None, "", first)  # it may be given before the photo
    if is_kept or not _paths(mask):
        return gr.skip(), first, gr.skip()
    gr.Info("The mask was for the photo before, and is removed.", duration=REMARKS_FOR)
    return no_mask()


def no_mask() -> tuple[None, None, gr.Markdown]:
    """Removes the mask. Returns it, the path of its photo, and the words that there is one."""
    return None, None, gr.Markdown(visible=False)


def _first(gallery):
    """The path of the first of them; None: there is none."""
    return next(iter(_paths(gallery)), None)


def _paths(gallery):
    """Those of the pictures and videos in what the browser sends of a gallery."""
    files = [each.get("video") or each.get("image") for each in gallery or ()]
    return [original(file["path"]) for file in files if file["path"]]


def _last(gallery):
    """The path of the last of them; None: there is none."""
    return next(reversed(_paths(gallery)), None)


def _is_plain(value):
    """Whether a value may be that of a control."""
    return (
        value is None
        or isinstance(value, int | float)
        or (isinstance(value, str) and len(value) < 100)
    )
