"""What is painted on a wing and on the body: markings that are an attribute, and feathers that are texture."""

import numpy as np
from PIL import Image, ImageDraw

from stackgan.data.birds.anatomy import Anatomy
from stackgan.data.birds.colors import LIGHT_PIGMENTS, PIGMENTS, Rgb, feather_line, vary
from stackgan.data.birds.masks import fill_where


def marking_color(wing_color: str) -> str:
    """The colour of the bars or spots on a wing: white, or black where the wing itself is light."""
    return "black" if wing_color in LIGHT_PIGMENTS else "white"


def paint_wing_feathers(draw: ImageDraw.ImageDraw, anatomy: Anatomy, color: Rgb, zoom: int) -> None:
    """Long flight feathers towards the tip and one row of scallops at the shoulder, as fine lines."""
    line, width = feather_line(color), max(1, round(0.016 * anatomy.unit * zoom))
    for across in (-0.035, 0.025, 0.085, 0.145):
        path = [_on_wing(anatomy, zoom, along, across * (1.0 - 0.75 * along)) for along in (0.38, 0.62, 0.84)]
        draw.line([tuple(point) for point in path], fill=line, width=width)
    radius = 0.075 * anatomy.unit * zoom
    for row, along in enumerate((0.08, 0.22)):
        for across in (-0.09, 0.03, 0.15):
            x, y = _on_wing(anatomy, zoom, along, across + 0.05 * row)
            start = np.degrees(np.arctan2(*anatomy.wing_axis[::-1])) - 75
            draw.arc((x - radius, y - radius, x + radius, y + radius), start, start + 150, fill=line, width=width)


def paint_wing_markings(
    canvas: Image.Image,
    wing: Image.Image,
    anatomy: Anatomy,
    pattern: str,
    color: str,
    zoom: int,
    rng: np.random.Generator,
) -> None:
    """Bars or spots on the wing, cut to its outline. `wing` is the wing's mask ("L", the size of the canvas)."""
    if pattern == "solid":
        return
    marks = Image.new("L", canvas.size)
    draw = ImageDraw.Draw(marks)
    if pattern == "striped":
        width = round(0.105 * anatomy.unit * zoom)
        for along in (0.10, 0.35, 0.60):
            bar = [
                _on_wing(anatomy, zoom, along + bow, across) for bow, across in ((0.0, -0.4), (0.06, 0.0), (0.0, 0.4))
            ]
            draw.line([tuple(point) for point in bar], fill=255, width=width, joint="curve")
    else:
        radius = 0.066 * anatomy.unit * zoom
        for along, across in ((0.00, 0.08), (0.13, -0.06), (0.20, 0.16), (0.36, 0.03), (0.54, -0.05), (0.55, 0.12)):
            x, y = _on_wing(anatomy, zoom, along + rng.uniform(-0.02, 0.02), across + rng.uniform(-0.015, 0.015))
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    fill = vary(PIGMENTS[marking_color(color)], rng, 4.0)
    fill_where(canvas, fill, wing, marks)


def paint_down(
    canvas: Image.Image, torso: Image.Image, anatomy: Anatomy, color: Rgb, zoom: int, rng: np.random.Generator
) -> None:
    """The small feathers of breast and belly: short soft strokes, cut to `torso` (its mask: "L", the canvas's size)."""
    unit = anatomy.unit * zoom
    strokes = Image.new("L", canvas.size)
    draw = ImageDraw.Draw(strokes)
    length = unit * 0.07 * np.array([-0.8, 0.8])
    for part in ("breast", "belly"):
        for start in zoom * anatomy.landmarks[part] + unit * rng.normal(0.0, 0.075, (10, 2)):
            draw.line((*start, *(start + length)), fill=130, width=max(1, round(0.014 * unit)))
    fill_where(canvas, feather_line(color), strokes, torso)


def _on_wing(anatomy: Anatomy, zoom: int, along: float, across: float) -> np.ndarray:
    """Canvas position at `along` (0 shoulder .. 1 tip) the wing's axis, `across` bird units below it."""
    shoulder, tip = anatomy.landmarks["shoulder"], anatomy.landmarks["wing tip"]
    axis_x, axis_y = anatomy.wing_axis
    down = np.array([axis_y, -axis_x])
    return zoom * (shoulder + along * (tip - shoulder) + across * anatomy.unit * down)
