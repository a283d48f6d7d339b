"""How recipes' losses differ, by the name of a `formula`: constants, distances, roughness."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from stylize.backend.tensors import keras
from stylize.losses.tiles import Tile
from stylize.losses.wasserstein import distance_to, with_constant_channel


def mean_square_variation(
    x: Any, tile: Tile | None = None, shape: tuple[int, int] | None = None
) -> Any:
    """Roughness: the mean of (x[i,j] - x[i+1,j])^2 plus the mean of (x[i,j] - x[i,j+1])^2.

    Args:
        x: pictures (n, rows, cols, 3), or the `Tile.pairs` of one.
        tile: the tile that these are of; None: x is a whole picture.
        shape: (rows, cols) of the whole picture, of whose means the tile's share is wanted.

    Returns:
        A scalar, 0 for a constant picture.

    Source: the TensorFlow neural-style program.
    """
    down = keras.ops.square(x[:, 1:] - x[:, :-1])
    right = keras.ops.square(x[:, :, 1:] - x[:, :, :-1])
    if tile is None or shape is None or tile.is_whole:
        return keras.ops.mean(down) + keras.ops.mean(right)
    (rows, cols), (own_rows, own_cols) = shape, tile.shape
    down = keras.ops.sum(down[:, :own_rows, :own_cols]) / (3 * (rows - 1) * cols)
    return down + keras.ops.sum(right[:, :own_rows, :own_cols]) / (3 * rows * (cols - 1))


def absolute_variation(
    x: Any, tile: Tile | None = None, shape: tuple[int, int] | None = None
) -> Any:
    """Roughness: the sum of |x[i,j] - x[i+1,j]| and |x[i,j] - x[i,j+1]|, see the function above.

    Source: jcjohnson/neural-style's PyTorch port, neural-style-pt. (The original's gradient is that
    of squares.)
    """
    down = keras.ops.abs(x[:, 1:] - x[:, :-1])
    right = keras.ops.abs(x[:, :, 1:] - x[:, :, :-1])
    if tile is not None and not tile.is_whole:
        rows, cols = tile.shape
        down, right = down[:, :rows, :cols], right[:, :rows, :cols]
    return keras.ops.sum(down) + keras.ops.sum(right)


def replicate_edges(x: Any, rows: tuple[int, int] = (1, 1), cols: tuple[int, int] = (1, 1)) -> Any:
    """Pictures (n, rows, cols, channels) with their outermost pixels once more around them.

    Args:
        x: the pictures.
        rows, cols: 1 where that is wanted, 0 where not: (above, below), (left, right).
    """
    (above, below), (left, right) = rows, cols
    x = keras.ops.concatenate([x[:, :1]] * above + [x] + [x[:, -1:]] * below, axis=1)
    return keras.ops.concatenate([x[:, :, :1]] * left + [x] + [x[:, :, -1:]] * right, axis=2)


def nine_point_variation(x: Any, tile: Tile, shape: tuple[int, int]) -> Any:
    """Roughness: mean squares of differences to the eight pixels around, of values 0..1.

    2/3 of the mean for those below and to the right, 1/6 for the diagonal ones, where the picture
    goes on beyond its edges with the pixels at the edge. Arguments as in `mean_square_variation`.

    Source: crowsonkb/style-transfer-pytorch.
    """
    (rows, cols), (own_rows, own_cols) = shape, tile.shape
    edges = [(int(s.first == s.start), int(s.last == s.stop)) for s in (tile.rows, tile.cols)]
    x = replicate_edges(x / 255, *edges)
    (top, _), (left, _) = edges
    inner = x[:, top : top + own_rows + 1, left : left + own_cols + 1]
    down = inner[:, 1:, :-1] - inner[:, :-1, :-1]
    right = inner[:, :-1, 1:] - inner[:, :-1, :-1]
    falling = x[:, 1:, 1:] - x[:, :-1, :-1]
    rising = x[:, 1:, :-1] - x[:, :-1, 1:]
    near, far = (
        sum(keras.ops.sum(keras.ops.square(difference)) for difference in pair)
        for pair in ((down, right), (falling, rising))
    )
    return (2 / 3 * near / (rows * cols) + far / 6 / ((rows + 1) * (cols + 1))) / 3  # of channels


class Formula(NamedTuple):
    """The constants in front of a layer's losses and of the roughness, and what these losses are.

    Attributes:
        content: function of the layer's (positions, channels).
        style: function of the layer's (positions, channels) and the picture's pixels.
        total_variation: function of the picture's pixels.
        roughness: function like `mean_square_variation`; None: the script's `total_variation_loss`.
        channels: from features (..., channels) to those whose Gram matrices are compared.
        distance_to: from a style's Gram matrix to the function from the combination's to their
            distance; None: the script's `style_loss`.
    """

    content: Callable[[int, int], float]
    style: Callable[[int, int, int], float]
    total_variation: Callable[[int], float] = lambda pixels: 1.0
    roughness: Callable | None = None
    channels: Callable[[Any], Any] = lambda features: features
    distance_to: Callable[[Any], Callable[[Any], Any]] | None = None


FORMULAS = {
    # Gatys's M and N are positions and channels; the Keras example has the picture's here.
    "keras": Formula(
        content=lambda M, N: 1.0,
        style=lambda M, N, pixels: 1 / (4 * 3**2 * pixels**2),
    ),
    "gatys": Formula(
        content=lambda M, N: 0.5,
        style=lambda M, N, pixels: 1 / (4 * N**2 * M**2),
    ),
    # The Keras example's, but means over positions and pixels where it has sums.
    "mean": Formula(
        content=lambda M, N: 1 / (M * N),
        style=lambda M, N, pixels: 1 / (4 * 3**2 * pixels**2),
        total_variation=lambda pixels: 1 / pixels,
    ),
    # Means instead of sums: of squared differences, and of Gram matrices divided by M * N.
    "athalye": Formula(
        content=lambda M, N: 1 / (M * N),
        style=lambda M, N, pixels: 1 / (N**2 * (M * N) ** 2),
        roughness=mean_square_variation,
    ),
    # The same but for the roughness, and each of the five style layers has the whole weight.
    "johnson": Formula(
        content=lambda M, N: 1 / (M * N),
        style=lambda M, N, pixels: 5 / (N**2 * (M * N) ** 2),
        roughness=absolute_variation,
    ),
    # Means over channels of distances between Gaussians.
    "crowson": Formula(
        content=lambda M, N: 1 / (M * N),
        style=lambda M, N, pixels: 1 / N,
        roughness=nine_point_variation,
        channels=with_constant_channel,
        distance_to=distance_to,
    ),
}


def even_out(
    shares: Sequence[float],
    grams: Sequence[Mapping[str, Any]],
    scales: Mapping[str, float],
    energy: float | None,
) -> Sequence[float]:
    """The styles' `shares`, changed so that all weigh as a style of this `energy` would.

    A style's energy is sum over layers of scale * sum G(S)^2: the style loss of a picture without
    any response. Contrasts and edges that repeat have much of it. It differs so much from picture
    to picture that the same style_weight would paint over the photo with one and hardly show with
    another.

    Args:
        shares: of the styles.
        grams: for each style: layer name -> Gram matrix (channels, channels).
        scales: layer name -> what the layer's style loss is multiplied with.
        energy: what each style's is brought to; None changes nothing.
    """
    if energy is None:
        return shares
    energies = [
        sum(
            scale * float(keras.ops.sum(keras.ops.square(gram[layer])))
            for layer, scale in scales.items()
        )
        for gram in grams
    ]
    return [
        share * energy / own if own else share for share, own in zip(shares, energies, strict=True)
    ]
