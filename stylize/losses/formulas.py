"""How the recipes' losses differ, by the name of a `formula`: constants and distances."""

from collections.abc import Callable
from typing import Any, NamedTuple

from stylize.losses.roughness import (
    absolute_variation,
    mean_square_variation,
    nine_point_variation,
)
from stylize.losses.wasserstein import (
    style_gaussian,
    wasserstein_loss,
    with_constant_channel,
)


class Formula(NamedTuple):
    """The constants in front of a layer's losses and of the roughness, and what these losses are.

    Attributes:
        content: function of the layer's (positions, channels).
        style: function of the layer's (positions, channels) and the picture's pixels.
        total_variation: function of the picture's pixels.
        roughness: function like `mean_square_variation`; None: the script's `total_variation_loss`.
        channels: from features (..., channels) to those whose Gram matrices are compared.
        style_target: from a style's Gram matrix to what the combination's is compared with.
        style_distance: function of that and the combination's; None: the script's `style_loss`.
    """

    content: Callable[[int, int], float]
    style: Callable[[int, int, int], float]
    total_variation: Callable[[int], float] = lambda pixels: 1.0
    roughness: Callable | None = None
    channels: Callable[[Any], Any] = lambda features: features
    style_target: Callable[[Any], Any] = lambda gram: gram
    style_distance: Callable[[Any, Any], Any] | None = None


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
        style_target=style_gaussian,
        style_distance=wasserstein_loss,
    ),
}
