"""What the terms of the loss are multiplied with."""

from typing import NamedTuple

from stylize.runs.settings import Settings


class LossWeights(NamedTuple):
    """What each layer's content and style loss, and the other terms, are multiplied with.

    `style_energy`, if it is not None, is the energy that each style is scaled to;
    `relative_content` says whether the photo's features are scaled to a mean square of one.
    """

    content: dict[str, float]
    style: dict[str, float]
    total_variation: float
    neighbors: float = 0.0
    style_energy: float | None = None
    relative_content: bool = False
    temporal: float = 0.0

    @classmethod
    def of(cls, settings: Settings, rows: int, last_rows: int | None = None) -> "LossWeights":
        """The settings' weights at a size, raised or lowered by strength.

        Strength s multiplies content by (2 (1 - s))^2, all else by (2 s)^2, which is one at 0.5.
        Content and total variation follow `reference_rows`; the style loss needs no change to mean
        the same at every size.

        Args:
            settings: of a run.
            rows: of this size.
            last_rows: of the last size, the result's; None: `rows`.
        """
        to_photo, to_painting = settings.to_photo, settings.to_painting
        reference = settings.reference_rows or rows
        if isinstance(reference, str):  # "last"
            reference = last_rows or rows
        smaller = reference / rows
        content = settings.content_weight * to_photo * smaller**settings.content_exponent
        style = settings.style_weight * to_painting
        return cls(
            content={layer: content * share for layer, share in settings.content_layers.items()},
            style={layer: style * share for layer, share in settings.style_layers.items()},
            total_variation=settings.tv_weight * to_painting * smaller**settings.tv_exponent,
            neighbors=settings.neighbor_weight * to_painting,
            style_energy=settings.style_energy,
            relative_content=settings.relative_content,
            temporal=settings.temporal_weight,
        )
