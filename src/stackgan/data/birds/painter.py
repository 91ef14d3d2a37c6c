"""Paints one individual: background, perch, bird, light, and the annotations that follow from its geometry."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from stackgan.data.birds.anatomy import Anatomy
from stackgan.data.birds.attributes import Individual
from stackgan.data.birds.colors import Rgb, darker, lighter, pigment, vary
from stackgan.data.birds.habitat import Scene, paint_backdrop, paint_perch, paint_water
from stackgan.data.birds.masks import cut_below, fill_where, mask_of
from stackgan.data.birds.plumage import paint_down, paint_wing_feathers, paint_wing_markings

PARTS = (
    *("back", "beak", "belly", "breast", "crown", "forehead", "left eye", "left leg", "left wing", "nape"),
    *("right eye", "right leg", "right wing", "tail", "throat"),
)
_BILL_PIGMENTS: dict[str, Rgb] = {"black": (38, 36, 38), "orange": (244, 140, 30)}
_LIGHT_GRID = 8  # light is computed on an image this many times smaller than the canvas


@dataclass(frozen=True)
class Painting:
    """One painted bird.

    image: RGB, size x size. box: x, y, width, height in pixels, the smallest box round the mask.
    parts: CUB's 15 parts, name -> (x, y) in pixels, or None where the part is out of sight.
    mask: "L", size x size, 255 where the bird is.
    """

    image: Image.Image
    box: tuple[float, float, float, float]
    parts: dict[str, tuple[float, float] | None]
    mask: Image.Image


def paint(individual: Individual, rng: np.random.Generator, size: int = 320) -> Painting:
    """Paint `individual`; pose, place, light and background are drawn from `rng`. `size` >= 32 pixels."""
    if size < 32:
        raise ValueError(f"a bird needs an image of at least 32 x 32 pixels, not {size}")
    zoom = 2 if size >= 160 else 4
    anatomy = Anatomy.build(individual, rng, size)
    scene = Scene.around(anatomy, individual, size * zoom, zoom)
    canvas = paint_backdrop(individual.habitat, scene, rng)
    paint_perch(ImageDraw.Draw(canvas), individual.habitat, scene, rng)
    silhouettes = _paint_bird(canvas, individual, anatomy, zoom, rng)
    if individual.habitat == "water":
        level = zoom * float(anatomy.landmarks["belly"][1]) + 0.03 * scene.unit
        paint_water(canvas, scene, level, rng)
        silhouettes = {name: cut_below(silhouette, level) for name, silhouette in silhouettes.items()}
    image = _light(canvas, silhouettes, zoom)
    mask = silhouettes["bird"].reduce(zoom).point([255 if value >= 128 else 0 for value in range(256)])
    left, top, right, bottom = mask.getbbox() or (0, 0, size, size)
    box = (float(left), float(top), float(right - left), float(bottom - top))
    return Painting(image, box, _locate_parts(anatomy, box, individual.habitat), mask)


def _paint_bird(
    canvas: Image.Image, individual: Individual, anatomy: Anatomy, zoom: int, rng: np.random.Generator
) -> dict[str, Image.Image]:
    """Paint the bird in flat colours and lines; return the masks of the whole bird, its head and its wing."""
    draw = ImageDraw.Draw(canvas)
    shapes = {name: _polygon(points, zoom) for name, points in anatomy.outlines.items()}
    masks = {name: mask_of(canvas.size, shapes[name]) for name in ("breast", "nape", "cap", "head", "wing")}
    torso = mask_of(canvas.size, shapes["body"], shapes["neck"], shapes["head"])
    back, breast, wing, crown = (
        pigment(getattr(individual, f"{part}_color"), rng) for part in ("back", "breast", "wing", "crown")
    )
    bill = vary(_BILL_PIGMENTS[individual.bill_color], rng, 5.0)
    line = max(1, round(0.022 * anatomy.unit * zoom))

    legs = _paint_legs(canvas, anatomy, bill, zoom, afloat=individual.habitat == "water")
    draw.polygon(shapes["tail"], fill=back, outline=darker(back), width=line)
    _paint_tail_feathers(draw, anatomy, back, zoom)
    if "crest" in shapes:
        draw.polygon(shapes["crest"], fill=crown, outline=darker(crown, 0.2), width=line)
    for part in ("body", "neck"):
        draw.polygon(shapes[part], fill=back)
    fill_where(canvas, breast, torso, masks["breast"])
    draw.polygon(shapes["head"], fill=breast)
    fill_where(canvas, back, masks["head"], masks["nape"])
    paint_down(canvas, torso, anatomy, breast, zoom, rng)
    fill_where(canvas, crown, masks["head"], masks["cap"])
    draw.polygon(shapes["wing"], fill=wing)
    paint_wing_feathers(draw, anatomy, wing, zoom)
    paint_wing_markings(canvas, masks["wing"], anatomy, individual.wing_pattern, individual.wing_color, zoom, rng)
    draw.polygon(shapes["wing"], fill=None, outline=darker(wing, 0.55), width=line)
    _paint_bill(draw, anatomy, shapes["bill"], bill, line)
    _paint_eye(draw, anatomy, zoom)
    bird = ImageChops.lighter(
        torso, mask_of(canvas.size, *(shapes[n] for n in ("tail", "wing", "bill", "crest") if n in shapes))
    )
    return {"bird": ImageChops.lighter(bird, legs), "head": masks["head"], "wing": masks["wing"]}


def _paint_legs(canvas: Image.Image, anatomy: Anatomy, color: Rgb, zoom: int, afloat: bool) -> Image.Image:
    """Two legs with three toes each; returns their mask. A bird afloat shows none."""
    mask = Image.new("L", canvas.size)
    if afloat:
        return mask
    draw, width = ImageDraw.Draw(mask), max(2, round(0.05 * anatomy.unit * zoom))
    for leg in ("far", "near"):
        hip, foot = zoom * anatomy.landmarks[f"{leg} hip"], zoom * anatomy.landmarks[f"{leg} foot"]
        draw.line((*hip, *foot), fill=255, width=width)
        for dx, dy in ((0.11, 0.02), (0.08, 0.05), (-0.07, 0.02)):
            toe = foot + zoom * anatomy.unit * np.array([dx, dy])
            draw.line((*foot, *toe), fill=255, width=max(1, round(0.7 * width)))
    fill_where(canvas, darker(color, 0.12), mask)
    return mask


def _paint_tail_feathers(draw: ImageDraw.ImageDraw, anatomy: Anatomy, color: Rgb, zoom: int) -> None:
    root, tail = zoom * anatomy.landmarks["rump"], zoom * anatomy.outlines["tail"]
    far = tail[np.argsort(-np.hypot(*(tail - root).T))[: len(tail) // 2 : 2]]
    for tip in far:
        draw.line(
            (*root, *(0.2 * root + 0.8 * tip)),
            fill=darker(color, 0.22),
            width=max(1, round(0.014 * anatomy.unit * zoom)),
        )


def _paint_bill(draw: ImageDraw.ImageDraw, anatomy: Anatomy, shape: list[float], color: Rgb, line: int) -> None:
    edge = darker(color, 0.35) if sum(color) > 200 else lighter(color, 0.2)
    draw.polygon(shape, fill=color, outline=edge, width=max(1, line // 2))


def _paint_eye(draw: ImageDraw.ImageDraw, anatomy: Anatomy, zoom: int) -> None:
    x, y = zoom * anatomy.landmarks["eye"]
    unit = anatomy.unit * zoom
    for radius, color in ((0.078, (226, 220, 206)), (0.062, (16, 15, 18))):
        r = radius * unit
        draw.ellipse((x - r, y - r, x + r, y + r), fill=color)
    r, gx, gy = 0.018 * unit, x + 0.018 * unit, y - 0.022 * unit
    draw.ellipse((gx - r, gy - r, gx + r, gy + r), fill=(250, 250, 250))


def _light(canvas: Image.Image, silhouettes: dict[str, Image.Image], zoom: int) -> Image.Image:
    """Light from above on soft round forms: brighter where a form turns up, darker below and in the wing's shadow."""
    picture, bird = canvas.reduce(zoom), silhouettes["bird"].reduce(zoom)
    box = bird.getbbox()
    if box is None:
        return picture
    small = {name: mask.reduce(_LIGHT_GRID) for name, mask in silhouettes.items()}
    side = small["bird"].size[0]
    shade = np.zeros((side, side), dtype=np.float32)
    for name, radius, strength in (("bird", 0.060, 1.7), ("head", 0.035, 0.8), ("wing", 0.030, 0.8)):
        soft = np.asarray(small[name].filter(ImageFilter.GaussianBlur(radius * side)), dtype=np.float32) / 255.0
        slope = np.gradient(soft, axis=0) * (radius * side)
        inside = np.asarray(small[name], dtype=np.float32) / 255.0
        shade += strength * slope * inside
    wing = np.asarray(small["wing"].filter(ImageFilter.GaussianBlur(0.012 * side)), dtype=np.float32) / 255.0
    shade -= 0.35 * np.roll(wing, max(1, round(0.02 * side)), axis=0) * (1.0 - wing)
    smooth = Image.fromarray(shade).resize(picture.size, Image.Resampling.BICUBIC)
    # outside the bird's box no light changes a pixel
    amount = np.asarray(smooth.crop(box)) * (np.asarray(bird.crop(box), dtype=np.float32) / 255.0)
    amount = np.clip(amount, -0.42, 0.24)[..., None]
    lit = np.asarray(picture.crop(box), dtype=np.float32) * (1.0 + amount) + 40.0 * np.maximum(amount, 0.0)  # [h, w, 3]
    picture.paste(Image.fromarray(np.clip(lit + 0.5, 0, 255).astype(np.uint8)), box)
    return picture


def _locate_parts(
    anatomy: Anatomy, box: tuple[float, float, float, float], habitat: str
) -> dict[str, tuple[float, float] | None]:
    """A bird that faces right shows its right side; on water the legs are out of sight."""
    aliases = {"right eye": "eye", "right wing": "wing", "right leg": "near foot", "left leg": "far foot"}
    left, top, width, height = box
    located: dict[str, tuple[float, float] | None] = {}
    for part in PARTS:
        point = anatomy.landmarks.get(aliases.get(part, part))
        if point is None or (habitat == "water" and part.endswith("leg")):
            located[part] = None
        else:
            x, y = point.tolist()
            located[part] = (min(max(x, left), left + width), min(max(y, top), top + height))
    return located


def _polygon(points: np.ndarray, zoom: int) -> list[float]:
    return (zoom * points).ravel().tolist()
