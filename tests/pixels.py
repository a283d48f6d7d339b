#!/usr/bin/env python3
"""Prints what the pixels are that this version of the program makes, for comparison with another.

    python tests/pixels.py [--weights mirror] > before.txt      (in the one version's folder)
    python tests/pixels.py [--weights mirror] > after.txt       (in the other's)
    diff before.txt after.txt

A change that is to leave every picture alone is shown to do so by the same lines before and after:
all recipes, the TensorFlow neural-style program, masks, tiles, colours, a film and a folder, each
by its command, at 96 rows. A line has the name of a run and the SHA-256 of its picture's values.
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
PHOTO, STYLE, OTHER = (
    str(ROOT / "img" / f"{name}.jpg") for name in ("astronaut", "ink", "woodcut")
)
RECIPES = ("neighbors", "pyramid", "keras", "athalye", "gatys", "johnson", "crowson")
FRAMES = 3


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--weights", default="mirror")
    parser.add_argument("--only", default="", help="runs whose names begin so")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, command in runs(Path(folder)).items():
            if name.startswith(args.only):
                weights = "--network" if "neural_style.py" in command[0] else "--weights"
                subprocess.run(
                    [sys.executable, *command, weights, args.weights],
                    check=True,
                    cwd=ROOT,
                    stdout=subprocess.DEVNULL,
                )
                for line in digests(Path(folder), name):
                    print(line, flush=True)


def runs(folder):
    """Name -> command, without the weights, of every run; its results begin with the name."""
    mask, other_mask = folder / "input_mask.png", folder / "input_other.png"
    ramp = np.tile(np.linspace(0, 255, 128).astype(np.uint8), (128, 1))
    Image.fromarray(ramp).save(mask)
    Image.fromarray(255 - ramp).save(other_mask)
    photos, frames = folder / "input_photos", folder / "input_frames"
    photos.mkdir()
    frames.mkdir()
    photo = Image.open(PHOTO).convert("RGB").resize((160, 128))
    for index in range(FRAMES):
        photo.crop((4 * index, 0, 4 * index + 128, 128)).save(frames / f"{index}.png")
        photo.rotate(90 * index).save(photos / f"{index}.png")

    def transfer(name, *options, base=PHOTO, style=STYLE):
        command = ["neural_style_transfer.py", str(base), style, str(folder / name)]
        return {name: [*command, "--size", "96", "--iter", "1", *map(str, options)]}

    every = {}
    for recipe in RECIPES:
        every |= transfer(f"recipe_{recipe}", "--recipe", recipe)
    masks = "--style_masks", mask, other_mask, "--content_mask", mask
    every |= transfer("masks", "--styles", OTHER, *masks)
    every |= transfer("masks_keras", "--styles", OTHER, *masks, "--recipe", "keras")
    every |= transfer("kept", "--styles", OTHER, "--keep_mask", mask)
    every |= transfer("tiles", "--tile", 48, "--precision", "float32")
    every |= transfer("tiles_masks", "--tile", 48, "--styles", OTHER, *masks)
    for recipe in ("crowson", "johnson", "athalye"):
        every |= transfer(f"tiles_{recipe}", "--tile", 64, "--recipe", recipe, "--size", 160)
    for method in ("luma", "linear", "histogram"):
        every |= transfer(f"colors_{method}", "--preserve_colors", method)
    every |= transfer("strength", "--strength", 0.8, "--style_turns", 1)
    every |= transfer("noise", "--init", "noise", "--seed", 3, "--precision", "bfloat16")
    every |= transfer("frames", "--frames", base=frames)
    every |= transfer("folder", base=photos)
    every["neural_style"] = [
        *("neural_style.py", "--content", PHOTO, "--styles", STYLE, OTHER, "--width", "96"),
        *("--iterations", "20", "--output", str(folder / "neural_style.png")),
        *("--style-scales", "0.5", "1", "--preserve-colors", "--content-weight-blend", "0.7"),
    ]
    return every


def digests(folder, name):
    """The lines of a run's results."""
    paths = [folder / f"{name}.png", folder / f"{name}.mp4", *sorted((folder / name).glob("?.png"))]
    for path in filter(Path.is_file, paths):
        yield f"{path.relative_to(folder)} {hashlib.sha256(values(path)).hexdigest()}"


def values(path):
    """The bytes of all values in a picture or film."""
    if path.suffix == ".png":
        return np.asarray(Image.open(path)).tobytes()
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(path), "-f", "rawvideo", "-"]
    return subprocess.run(command, check=True, capture_output=True).stdout


if __name__ == "__main__":
    main()
