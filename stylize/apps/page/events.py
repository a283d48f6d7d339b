"""What happens on the page when a visitor gives something, changes it or clicks."""

import functools
import html
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from stylize.apps.page.asked import Asked
from stylize.apps.page.choices import STRENGTHS
from stylize.apps.page.controls import CONTROLS
from stylize.apps.page.guard import NOT_OURS
from stylize.apps.page.layout import TO_RESULT, Layout, marked
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
WITHOUT_PHOTOS_NO_EXAMPLE = "(photos, example) => photos?.length ? example : null"
MASK_IS_GONE = "The mask was for the photo before. It comes back with that photo."
# The mask, the path of its photo, and the words that there is one.
NO_MASK = None, None, gr.Markdown(visible=False)
MASK_IS_BACK = "The mask that this photo had before is back."


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
            yield shown.words, *_of_row(shown.row), *shown.pictures

    def changed(self, request: gr.Request, *sent: Any) -> tuple:
        """Something is given or set anew. Returns words, and what is shown of the choices."""
        asked = self._asked(request, *sent)
        return self.studio.ready(request, asked), *_of_row(self.studio.row(request, asked))

    def foresee(self, photos: Any, painting: Any, mask: Any, *values: Any) -> str:
        """How long it will take, in words, and what may surprise of the mask."""
        given = dict(zip(CONTROLS, values, strict=True))
        return self.studio.foresight.words(_paths(photos), _last(painting), given, _last(mask))

    def example_given(self, photos: Any) -> str | None:
        """The path of the example photo that has taken the place of all photos."""
        return _first(photos)

    def show(self, photos: Any, example: Any) -> tuple[Any, None]:
        """Uploads as any browser can show them, and that no example is there any more.

        They take the place of one, which an upload may be, too.
        """
        paths = _paths(photos)
        has_example = len(paths) > 1 and paths[0] == example
        return self._shown_instead(paths, paths[has_example:]), None

    def show_last(self, pictures: Any) -> Any:
        """The last of them: only one is taken."""
        paths = _paths(pictures)
        if len(paths) > 1:
            name = html.escape(Path(paths[-1]).name)
            gr.Info(f"Only one picture is used here: now {name}.", duration=REMARKS_FOR)
        return self._shown_instead(paths, paths[-1:])

    def mask_given(self, request: gr.Request, photos: Any, mask: Any) -> tuple[Any, ...]:
        """The path of the first photo, for which a new mask is, and words that there is one."""
        first, last = _first(photos), _last(mask)
        self.studio.masks.keep(_visitor(request), first, last)
        return first if last else None, gr.Markdown(visible=bool(last))

    def mask_for_photos(
        self, request: gr.Request, photos: Any, mask: Any, masked_photo: Any
    ) -> tuple[Any, ...]:
        """Exchanges the mask of a photo that has gone for that of the photo that is there now.

        Returns the mask, the path of its photo, and the words that there is one.
        """
        first, last = _first(photos), _last(mask)
        if not self.studio.masks.turn_to(_visitor(request), first):
            return gr.skip(), gr.skip(), gr.skip()  # answered late: there may be a newer mask
        if first and last and masked_photo in (None, "", first):  # it may be given before the photo
            self.studio.masks.keep(_visitor(request), first, last)
            return gr.skip(), first, gr.skip()
        own = self.studio.masks.of(_visitor(request), first)
        if own == last:
            return gr.skip(), first, gr.skip()
        gr.Info(MASK_IS_BACK if own else MASK_IS_GONE, duration=REMARKS_FOR)
        if own is None:
            return NO_MASK
        shown = self.studio.previews.shown(own, Limit(max_seconds=SECONDS))
        return [shown], first, gr.Markdown(visible=True)

    def remove_mask(self, request: gr.Request, photos: Any) -> tuple[Any, ...]:
        """Removes the mask, for good. Returns what `mask_for_photos` does."""
        self.studio.masks.keep(_visitor(request), _first(photos), None)
        return NO_MASK

    def _asked(self, request, photos, painting, mask, *values):
        """What a visitor asks for, which stays in memory, from what the browser sends of inputs."""
        _visitor(request)
        if not all(map(_is_plain, values)):
            raise complaint(NOT_OURS)
        some = _paths(photos)[: self.studio.allowed.photos + 1]  # one too many says that they are
        given = dict(zip(CONTROLS, values, strict=True))
        return Asked(some, _last(painting), _last(mask), given)

    def _shown_instead(self, paths, kept):
        """What is shown of those that are kept."""
        limit = Limit(max_seconds=SECONDS)
        shown = [self.studio.previews.shown(path, limit) for path in kept]
        # Sending back what has not changed could overwrite a newer upload.
        return gr.skip() if shown == paths else shown


def connect(page: Layout, answers: Answers) -> None:
    """Says which answer each event of the page has, within the `gr.Blocks` that is being built."""
    _paint(page, answers)
    _offer_choices(page, answers)
    _show_uploads(page, answers)
    _follow_changes(page, answers, _follow_mask(page, answers))
    page.stop.click(answers.studio.stop, queue=False)


def _paint(page, answers):
    """*Paint*. Earlier results stay in sight meanwhile."""
    words, *_ = page.outputs
    page.start.click(None, js=TO_RESULT)
    entered = page.start.click(answers.enter, page.inputs, words, **_AS_SENT)
    waiting = {"show_progress_on": page.outputs[:-1]}
    entered.success(answers.paint_entered, None, page.outputs, **waiting, **_EACH_IN_TURN)


def _offer_choices(page, answers):
    """*Show me the choices*, and a click on one of them."""
    words, *_ = page.outputs
    small = [words, page.offer, page.offer_hidden, *(picture for picture, _ in page.offered)]
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
    looking = _LOOKING | {"trigger_mode": "always_last"}  # else one amid the last would be missed
    shown = [page.photos, page.example]
    page.photos.upload(answers.show, shown, shown, **looking)
    page.photos.change(None, shown, page.example, js=WITHOUT_PHOTOS_NO_EXAMPLE)
    of_photos, _ = page.examples
    of_photos.load_input_event.then(answers.example_given, page.photos, page.example, **_CHANGED)
    for each in (page.painting, page.keep_mask):
        each.upload(answers.show_last, each, each, **looking)


def _follow_changes(page, answers, exchanged):
    """What is given or set anew may be ready to be painted, and takes another time.

    `exchanged`: the events that may exchange a mask.
    """
    words, *_ = page.outputs
    changed = answers.changed, page.inputs, [words, page.offer, page.offer_hidden]
    foreseen = answers.foresee, page.inputs, page.expected
    given = {each: each.change for each in page.inputs}
    looking = _LOOKING | {"show_progress": "hidden", "trigger_mode": "always_last"}
    gr.on([*given.values()], *changed, **_CHANGED)
    del given[page.photos]  # another photo may have another mask: first comes that
    gr.on([*given.values()], *foreseen, **looking)
    # Gradio sees no change in these.
    for each in [*exchanged, *(each.load_input_event for each in page.examples)]:
        each.then(*changed, **_CHANGED)
        each.then(*foreseen, **looking)


def _follow_mask(page, answers):
    """The page says that there is a mask, which goes with its photo and comes back with it.

    Returns the events that may exchange it.
    """
    about = [page.masked_photo, page.mask_in_use]
    page.keep_mask.change(answers.mask_given, [page.photos, page.keep_mask], about, **_CHANGED)
    waiting = _LOOKING | {"show_progress": "hidden"}  # in the queue: only there toasts are shown
    given = [page.photos, page.keep_mask, page.masked_photo]
    all_of_it = [page.keep_mask, *about]  # Gradio sees no change in what is removed
    return [
        page.photos.change(answers.mask_for_photos, given, all_of_it, **waiting),
        page.remove_mask.click(answers.remove_mask, page.photos, all_of_it, **_AS_SENT),
    ]


def _of_row(row):
    """The row of small pictures, and the words in its place; None: both stay as they are."""
    if row is None:
        return gr.skip(), gr.skip()
    return gr.Row(visible=row.is_there), gr.Markdown(row.instead, visible=bool(row.instead))


def _visitor(request):
    """The name that a visitor's browser goes by. Raises gr.Error: it is none."""
    if not _is_plain(request.session_hash):
        raise complaint(NOT_OURS)
    return request.session_hash


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
