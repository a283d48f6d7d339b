"""How rough a picture is: the measures that recipes have instead of the script's."""

from typing import Any

from stylize.backend.tensors import keras
from stylize.losses.tiles import Tile
from stylize.vgg.layers import replicate_edges


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
