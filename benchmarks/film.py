"""Measures films: seconds a frame, how still they hold, whether they drift.

    python benchmarks/film.py --rows 288 --weights mirror --out /tmp/film

The clip is made here, so that its flow is known: the camera pans and zooms over one photo while a
cut-out of another moves in front of it and back, so that the last frame shows what the tenth did;
then a second scene begins. It is painted as a film, and some of its frames, for comparison, by
themselves (`--temporal_weight 0`).

The warping error is the mean square of the difference between a result and the one before it, moved
by the true flow, over pixels that both frames show, in levels of 0..255 (Lai et al. 2018,
arXiv:1808.00449, eq. 7). `--out` keeps the clip, all results and a sheet of them.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import neural_style_transfer as nst
from stylize.apps.film.scenes import FrameFolder, frames_to_paint
from stylize.backend import tensors
from stylize.images.clips import open_clip
from stylize.images.ffmpeg import Mp4Writer
from stylize.images.optical_flow import warp
from stylize.vgg.download import load_weights

ASPECT = 16 / 9
SECOND_SCENE = 8  # frames
TENTH = 9  # the frame that brightness and contrast are compared with


class Scene:
    """A camera that moves over a photo, and a cut-out of another photo that moves before it.

    Args:
        back, front: the photos, Pillow images.
        rows, cols: of a frame.
        frames: how many there are.
        period: after how many frames camera and cut-out are where they began.
    """

    def __init__(self, back, front, rows, cols, frames, period):
        self.rows, self.cols, self.frames, self.period = rows, cols, frames, period
        self._grid = np.stack(np.meshgrid(np.arange(cols), np.arange(rows)), -1)
        width = round(1.35 * cols)  # of the photo, in pixels of the first frame
        self.back = np.asarray(back.resize((width, round(width * back.height / back.width))))
        side = round(0.62 * rows)
        self.front = np.asarray(front.resize((side, side)))
        mask = Image.new("L", (4 * side, 4 * side))
        ImageDraw.Draw(mask).ellipse((40, 40, 4 * side - 40, 4 * side - 40), fill=255)
        self.mask = np.asarray(mask.resize((side, side)), np.float32) / 255

    def _way(self, frame):
        """From 0 to 1 and back."""
        return 0.5 - 0.5 * np.cos(2 * np.pi * frame / self.period)

    def camera(self, frame):
        """(place of the frame's upper left corner on the photo (x, y), pixels of it in one)."""
        t = self._way(frame)
        zoom = 1.0 - 0.12 * t
        free = np.subtract(self.back.shape[1::-1], np.multiply(zoom, (self.cols, self.rows)))
        return free * (0.08 + 0.84 * t, 0.5 + 0.3 * np.sin(5 * t)), zoom

    def cutout(self, frame):
        """The same for the cut-out."""
        t = self._way(frame)
        zoom = 1.1 - 0.2 * t
        corner = self.cols * (0.62 - 0.45 * t), self.rows * (0.24 + 0.12 * np.sin(7 * t))
        return -zoom * np.array(corner), zoom

    def flow(self, frame, other, mover):
        """The flow of what follows a mover (`camera` or `cutout`), from a frame to another."""
        (corner, zoom), (other_corner, other_zoom) = mover(frame), mover(other)
        grid = self._grid
        return ((corner + zoom * grid - other_corner) / other_zoom - grid).astype(np.float32)

    def _sampled(self, picture, frame, mover):
        corner, zoom = mover(frame)
        x, y = np.moveaxis((corner + zoom * self._grid).astype(np.float32), -1, 0)
        return cv2.remap(np.float32(picture), x, y, cv2.INTER_CUBIC)

    def shape_of_cutout(self, frame):
        """(rows, cols), 1 where the cut-out is."""
        return self._sampled(self.mask, frame, self.cutout)

    def picture(self, frame):
        """A frame, a Pillow image."""
        back = self._sampled(self.back, frame, self.camera)
        front = self._sampled(self.front, frame, self.cutout)
        mask = self.shape_of_cutout(frame)[..., np.newaxis]
        pixels = back + mask * (front - back)
        return Image.fromarray(np.rint(pixels.clip(0, 255)).astype(np.uint8))

    def truth(self, frame):
        """(flow to the frame before, where both show the same)."""
        before, mask = self.shape_of_cutout(frame - 1), self.shape_of_cutout(frame)
        back, front = (self.flow(frame, frame - 1, m) for m in (self.camera, self.cutout))
        of_front = mask > 0.5
        flow = np.where(of_front[..., np.newaxis], front, back)
        there = np.where(of_front, warp(before, front) > 0.99, warp(before, back) < 0.01)
        place = flow + self._grid
        inside = (place >= 0).all(-1) & (place <= (self.cols - 1, self.rows - 1)).all(-1)
        clear = (mask < 0.01) | (mask > 0.99)
        return flow, there & inside & clear


def write_clip(path, scenes):
    """Writes the scenes one after another as a video."""
    first = scenes[0]
    writer = Mp4Writer(path, (first.cols, first.rows), 25, ("-crf", "12"))
    for scene in scenes:
        for frame in range(scene.frames):
            writer.write(scene.picture(frame), 1)
    writer.finish()


def paint(job, weights, images, folder, wanted):
    """Paints those of the images whose numbers are wanted.

    Returns number -> (seconds, seconds of the processor), whose cores others may share.
    """
    seconds, clocks = {}, (time.perf_counter, time.process_time)
    wanted_images = (image for index, image in enumerate(images) if index in wanted)
    started = [clock() for clock in clocks]
    for frame in frames_to_paint(job, wanted_images, folder):
        with tensors.freed_afterwards():
            result = nst.paint(job.frame(frame.image, frame.previous), weights)
        folder.save(frame.number, result.pixels)
        now = [clock() for clock in clocks]
        seconds[frame.number] = np.subtract(now, started)
        print(f"{folder.path.name} {frame.number}: {seconds[frame.number].round(1)} s", flush=True)
        started = now
    return seconds


def warping_errors(scene, results):
    """The error of each result and the one before it. `results`: number -> uint8 picture."""
    errors = []
    for frame, result in results.items():
        if frame - 1 in results:
            flow, seen = scene.truth(frame)
            moved = warp(results[frame - 1].astype(np.float32), flow)
            errors.append(np.square(result - moved)[seen].mean())
    return errors


def brightness_and_contrast(result):
    """The mean and the standard deviation of the luma."""
    luma = np.asarray(Image.fromarray(result).convert("L"), float)
    return luma.mean(), luma.std()


def sheet(rows_of_pictures, path, height=120):
    """Writes a sheet of pictures."""
    rows = [
        np.hstack([np.asarray(p.resize((round(p.width * height / p.height), height))) for p in row])
        for row in rows_of_pictures
    ]
    widest = max(row.shape[1] for row in rows)
    rows = [np.pad(row, ((0, 2), (0, widest - row.shape[1]), (0, 0))) for row in rows]
    Image.fromarray(np.vstack(rows)).save(path)


def measure(args, out):
    """Paints and prints."""
    rows, cols = args.rows, round(args.rows * ASPECT / 2) * 2
    back, front, other = (nst.load_image(ROOT / "img" / f"{n}.jpg") for n in args.photos)
    period = args.frames - 1 + TENTH  # the last frame shows what the tenth did
    scene = Scene(back, front, rows, cols, args.frames, period)
    write_clip(out / "clip.mp4", [scene, Scene(other, back, rows, cols, SECOND_SCENE, period)])
    weights = load_weights(args.weights, quiet=True)
    settings = {"size": rows, "recipe": args.recipe}
    clip = open_clip(str(out / "clip.mp4"))
    images = list(clip.frames())
    style = ROOT / "img" / f"{args.style}.jpg"
    jobs = {
        "film": nst.prepare(images[0], style, **settings),
        "alone": nst.prepare(images[0], style, **settings, temporal_weight=0),
    }
    chosen = range(TENTH, TENTH + args.alone)
    results, seconds = {}, {}
    for name, wanted in (("film", range(len(images))), ("alone", chosen)):
        folder = FrameFolder(out / name, {"settings": {}, "recipe": "", "base": {}})
        folder.remove()
        seconds[name] = paint(jobs[name], weights, images, folder, wanted)
        results[name] = {n: np.asarray(folder.load(i)) for i, n in enumerate(n for n in wanted)}
    return scene, images, chosen, results, seconds


def report(scene, images, chosen, results, seconds, out):
    """Prints what was measured."""
    film = {n: r for n, r in results["film"].items() if n < scene.frames}
    followers = [s for n, s in seconds["film"].items() if 0 < n < scene.frames]
    for name, times in (("film", followers), ("alone", list(seconds["alone"].values()))):
        wall, processor = np.mean(times, axis=0)
        print(f"seconds a frame, {name}: {wall:.2f}, of the processor {processor:.2f}")
    same = {n: film[n] for n in chosen}
    errors = {"film": warping_errors(scene, same), "alone": warping_errors(scene, results["alone"])}
    held, free = (np.mean(errors[name]) for name in ("film", "alone"))
    print(f"warping error: film {held:.1f}, alone {free:.1f}, ratio {held / free:.3f}")
    source = {n: np.asarray(images[n]) for n in chosen}
    print(f"  of the clip itself {np.mean(warping_errors(scene, source)):.1f}")
    print(f"  of the whole film {np.mean(warping_errors(scene, film)):.1f}")
    tenth, last = (brightness_and_contrast(film[n]) for n in (TENTH, scene.frames - 1))
    for name, before, after in zip(("brightness", "contrast"), tenth, last, strict=True):
        print(f"{name}: tenth {before:.1f}, last {after:.1f}, {after / before - 1:+.1%}")
    shown = np.linspace(0, len(images) - 1, 10).astype(int)
    around = [scene.frames + step for step in range(-2, 3)]
    all_film = {n: Image.fromarray(r) for n, r in results["film"].items()}
    sheet(
        [
            [images[n] for n in shown],
            [all_film[n] for n in shown],
            [Image.fromarray(results["alone"][n]) for n in chosen],
            [all_film[n] for n in chosen],
            [images[n] for n in around] + [all_film[n] for n in around],
        ],
        out / "sheet.png",
    )


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=288)
    parser.add_argument("--frames", type=int, default=64, help="of the first scene")
    parser.add_argument("--alone", type=int, default=6, help="frames painted by themselves, too")
    parser.add_argument("--photos", nargs=3, default=["temple", "astronaut", "raccoon"])
    parser.add_argument("--style", default="swirling_night")
    parser.add_argument("--recipe", default=nst.DEFAULT_RECIPE)
    parser.add_argument("--weights", default="imagenet")
    parser.add_argument("--out", help="a folder to keep the results in")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(args.out or temporary)
        out.mkdir(parents=True, exist_ok=True)
        report(*measure(args, out), out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
