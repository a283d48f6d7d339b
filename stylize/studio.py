"""What the page's events call: visitors, their turns, and painting what they asked for.

One picture is painted at a time; several photos of a visitor are painted in turn.
"""

import functools
import gc
import html
import itertools
import os
import queue
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr
from PIL import Image

from stylize import records
from stylize.errors import InputError, NonFiniteLoss
from stylize.job import Job, prepare
from stylize.pictures import load_image, replacing, save_image
from stylize.progress import Iterate, Progress
from stylize.weights import VGG19Weights

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
UPDATE_EVERY = 0.5  # seconds between two updates of the page
DOWNLOAD, DOWNLOAD_ALL = "Download PNG", "Download all (ZIP)"


def complaint(message):
    """What shows a visitor what to change. It is no fault of ours: no traceback is printed."""
    return gr.Error(html.escape(str(message)), duration=None, print_exception=False)


def reason(error: Exception) -> str:
    """What an error says in a line to a visitor. Raises it again if it is a bug."""
    if isinstance(error, MemoryError):
        return "There is not enough memory for this size; choose a smaller one."
    if isinstance(error, InputError | NonFiniteLoss):
        return str(error)
    raise error


class Stopped(Exception):
    """A visitor, or the time limit, stops a run. The message says which."""


class Watch(Progress):
    """A run in a thread of its own, watched by the page.

    Args:
        stop: an event that stops the run.
        max_seconds: after which the run is stopped.

    Attributes:
        error: what ended the run, None if all went well.
        table: the `LossTable`.
    """

    def __init__(self, stop: threading.Event, max_seconds: float):
        super().__init__()
        self.error: Exception | None = None
        self.table = records.LossTable()
        self._stop, self._max_seconds = stop, max_seconds
        self._news: queue.Queue = queue.Queue()  # of each `Iterate`, and None at the end

    def follow(self, run: Callable[["Watch"], object]) -> Iterator[Iterate | None]:
        """Runs. Yields each `Iterate`, and None while it waits for the next."""
        thread = threading.Thread(target=self._run, args=(run,), daemon=True)
        thread.start()
        try:
            while True:
                try:
                    if (iterate := self._news.get(timeout=UPDATE_EVERY)) is None:
                        return
                    yield iterate
                except queue.Empty:
                    yield None
        except GeneratorExit:  # the visitor has gone
            self._stop.set()
            raise
        finally:
            thread.join()

    def _run(self, run):
        try:
            self._check()
            run(self)
        except Exception as error:
            self.error = error
        finally:
            self._news.put(None)

    def on_stage(self, index):
        super().on_stage(index)
        self._check()

    def on_evaluation(self, evaluation):
        super().on_evaluation(evaluation)
        self.table.add(self.iteration, self.seconds, evaluation.losses, self.stage.rows)
        self._check()

    def on_iterate(self, iterate):
        super().on_iterate(iterate)
        self._news.put(iterate)

    def _check(self):
        if self._stop.is_set():
            raise Stopped("stopped")
        if self.seconds > self._max_seconds:
            raise Stopped(f"stopped by the time limit of {self._max_seconds:.0f} s")

    @property
    def left(self) -> str:
        """The time left, in words."""
        return f"about {self.seconds_left:.0f} s left" if self.fraction else "getting ready ..."

    @property
    def painting(self) -> str:
        """What goes on, in words."""
        if not (self.stage and self.fraction):
            return self.left.capitalize()
        return (
            f"Painting at {self.stage.cols}x{self.stage.rows} pixels: {self.fraction:.0%}, "
            f"{self.left}"
        )

    @property
    def ending(self) -> str:
        """What the run came to, in words."""
        words = f"{self.error or 'done'}"
        if self.last is None:
            return f"{words}; no picture was finished"
        return f"{words}: {self.last.image.width}x{self.last.image.height} pixels"


class Shown(NamedTuple):
    """What the page shows from now on, in the order of its outputs; the rest stays as it is."""

    words: Any
    picture: Any = gr.skip()
    plot: Any = gr.skip()
    download: Any = gr.skip()
    gallery: Any = gr.skip()


def cleared(words: str) -> Shown:
    """Words, and no results of what was asked for before."""
    download = gr.DownloadButton(DOWNLOAD, value=None, interactive=False)
    return Shown(words, download=download, gallery=gr.Gallery(None, visible=False))


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
        taken, stem = {name.casefold() for name in names}, Path(photo).stem
        numbered = (f"{stem}_{number}" for number in itertools.count(2))
        free = (n for n in itertools.chain([stem], numbered) if n.casefold() not in taken)
        names.append(next(free))
    return names


class Studio:
    """What the page's events call.

    Args:
        paint: the script's.
        weights: the network's.
        folder: where results are kept.
        max_size: pixels of a result's longer side, at most.
        max_seconds: that a photo is painted, at most.
        max_photos: that a visitor may give at once.
    """

    def __init__(
        self,
        paint: Callable,
        weights: VGG19Weights,
        folder: str,
        max_size: int,
        max_seconds: float,
        max_photos: int,
    ):
        self._paint, self._weights, self._folder = paint, weights, folder
        self._max_size, self._max_seconds, self._max_photos = max_size, max_seconds, max_photos
        # session -> (what stops its next run, what it asked for last)
        self._asked: dict[str | None, tuple[threading.Event, tuple]] = {}
        self._running: dict[str | None, threading.Event] = {}  # session -> what stops its run

    def warm_up(self) -> None:
        """Builds the network, which stays, before the first visitor needs it."""
        gray = Image.new("RGB", (32, 32), "gray")
        self._paint(prepare(gray, gray, iterations=1, size=32, tolerance=1), self._weights)

    def enter(self, request: gr.Request, *asked: Any) -> Shown:
        """A visitor asks for pictures, and waits from now on.

        What they asked for before, waiting or being painted, is dropped.

        Args:
            request: whose it is.
            asked: the paths of the photos, the path of the painting, then the values of
                `CONTROLS`, in their order.
        """
        self.stop(request)
        self._asked[request.session_hash] = threading.Event(), asked
        return cleared("Waiting for a place ...")

    def paint(self, session: str | None) -> Iterator[Shown]:
        """Paints what a visitor asked for last, in their turn.

        Yields until all is painted, or was stopped. Raises gr.Error.
        """
        if session not in self._asked:
            return  # they left while they waited, or an earlier turn of theirs has painted it
        stop, (photos, style, *values) = self._asked.pop(session)
        self._running[session] = stop
        try:
            self._check(photos, style)
            yield cleared("Getting ready ...")
            given = dict(zip(CONTROLS, values, strict=True))
            paint_photo = functools.partial(self._paint_photo, stop, style, given)
            if len(photos) == 1:
                yield from self._paint_one(photos[0], paint_photo)
            else:
                yield from self._paint_several(photos, paint_photo, stop)
        except Exception as error:
            failure = complaint(reason(error))
            yield Shown(failure.message)
            raise failure from None
        finally:
            if self._running.get(session) is stop:
                del self._running[session]

    def _check(self, photos, style):
        """Raises InputError unless there is something to paint, and not too much of it."""
        if not (photos and style):
            raise InputError("Give a photo and a painting: drop them above, or choose an example.")
        if len(photos) > self._max_photos:
            raise InputError(
                f"{len(photos)} photos; here at most {self._max_photos} are painted at once. "
                "Leave some out."
            )

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
        watch, before = Watch(stop, self._max_seconds), None
        yield Shown(say(watch))
        job = self._prepare(photo, style, given)
        for iterate in watch.follow(lambda w: self._paint(job, self._weights, w)):
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
        if watch.last:
            record = records.make_record(job, self._weights, photo, [style])
            more = {"iteration": watch.last.iteration, "losses": watch.last.losses._asdict()}
            description = records.to_text(record, **more)
            save_image(watch.last.rounded(), path, description=description)
        return watch

    def _prepare(self, photo: str, style: str, given: dict[str, Any]) -> Job:
        """The `Job` of the uploads. Raises InputError."""
        job = prepare(load_image(photo, "the photo"), load_image(style, "the painting"), **given)
        rows, cols = job.stages[-1][:2]
        if max(rows, cols) > self._max_size:
            raise InputError(
                f"The result would have {cols}x{rows} pixels; here at most {self._max_size} are "
                "painted on a side. Choose a smaller size."
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
