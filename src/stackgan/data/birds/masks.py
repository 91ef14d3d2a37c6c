"""Masks ("L" images of the canvas's size, 255 inside) and painting through them."""

from PIL import Image, ImageChops, ImageDraw

from stackgan.data.birds.colors import Rgb


def mask_of(size: tuple[int, int], *shapes: list[float]) -> Image.Image:
    """The union of polygons, each a flat list x0, y0, x1, y1, ... in canvas pixels."""
    mask = Image.new("L", size)
    draw = ImageDraw.Draw(mask)
    for shape in shapes:
        draw.polygon(shape, fill=255)
    return mask


def fill_where(canvas: Image.Image, color: Rgb, mask: Image.Image, *others: Image.Image) -> None:
    """Paint `color` on the canvas where all the masks are set. Works on the first mask's box: pasting is what costs."""
    box = mask.getbbox()
    if box is None:
        return
    inside = mask.crop(box)
    for other in others:
        inside = ImageChops.multiply(inside, other.crop(box))
    canvas.paste(color, box, inside)


def cut_below(mask: Image.Image, level: float) -> Image.Image:
    """The mask without what lies below the row `level`."""
    cut = mask.copy()
    cut.paste(0, (0, round(level), *mask.size))
    return cut
