"""Opening image files: upright RGB pixels, or a sentence that says why there are none."""

import logging
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

from PIL import ExifTags, Image, TiffTags, UnidentifiedImageError

from stackgan.data.crop import reference_crop
from stackgan.data.modes import to_rgb
from stackgan.data.records import SPLITS, Box, Source
from stackgan.errors import UserError
from stackgan.progress import progress_bar

BadImages = Literal["stop", "skip"]
LEFT_OUT_AT_MOST = 10  # per cent of the images: more have a cause that is to be found
NAMED_AT_MOST = 3
MISSING = "it does not exist"
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
TURNED_ASIDE = tuple(TURNS[mark] for mark in (5, 6, 7, 8))  # width and height change places
ALWAYS_RGB = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr")  # modes whose values all have a meaning

logging.getLogger("PIL").addHandler(
    logging.NullHandler()
)  # what Pillow logs of a file would be printed without its name


class Turn(NamedTuple):
    """What an image's EXIF block says about how the camera was held."""

    method: Image.Transpose | None
    damaged: bool  # something in the block cannot be read; `method` is None where that is the mark itself


def read_rgb(path: Path, *, upright: bool = True) -> tuple[Image.Image, bool]:
    """An image's first frame as RGB, see `to_rgb`, and whether its EXIF block is damaged.

    Args:
        upright: turn it as the camera's rotation mark says. Pillow turns a TIFF in any case.

    Raises:
        Exception: whatever Pillow raises at broken files; see `naming` and `reason_of`.
    """
    with Image.open(path) as image:
        early = read_turn(image) if image.format == "TIFF" else None
        rgb = to_rgb(image)
        rgb.load()
        if not upright:
            return rgb, False
        turn = early or read_turn(image)
    return (rgb if turn.method is None else rgb.transpose(turn.method)), turn.damaged


def read_turn(image: Image.Image) -> Turn:
    """The camera's rotation mark. A damaged block raises nothing.

    A TIFF turns itself while it loads and fails where its block is damaged: this comes before, and takes the damaged parts out.
    """
    method, damaged = None, False
    try:
        if block := image.info.get("exif"):
            Image.Exif().load(block)  # `getexif` fails at its first call only, which opening a JPEG may have been
        exif = image.getexif()
        if image.format == "TIFF":
            for part in (key for key in TiffTags.TAGS_V2_GROUPS if key in exif):
                exif.get_ifd(part)
        else:
            method = TURNS.get(exif.get(ExifTags.Base.Orientation, 1))
            if method is not None:
                exif.tobytes()  # only now Pillow looks at all of it
    except MemoryError:
        raise
    except Exception:
        damaged = True
        if image.format == "TIFF":
            exif = image.getexif()  # what could be read
            for part in (key for key in TiffTags.TAGS_V2_GROUPS if key in exif):
                del exif[part]
    return Turn(method, damaged)


def why_bad(path: Path, box: Box | None = None) -> str | None:
    """Why the image cannot be read, None if it can. Every byte is decoded, but as little as possible is computed."""
    try:
        with Image.open(path) as image:
            reference_crop(image.size, box)
            if image.format == "TIFF":
                read_turn(image)
            image.draft("RGB", (1, 1))  # a JPEG is read to its end, but hardly anything is computed from it
            if image.mode not in ALWAYS_RGB:
                to_rgb(image)
            image.load()
    except MemoryError:
        raise
    except Exception as error:
        return reason_of(error)
    return None


def reasons_why_bad(files: Sequence[tuple[Path, Box | None]]) -> list[str | None]:
    """`why_bad` of each, with a thread for each core and a progress bar."""
    with quiet(), ThreadPoolExecutor(max(2, os.cpu_count() or 1)) as pool:
        found = pool.map(lambda file: why_bad(*file), files)
        return list(progress_bar(len(files), "image", "checking images", found))


def leave_out_bad(source: Source) -> tuple[Source, list[tuple[str, str]]]:
    """The source without the images that cannot be read, and these: (name, reason).

    Raises:
        UserError: more than a tenth cannot be read, or a split has no image left.
    """
    reasons = reasons_why_bad([(r.path, r.box) for r in source.records])
    bad = [(r.name, reason) for r, reason in zip(source.records, reasons, strict=True) if reason]
    if len(bad) * 100 > LEFT_OUT_AT_MOST * len(source.records):
        raise UserError(
            f"{source.root}: {len(bad)} of {len(source.records)} images cannot be read ({first_of(bad)}); data.bad_images=skip leaves out "
            f"{LEFT_OUT_AT_MOST} % at most, because so many have one cause; find it, such as a wrong folder or an unfinished download."
        )
    kept = tuple(r for r, reason in zip(source.records, reasons, strict=True) if not reason)
    emptied = [s for s in SPLITS if any(r.split == s for r in source.records) and not any(r.split == s for r in kept)]
    if emptied:
        raise UserError(
            f"{source.root}: without the images that cannot be read ({first_of(bad)}) no image has split={emptied[0]}; mend them, or give "
            "the split another image (data.split=image data.split_seed=<n> divides anew)."
        )
    return replace(source, records=kept), bad


def first_of(bad: Sequence[tuple[str, str]]) -> str:
    """The first few of (name, reason), and how many more there are."""
    more = f", and {len(bad) - NAMED_AT_MOST} more" if len(bad) > NAMED_AT_MOST else ""
    return ", ".join(f"{name}: {reason}" for name, reason in bad[:NAMED_AT_MOST]) + more


def names_of(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - NAMED_AT_MOST} more" if len(names) > NAMED_AT_MOST else ""
    return ", ".join(names[:NAMED_AT_MOST]) + more


def reason_of(error: BaseException) -> str:
    """One line, without the path, about what Pillow raised."""
    match error:
        case FileNotFoundError():
            return MISSING
        case UnidentifiedImageError():
            return "it is no image of a known format, or its header is damaged"
        case Image.DecompressionBombError():
            return f"it has more than {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels; make it smaller"
        case OSError() if error.strerror:
            return error.strerror
        case OSError() | ValueError() | SyntaxError():
            return next(iter(str(error).splitlines()), "") or "it is damaged"
    return f"it is damaged: {type(error).__name__}"


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Say which file it is that cannot be read. Raises UserError."""
    try:
        with quiet():
            yield
    except (MemoryError, UserError):
        raise
    except Exception as error:
        raise UserError(f"{path} cannot be read as an image ({reason_of(error)}); replace or remove it.") from error


@contextmanager
def quiet() -> Iterator[None]:
    """Without Pillow's warnings, which name no file. Warnings are the whole process's: enter it outside of threads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def exif_notes(damaged: Iterable[str]) -> list[str]:
    """What was done with images whose EXIF block is damaged."""
    names = list(damaged)
    if not names:
        return []
    return [
        f"Images with a damaged EXIF block ({len(names)}: {names_of(names)}) are turned by its rotation mark where that can be read, "
        "else taken as stored."
    ]
