"""Decoding picture files into one uint8 array."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageOps

from stackgan.data.crop import reference_crop
from stackgan.data.records import Record
from stackgan.errors import UserError
from stackgan.progress import progress_bar

FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
NAMED_AT_MOST = 20
_ERRORS = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)  # what PIL raises at broken files


def write_pixels(records: Sequence[Record], path: Path, size: int, resample: Literal["bilinear", "bicubic"]) -> None:
    """Crop and resize every picture into a .npy file, uint8 [N, size, size, 3], RGB, with a thread for each core.

    Raises:
        UserError: after trying all, naming the pictures that cannot be read.
    """
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(len(records), size, size, 3))

    def fill(row: int) -> str | None:
        try:
            array[row] = load_picture(records[row], size, resample)
        except _ERRORS as error:
            return f"{records[row].path} ({error})"
        return None

    threads = max(2, os.cpu_count() or 1)  # PIL lets go of the interpreter while it decodes and resizes
    with ThreadPoolExecutor(threads) as pool:
        results = pool.map(fill, range(len(records)))
        bad = [e for e in progress_bar(len(records), "image", f"pictures to {size} px", results) if e]
    array.flush()
    if bad:
        more = f" and {len(bad) - NAMED_AT_MOST} more" if len(bad) > NAMED_AT_MOST else ""
        raise UserError(
            f"{len(bad)} pictures cannot be read: {', '.join(bad[:NAMED_AT_MOST])}{more}; replace or remove them."
        )


def load_picture(record: Record, size: int, resample: Literal["bilinear", "bicubic"]) -> np.ndarray:
    """One picture, cropped to `reference_crop` and resized, as uint8 [size, size, 3], RGB.

    Transparent parts become white. A camera's rotation mark is obeyed where there is no box; CUB's boxes are measured
    on the pixels as stored, so there it is not.
    """
    with Image.open(record.path) as opened:
        image: Image.Image = opened
        if record.box is None:
            image = ImageOps.exif_transpose(image)
        window = reference_crop(image.size, record.box)
        if window[0] >= window[2] or window[1] >= window[3]:
            raise ValueError(f"the box {record.box} lies outside the {image.size[0]} x {image.size[1]} pixels")
        image = to_rgb(image).crop(window).resize((size, size), FILTERS[resample])
        return np.asarray(image, dtype=np.uint8)


def to_rgb(image: Image.Image) -> Image.Image:
    """Any mode to RGB; transparency over white. Greyscale becomes three equal channels."""
    if image.mode == "RGB":
        return image
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    if image.mode.startswith("I;16"):  # PIL's own conversion clips 16-bit greys instead of scaling them
        return Image.fromarray((np.asarray(image, dtype=np.uint16) >> 8).astype(np.uint8)).convert("RGB")
    return image.convert("RGB")
