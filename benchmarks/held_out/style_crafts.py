"""The held-out styles of stone and cloth: a mosaic, a batik and an embroidery."""

import numpy as np
import style_brushes as sb
from scipy import ndimage
from scipy.spatial import cKDTree
from style_brushes import HEIGHT, WIDTH, bezier, gx, gy, noise, over, pigment, ramp, relief, step
from style_shapes import bounds, edge, limbs, pixels, soften, table, turned


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
