"""The page for programs: a photo and a painting in, how far it is and the picture out.

They pass what the page's own button passes: the guard, the limits, and one queue with all visitors.
"""

import html
from collections.abc import Iterator
from typing import Any

import gradio as gr

from stylize.apps.page.asked import Asked
from stylize.apps.page.controls import CONTROLS, DEFAULT_ROWS, DEFAULTS
from stylize.apps.page.previews import original
from stylize.apps.page.shown import reason_by_name
from stylize.apps.page.studio import Studio, logged
from stylize.errors import InputError


def add_endpoint(studio: Studio, max_size: int, **queue: Any) -> None:
    """Adds the only thing that programs may ask for to the page that is being built.

    Args:
        studio: paints.
        max_size: pixels of a result's longer side.
        queue: whose turn it is, as for `gr.api`.
    """

    def paint(
        photo: gr.FileData,
        painting: gr.FileData,
        strength: float = DEFAULTS["strength"],
        size: int = min(DEFAULT_ROWS, max_size),
        iterations: int = DEFAULTS["iterations"],
        preserve_colors: str = DEFAULTS["preserve_colors"],
        content_weight: float = DEFAULTS["content_weight"],
        style_weight: float = DEFAULTS["style_weight"],
        tv_weight: float = DEFAULTS["tv_weight"],
        noise_blend: float = DEFAULTS["noise_blend"],
        seed: int = DEFAULTS["seed"],
        style_scale: float | str = DEFAULTS["style_scale"],
        keep_mask: gr.FileData | None = None,
    ) -> Iterator[tuple[str, dict | None]]:
        """Paints a photo, or a short clip, in the style of a painting; both are uploads.

        keep_mask is another upload: what is white in it, or opaque in a cut-out, stays as it is.

        Yields (how far it is, in words; None), at the end (how it ended; the picture or the film).
        """
        weights = content_weight, style_weight, tv_weight
        start = noise_blend, seed
        values = strength, size, iterations, preserve_colors, *weights, *start, style_scale
        given = dict(zip(CONTROLS, values, strict=True))
        try:
            with logged():
                asked = _asked(photo, painting, keep_mask, given)
            for shown in studio.paint_for_program(asked):
                yield html.unescape(shown.words), _file(shown.result)
        except Exception as error:  # in plain words too: programs show no HTML
            raise gr.Error(reason_by_name(error), print_exception=False) from None

    # Gradio takes what is yielded for what is returned.
    paint.__annotations__["return"] = tuple[str, gr.FileData]
    gr.api(paint, api_name="paint", **queue)


def _asked(photo, painting, keep_mask, given):
    """What a program asks for. Raises InputError: something is missing, or is no upload."""
    if missing := [name for name, value in given.items() if value is None]:
        raise InputError(f"{missing[0]}: give a value, or leave it out")
    mask = None if keep_mask is None else _path(keep_mask, "keep_mask")
    return Asked([_path(photo, "photo")], _path(painting, "painting"), mask, given)


def _file(path):
    """A file as JSON has it, so that programs can fetch it; None: there is none yet."""
    return path and gr.FileData(path=path).model_dump()


def _path(file, name):
    """That of an upload, which the page has checked. Raises InputError: it is none."""
    if not isinstance(file, dict) or "path" not in file:
        raise InputError(
            f'{name}: upload a file and give {{"path": the path that this returns}}; '
            "in Python: handle_file(...)"
        )
    return original(file["path"])
