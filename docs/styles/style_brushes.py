"""What the style pictures are painted with: noise, colours, light, brushes and oil paint.

A picture is painted at twice its size and scaled down at the end. `gx` and `gy` hold every pixel's
place in picture heights: x runs from 0 to 1.25, y from 0 (top) to 1.
"""

import numpy as np
from scipy import ndimage

HEIGHT, WIDTH = 1280, 1600
gy, gx = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32) / HEIGHT


def noise(rng, across, down=None, power=2.0, shape=(HEIGHT, WIDTH)):
    """Smooth random field, mean 0 and deviation 1, with features `across` x `down` pixels large."""
    down = across if down is None else down
    fy, fx = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None]
    gain = (1 + (fx * across) ** 2 + (fy * down) ** 2) ** -power
    field = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(shape)) * gain, shape)
    return ((field - field.mean()) / field.std()).astype(np.float32)


def ridge(rng, size, power=1.2):
    """A random skyline: one deviation-1 value for every column."""
    return noise(rng, size, 1, power, (1, WIDTH))[0]


def step(low, high, value):
    """0 below `low`, 1 above `high`, a smooth slope between (also downwards, if low > high)."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def ramp(value, stops):
    """Colours along `stops` (hex colours in one string) for values from 0 to 1."""
    rgb = np.array([[int(s[i : i + 2], 16) / 255 for i in (0, 2, 4)] for s in stops.split()])
    at = np.linspace(0, 1, len(rgb))
    return np.stack([np.interp(value, at, rgb[:, i]) for i in range(3)], -1).astype(np.float32)


def pigment(colour):
    """One hex colour as an array."""
    return ramp(0.0, f"{colour} {colour}")


def over(picture, colour, mask):
    """Lay `colour` over `picture` (in place) where `mask` is 1."""
    picture += (colour - picture) * np.asarray(mask, np.float32)[..., None]


def relief(height, depth):
    """Brightness of a height map lit from the upper left: about 1 where it is flat."""
    dy, dx = np.gradient(height * depth)
    return (dx * 0.6 + dy * 0.7 + 1) / np.sqrt(dx * dx + dy * dy + 1)


def bezier(points, count=1600):
    """Points along the curve with these control points."""
    points, t = np.array(points, float), np.linspace(0, 1, count)[:, None, None]
    points = np.repeat(points[None], count, 0)
    while points.shape[1] > 1:
        points = points[:, :-1] * (1 - t) + points[:, 1:] * t
    return points[:, 0]


def trace(angle, x, y, length, pace=0.7):
    """Paths (count, steps, 2) of points in pixels that follow the field `angle` from x, y."""
    path = np.empty((len(x), int(length / pace), 2), np.float32)
    for i in range(path.shape[1]):
        path[:, i, 0], path[:, i, 1] = x, y
        at = angle[np.clip(y, 0, HEIGHT - 1).astype(int), np.clip(x, 0, WIDTH - 1).astype(int)]
        x, y = x + pace * np.cos(at), y + pace * np.sin(at)
    return path


def sweep(path, half, tile, rng):
    """Drag a brush along one path; `half` is its half width in pixels, one number or one a point.

    Returns the pixels touched (rows, columns), how far along (0 to 1) and across (-1 to 1) the
    stroke each lies, and what the brush's bristles (a patch of `tile`) leave there.
    """
    tangent = np.gradient(path, axis=0)
    tangent /= np.hypot(tangent[:, :1], tangent[:, 1:]) + 1e-6
    half = np.broadcast_to(half, len(path))
    across = np.linspace(-1, 1, max(3, int(half.max() * 3)), dtype=np.float32)
    columns = path[:, :1] - tangent[:, 1:] * half[:, None] * across
    rows = path[:, 1:] + tangent[:, :1] * half[:, None] * across
    u0 = rng.integers(tile.shape[0] - len(path))
    v0 = rng.integers(tile.shape[1] - len(across))
    bristle = tile[u0 : u0 + len(path), v0 : v0 + len(across)]
    along = np.broadcast_to(np.linspace(0, 1, len(path))[:, None], bristle.shape)
    across = np.broadcast_to(across, bristle.shape)
    rows, columns = np.rint(rows).astype(int), np.rint(columns).astype(int)
    inside = (rows >= 0) & (rows < HEIGHT) & (columns >= 0) & (columns < WIDTH)
    return tuple(a[inside] for a in (rows, columns, along, across, bristle))


def bristles(rng, fineness=5):
    """The texture that brushes leave: streaks along the stroke (rows), fine across it (columns)."""
    return noise(rng, fineness, 160, 1.0, (1024, 512))


def oil(scene, angle, rng, sizes, jitter=0.06, length=7.0, tolerance=0.3):
    """Paint `scene` with loaded brushes along `angle`, from the broadest of `sizes` down.

    Returns the colours and the height of the paint. A stroke ends where the scene's colour
    leaves its own by more than `tolerance`; finer brushes go only where the picture needs them.
    """
    picture = scene * 0.5 + pigment("3a2430") * 0.35
    height, tile = np.zeros(scene.shape[:2], np.float32), bristles(rng)
    for half in sizes:
        error = np.abs(ndimage.gaussian_filter(picture - scene, (half / 2, half / 2, 0))).sum(-1)
        gap = half * 1.25
        y, x = np.mgrid[0:HEIGHT:gap, 0:WIDTH:gap].reshape(2, -1)
        y, x = (c + rng.uniform(-gap, gap, len(c)) * 0.6 for c in (y, x))
        row, column = (np.clip(c, 0, m - 1).astype(int) for c, m in ((y, HEIGHT), (x, WIDTH)))
        need = error[row, column] > (0 if half == sizes[0] else rng.uniform(0.1, 0.7, len(x)))
        order = rng.permutation(np.flatnonzero(need))
        paths = trace(angle, x[order], y[order], half * length)
        for path, at in zip(paths, order, strict=True):
            colour = scene[row[at], column[at]]
            rows, columns = (
                np.clip(path[:, i], 0, m - 1).astype(int) for i, m in ((1, HEIGHT), (0, WIDTH))
            )
            strays = np.abs(scene[rows, columns] - colour).sum(-1) > tolerance
            path = path[: max(int(half), strays.argmax() if strays.any() else len(path))]
            path = path[: int(len(path) * rng.uniform(0.6, 1))]
            wide = min(half, len(path) * 0.25)
            if wide < 2:
                continue
            rows, columns, along, across, bristle = sweep(path, wide, tile, rng)
            tint = colour + rng.normal(0, jitter, 3) + rng.normal(0, jitter)
            second = colour + rng.normal(0, jitter * 1.7, 3)
            ends = np.minimum(along * len(path) * 0.7 / wide, 1)
            keep = (np.abs(across) < 0.45 + 0.5 * np.sqrt(ends) + 0.12 * bristle) & (
                bristle > 8 * along - 8 + 3 * np.abs(across) ** 4
            )
            rows, columns, along, across, bristle = (
                a[keep] for a in (rows, columns, along, across, bristle)
            )
            streak = step(-0.6, 1.4, bristle + across * rng.uniform(-1, 1))[:, None]
            picture[rows, columns] = tint + (second - tint) * streak
            ridges = 0.55 + 0.22 * bristle + 0.5 * across**4 + 0.5 * along**6
            height[rows, columns] = height[rows, columns] * 0.35 + ridges * wide**0.6
    return np.clip(picture, 0, 1), height
