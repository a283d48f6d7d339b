"""What the page looks like: its components, from top to bottom."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from stylize.apps.page.choices import STRENGTHS
from stylize.apps.page.controls import COLOURS, DEFAULT_ROWS, DEFAULTS, STROKES
from stylize.apps.page.shown import DOWNLOAD, what_to_do
from stylize.images.formats import picture_suffixes

PACKAGE = Path(__file__).parents[2]
# The wheel has the examples in the package, a checkout beside it.
EXAMPLES = next(path for path in (PACKAGE / "img", PACKAGE.parent / "img") if path.is_dir())
PHOTOS = ("astronaut", "hopper", "temple", "cat", "flower", "coffee")
PAINTINGS = (
    "swirling_night",
    "impasto",
    "woodcut",
    "pointillism",
    "watercolour",
    "stained_glass",
)
CSS = """
#head .prose { display: flex; flex-wrap: wrap; align-items: baseline; column-gap: 1em }
#head .prose * { margin: 0 } /* with one row less, the choices are on the first screen */
#choices .column { gap: 4px }
#expected { min-height: 3em } /* what is below stays where it is */
main.fillable { max-width: 1280px } /* and as wide as a narrower window */
#result img, #choices img { width: 100%; height: 100%; object-fit: contain } /* small sizes too */
#result .image-container { padding-top: var(--size-7) } /* below the label */
.grid-container { margin-top: var(--size-5) } /* the same */
#gallery .grid-wrap, #earlier .grid-wrap { min-height: 0 } /* no empty rows */
#gallery:has(.preview) .gallery-container, #earlier:has(.preview) .gallery-container {
    min-height: 420px /* else the picture that is opened is hardly larger than it was */
}
#earlier .caption-label { white-space: normal; overflow-wrap: anywhere; max-width: 100% }
.given .upload-wrapper { height: calc(100% - var(--size-10)) } /* leaves room for the sources */
.given .grid-container { /* three photos in a row, none of them cut off */
    grid-template-columns: repeat(auto-fit, minmax(80px, 1fr))
}
.given .gallery-item:only-child .thumbnail-item { height: 150px; aspect-ratio: auto } /* whole */
#remove_mask { display: none }
#draw_mask { margin: auto; padding: var(--spacing-xl); border-radius: var(--radius-lg) }
#draw_mask div { position: relative; width: fit-content; margin: var(--spacing-lg) auto }
#draw_mask img { display: block; max-width: 80vw; max-height: 65vh }
#draw_mask canvas {
    position: absolute; inset: 0; width: 100%; height: 100%;
    opacity: 0.55; cursor: crosshair; touch-action: none;
}
#draw_mask form { display: flex; flex-wrap: wrap; gap: 0.5em 1em; align-items: center }
#draw_mask button { padding: 0.3em 1em; border: 1px solid; border-radius: var(--radius-md) }
#draw_mask .primary { color: white; background: var(--color-accent) }
.wrap:has(> .error) { display: none } /* the status says it; a badge stays on what is mended */
"""
# A browser asks before it leaves a page that has results. Gradio would leave the server at the same
# event, and whoever then stays would have a dead page: so this comes before Gradio.
BEFORE_ALL = """
    window.addEventListener("beforeunload", event => {
        const results = "#result img, #gallery img, #gallery video, #earlier img, #earlier video";
        if (document.querySelector(results)) {
            event.preventDefault();
            event.returnValue = true; // for older browsers
            event.stopImmediatePropagation();
        }
    });
"""
# The losses are folded away once they are there: what an accordion shows that was never open,
# Gradio loses.
ON_LOAD = """() => {
    const watcher = new MutationObserver(() => {
        const button = document.querySelector("#losses button");
        if (button) { watcher.disconnect(); button.click(); }
    });
    watcher.observe(document.body, {childList: true, subtree: true});
}"""
# In a narrow window the result is far below the button.
TO_RESULT = """() => {
    const result = document.querySelector("#result");
    if (result.getBoundingClientRect().top > window.innerHeight - 100) {
        result.scrollIntoView({behavior: "smooth"});
    }
}"""
DRAW_MASK = Path(__file__).with_name("draw_mask.js").read_text("utf-8")
MASK_IN_USE = "A mask is in use: see *More settings*."
WORDS = gr.I18n(
    en={
        "upload_text.drop_gallery": "Drop pictures here",  # else "Media"
        "common.complete": "Done",  # read to the blind; Gradio has no words for it
    }
)
# No fonts from elsewhere: the page works where only this computer can be reached.
THEME = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["monospace"])


@dataclass(frozen=True)
class Layout:
    """The components that do something.

    Attributes:
        photos, painting, keep_mask: what a visitor gives.
        example: the path of the example photo that is there, unseen; empty if there is none.
        masked_photo: the path of the photo that the mask is for, unseen.
        remove_mask: a button that is unseen, for the script that draws masks.
        mask_in_use: says that there is a mask.
        settings: a component for each of `CONTROLS`, in order; the strength is the first.
        examples: `gr.Examples` of photos and of paintings.
        start, choices, stop: the buttons.
        expected: how long a picture is expected to take, and what may surprise of the mask.
        offer: the row of small pictures to choose from.
        offer_hidden: says why that is hidden.
        offered: a small picture and its button, for each of `STRENGTHS`.
        outputs: what a painting changes, in the order of `Shown`; the first says how it goes, the
            last shows earlier results.
    """

    photos: gr.Gallery
    painting: gr.Gallery
    keep_mask: gr.Gallery
    example: gr.Textbox
    masked_photo: gr.Textbox
    remove_mask: gr.Button
    mask_in_use: gr.Markdown
    settings: list[Any]
    examples: list[Any]
    start: gr.Button
    choices: gr.Button
    stop: gr.Button
    expected: gr.Markdown
    offer: gr.Row
    offer_hidden: gr.Markdown
    offered: list[tuple[gr.Image, gr.Button]]
    outputs: list[Any]

    @property
    def inputs(self) -> list[Any]:
        """All that a visitor gives and sets."""
        return [self.photos, self.painting, self.keep_mask, *self.settings]


def lay_out(max_size: int) -> Layout:
    """Lays out the page within the `gr.Blocks` that is being built.

    Args:
        max_size: pixels of a result's longer side.
    """
    gr.Markdown(
        "# Neural style transfer\n"
        "A photo, or several, or a short clip, painted in the style of a picture.",
        elem_id="head",
    )
    with gr.Row():
        with gr.Column():
            with gr.Row():
                photos = _upload("Photos, or a clip", ["image", "video"], "photos")
                painting = _upload("Painting, no frame", ["image"], "painting")
            strength_and_size = _first_controls(max_size)
            buttons = _buttons()
            expected = gr.Markdown(elem_id="expected")
            mask_in_use = gr.Markdown(MASK_IN_USE, visible=False, elem_id="mask_in_use")
            with gr.Row(visible=False, elem_id="choices") as offer:
                offered = [_choice(each) for each in STRENGTHS]
            offer_hidden = gr.Markdown(visible=False, elem_id="choices_hidden")
            with gr.Row():
                examples = [
                    _examples("Example photos", PHOTOS, photos),
                    _examples("Example paintings", PAINTINGS, painting),
                ]
            keep_mask, *more = _more_controls()
        with gr.Column():
            outputs = _outputs()
    return Layout(
        photos=photos,
        painting=painting,
        keep_mask=keep_mask,
        example=gr.Textbox(visible=False),
        masked_photo=gr.Textbox(visible=False),
        remove_mask=gr.Button(elem_id="remove_mask"),
        mask_in_use=mask_in_use,
        settings=[*strength_and_size, *more],
        examples=examples,
        expected=expected,
        offer=offer,
        offer_hidden=offer_hidden,
        offered=offered,
        outputs=outputs,
        **buttons,
    )


def _first_controls(max_size):
    """The strength and the size."""
    with gr.Row():
        strength = gr.Slider(
            0, 1, DEFAULTS["strength"], label="Strength", info="photo ... painting"
        )
        rows = min(DEFAULT_ROWS, max_size)
        return strength, gr.Number(rows, label="Size", info="rows of the result", precision=0)


def _buttons():
    """The buttons of a `Layout`, by its names for them."""
    with gr.Row():
        return {
            "start": gr.Button("Paint", variant="primary", min_width=100, scale=2),
            "choices": gr.Button("Show me the choices", min_width=220, scale=3),
            "stop": gr.Button("Stop", min_width=100, scale=1),
        }


def _more_controls():
    """The mask, and a component for each of `CONTROLS` but the strength and the size, in order."""
    with gr.Row():
        iterations = gr.Slider(
            1,
            20,
            DEFAULTS["iterations"],
            step=1,
            label="Iterations",
            info="more of them give finer work, but take longer",
        )
        colours = gr.Dropdown(
            COLOURS,
            value=DEFAULTS["preserve_colors"],
            label="Keep the photo's colours",
            info="luma paints only brightness; the others recolour the painting first",
        )
    with gr.Accordion("More settings", open=False):
        keep_mask = _upload("Keep a part of the photo: a mask", ["image"], "keep_mask")
        draw = gr.Button("Draw the mask on the photo", size="sm")
        draw.click(None, js=DRAW_MASK)  # the browser alone does it
        gr.Markdown(
            "What you draw stays as it is in the photo, and the rest is painted. In a picture that "
            "you give, white parts stay; in a cut-out, with a transparent background, opaque parts."
        )
        with gr.Row():
            strokes = gr.Dropdown(
                STROKES, value=DEFAULTS["style_scale"], label="Strokes", info="their size"
            )
            smoothness = gr.Number(
                DEFAULTS["tv_weight"], label="Smoothness", info="weight of total variation"
            )
        with gr.Row():
            content = gr.Number(
                DEFAULTS["content_weight"], label="Content weight", info="the photo's forms"
            )
            style = gr.Number(
                DEFAULTS["style_weight"], label="Style weight", info="colours and textures"
            )
        with gr.Row():
            noise = gr.Slider(0, 1, 0, label="Noise", info="its share of the starting picture")
            seed = gr.Number(0, label="Seed", info="of the noise", precision=0)
        gr.Markdown("The command line also takes several paintings at once (`--styles`).")
    return keep_mask, iterations, colours, content, style, smoothness, noise, seed, strokes


def _outputs():
    """What a painting changes, in the order of `Shown`."""
    result = gr.Image(
        label="Result",
        format="png",
        interactive=False,
        buttons=["fullscreen"],
        height=420,
        elem_id="result",
    )
    words = gr.Markdown(what_to_do([], None), elem_id="status")
    gallery = _results("Results", "gallery")  # of several photos, or the film
    download = gr.DownloadButton(DOWNLOAD, interactive=False)
    with gr.Accordion("Losses", elem_id="losses"):
        plot = gr.Plot(show_label=False)
    earlier = _results("Earlier results (kept until you leave the page)", "earlier")
    return [words, result, plot, download, gallery, earlier]


def _choice(strength):
    """A small picture, and the button that takes its strength, as a click on it does."""
    with gr.Column(min_width=120):
        picture = gr.Image(show_label=False, interactive=False, buttons=[], height=146)
        return picture, gr.Button(
            f"Strength {strength}", variant=_mark(strength, DEFAULTS["strength"]), size="sm"
        )


def marked(chosen: float) -> list[gr.Button]:
    """How the choices' buttons look where a strength is set."""
    return [gr.Button(variant=_mark(each, chosen)) for each in STRENGTHS]


def _mark(strength, chosen):
    return "primary" if strength == chosen else "secondary"


def _results(label, elem_id):
    """A gallery of results, to look at and download; hidden while empty."""
    return gr.Gallery(
        label=label,
        columns=3,
        fit_columns=False,
        object_fit="contain",
        interactive=False,
        visible=False,
        buttons=["download", "fullscreen"],
        elem_id=elem_id,
    )


def _upload(label, file_types, elem_id):
    """Takes pictures or videos. A single one fills its place."""
    return gr.Gallery(
        label=label,
        sources=["upload", "clipboard"],
        file_types=[*file_types, *sorted(picture_suffixes())],  # no browser knows all as pictures
        height=200,
        columns=3,
        object_fit="contain",
        buttons=[],
        elem_id=elem_id,
        elem_classes="given",
    )


def _examples(label, names, component):
    """Pictures of ours to try, photos or paintings: either goes with what a visitor has given."""
    with gr.Column(min_width=200):
        samples = [[[str(EXAMPLES / f"{name}.jpg")]] for name in names]
        elem_id = f"{component.elem_id}_examples"
        return gr.Examples(samples, component, label=label, elem_id=elem_id)
