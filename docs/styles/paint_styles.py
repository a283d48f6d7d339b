"""Paint the project's own style pictures: no photo, no model, only noise, geometry and brushes.

    python paint_styles.py                        paints all of them into the current folder
    python paint_styles.py impasto ink --out img  paints two of them into img/

Every picture comes out the same every time. The prints and the ink are in style_prints.py.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage
from style_brushes import (
    HEIGHT,
    WIDTH,
    gx,
    gy,
    noise,
    oil,
    over,
    pigment,
    ramp,
    relief,
    ridge,
    step,
)
from style_prints import engraving, ink, woodcut


def sunset():
    """A field of lavender and wheat under an evening sky: colours, and where strokes run."""
    rng = np.random.default_rng(11)
    sun_x, sun_y, horizon = 0.82, 0.385, 0.53
    far = np.hypot(gx - sun_x, (gy - sun_y) * 1.15)
    warp = noise(rng, 500, 160)
    scene = ramp(
        np.clip(1.02 - far * 1.05 - 0.1 * warp + 0.25 * (gy - 0.3), 0, 1),
        "14205c 27408f 4b5fb4 8a6bb0 c8697f ee7d3f f9ab3a ffdf73",
    )
    clouds = noise(rng, 420, 70, 1.1) + 0.4 * warp
    lit = step(0.9, 0.1, far)[..., None]
    over(
        scene,
        ramp(0.3, "3a3a86 6f4f94") * (1 - lit) + pigment("e2603a") * lit,
        step(0.5, 1.1, clouds),
    )
    over(scene, pigment("8fb2dd") * (1 - lit) + pigment("ffd98c") * lit, step(1.1, 1.8, clouds))
    over(scene, pigment("fff3b8"), step(0.075, 0.066, far))
    angle = np.arctan2(gy - sun_y, gx - sun_x) + np.pi / 2
    pull = step(0.5, 0.12, far)
    angle = np.arctan2(np.sin(angle) * pull, np.cos(angle) * pull - (1 - pull) * 1.0)
    angle = angle + 0.35 * noise(rng, 420, 260) * (1 - 0.7 * pull)
    for base, tall, colours in (
        (0.5, 0.03, "5a62a8 8f7bb5"),
        (0.535, 0.022, "34508a 6a5a94"),
    ):
        top = base - 0.02 * gx[0] - tall * ridge(rng, 500)
        hill = gy > top
        over(scene, ramp(np.clip((gy - top) * 12, 0, 1), colours), hill)
        slope = np.arctan(np.gradient(ndimage.gaussian_filter1d(top, 20)) * HEIGHT)
        angle = np.where(hill, slope, angle)
    ground = gy > horizon + 0.012 * np.sin(gx * 5)
    depth = np.clip((gy - horizon) / (1 - horizon), 0.002, 1)
    fan = (gx - sun_x) / (depth + 0.06)
    rows = np.sin(fan * 8.5 + 0.25 * noise(rng, 300))
    furrow = ramp(step(-1, 1, rows), "1d2c4e 2f5a3d 6d4f9e 9a6cc4 d99ad0")
    wheat = ramp(step(-1, 1, rows), "7a3b1e c26a1f eda52e ffd55c fff0a0")
    patch = step(-0.3, 0.3, fan + 0.55 + 0.08 * noise(rng, 90))
    field = furrow * (1 - patch[..., None]) + wheat * patch[..., None]
    field *= (0.72 + 0.45 * step(1.0, 0.0, depth))[..., None]
    over(scene, field, ground)
    angle = np.where(
        ground,
        np.arctan2((depth + 0.06) * (1 - horizon), gx - sun_x) + 0.12 * noise(rng, 120),
        angle,
    )
    for x, y, size in (
        (0.47, 0.52, 0.035),
        (0.53, 0.525, 0.025),
        (1.12, 0.535, 0.045),
        (1.19, 0.55, 0.06),
    ):
        blob = np.hypot(gx - x, (gy - y + size * 0.7) * 1.1) - size + 0.004 * noise(rng, 24)
        shade = (gx - x + (gy - y + size)) / size * (1 if x < sun_x else -1)
        over(scene, ramp(step(-0.4, 1.4, shade), "10242b 1f4a3a 5a7a35 d08a35"), blob < 0)
        angle = np.where(blob < 0, np.arctan2(gy - y, gx - x) + 1.3, angle)
    for x, top, wide in ((0.2, 0.06, 0.062), (0.295, 0.27, 0.042)):
        t = (gy - top) / (0.86 - top)
        lean = x + 0.012 * np.sin(t * 9) + 0.02 * t
        body = wide * np.sqrt(np.clip(t, 0, 1)) * (1.25 - 0.7 * t) * 1.5
        edge = np.abs(gx - lean) - body - 0.006 * noise(rng, 26, 70)
        tree = (edge < 0) & (t > 0) & (t < 1 - ((gx - lean) / 0.12) ** 2)
        shadow = np.hypot((gx - lean + 0.1) / 0.16, (gy - 0.855 - 0.25 * (lean - gx)) / 0.035)
        over(scene, pigment("1a1c40"), 0.8 * step(1.1, 0.7, shadow))
        side = (gx - lean) / (body + 0.01) + 0.35 * noise(rng, 20, 90)
        over(scene, ramp(step(-1.2, 1.3, side), "0b1420 0d2430 153d35 2f5f38 b0702c"), tree)
        angle = np.where(tree, -np.pi / 2 + 0.5 * np.sin(t * 22 + side), angle)
    return scene, angle


def impasto():
    """Thick oil: three brushes over a dark ground, then light raking over the ridges of paint."""
    rng = np.random.default_rng(1)
    picture, height = oil(*sunset(), rng, (30, 18, 10))
    height = ndimage.gaussian_filter(height, 1.0)
    light = relief(height, 0.42)
    shine = np.clip(light - 1.12, 0, 1) ** 1.5
    return picture * np.clip(light, 0.55, 1.25)[..., None] + 0.7 * shine[..., None]


def watercolour():
    """Misty hills, a lake and autumn trees in transparent washes on rough paper."""
    rng = np.random.default_rng(5)
    paper = noise(rng, 9, power=1.0)
    flow, mottle, wobble = noise(rng, 260), noise(rng, 70, power=1.3), noise(rng, 60, power=1.2)
    density = np.zeros((HEIGHT, WIDTH, 3), np.float32)

    def wash(mask, colours, strength, blend=0.5, rim=0.6, ragged=0.0):
        """Let one wash dry: pigment floats to its rim, sinks in the pits of the paper, blooms."""
        mask = mask + ragged * paper > 0
        inside = ndimage.distance_transform_edt(mask)
        outer = rim * (np.exp(-inside / 3) + 0.35 * np.exp(-inside / 16))
        body = strength * (0.8 + 0.22 * flow + 0.14 * mottle)
        load = np.clip(body * (1 - 0.16 * paper) + strength * outer, 0, None) * (inside > 0)
        soft = ndimage.gaussian_filter(load, 0.8)[..., None]
        hue = np.clip(blend + 0.22 * mottle - 0.2 * flow, 0, 1)
        density[...] += soft * -np.log(np.clip(ramp(hue, colours), 0.03, 1))

    cloud = noise(rng, 330, 120, 1.4) + 0.25 * wobble
    sky = step(0.46, 0.0, gy)
    wash(cloud + 1.5 * (0.3 - gy) - 0.15, "7fb2dc 5a8fd0 8e9bd6", 0.75 * sky, rim=0.25)
    glow = 0.5 * np.exp(-(((gy - 0.4) / 0.1) ** 2)) * step(-1.2, 1.2, cloud + 0.5 * flow)
    wash(glow, "f7d98a f5b886 ee9a94", glow * 1.2, rim=0.0)
    shore = 0.6
    for base, tall, size, colours, strength in (
        (0.40, 0.060, 420, "a9b7dd 8fa5d4 b6a4cf", 0.55),
        (0.47, 0.045, 330, "7f9cc4 6f92b4 9a8dbb", 0.7),
        (0.535, 0.030, 260, "6f9a8e 4f8577 7f9c6a", 0.85),
    ):
        top = base - tall * ridge(rng, size) - 0.004 * ridge(rng, 40)
        mist = step(shore + 0.02, top + 0.01, gy) ** 0.7
        hill = np.minimum(gy - top, shore - gy + 0.003 * wobble)
        wash(hill, colours, strength * (0.25 + 0.75 * mist), rim=0.5)
        mirror = np.minimum(2 * shore - gy - top, gy - shore - 0.012)
        ripples = noise(rng, 240, 9, 1.2)
        wash(mirror - 0.02 * np.maximum(ripples, 0), colours, strength * 0.5, rim=0.2)
    lake = np.minimum(gy - shore - 0.015, 1.2 - gy) - 0.06 * np.maximum(
        noise(rng, 300, 14) - 0.4, 0
    )
    wash(lake, "9cc3df 7aaad0 86b7c4", 0.5 * step(0.58, 0.95, gy) + 0.12, rim=0.2)
    bank = gy - 0.86 - 0.09 * step(0.25, 1.1, gx) + 0.012 * ridge(rng, 260) + 0.004 * wobble
    wash(bank, "d9b24a b58a35 7d8a3c 5d7a44", 1.0, ragged=0.0015)
    wash(bank - 0.05 - 0.02 * wobble, "6b6a2f 8a4f2a 3d5a4a", 0.7, rim=0.3, ragged=0.003)
    trunks = np.full((HEIGHT, WIDTH), -1.0, np.float32)
    for x, lean, wide in ((0.17, 0.05, 0.014), (0.21, -0.07, 0.009), (0.085, -0.03, 0.008)):
        bend = x + lean * (0.95 - gy) ** 2 * 3 + 0.004 * np.sin(gy * 30 + x * 90)
        trunks = np.maximum(
            trunks, np.minimum(wide * 1.7 * (gy - 0.3) - np.abs(gx - bend), 0.93 - gy)
        )
    wash(trunks, "4a3a36 6d4a3a 3a3f52", 1.3, ragged=0.0005)
    for x, y, size, colours, strength in (
        (0.15, 0.30, 0.17, "f5cf4e eeb03c e58a34", 0.75),
        (0.27, 0.38, 0.11, "f0b13c e0703a d9553f", 0.75),
        (0.06, 0.44, 0.12, "dcb83f a9a83e e29a3a", 0.75),
        (0.11, 0.36, 0.12, "d2522f b83a35 c97a30", 0.8),
        (0.22, 0.31, 0.09, "b03a3a 8a3248 c05a2c", 0.75),
        (0.06, 0.50, 0.07, "5f7038 7a4a34 44604a", 0.8),
        (1.17, 0.82, 0.07, "e0b040 d98a3a c5552f", 0.8),
        (1.23, 0.86, 0.06, "b8432f a03a30 8a4a30", 0.7),
    ):
        leaves = noise(rng, 38, power=1.0) + 0.5 * noise(rng, 110)
        wash(
            1.15 - (np.hypot(gx - x, (gy - y) * 1.15) / size) ** 1.5 + 0.55 * leaves,
            colours,
            strength,
        )
    grass = np.full((HEIGHT, WIDTH), -1.0, np.float32)
    for _ in range(70):
        x, tall = rng.uniform(-0.02, 1.27), rng.uniform(0.03, 0.13)
        reach = np.clip((0.99 - gy) / tall, 0, 1)
        blade = 0.0035 * (1 - reach) - np.abs(gx - x - rng.normal(0, 0.03) * reach**2)
        grass = np.maximum(grass, np.where(gy > 0.99 - tall, blade, -1))
    wash(grass, "4d5a2c 6b4a2a 2f4a4a", 0.9)
    drops = noise(rng, 7, power=1.4) + 0.5 * noise(rng, 300) - 3.9 - 2 * step(0.3, 0.5, gx)
    wash(drops, "d2522f eeb03c 7d8a3c", 0.8)
    return np.exp(-density) * pigment("fbf8ef") * (1 + 0.035 * (relief(paper, 0.35) - 1))[..., None]


def river():
    """A park by the water on a summer afternoon: the scene of the dots."""
    rng = np.random.default_rng(21)
    leaf, soft, drift = noise(rng, 34, power=1.1), noise(rng, 160), noise(rng, 300, 50, 1.2)
    scene = ramp(step(0.0, 0.36, gy + 0.02 * soft), "5f94d6 86b3e4 b9d3ea f6e6c4 fbd9a6")
    over(scene, pigment("fff4dd"), 0.85 * step(0.3, 1.5, drift + 0.4 * soft) * step(0.34, 0.2, gy))
    far = 0.335 + 0.012 * ridge(rng, 200) - 0.03 * gx[0]
    over(scene, ramp(np.clip((gy - far) * 12 + 0.1 * leaf, 0, 1), "7f9ccf 6f93a8 86a860"), gy > far)
    water = gy > 0.4 - 0.02 * gx
    wave = noise(rng, 130, 9, 1.1)
    glow = np.exp(-(((gx - 0.62) / (0.1 + 0.4 * (gy - 0.38))) ** 2))
    over(scene, ramp(step(0.38, 0.8, gy + 0.03 * wave), "c8dcea 7fb0dc 4a83c8 35609f"), water)
    over(scene, pigment("ffe9b0"), 0.75 * glow * step(-0.6, 1.0, wave) * water)
    for x, y, size in ((0.73, 0.47, 0.1), (0.5, 0.435, 0.055), (0.95, 0.425, 0.045)):
        u, v = (gx - x) / size, (y - gy) / size
        sail = (
            (v > 0.12)
            & (v < 1.5)
            & (u < 0.45 * (1.5 - v))
            & (u > -0.28 * (1.5 - v))
            & (np.abs(u) > 0.02)
        )
        over(scene, ramp(step(-0.3, 0.6, u), "fffbe8 ffe2b0 e8a878"), sail)
        over(scene, pigment("8a3a3a"), (np.abs(v) < 0.09) & (np.abs(u) < 0.5 + 0.6 * v))
        over(
            scene,
            pigment("fff0cc"),
            0.6 * (np.abs(u - 0.05 * wave) < 0.3) * step(-1.3, -0.1, v) * (v < -0.1),
        )
    bank = 0.66 - 0.17 * gx[0] ** 2 + 0.012 * ridge(rng, 260)
    sun = gy - bank - 0.12 * noise(rng, 340, 70, 1.2)
    over(scene, ramp(step(-0.15, 0.4, sun), "f2e27a b9cc4e 74a845 3f7d48 24564a"), gy > bank)
    shade = step(0.0, 0.5, noise(rng, 260, 60) - 0.5 + 2 * step(0.82, 1, gy))
    over(scene, ramp(step(-1, 1, leaf), "1d3f55 27574f 3a4f80"), 0.8 * shade * (gy > bank + 0.01))
    for x, foot, top, wide in (
        (0.13, 0.86, 0.16, 0.33),
        (1.13, 0.62, 0.2, 0.17),
        (0.99, 0.56, 0.27, 0.1),
    ):
        stem = np.abs(gx - x - 0.03 * np.sin(gy * 9)) < 0.06 * wide * (
            1 + 2 * step(foot - 0.1, foot, gy)
        )
        side = (gx - x) / wide
        over(
            scene,
            ramp(step(-0.06, 0.06, side), "3a2a4a 7a4a3a e09a5a"),
            stem & (gy > top) & (gy < foot),
        )
        cast = (
            np.hypot((gx - x + 0.4 * wide) / wide, (gy - foot - 0.02) / (0.14 * wide)) + 0.1 * leaf
        )
        over(scene, pigment("24406a"), 0.75 * step(1.1, 0.8, cast) * (gy > bank))
        crown = np.hypot(side, (gy - top - 0.3 * wide) / wide * 1.25) + 0.13 * leaf + 0.1 * soft
        light = 0.5 + 0.55 * side - 0.7 * (gy - top - 0.3 * wide) / wide + 0.22 * leaf + 0.1 * soft
        over(scene, ramp(np.clip(light, 0, 1), "1c2f5c 1f5a50 4f8f3a a8bf3c f3dc6a"), crown < 0.8)
    for x, foot, tall, dress in (
        (0.47, 0.83, 0.2, "c23a4a"),
        (0.56, 0.82, 0.18, "3a3f86"),
        (0.83, 0.68, 0.1, "e8b8c8"),
        (0.89, 0.68, 0.1, "34426a"),
    ):
        u, v = (gx - x) / tall, (foot - gy) / tall
        skirt = np.where(v < 0.5, 0.2 - 0.24 * v, 0.1) * (v < 0.8)
        body = (v > 0) & (np.abs(u) < skirt)
        over(scene, pigment("22386a"), 0.8 * step(1, 0.6, np.hypot((u + 0.4) / 0.55, v / 0.07)))
        over(scene, pigment(dress) * (1 + 1.6 * u[..., None]), body)
        over(scene, pigment("e8b088"), np.hypot(u, v - 0.87) < 0.07)
        over(scene, pigment("f4e0a0"), (np.abs(v - 0.93) < 0.025) & (np.abs(u) < 0.11))
        if dress in ("c23a4a", "e8b8c8"):
            dome = np.hypot(u - 0.05, (v - 0.95) * 1.2) < 0.32
            over(scene, ramp(step(-0.3, 0.35, u), "8a4a9a f0904a ffe08a"), dome & (v > 0.98))
    return np.clip(scene, 0, 1)


def pointillism():
    """Dots of nearly pure colour, mixed by the eye: each hue strays, and shadows turn blue."""
    rng = np.random.default_rng(2)
    scene = river()
    picture = scene * 0.45 + pigment("d8c8a8") * 0.4 + 0.03 * noise(rng, 4)[..., None]
    height = 0.3 * noise(rng, 5)
    palette = ramp(
        np.linspace(0, 1, 12),
        "e8452e f08a24 f9c62e cfd23a 6fae3c 2f8f6a 2f86b8 2f58ae 5a3f9c 9a4a9a d8557a e8452e",
    )
    tints = np.concatenate(
        [palette, palette * 0.5 + 0.5, palette * 0.5, [[0.98, 0.95, 0.86], [0.1, 0.1, 0.24]]]
    )
    for radius, gap, spread in ((8.5, 11, 0.3), (7, 12.5, 0.55), (5.5, 13, 0.7)):
        y, x = np.mgrid[0:HEIGHT:gap, 0:WIDTH:gap].reshape(2, -1)
        order = rng.permutation(len(x))
        y, x = (c[order] + rng.uniform(-gap, gap, len(c)) * 0.55 for c in (y, x))
        row, column = (np.clip(c, 0, m - 1).astype(int) for c, m in ((y, HEIGHT), (x, WIDTH)))
        wanted = scene[row, column] + rng.normal(0, 0.05, (len(x), 3))
        misfit = np.linalg.norm(wanted[:, None] - tints, axis=2) + rng.gumbel(
            0, 0.085, (len(x), len(tints))
        )
        dots = wanted * (1 - spread) + tints[misfit.argmin(1)] * spread * 1.05
        for i in range(len(x)):
            r = radius * rng.uniform(0.7, 1.2)
            top, left = max(row[i] - 12, 0), max(column[i] - 12, 0)
            box = np.s_[top : row[i] + 13, left : column[i] + 13]
            dy, dx = gy[box] * HEIGHT - y[i], gx[box] * HEIGHT - x[i]
            turn, flat = rng.uniform(0, np.pi), rng.uniform(0.75, 1)
            u, v = dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)
            d = np.sqrt(u * u + (v / flat) ** 2) / r
            mask = d < 1
            picture[box][mask] = dots[i]
            height[box][mask] = (1.2 - 0.9 * d**3)[mask]
    light = relief(ndimage.gaussian_filter(height, 1.2), 0.5)
    return picture * np.clip(light, 0.75, 1.15)[..., None]


def dark_cubism():
    """A guitar, a bottle and a table broken into dark planes of ochre, green and brown."""
    rng = np.random.default_rng(16)
    turns = np.radians([-58, -24, 8, 34, 66, 92])
    cloth = noise(rng, 8, 110, 1.2, (2200, 2200))
    crop = np.s_[460 : 460 + HEIGHT, 300 : 300 + WIDTH]
    strokes = [
        ndimage.rotate(cloth, 90 - np.degrees(turn), reshape=False, order=1)[crop] for turn in turns
    ]
    soft, dab, region = noise(rng, 150), noise(rng, 26, power=1.1), noise(rng, 420)
    guitar = np.minimum(np.hypot(gx - 0.5, gy - 0.68) - 0.2, np.hypot(gx - 0.63, gy - 0.45) - 0.145)
    hole = np.hypot(gx - 0.565, gy - 0.565)
    up, off = (gx - 0.5) * 0.49 - (gy - 0.68) * 0.87, (gx - 0.5) * 0.87 + (gy - 0.68) * 0.49
    neck = np.maximum(np.abs(off) - 0.034, np.abs(up - 0.5) - 0.22)
    flask = np.abs(gx - 0.95) - 0.032 - 0.055 * step(0.36, 0.46, gy)
    flask = np.maximum(flask, np.abs(gy - 0.5) - 0.3)
    vignette = step(0.35, 0.8, np.hypot((gx - 0.64) * 0.9, gy - 0.52))
    tone = 0.27 + 0.3 * (guitar < 0) + 0.2 * (neck < 0) + 0.12 * (flask < 0) - 0.2 * vignette
    black = pigment("120e0c")
    scene = ramp(
        np.clip(tone + 0.08 * soft + 0.05 * strokes[1], 0, 1), "17120f 4a3620 94713a d9bd83"
    )
    height = 0.4 * strokes[1]
    schemes = (
        "17110e 432d1a 85602c bf9347 e6cd92 f6ecd0",
        "11140f 2c3727 53633f 8f9460 c8c494 f1ead2",
        "131418 2e343b 5d656a 959689 cbc5ae f4eddc",
        "1c100b 512617 924a24 c47f3a e9ba6c f8e6b8",
    )

    def draw(line, width):
        """Draw in charcoal where `line` is near 0; what is painted later covers some of it."""
        near = step(width, 0.4 * width, np.abs(line) + 0.0006 * dab)
        over(scene, black, 0.9 * near * step(-2.2, -0.6, dab + soft))

    for i, size in enumerate(np.geomspace(0.42, 0.05, 330)):
        x, y = rng.normal(0.62, 0.33), rng.normal(0.5, 0.28)
        row, column = int(np.clip(y, 0, 0.999) * HEIGHT), int(np.clip(x, 0, 1.249) * HEIGHT)
        reach = int(1.6 * size * HEIGHT)
        box = np.s_[max(row - reach, 0) : row + reach, max(column - reach, 0) : column + reach]
        k = rng.integers(len(turns))
        turn, streak = turns[k] + rng.normal(0, 0.03), strokes[k][box]
        u = ((gx[box] - x) * np.cos(turn) + (gy[box] - y) * np.sin(turn)) / size
        v = ((gy[box] - y) * np.cos(turn) - (gx[box] - x) * np.sin(turn)) / size
        v = v * rng.uniform(1, 2.2) + u * rng.choice([-0.5, 0, 0.5])
        mask, kind = (np.abs(u) < 1) & (np.abs(v) < 1), rng.random()
        mask &= (u + v < 0.4) if kind < 0.4 else (u * u + v * v < 1) if kind < 0.5 else True
        light = tone[row, column] + rng.normal(0, 0.19) - 0.36 * u + 0.02 * streak + 0.03 * dab[box]
        scheme = schemes[int(abs(0.9 * region[row, column] + rng.normal(0, 0.75))) % 4]
        fade = np.clip(step(1.0, -0.1, u + 0.12 * streak + 0.1 * dab[box]), 0, 1) * mask
        colours = ramp(np.clip(light, 0, 1), scheme)
        second = ramp(np.clip(light + 0.08, 0, 1), schemes[rng.integers(4)])
        over(colours, second, 0.7 * step(0.0, 1.6, streak + 1.2 * dab[box]))
        over(scene[box], colours, fade)
        height[box] += (0.4 * streak + 0.5 - height[box]) * fade
        edge = step(0.007, 0.002, np.abs(u + 0.99) * size)
        edge = edge + 0.6 * step(0.005, 0, (1 - np.abs(v)) * size) * (u < 0.2)
        over(scene[box], black, np.clip(0.85 * edge * mask * step(-2, 0.3, dab[box]), 0, 1))
        if i in (110, 180, 240, 300):
            shift = rng.normal(0, 0.014)
            draw(guitar + shift, 0.005)
            draw(hole - 0.052 + shift, 0.005)
            draw(flask + shift, 0.004)
            draw(neck + shift, 0.004)
            over(scene, black, 0.9 * ((hole < 0.045 + shift) & (off > shift * 2)))
            strings = np.where(np.abs(off) < 0.034, (off + shift) % 0.014 - 0.007, 1)
            draw(np.where(np.abs(up - 0.28) < 0.46, strings, 1), 0.0024)
    light = relief(ndimage.gaussian_filter(height, 0.8) + 0.1 * noise(rng, 6, power=1.0), 0.5)
    return scene * np.clip(light, 0.7, 1.2)[..., None]


PICTURES = (impasto, watercolour, engraving, pointillism, woodcut, ink, dark_cubism)


def main():
    """Paint the pictures that were asked for."""
    names = {painter.__name__: painter for painter in PICTURES}
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(names)}")
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the pictures")
    args = parser.parse_args()
    unknown = set(args.names) - set(names)
    if unknown:
        parser.error(f"no such picture: {', '.join(sorted(unknown))}")
    args.out.mkdir(parents=True, exist_ok=True)
    for name in args.names or names:
        began = time.perf_counter()
        pixels = (np.clip(names[name](), 0, 1) * 255 + 0.5).astype(np.uint8)
        small = Image.fromarray(pixels).resize((WIDTH // 2, HEIGHT // 2), Image.Resampling.LANCZOS)
        path = args.out / f"{name}.jpg"
        small.save(path, quality=90, optimize=True)
        seconds = time.perf_counter() - began
        print(f"{path}: {path.stat().st_size // 1000} kB in {seconds:.0f} s")


if __name__ == "__main__":
    main()
