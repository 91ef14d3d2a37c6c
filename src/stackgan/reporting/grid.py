"""A captioned grid of pictures. The pictures are the network's exact pixels, repeated where they are enlarged; captions go around them.

The PNG of a grid says in a text chunk where its pictures are, so that a page can take it apart again and set pictures of
several runs side by side.
"""

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from stackgan.data.files import replacing
from stackgan.evaluation.picture_files import GRID_CHUNK
from stackgan.reporting.fonts import Font, fonts_for

GAP, MARGIN, LABEL = 4, 8, 58
LINE, BASELINE = 14, 11  # of captions: from one line to the next, and from a line's top
PAPER, INK, GREY = (255, 255, 255), (20, 20, 20), (120, 120, 120)
IDEOGRAPHS = (
    "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # and kana: a line may end after each
)
CLOSING = "\u3001\u3002\uff0c\uff0e\uff01\uff1f\uff09\u300d\u300f\u30fc"  # begins no line
UNIT = re.compile(f"[{IDEOGRAPHS}][{CLOSING}]*|[^{IDEOGRAPHS}]+")


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
    font, fonts = ImageFont.load_default(size=13), fonts_for([column.caption for column in columns], 11)
    captions = [wrap(column.caption, side, small) for column, small in zip(columns, fonts, strict=True)]
    top = MARGIN + (22 if title else 0)
    caption_height = LINE * max(len(lines) for lines in captions) + 6
    width = LABEL + len(columns) * (side + GAP) + MARGIN
    height = top + caption_height + len(rows) * (side + GAP) + MARGIN
    page = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((MARGIN, MARGIN), title, INK, font)
    for i, (column, lines, small) in enumerate(zip(columns, captions, fonts, strict=True)):
        x = LABEL + i * (side + GAP)
        for row, line in enumerate(lines):
            draw.text((x, top + row * LINE + BASELINE), line, INK, small, anchor="ls")
        for j, picture in enumerate(column.pictures):
            enlarged = picture.repeat(factor, axis=0).repeat(factor, axis=1)
            page.paste(Image.fromarray(enlarged), (x, top + caption_height + j * (side + GAP)))
    for j, label in enumerate(rows):
        draw.text((MARGIN, top + caption_height + j * (side + GAP) + side // 2 - 8), label, GREY, font)
    layout = GridLayout([c.caption for c in columns], list(rows), LABEL, top + caption_height, side, side + GAP, factor)
    page.info[GRID_CHUNK] = json.dumps(asdict(layout))
    return page


def save_grid(page: Image.Image, path: Path) -> None:
    """Write a drawn grid as PNG with its layout, atomically: the study page may read it at any moment."""
    chunks = PngInfo()
    chunks.add_itxt(GRID_CHUNK, page.info[GRID_CHUNK])
    with replacing(path) as temporary:
        page.save(temporary, format="PNG", pnginfo=chunks)


def grid_layout(page: Image.Image) -> GridLayout | None:
    """The layout that a grid's PNG carries; None where it has none, or one that is not ours."""
    try:
        layout = GridLayout(**json.loads(page.info[GRID_CHUNK]))
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


def wrap(text: str, width: int, font: Font, most: int = 6) -> list[str]:
    """Break a caption into lines of at most `width` pixels; at most `most` lines, the last one cut with an ellipsis.

    Lines end at blanks, between Chinese characters or kana, and inside a word that is longer than a line.
    """
    lines = [""]
    for blank, unit in _units(text):
        longer = lines[-1] + (blank if lines[-1] else "") + unit
        if font.getlength(longer) <= width:
            lines[-1] = longer
            continue
        parts = _cut(unit, width, font)
        lines = [*lines, *parts] if lines[-1] else parts
    if len(lines) > most:
        last = lines[most - 1].rstrip(".,")
        while last and font.getlength(last + " …") > width:
            last = last[:-1].rstrip()
        lines = [*lines[: most - 1], last + " …"]
    return lines


def _units(text: str) -> list[tuple[str, str]]:
    """What a line is not broken in, each with the blank before it, if any."""
    units = []
    for word in text.split():
        parts = UNIT.findall(word)
        units += [(" ", parts[0]), *(("", part) for part in parts[1:])]
    return units


def _cut(unit: str, width: int, font: Font) -> list[str]:
    """A unit in pieces of at most `width` pixels, or of one letter with its marks."""
    parts = [""]
    for char in unit:
        joins = unicodedata.category(char)[0] in "MC" or font.getlength(parts[-1] + char) <= width
        if joins or not parts[-1]:
            parts[-1] += char
        else:
            parts.append(char)
    return parts
