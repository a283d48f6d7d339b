"""Paints pairs at several sizes and compares how they look.

    python benchmarks/sizes.py sizes/ --weights mirror

Sizes are pixels of the longer side. All pictures of a pair are scaled to the same size: a sheet
shows them in an order shuffled by `--seed`, under letters (`key.json` says which is which), and the
table says how far each is from the smallest, as a multiple of the photo's distance from it. `gram`
compares their Gram matrices at the longer side of the smallest, `pixels` the pictures at 128 rows.
`in_order.jpg` shows all of them, a row for each pair. Pictures that are there already are not
painted again.
"""

import argparse
import json
import random
import time
from pathlib import Path

import numpy as np
from panel import ROOT, sheet
from PIL import Image

import neural_style_transfer as nst
from stylize.vgg.preprocess import preprocess_image

PAIRS = (
    *("astronaut+swirling_night", "hopper+impasto", "temple+woodcut"),
    *("coffee+stained_glass", "cat+pointillism", "raccoon+ink"),
)
LAYERS = tuple(f"block{block}_conv1" for block in range(1, 6))
ROWS = 128  # at which pictures are compared pixel by pixel
SHOWN = 220  # rows of each picture of `in_order.jpg`
GAP = 6  # pixels between these
LETTERS = "abcdefgh"  # those that a sheet of `panel` has


def rows_of(photo, side):
    """The rows of a result whose longer side has so many pixels."""
    return side if photo.height >= photo.width else round(side * photo.height / photo.width)


def gram_matrices(network, image):
    """One of each layer, divided by the number of positions, as float64."""
    features = network(preprocess_image(image)[None])
    return [
        np.asarray(nst.gram_matrix(each), np.float64) / np.prod(each.shape[:-1])
        for each in (features[layer] for layer in LAYERS)
    ]


def gram_distance(one, other):
    """The mean over the layers of |A - B| / (|A| + |B|), 0 to 1."""
    norm = np.linalg.norm
    return np.mean([norm(a - b) / (norm(a) + norm(b)) for a, b in zip(one, other, strict=True)])


def pixel_distance(one, other):
    """The root mean square difference in levels at `ROWS` rows."""
    size = round(one.width * ROWS / one.height), ROWS
    small = [np.asarray(scaled(image, size), float) for image in (one, other)]
    return np.sqrt(np.mean((small[0] - small[1]) ** 2))


def scaled(image, size):
    return image.resize(size, Image.Resampling.LANCZOS)


def compare(network, photo, images):
    """(gram, pixels) of each image but the first: its distance from the first, over the photo's."""
    photo, first, *others = [scaled(image, images[0].size) for image in (photo, *images)]
    grams = gram_matrices(network, first)

    def distances(image):
        return gram_distance(gram_matrices(network, image), grams), pixel_distance(image, first)

    return [np.divide(distances(image), distances(photo)) for image in others]


def in_order(rows):
    """Rows of pictures as one."""
    rows = [[scaled(i, (round(i.width * SHOWN / i.height), SHOWN)) for i in row] for row in rows]
    width = max(sum(image.width + GAP for image in row) for row in rows)
    result = Image.new("RGB", (width, (SHOWN + GAP) * len(rows)), "white")
    for index, row in enumerate(rows):
        left = 0
        for image in row:
            result.paste(image, (left, (SHOWN + GAP) * index))
            left += image.width + GAP
    return result


def painted(args, weights, pair, photo):
    """The pictures of a pair, from the smallest to the largest."""
    images = []
    for side in args.sides:
        path, start = args.folder / f"{pair}_{side}.png", time.perf_counter()
        if not path.exists():
            given = paths_of(pair)
            nst.style_transfer(*given, weights=weights, size=rows_of(photo, side)).save(path)
            print(f"{path.name}: {time.perf_counter() - start:.0f} s", flush=True)
        images.append(nst.load_image(path))
    return images


def paths_of(pair):
    """Those of the photo and of the style."""
    return [ROOT / "img" / f"{name}.jpg" for name in pair.split("+")]


def print_table(sides, distances):
    """Prints a row for each pair, and their mean. `distances`: pair -> what `compare` returns."""
    print(f"{'':28}", *(f"{f'{side}: gram pixels':>20}" for side in sides[1:]))
    mean = np.mean(list(distances.values()), axis=0)
    for name, row in [*distances.items(), ("mean", mean)]:
        print(f"{name:28}", *(f"{gram:13.2f}{pixels:7.2f}" for gram, pixels in row))


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", nargs="+", default=PAIRS, metavar="PHOTO+STYLE")
    parser.add_argument("--sides", nargs="+", type=int, default=[256, 512, 1024, 2048])
    parser.add_argument("--rows", type=int, default=512, help="of a sheet's pictures")
    parser.add_argument("--seed", type=int, default=0, help="of the order")
    parser.add_argument("--weights", default="imagenet", help="as for neural_style_transfer.py")
    args = parser.parse_args(argv)
    args.sides.sort()
    if not 2 <= len(args.sides) <= len(LETTERS):
        parser.error(f"--sides must be from 2 to {len(LETTERS)} sizes")
    args.folder.mkdir(parents=True, exist_ok=True)
    weights = nst.load_weights(args.weights)
    network = nst.build_network(weights, LAYERS)
    keys, distances, rows = {}, {}, []
    for pair in args.pairs:
        photo = nst.load_image(paths_of(pair)[0])
        images = painted(args, weights, pair, photo)
        order = random.Random(f"{args.seed} {pair}").sample(range(len(images)), len(images))
        shuffled = sheet(paths_of(pair), [images[i] for i in order], args.rows)
        shuffled.save(args.folder / f"{pair}_sheet.png")
        keys[pair] = {LETTERS[at]: args.sides[i] for at, i in enumerate(order)}
        distances[pair] = compare(network, photo, images)
        rows.append(images)
    in_order(rows).save(args.folder / "in_order.jpg", quality=90)
    (args.folder / "key.json").write_text(json.dumps(keys, indent=2) + "\n")
    print_table(args.sides, distances)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
