"""How long the painting of uploads will take, said before it begins."""

import functools
import html
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

import neural_style_transfer as nst
from stylize.apps.console import in_words
from stylize.apps.page.allowance import Allowance, NotAllowed, is_clip
from stylize.apps.page.choices import settings_of_choices
from stylize.apps.page.masks import remarks
from stylize.apps.page.previews import SECONDS, Previews, Remembered
from stylize.apps.page.shown import reason
from stylize.apps.page.watch import Limit, Stopped
from stylize.errors import InputError
from stylize.runs import forecast
from stylize.runs.job import prepare
from stylize.runs.progress import Progress
from stylize.vgg.weights import VGG19Weights

LEFT_OUT = "Only the rest can be painted."
READING = 3  # seconds, about, in which a photo and a painting are read


class Foresight:
    """Foresees how long painting will take on this machine.

    Args:
        weights: the network's.
        allowed: how much is painted at all.
        previews: know the uploads.
    """

    def __init__(self, weights: VGG19Weights, allowed: Allowance, previews: Previews):
        self._weights, self._allowed, self._previews = weights, allowed, previews
        self._pace: forecast.Pace | None = None  # once it is measured
        self._clips = Remembered()

    def measure(self) -> None:
        """Builds the network, which stays, before the first visitor needs it, and times it."""
        gray = Image.new("RGB", (512, 512), "gray")
        job = prepare(gray, gray, size=512)
        at = functools.partial(nst.stage_objective, job, self._weights)
        self._pace = forecast.measure(job, at)

    def learn(self, progress: Progress) -> None:
        """Takes the pace of a run that has ended well from now on."""
        if self._pace:
            self._pace = forecast.learned(self._pace, progress)

    def words(
        self,
        photos: Sequence[str],
        style: str | None,
        given: Mapping[str, Any],
        mask: str | None = None,
    ) -> str:
        """How long the painting of photos will take, or why they cannot be painted so; how long
        that of the choices; and what may surprise of the mask.

        What takes too long to read is left out. "" where nothing is left, or measured yet.

        Args:
            photos: their paths, or that of one clip.
            style: the path of the painting; None: there is none yet.
            given: settings.
            mask: the path of a mask of what stays as in the photo; None: there is none.
        """
        if self._pace is None:
            return ""
        limit = Limit(max_seconds=SECONDS)
        try:
            self._allowed.check_photos(photos)
            painting = style and self._previews.size(style, limit)
            if any(map(is_clip, photos)):
                clip = self._clip(photos[0], limit)
                sizes = [clip and clip[0]]
                words = self._of_clip(clip, painting, given)
            else:
                sizes, faults = self._sizes(photos, limit)
                words = self._of_pictures(photos, sizes, faults, painting, given)
            of_mask = self._of_mask(mask, sizes, limit) if mask else []
        except InputError as error:
            return _sentence(error)
        return "\n\n".join(filter(None, [words, *of_mask]))

    def _clip(self, path, limit):
        """((cols, rows), number of frames) of a clip; None: it takes too long. Raises InputError.

        Whatever was found is remembered: looking at a clip takes all of the processor.
        """
        return self._clips.get(path, lambda: self._look_at_clip(path, limit))

    def _look_at_clip(self, path, limit):
        """The same, found anew."""
        try:
            clip, first = self._allowed.open_clip(path, limit)
        except Stopped:
            return None
        except OSError as error:
            raise InputError(reason(error)) from None
        return first.size, clip.length

    def seconds_of_choices(
        self, size: tuple[int, int], given: Mapping[str, Any]
    ) -> list[float] | None:
        """Those of each small picture of a photo of (cols, rows); None: nothing is measured yet.

        Raises InputError: they cannot be painted so.
        """
        if self._pace is None:
            return None
        each = settings_of_choices(given, size, self._allowed.size)
        return self._seconds_each([(size, settings) for settings in each])

    def _sizes(self, photos, limit):
        """The (cols, rows) of the photos that can be read; and of the others, by path, the error.

        Raises InputError: none can be read.
        """
        sizes, faults = [], {}
        for photo in photos:
            try:
                sizes.append(self._previews.size(photo, limit))
            except InputError as error:
                faults[photo] = error
        if faults and not sizes:
            raise next(iter(faults.values()))
        return sizes, faults

    def _of_pictures(self, photos, sizes, faults, painting, given):
        """What is said of photos, and of the choices, which are of the first. See `_sizes`."""
        words = self._of_photos(sizes, painting, given)
        if words and photos[0] not in faults:
            whose = " of the first photo" if len(photos) > 1 else ""
            words += self._of_choices(sizes[0], given, whose)
        told = [*map(_sentence, faults.values()), *[LEFT_OUT] * bool(faults), words]
        return "\n\n".join(filter(None, told))

    def _of_photos(self, sizes, painting, given):
        """What is said of the photos at full size; "" unless all their sizes are known."""
        if not sizes or None in sizes:
            return ""
        try:
            each = self._seconds_each([(size, given) for size in sizes], painting)
        except InputError as error:
            return self._refusal(error, sizes)
        for seconds in each:
            if seconds > self._allowed.seconds:
                return f"{self._too_long(seconds)} Choose a smaller size."
        several = f" for all {len(sizes)} photos" if len(sizes) > 1 else ""
        return f"*Paint* takes {_about(sum(each))}{several}."

    def _of_clip(self, clip, painting, given):
        """The same of a clip: (its size, number of frames), or None."""
        if clip is None:
            return ""
        size, frames = clip
        try:
            self._allowed.check_clip_settings(given)
            job = self._job(size, painting, given)
        except InputError as error:
            return self._refusal(error, [size])
        of_frames = [job.stages, *[job.frame_stages] * (frames - 1)]
        seconds = READING + sum(forecast.seconds_each(of_frames, self._pace))
        if seconds > self._allowed.seconds:
            return f"{self._too_long(seconds)} Choose a smaller size, or give a shorter clip."
        return f"*Paint* takes {_about(seconds)} for {frames} frames."

    def _of_mask(self, mask, sizes, limit):
        """What may surprise of a mask for pictures of these sizes. Raises InputError."""
        look = self._previews.mask(mask, limit)
        if not look or not sizes or None in sizes:
            return []
        each = [remarks(mask, *look, size) for size in sizes]
        return [*dict.fromkeys(html.escape(line) for lines in each for line in lines)]

    def _refusal(self, error, sizes):
        """What is said of photos that cannot be painted so."""
        least, most = self._allowed.rows_for(sizes)
        is_size = isinstance(error, NotAllowed) and error.parameter == "size"
        if is_size and len(sizes) > 1 and least <= most:
            return f"*Size* must be from {least} to {most} for all of these photos."
        return _sentence(reason(error))

    def _too_long(self, seconds):
        return f"*Paint* would take {_about(seconds)}{self._stops()}."

    def _of_choices(self, size, given, whose):
        """What is said of the small pictures of a photo; "" if they cannot be painted."""
        try:
            seconds = sum(self.seconds_of_choices(size, given))
        except InputError:  # but for the size, it is said of the photos too
            return ""
        first, *more = settings_of_choices(given, size, self._allowed.size)
        stops = self._stops() if seconds > self._allowed.seconds else ""
        return (
            f" *Show me the choices* paints {len(more) + 1} small pictures{whose} ({first['size']} "
            f"rows, whatever *Size* says) in {_about(seconds)}{stops}."
        )

    def _stops(self):
        return f", but painting stops after {in_words(self._allowed.seconds)} here"

    def _seconds_each(self, pictures, painting=None):
        """The seconds for each (size, settings), sizes as (cols, rows), and that of the painting.

        Raises InputError: see `_job`.
        """
        stages = [self._job(size, painting, given).stages for size, given in pictures]
        return [READING + seconds for seconds in forecast.seconds_each(stages, self._pace)]

    def _job(self, size, painting, given):
        """The `Job` of a photo and a painting of these (cols, rows); the painting may be None.

        Raises InputError: the page does not allow it.
        """
        settings, (rows, cols) = self._allowed.settings(given, size)
        if painting:
            self._allowed.check_painting(painting, settings, (rows, cols))
        shape = Image.new("RGB", (cols, rows))
        return prepare(shape, shape, **given)


def _sentence(error):
    """An error's line, as the page shows it."""
    return f"{html.escape(str(error)).removesuffix('.')}."


def _about(seconds):
    """A time that is foreseen, as roughly as it is known."""
    return f"about {in_words(max(5, round(seconds, -1)))}"
