"""Decoding image files into one uint8 array."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from stackgan.data.crop import Fit, fit_square, lost_share
from stackgan.data.image_files import exif_notes, names_of, quiet, read_rgb, reason_of
from stackgan.data.records import Record
from stackgan.errors import UserError
from stackgan.progress import progress_bar

Resample = Literal["bilinear", "bicubic"]
FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
NAMED_AT_MOST = 20
WORTH_SAYING = 0.1  # of the longer side, that is lost or squeezed


@dataclass
class Findings:
    """What happened to images without a box on their way into a store, by their names."""

    lost: list[str] = field(default_factory=list)  # more than a tenth of the longer side, by data.fit
    damaged_exif: list[str] = field(default_factory=list)

    def notes(self, images: int, fit: Fit) -> list[str]:
        """Sentences for a person; `images` is how many there are in all."""
        said = exif_notes(self.damaged_exif)
        what = {
            "crop": "lose more than a tenth of their longer side to the centred square",
            "squeeze": "are squeezed by more than a tenth of their longer side",
        }
        if self.lost and fit.how in what:
            who = f"{len(self.lost)} of {images} images {what[fit.how]} (first: {names_of(self.lost)})"
            said.append(f"data.fit={fit.how}: {who}; data.fit=pad keeps the whole of each in its shape.")
        return said


def write_pixels(records: Sequence[Record], path: Path, size: int, resample: Resample, fit: Fit) -> Findings:
    """Every image as a square, into a .npy file, uint8 [N, size, size, 3], RGB, with a thread for each core.

    Raises:
        UserError: after trying all, naming the images that cannot be read.
    """
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(len(records), size, size, 3))
    shapes: list[tuple[tuple[int, int], bool] | None] = [None] * len(records)

    def fill(row: int) -> str | None:
        record = records[row]
        try:
            # CUB's boxes are measured on the pixels as stored, so there a camera's rotation mark is not obeyed.
            image, damaged = read_rgb(record.path, upright=record.box is None)
            array[row] = np.asarray(fit_square(image, size, record.box, fit, FILTERS[resample]))
            shapes[row] = image.size, damaged
        except MemoryError:
            raise
        except Exception as error:
            return f"{record.path} ({reason_of(error)})"
        return None

    threads = max(2, os.cpu_count() or 1)  # PIL lets go of the interpreter while it decodes and resizes
    with quiet(), ThreadPoolExecutor(threads) as pool:
        results = pool.map(fill, range(len(records)))
        bad = [e for e in progress_bar(len(records), "image", f"pictures to {size} px", results) if e]
    array.flush()
    if bad:
        more = f" and {len(bad) - NAMED_AT_MOST} more" if len(bad) > NAMED_AT_MOST else ""
        raise UserError(
            f"{len(bad)} images cannot be read: {', '.join(bad[:NAMED_AT_MOST])}{more}; replace or remove them, or leave them out "
            "with data.bad_images=skip."
        )
    return _findings(records, shapes)


def _findings(records: Sequence[Record], shapes: Sequence[tuple[tuple[int, int], bool] | None]) -> Findings:
    found = Findings()
    for record, shape in zip(records, shapes, strict=True):
        if shape and record.box is None:
            found.lost += [record.name] if lost_share(shape[0]) > WORTH_SAYING else []
            found.damaged_exif += [record.name] if shape[1] else []
    return found
