"""What only a recipe can set: constants, sizes and ways that no option changes.

Defaults are those of recipe `keras`; docs/api.md shows the comments as a table.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

from PIL import Image

from stylize.losses.formulas import FORMULAS
from stylize.runs.validators import (
    above_one,
    any_number,
    below_one,
    fraction,
    one_of,
    positive,
    resize_filter,
    rounding,
    rows_or_last,
    side,
    two,
    weight,
    whole_number,
    yes_or_no,
)
from stylize.vgg.layers import VALUES


def _value(default: Any, check: Callable) -> Any:
    """Returns the field of a value that only recipes have, with a check of what it may be."""
    return dataclasses.field(default=default, metadata={"check": check})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """What only a recipe can set: no option changes it."""

    # Which constants and distances the losses have: a name in FORMULAS.
    formula: str = _value("keras", one_of(*FORMULAS))
    # The rows at which content_weight and tv_weight apply as given. At other sizes they are
    # multiplied by powers of reference_rows / rows (content_exponent and tv_exponent), so that a
    # weight gives the same look at any size. None: never multiplied. "last": the rows of the
    # result; the content weight then begins high and keeps small sizes close to the photo, since a
    # picture that strays returns slowly.
    reference_rows: int | str | None = _value(None, rows_or_last)
    # The power for content_weight, see reference_rows; 2 suits losses that are sums over pixels.
    content_exponent: float = _value(2.0, any_number)
    # The power for tv_weight, see reference_rows.
    tv_exponent: float = _value(2.0, any_number)
    # How much less content counts in plain places than in detailed ones: 0, just as much; 1, not at
    # all.
    detail_content: float = _value(0.0, fraction)
    # Whether the content loss is divided by the mean square of the photo's own features, so that
    # content_weight gives the same look with any photo.
    relative_content: bool = _value(False, yes_or_no)
    # Styles are weighted as if each had this energy (the sum of its squared Gram matrices, scaled
    # as in the formula), so that style_weight gives the same look with any style. None: they are
    # left as they are.
    style_energy: float | None = _value(None, positive)
    # How much of the query for a position's neighbour comes from the photo, first in plain places,
    # then in detailed ones (see `detail_map`); the rest comes from the picture so far.
    query_content: tuple[float, float] = _value((1.0, 1.0), two(fraction))

    # What pooling does with an odd last row or column: "valid" leaves it out, "same" pools it
    # alone.
    pool_padding: str = _value("valid", one_of(*VALUES["pool_padding"]))
    # What the network sees around the picture: "zero", zeros; "replicate", its outermost pixels
    # again.
    edges: str = _value("zero", one_of(*VALUES["edges"]))

    # The filter that resizes pictures.
    resample: Image.Resampling = _value(Image.Resampling.NEAREST, resize_filter)
    # None: size is the rows of the result, and style_scale compares widths. A function, such as int
    # or round: both refer to the longer sides instead, and the function makes their lengths whole
    # numbers.
    longer_side: Callable[[float], int] | None = _value(None, rounding)
    # Whether a style smaller than style_scale asks for is enlarged.
    enlarge_styles: bool = _value(True, yes_or_no)
    # Whether a style clearly smaller than the result is extended with its mirror image until it
    # is as large. The network sees nothing beyond a picture's border, and a small picture is mostly
    # border: the result would imitate that, in colours that no painting has.
    extend_styles: bool = _value(False, yes_or_no)
    # The shortest period, in pixels, that a painting keeps at the last size, unless it is drawn
    # with lines or dots as fine as that (see `has_fine_detail`); 2 keeps all, as pixels show
    # nothing shorter. Shorter periods would become a weave where the photo is plain: Gram matrices
    # say how strong they should be, but not where.
    finest_period: float = _value(2.0, positive)
    # Standard deviation of the noise to start from, around the mean pixel, in levels of 0..255.
    noise: float = _value(0.256, weight)

    # Pixels of the first size's short side, where scales is "auto"; each later size is about twice
    # the one before. Large forms are laid down there, so it must not depend on the last size. None:
    # size_step and smallest_size decide.
    first_size: int | None = _value(None, side)
    # How many times as large each size is as the one before, where first_size is None.
    size_step: float = _value(2.0, above_one)
    # The smallest that the first size may be, where scales is "auto" and first_size is None: pixels
    # of its short side, or of its longer one with longer_side.
    smallest_size: float = _value(100.0, positive)
    # Evaluations in an iteration at the first and at the last size, as multiples of
    # evaluations_per_iteration (20 by default).
    effort: tuple[float, float] = _value((1.0, 1.0), two(positive))
    # The number of pixels (rows times columns) from which a size only refines what smaller ones
    # have painted, and needs fewer evaluations (docs/large.md). None: every size paints.
    refine_from: int | None = _value(None, whole_number)
    # As effort, at sizes that only refine, see refine_from.
    refine_effort: float = _value(1.0, positive)
    # How much of the photo's detail that a smaller size could not show is added when the picture is
    # enlarged to the next size, 0..1.
    handover: float = _value(0.0, fraction)

    # Whether L-BFGS starts anew in every iteration, as in the Keras example.
    restart: bool = _value(True, yes_or_no)
    # Whether pixels are kept within 0..255 while they are optimised. If not, L-BFGS moves one value
    # in twenty outside, and clipping them undoes much of its work.
    bounded: bool = _value(False, yes_or_no)
    # How many steps this program's own L-BFGS remembers: in runs of hundreds of evaluations,
    # remembering more lowers the loss sooner; each takes 24 bytes a pixel.
    pairs: int = _value(10, whole_number)
    # Exponent of the `Preconditioner` of this program's own L-BFGS; 0: none. Not with bounded.
    preconditioner: float = _value(0.0, weight)
    # With Adam: the result is an average of all steps, in which each counts this much relative to
    # the one after it. 0: no average, the best step counts.
    average_decay: float = _value(0.0, below_one)
    # How many evaluations a film's frame gets if it follows another in the same scene; it is
    # painted at the last size only.
    frame_evaluations: int = _value(20, whole_number)
