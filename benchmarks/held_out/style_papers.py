"""The held-out styles of flat colour on paper: cut paper, and a comic's halftone print."""

import numpy as np
from scipy import ndimage
from style_brushes import HEIGHT, WIDTH, bezier, gx, gy, noise, over, pigment, step
from style_shapes import edge, limbs, polygon, soften, table, turned


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
