"""Paint eight style pictures that were never used for tuning: no photo, only noise and geometry.

    python paint_styles.py                            paints all of them into the current folder
    python paint_styles.py mosaic batik --out styles  paints two of them into styles/

Every picture comes out the same every time. The brushes are those of docs/styles.
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs" / "styles"))

import numpy as np
import style_brushes as sb
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.spatial import cKDTree
from style_brushes import HEIGHT, WIDTH, bezier, gx, gy, noise, over, pigment, ramp, relief, step

edge = np.minimum(np.minimum(gx, 1.25 - gx), np.minimum(gy, 1 - gy))  # how far from the border


def table(text):
    """Rows of numbers and hex colours ("aa0000+bb0000" for several), parted by semicolons."""
    return [
        [float(w) if "." in w or len(w) < 6 else w.replace("+", " ") for w in row.split()]
        for row in text.split(";")
    ]


def turned(x, y, turn, size=1.0):
    """Coordinates around x, y along and across the direction `turn`, in units of `size`."""
    c, s = np.cos(turn) / size, np.sin(turn) / size
    return (gx - x) * c + (gy - y) * s, (gy - y) * c - (gx - x) * s


def limbs(*strokes):
    """A mask of round-ended strokes: control points, and radius at the start and at the end."""
    image = Image.new("L", (WIDTH, HEIGHT))
    draw = ImageDraw.Draw(image)
    for points, first, last in strokes:
        for (x, y), r in zip(bezier(points, 90), np.linspace(first, last, 90), strict=True):
            draw.ellipse([c * HEIGHT for c in (x - r, y - r, x + r, y + r)], fill=1)
    return np.asarray(image) > 0


def polygon(points):
    """A mask of the area within straight edges between points in picture heights."""
    image = Image.new("L", (WIDTH, HEIGHT))
    ImageDraw.Draw(image).polygon([(x * HEIGHT, y * HEIGHT) for x, y in points], fill=1)
    return np.asarray(image) > 0


def soften(mask, blur):
    """A mask as numbers from 0 to 1, blurred."""
    return ndimage.gaussian_filter(mask.astype(np.float32), blur)


def bounds(mask, margin):
    """The box around a mask, with a margin."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return np.s_[
        max(rows[0] - margin, 0) : rows[-1] + margin,
        max(columns[0] - margin, 0) : columns[-1] + margin,
    ]


def pixels(x, y):
    """Rows and columns of places in pixels, kept within the picture."""
    return np.clip(y, 0, HEIGHT - 1).astype(int), np.clip(x, 0, WIDTH - 1).astype(int)


def rub(picture, scene, angle, rng, tooth, half, length, gap, pressure, jitter=0.0, glaze=False):
    """Rub sticks of the scene's colours over paper: they mark the peaks of its `tooth`.

    `pressure` (a map) says how much, from 0 to 1, and where; pigments that glaze let those below
    shine through. A stroke ends where the scene leaves its colour.
    """
    tile = sb.bristles(rng, 3)
    y, x = np.mgrid[0:HEIGHT:gap, 0:WIDTH:gap].reshape(2, -1)
    y, x = rng.permutation(np.stack([y, x], 1) + rng.uniform(-gap, gap, (len(x), 2)) * 0.6).T
    keep = pressure[pixels(x, y)] > rng.uniform(0.03, 0.5, len(x))
    for path in sb.trace(angle, x[keep], y[keep], length, 1.0):
        colours = scene[pixels(*path.T)]
        strays = np.abs(colours - colours[0]).sum(-1) > 0.3
        path = path[: strays.argmax() if strays.any() else len(path)]
        path = path[: int(len(path) * rng.uniform(0.5, 1))]
        if len(path) < 8:
            continue
        rows, columns, t, across, bristle = sb.sweep(path, half * rng.uniform(0.6, 1.1), tile, rng)
        press = pressure[rows, columns] * (1 - 0.25 * across**4 - 0.3 * (2 * t - 1) ** 4)
        load = step(-0.5, 0.5, tooth[rows, columns] + 0.5 * bristle + 3.2 * press - 1.7)
        load = (load * (press > 0.02) * (0.4 + 0.7 * press if glaze else 1))[:, None]
        tint = np.clip(colours[0] + rng.normal(0, jitter, 3) + rng.normal(0, jitter), 0.02, 1)
        under = picture[rows, columns]
        picture[rows, columns] = under + ((under * tint**0.8 if glaze else tint) - under) * load


def fish(x, y, size, turn, side, hues):
    """Masks and colours of a fish that looks along `turn`: fins, tail, body, head, eye."""
    u, v = turned(x, y, turn, size)
    v = (v + 0.25 * u * u - 0.04) * side
    t = 0.5 - u
    wide = 0.5 * np.clip(t, 0, 1) ** 0.6 * np.clip(1 - t, 0, 1) ** 0.85 + 0.025
    body, fork = (np.abs(v) < wide) & (np.abs(u) < 0.5), (t - 0.95) / 0.33
    tail = (np.abs(v) < 0.03 + 0.24 * fork) & (fork > 0) & (fork < 0.55 + 1.7 * np.abs(v)) & ~body
    sail = 0.11 * np.sin(np.pi * np.clip((t - 0.2) / 0.7, 0, 1)) ** 0.6
    back = (v < 0) & (-v < wide + sail) & (t > 0.2) & (t < 0.9) & ~body
    belly = (v > 0) & (v < wide + 0.3 * (t - 0.5) * (t < 0.72)) & (t > 0.5) & ~body
    row = np.round(t / 0.055)
    scales = np.abs((v / 0.055 + 0.5 * row) % 1 - 0.5) + 2 * np.abs(t / 0.055 - row)
    flank = ramp(np.clip(v / wide / 2 + 0.5 + 0.13 * (scales - 0.8), 0, 1), hues)
    over(flank, pigment("c9452c"), (np.abs(v + 0.02) < 0.016) * 0.9)
    over(flank, pigment("a8402c"), np.abs(t - 0.235 + 2 * v * v) < 0.016)
    rays = ramp(np.abs(np.sin(40 * np.arctan2(v, 1.15 - t))), "a02c1c e8862c f6d070")
    head, eye = body & (t < 0.24 - 2 * v * v), np.hypot(u - 0.36, v + 0.025)
    parts = (back, rays), (belly, rays), (tail, rays), (body & ~head, flank), (head, flank)
    return (*parts, (eye < 0.042, pigment("f3ecd8")), (eye < 0.02, pigment("15171c")))


def sea():
    """Three fish, weeds and shells within a guilloche: colours, and the areas of one kind each."""
    rng = np.random.default_rng(31)
    wave = 0.018 * np.sin(gx * 11 + 3 * gy) + 0.014 * noise(rng, 320, 120)
    scene = ramp(np.clip(gy + 4 * wave, 0, 1), "f2e8cc e6e2c8 bcd8c8 74b8b4 36889c 1c4f78")
    crest = np.abs((gy + wave) % 0.15 - 0.075 - 0.02 * np.abs(np.sin(gx * 30)))
    over(scene, ramp(gy, "5f9a9c 2f6f86 173f5e"), crest < 0.01)
    area = np.ones((HEIGHT, WIDTH), int)

    def part(mask, colours):
        area[mask] = area.max() + 1
        over(scene, colours, mask)

    for x, top in table("0.17 0.5; 0.23 0.62; 0.98 0.6; 1.06 0.52; 0.58 0.72"):
        lean = rng.choice([-0.1, 0.1])
        blade = limbs(([(x, 0.9), (x + lean, 0.8), (x - lean, 0.7), (x, top)], 0.019, 0.006))
        part(blade, ramp(np.abs(np.sin(gy * 40 + x)), "204a24 5a8a2c b8c850"))
    for x, y, r in table("0.36 0.85 0.05; 0.8 0.84 0.06; 0.47 0.87 0.035"):
        u, v = turned(x, y, 0, r)
        fan = np.abs(np.sin(7 * np.arctan2(v, u)))
        part((np.hypot(u, v) < 1) & (v < 0.5), ramp(fan, "8a3a2a d98a6a f3dcc0"))
    for place in table(
        "0.62 0.4 0.62 0.16 1 14264f+1f6a9c+6fb5b8+f0d890+f8f0dc;"
        "0.83 0.68 0.4 3.26 -1 7a2018+c9482a+eea040+f6dc90+f8f0dc;"
        "0.34 0.66 0.34 -0.2 1 2c4024+6a8f3a+b8c060+f0dc90+f8f0dc"
    ):
        for mask, colours in fish(*place):
            part(mask, colours)
    for x, y in table("1.02 0.2; 0.22 0.2; 1.0 0.33"):
        for r, hue in table("0.035 1f4a66; 0.022 d8e6da; 0.009 c9452c"):
            part(np.hypot(gx - x, gy - y) < r, pigment(hue))
    for reach, hue in table("0.135 efe6d0; 0.12 a8321f; 0.108 1d2026"):
        part(edge < reach, pigment(hue))
    along = np.where((edge == gx) | (edge == 1.25 - gx), gy, gx) * 8 * np.pi
    for phase, on_top in ((0, True), (np.pi, True), (0, np.cos(along) > 0)):
        strand = (edge - 0.06 - 0.026 * np.sin(along + phase)) / 0.0165
        over(scene, pigment("1d2026"), (np.abs(strand) < 1.5) & on_top)
        hues = "b8341f b8341f eba050 eba050 f8ecd0" if phase else "24587c 24587c 6fa5b0 f8ecd0"
        over(scene, ramp(np.clip(strand / 2 + 0.5, 0, 1), hues), (np.abs(strand) < 1) & on_top)
    part(edge < 0.015, pigment("efe6d0"))
    return scene, area


def mosaic():
    """Roman tesserae in rows that follow the fish, set by hand in worn lime mortar."""
    rng = np.random.default_rng(32)
    scene, area = sea()
    borders = ndimage.maximum_filter(area, 3) != ndimage.minimum_filter(area, 3)
    run = ndimage.distance_transform_edt(~borders).astype(np.float32)
    far = (area == 1) & (run > 45)
    area[far] = 0
    run[far] = ((gy + 0.018 * np.sin(gx * 11 + 3 * gy)) * HEIGHT)[far]
    fall_y, fall_x = np.gradient(ndimage.gaussian_filter(run, 2.5))
    stones, colours = np.zeros((HEIGHT, WIDTH), int), [pigment("a89c86")]

    def lay(x, y, turn, long, tall, least):
        """Set one stone, cut to the space that is left, if that is enough of it."""
        row, column = int(y), int(x)
        box = np.s_[max(row - 15, 0) : row + 16, max(column - 15, 0) : column + 16]
        dx, dy = gx[box] * HEIGHT - x, gy[box] * HEIGHT - y
        u, v = dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)
        cell = (np.abs(u) < long / 2) & (np.abs(v) < tall / 2) & (stones[box] == 0)
        cell &= area[box] == area[row, column]
        if cell.sum() > least * long * tall:
            stones[box][cell] = len(colours)
            shade = rng.normal(0, 0.055) + rng.normal(0, 0.025, 3)
            colours.append(scene[box][cell].mean(0) * rng.normal(1.06, 0.06) + shade)

    for label in np.unique(area):
        tall = 14 if label < 2 else 10.5
        near = (area == label) & (np.abs((run / tall) % 1 - 0.5) * tall < 0.8)
        for row, column in np.argwhere(near):
            x, y, level = float(column), float(row), np.floor(run[row, column] / tall) + 0.5
            while 0 <= x < WIDTH and 0 <= y < HEIGHT:
                at = int(y), int(x)
                if stones[at] or area[at] != label:
                    break
                fx, fy = fall_x[at], fall_y[at]
                off = np.clip((run[at] - level * tall) / (fx * fx + fy * fy + 0.02), -3, 3)
                x, y, turn = x - off * fx, y - off * fy, np.arctan2(-fx, fy)
                long = tall * rng.uniform(0.85, 1.25)
                lay(x, y, turn + rng.normal(0, 0.05), long, tall, 0.35)
                x, y = x + long * np.cos(turn), y + long * np.sin(turn)
    holes = ndimage.distance_transform_edt(stones == 0)
    spots = np.argwhere(holes > 2.5)
    for row, column in spots[np.argsort(-holes[tuple(spots.T)], kind="stable")]:
        if not stones[row, column]:
            lay(column, row, rng.uniform(0, np.pi), 12, 12, 0.1)
    stones = stones[tuple(ndimage.distance_transform_edt(stones == 0, return_indices=True)[1])]
    joint = ndimage.maximum_filter(stones, 3) != ndimage.minimum_filter(stones, 3)
    speck, chip, cloud = noise(rng, 4, power=1.0), noise(rng, 9, power=1.2), noise(rng, 420)
    top = step(0.4, 2.0, ndimage.distance_transform_edt(~joint) + 0.35 * chip)
    tilt = rng.normal(0, 0.03, (2, len(colours)))[:, stones] * (gx * HEIGHT, gy * HEIGHT)
    height = 1.8 * top + 0.08 * speck + 0.15 * chip + tilt.sum(0)
    picture = ramp(np.clip(0.5 + 0.2 * chip + 0.15 * cloud, 0, 1), "6d6252 9c917c b8ad96")
    over(picture, np.array(colours)[stones] * (1 + 0.05 * speck + 0.04 * chip)[..., None], top)
    light = np.where(joint, 0.85, relief(ndimage.gaussian_filter(height, 0.7), 0.22))
    return picture * (np.clip(light, 0.6, 1.25) * (1 + 0.035 * cloud))[..., None]


def harbour():
    """Houses on a quay and fishing boats at sunset: colours, and where the strokes run."""
    rng = np.random.default_rng(41)
    cloud, soft, ripple = noise(rng, 380, 70, 1.3), noise(rng, 120), noise(rng, 130, 10, 1.1)
    far = np.hypot(gx - 0.28, (gy - 0.4) * 1.3)
    hues = "3f68ac 7a84c8 c888b4 f28f78 fbb75c fee79c"
    scene = ramp(np.clip(1.05 - 1.1 * far + 0.05 * soft, 0, 1), hues)
    over(scene, ramp(np.clip(1 - far, 0, 1), "5c4a90 b8608c f89858"), step(0.4, 1.3, cloud) * 0.9)
    over(scene, pigment("fff4c8"), step(0.06, 0.05, far))
    hills = 0.47 - 0.05 * sb.ridge(rng, 420)
    over(scene, ramp(gx / 1.25, "9878ac 5f70b0 48589c"), gy > hills)
    x, quay = 0.42, 0.56
    walls = ["ecc47c", "e08850", "ece0c0", "d0604c", "7fa4bc", "dc9898", "ecb440", "a8c098"]
    while x < 1.3:
        wide, top = rng.uniform(0.075, 0.13), rng.uniform(0.24, 0.37)
        wall = rng.choice(walls)
        u = (gx - x) / wide
        house = (u > 0) & (u < 1) & (gy < quay) & (gy > top)
        over(scene, pigment(wall) * (1.1 - 0.4 * u + 0.05 * soft)[..., None], house)
        roof = gy - top + rng.uniform(0.04, 0.09) * (1 - np.abs(2 * u - 1))
        tiles = ramp(
            np.clip(u, 0, 1), rng.choice(["dc6840 7c2f38", "a04a64 40305c", "cc8448 5c3a44"])
        )
        over(scene, tiles, (np.abs(u - 0.5) < 0.54) & (gy < top + 0.008) & (roof > 0))
        over(scene, pigment("6c3438"), (np.abs(u - 0.78) < 0.07) & (np.abs(gy - top + 0.05) < 0.03))
        rows, columns = (gy - top - 0.025) / 0.07, (u - 0.08) * 3.4
        pane = (np.abs(rows % 1 - 0.45) < 0.3) & (np.abs(columns % 1 - 0.45) < 0.2)
        pane &= house & (columns > 0) & (columns < 2.9) & (rows > 0) & (gy < quay - 0.03)
        glow = (np.floor(rows) + np.floor(columns)) * 7 % 5 < 1
        over(scene, np.where(glow[..., None], pigment("ffd76c"), pigment("28305c")), pane)
        x += wide
    water = gy > quay + 0.035
    mirror = scene[pixels(gx * HEIGHT + 6 * ripple, (2 * quay + 0.07 - gy) * HEIGHT + 5 * ripple)]
    deep = step(0.55, 1.05, gy + 0.02 * ripple)[..., None]
    over(scene, mirror * (0.85 - 0.35 * deep) + pigment("143f68") * 0.4 * deep, water)
    over(scene, pigment("ffe0a0"), 0.6 * (np.abs(gx - 0.28) < 0.14) * (ripple > 0.5) * water)
    over(scene, ramp(gx, "8a6a5a c49a7a 6a5568"), (gy > quay) & ~water & (gx > 0.36))
    boats = "0.62 0.66 0.15 2f6f8c 1; 1.0 0.72 0.2 c8382c -1; 0.3 0.83 0.3 1f5848 1"
    for x, y, size, hull, flip in table(boats):
        for side, dim in ((-1, 0.5), (1, 1.0)):
            u = (gx - x + (side < 0) * 0.006 * ripple) / size * flip
            v, bow = (y - gy) / size * side, u * np.abs(u)
            body = (v > -0.02) & (v < 0.2 + 0.24 * bow) & (np.abs(u) < 0.42 + 0.5 * v)
            over(scene, ramp(step(0.5, -0.5, u), f"{hull} f0c090") * dim, body)
            over(scene, pigment("f3e6cc") * dim, body & (v > 0.16 + 0.2 * bow))
            cabin = (np.abs(u + 0.15) < 0.12) & (v > 0.2) & (v < 0.38)
            over(scene, pigment("f0dca8") * dim, cabin)
            over(scene, pigment("28305c"), cabin & (np.abs(v - 0.31) < 0.035) & (side > 0))
            mast = (np.abs(u - 0.12) < 0.017) & (v > 0.1) & (v < 0.8 + 0.2 * side)
            over(scene, pigment("3c2438") * dim, mast)
            sail = (u < 0.1) & (u > 0.1 - 0.5 * (0.95 - v)) & (v > 0.45) & (v < 0.95) & (side > 0)
            over(scene, ramp(step(-0.3, 0.1, u), "f4d09c cc5830"), sail & (flip > 0))
    return np.clip(scene, 0, 1), np.where(water, 0.12 * ripple, 2.25 + 0.3 * soft)


def pastel():
    """Soft chalks over toned paper: broad sides first, then points; the paper's tooth shows."""
    rng = np.random.default_rng(42)
    scene, angle = harbour()
    tooth = 0.8 * noise(rng, 5, power=1.0) + 0.5 * noise(rng, 30, 3, 1.0)
    picture = pigment("6d5f6c") * (1 + 0.03 * noise(rng, 12, power=0.8))[..., None]
    within = step(0.0, 0.035, edge)
    strong = within * (0.52 + 0.07 * noise(rng, 200))
    rub(picture, scene * 0.93, angle, rng, tooth, 17, 80, 19, strong * 0.95, 0.05)
    picture = 0.55 * ndimage.gaussian_filter(picture, (3, 3, 0)) + 0.45 * picture
    rub(picture, scene, angle, rng, tooth, 9, 70, 13, strong, 0.06)
    detail = np.abs(ndimage.gaussian_filter(scene, (5, 5, 0)) - scene).sum(-1)
    fine = np.clip(5 * ndimage.gaussian_filter(detail, 3), 0, 0.66) * within
    rub(picture, scene * 1.03, angle, rng, tooth, 4.5, 46, 6, fine, 0.05)
    return picture * (1 + 0.03 * (relief(tooth, 0.4) - 1))[..., None]


def alga(rng, x, y, turn, size, fingers):
    """A leaf as if cut with long scissors: a bent stem with round fingers on both sides."""

    def spot(along, across):
        c, s = np.cos(turn) * size, np.sin(turn) * size
        return x + along * c - across * s, y + along * s + across * c

    bend = rng.uniform(-0.15, 0.15)
    strokes = [([spot(-0.5, 0), spot(0, bend), spot(0.5, 0)], 0.035 * size, 0.03 * size)]
    for i, t in enumerate(np.linspace(-0.42, 0.5, int(fingers))):
        reach = (-1) ** i * (0.42 - 0.5 * t * t) * 0.9 * rng.uniform(0.8, 1.15)
        root = spot(t, bend * (1 - 4 * t * t) / 2)
        thick = size * rng.uniform(0.03, 0.038)
        strokes.append(
            ([root, spot(t + 0.02, reach * 0.6), spot(t + 0.16, reach)], thick, thick * 1.25)
        )
    return soften(limbs(*strokes), 0.012 * size * HEIGHT) > 0.45


def cut_paper():
    """Leaves, stars and a bird cut from papers painted with gouache, pasted on coloured panels."""
    rng = np.random.default_rng(51)
    streaks = [noise(rng, 14, 260, 1.0), noise(rng, 260, 14, 1.0)]
    mottle, fibre, wobble = noise(rng, 90, power=1.2), noise(rng, 4, power=0.8), noise(rng, 45)
    picture = pigment("f1e9d6") * (1 + 0.015 * fibre)[..., None]

    def paste(mask, hue, lift=6):
        """Lay a piece of paper down: its shadow, its brushed colour, its bright cut edge."""
        for blur, dark in ((lift * 0.35, 0.35), (lift * 1.4, 0.3)):
            shade = ndimage.shift(soften(mask, blur), (lift, lift * 2 / 3), order=1)
            picture[...] *= (1 - dark * shade * ~mask)[..., None]
        brushed, shift = streaks[rng.integers(2)], rng.integers(-200, 200)
        tone = 0.032 * np.roll(brushed, shift, (0, 1)) + 0.045 * np.roll(mottle, shift, 1)
        paint = pigment(hue) * (1 + tone + 0.025 * fibre)[..., None]
        over(paint, pigment("fbf4e4"), 0.12 * step(1.7, 3.0, brushed + 0.6 * fibre))
        over(picture, paint, soften(mask, 0.7))
        slope = np.gradient(soften(mask, 1.2))
        cut = np.clip(0.9 * slope[0] + 0.7 * slope[1], -0.3, 0.35) * mask
        picture[...] += 0.55 * cut[..., None]

    for x, y, wide, tall, hue in table(
        "0.02 0.02 0.3 0.46 1f4fa8; 0.32 0.02 0.28 0.33 f2b41f; 0.6 0.02 0.37 0.46 e5487a;"
        "0.97 0.02 0.26 0.33 1a8f5a; 0.02 0.48 0.3 0.5 e8552a; 0.32 0.35 0.28 0.63 9fcbe0;"
        "0.6 0.48 0.37 0.5 22242c; 0.97 0.35 0.26 0.63 6a3f98; 0.36 0.06 0.09 0.25 d62f2a;"
        "0.66 0.74 0.25 0.2 f2d21f; 1.01 0.7 0.18 0.24 f08a24; 0.06 0.07 0.22 0.14 7fc4c8"
    ):
        corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) * (wide, tall) + (x, y)
        paste(polygon(corners + rng.normal(0, 0.004, (4, 2))), hue)
    for *place, hue in table(
        "0.17 0.29 -1.7 0.34 13 f7f1e2;0.16 0.73 -1.3 0.44 13 14386f;0.47 0.19 -0.5 0.27 11 f7f1e2"
        ";0.46 0.77 -1.6 0.4 13 1a7f4a;0.79 0.23 -1.1 0.42 13 f9d33c;0.72 0.64 -2.2 0.3 11 f7f1e2"
        ";0.88 0.82 -0.7 0.27 11 d62f2a;1.1 0.18 -1.9 0.28 11 f3a6b8;1.1 0.54 -1.4 0.34 13 f2b41f"
        ";0.62 0.47 0.1 0.26 11 1fa0a8; 0.33 0.5 -0.9 0.22 9 e5487a; 0.98 0.36 0.3 0.2 9 f7f1e2"
    ):
        paste(alga(rng, *place), hue, 8)
    for x, y, r, points, hue in table(
        "0.405 0.13 0.05 9 1f4fa8; 0.68 0.1 0.05 7 6a3f98; 0.86 0.56 0.06 11 e8552a;"
        "1.1 0.83 0.07 8 1f4fa8; 0.27 0.9 0.04 6 f2d21f; 0.4 0.44 0.05 0 d62f2a;"
        "0.27 0.06 0.035 0 f2b41f; 0.58 0.93 0.045 7 e5487a"
    ):
        u, v = turned(x, y, 0.3, r)
        rays = np.cos(points * np.arctan2(v, u)) if points else 0
        paste(np.hypot(u, v * 1.08) < 0.85 + 0.28 * rays + 0.02 * wobble, hue)
    bird = limbs(
        ([(0.53, 0.5), (0.62, 0.56), (0.72, 0.52)], 0.022, 0.012),
        ([(0.6, 0.54), (0.55, 0.4), (0.66, 0.33)], 0.02, 0.004),
        ([(0.63, 0.54), (0.66, 0.44), (0.76, 0.4)], 0.018, 0.003),
        ([(0.53, 0.5), (0.48, 0.5), (0.45, 0.55)], 0.018, 0.004),
    )
    paste(soften(bird, 7) > 0.45, "fdf8ec", 9)
    return picture * (1 + 0.02 * mottle)[..., None]


def cracks(rng, gap, width):
    """How much dye ran into broken wax: 1 in the cracks between about `gap` pixels large pieces."""
    bend = [noise(rng, size) * size * 0.12 for size in (160, 160, 40, 40)]
    spots = np.mgrid[-60 : WIDTH + 60 : gap, -60 : HEIGHT + 60 : gap].reshape(2, -1).T
    spots = spots + rng.uniform(-0.45, 0.45, spots.shape) * gap
    at = np.stack([gx * HEIGHT + bend[0] + bend[2], gy * HEIGHT + bend[1] + bend[3]], -1)
    near = cKDTree(spots).query(at[::2, ::2], 2)[0]
    gulf = ndimage.zoom((near[..., 1] - near[..., 0]).astype(np.float32), 2, order=1)
    reach = width * (0.9 + 0.4 * noise(rng, 130)).clip(0, 1.6)
    return step(1, 0.25, gulf / np.clip(reach, 0.3, None)) * step(0, 0.6, reach)


def batik():
    """Hand-drawn wax on cotton, dyed light blue, brown and indigo: flowers, birds, crackle."""
    rng = np.random.default_rng(61)
    x, y = gx + 0.0035 * noise(rng, 110), gy + 0.0035 * noise(rng, 110)
    dye = np.full((HEIGHT, WIDTH), 3)  # 0 cream, 1 light blue, 2 brown, 3 indigo
    odd = np.floor(x / 0.3125) % 2
    u = ((x % 0.3125) - 0.15625) * (1 - 2 * odd)
    v = (y + 0.2 * odd + 0.03) % 0.4 - 0.2

    def around(a, b, turn=0.0):
        c, s = np.cos(turn), np.sin(turn)
        return (u - a) * c + (v - b) * s, (v - b) * c - (u - a) * s

    def draw(shape, hue, line=0.0045, inner=1.0):
        """Fill where `shape` (a distance) is below 0, with a waxed outline and an inner line."""
        dye[shape < line] = 0
        dye[shape < 0] = hue
        dye[np.abs(shape + inner) < 0.0016] = 0

    def flower(a, b, r, petals, hue, heart):
        p, q = around(a, b)
        far, turn = np.hypot(p, q), np.arctan2(q, p)
        lobes = r * (0.78 + 0.22 * np.abs(np.cos(petals * turn / 2)) ** 0.7)
        draw(far - lobes, hue, inner=0.006)
        dye[
            (np.abs(np.sin(petals * turn * 2)) < 0.14) & (far < lobes - 0.012) & (far > 0.4 * r)
        ] = 0
        draw(far - 0.36 * r, heart)
        dye[(np.abs(far - 0.2 * r) < 0.0035) & (np.cos(9 * turn) > 0)] = 0

    def leaf(a, b, turn, size, hue):
        p, q = around(a, b, turn)
        t = np.clip(p / size, 0, 1)
        wide = 0.3 * size * np.sin(np.pi * t**0.75) * (1 + 0.12 * np.cos(38 * t))
        draw(np.where((p > 0) & (p < size), np.abs(q) - wide, 1), hue, 0.004)
        ribs = np.abs((p - 1.2 * np.abs(q)) % 0.011 - 0.0055) < 0.0014
        dye[(np.abs(q) < wide - 0.003) & (t > 0) & (t < 1) & (ribs | (np.abs(q) < 0.0016))] = 0

    dots = np.hypot((x % 0.016) - 0.008, ((y + 0.008 * (x // 0.016 % 2)) % 0.016) - 0.008)
    dye[dots < 0.0026] = 0
    for a, b, coil, way in table("-0.06 0.12 0.05 1; 0.1 -0.02 0.045 -1; -0.1 -0.13 0.04 1"):
        p, q = around(a, b)
        far = np.hypot(p, q) + 1e-4
        spiral = np.abs((far / coil * 3 - np.arctan2(q, p * way) / (2 * np.pi)) % 1 - 0.5)
        dye[far < coil * 1.2] = np.where(spiral < 0.1, 2, np.where(spiral < 0.22, 0, 3))[
            far < coil * 1.2
        ]
    for place in table(
        "0.02 0.05 0.2 0.1 2; 0.02 0.06 1.3 0.11 1; -0.03 0.05 2.6 0.1 2; 0.03 -0.06 -0.5 0.11 1;"
        "-0.03 -0.03 3.5 0.1 1; 0.0 -0.09 -1.9 0.09 2; 0.09 0.12 0.9 0.07 1; -0.1 0.0 1.9 0.07 2"
    ):
        leaf(*place)
    for place in table("0.0 0.0 0.075 8 2 1; 0.105 0.105 0.036 6 1 2; -0.1 0.07 0.03 5 1 2"):
        flower(*place)
    for place in table("-0.04 -0.14 2.25 0.1 1; -0.04 -0.14 2.6 0.115 2; -0.04 -0.14 2.95 0.105 1"):
        leaf(*place)  # the tail of a bird
    p, q = around(-0.04, -0.14, -0.35)
    draw(np.hypot(p / 1.7, q + 6 * p * p) - 0.024, 2, inner=0.006)
    draw(np.hypot(p - 0.042, q + 0.024) - 0.014, 1)
    dye[np.hypot(p - 0.045, q + 0.026) < 0.003] = 0
    draw(np.maximum(np.abs(q + 0.02) - 0.3 * (0.078 - p), 0.054 - p), 2, 0.003)
    leaf(-0.03, -0.145, -2.2, 0.075, 1)
    side = np.minimum(y, 1 - y)
    deep, p = side / 0.135, x % 0.03 - 0.015
    tumpal = np.abs((x + 0.01) % 0.0625 / 0.0625 - 0.5) * 2 - 1 + (deep - 0.3) / 0.62
    dye[deep < 1] = 2
    for low, hue in ((0.0, 0), (-0.16, 3), (-0.42, 0), (-0.55, 1), (-0.8, 0)):
        dye[(tumpal < low) & (deep < 1)] = hue
    dye[((deep > 0.93) & (deep < 1)) | (deep < 0.3)] = 0
    dye[deep < 0.24] = 3
    dye[np.hypot(np.abs(p) - 0.0075, side - 0.016) < 0.0065] = 0

    fine = cracks(rng, 40, 2.5) * step(-0.8, 0.6, noise(rng, 300))
    broken = np.maximum(cracks(rng, 90, 3.2), 0.85 * fine)
    soft, weave, slub = noise(rng, 260), noise(rng, 3, 14, 1.0), noise(rng, 90, 4, 1.0)
    bleed, ink = noise(rng, 26), np.zeros((HEIGHT, WIDTH, 3), np.float32)
    cream, blue, brown, indigo = (soften(dye == i, 1.3) for i in range(4))
    for layer, wax, hue, crackle in (
        (blue + indigo, cream + brown, "7fb0cc", 0.5),
        (brown + 0.2 * indigo, cream + blue, "a85f24", 0.55),
        (indigo, 1 - indigo, "35489a", 0.75),
    ):
        load = layer * (0.93 + 0.1 * soft + 0.06 * bleed + 0.07 * slub + 0.06 * weave)
        load = load + wax * (crackle * broken + 0.05 * step(0.5, 2, bleed + 0.5 * soft))
        ink += ndimage.gaussian_filter(load, 0.6)[..., None] * -np.log(pigment(hue))
    cloth = pigment("f3e6c6") * (1 + 0.03 * weave + 0.025 * slub + 0.02 * soft)[..., None]
    thread = 1 + 0.05 * np.sin(gx * HEIGHT * 1.9 + 0.6 * slub) * np.sin(gy * HEIGHT * 1.9)
    return cloth * np.exp(-ink) * thread[..., None]


def charcoal():
    """A house among bare trees: smudged tones, then hard black lines and an eraser's lights."""
    rng = np.random.default_rng(71)
    tooth, tile = 0.8 * noise(rng, 4, power=1.0) + 0.5 * noise(rng, 24, 4, 1.0), sb.bristles(rng, 4)
    cloud, soft, tuft = noise(rng, 420, 150, 1.4), noise(rng, 120), noise(rng, 60, 24, 1.2)
    dark = 0.26 + 0.15 * cloud * step(0.6, 0.1, gy) + 0.16 * step(0.3, 0, gy)
    for base, tall, tone in ((0.56, 0.035, 0.33), (0.6, 0.02, 0.5)):
        top = base - tall * sb.ridge(rng, 300) - 0.008 * sb.ridge(rng, 40)
        dark = np.where(gy > top, tone - 0.8 * (gy - top) + 0.04 * soft, dark)
    land = gy > 0.66 - 0.03 * np.cos(gx * 4)
    dark = np.where(land, 0.36 + 0.5 * (gy - 0.66) + 0.09 * tuft + 0.06 * soft, dark)
    bend = 0.66 + 0.1 * np.sin((gy - 0.66) * 7) + 0.1 * (gy - 0.7)
    path = np.abs(gx - bend) < 0.012 + 0.3 * np.clip(gy - 0.665, 0, 1) ** 1.2
    dark = np.where(path & land, 0.1 + 0.05 * tuft, dark)
    faces = table(  # walls, roofs, chimney, door, windows, and the shadow: tone and corners
        "0.2 0.5 0.46 0.76 0.46 0.76 0.69 0.5 0.69;"
        "0.55 0.76 0.46 0.83 0.36 0.93 0.46 0.93 0.68 0.76 0.69;"
        "0.7 0.47 0.475 0.56 0.31 0.83 0.33 0.755 0.475;"
        "0.9 0.83 0.33 0.95 0.475 0.925 0.48 0.825 0.35;"
        "0.6 0.6 0.25 0.645 0.25 0.645 0.34 0.6 0.33; 0.95 0.62 0.55 0.67 0.55 0.67 0.69 0.62 0.69;"
        "0.9 0.54 0.52 0.58 0.52 0.58 0.58 0.54 0.58; 0.9 0.7 0.52 0.74 0.52 0.74 0.58 0.7 0.58;"
        "0.95 0.825 0.53 0.87 0.525 0.87 0.59 0.825 0.6; 0.75 0.93 0.69 0.76 0.7 0.9 0.78 1.2 0.76"
    )
    faces = [(tone, np.reshape(corners, (-1, 2))) for tone, *corners in faces]
    for tone, corners in faces:
        dark = np.where(polygon(corners), tone + 0.05 * tuft, dark)
    for x, y, wide in ((0.17, 0.9, 0.3), (1.12, 0.82, 0.2)):
        dark += 0.4 * step(1, 0.2, np.hypot((gx - x - 0.08) / wide, (gy - y) / 0.05))
    page = pigment("efe9dd") * (1 + 0.012 * noise(rng, 5, power=0.8))[..., None]
    picture, black = page.copy(), np.broadcast_to(pigment("1b1a1a"), page.shape)
    tone, slant = np.clip(dark, 0, 1), np.where(land, 0.1, 2.2) + 0.25 * soft
    rub(picture, black, slant, rng, tooth, 15, 110, 17, tone * 0.8)
    picture = ndimage.gaussian_filter(picture, (9, 6, 0)) * 0.78 + 0.22 * picture
    picture *= (1 - 0.4 * ndimage.gaussian_filter(tone, 3))[..., None]
    rub(picture, black, slant + 0.2, rng, tooth, 6, 90, 12, np.clip(tone - 0.1, 0, 1) * 0.5)

    def line(points, first, last, load=1.0, hue="151414"):
        """One line of the stick, thick at `first` and thin at `last`, broken by the tooth."""
        length = np.hypot(*np.diff(np.array(points), axis=0).T).sum() * HEIGHT
        run = bezier(points, int(np.clip(length / 0.7, 6, 1000))) * HEIGHT
        swell = 1 + 0.25 * np.sin(np.linspace(0, rng.uniform(4, 14), len(run)))
        half = np.linspace(first, last, len(run)) * HEIGHT * swell
        rows, columns, _, across, bristle = sb.sweep(run, half, tile, rng)
        grip = tooth[rows, columns] + 0.6 * bristle + 2.6 * load - 1.2 - 0.9 * across**4
        ink = step(-0.5, 0.5, grip)[:, None] * 0.93
        picture[rows, columns] += (pigment(hue) - picture[rows, columns]) * ink

    def branch(x, y, turn, length, half):
        """A branch and, smaller, those that grow from it."""
        x2, y2 = x + length * np.cos(turn), y + length * np.sin(turn)
        bow = rng.normal(0, 0.1 * length, 2)
        line([(x, y), ((x + x2) / 2 + bow[0], (y + y2) / 2 + bow[1]), (x2, y2)], half, half * 0.68)
        for _ in range(rng.integers(2, 4) if half > 0.0007 else 0):
            off = rng.choice([-1, 1]) * rng.uniform(0.2, 0.75) - 0.12 * np.cos(turn)
            branch(x2, y2, turn + off, length * rng.uniform(0.66, 0.86), half * 0.62)

    for _, corners in faces[:-1]:
        for a, b in zip(corners, np.roll(corners, -1, 0), strict=True):
            beyond = rng.uniform(0, 0.03, 2)[:, None] * (b - a)
            line([a - beyond[0], b + beyond[1]], 0.0026, 0.0016, 0.85)
    for x, t in rng.uniform((0.5, 0), (0.8, 1), (60, 2)):
        x, y = x + 0.03 - 0.06 * t, 0.33 + 0.13 * t
        line([(x, y), (x + 0.02, y + 0.002), (x + 0.05, y)], 0.0014, 0.001, 0.7)
    for x, y, turn, length, half in table(
        "0.17 0.92 -1.62 0.24 0.026; 1.13 0.83 -1.5 0.2 0.018;"
        "0.4 0.68 -1.6 0.09 0.006; 0.98 0.67 -1.5 0.1 0.007"
    ):
        for k in np.arange(-2, 3) * half:
            root = (x + 1.3 * k, y + 0.5 * half)
            line([root, (x + 0.5 * k, y - half), (x, y - 4.5 * half)], 0.25 * half, 0.45 * half)
        branch(x, y, turn, length, half)
    for i in range(15):
        x, y = 0.02 + 0.045 * i, 0.8 - 0.0009 * i * i
        line([(x, y + 0.06), (x + 0.004, y - 0.035 + 0.01 * rng.random())], 0.004, 0.003)
        line([(x - 0.03, y), (x + 0.02, y - 0.004)], 0.0022, 0.0022, 0.8)
    for x, t in rng.uniform((0, 0), (1.25, 1), (420, 2)):
        y = 0.7 + 0.3 * t**0.7
        tall = 0.07 * (y - 0.62) * rng.uniform(0.5, 1.6)
        tip = (x + rng.normal(0, 0.5) * tall, y - tall)
        hue = rng.choice(["171616", "171616", "171616", "e9e3d6"])
        line([(x, y), (x, y - tall / 2), tip], 0.0018, 0.0008, 0.7, hue)
    over(picture, page, step(0.022, 0.012, edge + 0.004 * soft + 0.003 * tooth))
    return picture


def fruit():
    """Pears, an apple, a lemon, grapes and a jug on a striped cloth."""
    rng = np.random.default_rng(81)
    soft, mottle = noise(rng, 160), noise(rng, 30, power=1.2)
    back = np.clip(0.3 + 0.6 * gy + 0.06 * soft - 0.3 * gx, 0, 1)
    scene = ramp(back, "7fb4f0 7f98e4 a878d8 ec7fb0")
    table_top = gy > 0.62 + 0.02 * np.sin(gx * 3)
    fold = 0.5 + 0.5 * np.sin(gx * 9 + gy * 5 + 0.5 * soft)
    over(scene, ramp(fold, "b0b4dc f0dcd8 fbf7ee"), table_top)
    u = (gx - 0.62) / (0.5 + gy) * 10 + 0.2 * fold
    stripe = (np.abs(u % 1 - 0.5) < 0.13) | (np.abs(u % 1 - 0.75) < 0.03)
    over(scene, ramp(fold, "1f48a4 3f78d0 6aa8e8"), table_top & stripe)

    def solid(mask, hues, bulge, spots=0.05):
        """A body with light from the upper left, its highlight, and the shadow it casts."""
        box = bounds(mask, 190)
        part, mask = scene[box], mask[box]
        shade = soften(np.roll(mask, (int(bulge * 0.4), int(bulge)), (0, 1)), 16)
        over(part, part * pigment("5a52a8"), shade * (gy[box] > 0.6) * ~mask)
        deep = np.minimum(ndimage.distance_transform_edt(mask), bulge) / bulge
        dome = ndimage.gaussian_filter(np.sqrt(1 - (1 - deep) ** 2), 7) * bulge
        dy, dx = np.gradient(dome)
        light = (0.55 * dx + 0.62 * dy + 0.62) / np.sqrt(dx * dx + dy * dy + 1)
        over(part, ramp(light + spots * mottle[box], hues), mask)
        over(part, pigment(hues[:6]), 0.8 * (np.abs(soften(mask, 2.5) - 0.5) < 0.34))
        over(part, pigment("fffdf2"), 0.85 * step(0.955, 0.99, light) * mask)

    handle = (np.abs(np.hypot((gx - 0.47) * 1.1, gy - 0.37) - 0.1) < 0.018) & (gx > 0.44)
    solid(handle, "0c3448 0f7080 48b8b0 c8ece0", 22)
    jug = limbs(
        ([(0.36, 0.58), (0.36, 0.5)], 0.13, 0.125), ([(0.36, 0.5), (0.36, 0.2)], 0.12, 0.05)
    )
    lip = np.hypot((gx - 0.355) / 0.085, (gy - 0.17) / 0.03)
    solid(jug & (gy > 0.17) | (lip < 1), "0c2f48 0c6078 1f9c98 7cd8c4 e8f8ec", 150)
    over(scene, pigment("0c3048"), lip < 0.8)
    zigzag = np.abs(gy - 0.44 - 0.01 * np.sin(gx * 90)) < 0.012
    over(scene, ramp(gx, "f8d040 f09018"), jug & zigzag)
    for (*low, x, y, r), hues in (
        ((0.63, 0.65, 0.645, 0.4, 0.12), "5a6410 98a818 d8cc30 f4e468 fbf4b8"),
        ((0.86, 0.72, 0.76, 0.56, 0.1), "982c14 e0642c f8a838 fce068 fbf4b8"),
    ):
        pear = limbs(([low, low], r, r), ([low, (x, y)], 0.06, 0.042))
        solid(soften(pear, 24) > 0.45, hues, 100)
        solid(
            limbs(([(x, y - 0.03), (x, y - 0.06), (x + 0.03, y - 0.1)], 0.007, 0.01)),
            "2c1810 6a4024",
            9,
        )
    apple = np.hypot(gx - 0.5, (gy - 0.76) * 1.06) < 0.105
    solid(apple, "64081c b81424 e4302c f8783c fbd890", 130)
    lemon = limbs(
        ([(0.24, 0.84), (0.37, 0.86)], 0.065, 0.065), ([(0.2, 0.835), (0.41, 0.865)], 0.022, 0.018)
    )
    solid(lemon, "b07808 e8b008 fce028 fdf08a fffbd8", 66)
    for row, k in np.argwhere(np.tri(5)[::-1]):
        x, y = 1.0 + 0.052 * (k - 2 + row / 2), 0.64 + 0.043 * row
        spot = np.hypot(gx - x - rng.normal(0, 0.006), gy - y - rng.normal(0, 0.006))
        solid(spot < 0.031, "24084c 54209c 8048c0 b888d8 e8d8f0", 40)
    for x, y, turn, size in table("0.53 0.66 -0.5 0.09; 1.03 0.6 -2.6 0.14; 1.02 0.6 0.1 0.13"):
        u, v = turned(x, y, turn, size)
        leaf = (u > 0) & (u < 1) & (np.abs(v) < 0.32 * np.sin(np.pi * np.clip(u, 0, 1) ** 0.8))
        solid(leaf, "0c3c20 1c702c 50a430 a8d464", 26)
    return np.clip(scene, 0.02, 1)


def coloured_pencil():
    """Ten pencils, each hatched in directions of its own as densely as the scene needs it."""
    rng = np.random.default_rng(82)
    scene = ndimage.gaussian_filter(fruit(), (2, 2, 0))[::4, ::4].reshape(-1, 3)
    tooth = 0.33 * noise(rng, 4, power=1.0) + 0.2 * noise(rng, 14, power=1.2)
    hues = "fbe23a f59a2a e8412f e86a9c 8a3f9c 3f4fb0 3fa0dc 1f9a94 4f9e3a 2a2a3a"
    pencils = ramp(np.linspace(0, 1, 10), hues)
    ink = -np.log(np.clip(pencils, 0.06, 1))
    share = np.full((len(scene), len(ink)), 0.1)
    for _ in range(60):  # how much of each pencil the colours need
        share *= (-np.log(scene.clip(0.04)) @ ink.T) / (share @ ink @ ink.T + 0.02)
    picture = pigment("fcfaf4") * (1 + 0.01 * tooth)[..., None]
    within, sway = step(0.01, 0.06, edge + 0.01 * noise(rng, 90)), 0.12 * noise(rng, 300)
    for i, pencil in enumerate(pencils):
        load = share[:, i].reshape(HEIGHT // 4, WIDTH // 4).astype(np.float32)
        load = np.clip(ndimage.zoom(load, 4, order=1) * 1.2, 0, 1) * within
        flat = np.broadcast_to(pencil, picture.shape)
        for k, turn in enumerate((-0.9 + 0.43 * i, 0.3 + 0.43 * i)):
            press = 0.92 * np.clip(load - 0.2 * k, 0, 1) ** 0.6
            rub(picture, flat, turn + sway, rng, tooth, 2.9, 110, 13, press, 0.03, glaze=True)
    return picture


def embroidery():
    """A bunch of silk flowers in satin stitch, stem stitch and knots on blue linen."""
    rng = np.random.default_rng(91)
    slub, fine = noise(rng, 120, 5, 1.0) + noise(rng, 5, 120, 1.0), noise(rng, 4, power=1.0)
    warp, weft = np.sin(gx * HEIGHT * 1.05 + 0.4 * slub), np.sin(gy * HEIGHT * 1.05 + 0.3 * slub)
    weave = np.where(warp * weft > 0, np.abs(warp), np.abs(weft)) - 0.6
    tint = np.clip(0.5 + 0.14 * slub + 0.1 * noise(rng, 300), 0, 1)
    picture = ramp(tint, "16324f 22486a 2f5f80") * (1 + 0.22 * weave + 0.04 * fine)[..., None]
    height, tile = 0.5 * weave, sb.bristles(rng, 2)

    def thread(path, half, colour):
        """One stitch: a twisted thread that dives into the cloth at both ends, with its sheen."""
        rows, columns, along, across, fibre = sb.sweep(path, half, tile, rng)
        dx, dy = path[-1] - path[0]
        gleam = 0.78 + 0.34 * np.cos(np.arctan2(dy, dx) - 0.6) ** 2
        arch = np.sin(np.pi * np.clip(along, 0.02, 0.98))
        twist = np.sin(along * len(path) * 0.55 + 2.5 * across)
        shine = gleam * (0.8 + 0.3 * arch**1.5 + 0.07 * twist + 0.05 * fibre - 0.3 * across**4)
        white = np.clip(shine - 1.1, 0, 1)[:, None] * 0.5
        picture[rows, columns] = colour * shine[:, None] + white
        height[rows, columns] = 1.3 * np.sqrt(1 - 0.95 * across**2) + 0.9 * arch + 0.1 * twist

    def satin(mask, angle, hue, hues, length):
        """Fill a mask with stitches along `angle`, in the colours of `hue` along `hues`."""
        box = bounds(mask, 15)
        shade = soften(np.roll(mask[box], (5, 4), (0, 1)), 4)
        picture[box] *= (1 - 0.5 * shade * ~mask[box])[..., None]
        picture[mask] = 0.6 * ramp(hue[mask], hues)
        y, x = gy[box][::8, ::8].ravel() * HEIGHT, gx[box][::8, ::8].ravel() * HEIGHT
        y, x = rng.permutation(np.stack([y, x], 1) + rng.uniform(-4, 4, (len(x), 2))).T
        keep = mask[pixels(x, y)]
        for path in sb.trace(angle, x[keep], y[keep], length, 1.0):
            outside = ~mask[pixels(*path.T)]
            path = path[: outside.argmax() if outside.any() else len(path)]
            path = path[: int(len(path) * rng.uniform(0.75, 1))]
            if len(path) > 9:
                colour = ramp(hue[pixels(*path[len(path) // 2])], hues)
                thread(path, 3.2, colour * rng.normal(1, 0.035) + rng.normal(0, 0.015, 3))

    def leaf(x, y, turn, size, hues):
        u, v = turned(x, y, turn, size)
        v = v - 0.18 * u * (1 - u)
        mask = (u > 0) & (u < 1) & (np.abs(v) < 0.3 * np.sin(np.pi * np.clip(u, 0, 1) ** 0.8))
        for side in (-1, 1):
            angle = np.broadcast_to(turn + side * 0.6, gx.shape)
            satin(mask & (v * side > 0.012), angle, u + v * 1.2, hues, 30)

    def knot(x, y, r, hue):
        around = np.linspace(0, 5.5, 26)
        ring = np.stack([x + r * np.cos(around), y + r * np.sin(around)], 1)
        thread(ring, 2.6, pigment(hue) * rng.uniform(0.7, 1.1))

    def flower(x, y, r, petals, hues, heart):
        """Two rings of petals, each stitched along its own axis, around a heart of knots."""
        for ring, (reach, shift) in enumerate(((1.0, 0.5), (0.72, 0.0))):
            u, v = turned(x, y, rng.uniform(0, 6), reach * r)
            far, turn = np.hypot(u, v), np.arctan2(v, u) * petals / (2 * np.pi) + shift
            off = (turn % 1 - 0.5) * 2 * np.pi / petals
            along, across = far * np.cos(off), np.abs(far * np.sin(off))
            wide = 3.1 / petals * np.sin(np.pi * np.clip(along, 0, 1) ** 1.6 * 0.94) ** 0.7
            mask = (across < wide) & (along > 0.12) & (along < 1)
            axis = np.arctan2(gy - y, gx - x) - off * 0.55
            hue = np.abs(along) ** 1.5 + 0.6 * across - 0.12 * ring - 0.08
            for k in (0, 1):
                satin(mask & (np.floor(turn) % 2 == k), axis, hue, hues, 0.5 * r * HEIGHT)
        for _ in range(int(2500 * r)):
            far, turn = 0.24 * r * np.sqrt(rng.random()) * HEIGHT, rng.uniform(0, 2 * np.pi)
            knot(x * HEIGHT + far * np.cos(turn), y * HEIGHT + far * np.sin(turn), 3.6, heart)

    def stem(points, hue):
        """A row of short slanting stitches that overlap like a rope."""
        path = bezier(points, 1200) * HEIGHT
        run = np.hypot(*np.gradient(path, axis=0).T).cumsum()
        for start in np.arange(0, run[-1] - 30, 7):
            a, b = path[np.searchsorted(run, (start, start + 26))]
            t, side = np.linspace(0, 1, 40)[:, None], np.array([a[1] - b[1], b[0] - a[0]]) * 0.11
            slanted = a * (1 - t) + b * t + side * (1 - 2 * t)
            thread(slanted, 3.2, pigment(hue) * rng.normal(1, 0.07))

    blooms = table(
        "0.2 0.33 0.145 9 4a1250+8a2a90+c85ab8+f0b8e0 f0c030;"
        "1.05 0.35 0.15 8 a83c10+f07810+f8b020+fde478 7a2c1c;"
        "0.43 0.17 0.125 7 1a3a9c+2f78dc+78b8f0+dceefc f8d84a;"
        "0.84 0.17 0.13 10 e8e8a8+fdf6e0+fbfaf2+ffffff e8a01c;"
        "0.26 0.66 0.13 12 e8e8a8+fdf6e0+fbfaf2+ffffff e0901c;"
        "1.0 0.68 0.135 6 2a1a8a+5540d0+8f80f0+d4ccfc f8d84a;"
        "0.63 0.43 0.215 11 6a0820+b8102c+e02f44+f47a7c+fcc8bc f8c83a;"
        "0.48 0.77 0.09 6 c8501c+f0902c+f8d04a+fdf4b8 8a2c1c;"
        "0.8 0.76 0.1 7 9c1450+e03878+f880a8+fde0e8 f8e070"
    )
    green = (
        "0f4a28 1f8038 6ab83c c8e070",
        "12504a 1f8a74 5ac8a0 b8ecc8",
        "4a5410 88981c c0c83c ecec88",
    )
    for x, y, *_ in blooms:
        root = (0.63 + 0.12 * (x - 0.63), 0.97)
        stem([(x, y), (x, 0.8 * y + 0.2), (0.63, 0.75), root], "4f8a3a" if x < 0.7 else "2f7a5a")
    for side in (-1, 1):
        curl = np.array([(0, 0.95), (0.3, 0.9), (0.55, 1.02), (0.58, 0.8)]) * (side, 1) + (0.63, 0)
        stem(curl, "c89a3c")
        for t in (250, 600, 900, 1150):
            turn = side * 0.5 * rng.normal(1, 0.4) - np.pi / 2
            leaf(*bezier(curl, 1200)[t], turn, 0.085, green[t % 3])
    for i, (x, y, r, *_) in enumerate(blooms):
        for k, turn in enumerate(rng.uniform(0, 0.7) + np.arange(5) * 1.26):
            spot = x + 0.75 * r * np.cos(turn), y + 0.75 * r * np.sin(turn)
            leaf(*spot, turn + rng.normal(0, 0.3), rng.uniform(0.095, 0.155), green[(i + k) % 3])
    for bloom in blooms:
        flower(*bloom)
    for x, y in rng.uniform((0.03, 0.03), (1.22, 0.97), (900, 2)) * HEIGHT:
        if height[int(y) - 24 : int(y) + 24, int(x) - 24 : int(x) + 24].max() < 0.6:
            hue = pigment(rng.choice(["f4ecd0", "f0b8c8", "f0c850", "a8d0f0"]))
            for turn in np.arange(15) * 2 * np.pi / 15 + rng.uniform(0, 1):
                reach = np.linspace(5, 19 + 3 * np.cos(5 * turn), 30)[:, None]
                thread(reach * (np.cos(turn), np.sin(turn)) + (x, y), 3, hue * rng.normal(1, 0.06))
            knot(x, y, 3, "e8923c")
    light = relief(ndimage.gaussian_filter(height, 0.7), 0.5)
    return picture * np.clip(light, 0.6, 1.2)[..., None]


def halftone():
    """A rocket leaves a burning city, as a comic prints it: black outlines, dots of three inks."""
    rng = np.random.default_rng(101)
    wobble, rough = noise(rng, 60), noise(rng, 9, power=1.0)
    inks = np.zeros((3, HEIGHT, WIDTH), np.float32)  # cyan, magenta, yellow
    black = np.zeros((HEIGHT, WIDTH), bool)
    pen = np.minimum(0.3 + 0.07 * wobble + 0.03 * rough, 0.43)

    def fill(mask, cyan, magenta, yellow, line=3.0):
        """Colour an area with shares of the inks, cover what was there and draw its outline."""
        for ink, share in zip(inks, (cyan, magenta, yellow), strict=True):
            ink[mask] = np.broadcast_to(share, mask.shape)[mask]
        black[mask] = False
        if line:
            black[np.abs(soften(mask, line) - 0.5) < pen] = True

    def hatch(u, v, mask, count, low, high):
        """Feathered brush lines along u that swell towards `high`, spaced across v."""
        width = np.clip((u - low) / (high - low), 0, 1) * 0.42
        black[mask & (np.abs((v * count + 0.2 * wobble) % 1 - 0.5) < width)] = True

    turn, far = np.arctan2(gy - 0.86, gx - 0.33), np.hypot(gx - 0.33, gy - 0.86)
    ray, night = np.floor(turn / np.pi * 22) % 2, step(0.75, 0.0, gy)
    fill(gy < 2, 0.15 + 0.85 * night, 0.62 * night + 0.12 * ray, 0.3 * ray * (1 - night), 0)
    for x, y in rng.uniform((0.05, 0.05), (1.2, 0.45), (26, 2)):
        star = np.sqrt(np.abs(gx - x)) + np.sqrt(np.abs(gy - y))
        fill(star < rng.uniform(0.09, 0.17), 0, 0, 0, 0)
    u, v = turned(1.02, 0.22, -0.35)
    globe, ring = np.hypot(u, v) < 0.13, np.hypot(u, v * 4.2)
    fill(globe, 0.0, 0.3 + 0.35 * step(-0.1, 0.12, v + 0.3 * u), 1.0)
    fill(globe & (np.abs(v + 0.02 + 0.008 * wobble) < 0.02), 0, 0.9, 1, 0)
    hatch(u + v, turned(1.02, 0.22, 0.5)[1], globe, 60, 0.05, 0.2)
    fill((ring < 0.24) & (ring > 0.165) & ~(globe & (v < 0)), 0.4, 0, 0.15)
    for x, low, high, *share in (
        (-0.04, 0.55, 0.74, 0.75, 0.4, 0),
        (-0.01, 0.66, 0.85, 0.25, 0.75, 0.1),
    ):
        while x < 1.26:
            wide, top = rng.uniform(0.07, 0.14), rng.uniform(low, high) - 0.1 * (x > 0.85)
            front = (gx > x) & (gx < x + wide) & (gy > top)
            fill(front, *share)
            dim = front & (gx > x + wide * 0.68)
            fill(dim, 1, 1, 0.3, 2)
            black[dim & (np.abs((gy * 60 + gx * 30) % 1 - 0.5) < 0.3)] = True
            a, b = (gx - x) / 0.024, (gy - top) / 0.036
            pane = front & ~dim & (np.abs(a % 1 - 0.55) < 0.24) & (np.abs(b % 1 - 0.6) < 0.26)
            lit = (np.floor(a) * 5 + np.floor(b) * 3 + int(x * 90)) % 7 < 4
            fill(pane & lit, 0, 0.05, 1, 0)
            black[pane & ~lit] = True
            black[(np.abs(gx - x - wide * 0.3) < 0.003) & (gy > top - 0.06) & (gy < top)] = True
            x += wide * rng.uniform(0.95, 1.2)
    for reach, points, *share in table("0.36 15 0 1 1; 0.27 13 0 0.45 1; 0.18 11 0 0 1"):
        spike = turn * points / (2 * np.pi) + 0.3 * points
        jag = (1 + 0.18 * np.sin(np.floor(spike) * 2.4)) * (1 - 0.8 * np.abs(spike % 1 - 0.5))
        fill(far < reach * jag, *share, 3.5)
    trail = bezier([(0.3, 0.93), (0.42, 0.84), (0.5, 0.74), (0.66, 0.52)], 28)
    puffs = np.column_stack([trail + rng.normal(0, 0.02, (28, 2)), np.linspace(0.11, 0.04, 28)])
    for x, y, r in puffs:
        black[np.hypot(gx - x, gy - y) < r + 0.005 + 0.001 * wobble] = True
    for x, y, r in puffs:
        shade = step(-0.2, 1.0, ((gx - x) * 0.6 + (gy - y)) / r)
        puff = np.hypot(gx - x, gy - y) < r
        fill(puff, 0.4 * shade, 0.25 * shade, 0.12 * (1 - shade), 0)
    for x, y, r in puffs[::2]:
        u, v = turned(x, y, rng.uniform(0.3, 1.3), r)
        curve = np.abs(np.hypot(u, v) - 0.82) < 0.07 * np.clip(1 - np.abs(v) * 1.6, 0, 1)
        black[curve & (u > 0)] = True
    u, v = turned(0.8, 0.35, -1.0, 0.36)
    t = np.clip(u + 0.5, 0, 1)
    wide = 0.2125 * (1 - t) ** 0.55 * (0.55 + 0.9 * t) + 1e-3
    for line, half in ((3, 0.12), (2, 0.05)):
        tip = half * (1 + (u + 0.42) / (0.16 + 2 * half)) * (1 + 0.1 * wobble)
        flame = (u < -0.42) & (np.abs(v) < tip)
        fill(flame, 0, 0.6 * (line == 3), 1, line)
    for w in (v, -v):
        fin = (w > 0) & (w < 0.29 - 0.1 * u) & (u < -0.05 - 0.75 * w) & (u > -0.38 - 0.55 * w)
        fill(fin, 0, 1, 1)
        black[fin & (v > 0) & (u < -0.25 - 0.5 * w)] = True
    body = (np.abs(v) < wide) & (np.abs(u) < 0.5)
    fill(body, 0.55 * step(0.0, 1.0, v / wide), 0.05, 0.0)
    fill(body & (u > 0.24 - 0.1 * v * v), 0, 1, 0.9)
    fill(body & (np.abs(u + 0.3) < 0.035), 0, 0.1, 1)
    fill(body & (u < -0.42), 0.5, 0.4, 0.1)
    black[body & (v > wide * 0.72)] = True
    hatch(v / wide, u, body & (v > 0), 36, 0.3, 0.8)
    for a, b, r, *share in table(
        "0.08 -0.01 0.085 0 0 1; 0.08 -0.01 0.06 0.9 0.1 0; 0.1 -0.035 0.018 0 0 0"
    ):
        fill(np.hypot(u - a, v - b) < r, *share, 3 * (r > 0.02))
    border = edge + 0.0006 * wobble
    fill(border < 0.03, 0, 0, 0, 0)
    black |= np.abs(border - 0.03) < 0.0045
    worn, patchy = step(1.7, 2.8, noise(rng, 6, power=0.9)), noise(rng, 200)
    page = 1 + 0.02 * noise(rng, 7, power=0.8) + 0.025 * noise(rng, 400)
    page = pigment("f3e8cc") * page[..., None]
    for ink, hue, angle, shift in (
        (inks[2], "fbd91f", 0.0, (1, -2)),
        (inks[1], "e5287c", 1.31, (-2, 2)),
        (inks[0], "12a0dc", 0.26, (2, 1)),
    ):
        u, v = (2 * np.pi / 12.5 * HEIGHT * c for c in turned(0, 0, angle))
        screen = 0.5 - 0.25 * (np.cos(u) + np.cos(v))
        dots = step(-0.1, 0.1, np.roll(ink, shift, (0, 1)) * 1.2 - 0.1 - screen)
        dots = ndimage.gaussian_filter(dots, 0.8) * (
            0.92 - 0.5 * worn + 0.05 * patchy + 0.03 * rough
        )
        page = page * np.exp(dots[..., None] * np.log(pigment(hue)))
    solid = soften(black, 0.9) * (0.94 - 0.35 * worn)
    return page * (1 - solid[..., None] * (1 - pigment("1d1a20")))


PICTURES = (mosaic, pastel, cut_paper, batik, charcoal, coloured_pencil, embroidery, halftone)


def main():
    """Paint the pictures that were asked for."""
    names = {painter.__name__: painter for painter in PICTURES}
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(names)}")
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the pictures")
    parser.add_argument("--width", type=int, default=1000, help="of the pictures, in pixels")
    args = parser.parse_args()
    unknown = set(args.names) - set(names)
    if unknown:
        parser.error(f"no such picture: {', '.join(sorted(unknown))}")
    args.out.mkdir(parents=True, exist_ok=True)
    size = args.width, round(args.width * HEIGHT / WIDTH)
    for name in args.names or names:
        began, worked = time.perf_counter(), time.process_time()
        whole = Image.fromarray((np.clip(names[name](), 0, 1) * 255 + 0.5).astype(np.uint8))
        path = args.out / f"{name}.jpg"
        whole.resize(size, Image.Resampling.LANCZOS).save(path, quality=92)
        seconds, busy = time.perf_counter() - began, time.process_time() - worked
        print(f"{path}: {path.stat().st_size // 1000} kB in {seconds:.0f} s ({busy:.0f} s of CPU)")


if __name__ == "__main__":
    main()
