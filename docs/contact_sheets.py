"""Paints the pictures of docs/ and the README.

    python docs/contact_sheets.py triptych gallery portraits lettering six
    python docs/contact_sheets.py recipes programs compare
    python docs/contact_sheets.py strength style_scale styles iterations colours
    python docs/contact_sheets.py extended alike                    (docs/defaults.md)
    python docs/contact_sheets.py keep content style                (kinds of masks)

Those that are there already are left alone: delete one to have it painted anew. `--weights mirror`
takes those weights.
"""

import argparse
import functools
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from PIL import Image, ImageDraw, ImageFilter, ImageOps

import neural_style_transfer as nst
from stylize.apps.compare.sheet import Cell, draw_sheet

GALLERY = (  # each style at least once
    *("astronaut+swirling_night", "hopper+impasto", "temple+woodcut", "camera+engraving"),
    *("luispedro+watercolour", "temple+ink", "rocket+swirling_night", "rocket+woodcut"),
    *("stairs+ink", "coffee+impasto", "flower+stained_glass", "flower+watercolour"),
    *("cat+pointillism", "raccoon+engraving", "coins+stained_glass", "coffee+pointillism"),
)
PORTRAITS = (
    *("astronaut+impasto", "hopper+swirling_night", "luispedro+impasto"),
    *("douglass+watercolour", "apollo+impasto"),
)
LETTERING = (
    *("poster+pointillism", "whiteboard+impasto", "bakery+watercolour"),
    *("label+woodcut", "book+ink"),
)
SIX = (  # of the gallery, for the README
    *("temple+woodcut", "rocket+swirling_night", "flower+watercolour"),
    *("coffee+impasto", "coins+stained_glass", "temple+ink"),
)
RECIPES = "neighbors", "pyramid", "keras", "athalye", "gatys", "johnson", "crowson"  # as shown
GAP = 8  # pixels between pictures
PERSON = (  # in img/astronaut.jpg, in parts of 400 of its sides
    *((120, 40), (135, 18), (175, 10), (215, 20), (238, 60), (225, 95), (205, 120), (205, 145)),
    *((240, 175), (240, 200), (268, 205), (280, 250), (285, 272), (320, 268), (360, 285)),
    *((388, 330), (395, 370), (398, 400), (20, 400), (25, 360), (15, 310), (30, 240), (60, 185)),
    *((90, 165), (95, 140), (120, 118), (145, 115), (140, 95), (120, 75)),
)
SOFT = ImageFilter.GaussianBlur(4)  # of the edge of a mask
CUP = (77, 62, 480, 385), (172, 18, 410, 210)  # ellipses, in img/coffee.jpg


loaded = functools.cache(nst.load_weights)


def find(name):
    return ROOT / "img" / f"{name}.jpg"


def given(names):
    """The photo and the paintings of a pair, or of more."""
    return [nst.load_image(find(name)) for name in names.split("+")]


def paint(pair, weights, **settings):
    """The picture of a pair such as "cat+ink"."""
    print(pair, settings, flush=True)
    return nst.style_transfer(*map(find, pair.split("+")), weights=loaded(weights), **settings)


def side_by_side(images, rows):
    """Images next to each other, scaled to as many rows."""
    images = [image.resize((image.width * rows // image.height, rows), 3) for image in images]
    width = sum(i.width for i in images) + GAP * (len(images) - 1)
    result = Image.new("RGB", (width, rows), "white")
    x = 0
    for image in images:
        result.paste(image, (x, 0))
        x += image.width + GAP
    return result


def below(strips):
    """Images under each other."""
    height = sum(i.height for i in strips) + GAP * (len(strips) - 1)
    result = Image.new("RGB", (max(i.width for i in strips), height), "white")
    y = 0
    for strip in strips:
        result.paste(strip, (0, y))
        y += strip.height + GAP
    return result


def triptych(weights):
    return side_by_side([*given(GALLERY[0]), in_folder("gallery", GALLERY[0], weights)], 400)


def six(weights):
    """Pictures of the gallery, each with its photo and its painting."""
    tiles = []
    for pair in SIX:
        thumbnails = below([side_by_side([image], 146) for image in given(pair)])
        tiles.append(side_by_side([thumbnails, in_folder("gallery", pair, weights)], 300))
    return below([side_by_side(tiles[start : start + 2], 300) for start in range(0, len(SIX), 2)])


def dial(pair, cells, columns):
    """A sheet of what a setting does, with the photo and the paintings above."""
    photo, *paintings = given(pair)
    names = ["painting"] if len(paintings) == 1 else ["painting", "second painting"]
    of_each = zip([photo, *paintings], ["photo", *names], strict=True)
    return draw_sheet([Cell(image, [name]) for image, name in of_each], cells, columns)


def swept(pair, weights, option, values, columns):
    """The dial of a setting at some values."""
    name = {"iter": "iterations"}.get(option, option)
    return dial(
        pair,
        [
            Cell(paint(pair, weights, size=256, **{name: value}), [f"--{option} {value}"])
            for value in values
        ],
        columns,
    )


def colours(weights):
    """Ways of keeping the photo's colours."""
    methods = "none", "luma", "linear", "histogram"
    return swept("coffee+swirling_night", weights, "preserve_colors", methods, 2)


def strength(weights):
    """A portrait and a landscape, from the photo towards the painting."""
    pairs, values = ("hopper+impasto", "temple+woodcut"), (0.1, 0.3, 0.5, 0.7, 0.9)
    return below([swept(pair, weights, "strength", values, 5) for pair in pairs])


def style_scale(weights):
    """Finer and coarser strokes."""
    return swept("rocket+impasto", weights, "style_scale", (0.3, 0.6, 1, 2), 4)


def extended(weights):
    """Paintings smaller than the result, above as small as they are, below extended."""
    small = ("astronaut+swirling_night", 100, 0.5), ("hopper+impasto", 100, 0.5)
    return below(
        [
            side_by_side(
                [
                    paint(pair, weights, size=rows, style_scale=scale, recipe=recipe)
                    for pair, rows, scale in (*small, ("rocket+impasto", 256, 0.3))
                ],
                300,
            )
            for recipe in (nst.RECIPES["neighbors"] | {"extend_styles": False}, "neighbors")
        ]
    )


def alike(weights):
    """Forms of the painting in plain areas: above without the similarity term, below with it."""
    pairs = "temple+woodcut", "douglass+swirling_night"
    return below(
        [
            side_by_side(
                [paint(pair, weights, size=300, similarity_weight=weight) for pair in pairs], 300
            )
            for weight in (0, nst.RECIPES["neighbors"].similarity_weight)
        ]
    )


def iterations(weights):
    """What more iterations at each size bring."""
    return swept("temple+swirling_night", weights, "iter", (1, 2, 5, 10), 4)


def styles(weights):
    """Two paintings blended, in four proportions."""
    names = "flower+stained_glass+watercolour"
    photo, *paintings = map(find, names.split("+"))
    cells = []
    for blend in ((1, 0), (3, 1), (1, 3), (0, 1)):
        print(names, blend, flush=True)
        shares = {"style_blend": list(blend), "size": 256}
        painted = nst.style_transfer(photo, paintings, weights=loaded(weights), **shares)
        cells.append(Cell(painted, [f"--style_blend {blend[0]} {blend[1]}"]))
    return dial(names, cells, columns=4)


def recipes(weights):
    """The same pair in all recipes, by the command, with the seconds and memory that it took."""
    pair, cells = "rocket+swirling_night", []
    options = "--size", "160", "--precision", "float32"  # as without bfloat16
    for name in RECIPES:
        with tempfile.TemporaryDirectory() as folder:
            result = Path(folder) / "result.png"
            seconds, gib = measured(pair, result, weights, "--recipe", name, *options)
            lines = [f"--recipe {name}", f"{seconds:.0f} s, {gib:.1f} GiB"]
            cells.append(Cell(nst.load_image(result), lines))
    return dial(pair, cells, columns=4)


def measured(pair, result, weights, *options):
    """The (seconds, GiB) that the command takes to paint a pair."""
    command = [sys.executable, ROOT / "neural_style_transfer.py", *map(find, pair.split("+"))]
    command += [result, "--final_only", "--weights", weights, *options]
    print(*options, flush=True)
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)  # not on Windows
    process.returncode = os.waitstatus_to_exitcode(status)
    if status:
        raise SystemExit(f"{' '.join(options)}: it failed")
    unit = 2**30 if sys.platform == "darwin" else 2**20  # in bytes there, else in KiB
    return time.perf_counter() - started, usage.ru_maxrss / unit


def programs(weights):
    """A photo, a painting, and two other programs' objectives."""
    pair = "coffee+impasto"
    painted = [paint(pair, weights, size=192, recipe=name) for name in ("johnson", "crowson")]
    return side_by_side([*given(pair), *painted], 256)


def keep(weights):
    """A person who stays as she is, before a painted background."""
    mask = person()
    return masked("astronaut+swirling_night", [mask], weights, keep_mask=mask)


def content(weights):
    """The same, painted too, before a background that is left to the style."""
    mask = person()
    return masked("astronaut+swirling_night", [mask], weights, content_mask=mask)


def style(weights):
    """Two styles, each in its place."""
    cup = Image.new("L", (600, 400))
    for box in CUP:
        ImageDraw.Draw(cup).ellipse(box, fill=255)
    masks = [cup.filter(SOFT), ImageOps.invert(cup.filter(SOFT))]
    return masked("coffee+stained_glass+swirling_night", masks, weights, style_masks=masks)


def person():
    """A soft mask of the astronaut."""
    mask = Image.new("L", (400, 400))
    ImageDraw.Draw(mask).polygon(PERSON, fill=255)
    return mask.filter(SOFT)


def masked(names, masks, weights, **settings):
    """A photo, masks, and the photo painted with them."""
    print(names, flush=True)
    photo, *styles = map(find, names.split("+"))
    painted = nst.style_transfer(photo, styles, weights=loaded(weights), size=300, **settings)
    shown = [nst.load_image(photo), *(mask.convert("RGB") for mask in masks)]
    return side_by_side([*shown, painted], 300)


def compare(weights):
    """The sheet of a comparison, as the command paints it."""
    with tempfile.TemporaryDirectory() as folder:
        pair = map(str, map(find, ("astronaut", "swirling_night")))
        values = "strength=0.3,0.5,0.7", "recipe=neighbors,pyramid"
        nst.main([*pair, f"{folder}/try", "--weights", weights, "--compare", *values])
        return nst.load_image(f"{folder}/try_compare.png")


SHEETS = {
    ROOT / "img/triptych.jpg": triptych,
    ROOT / "docs/six.jpg": six,
    ROOT / "docs/compare.jpg": compare,
    ROOT / "docs/recipes.jpg": recipes,
    ROOT / "docs/programs.jpg": programs,
    ROOT / "docs/dials/strength.jpg": strength,
    ROOT / "docs/dials/style_scale.jpg": style_scale,
    ROOT / "docs/extended.jpg": extended,
    ROOT / "docs/alike.jpg": alike,
    ROOT / "docs/dials/styles.jpg": styles,
    ROOT / "docs/dials/iterations.jpg": iterations,
    ROOT / "docs/dials/colours.jpg": colours,
    ROOT / "docs/masks/keep.jpg": keep,
    ROOT / "docs/masks/content.jpg": content,
    ROOT / "docs/masks/style.jpg": style,
}
FOLDERS = {"gallery": GALLERY, "portraits": PORTRAITS, "lettering": LETTERING}


def in_folder(folder, pair, weights):
    """The picture of a pair as a folder of docs/ has it, painted if it is not there."""
    path = ROOT / "docs" / folder / f"{pair.replace('+', '_')}.jpg"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        paint(pair, weights).save(path, quality=90)
    return nst.load_image(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="+", choices=[*(p.stem for p in SHEETS), *FOLDERS])
    parser.add_argument("--weights", default="imagenet", help="as for neural_style_transfer.py")
    args = parser.parse_args()
    for folder in FOLDERS.keys() & args.names:
        for pair in FOLDERS[folder]:
            in_folder(folder, pair, args.weights)
    for path, make in SHEETS.items():
        if path.stem in args.names and not path.exists():
            path.parent.mkdir(exist_ok=True)
            make(args.weights).save(path, quality=88)


if __name__ == "__main__":
    main()
