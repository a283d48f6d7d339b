"""Paints the pictures of docs/ and the README.

    python docs/contact_sheets.py triptych colours gallery strength recipes programs portraits
    python docs/contact_sheets.py compare keep content style        (the last three: kinds of masks)

Those that are there already are left alone: delete one to have it painted anew.
"""

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from PIL import Image, ImageDraw, ImageFilter, ImageOps

import neural_style_transfer as nst

GALLERY = (  # each photo and each style at least once
    *("astronaut+swirling_night", "hopper+impasto", "temple+woodcut", "camera+engraving"),
    *("luispedro+watercolour", "temple+ink", "rocket+swirling_night", "rocket+woodcut"),
    *("stairs+ink", "coffee+impasto", "flower+stained_glass", "flower+watercolour"),
    *("cat+pointillism", "raccoon+engraving", "coins+stained_glass", "coffee+pointillism"),
)
PORTRAITS = ("astronaut+impasto", "hopper+swirling_night", "luispedro+impasto")
GAP = 8  # pixels between pictures
PERSON = (  # in img/astronaut.jpg, in parts of 400 of its sides
    *((120, 40), (135, 18), (175, 10), (215, 20), (238, 60), (225, 95), (205, 120), (205, 145)),
    *((240, 175), (240, 200), (268, 205), (280, 250), (285, 272), (320, 268), (360, 285)),
    *((388, 330), (395, 370), (398, 400), (20, 400), (25, 360), (15, 310), (30, 240), (60, 185)),
    *((90, 165), (95, 140), (120, 118), (145, 115), (140, 95), (120, 75)),
)
SOFT = ImageFilter.GaussianBlur(4)  # of the edge of a mask
CUP = (77, 62, 480, 385), (172, 18, 410, 210)  # ellipses, in img/coffee.jpg


def find(name):
    return ROOT / "img" / f"{name}.jpg"


def paint(pair, weights, **settings):
    """The picture of a pair such as "cat+ink"."""
    print(pair, settings, flush=True)
    return nst.style_transfer(*map(find, pair.split("+")), weights=weights, **settings)


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
    pair = "astronaut+swirling_night"
    given = [nst.load_image(find(name)) for name in pair.split("+")]
    return side_by_side([*given, paint(pair, weights)], 400)


def colours(weights):
    methods = ("none", "luma", "linear", "histogram")
    pair = "coffee+swirling_night"
    return side_by_side(
        [paint(pair, weights, size=256, preserve_colors=method) for method in methods], 256
    )


def strength(weights):
    """A portrait and a landscape, at five strengths."""
    return below(
        [
            side_by_side(
                [paint(pair, weights, size=256, strength=s) for s in (0.1, 0.3, 0.5, 0.7, 0.9)], 256
            )
            for pair in ("hopper+impasto", "temple+woodcut")
        ]
    )


def recipes(weights):
    """The same pair by two recipes."""
    names = ("pyramid", "neighbors")
    pair = "rocket+swirling_night"
    return side_by_side([paint(pair, weights, size=256, recipe=name) for name in names], 256)


def programs(weights):
    """A photo, a painting, and two other programs' objectives."""
    pair = "coffee+impasto"
    given = [nst.load_image(find(name)) for name in pair.split("+")]
    painted = [paint(pair, weights, size=192, recipe=name) for name in ("johnson", "crowson")]
    return side_by_side([*given, *painted], 256)


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
    painted = nst.style_transfer(photo, styles, weights=weights, size=300, **settings)
    given = [nst.load_image(photo), *(mask.convert("RGB") for mask in masks)]
    return side_by_side([*given, painted], 300)


def compare(weights):
    """The sheet of a comparison, as the command paints it."""
    with tempfile.TemporaryDirectory() as folder:
        pair = map(str, map(find, ("astronaut", "swirling_night")))
        values = "strength=0.3,0.5,0.7", "recipe=neighbors,pyramid"
        nst.main([*pair, f"{folder}/try", "--compare", *values])
        return nst.load_image(f"{folder}/try_compare.png")


SHEETS = {
    ROOT / "img/triptych.jpg": triptych,
    ROOT / "img/colours.jpg": colours,
    ROOT / "docs/compare.jpg": compare,
    ROOT / "docs/strength.jpg": strength,
    ROOT / "docs/recipes.jpg": recipes,
    ROOT / "docs/programs.jpg": programs,
    ROOT / "docs/masks/keep.jpg": keep,
    ROOT / "docs/masks/content.jpg": content,
    ROOT / "docs/masks/style.jpg": style,
}


def main(names):
    weights = nst.load_weights("imagenet")
    for path, make in SHEETS.items():
        if path.stem in names and not path.exists():
            path.parent.mkdir(exist_ok=True)
            make(weights).save(path, quality=88)
    for folder, pairs in (("gallery", GALLERY), ("portraits", PORTRAITS)):
        for pair in pairs if folder in names else ():
            path = ROOT / "docs" / folder / f"{pair.replace('+', '_')}.jpg"
            if not path.exists():
                path.parent.mkdir(exist_ok=True)
                paint(pair, weights).save(path, quality=90)


if __name__ == "__main__":
    main(sys.argv[1:])
