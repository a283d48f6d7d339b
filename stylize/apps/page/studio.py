"""What the page's events call: visitors, their turns, and painting what they asked for.

One picture is painted at a time; several photos of a visitor are painted in turn, and so are the
frames of a clip.
"""

import contextlib
import functools
import gc
import html
import itertools
import math
import os
import tempfile
import threading
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr
from PIL import Image

import neural_style_transfer as nst
from stylize.apps.console import in_words
from stylize.apps.film.scenes import FrameFolder, frames_to_paint
from stylize.apps.page.guard import bytes_in
from stylize.apps.page.looks import Looks
from stylize.apps.page.watch import Limit, Stopped, Watch
from stylize.backend.files import folded, replacing
from stylize.errors import InputError, NonFiniteLoss
from stylize.images.apart import load_image_apart
from stylize.images.clips import SUFFIXES, encode, open_clip
from stylize.images.optical_flow import require_opencv
from stylize.images.writing import save_image
from stylize.runs import forecast, metadata
from stylize.runs.job import Job, prepare
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
)
MOST_ASKED = 100  # visitors who wait; more than that have room in Gradio's queue of paintings
STRENGTHS, ROWS = (0.3, 0.5, 0.7), 128  # of the small pictures that a visitor may choose from
READING = 3  # seconds, about, in which a photo and a painting are read
SMALLER = "Choose a smaller size."
DOWNLOAD, DOWNLOAD_ALL, DOWNLOAD_FILM = "Download PNG", "Download all (ZIP)", "Download MP4"


def _about(seconds):
    """A time that is foreseen, as roughly as it is known."""
    return f"about {in_words(max(5, round(seconds, -1)))}"


def complaint(message):
    """What shows a visitor what to change. It is no fault of ours: no traceback is printed."""
    return gr.Error(html.escape(str(message)), print_exception=False)


def reason(error: Exception) -> str:
    """What an error says in a line to a visitor. Raises it again if it is a bug."""
    if isinstance(error, MemoryError):
        return "There is not enough memory for this size; choose a smaller one."
    if isinstance(error, InputError | NonFiniteLoss):
        return str(error)
    if isinstance(error, OSError):
        return f"The page's machine cannot read or write a file: {error.strerror or error}"
    raise error


def is_clip(path: str | os.PathLike) -> bool:
    """Whether an upload is a video, by its suffix."""
    return Path(path).suffix.lower() in SUFFIXES


class Shown(NamedTuple):
    """What the page shows from now on, in the order of its outputs; the rest stays as it is."""

    words: Any
    picture: Any = gr.skip()
    plot: Any = gr.skip()
    download: Any = gr.skip()
    gallery: Any = gr.skip()


class Offered(NamedTuple):
    """The same of small pictures to choose from, one for each of `STRENGTHS`."""

    words: Any
    row: Any = gr.skip()
    pictures: Any = (gr.skip(),) * len(STRENGTHS)


def cleared(words: str) -> Shown:
    """Words, and no results of what was asked for before."""
    download = gr.DownloadButton(DOWNLOAD, value=None, interactive=False)
    return Shown(words, download=download, gallery=gr.Gallery(None, visible=False))


def _show_margins_left_out(job, words):
    """Yields what is used of a painting with margins, until the first picture takes its place."""
    (painting,), (box,) = job.inputs.styles, job.inputs.style_boxes
    if box.is_cut:
        margins = "Plain margins of the painting are left out; below is what is used of it."
        yield Shown(f"{words}\n\n{margins}", painting)


class Series:
    """What has become of several photos.

    Args:
        folder: of the results.
        photos: their paths.

    Attributes:
        places: "2 of 5: NAME" for each photo.
        paths: where the result of each photo goes.
        gallery: the path and the caption of each result that is there.
    """

    def __init__(self, folder: Path, photos: Sequence[str]):
        self._folder, self._names = folder, [Path(photo).name for photo in photos]
        self.places = [f"{i} of {len(photos)}: {name}" for i, name in enumerate(self._names, 1)]
        self.paths = [folder / f"{name}.png" for name in result_names(photos)]
        self.gallery: list[tuple[str, str]] = []
        self._painted = 0
        self._remarks: dict[str, list[str]] = {}  # what is to be said -> of which photos

    def add(self, index: int, watch: Watch) -> None:
        """The run of a photo has ended or was stopped."""
        if watch.last:
            stopped = f", {watch.error}" if watch.error else ""
            self.gallery.append((str(self.paths[index]), f"{self._names[index]}{stopped}"))
        if watch.error:
            self.remark(index, watch.ending)
        else:
            self._painted += 1

    def remark(self, index: int, text: str) -> None:
        """Something is to be said of a photo."""
        self._remarks.setdefault(text, []).append(self._names[index])

    def words(self, first: str) -> str:
        """A line, and below it what is to be said of the photos so far, as Markdown."""
        lines = [first, *(f"{', '.join(names)}: {text}" for text, names in self._remarks.items())]
        return "\n\n".join(map(html.escape, lines))

    def summary(self, ended: str) -> str:
        """How it `ended`, in words."""
        return self.words(f"{ended}: {self._painted} of {len(self._names)} painted")

    def pack(self) -> str:
        """Writes a ZIP archive of the results, one at a time. Returns its path. Raises OSError."""
        archive = self._folder / "painted.zip"
        with replacing(archive) as temporary, zipfile.ZipFile(temporary, "w") as file:
            for path, _ in self.gallery:
                file.write(path, Path(path).name)
        return str(archive)


def result_names(photos: Iterable[str | os.PathLike]) -> list[str]:
    """What the results of photos are called, without suffix: as the photos, but no two alike."""
    names: list[str] = []
    for photo in photos:
        taken, stem = set(map(folded, names)), Path(photo).stem
        numbered = (f"{stem}_{number}" for number in itertools.count(2))
        free = (n for n in itertools.chain([stem], numbered) if folded(n) not in taken)
        names.append(next(free))
    return names


class Studio:
    """What the page's events call.

    Args:
        weights: the network's.
        folder: where results are kept.
        max_size: pixels of a result's longer side, at most.
        max_seconds: that a photo or a clip is painted, at most.
        max_photos: that a visitor may give at once.
        max_frames: that a clip may have.
        max_pixels: that an upload, or a frame of it, may have.
        max_bytes: that uploads and results may take; once they do, nothing more is painted.

    Attributes:
        looks: what looks at uploads before they are painted.
    """

    def __init__(
        self,
        weights: VGG19Weights,
        folder: str,
        max_size: int,
        max_seconds: float,
        max_photos: int,
        max_frames: int,
        max_pixels: int,
        max_bytes: float = math.inf,
    ):
        self._weights, self._folder = weights, folder
        self._max_size, self._max_seconds = max_size, max_seconds
        self._max_photos, self._max_frames = max_photos, max_frames
        self._max_pixels, self._max_bytes = max_pixels, max_bytes
        self.looks = Looks(max_pixels)
        self._pace: forecast.Pace | None = None  # of this machine, once it is measured
        # session -> (what stops its next run, what it asked for last)
        self._asked: dict[str | None, tuple[threading.Event, tuple]] = {}
        self._running: dict[str | None, threading.Event] = {}  # session -> what stops its run

    def warm_up(self) -> None:
        """Builds the network, which stays, before the first visitor needs it, and times it."""
        gray = Image.new("RGB", (512, 512), "gray")
        job = prepare(gray, gray, size=512)
        at = functools.partial(nst.stage_objective, job, self._weights)
        self._pace = forecast.measure(job, at)

    def foresee(self, photos: Sequence[str], values: Iterable[Any]) -> str:
        """How long the painting of photos will take, or why they cannot be painted so, in words.

        "" where nothing is known.

        Args:
            photos: their paths.
            values: those of `CONTROLS`, in their order.
        """
        given, total = dict(zip(CONTROLS, values, strict=True)), 0.0
        if self._pace is None or len(photos) > self._max_photos:
            return ""
        for photo in photos:
            shape = None if is_clip(photo) else self.looks.shape(photo)
            if shape is None:
                return ""
            try:
                job = self._checked(prepare(shape, shape, **given))
            except InputError as error:
                return html.escape(str(error))
            each = READING + forecast.seconds(job.stages, self._pace)
            if each > self._max_seconds:
                most = in_words(self._max_seconds)
                return f"This needs {_about(each)}; here it is stopped after {most}. {SMALLER}"
            total += each
        several = ", all photos together" if len(photos) > 1 else ""
        return f"This takes {_about(total)}{several}." if total else ""

    def enter(self, request: gr.Request, *asked: Any) -> Shown:
        """A visitor asks for pictures, and waits from now on.

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
        return cleared("Waiting for a place ...")

    def paint(self, session: str | None) -> Iterator[Shown]:
        """Paints what a visitor asked for last, in their turn.

        Yields until all is painted, or was stopped. Raises gr.Error.
        """
        yield from self._in_turn(session, self._paint_asked, Shown)

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
        yield cleared("Getting ready ...")
        paint_photo = functools.partial(self._paint_photo, stop, style, given)
        if is_clip(photos[0]):
            yield from self._paint_clip(photos[0], style, given, stop)
        elif len(photos) == 1:
            yield from self._paint_one(photos[0], paint_photo)
        else:
            yield from self._paint_several(photos, paint_photo, stop)

    def _paint_choices(self, photos, style, given, stop):
        """Yields what is shown of the first photo's small pictures, one after another."""
        if is_clip(photos[0]):
            raise InputError("The choices are shown of a photo; give a frame of the clip as one.")
        yield Offered("Getting ready ...", gr.Row(visible=True), (None,) * len(STRENGTHS))
        limit = Limit(stop, self._max_seconds)
        try:
            photo = self._load(photos[0], "the photo", limit)
            small = {"size": min(ROWS, self._max_size * photo.height // max(photo.size))}
            for index, strength in enumerate(STRENGTHS):
                watch, own = Watch(limit), given | small | {"strength": strength}
                place = f"{index + 1} of {len(STRENGTHS)}"
                job = self._prepare(photo, style, own, limit)
                for shown in self._follow(job, watch, lambda w, place=place: f"{place}, {w.left}"):
                    pictures = [gr.skip() for _ in STRENGTHS]
                    pictures[index] = shown.picture
                    yield Offered(shown.words, pictures=pictures)
                limit.check()
        except Stopped as error:
            yield Offered(str(error).capitalize())
            return
        yield Offered("Choose the one that you like best; *Paint* then paints it.")

    def _check(self, photos, style):
        """Raises InputError unless there is something to paint, and not too much of it."""
        if not (photos and style):
            raise InputError("Give a photo and a painting: drop them above, or choose an example.")
        if len(photos) > 1 and any(map(is_clip, photos)):
            raise InputError("Give one clip alone, or photos.")
        if len(photos) > self._max_photos:
            raise InputError(
                f"{len(photos)} photos; here at most {self._max_photos} are painted at once. "
                "Leave some out."
            )
        if bytes_in(self._folder) > self._max_bytes:
            raise InputError("The page has no room for this now; come back later.")

    def _paint_one(self, photo, paint_photo):
        """Yields what is shown of the only photo."""
        path = self._new_folder() / "painted.png"
        watch = yield from paint_photo(photo, path, lambda watch: watch.painting)
        words = watch.ending.capitalize()
        if watch.last is None:
            yield Shown(words)
            return
        download = gr.DownloadButton(value=str(path), interactive=True)
        yield Shown(words, download=download)

    def _paint_several(self, photos, paint_photo, stop):
        """Yields what is shown of photo after photo; one that cannot be painted is named."""
        series = Series(self._new_folder(), photos)
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
        limit = Limit(stop, self._max_seconds)
        watch = Watch(limit)
        yield Shown(say(watch))
        try:
            job = self._prepare(self._load(photo, "the photo", limit), style, given, limit)
        except Stopped as error:
            watch.error = error
            return watch
        yield from _show_margins_left_out(job, say(watch))
        yield from self._follow(job, watch, say)
        if self._pace and not watch.error:
            self._pace = forecast.learned(self._pace, watch)
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
            if iterate is None:
                yield Shown(say(watch))
                continue
            # The same one again, Gradio would write over the file that the browser still reads.
            picture = gr.skip() if iterate.image == before else iterate.image
            before = iterate.image
            yield Shown(say(watch), picture, watch.table.figure())
        gc.collect()  # compiled functions hold each other, and the memory that the next photo needs
        if watch.error and not isinstance(watch.error, Stopped):
            raise watch.error

    def _paint_clip(self, path, style, given, stop):
        """Yields what is shown of a clip. What is painted of it until it is stopped is a film."""
        if given["preserve_colors"] == "luma":
            raise InputError("Keep the photo's colours: luma is for photos; choose another way")
        yield Shown("Reading the clip ...")
        limit = Limit(stop, self._max_seconds)
        try:
            clip = self._open_clip(path, limit)
            first = next(clip.frames(0, limit), None)
            limit.check()
            job = self._prepare(first, style, given, limit)
        except Stopped as error:
            yield Shown(f"{error}; no frame was finished".capitalize())
            return
        yield from _show_margins_left_out(job, "Getting ready ...")
        with tempfile.TemporaryDirectory(dir=self._folder) as kept:
            folder = FrameFolder(kept, metadata.make_record(job, self._weights, path, [style]))
            ended = yield from self._paint_frames(job, clip, folder, limit)
            files = folder.files()
            words = f"{ended}: {len(files)} of {clip.length} frames".capitalize()
            if not files:
                yield Shown(words)
                return
            yield Shown(f"{words}; writing the film ...")
            film = self._new_folder() / "painted.mp4"
            if clip.sound:  # however long it is
                seconds = float(len(files) / clip.rate)
                clip = clip._replace(sound=(*clip.sound, "-t", str(seconds)))
            writing = Limit(threading.Event(), self._max_seconds)  # Stop is to leave a film
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
                if frame.number >= self._max_frames:  # a header may say less than there is
                    return f"stopped after {self._max_frames} frames, the most of this page"
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
            most = {"most": self._max_frames + 1, "max_pixels": self._max_pixels}
            clip = open_clip(path, **most, ending=limit)
        except (InputError, OSError) as error:  # OSError: no FFmpeg
            limit.check()
            message = str(error).replace(f"video {path}", path).replace(path, "the clip")
            raise InputError(message) from None
        if clip.length > self._max_frames:
            raise InputError(
                f"The clip has more than {self._max_frames} frames, the most that this page "
                "accepts; give a shorter one."
            )
        return clip

    def _load(self, path, name, limit):
        """The picture of an upload. Raises InputError, or Stopped."""
        image = load_image_apart(path, name, self._max_pixels, limit)
        limit.check()
        return image

    def _prepare(self, photo: Image.Image, style: str, given: dict[str, Any], limit: Limit) -> Job:
        """The `Job` of the uploads. Raises InputError, or Stopped."""
        return self._checked(prepare(photo, self._load(style, "the painting", limit), **given))

    def _checked(self, job):
        """The same job. Raises InputError: its result is too large for this page."""
        rows, cols = job.stages[-1][:2]
        if max(rows, cols) > self._max_size:
            raise InputError(
                f"The result would have {cols}x{rows} pixels; here at most {self._max_size} are "
                f"painted on a side. {SMALLER}"
            )
        return job

    def _new_folder(self):
        """A folder for results. What the page shows of them, it removes once it is stale."""
        return Path(tempfile.mkdtemp(dir=self._folder))

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
