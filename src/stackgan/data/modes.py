"""Whatever an image file holds, as 8-bit RGB: greys of any depth, palettes, CMYK, LAB, transparency."""

import numpy as np
from PIL import Image

FULL = {"F": (1, 255, 65535), "I": (255, 65535)}  # what white can be, by mode; of 16-bit greys it is 65535
EVIDENT = 16  # an image whose brightest value is below 1/16 of white may as well be of another range
SMALL_GREYS = {
    "1": 255,
    "L;2": 85,
    "L;4": 17,
}  # by what Pillow multiplies greys of 1, 2 and 4 bits, but not the colour that is transparent
DEEP_COLOURS = "RGB;16B"  # of which Pillow keeps the upper bytes
ADVICE = "save it with 8 bits a channel"


def to_rgb(image: Image.Image) -> Image.Image:
    """Any mode to RGB; transparency over white. Greyscale becomes three equal channels.

    16-bit greys keep their upper byte. Of 32-bit integers white is 255 or 65535, of floats 1, 255 or 65535: the least of these
    that the image does not exceed. Colour profiles are not applied, but for LAB.

    Args:
        image: as `Image.open` gives it, best of a path and not loaded yet: only then the transparent colour of a PNG with less or more
            than 8 bits is found exactly.

    Raises:
        ValueError: values from which the range cannot be told.
    """
    clear = _clear(image)
    if image.mode in FULL or image.mode.startswith("I;16"):
        image = Image.fromarray(_grey(image))
    elif clear is None and image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    if clear is None:
        return image if image.mode == "RGB" else image.convert("RGB")
    pixels = np.array(image.convert("RGB"))
    pixels[clear] = 255
    return Image.fromarray(pixels)


def _clear(image: Image.Image) -> np.ndarray | None:
    """Where the one colour is that a file calls transparent, bool [H, W]; None where there is none."""
    colour = image.info.get("transparency")
    coding = _coding(image)
    if isinstance(colour, int) and (image.mode in ("1", "L", "I") or image.mode.startswith("I;16")):
        pixels = np.asarray(image.convert("L") if image.mode == "1" else image)
        return np.asarray(pixels == colour * SMALL_GREYS.get("1" if image.mode == "1" else coding, 1))
    if image.mode != "RGB" or not (isinstance(colour, tuple) and len(colour) == 3):
        return None
    file = getattr(image, "filename", "")
    if coding != DEEP_COLOURS or not file:
        return np.asarray((np.asarray(image) == colour).all(axis=2))
    values = np.asarray(image).astype(np.uint16) << 8 | _lower_bytes(file)
    return np.asarray((values == colour).all(axis=2))


def _coding(image: Image.Image) -> str:
    """How a PNG that is not loaded yet packs its pixels: Pillow's raw mode."""
    tiles = getattr(image, "tile", None)
    return str(tiles[0][3]) if image.format == "PNG" and tiles else ""


def _lower_bytes(file: str) -> np.ndarray:
    """Those of a PNG with 16 bits a channel, uint8 [H, W, 3]: read as if they came first, for Pillow keeps the others."""
    with Image.open(file) as again:
        again.tile = [(*tile[:3], "RGB;16L") for tile in again.tile]  # type: ignore[misc]
        return np.array(again)


def _grey(image: Image.Image) -> np.ndarray:
    """Greys of more than 8 bits, uint8 [H, W]. Raises ValueError where their range cannot be told."""
    values = np.asarray(image)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError(f"some of its values are no finite numbers; {ADVICE}")
    low, high = float(values.min()), float(values.max())
    choices = _whites(image)
    white = next((white for white in choices if high <= white), None)
    if low < 0 or white is None:
        raise ValueError(f"its values go from {low:g} to {high:g}, and 0 to {choices[-1]} can be read; {ADVICE}")
    if white > (1 if values.dtype.kind == "f" else 255) and 0 < high * EVIDENT < white:
        raise ValueError(
            f"its brightest value is {high:g} where white is {white}: all black, or of another range; {ADVICE}"
        )
    if values.dtype.kind == "f":
        return np.asarray(np.floor(values.astype(np.float64) * (255 / white) + 0.5), dtype=np.uint8)
    return np.asarray(values if white == 255 else values >> (white.bit_length() - 8), dtype=np.uint8)


def _whites(image: Image.Image) -> tuple[int, ...]:
    bits = getattr(image, "tag_v2", {}).get(258, ())  # BitsPerSample of a TIFF
    if image.mode.startswith("I;16"):
        return (4095,) if tuple(bits) == (12,) else (65535,)
    return (65535,) if image.format == "PPM" and image.mode == "I" else FULL[image.mode]
