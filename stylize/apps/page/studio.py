"""What the page's events call: visitors, their turns, and painting what they asked for.

One picture is painted at a time; several photos of a visitor are painted in turn, and so are the
frames of a clip.
"""

import contextlib
import functools
import gc
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
from stylize.apps.page.allowance import Allowance, TooMuch, is_clip
from stylize.apps.page.choices import STRENGTHS, Countdown, settings_of_choices
from stylize.apps.page.foresight import Foresight
from stylize.apps.page.guard import bytes_in
from stylize.apps.page.previews import Previews
from stylize.apps.page.series import Series, download_name
from stylize.apps.page.shown import (
    DOWNLOAD_ALL,
    DOWNLOAD_FILM,
    READY,
    STOPPING,
    Offered,
    Shown,
    complaint,
    in_place_of_earlier,
    margins_left_out,
    reason,
)
from stylize.apps.page.watch import Limit, Stopped, Watch, held
from stylize.errors import InputError
from stylize.images.apart import load_image_apart
from stylize.images.clips import encode, open_clip
from stylize.images.margins import without_margins
from stylize.images.optical_flow import require_opencv
from stylize.images.resize import working_size
from stylize.images.writing import save_image
from stylize.runs import metadata
from stylize.runs.job import Job, prepare
from stylize.runs.level import style_size
from stylize.runs.progress import Stage
from stylize.runs.recipes import choose_settings
from stylize.vgg.weights import VGG19Weights

CONTROLS = (  # the settings on the page
    "strength",
    "size",
    "iterations",
    "preserve_colors",
    "content_weight",
    "style_weight",
    "tv_weight",
    "noise_blend",
    "seed",
    "style_scale",
)
MOST_ASKED = 100  # visitors who wait; more than that have room in Gradio's queue of paintings


class Studio:
    """What the page's events call.

    Args:
        weights: the network's.
        folder: where results are kept.
        allowed: how much a visitor may ask for.

    Attributes:
        previews: show what browsers cannot.
        foresight: foresees how long painting will take.
    """

    def __init__(self, weights: VGG19Weights, folder: str, allowed: Allowance):
        self._weights, self._folder, self._allowed = weights, folder, allowed
        self.previews = Previews(allowed.pixels)
        self.foresight = Foresight(weights, allowed, self.previews)
        # session -> (what stops its next run, what it asked for last)
        self._asked: dict[str | None, tuple[threading.Event, tuple]] = {}
        self._running: dict[str | None, threading.Event] = {}  # session -> what stops its run
        self._reading = threading.Lock()

    def enter(self, request: gr.Request, *asked: Any) -> str:
        """A visitor asks for pictures, and waits from now on. Returns words that say so.

        What they asked for before, waiting or being painted, is dropped.

        Args:
            request: whose it is.
            asked: the paths of the photos, or of one clip, the path of the painting, then the
                values of `CONTROLS`, in their order.
        """
        self.stop(request)
        self._asked.pop(request.session_hash, None)
        self._asked[request.session_hash] = threading.Event(), asked
        while len(self._asked) > MOST_ASKED:  # the first of them have never come back to wait
            del self._asked[next(iter(self._asked))]
        return "Waiting for a place ..."

    def ready(self, request: gr.Request) -> Any:
        """The words after a visitor has changed what is to be painted.

        What was said before is of something else; but a run that goes on says how far it is.
        """
        session = request.session_hash
        return gr.skip() if session in self._asked or session in self._running else READY

    def paint(self, session: str | None) -> Iterator[Shown]:
        """Paints what a visitor asked for last, in their turn.

        Yields until all is painted, or was stopped. Raises gr.Error.
        """
        yield from in_place_of_earlier(self._in_turn(session, self._paint_asked, Shown))

    def paint_for_program(self, photo: str, style: str, given: dict[str, Any]) -> Iterator[Shown]:
        """Paints for a program, which has its turn now. Closing the iterator stops it.

        Args:
            photo: its path, or that of a clip.
            style: the path of the painting.
            given: the values of `CONTROLS`.

        Yields until it is painted. Raises InputError: nothing came of it; or see `reason`.
        """
        self._check([photo], style)
        for shown in self._paint_asked([photo], style, given, threading.Event()):
            yield shown
        if not shown.result:
            raise InputError(shown.words)

    def offer(self, session: str | None) -> Iterator[Offered]:
        """Paints the visitor's photo small, once for each of `STRENGTHS`. The rest: see `paint`."""
        yield from self._in_turn(session, self._paint_choices, Offered)

    def _in_turn(self, session, events_of, shown):
        """Has what a visitor asked for last painted. Yields what is shown. Raises gr.Error."""
        if session not in self._asked:
            return  # they left while they waited, or an earlier turn of theirs has painted it
        stop, (photos, style, *values) = self._asked.pop(session)
        self._running[session] = stop
        try:
            self._check(photos, style)
            yield from events_of(photos, style, dict(zip(CONTROLS, values, strict=True)), stop)
        except Exception as error:
            failure = complaint(reason(error))
            yield shown(failure.message)
            raise failure from None
        finally:
            if self._running.get(session) is stop:
                del self._running[session]

    def _paint_asked(self, photos, style, given, stop):
        """Yields what is shown of photos, or of a clip."""
        yield Shown("Getting ready ...")
        paint_photo = functools.partial(self._paint_photo, stop, style, given)
        with self._new_folder() as folder:
            if is_clip(photos[0]):
                yield from self._paint_clip(photos[0], style, given, stop, folder)
            elif len(photos) == 1:
                yield from self._paint_one(photos[0], paint_photo, folder)
            else:
                yield from self._paint_several(photos, paint_photo, stop, folder)

    def _paint_choices(self, photos, style, given, stop):
        """Yields what is shown of the first photo's small pictures, one after another."""
        if is_clip(photos[0]):
            raise InputError("The choices are shown of a photo; give a frame of the clip as one.")
        yield Offered("Getting ready ...", gr.Row(visible=True), (None,) * len(STRENGTHS))
        limit = Limit(stop, self._allowed.seconds)
        try:
            photo = self._load(photos[0], "the photo", limit)
            countdown = Countdown(self.foresight.seconds_of_choices(photo.size, given))
            each = settings_of_choices(given, photo.size, self._allowed.size)
            for index, own in enumerate(each):
                countdown.begin_next()
                watch = Watch(limit)
                yield Offered(countdown.words(watch))
                job = self._prepare(photo, style, own, limit)
                for shown in self._follow(job, watch, countdown.words):
                    pictures = [gr.skip() for _ in STRENGTHS]
                    pictures[index] = shown.picture
                    yield Offered(shown.words, pictures=pictures)
                limit.check()
        except Stopped as error:
            yield Offered(str(error).capitalize())
            return
        yield Offered("Choose the one that you like best; *Paint* then paints it at full size.")

    def _check(self, photos, style):
        """Raises InputError unless there is something to paint, and not too much of it."""
        if not (photos and style):
            raise InputError("Give a photo and a painting: drop them above, or choose an example.")
        self._allowed.check_photos(photos)
        if bytes_in(self._folder) > self._allowed.bytes:
            raise InputError("The page has no room for this now; come back later.")

    def _paint_one(self, photo, paint_photo, folder):
        """Yields what is shown of the only photo."""
        path = folder / f"{download_name(photo)}.png"
        watch = yield from paint_photo(photo, path, lambda watch: watch.painting)
        words = watch.ending.capitalize()
        if watch.last is None:
            yield Shown(words)
            return
        download = gr.DownloadButton(value=str(path), interactive=True)
        yield Shown(words, download=download)

    def _paint_several(self, photos, paint_photo, stop, folder):
        """Yields what is shown of photo after photo; one that cannot be painted is named."""
        series = Series(folder, photos)
        for index, photo in enumerate(photos):
            if stop.is_set():
                break

            def say(watch, place=series.places[index]):
                return series.words(f"{place}, {watch.left}")

            try:
                watch = yield from paint_photo(photo, series.paths[index], say)
            except Exception as error:
                series.remark(index, reason(error).removeprefix("the photo: "))
                continue
            series.add(index, watch)
            yield Shown(gr.skip(), gallery=gr.Gallery(list(series.gallery), visible=True))
        words = series.summary("Stopped" if stop.is_set() else "Done")
        if not series.gallery:
            yield Shown(words)
            return
        download = gr.DownloadButton(DOWNLOAD_ALL, value=series.pack(), interactive=True)
        yield Shown(words, download=download)

    def _paint_photo(self, stop, style, given, photo, path, say):
        """Paints a photo and saves what came of it. `say` makes the words of a `Watch`.

        Yields what is shown. Returns the `Watch`; raises what ended the run, but for `Stopped`.
        """
        limit = Limit(stop, self._allowed.seconds)
        watch = Watch(limit)
        yield Shown(say(watch))
        try:
            job = self._prepare(self._load(photo, "the photo", limit), style, given, limit)
        except Stopped as error:
            watch.error = error
            return watch
        yield from margins_left_out(job, say(watch))
        yield from self._follow(job, watch, say)
        if not watch.error:
            self.foresight.learn(watch)
        if watch.last:
            record = metadata.make_record(job, self._weights, photo, [style])
            more = {"iteration": watch.last.iteration, "losses": watch.last.losses.as_dict()}
            description = metadata.to_text(record, **more)
            save_image(watch.last.rounded(), path, description=description)
        return watch

    def _follow(self, job, watch, say):
        """Paints a job. Yields what is shown; raises what ended the run, but for `Stopped`."""
        before = None
        for iterate in watch.follow(lambda w: nst.paint(job, self._weights, w)):
            words = STOPPING if watch.is_stopping else say(watch)
            if iterate is None:
                yield Shown(words)
                continue
            # The same one again, Gradio would write over the file that the browser still reads.
            picture = gr.skip() if iterate.image == before else iterate.image
            before = iterate.image
            yield Shown(words, picture, watch.table.figure())
        gc.collect()  # compiled functions hold each other, and the memory that the next photo needs
        if watch.error and not isinstance(watch.error, Stopped):
            raise watch.error

    def _paint_clip(self, path, style, given, stop, folder):
        """Yields what is shown of a clip. What is painted of it until it is stopped is a film."""
        if given["preserve_colors"] == "luma":
            words = "Keep the photo's colours: luma is for photos; choose another way"
            raise TooMuch("preserve_colors", words)
        yield Shown("Reading the clip ...")
        limit = Limit(stop, self._allowed.seconds)
        try:
            clip = self._open_clip(path, limit)
            first = next(clip.frames(0, limit), None)
            limit.check()
            job = self._prepare(first, style, given, limit)
        except Stopped as error:
            yield Shown(f"{error}; no frame was finished".capitalize())
            return
        yield from margins_left_out(job, "Getting ready ...")
        with tempfile.TemporaryDirectory(dir=self._folder) as kept:
            frames = FrameFolder(kept, metadata.make_record(job, self._weights, path, [style]))
            ended = yield from self._paint_frames(job, clip, frames, limit)
            files = frames.files()
            words = f"{ended}: {len(files)} of {clip.length} frames".capitalize()
            if not files:
                yield Shown(words)
                return
            yield Shown(f"{words}; writing the film ...")
            film = folder / f"{download_name(path)}.mp4"
            if clip.sound:  # however long it is
                seconds = float(len(files) / clip.rate)
                clip = clip._replace(sound=(*clip.sound, "-t", str(seconds)))
            writing = Limit(threading.Event(), self._allowed.seconds)  # Stop is to leave a film
            try:
                with_sound = encode(film, files, clip, ending=writing)
            except OSError:
                if writing.is_set():
                    raise InputError("The film took too long to be written.") from None
                raise
            silent = "" if with_sound else ", without sound, which could not be converted"
        gallery = gr.Gallery([(str(film), Path(path).name)], visible=True)
        download = gr.DownloadButton(DOWNLOAD_FILM, value=str(film), interactive=True)
        yield Shown(f"{words}{silent}", download=download, gallery=gallery)

    def _paint_frames(self, job, clip, folder, limit):
        """Paints a clip into a folder. Yields what is shown; returns how it ended, in words."""
        left = ""
        with contextlib.closing(clip.frames(0, limit)) as images:
            for frame in frames_to_paint(job, images, folder):
                if frame.number >= self._allowed.frames:  # a header may say less than there is
                    return f"stopped after {self._allowed.frames} frames, the most of this page"
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

    def _open_clip(self, path, limit):
        """The `Clip` of an upload. Raises InputError, or Stopped."""
        require_opencv()
        try:
            most = {"most": self._allowed.frames + 1, "max_pixels": self._allowed.pixels}
            clip = open_clip(path, **most, ending=limit)
        except (InputError, OSError) as error:  # OSError: no FFmpeg
            limit.check()
            message = str(error).replace(f"video {path}", path).replace(path, "the clip")
            raise InputError(message) from None
        if clip.length > self._allowed.frames:
            raise InputError(
                f"The clip has more than {self._allowed.frames} frames, the most that this page "
                "accepts; give a shorter one."
            )
        return clip

    def _load(self, path, name, limit):
        """The picture of an upload. Raises InputError, or Stopped."""
        # Gradio may begin the next event while one that was cancelled still reads.
        with held(self._reading, limit):
            image = load_image_apart(path, name, self._allowed.pixels, limit)
        limit.check()
        return image

    def _prepare(self, photo: Image.Image, style: str, given: dict[str, Any], limit: Limit) -> Job:
        """The `Job` of the uploads. Raises InputError, or Stopped."""
        painting, settings = self._load(style, "the painting", limit), choose_settings(**given)
        # Both sizes are checked before memory is planned, whose answer would say less.
        rows, cols = working_size(photo, settings.size, settings.longer_side)
        self._allowed.check_size(rows, cols)
        given_scale = settings.style_scale
        scale = given_scale if isinstance(given_scale, str) else given_scale[0]
        whole = Stage(rows, cols, settings.iterations, 1, settings.precision)
        cropped = without_margins(painting).of(painting)
        self._allowed.check_painting(*style_size(cropped, scale, whole, settings))
        job = prepare(photo, painting, **given)
        limit.check()
        return job

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
            asked[0].set()
        if stop := self._running.get(request.session_hash):
            stop.set()

    def leave(self, request: gr.Request) -> None:
        """Stops the run of a visitor who closes the page, and forgets them."""
        self.stop(request)
        self._asked.pop(request.session_hash, None)
