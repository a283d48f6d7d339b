"""What a comparison is shown as: a sheet of labelled pictures, and a page with their commands."""

import html
import itertools
import os
import re
import urllib.parse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from stylize.apps.folder.pictures import linked_picture
from stylize.apps.html_page import html_page
from stylize.backend.files import replacing
from stylize.errors import printable

GAP, LINE = 16, 24  # pixels between pictures, and of a line of text
TALLEST = 400  # pixels of a picture on the sheet
MOST_LINES = 12  # of a text below a picture
INK, PAPER = "#222", "white"
PIECE = re.compile(r"[^\s,_/-]*[\s,_/-]*")  # that a line may end after
OPTION = re.compile(r"(?<!\S)(--\w+)")  # in a command; no line is to end between its hyphens
STYLE = """main {{ display: grid; gap: 1rem; grid-template-columns: repeat({columns}, 1fr) }}
figure {{ margin: 0; min-width: 0 }}
img {{ display: block; max-width: 100% }}
code {{ display: block; padding: .3rem; background: #eee }}
code {{ user-select: all; overflow-wrap: anywhere }}
code span {{ white-space: nowrap }}
main img {{ width: 100%; max-height: 80vh; object-fit: contain; object-position: left }}
header {{ display: flex; flex-wrap: wrap; gap: 1rem; margin-bottom: 1rem }}
header img {{ max-height: 10rem }}
@media (max-width: 40rem) {{ main {{ display: block }} }}
"""
BODY = """<header>
{given}
</header>
<p>{advice} <a href="{sheet}">All on one sheet</a>
<main>
{figures}
</main>
<script>
for (const button of document.querySelectorAll("button")) button.onclick = () => {{
  getSelection().selectAllChildren(button.previousElementSibling)
  navigator.clipboard.writeText(button.previousElementSibling.textContent)
  button.textContent = "Copied"
}}
</script>
"""
FIGURE = """<figure>
{shown}
<figcaption>{label}</figcaption>
<code>{command}</code> <button>Copy</button>
</figure>"""
PICTURE = '<a href="{address}"><img src="{address}" alt=""></a>'


class Cell(NamedTuple):
    """A picture on the sheet, and the lines below it. Without one, these say why."""

    image: Image.Image | None
    lines: Sequence[str]


def draw_sheet(given: Sequence[Cell], cells: Sequence[Cell], columns: int) -> Image.Image:
    """Draws pictures in rows, with their labels, and small in the corner what they are made of.

    Args:
        given: the photo and the paintings.
        cells: the pictures, row by row.
        columns: in a row.
    """
    tallest = min(TALLEST, max([cell.image.height for cell in cells if cell.image] or [TALLEST]))
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    drawn = [[_draw_cell(cell, tallest) for cell in row] for row in rows]
    width = max(tile.width for tile in itertools.chain(*drawn))
    strips = [_side_by_side([_draw_cell(cell, tallest // 2) for cell in given])]
    strips += [_side_by_side(row, width) for row in drawn]
    height = sum(strip.height for strip in strips) + GAP
    sheet = Image.new("RGB", (max(strip.width for strip in strips), height), PAPER)
    top = 0
    for strip in strips:
        sheet.paste(strip, (0, top))
        top += strip.height
    return sheet


def _side_by_side(tiles, width=0):
    """Tiles in a row, each in a place at least so wide, with gaps before, between and after."""
    widths = [max(width, tile.width) for tile in tiles]
    height = GAP + max(tile.height for tile in tiles)
    strip = Image.new("RGB", (sum(widths) + GAP * (len(tiles) + 1), height), PAPER)
    left = GAP
    for tile, own in zip(tiles, widths, strict=True):
        strip.paste(tile, (left, GAP))
        left += own + GAP
    return strip


def _draw_cell(cell, rows):
    """A picture, with so many rows, and the texts below it, on as many lines as they need."""
    image = cell.image or Image.new("RGB", (rows, rows), "#ddd")
    image = image.resize((max(1, round(image.width * rows / image.height)), rows), 3)
    width, font = max(image.width, 5 * LINE), ImageFont.load_default(0.7 * LINE)
    texts = map(printable, cell.lines)  # names may break lines
    lines = [line for text in texts for line in _wrapped(text, width, font)]
    tile = Image.new("RGB", (width, rows + LINE * len(lines) + LINE // 4), PAPER)
    tile.paste(image)
    draw = ImageDraw.Draw(tile)
    for number, line in enumerate(lines):
        draw.text((0, rows + LINE // 4 + LINE * number), line, INK, font)
    return tile


def _wrapped(text, width, font):
    """A text in lines of at most so many pixels. It ends with a mark where it needs too many."""
    lines = [""]
    for piece in PIECE.findall(text):
        if lines[-1] and font.getlength(lines[-1] + piece.rstrip()) > width:
            lines.append("")
        for character in piece:
            if lines[-1] and font.getlength(lines[-1] + character.strip()) > width:
                lines.append("")
            lines[-1] += character
    if len(lines) > MOST_LINES:
        lines[MOST_LINES - 1 :] = [f"{lines[MOST_LINES - 1][:-1]}…"]
    return lines


class Exhibit(NamedTuple):
    """What the page shows of a choice: its picture, a label, the command, why there is none."""

    path: Path
    label: str
    command: str
    error: str = ""


def write_page(
    path: Path,
    sheet: Path,
    given: Sequence[Path],
    painted: Iterable[Exhibit],
    columns: int,
    advice: str,
) -> None:
    """Writes the page of a comparison, whole or not at all. Raises OSError.

    Args:
        path: of the page.
        sheet: in the same folder.
        given: the photo and the paintings.
        painted: the pictures, row by row.
        columns: in a row.
        advice: what to do with them.
    """
    figures = "\n".join(
        FIGURE.format(
            shown=html.escape(each.error)
            or PICTURE.format(address=address_in(each.path.relative_to(path.parent))),
            label=html.escape(each.label),
            command=OPTION.sub(r"<span>\1</span>", html.escape(each.command)),
        )
        for each in painted
    )
    photo, *paintings = (picture.name for picture in given)
    title = html.escape(f"{photo} in the style of {' or '.join(paintings)}")
    body = BODY.format(
        given="\n".join(linked_picture(picture, None, path.parent) for picture in given),
        advice=advice,
        sheet=address_in(Path(sheet.name)),
        figures=figures,
    )
    page = html_page(title, STYLE.format(columns=columns), body)
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8", errors="backslashreplace")


def address_in(path: Path) -> str:
    """A relative path as a page has it: of any name, its bytes."""
    return urllib.parse.quote(os.fsencode(path.as_posix()))
