"""The style pictures in line and ink: an engraving, a colour woodcut and a brush drawing."""

import numpy as np
from scipy import ndimage
from style_brushes import (
    HEIGHT,
    WIDTH,
    bezier,
    bristles,
    gx,
    gy,
    noise,
    over,
    pigment,
    ridge,
    step,
    sweep,
)


def engraving():
    """A copperplate landscape: ruled lines bend with the forms and swell where it is dark."""
    rng = np.random.default_rng(8)
    sun_x, sun_y = 0.93, 0.2
    far = np.hypot(gx - sun_x, gy - sun_y)
    billow = noise(rng, 260, 130, 1.2)
    lines, cross = far * HEIGHT, (gx * 0.5 + gy * 0.87) * HEIGHT
    dark = 0.12 + 0.42 * step(0.06, 0.9, far) + 0.06 * noise(rng, 300, 60)
    dark = np.where(far < 0.062, 0, dark)
    solid = np.abs(far - 0.062) < 0.0012

    def shape(mask, darkness, run, crossing=None, outline=1):
        """Cut a shape out of what lies behind it, with its own tone and direction of line."""
        dark[mask] = (darkness + np.zeros_like(gx))[mask]
        lines[mask] = (run * HEIGHT)[mask]
        cross[mask] = ((gx * 0.6 + gy * 0.8 if crossing is None else crossing) * HEIGHT)[mask]
        solid[mask] = False
        if outline:
            solid[mask & ~ndimage.binary_erosion(mask, iterations=outline, border_value=1)] = True

    def tree(x, y, size, clumps):
        """A trunk, and a crown of clumps that are lit from the sun's side."""
        side = -1 if sun_x < x else 1
        root = np.clip(1 - (y - gy) / (0.5 * size), 0, 1)
        stem = np.abs(gx - x + 0.2 * size * root * (1 - root)) < size * (0.06 + 0.09 * root**3)
        shape(
            stem & (gy > y - size) & (gy < y),
            0.6 - side * (gx - x) / size * 4,
            gy + (gx - x) ** 2 * 6 / size,
        )
        spread = rng.normal(0, 1, (clumps, 2)).clip(-1.7, 1.7) * (0.4 * size, 0.32 * size)
        for dx, dy in spread[np.argsort(spread[:, 1])]:
            cx, cy, r = x + dx, y - 1.35 * size + dy, size * rng.uniform(0.6, 1.1) * clumps**-0.4
            u, v = (gx - cx) / r, (gy - cy) / r
            clump = u * u + v * v < 1 + 0.13 * leaf
            lit = 0.42 - 0.36 * (side * u - v) + 0.05 * leaf
            shape(
                clump,
                lit + 0.1,
                np.hypot(gx - cx - side * r, gy - cy + r) + 0.0007 * leaf,
                outline=2,
            )

    leaf = noise(rng, 30, power=1.3)
    for x, y, size in (
        (0.16, 0.17, 0.05),
        (0.57, 0.1, 0.04),
        (0.5, 0.27, 0.028),
        (1.17, 0.33, 0.035),
    ):
        for dx in np.sort(rng.uniform(-3, 3, 16))[::-1]:
            r = size * (1.15 - 0.25 * abs(dx)) * rng.uniform(0.7, 1.2)
            u, v = (gx - x - dx * size) / r, (gy - y) / r + rng.uniform(0.2, 0.9)
            puff = (u * u + v * v < 1 + 0.08 * leaf) & (y - gy > 0.012 * billow - 0.02)
            shape(
                puff,
                0.1 - 0.22 * u + 0.2 * v,
                np.hypot(gx - x - dx * size - r, gy - y + r),
                outline=2,
            )
    crag = noise(rng, 150, 260, 1.3)
    slant = ndimage.gaussian_filter(np.gradient(crag, axis=1), 3) * 22
    for base, tall, size in ((0.42, 0.085, 420), (0.5, 0.045, 300)):
        top = base - tall * ridge(rng, size, 1.1)
        peak = gy > top
        away = slant > 0.0
        run = np.where(away, gy * 0.8 + gx * 0.6, gy * 0.6 - gx * 0.9) + 0.006 * crag
        haze = step(0.62, 0.35, gy)
        shape(peak, 0.16 + (0.16 + 0.4 * haze) * step(-0.5, 0.7, slant), run, gy + 0.02 * crag)
    lake = gy > 0.575
    ripple = noise(rng, 260, 12, 1.1)
    glitter = np.exp(-(((gx - sun_x) / (0.05 + 0.3 * (gy - 0.55))) ** 2))
    shape(lake, 0.62 - 0.5 * glitter + 0.16 * ripple - 0.3 * (gy - 0.57), gy + 0.0006 * ripple)
    keep_x, keep_y = 0.36, 0.53
    for base, rise, x0, tone in (
        (0.62, 0.13, 0.3, 0.28),
        (0.7, 0.2, -0.05, 0.36),
        (0.74, 0.12, 1.3, 0.42),
    ):
        top = base - rise * np.exp(-(((gx[0] - x0) / 0.28) ** 2)) + 0.004 * ridge(rng, 160, 2)
        top = top + 0.35 * np.clip(np.abs(gx[0] - x0) - 0.33, 0, 1)
        deep = np.clip(gy - top, 0, 1)
        tuft = noise(rng, 120, 40, 1.3)
        fall = np.gradient(ndimage.gaussian_filter1d(top, 40)) * HEIGHT
        run = 0.2 * np.log1p(deep * 7) + 0.02 * gx + 0.0004 * tuft
        shape(
            gy > top, tone - 0.1 + 0.05 * tuft + 0.4 * fall + 0.9 * deep, run, 0.8 * gx - 0.6 * deep
        )
        if x0 == 0.3:
            for x, wide, tall in (
                (keep_x, 0.035, 0.2),
                (keep_x - 0.07, 0.05, 0.11),
                (keep_x + 0.05, 0.022, 0.13),
            ):
                u = (gx - x) / wide
                wall = (np.abs(u) < 1) & (gy < keep_y) & (gy > keep_y - tall)
                round_ = 0.36 - 0.45 * u + 0.06 * noise(rng, 20)
                shape(
                    wall,
                    round_,
                    gy + 0.008 * np.sqrt(np.clip(1 - u * u, 0, 1)),
                    gx * 0.9 + gy * 0.3,
                    2,
                )
                roof = np.clip((keep_y - tall - gy) / (wide * 2.2), -0.1, 2)
                cone = (np.abs(u) < 1.25 * (1 - roof)) & (roof > -0.05)
                shape(cone, 0.6 - 0.4 * u, gx + u * roof * wide, None, 2)
                slit = (np.abs(u + 0.1) < 0.16) & (np.abs(gy - keep_y + tall * 0.7) < 0.014)
                solid[slit] = True
        for _ in range(7):
            x = rng.normal(x0, 0.22)
            y = np.interp(x, gx[0], top) + rng.uniform(0.01, 0.05)
            if abs(x - keep_x) > 0.1:
                tree(x, y, rng.uniform(0.03, 0.05) * (1 if x0 == 0.3 else 1.5), 9)
    near = 0.9 + 0.02 * ridge(rng, 300) - 0.05 * np.cos(gx[0] * 5)
    blades = noise(rng, 16, 90, 1.3)
    shape(
        gy > near,
        0.46 + 0.1 * noise(rng, 120) + 0.08 * blades + gy - near,
        gx + 0.25 * gy + 0.0012 * blades,
    )
    tree(0.14, 0.94, 0.24, 60)
    tree(1.1, 0.96, 0.14, 26)
    swell = 0.06 * noise(rng, 90) + 0.04 * noise(rng, 9)
    plate = solid * 0.95
    for run, period, start, gain in ((lines, 9.5, 0.0, 1.15), (cross, 10, 0.42, 1.2)):
        width = np.clip((dark - start) * gain + swell * (dark > start + 0.03), 0, 0.86)
        saw = np.abs((run / period) % 1 - 0.5) * 2
        plate = np.maximum(plate, step(-0.14, 0.14, width - saw) * step(0.03, 0.1, width))
    plate = ndimage.gaussian_filter(plate, 0.7) * (0.93 + 0.04 * noise(rng, 5))
    fibre = 1 + 0.02 * noise(rng, 30, 6, 1.0) + 0.02 * noise(rng, 500)
    page = pigment("f1e6cd") * fibre[..., None]
    return page + (pigment("1c1714") - page) * np.clip(plate, 0, 1)[..., None]


def woodcut():
    """A breaking wave before a snowy mountain, in indigo, blue and vermilion from carved blocks."""
    rng = np.random.default_rng(4)
    carve, bulge = noise(rng, 26, power=1.2), noise(rng, 200)
    indigo, blue, red = np.zeros((3, HEIGHT, WIDTH), np.float32)

    def cut(mask, dark=0.0, mid=0.0, warm=0.0):
        """Give an area its inks."""
        for block, value in ((indigo, dark), (blue, mid), (red, warm)):
            block[mask] = (value + np.zeros_like(gx))[mask]

    def disc(x, y, r):
        return np.hypot(gx - x, gy - y) < r + 0.0006 * carve

    def outline(mask, width):
        return ndimage.distance_transform_edt(~mask) < width + 0.8 * carve

    def wave(back, front, bands, shades):
        """Fill between two curves that meet at the crest with bands that run up to it."""
        t = np.linspace(0, 1, 900)[:, None, None]
        at = (bezier(back) * (1 - t) + bezier(front) * t) * HEIGHT
        rows, columns = np.rint(at[..., 1]).astype(int), np.rint(at[..., 0]).astype(int)
        inside = (rows >= 0) & (rows < HEIGHT) & (columns >= 0) & (columns < WIDTH)
        place = np.full((HEIGHT, WIDTH), -1, np.float32)
        place[rows[inside], columns[inside]] = np.broadcast_to(t[..., 0], rows.shape)[inside]
        body = ndimage.binary_closing(place >= 0, iterations=2)
        place = np.maximum(place, ndimage.maximum_filter(place, 3) * (place < 0))
        cut(outline(body, 7), 1)
        phase = place * bands + 0.02 * carve + 0.12 * bulge
        band = np.array(shades)[np.floor(phase).astype(int) % len(shades)]
        line = np.abs((phase + 0.5) % 1 - 0.5) < 0.1 + 0.03 * carve
        cut(body, np.maximum(band == 2, line), (band >= 1) * 1.0)
        return body

    def foam(spine, size, count):
        """White claws along a crest: blobs, and hooks that taper and curl."""
        mask, spots = np.zeros((HEIGHT, WIDTH), bool), bezier(spine)
        for i in np.linspace(0, len(spots) - 1, count).astype(int):
            x, y = spots[i] + rng.normal(0, 0.12 * size, 2)
            r = size * rng.uniform(0.28, 0.5)
            mask |= disc(x, y, r)
            for turn in rng.uniform(-0.5, 2.4, 3):
                bend, reach = rng.uniform(1.2, 2.6), size * rng.uniform(0.7, 1.5)
                for s in np.linspace(0, 1, 60):
                    a = turn + bend * s
                    x0 = x + reach * s * np.cos(a)
                    y0 = y + reach * s * np.sin(a)
                    left, top = int((x0 - r) * HEIGHT), int((y0 - r) * HEIGHT)
                    box = np.s_[
                        max(top, 0) : max(top + int(2 * r * HEIGHT), 0),
                        max(left, 0) : max(left + int(2 * r * HEIGHT), 0),
                    ]
                    mask[box] |= np.hypot(gx[box] - x0, gy[box] - y0) < 0.42 * r * (1.15 - s)
        cut(outline(mask, 5), 1)
        cut(mask)
        inner = ndimage.distance_transform_edt(mask) > size * 0.2 * HEIGHT
        cut(inner & (carve > 0.5), 0, 1)

    cut(gy < 2, 0, step(0.3, -0.02, gy) * 0.9, step(0.2, 0.62, gy) * 0.5)
    cut(disc(0.93, 0.25, 0.125), 0, 0, 1)
    for x, y, wide in (
        (1.05, 0.27, 0.2),
        (0.9, 0.31, 0.16),
        (1.13, 0.355, 0.2),
        (0.32, 0.12, 0.24),
        (0.2, 0.165, 0.18),
        (0.72, 0.09, 0.1),
    ):
        bar = np.hypot(np.maximum(np.abs(gx - x) - wide, 0), gy - y) < 0.021
        cut(outline(bar, 3.5), 1)
        cut(bar, 0, 0, 0)
    slope = np.abs(gx - 0.95) + 0.002 * carve
    peak = (
        gy
        - 0.43
        - 0.62 * np.maximum(slope - 0.03, 0) ** 0.9
        - 0.004 * np.cos(gx * 160) * (slope < 0.04)
    )
    gully = np.sin((gx - 0.95) / (0.05 + np.clip(peak, 0, 1) + gy - 0.43) * 34 + 0.6 * bulge)
    cut(outline(peak > 0, 4), 1)
    cut(
        peak > 0, (gully > 0.93 - 0.5 * (gy - 0.45)) & (gy > 0.5), 0.35 + 0.65 * step(0.72, 0.5, gy)
    )
    cap = (peak > 0) & (gy - 0.505 < 0.045 * gully)
    cut(outline(cap, 2.5) & (peak > 0), 1)
    cut(cap)
    for y, tall, freq, shift in ((0.71, 0.022, 14, 0.3), (0.78, 0.035, 9, 1.9)):
        top = y - tall * np.abs(np.sin(gx[0] * freq / 2 + shift)) ** 0.7 - 0.004 * ridge(rng, 120)
        deep = (gy - top) * 26 + 0.1 * bulge + 0.025 * carve
        line = np.abs(deep % 1 - 0.5) > 0.38 - 0.03 * deep
        cut(gy > top - 0.006, 1)
        cut(gy > top, line & (deep > 0.3), deep % 2 > 0.45)
    wave(
        [(1.5, 1.25), (1.3, 0.8), (1.12, 0.62), (0.93, 0.77)],
        [(0.72, 1.2), (0.95, 1.1), (1.12, 0.75), (0.93, 0.77)],
        9,
        [0, 1, 2, 1],
    )
    foam([(1.19, 0.72), (1.08, 0.68), (0.99, 0.68), (0.92, 0.78)], 0.035, 16)
    wave(
        [(-0.5, 1.2), (0.1, 1.1), (0.08, -0.25), (0.68, 0.4)],
        [(0.95, 1.15), (0.2, 1.15), (0.32, 0.2), (0.68, 0.4)],
        15,
        [0, 1, 2, 1, 1, 2],
    )
    foam([(0.17, 0.34), (0.3, 0.06), (0.54, 0.16), (0.71, 0.43)], 0.07, 26)
    top = 0.93 + 0.035 * np.cos(gx[0] * 7 + 0.6) + 0.003 * ridge(rng, 90)
    deep = (gy - top) * 22 + 0.3 * bulge * (gy - top) * 10 + 0.03 * carve
    cut(gy > top - 0.007, 1)
    cut(gy > top, np.abs(deep % 1 - 0.5) > 0.3, deep % 2 > 1)
    for _ in range(150):
        x, y = 0.5 + rng.normal(0, 0.2), 0.3 + rng.normal(0, 0.13)
        spot = disc(x, y, rng.uniform(0.002, 0.006))
        cut(spot & (indigo < 0.5))
    rings = (gy + 0.02 * noise(rng, 500, 120)) * 46 + 0.5 * noise(rng, 300, 26)
    grain = 0.09 * np.sin(rings * 2 * np.pi) + 0.07 * noise(rng, 130, 3, 1.0)
    speck = noise(rng, 5, power=1.0)
    page = pigment("f0e4c8") * (1 + 0.02 * noise(rng, 40, 7, 1.0))[..., None]
    for block, colour, shift in (
        (red, "cf4a2a", (2, 3)),
        (blue, "6f9fb8", (-2, -3)),
        (indigo, "1d2c55", (0, 0)),
    ):
        block = ndimage.gaussian_filter(ndimage.shift(block, shift, order=0, mode="nearest"), 1.1)
        block = block * np.clip(0.92 + grain - 0.5 * step(1.9, 3.2, speck), 0, 1.05)
        page = page * np.exp(block[..., None] * np.log(pigment(colour)))
    return page


def ink():
    """Bamboo before misty mountains: one black ink, washed and dry, and a red seal."""
    rng = np.random.default_rng(9)
    tooth, tile, soft = noise(rng, 7, power=1.0), bristles(rng, 6), noise(rng, 140, power=1.3)
    density = np.zeros((HEIGHT, WIDTH), np.float32)

    def brush(points, half, load, dry=0.0, taper=(0.0, 1.0)):
        """One stroke through bezier `points`: `dry` from 0 (wet) to 1, thin at `taper`'s ends."""
        length = np.hypot(*np.diff(np.array(points), axis=0).T).sum() * HEIGHT
        path = bezier(points, int(min(max(length / 0.7, 8), 1000))).astype(np.float32) * HEIGHT
        s = np.linspace(0, 1, len(path))
        width = (
            half
            * HEIGHT
            * np.minimum(1, (1 - taper[0] + s / 0.3 * taper[0]).clip(0.05) ** 0.8)
            * (1 - taper[1] * s**2.2).clip(0.04)
        )
        rows, columns, along, across, bristle = sweep(path, width, tile, rng)
        hunger = dry * (0.4 + 1.5 * along) - 0.75
        wet = step(-0.35, 0.35, 0.75 * bristle + 0.35 * tooth[rows, columns] - 1.6 * hunger)
        body = load * (0.75 + 0.35 * np.abs(across) ** 3 + 0.18 * bristle - 0.25 * along) * wet
        density[rows, columns] = density[rows, columns] * 0.75 + np.maximum(body, 0)

    glow = np.hypot(gx - 0.4, gy - 0.25)
    density += 0.17 * step(0.088, 0.094, glow) * np.exp(-((glow / 0.33) ** 2)) * (1 + 0.3 * soft)
    for base, tall, size, load, fade in (
        (0.47, 0.075, 520, 0.26, 0.14),
        (0.62, 0.11, 480, 0.5, 0.16),
        (0.84, 0.08, 430, 0.95, 0.12),
    ):
        spine = ridge(rng, size, 1.3)
        top = base - tall * spine - 0.05 * np.cos(gx[0] * 4.5) + 0.003 * ridge(rng, 30)
        depth = gy - top + 0.0012 * tooth
        mist = np.exp(-np.clip(depth, 0, 1) / fade * (1.1 + 0.3 * soft))
        rim = 0.5 * np.exp(-np.clip(depth, 0, 1) / 0.006)
        edge = step(-0.0015, 0.002, depth)
        density *= 1 - 0.92 * edge
        density += load * edge * (mist + rim * mist) * (0.85 + 0.12 * soft + 0.1 * tooth)
        for _ in range(int(220 * load)):
            x = rng.uniform(0, 1.25)
            column = int(x * HEIGHT) % WIDTH
            fall = np.clip(np.gradient(ndimage.gaussian_filter1d(top, 12))[column] * HEIGHT, -2, 2)
            y, reach = top[column] + abs(rng.normal(0, 0.03)), rng.uniform(0.03, 0.09)
            dx = reach * 0.5 * np.sign(fall + rng.normal(0, 0.2))
            bow = (x + dx * 0.2, y + reach * 0.5)
            brush([(x, y), bow, (x + dx, y + reach)], rng.uniform(0.002, 0.006), load * 0.7, 0.6)
    water = noise(rng, 420, 10, 1.2)
    density += 0.16 * step(0.5, 1.6, water) * step(0.8, 0.9, gy)
    for x, y, size in (
        (0.24, 0.36, 0.02),
        (0.29, 0.33, 0.016),
        (0.33, 0.375, 0.013),
        (0.2, 0.31, 0.012),
    ):
        for side in (-1, 1):
            brush(
                [
                    (x, y),
                    (x + side * size * 0.5, y - size),
                    (x + side * size * 1.5, y - size * 0.3),
                ],
                size * 0.13,
                1.6,
            )

    def leaves(x, y, count, load, size):
        for turn in rng.normal(1.1, 0.75, count):
            reach = size * rng.uniform(0.6, 1.1)
            dx, dy = np.cos(turn), np.sin(turn)
            brush(
                [
                    (x, y),
                    (x + dx * reach * 0.5 - dy * 0.1 * reach, y + dy * reach * 0.5),
                    (x + dx * reach, y + (dy + 0.15) * reach),
                ],
                size * 0.085,
                load * rng.uniform(0.7, 1.2),
                rng.uniform(0, 0.5),
                (1, 1),
            )

    for x, lean, half, load in (
        (1.2, -0.1, 0.012, 0.35),
        (0.93, 0.1, 0.014, 0.5),
        (1.08, -0.05, 0.026, 1.1),
    ):
        y, joint = 1.03, 0
        while y > -0.15:
            tall = (0.11 + 0.014 * joint) * (0.6 + half * 22)
            x2, y2 = x + lean * tall, y - tall
            brush(
                [(x, y - 0.006), ((x + x2) / 2 + 0.003, (y + y2) / 2), (x2, y2 + 0.006)],
                half,
                load,
                0.62,
                (0, 0.12),
            )
            brush(
                [(x2 - half * 1.15, y2 + 0.004), (x2, y2 - 0.006), (x2 + half * 1.2, y2 + 0.003)],
                0.0035,
                load * 1.9,
                0.1,
                (0.3, 0.5),
            )
            if joint > 1:
                for side in rng.choice([-1, 1], 1 + (joint % 2)):
                    tip = (x2 + side * rng.uniform(0.06, 0.13), y2 - rng.uniform(-0.01, 0.1))
                    brush([(x2, y2), (x2 + side * 0.03, y2 - 0.05), tip], 0.003, load * 1.3, 0.3)
                    leaves(*tip, 6, load * 1.5, 0.16)
                    leaves((x2 + tip[0]) / 2, (y2 + tip[1]) / 2, 3, load * 0.9, 0.13)
            x, y, joint = x2, y2, joint + 1
    spatter = noise(rng, 8, power=1.5) + 0.6 * noise(rng, 260) - 4.3
    density += 0.9 * step(0, 0.25, spatter)
    bleed = ndimage.gaussian_filter(density, 1)
    bleed = 0.85 * bleed + 0.15 * ndimage.gaussian_filter(density, 9)
    fibre = 0.014 * noise(rng, 24, power=0.8) + 0.012 * noise(rng, 600)
    page = pigment("f3ecdc") * (1 + fibre)[..., None]
    page = page * np.exp(-1.7 * bleed[..., None] * np.array([1.0, 0.98, 0.93]))
    u, v = (gx - 0.09) / 0.032, (gy - 0.86) / 0.04
    seal = np.maximum(np.abs(u), np.abs(v)) < 1 + 0.03 * soft
    glyph = (
        (np.abs(np.abs(u) - 0.42) < 0.12) | (np.abs(np.abs(v) - 0.38) < 0.1) | (np.abs(v) > 0.86)
    )
    glyph = glyph & (np.maximum(np.abs(u), np.abs(v)) < 0.8)
    over(
        page,
        pigment("b3281e"),
        0.9 * ndimage.gaussian_filter((seal & ~glyph & (tooth < 1.4)) * 1.0, 1.2),
    )
    return page
