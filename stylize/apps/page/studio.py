"""What the page's events call: visitors, what they ask for, and their turns.

One picture is painted at a time, by an `Easel`.
"""

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import gradio as gr

from stylize.apps.page.allowance import Allowance
from stylize.apps.page.asked import Asked
from stylize.apps.page.easel import Easel
from stylize.apps.page.foresight import Foresight
from stylize.apps.page.guard import bytes_in
from stylize.apps.page.log import log
from stylize.apps.page.masks import Masks
from stylize.apps.page.previews import Previews
from stylize.apps.page.shown import (
    STILL_SHOWN,
    Offered,
    Row,
    Shown,
    captioned,
    complaint,
    in_place_of_earlier,
    lacking,
    reason,
    reason_by_name,
    row_of,
    what_to_do,
    with_caption,
    with_notes,
)
from stylize.errors import InputError
from stylize.vgg.weights import VGG19Weights

# Visitors whose wishes are remembered. Gradio's queue has room for fewer, but strangers may enter
# under any number of names, and those that did so first are forgotten first.
MOST_ASKED = 10_000
STOPPED_BEFORE = "What was being painted before has been stopped."
SHUT_DOWN = "The page was shut down before this was finished."


class Studio:
    """What the page's events call.

    Args:
        weights: the network's.
        folder: where results are kept.
        allowed: how much a visitor may ask for.

    Attributes:
        allowed: as given.
        previews: show what browsers cannot.
        foresight: foresees how long painting will take.
        masks: that visitors have given.
    """

    def __init__(self, weights: VGG19Weights, folder: str, allowed: Allowance):
        self._folder, self.allowed = folder, allowed
        self.previews = Previews(allowed.pixels)
        self.foresight = Foresight(weights, allowed, self.previews)
        self.masks = Masks()
        self._easel = Easel(weights, folder, allowed, self.foresight)
        self._asked: dict[str | None, Asked] = {}  # session -> what it asked for last
        self._asking = threading.Lock()  # held to change that
        # session -> what stops its run; that of a program is under no visitor's name
        self._running: dict[Any, threading.Event] = {}
        self._is_ending = False

    def enter(self, request: gr.Request, asked: Asked, is_choice: bool = False) -> str:
        """A visitor asks for pictures, and waits from now on. Returns words that say so.

        What they asked for before, waiting or being painted, is dropped; their results stay.

        Args:
            request: whose it is.
            asked: what they ask for.
            is_choice: whether as small pictures to choose from.

        Raises:
            gr.Error: exactly this is already being painted for them, as after a double click.
        """
        asked.is_choice = is_choice
        if self._is_painting(request, asked):
            raise complaint("This is already being painted; press Stop to end it.")
        has_own = request.session_hash in self._running
        self.stop(request)
        with self._asking:
            if before := self._asked.pop(request.session_hash, None):
                before.stop.set()  # it may have got its turn just now
                asked.results, asked.above = before.results, before.above
                asked.offered = before.offered
            if len(self._asked) >= MOST_ASKED:  # first those already served, then the oldest
                waits = {session: each.waits for session, each in self._asked.items()}
                del self._asked[min(waits, key=lambda session: waits[session])]
            self._asked[request.session_hash] = asked
        if has_own:
            asked.note([STOPPED_BEFORE])
            return "Stopping what was being painted for you ..."
        return "Waiting for your turn ..." if self._running else "Getting ready ..."

    def _is_painting(self, request, asked):
        """Whether exactly this is being painted for a visitor, and nobody has stopped it."""
        stop = self._running.get(request.session_hash)
        before = self._asked.get(request.session_hash)
        if before is None or stop is None or stop.is_set():
            return False
        return asked == before and asked.is_choice == before.is_choice

    def ready(self, request: gr.Request, asked: Asked) -> Any:
        """The words after a visitor has changed what is to be painted: that would be `asked` now.

        Earlier words are about something else and are replaced, except while a run shows its
        progress, or when a browser reports a change only after the answer to it has arrived.
        """
        before = self._asked.get(request.session_hash)
        goes_on = request.session_hash in self._running or (before and before.waits)
        if goes_on or asked == before:
            return gr.skip()
        words = what_to_do(asked.photos, asked.style)
        return captioned(words, before.above, STILL_SHOWN) if before else words

    def row(self, request: gr.Request, asked: Asked) -> Row | None:
        """What to show of a visitor's small pictures, which may not match what is set now.

        They are hidden only once all are painted, see `offer`.

        Args:
            request: whose they are.
            asked: what would be painted now.

        Returns None where what is shown is to stay.
        """
        with self._asking:
            before = self._asked.get(request.session_hash)
        if before is None:
            return None
        before.now = asked
        if not before.offered or (before.is_choice and request.session_hash in self._running):
            return None
        return row_of(before.offered[0], asked)

    def paint(self, session: str | None) -> Iterator[Shown]:
        """Paints what a visitor asked for last, in their turn.

        Yields until all is painted, or was stopped. Raises gr.Error.
        """

        def in_place(asked):
            events = with_caption(self._easel.paint(asked), asked)
            return in_place_of_earlier(events, asked.results, asked.above)

        yield from self._in_turn(session, False, in_place, Shown)

    def paint_for_program(self, asked: Asked) -> Iterator[Shown]:
        """Paints for a program, which has its turn now. Closing the iterator stops it.

        Yields until it is painted. Raises InputError: nothing came of it; or see `reason`.
        """
        self._running[asked.stop] = asked.stop
        try:
            with logged():
                self._check(asked)
                for shown in with_notes(self._easel.paint(asked), asked.notes):
                    if self._is_ending and shown.result:  # it goes with the page
                        break
                    yield shown
        finally:
            del self._running[asked.stop]
        if self._is_ending:
            raise InputError(SHUT_DOWN)
        if not shown.result:
            raise InputError(shown.words)

    def offer(self, session: str | None) -> Iterator[Offered]:
        """Paints the visitor's photo small, once for each of `STRENGTHS`. The rest: see `paint`."""
        yield from self._in_turn(session, True, self._easel.paint_choices, Offered)

    def _in_turn(self, session, is_choice, events_of, shown):
        """Has what a visitor asked for last painted. Yields what is shown. Raises gr.Error.

        A turn does nothing if an earlier turn has painted the request, or if the visitor has since
        asked for the other kind, which gets its own turn.
        """
        asked = self._asked.get(session)
        if asked is None:  # see `MOST_ASKED`
            yield shown("Too many others have asked since; please ask again.")
            return
        if not asked.waits or asked.is_choice != is_choice:
            yield shown(gr.skip())  # with nothing at all, Gradio would empty what is shown
            return
        self._running[session] = asked.stop
        asked.waits = False
        try:
            with logged():
                self._check(asked)
                yield from with_notes(events_of(asked), asked.notes)
        except Exception as error:
            failure = complaint(reason(error))
            words = "\n\n".join([failure.message, *asked.notes])
            yield shown(captioned(words, asked.above, STILL_SHOWN))
            raise failure from None
        finally:
            if self._running.get(session) is asked.stop:
                del self._running[session]

    def _check(self, asked):
        """Raises InputError unless there is something to paint, and not too much of it."""
        if self._is_ending:
            raise InputError(SHUT_DOWN)
        if missing := lacking(asked.photos, asked.style):
            raise InputError(f"Choose {missing}: your own, or an example.")
        self.allowed.check_photos(asked.photos)
        if bytes_in(self._folder) > self.allowed.bytes:
            raise InputError("The page has no room for this now; come back later.")

    def stop(self, request: gr.Request) -> None:
        """Stops all that the visitor asked for, or its waiting; what is painted so far stays."""
        if asked := self._asked.get(request.session_hash):
            asked.stop.set()
        if stop := self._running.get(request.session_hash):
            stop.set()

    def stop_all(self) -> None:
        """Stops what is being painted, as the page ends; nothing else begins."""
        self._is_ending = True
        for stop in [*self._running.values()]:
            stop.set()

    def leave(self, request: gr.Request) -> None:
        """Stops the run of a visitor who closes the page, or their waiting.

        Their results are remembered: it may only be their connection that broke.
        """
        self.stop(request)
        if asked := self._asked.get(request.session_hash):
            asked.waits = False


@contextlib.contextmanager
def logged() -> Iterator[None]:
    """Tells the log of a run that fails, or whose visitor leaves."""
    begun = time.monotonic()
    try:
        yield
    except GeneratorExit:
        log(f"abandoned, {time.monotonic() - begun:.0f} s")
        raise
    except Exception as error:
        log(f"failed: {reason_by_name(error)}")
        raise
