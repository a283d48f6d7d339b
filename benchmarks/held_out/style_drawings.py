"""The held-out styles in dry colour: a pastel, a charcoal and a coloured pencil drawing."""

import numpy as np
import style_brushes as sb
from scipy import ndimage
from style_brushes import HEIGHT, WIDTH, bezier, gx, gy, noise, over, pigment, ramp, relief, step
from style_shapes import bounds, edge, limbs, pixels, polygon, soften, table, turned


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
