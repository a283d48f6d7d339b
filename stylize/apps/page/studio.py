"""What the page's events call: visitors, their turns, and painting what they asked for.

One picture is painted at a time; several photos of a visitor are painted in turn, and so are the
frames of a clip.
"""

import contextlib
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

import neural_style_transfer as nst
from stylize.apps.console import in_words
from stylize.apps.film.scenes import FrameFolder, frames_to_paint
from stylize.apps.page.allowance import Allowance, is_clip
from stylize.apps.page.asked import Asked
from stylize.apps.page.choices import STRENGTHS, Countdown, settings_of_choices
from stylize.apps.page.foresight import Foresight
from stylize.apps.page.guard import bytes_in
from stylize.apps.page.log import log
from stylize.apps.page.masks import Masks
from stylize.apps.page.previews import Previews
from stylize.apps.page.series import Series, download_name
from stylize.apps.page.shown import (
    CHOOSE,
    DOWNLOAD,
    DOWNLOAD_ALL,
    DOWNLOAD_FILM,
    MISSING,
    READY,
    STILL_SHOWN,
    STOPPING,
    Offered,
    Shown,
    captioned,
    complaint,
    in_place_of_earlier,
    painting_as_used,
    reason,
    with_caption,
    with_notes,
)
from stylize.apps.page.watch import Limit, Stopped, Watch, held
from stylize.backend import tensors
from stylize.errors import InputError, one_line
from stylize.images.apart import load_image_apart, load_keep_mask_apart
from stylize.images.clips import encode
from stylize.images.margins import without_margins
from stylize.images.masks import stretched
from stylize.images.writing import save_image
from stylize.runs import metadata
from stylize.runs.job import Job, prepare
from stylize.vgg.weights import VGG19Weights

# Visitors whose wishes are remembered. Gradio's queue has room for fewer, but strangers may enter
# under any number of names, and those that did so first are forgotten first.
MOST_ASKED = 10_000
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
        self._weights, self._folder, self.allowed = weights, folder, allowed
        self.previews = Previews(allowed.pixels)
        self.foresight = Foresight(weights, allowed, self.previews)
        self.masks = Masks()
        self._asked: dict[str | None, Asked] = {}  # session -> what it asked for last
        self._asking = threading.Lock()  # held to change that
        # session -> what stops its run; that of a program is under no visitor's name
        self._running: dict[Any, threading.Event] = {}
        self._reading = threading.Lock()
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
                asked.results = before.results
            if len(self._asked) >= MOST_ASKED:  # first those already served, then the oldest
                waits = {session: each.waits for session, each in self._asked.items()}
                del self._asked[min(waits, key=lambda session: waits[session])]
            self._asked[request.session_hash] = asked
        if has_own:
            return "Stopping what was being painted for you ..."
        return "Waiting for your turn ..." if self._running else "Getting ready ..."

    def _is_painting(self, request, asked):
        """Whether exactly this is being painted for a visitor, and nobody has stopped it."""
        stop = self._running.get(request.session_hash)
        before = self._asked.get(request.session_hash)
        if before is None or stop is None or stop.is_set():
            return False
        return asked == before and asked.is_choice == before.is_choice

    def is_offering(self, request: gr.Request) -> bool:
        """Whether small pictures to choose from are being painted for a visitor, or will be."""
        asked = self._asked.get(request.session_hash)
        is_running = request.session_hash in self._running
        return asked is not None and asked.is_choice and (asked.waits or is_running)

    def has_other_pictures(self, request: gr.Request, asked: Asked) -> bool:
        """Whether the visitor's last request was for pictures other than those in `asked`."""
        before = self._asked.get(request.session_hash)
        if before is None:
            return False
        pictures = [(each.photos, each.style, each.keep_mask) for each in (before, asked)]
        return pictures[0] != pictures[1]

    def ready(self, request: gr.Request, asked: Asked) -> Any:
        """The words after a visitor has changed what is to be painted: that would be `asked` now.

        Earlier words are about something else and are replaced, except while a run shows its
        progress, or when a browser reports a change only after the answer to it has arrived.
        """
        before = self._asked.get(request.session_hash)
        goes_on = request.session_hash in self._running or (before and before.waits)
        if goes_on or asked == before:
            return gr.skip()
        words = READY if asked.photos and asked.style else MISSING
        return captioned(words, before.results, STILL_SHOWN) if before else words

    def paint(self, session: str | None) -> Iterator[Shown]:
        """Paints what a visitor asked for last, in their turn.

        Yields until all is painted, or was stopped. Raises gr.Error.
        """

        def in_place(asked):
            events = self._paint_asked(asked)
            if len(asked.photos) == 1:  # the results of several have theirs
                events = with_caption(events, asked.results)
            return in_place_of_earlier(events, asked.results)

        yield from self._in_turn(session, False, in_place, Shown)

    def paint_for_program(self, asked: Asked) -> Iterator[Shown]:
        """Paints for a program, which has its turn now. Closing the iterator stops it.

        Yields until it is painted. Raises InputError: nothing came of it; or see `reason`.
        """
        self._running[asked.stop] = asked.stop
        try:
            with _logged():
                self._check(asked)
                for shown in with_notes(self._paint_asked(asked), asked.notes):
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
        yield from self._in_turn(session, True, self._paint_choices, Offered)

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
            with _logged():
                self._check(asked)
                yield from with_notes(events_of(asked), asked.notes)
        except Exception as error:
            failure = complaint(reason(error))
            yield shown(failure.message)
            raise failure from None
        finally:
            if self._running.get(session) is asked.stop:
                del self._running[session]

    def _paint_asked(self, asked):
        """Yields what is shown of photos, or of a clip."""
        yield Shown("Getting ready ...")
        with self._new_folder() as folder:
            if is_clip(asked.photos[0]):
                yield from self._paint_clip(asked, folder)
            elif len(asked.photos) == 1:
                yield from self._paint_one(asked, folder)
            else:
                yield from self._paint_several(asked, folder)

    def _paint_choices(self, asked):
        """Yields what is shown of the first photo's small pictures, one after another."""
        if is_clip(asked.photos[0]):
            raise InputError("The choices need a photo; give a frame of the clip instead.")
        yield Offered("Getting ready ...", gr.Row(visible=True), (None,) * len(STRENGTHS))
        limit = Limit(asked.stop, self.allowed.seconds)
        try:
            photo = self._load(asked.photos[0], "the photo", limit)
            countdown = Countdown(self.foresight.seconds_of_choices(photo.size, asked.given))
            each = settings_of_choices(asked.given, photo.size, self.allowed.size)
            for index, own in enumerate(each):
                countdown.begin_next()
                watch = Watch(limit)
                yield Offered(countdown.words(watch))
                job = self._prepare(photo, asked, own, limit)
                for shown in self._follow(job, watch, countdown.words):
                    pictures = [gr.skip() for _ in STRENGTHS]
                    pictures[index] = shown.picture
                    yield Offered(shown.words, pictures=pictures)
                limit.check()
        except Stopped as error:
            yield Offered(str(error).capitalize())
            return
        yield Offered(CHOOSE)

    def _check(self, asked):
        """Raises InputError unless there is something to paint, and not too much of it."""
        if self._is_ending:
            raise InputError(SHUT_DOWN)
        if not (asked.photos and asked.style):
            raise InputError("Give a photo and a painting: drop them above, or choose an example.")
        self.allowed.check_photos(asked.photos)
        if bytes_in(self._folder) > self.allowed.bytes:
            raise InputError("The page has no room for this now; come back later.")

    def _paint_one(self, asked, folder):
        """Yields what is shown of the only photo."""
        (photo,) = asked.photos
        path = folder / f"{_download_name(asked, photo)}.png"
        watch = yield from self._paint_photo(asked, photo, path, lambda watch: watch.painting)
        words = watch.ending.capitalize()
        if watch.last is None:
            yield Shown(captioned(words, asked.results, STILL_SHOWN))
            return
        asked.keep(path, photo, is_stopped=bool(watch.error))
        download = gr.DownloadButton(value=str(path), interactive=True)
        yield Shown(words, download=download)

    def _paint_several(self, asked, folder):
        """Yields what is shown of photo after photo; one that cannot be painted is named."""
        names = [_download_name(asked, photo) for photo in asked.photos]
        series = Series(folder, asked.photos, names)
        for index, photo in enumerate(asked.photos):
            if asked.stop.is_set():
                break

            def say(watch, place=series.places[index]):
                for_it = " for this one" if watch.fraction else ""
                return series.words(f"{place}, {watch.left}{for_it}")

            try:
                watch = yield from self._paint_photo(asked, photo, series.paths[index], say)
            except Exception as error:
                log(f"failed: {reason(error)}")
                series.remark(index, reason(error).removeprefix("the photo: "))
                continue
            series.add(index, watch)
            if watch.last:
                asked.keep(series.paths[index], photo, is_stopped=bool(watch.error))
                yield Shown(gr.skip(), gallery=gr.Gallery(list(series.gallery), visible=True))
        words = series.summary("Stopped" if asked.stop.is_set() else "Done")
        if not series.gallery:
            yield Shown(words)
            return
        (only, _), *more = series.gallery
        label, path = (DOWNLOAD_ALL, series.pack()) if more else (DOWNLOAD, only)
        download = gr.DownloadButton(label, value=path, interactive=True)
        yield Shown(words, download=download)

    def _paint_photo(self, asked, photo, path, say):
        """Paints a photo and saves what came of it. `say` makes the words of a `Watch`.

        Yields what is shown. Returns the `Watch`; raises what ended the run, but for `Stopped`.
        """
        limit = Limit(asked.stop, self.allowed.seconds)
        watch = Watch(limit)
        yield Shown(say(watch))
        try:
            image = self._load(photo, "the photo", limit)
            job = self._prepare(image, asked, asked.given, limit)
        except Stopped as error:
            watch.error = error
            return watch
        yield from painting_as_used(job, say(watch))
        yield from self._follow(job, watch, say)
        if not watch.error:
            self.foresight.learn(watch)
        log(f"{watch.ending}, {watch.seconds:.0f} s")
        if watch.last:
            record = metadata.make_record(job, self._weights, photo, [asked.style])
            more = {"iteration": watch.last.iteration, "losses": watch.last.losses.as_dict()}
            description = metadata.to_text(record, **more)
            save_image(watch.last.rounded(), path, description=description)
        return watch

    def _follow(self, job, watch, say):
        """Paints a job. Yields what is shown; raises what ended the run, but for `Stopped`."""
        before = None
        with tensors.freed_afterwards():
            for iterate in watch.follow(lambda w: nst.paint(job, self._weights, w)):
                words = STOPPING if watch.is_stopping else say(watch)
                if iterate is None:
                    yield Shown(words)
                    continue
                # Gradio would write the same one over the file that the browser still reads.
                picture = gr.skip() if iterate.image == before else iterate.image
                before = iterate.image
                yield Shown(words, picture, watch.table.figure())
        if watch.error and not isinstance(watch.error, Stopped):
            raise watch.error

    def _paint_clip(self, asked, folder):
        """Yields what is shown of a clip. What is painted of it until it is stopped is a film."""
        (path,) = asked.photos
        self.allowed.check_clip_settings(asked.given)
        yield Shown("Reading the clip ...")
        limit = Limit(asked.stop, self.allowed.seconds)
        try:
            clip, first = self.allowed.open_clip(path, limit)
            job = self._prepare(first, asked, asked.given, limit)
        except Stopped as error:
            yield Shown(f"{error}; no frame was finished".capitalize())
            return
        yield from painting_as_used(job, "Getting ready ...")
        with tempfile.TemporaryDirectory(dir=self._folder) as kept:
            record = metadata.make_record(job, self._weights, path, [asked.style], of_film=True)
            frames = FrameFolder(kept, record)
            ended = yield from self._paint_frames(job, clip, frames, limit)
            files = frames.files()
            words = f"{ended}: {len(files)} of {clip.length} frames".capitalize()
            log(words.lower())
            if not files:
                yield Shown(words)
                return
            yield Shown(f"{words}; writing the film ...")
            film = folder / f"{_download_name(asked, path)}.mp4"
            if clip.sound:  # however long it is
                seconds = float(len(files) / clip.rate)
                clip = clip._replace(sound=(*clip.sound, "-t", str(seconds)))
            writing = Limit(threading.Event(), self.allowed.seconds)  # Stop is to leave a film
            try:
                with_sound = encode(film, files, clip, metadata.to_text(record), writing)
            except OSError:
                if writing.is_set():
                    raise InputError("Writing the film took too long.") from None
                raise
            silent = "" if with_sound else ", without sound, which could not be converted"
        asked.keep(film, path, is_stopped=ended != "done")
        gallery = gr.Gallery([(str(film), Path(path).name)], visible=True)
        download = gr.DownloadButton(DOWNLOAD_FILM, value=str(film), interactive=True)
        yield Shown(f"{words}{silent}", download=download, gallery=gallery)

    def _paint_frames(self, job, clip, folder, limit):
        """Paints a clip into a folder. Yields what is shown; returns how it ended, in words."""
        left = ""
        with contextlib.closing(clip.frames(0, limit)) as images:
            for frame in frames_to_paint(job, images, folder):
                if frame.number >= self.allowed.frames:  # a header may say less than there is
                    return f"stopped after {self.allowed.frames} frames, the most this page allows"
                place = f"Frame {frame.number + 1} of {clip.length}"

                def say(watch, place=place, left=left):
                    return f"{place}: {watch.fraction:.0%}{left}"

                watch = Watch(limit)
                yield Shown(say(watch))
                yield from self._follow(job.frame(frame.image, frame.previous), watch, say)
                if watch.error:
                    return str(watch.error)
                folder.save(frame.number, watch.last.pixels)
                if frame.previous:  # the first of a scene takes longer than those to come
                    seconds = (clip.length - frame.number - 1) * frame.seconds
                    left = f", about {in_words(seconds)} left"
        try:
            limit.check()
        except Stopped as error:  # while the next frame was read
            return str(error)
        return "done"

    def _load(self, path, name, limit, is_mask=False):
        """The picture of an upload, or its `Mask`. Raises InputError, or Stopped."""
        load = load_keep_mask_apart if is_mask else load_image_apart
        # Gradio may begin the next event while one that was cancelled still reads.
        with held(self._reading, limit):
            read = load(path, name, self.allowed.pixels, limit)
        limit.check()
        return read

    def _prepare(
        self, photo: Image.Image, asked: Asked, given: dict[str, Any], limit: Limit
    ) -> Job:
        """The `Job` of a photo, whose settings are given. Raises InputError, or Stopped."""
        painting = self._load(asked.style, "the painting", limit)
        # Both sizes are checked before memory is planned, whose answer would say less.
        settings, result = self.allowed.settings(given, photo.size)
        cropped = without_margins(painting).of(painting)
        self.allowed.check_painting(cropped.size, settings, result)
        mask = self._load_mask(asked, photo, limit)
        job = prepare(photo, painting, keep_mask=mask, **given)
        if job.inputs.style_boxes[0].is_cut:
            asked.note(["Plain margins of the painting are left out."])
        limit.check()
        # Of a file, as on the command line, the record has the name.
        return job._replace(settings=job.settings | {"keep_mask": asked.keep_mask})

    def _load_mask(self, asked, photo, limit):
        """The mask, if there is one. What may surprise of it is noted."""
        if asked.keep_mask is None:
            return None
        name = f"mask {one_line(Path(asked.keep_mask).name)}"
        mask = self._load(asked.keep_mask, name, limit, is_mask=True)
        lines = [f"{name}: {line}" for line in stretched(mask.image.size, photo.size)]
        asked.note(lines + mask.surprises)
        return mask.image

    @contextlib.contextmanager
    def _new_folder(self):
        """A folder for results. It goes at once if there are none, else once they are stale."""
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        try:
            yield folder
        finally:
            with contextlib.suppress(OSError):  # there are some
                folder.rmdir()

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


def _download_name(asked, photo):
    """What the result of one of the photos, or of a clip, is called."""
    return download_name(photo, asked.style, asked.given["strength"])


@contextlib.contextmanager
def _logged():
    """Tells the log of a run that fails, or whose visitor leaves."""
    try:
        yield
    except GeneratorExit:
        log("abandoned")
        raise
    except Exception as error:
        log(f"failed: {reason(error)}")
        raise
