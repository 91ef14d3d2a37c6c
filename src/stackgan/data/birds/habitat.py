"""What is behind and under the bird: a soft, blurred background and one perch, rock, floor or sheet of water."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from stackgan.data.birds.anatomy import Anatomy, smooth
from stackgan.data.birds.attributes import Individual
from stackgan.data.birds.colors import Rgb, darker, lighter, mix, vary

# Muted so that the bird, in full colours, stands out: upper and lower colour of the sky or greenery behind it.
_BACKDROPS: dict[str, tuple[tuple[Rgb, Rgb], ...]] = {
    "branch": (((166, 194, 212), (186, 206, 196)), ((122, 152, 108), (98, 130, 92))),
    "reed": (((186, 190, 148), (150, 160, 112)), ((170, 186, 176), (158, 166, 120))),
    "rock": (((158, 180, 200), (176, 182, 180)), ((188, 186, 180), (152, 158, 154))),
    "water": (((150, 176, 180), (132, 160, 168)), ((176, 190, 196), (146, 170, 180))),
    "ground": (((146, 168, 130), (122, 148, 104)), ((172, 184, 172), (140, 158, 120))),
}
_WOOD, _LEAF, _STONE = (104, 82, 62), (92, 132, 66), (134, 128, 122)
_REED, _SEEDS = (146, 138, 74), (110, 80, 54)
_WATER, _EARTH, _GRASS = (98, 138, 154), (154, 134, 104), (104, 134, 74)
_PERCH_SCALE = {"small_(5_-_9_in)": 1.45, "medium_(9_-_16_in)": 1.0, "large_(16_-_32_in)": 0.68}
_SMALL = 40  # side of the image in which soft things are painted before they are enlarged


@dataclass(frozen=True)
class Scene:
    """Everything a perch needs to know, in canvas pixels (`zoom` canvas pixels to one image pixel)."""

    feet: np.ndarray  # float64 [2]: between the feet
    unit: float  # the bird's unit of length
    scale: float  # perch size relative to the bird
    side: int

    @staticmethod
    def around(anatomy: Anatomy, individual: Individual, side: int, zoom: int) -> "Scene":
        feet = (anatomy.landmarks["near foot"] + anatomy.landmarks["far foot"]) / 2.0
        scale = _PERCH_SCALE[individual.size]
        return Scene(zoom * feet, zoom * anatomy.unit, scale, side)


def paint_backdrop(habitat: str, scene: Scene, rng: np.random.Generator) -> Image.Image:
    """A smooth background of `scene.side` pixels: a gradient and a few blurred blobs."""
    top, bottom = _BACKDROPS[habitat][rng.integers(len(_BACKDROPS[habitat]))]
    ramp = np.linspace(0.0, 1.0, _SMALL)[:, None, None]
    colors = (1 - ramp) * np.asarray(vary(top, rng, 7.0)) + ramp * np.asarray(vary(bottom, rng, 7.0))
    small = Image.fromarray(np.broadcast_to(np.clip(colors, 0, 255), (_SMALL, _SMALL, 3)).astype(np.uint8))
    draw = ImageDraw.Draw(small)
    middle = mix(top, bottom, 0.5)
    for _ in range(9):
        x, y, r = rng.uniform(0, _SMALL), rng.uniform(0, _SMALL), rng.uniform(3, 8)
        tint = lighter(middle, 0.22) if rng.random() < 0.6 else darker(middle, 0.16)
        stretch = 2.2 if habitat == "reed" else 1.0
        draw.ellipse((x - r / stretch, y - r * stretch, x + r / stretch, y + r * stretch), fill=vary(tint, rng, 5.0))
    small = small.filter(ImageFilter.GaussianBlur(3.0))
    return small.resize((scene.side, scene.side), Image.Resampling.BICUBIC)


def paint_perch(draw: ImageDraw.ImageDraw, habitat: str, scene: Scene, rng: np.random.Generator) -> None:
    """Paint what the bird stands on (nothing on water: see `paint_water`)."""
    if habitat == "branch":
        _branch(draw, scene, rng)
    elif habitat == "reed":
        _reeds(draw, scene, rng)
    elif habitat == "rock":
        _rock(draw, scene, rng)
    elif habitat == "ground":
        _ground(draw, scene, rng)


def paint_water(canvas: Image.Image, scene: Scene, level: float, rng: np.random.Generator) -> None:
    """Water over everything below `level` (canvas pixels), with ripples that close round the bird."""
    draw = ImageDraw.Draw(canvas)
    color = vary(_WATER, rng, 8.0)
    _fill_below(draw, level, color, scene.side)
    half = 0.75 * scene.unit
    x = scene.feet[0]
    draw.chord((x - half, level - 0.2 * half, x + half, level + 0.2 * half), 0, 180, fill=darker(color, 0.2))
    width = max(1, round(0.025 * scene.unit))
    for i in range(7):
        y = level + scene.unit * (0.05 + 0.11 * i)
        x = scene.feet[0] + rng.uniform(-0.5, 0.5) * scene.unit
        half = scene.unit * rng.uniform(0.5, 1.1) * scene.scale**-0.5
        draw.arc(
            (x - half, y - 0.05 * half, x + half, y + 0.05 * half), 10, 170, fill=lighter(color, 0.35), width=width
        )


def _branch(draw: ImageDraw.ImageDraw, scene: Scene, rng: np.random.Generator) -> None:
    thick = 0.105 * scene.unit * scene.scale
    slope, bend = rng.uniform(-0.10, 0.10), rng.uniform(-0.03, 0.03)
    x = np.linspace(-0.05 * scene.side, 1.05 * scene.side, 14)
    offset = (x - scene.feet[0]) / scene.side
    y = scene.feet[1] + thick * 0.7 + scene.side * (slope * offset + bend * offset**2)
    wood = vary(_WOOD, rng, 8.0)
    for share, shift, color in ((1.0, 0.0, darker(wood, 0.3)), (0.72, -0.14, wood), (0.24, -0.42, lighter(wood, 0.22))):
        half = share * thick * (1.15 - 0.3 * x / scene.side)
        edge = np.concatenate(
            [np.stack([x, y + shift * thick - half], -1), np.stack([x, y + shift * thick + half], -1)[::-1]]
        )
        draw.polygon(edge.ravel().tolist(), fill=color)
    for beside in (-1, -1, 1, 1):
        at = scene.feet[0] + beside * rng.uniform(0.30, 0.52) * scene.side
        angle = rng.uniform(-150, -30) if rng.random() < 0.7 else rng.uniform(40, 140)
        _leaf(draw, np.array([at, np.interp(at, x, y)]), angle, scene, rng)


def _leaf(draw: ImageDraw.ImageDraw, root: np.ndarray, degrees: float, scene: Scene, rng: np.random.Generator) -> None:
    length = scene.unit * scene.scale * rng.uniform(0.42, 0.58)
    along = length * np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
    across = 0.24 * np.array([-along[1], along[0]])
    green = vary(_LEAF, rng, 10.0)
    tip, middle = root + along, root + 0.5 * along
    outline = [root, root + 0.25 * along + 0.8 * across, middle + across, root + 0.8 * along + 0.6 * across, tip]
    lower = [root + 0.8 * along - 0.6 * across, middle - across, root + 0.25 * along - 0.8 * across]
    draw.polygon(np.concatenate([outline, lower]).ravel().tolist(), fill=green)
    draw.polygon(np.concatenate([[root], lower[::-1], [tip]]).ravel().tolist(), fill=darker(green, 0.16))
    draw.line((*root, *(root + 0.9 * along)), fill=lighter(green, 0.25), width=max(1, round(0.014 * scene.unit)))


def _reeds(draw: ImageDraw.ImageDraw, scene: Scene, rng: np.random.Generator) -> None:
    """A few stems with seed heads beside the bird, and the leaning one that it holds on to."""
    floor = 1.02 * scene.side
    for beside in (-1, 1, 1) if rng.random() < 0.5 else (-1, -1, 1):
        x = scene.feet[0] + beside * rng.uniform(0.26, 0.46) * scene.side
        tip = (x + rng.uniform(-0.05, 0.05) * scene.side, rng.uniform(0.12, 0.5) * scene.side)
        _stem(draw, (x, floor), tip, 0.6, scene, rng)
        half = 0.055 * scene.unit * scene.scale
        draw.ellipse((tip[0] - half, tip[1], tip[0] + half, tip[1] + 7 * half), fill=vary(_SEEDS, rng, 6.0))
    (x, y), slant = scene.feet, 0.32
    _stem(draw, (x - slant * (floor - y), floor), (x + slant * 0.5 * y, 0.5 * y), 1.0, scene, rng)


def _stem(
    draw: ImageDraw.ImageDraw,
    foot: tuple[float, float],
    tip: tuple[float, float],
    width: float,
    scene: Scene,
    rng: np.random.Generator,
) -> None:
    color, half = vary(_REED, rng, 9.0), 0.06 * width * scene.unit * scene.scale
    draw.polygon((foot[0] - half, foot[1], tip[0] - 0.4 * half, tip[1], *tip, foot[0] + half, foot[1]), fill=color)
    draw.polygon((*foot, *tip, tip[0] + 0.4 * half, tip[1], foot[0] + half, foot[1]), fill=darker(color, 0.2))


def _rock(draw: ImageDraw.ImageDraw, scene: Scene, rng: np.random.Generator) -> None:
    (x, y), u = scene.feet, scene.unit * scene.scale
    half, floor = rng.uniform(1.05, 1.35) * u, 1.05 * scene.side
    stone = vary(_STONE, rng, 9.0)
    drop = floor - y
    shape = np.array(
        [(-1.15, 1.0), (-1.0, 0.45), (-0.72, 0.10), (-0.2, -0.06), (0.3, -0.05), (0.8, 0.14), (1.05, 0.5), (1.2, 1.0)]
    )
    edge = np.array([x, y + 0.04 * scene.unit]) + shape * [half, drop]
    draw.polygon(smooth(edge).ravel().tolist(), fill=darker(stone, 0.14))
    top = np.array([(-0.95, 0.42), (-0.70, 0.12), (-0.2, -0.05), (0.3, -0.04), (0.78, 0.15), (0.2, 0.26), (-0.4, 0.24)])
    draw.polygon(
        smooth(np.array([x, y + 0.04 * scene.unit]) + top * [half, drop]).ravel().tolist(), fill=lighter(stone, 0.16)
    )


def _ground(draw: ImageDraw.ImageDraw, scene: Scene, rng: np.random.Generator) -> None:
    side, level = scene.side, scene.feet[1] - 0.22 * scene.unit
    earth = vary(_EARTH if rng.random() < 0.5 else mix(_GRASS, _EARTH, 0.25), rng, 8.0)
    _fill_below(draw, level, earth, side)
    half = 0.6 * scene.unit
    x, y = scene.feet
    draw.ellipse((x - half, y - 0.08 * half, x + half, y + 0.2 * half), fill=darker(earth, 0.28))
    for _ in range(7):
        root = np.array([rng.uniform(0, side), rng.uniform(level + 0.1 * scene.unit, side)])
        for blade in (-0.35, 0.0, 0.3):
            tip = root + scene.unit * scene.scale * np.array([blade, -rng.uniform(0.25, 0.4)]) * 0.8
            w = 0.03 * scene.unit * scene.scale
            draw.polygon((root[0] - w, root[1], *tip, root[0] + w, root[1]), fill=vary(_GRASS, rng, 9.0))


def _fill_below(draw: ImageDraw.ImageDraw, level: float, color: Rgb, side: int, bands: int = 24) -> None:
    """`color` from `level` down, slowly darkening."""
    for i in range(bands):
        top = level + i * (side - level) / bands
        draw.rectangle((0, top, side, side), fill=darker(color, 0.3 * i / bands))
