"""A captioned grid of pictures. The pictures are the network's exact pixels, repeated where they are enlarged; captions go around them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

GAP, MARGIN, LABEL = 4, 8, 58
PAPER, INK, GREY = (255, 255, 255), (20, 20, 20), (120, 120, 120)


@dataclass(frozen=True)
class Column:
    """One caption: its pictures from top to bottom, uint8 [H, W, 3] each."""

    caption: str
    pictures: Sequence[np.ndarray]


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
    return page


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
