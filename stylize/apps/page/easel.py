"""Paints what a visitor asked for, now: photos, one after another, a clip frame by frame, or small
pictures to choose from. Whose turn it is, `studio.py` knows.
"""

import contextlib
import tempfile
import threading
import time
from collections import deque
from collections.abc import Generator
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
from stylize.apps.page.log import log
from stylize.apps.page.masks import called, remarks
from stylize.apps.page.series import Series, download_name
from stylize.apps.page.shown import (
    CHOICES_OF_BEFORE,
    CHOOSE,
    DOWNLOAD,
    DOWNLOAD_ALL,
    DOWNLOAD_FILM,
    NOT_YET,
    STILL_SHOWN,
    STOPPING,
    THERE,
    Offered,
    Shown,
    captioned,
    is_left,
    reason,
    reason_by_name,
    row_of,
)
from stylize.apps.page.watch import Limit, Stopped, Watch, held
from stylize.backend import tensors
from stylize.errors import InputError
from stylize.images.apart import load_image_apart, load_keep_mask_apart
from stylize.images.clips import encode
from stylize.images.margins import without_margins
from stylize.images.writing import save_image
from stylize.runs import metadata
from stylize.runs.job import Job, prepare
from stylize.vgg.weights import VGG19Weights

MOST_WITH_CHOICES = 100  # visitors whose small pictures are kept for when new ones are stopped
_STOPPED = "_stopped"  # at the end of a result's name


class Easel:
    """Paints what is asked for.

    Args:
        weights: the network's.
        folder: where results are kept.
        allowed: how much a visitor may ask for.
        foresight: foresees how long small pictures take, and learns from runs.
    """

    def __init__(
        self, weights: VGG19Weights, folder: str, allowed: Allowance, foresight: Foresight
    ):
        self._weights, self._folder, self._allowed = weights, folder, allowed
        self._foresight, self._reading = foresight, threading.Lock()
        self._with_choices: deque[Asked] = deque(maxlen=MOST_WITH_CHOICES)

    def paint(self, asked: Asked) -> Generator[Shown]:
        """Paints photos, or a clip. Yields what is shown. Raises InputError; or see `reason`."""
        yield Shown("Getting ready ...")
        with self._new_folder() as folder:
            if is_clip(asked.photos[0]):
                yield from self._paint_clip(asked, folder)
            elif len(asked.photos) == 1:
                yield from self._paint_one(asked, folder)
            else:
                yield from self._paint_several(asked, folder)

    def paint_choices(self, asked: Asked) -> Generator[Offered]:
        """Paints the first photo small, once for each of `STRENGTHS`. The rest: see `paint`."""
        if is_clip(asked.photos[0]):
            raise InputError("The choices need a photo; give a frame of the clip instead.")
        earlier = [each for each in asked.offered if len(each.choices) == len(STRENGTHS)]
        alike = [each for each in earlier if each.is_of_same_pictures(asked)]
        asked.offered.clear()
        yield Offered("Getting ready ...", NOT_YET)
        words = CHOOSE
        try:
            yield from self._paint_choices(asked)
        except Stopped as error:
            words = f"{error}: {len(asked.choices)} of {len(STRENGTHS)} choices".capitalize()
            words += "; the choices of before stay" if alike else ""
        finally:
            if len(asked.choices) < len(STRENGTHS):
                # Those of other pictures could not be seen: they do not take the place of new ones.
                asked.offered[:] = alike or ([asked] if asked.choices else earlier)
        yield self._choices_ended(words, asked)

    def _paint_choices(self, asked):
        """Yields what is shown of the small pictures. Raises `Stopped`."""
        limit = Limit(asked.stop, self._allowed.seconds)
        photo = self._load(asked.photos[0], "the photo", limit)
        countdown = Countdown(self._foresight.seconds_of_choices(photo.size, asked.given))
        each = settings_of_choices(asked.given, photo.size, self._allowed.size)
        for index, own in enumerate(each):
            countdown.begin_next()
            watch = Watch(limit)
            yield Offered(countdown.words(watch))
            job = self._prepare(photo, asked, own, limit)
            for shown in self._follow(job, watch, countdown.words):
                if is_left(shown.picture):
                    yield Offered(shown.words)
                    continue
                is_first = not asked.offered  # it takes the place of all that were there
                asked.offered[:] = [asked]
                pictures = [None if is_first else gr.skip() for _ in STRENGTHS]
                pictures[index] = shown.picture
                yield Offered(shown.words, THERE if is_first else None, pictures)
            limit.check()
            asked.choices[STRENGTHS[index]] = watch.last.image
        self._keep_choices(asked)

    def _keep_choices(self, asked):
        """Keeps the last visitors' choices; those of earlier ones, which take memory, go."""
        if len(self._with_choices) == MOST_WITH_CHOICES:
            self._with_choices[0].choices.clear()
        self._with_choices.append(asked)

    def _choices_ended(self, words, asked):
        """What is shown once the painting of choices has ended, in these words."""
        if not (asked.offered and asked.offered[0].choices):
            asked.offered.clear()
            return Offered(captioned(words, asked.above, STILL_SHOWN), NOT_YET)
        (offered,) = asked.offered
        row = row_of(offered, asked.now or asked)
        if words == CHOOSE and row != THERE:
            words = CHOICES_OF_BEFORE
        pictures = [offered.choices.get(strength) for strength in STRENGTHS]
        return Offered(captioned(words, asked.above, STILL_SHOWN), row, pictures)

    def _paint_one(self, asked, folder):
        """Yields what is shown of the only photo."""
        (photo,) = asked.photos
        path = folder / f"{_download_name(asked, photo)}.png"
        watch, path = yield from self._paint_photo(asked, photo, path, lambda w: w.painting)
        words = watch.ending.capitalize()
        if watch.last is None:
            yield Shown(captioned(words, asked.above, STILL_SHOWN))
            return
        asked.keep(path, photo, is_stopped=bool(watch.error))
        download = gr.DownloadButton(value=str(path), interactive=True)
        yield Shown(words, download=download)

    def _paint_several(self, asked, folder):
        """Yields what is shown of photo after photo; one that cannot be painted is named."""
        self._allowed.check_size(asked.given["size"])
        names = [_download_name(asked, photo) for photo in asked.photos]
        series = Series(folder, asked.photos, names)
        for index, photo in enumerate(asked.photos):
            if asked.stop.is_set():
                break

            def say(watch, place=series.places[index]):
                for_it = " for this one" if watch.fraction else ""
                return series.words(f"{place}, {watch.left}{for_it}")

            try:
                painting = self._paint_photo(asked, photo, series.paths[index], say)
                watch, series.paths[index] = yield from painting
            except Exception as error:
                log(f"failed: {reason_by_name(error)}")
                series.remark(index, reason(error).removeprefix("the photo: "))
                continue
            series.add(index, watch)
            if watch.last:
                asked.keep(series.paths[index], photo, is_stopped=bool(watch.error))
                yield Shown(gr.skip(), gallery=gr.Gallery(list(series.gallery), visible=True))
        words = series.summary("Stopped" if asked.stop.is_set() else "Done")
        if not series.gallery:
            yield Shown(captioned(words, asked.above, STILL_SHOWN))
            return
        (only, _), *more = series.gallery
        label, path = (DOWNLOAD_ALL, series.pack()) if more else (DOWNLOAD, only)
        download = gr.DownloadButton(label, value=path, interactive=True)
        yield Shown(words, download=download)

    def _paint_photo(self, asked, photo, path, say):
        """Paints a photo and saves what came of it. `say` makes the words of a `Watch`.

        Yields what is shown. Returns the `Watch`, and the path, whose name says if it was stopped;
        raises what ended the run, but for `Stopped`.
        """
        limit, begun = Limit(asked.stop, self._allowed.seconds), time.monotonic()
        watch = Watch(limit)
        yield Shown(say(watch))
        try:
            image = self._load(photo, "the photo", limit)
            job = self._prepare(image, asked, asked.given, limit)
        except Stopped as error:
            watch.error = error
            log(_with_seconds(watch.ending, begun))
            return watch, path
        yield from self._follow(job, watch, say)
        if not watch.error:
            self._foresight.learn(watch)
        log(_with_seconds(watch.ending, begun))
        if watch.last:
            record = metadata.make_record(job, self._weights, photo, [asked.style])
            more = {"iteration": watch.last.iteration, "losses": watch.last.losses.as_dict()}
            description = metadata.to_text(record, **more)
            path = path.with_stem(f"{path.stem}{_STOPPED * bool(watch.error)}")
            save_image(watch.last.rounded(), path, description=description)
        return watch, path

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
        (path,), begun = asked.photos, time.monotonic()
        self._allowed.check_clip_settings(asked.given)
        yield Shown("Reading the clip ...")
        limit = Limit(asked.stop, self._allowed.seconds)
        try:
            clip, first = self._allowed.open_clip(path, limit)
            job = self._prepare(first, asked, asked.given, limit)
        except Stopped as error:
            words = f"{error}; no frame was finished"
            log(_with_seconds(words, begun))
            yield Shown(captioned(words.capitalize(), asked.above, STILL_SHOWN))
            return
        with tempfile.TemporaryDirectory(dir=self._folder) as kept:
            record = metadata.make_record(job, self._weights, path, [asked.style], of_film=True)
            frames = FrameFolder(kept, record)
            ended = yield from self._paint_frames(job, clip, frames, limit)
            files, is_stopped = frames.files(), ended != "done"
            words = f"{ended}: {len(files)} of {clip.length} frames".capitalize()
            if not files:
                log(_with_seconds(words.lower(), begun))
                yield Shown(captioned(words, asked.above, STILL_SHOWN))
                return
            yield Shown(f"{words}; writing the film ...")
            film = folder / f"{_download_name(asked, path)}{_STOPPED * is_stopped}.mp4"
            if clip.sound:  # however long it is
                seconds = float(len(files) / clip.rate)
                clip = clip._replace(sound=(*clip.sound, "-t", str(seconds)))
            writing = Limit(threading.Event(), self._allowed.seconds)  # Stop is to leave a film
            try:
                with_sound = encode(film, files, clip, metadata.to_text(record), writing)
            except OSError:
                if writing.is_set():
                    raise InputError("Writing the film took too long.") from None
                raise
            silent = "" if with_sound else ", without sound, which could not be converted"
        log(_with_seconds(words.lower(), begun))
        asked.keep(film, path, is_stopped=is_stopped)
        gallery = gr.Gallery([(str(film), Path(path).name)], visible=True)
        download = gr.DownloadButton(DOWNLOAD_FILM, value=str(film), interactive=True)
        yield Shown(f"{words}{silent}", download=download, gallery=gallery)

    def _paint_frames(self, job, clip, folder, limit):
        """Paints a clip into a folder. Yields what is shown; returns how it ended, in words."""
        left = ""
        with contextlib.closing(clip.frames(0, limit)) as images:
            for frame in frames_to_paint(job, images, folder):
                if frame.number >= self._allowed.frames:  # a header may say less than there is
                    return f"stopped after {self._allowed.frames} frames, the most this page allows"
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
            read = load(path, name, self._allowed.pixels, limit)
        limit.check()
        return read

    def _prepare(
        self, photo: Image.Image, asked: Asked, given: dict[str, Any], limit: Limit
    ) -> Job:
        """The `Job` of a photo, whose settings are given. Raises InputError, or Stopped."""
        painting = self._load(asked.style, "the painting", limit)
        # Both sizes are checked before memory is planned, whose answer would say less.
        settings, result = self._allowed.settings(given, photo.size)
        cropped = without_margins(painting).of(painting)
        self._allowed.check_painting(cropped.size, settings, result)
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
        mask = self._load(asked.keep_mask, called(asked.keep_mask), limit, is_mask=True)
        asked.note(remarks(asked.keep_mask, mask.size, mask.surprises, photo.size))
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


def _with_seconds(words, begun):
    """Words for the log, with the seconds since `begun`."""
    return f"{words}, {time.monotonic() - begun:.0f} s"


def _download_name(asked, photo):
    """What the result of one of the photos, or of a clip, is called."""
    others = asked.others(without=("strength", "iterations"))
    return download_name(photo, asked.style, asked.given["strength"], others)
