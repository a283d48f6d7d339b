"""Paints the pictures of docs/ and the README.

    pip install scikit-learn
    python docs/contact_sheets.py grid choices colours triptych gallery

The textures that are not in img/ come with scikit-image (public domain and CC0), the temple with
scikit-learn (photo by danielbuechele, CC BY 2.0).
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import skimage.data
from PIL import Image, ImageDraw
from sklearn.datasets import load_sample_image

import neural_style_transfer as nst
from stylize.download import load_weights

ROWS = 200
BASES = {name: ROOT / f"img/{name}.jpg" for name in ("astronaut", "coffee", "rocket", "cat")}
GRID = BASES | {"temple": load_sample_image("china.jpg")}
STYLES = {
    "swirling night": ROOT / "img/swirling_night.jpg",
    "stained glass": ROOT / "img/stained_glass.jpg",
    "hubble": skimage.data.hubble_deep_field(),
    "tissue": skimage.data.immunohistochemistry(),
}
PAIRS = [("astronaut", "swirling night"), ("coffee", "stained glass")]
CHOICES = {
    "the defaults": {},
    "content at block5_conv2, weight 2.5": {
        "content_layers": ["block5_conv2"],
        "content_weight": 2.5,
    },
    "content_weight 0.25": {"content_weight": 0.25},
    "content_weight 0.01": {"content_weight": 0.01},
    "tv_weight 1": {"tv_weight": 1},
    "one size (--scales 1)": {"scales": 1},
    "pixels not bounded, clipped at the end": {"bounded": False},
    "styles weighed as they come": {"style_energy": None},
    "--strength 0.2": {"strength": 0.2},
    "--strength 0.8": {"strength": 0.8},
}


def paint(base, style, weights, size=ROWS, **settings):
    print(base, "+", style, settings, flush=True)
    of_recipe = {name: settings.pop(name) for name in settings.keys() - nst.SETTINGS}
    recipe = nst.RECIPES["pyramid"] | of_recipe
    pictures = GRID[base], STYLES[style]
    return nst.style_transfer(*pictures, recipe=recipe, weights=weights, size=size, **settings)


def side_by_side(images, path, rows):
    """Saves images next to each other, scaled to as many rows."""
    images = [image.resize((image.width * rows // image.height, rows), 3) for image in images]
    result = Image.new("RGB", (sum(i.width for i in images) + 8 * (len(images) - 1), rows), "white")
    x = 0
    for image in images:
        result.paste(image, (x, 0))
        x += image.width + 8
    result.save(path, quality=90)


def sheet(rows, path):
    """Saves rows of (title, pictures) under each other."""
    width = max(sum(image.width for image in images) for _, images in rows)
    result = Image.new("RGB", (width, (ROWS + 14) * len(rows)), "white")
    for row, (title, images) in enumerate(rows):
        ImageDraw.Draw(result).text((2, row * (ROWS + 14) + 1), title, "black")
        x = 0
        for image in images:
            result.paste(image, (x, row * (ROWS + 14) + 14))
            x += image.width
    result.save(path, quality=85)


def main(names):
    weights = load_weights("imagenet")
    if "grid" in names:
        rows = [(style, [paint(base, style, weights) for base in GRID]) for style in STYLES]
        sheet(rows, ROOT / "docs/grid.jpg")
    if "choices" in names:
        rows = [
            (title, [paint(*pair, weights, **settings) for pair in PAIRS])
            for title, settings in CHOICES.items()
        ]
        sheet(rows, ROOT / "docs/choices.jpg")
    if "colours" in names:
        methods = ("none", "luma", "linear", "histogram")
        images = [
            paint("coffee", "swirling night", weights, preserve_colors=method) for method in methods
        ]
        sheet([("none, luma, linear, histogram", images)], ROOT / "img/colours.jpg")
    if "triptych" in names:
        pair = PAIRS[0]
        pictures = [Image.open(path).convert("RGB") for path in (BASES[pair[0]], STYLES[pair[1]])]
        side_by_side([*pictures, paint(*pair, weights, size=400)], ROOT / "img/triptych.jpg", 400)
    if "gallery" in names:
        for base in BASES:
            for style in ("swirling night", "stained glass"):
                name = f"{base}_{style.replace(' ', '_')}.jpg"
                side_by_side(
                    [paint(base, style, weights, size=400)], ROOT / "docs/gallery" / name, 300
                )


if __name__ == "__main__":
    main(sys.argv[1:])
