"""Paints pairs with several recipes, to be judged without knowing which is which.

    python benchmarks/panel.py paint panel/ --rows 256 --recipes pyramid neighbors
    python benchmarks/panel.py count panel/

`paint` writes a sheet for each pair: photo and style on top, then the pictures under letters. Their
order is drawn by `--seed`; which is which stands in `key.json`, not to be opened before choices are
written into `choices.json`: {"astronaut+woodcut": "b", ...}, or whole rankings into
`rankings.json`: {"astronaut+woodcut": {"ranking": "bac"}, ...}. `count` then prints who was chosen,
and of each recipe the mean seconds, the mean `weave` (benchmarks/weave.py) and where it is highest.

A recipe is a name in RECIPES, with settings of its own after colons: `pyramid:init=recolored`. With
`--seconds` each run is stopped after as many. Pictures of another program take part as a folder of
files named like the pairs: `name=folder`.

The pairs come from img/, and the defaults were chosen by looking at them. With `--held_out` they
are sixteen others, on which no weight was tuned; whoever tunes on them ends that.
"""

import argparse
import ast
import json
import random
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from held_out import pictures as held_out
from PIL import Image, ImageDraw
from weave import weave

import neural_style_transfer as nst

PAIRS = (  # faces, landscapes, buildings, still lifes, animals, gray, night; every style twice
    *("astronaut+swirling_night", "hopper+impasto", "luispedro+ink", "camera+engraving"),
    *("temple+woodcut", "temple+pointillism", "rocket+swirling_night", "rocket+watercolour"),
    *("stairs+woodcut", "coffee+impasto", "flower+watercolour", "coins+stained_glass"),
    *("cat+pointillism", "raccoon+ink", "cat+stained_glass", "hopper+engraving"),
)


class Limit(nst.Progress):
    """Stops a run after so many seconds; the last picture counts."""

    def __init__(self, limit):
        super().__init__()
        self.limit, self.image = limit, None

    def on_evaluation(self, evaluation):
        super().on_evaluation(evaluation)
        if self.improved:
            self.image = evaluation.image
        if self.seconds > self.limit:
            raise TimeoutError


def parse_recipe(text):
    """The settings of `pyramid:init=recolored`."""
    name, *given = text.split(":")
    changes = dict(change.split("=") for change in given)
    recipe = dict(nst.RECIPES[name])
    for key, value in changes.items():
        try:
            recipe[key] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            recipe[key] = value
    return recipe


def paint(given, recipe, weights, rows, seconds):
    """(the picture, the seconds that it took). `given`: the paths of photo and style."""
    photo, style = given
    progress, start = Limit(seconds), time.perf_counter()
    try:
        image = nst.style_transfer(
            photo, style, recipe=recipe, weights=weights, size=rows, progress=progress
        )
    except TimeoutError:
        image = progress.image
    return image, time.perf_counter() - start


def find(name, folder):
    """A picture of a folder by name, or a path."""
    path = Path(name)
    return path if path.is_file() else next(folder.glob(f"{name}.*"), path)


def sheet(given, images, rows):
    """Photo and style, given by their paths, then pictures under letters, as one picture."""
    given = [nst.load_image(path) for path in given]
    given = [i.resize((i.width * rows // i.height // 2, rows // 2)) for i in given]
    images = [i.resize((i.width * rows // i.height, rows)) for i in images]
    width = max(sum(i.width + 6 for i in images), sum(i.width + 6 for i in given))
    result = Image.new("RGB", (width, rows // 2 + rows + 20), "white")
    x = 0
    for image in given:
        result.paste(image, (x, 0))
        x += image.width + 6
    x, draw = 0, ImageDraw.Draw(result)
    for letter, image in zip("abcdefgh", images, strict=False):
        draw.text((x + 2, rows // 2 + 4), letter, "black")
        result.paste(image, (x, rows // 2 + 20))
        x += image.width + 6
    return result


def paint_all(args):
    weights = nst.load_weights(args.weights)
    args.folder.mkdir(parents=True, exist_ok=True)
    pairs, found_in = args.pairs or PAIRS, ROOT / "img"
    if args.held_out:
        pairs, found_in = args.pairs or held_out.PAIRS, args.folder / "pictures"
        held_out.gather(found_in)
    paths = [args.folder / f"{name}.json" for name in ("key", "seconds", "weave")]
    keys, seconds, weaves = (json.loads(p.read_text()) if p.exists() else {} for p in paths)
    for pair in pairs:
        if pair in keys:
            continue  # an earlier run, stopped, got so far
        given, images = [find(name, found_in) for name in pair.split("+")], {}
        for text in args.recipes:
            name, _, folder = text.partition("=") if ":" not in text else (text, "", "")
            if folder:
                images[name] = nst.load_image(Path(folder) / f"{pair}.png")
                continue
            recipe = parse_recipe(text)
            images[text], taken = paint(given, recipe, weights, args.rows, args.seconds)
            seconds.setdefault(text, {})[pair] = round(taken, 1)
        photo = nst.load_image(given[0])
        for name, image in images.items():
            weaves.setdefault(name, {})[pair] = round(weave(image, photo), 2)
        order = sorted(images)
        random.Random(f"{args.seed} {pair}").shuffle(order)
        sheet(given, [images[name] for name in order], args.rows).save(args.folder / f"{pair}.png")
        keys[pair] = dict(zip("abcdefgh", order, strict=False))
        for path, values in zip(paths, (keys, seconds, weaves), strict=True):
            path.write_text(json.dumps(values, indent=2) + "\n")
        print(pair, flush=True)


def count(args):
    """Prints who was chosen how often, the mean seconds, and how much weave there is."""
    keys, choices, rankings, seconds, weaves = (
        json.loads(path.read_text()) if path.exists() else {}  # earlier panels have fewer
        for name in ("key", "choices", "rankings", "seconds", "weave")
        for path in [args.folder / f"{name}.json"]
    )
    choices = choices or {pair: ranked["ranking"][0] for pair, ranked in rankings.items()}
    if not (keys and choices):
        raise SystemExit(f"{args.folder}: needs key.json, and choices.json or rankings.json")
    chosen = [keys[pair][letter] for pair, letter in choices.items()]
    for name in sorted(set().union(*(key.values() for key in keys.values()))):
        times = seconds.get(name, {}).values()
        mean = f"{sum(times) / len(times):6.1f} s" if times else ""
        if woven := weaves.get(name, {}):
            most = max(woven, key=woven.get)
            mean += f"  weave {sum(woven.values()) / len(woven):.2f}, {woven[most]:.2f} at {most}"
        print(f"{name:60} {chosen.count(name):3d} of {len(chosen)} {mean}")
    for pair, letter in choices.items():
        print(f"  {pair:28} {keys[pair][letter]}")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=("paint", "count"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", nargs="+", metavar="PHOTO+STYLE", help="default: all")
    parser.add_argument(
        "--held_out", action="store_true", help="take pairs that no weight was tuned on"
    )
    parser.add_argument("--recipes", nargs="+", default=["pyramid", "neighbors"])
    parser.add_argument("--rows", type=int, default=256, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop each run then")
    parser.add_argument("--seed", type=int, default=0, help="of the order")
    parser.add_argument("--weights", default="imagenet", help="as for neural_style_transfer.py")
    args = parser.parse_args(argv)
    {"paint": paint_all, "count": count}[args.action](args)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
