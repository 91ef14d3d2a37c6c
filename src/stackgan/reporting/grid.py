"""A captioned grid of pictures. The pictures are the network's exact pixels, repeated where they are enlarged; captions go around them.

The PNG of a grid says in a text chunk where its pictures are, so that a page can take it apart again and set pictures of
several runs side by side.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from stackgan.data.files import replacing

GAP, MARGIN, LABEL = 4, 8, 58
PAPER, INK, GREY = (255, 255, 255), (20, 20, 20), (120, 120, 120)
CHUNK = "stackgan-grid"  # keyword of the PNG text chunk


@dataclass(frozen=True)
class Column:
    """One caption: its pictures from top to bottom, uint8 [H, W, 3] each."""

    caption: str
    pictures: Sequence[np.ndarray]


@dataclass(frozen=True)
class GridLayout:
    """Where the pictures of a grid are. Lengths in pixels of the page."""

    captions: list[str]  # of the columns
    rows: list[str]  # labels
    left: int  # of the first picture
    top: int
    side: int  # of a picture as drawn
    step: int  # from one picture to the next
    factor: int  # by which pictures are enlarged


def draw_grid(columns: Sequence[Column], rows: Sequence[str], title: str = "", cell: int = 128) -> Image.Image:
    """One column per caption, one labelled row per picture of it.

    Args:
        columns: each with as many pictures as there are rows.
        rows: labels, such as "real" and "1", "2".
        title: one line above everything.
        cell: least side of a picture on the page; smaller ones are enlarged by a whole factor.
    """
    side = columns[0].pictures[0].shape[0]
    factor = max(1, cell // side)
    side *= factor
    font, small = ImageFont.load_default(size=13), ImageFont.load_default(size=11)
    captions = [wrap(column.caption, side, small) for column in columns]
    top = MARGIN + (22 if title else 0)
    caption_height = 14 * max(len(lines) for lines in captions) + 6
    width = LABEL + len(columns) * (side + GAP) + MARGIN
    height = top + caption_height + len(rows) * (side + GAP) + MARGIN
    page = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((MARGIN, MARGIN), title, INK, font)
    for i, (column, lines) in enumerate(zip(columns, captions, strict=True)):
        x = LABEL + i * (side + GAP)
        draw.multiline_text((x, top), "\n".join(lines), INK, small, spacing=2)
        for j, picture in enumerate(column.pictures):
            enlarged = picture.repeat(factor, axis=0).repeat(factor, axis=1)
            page.paste(Image.fromarray(enlarged), (x, top + caption_height + j * (side + GAP)))
    for j, label in enumerate(rows):
        draw.text((MARGIN, top + caption_height + j * (side + GAP) + side // 2 - 8), label, GREY, font)
    layout = GridLayout([c.caption for c in columns], list(rows), LABEL, top + caption_height, side, side + GAP, factor)
    page.info[CHUNK] = json.dumps(asdict(layout))
    return page


def save_grid(page: Image.Image, path: Path) -> None:
    """Write a drawn grid as PNG with its layout, atomically: the study page may read it at any moment."""
    chunks = PngInfo()
    chunks.add_itxt(CHUNK, page.info[CHUNK])
    with replacing(path) as temporary:
        page.save(temporary, format="PNG", pnginfo=chunks)


def grid_layout(page: Image.Image) -> GridLayout | None:
    """The layout that a grid's PNG carries; None where it has none, or one that is not ours."""
    try:
        layout = GridLayout(**json.loads(page.info[CHUNK]))
        right = layout.left + len(layout.captions) * layout.step - GAP
        bottom = layout.top + len(layout.rows) * layout.step - GAP
        sound = layout.captions and layout.rows and min(layout.left, layout.top) >= 0
        sound = sound and layout.step >= layout.side >= layout.factor >= 1
        return layout if sound and right <= page.width and bottom <= page.height else None
    except (KeyError, TypeError, ValueError):
        return None


def grid_pictures(page: Image.Image, layout: GridLayout) -> np.ndarray:
    """A grid's pictures as the network drew them, uint8 [rows, columns, H, W, 3]."""
    pixels = np.asarray(page.convert("RGB"))
    side, step, factor = layout.side, layout.step, layout.factor
    return np.stack(
        [
            [
                pixels[y : y + side : factor, x : x + side : factor]
                for x in range(layout.left, layout.left + len(layout.captions) * step, step)
            ]
            for y in range(layout.top, layout.top + len(layout.rows) * step, step)
        ]
    )


def wrap(text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, most: int = 6) -> list[str]:
    """Break a caption into lines of at most `width` pixels; at most `most` lines, the last one cut with an ellipsis."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > most:
        lines = [*lines[: most - 1], lines[most - 1].rstrip(".,") + " …"]
    return lines
