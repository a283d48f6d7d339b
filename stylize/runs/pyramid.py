"""The sizes that a run paints at, from the coarsest to the result."""

import math

from PIL import Image

from stylize.backend import tensors
from stylize.errors import InputError, SettingError
from stylize.images.resize import SMALLEST_SIDE, working_size
from stylize.losses.search import MANY
from stylize.runs.progress import Stage
from stylize.runs.settings import Settings
from stylize.runs.validators import MOST_SCALES

# Preparation of a size, in evaluations, as found from runs' tables of losses: the targets; those of
# similarity, another pass of the photo; the search for neighbours; and how much that grows with
# each megapixel, until blocks are compared.
TARGETS, SIMILARITY, SEARCH, SEARCH_BY_MEGAPIXEL = 1.0, 0.25, 2.5, 2.0


def plan_stages(
    base: Image.Image, settings: Settings, evaluations_per_iteration: int
) -> list[Stage]:
    """The `Stage` of each size.

    Args:
        base: the photo.
        settings: of the run.
        evaluations_per_iteration: before the recipe's `effort`.

    Raises:
        InputError: the result is too small for VGG19, or the first of many sizes would be.
    """
    precision = settings.precision
    if precision == "auto":
        precision = "bfloat16" if tensors.bfloat16_is_fast() else "float32"
    sizes = plan_sizes(base, settings)
    refine_from = settings.refine_from or math.inf
    painting = sum(math.prod(size) < refine_from for size in sizes) or 1  # the first, at least
    at_first, at_last = settings.effort
    stages = []
    for index, size in enumerate(sizes):
        coarse = 1 - index / (painting - 1) if index + 1 < painting else 0.0  # 1 at the first
        effort = at_last + (at_first - at_last) * coarse
        if index >= painting:
            effort = settings.refine_effort
        evaluations = max(1, round(evaluations_per_iteration * effort))
        stage = Stage(*size, settings.iterations, evaluations, precision)
        stages.append(stage._replace(preparation=preparation(stage, settings)))
    return stages


def preparation(stage: Stage, settings: Settings) -> float:
    """How many evaluations could be made in the time before the first of a stage."""
    targets = TARGETS + SIMILARITY * bool(settings.similarity_weight)
    if not settings.neighbor_weight:
        return targets
    compared = min(stage.rows * stage.cols, 16 * MANY) / 1e6  # places, one by one
    return targets + SEARCH + SEARCH_BY_MEGAPIXEL * compared


def plan_sizes(base: Image.Image, settings: Settings) -> list[tuple[int, int]]:
    """(rows, cols) from the coarsest to the result. Raises InputError: one is too small."""
    longer_side = settings.longer_side
    rows, cols = working_size(base, settings.size, longer_side)
    if settings.strength == 0:  # the photo, which small sizes would only blur
        return [(rows, cols)]
    scales, first, short = settings.scales, settings.first_size, min(rows, cols)
    growth, smallest = settings.size_step, settings.smallest_size
    if scales == "auto" and first:
        steps = max(0, round(math.log2(short / first)))  # each about twice the one before
        ratios = [(first / short) ** ((steps - step) / steps) for step in range(steps)]
    else:
        if isinstance(scales, str):  # "auto"
            given = max(rows, cols) if longer_side else short
            scales = 1 + max(0, math.floor(math.log(given / smallest, growth)))
            scales = min(scales, MOST_SCALES)
        ratios = [1 / growth**steps for steps in range(scales - 1, 0, -1)]
        if settings.scales == "auto":  # a panorama's short side may become too short
            ratios = [ratio for ratio in ratios if int(short * ratio) > SMALLEST_SIDE]

    def smaller_size(ratio):
        if isinstance(settings.size, tuple):  # its aspect may be another than the photo's
            return working_size(base, (round(rows * ratio), round(cols * ratio)))
        size = max(rows, cols) if longer_side else rows
        return working_size(base, round(size * ratio), longer_side)

    try:
        smaller = [smaller_size(ratio) for ratio in ratios]
    except InputError:
        if settings.scales == "auto":
            raise
        raise SettingError(
            "--scales",
            f"must be smaller: the first of {scales} sizes up to {cols}x{rows} pixels would have "
            f"a side below the {SMALLEST_SIDE} that VGG19 needs",
        ) from None
    return [*smaller, (rows, cols)]
