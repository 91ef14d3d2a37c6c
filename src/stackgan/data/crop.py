"""Which part of an image is trained on, and how it becomes a square."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from stackgan.data.records import Box

Window = tuple[int, int, int, int]  # left, upper, right, lower, in pixels, as PIL's crop takes it
WINDOW_SHARE = (64, 76)  # of a store's side: the centred window of training


@dataclass(frozen=True)
class Fit:
    """How an image without a box becomes a square."""

    how: Literal["crop", "pad", "squeeze"] = "crop"
    padding: Literal["border", "white"] = "border"  # what is round the whole image with "pad"

    def key(self) -> tuple[str, ...]:
        """What a fingerprint gains by it: nothing at the default."""
        return {"crop": (), "squeeze": ("squeeze",), "pad": ("pad", self.padding)}[self.how]


CROP = Fit()


def reference_crop(image_size: tuple[int, int], box: Box | None) -> Window:
    """The square around a bird that both StackGAN references cut out.

    With a box (x, y, width, height): R = int(0.75 max(width, height)); the square of side 2R on the box's centre,
    clipped to the picture (StackGAN-Pytorch `datasets.py`, StackGAN `misc/preprocess_birds.py`). A clipped square is no
    square any more and the references still resize it to one, squashing the bird; this is kept, because published
    scores rest on it.

    Without a box the references resize the whole picture, whatever its shape. Here it is the centred square: pictures
    in a folder of one's own come in all shapes, and a network taught on squashed ones draws squashed things.

    Args:
        image_size: width, height of the original.
        box: x, y, width, height, or None.

    Raises:
        ValueError: the box lies outside of the image.
    """
    width, height = image_size
    if box is None:
        side = min(width, height)
        left, upper = (width - side) // 2, (height - side) // 2
        return left, upper, left + side, upper + side
    x, y, box_width, box_height = box
    radius = int(max(box_width, box_height) * 0.75)
    centre_x, centre_y = int((2 * x + box_width) / 2), int((2 * y + box_height) / 2)
    window = (
        max(0, centre_x - radius),
        max(0, centre_y - radius),
        min(width, centre_x + radius),
        min(height, centre_y + radius),
    )
    if window[0] >= window[2] or window[1] >= window[3]:
        raise ValueError(f"the box {box} lies outside the {width} x {height} pixels")
    return window


def fit_square(image: Image.Image, size: int, box: Box | None, fit: Fit, resample: Image.Resampling) -> Image.Image:
    """An RGB image as a square of `size` px: `reference_crop` with a box, else as `fit` says. Raises ValueError as that does."""
    if box is not None or fit.how == "crop":
        return image.crop(reference_crop(image.size, box)).resize((size, size), resample)
    if fit.how == "squeeze":
        return image.resize((size, size), resample)
    inner = size * WINDOW_SHARE[0] // WINDOW_SHARE[1]
    width, height = (max(1, round(side * inner / max(image.size))) for side in image.size)
    page = Image.new("RGB", (size, size), border_colour(image) if fit.padding == "border" else "white")
    page.paste(image.resize((width, height), resample), ((size - width) // 2, (size - height) // 2))
    return page


def border_colour(image: Image.Image) -> tuple[int, int, int]:
    """The median of an RGB image's outermost pixels, channel by channel."""
    width, height = image.size
    edges = ((0, 0, width, 1), (0, height - 1, width, height), (0, 0, 1, height), (width - 1, 0, width, height))
    ring = np.concatenate([np.asarray(image.crop(edge)).reshape(-1, 3) for edge in edges])
    red, green, blue = np.median(ring, axis=0).astype(int).tolist()
    return red, green, blue


def lost_share(image_size: tuple[int, int]) -> float:
    """Which part of its longer side an image loses to the centred square, 0 to 1."""
    return 1 - min(image_size) / max(image_size)
