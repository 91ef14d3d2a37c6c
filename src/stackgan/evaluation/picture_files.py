"""Image files from elsewhere that are to be judged: which they are, and whether they can be. No torch here."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from stackgan.data.image_files import (
    TURNED_ASIDE,
    BadImages,
    exif_notes,
    first_of,
    names_of,
    quiet,
    read_turn,
    reason_of,
    reasons_why_bad,
)
from stackgan.data.image_index import UNREAD
from stackgan.errors import UserError

LEAST_SIDE = 8  # pixels; frames and features have no meaning below
GRID_CHUNK = "stackgan-grid"  # keyword of the PNG text chunk that a grid carries
GRID_NAME = re.compile(r"grid(-\d{3,})?\.png")
MANIFEST = "manifest.jsonl"

NO_FORMATS = ("BUFR", "GRIB", "HDF5", "MPEG", "PDF")  # Pillow knows the names of such files and reads no pixels


@dataclass(frozen=True)
class ImageList:
    """The images of a folder that are judged, by name."""

    files: tuple[str, ...]  # relative to the folder, with "/"
    sizes: tuple[tuple[int, int], ...]  # (width, height) of each in pixels, upright
    notes: tuple[str, ...]  # sentences: what was left out


def list_images(folder: Path, limit: int | None = None, bad_images: BadImages = "stop") -> ImageList:
    """Every image that Pillow reads in a folder and its sub-folders by name, up to `limit`; hidden files and grids are left out.

    A file with another suffix than an image's counts if it is one. Grids are those of src/generate.py and of training, which say so
    in the file, or are called grid.png or grid-000.png beside a manifest.jsonl.

    Args:
        bad_images: of files with an image's suffix: "stop" looks at their headers only and refuses the first that is bad; "skip"
            decodes all and leaves out the bad ones.

    Raises:
        UserError: no folder, no image in it, or one that is bad or too small.
    """
    if not folder.is_dir():
        raise UserError(f"images={folder} is no folder; give one with images.")
    looks, grids, bad = [], [], []
    for file in _candidates(folder):
        look = _look(folder, file)
        if isinstance(look, str):
            bad.append((file, look))
        elif look is not None and look.is_grid:
            grids.append(file)
        elif look is not None:
            looks.append(look)
            if bad_images == "stop" and len(looks) == limit:
                break
    if bad_images == "skip":
        looks, worse = _decoded(folder, looks)
        bad = sorted([*bad, *worse])
    elif bad:
        more = f" ({len(bad) - 1} more cannot be judged either)" if bad[1:] else ""
        raise UserError(
            f"{folder / bad[0][0]} {bad[0][1]}{more}; replace or remove it, or leave out what cannot be judged with bad_images=skip."
        )
    if not looks:
        more = f" but {len(grids)} grids ({names_of(grids)})" if grids else ""
        more += f" that can be read ({first_of(bad)})" if bad else ""
        raise UserError(f"images={folder} holds no image{more}.")
    looks = looks[:limit]
    return ImageList(tuple(x.file for x in looks), tuple(x.size for x in looks), tuple(_notes(looks, grids, bad)))


@dataclass(frozen=True)
class _Look:
    """What the header of an image says."""

    file: str
    size: tuple[int, int]
    is_grid: bool
    damaged_exif: bool


def _candidates(folder: Path) -> Iterator[str]:
    paths = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return (path for path in paths if not any(part.startswith(".") for part in path.split("/")))


def _look(folder: Path, file: str) -> _Look | str | None:
    """The header; why it cannot be read; or None for what is no image and is not called one."""
    path = folder / file
    suffix = path.suffix.lower()
    called_image = suffix in UNREAD or Image.registered_extensions().get(suffix, NO_FORMATS[0]) not in NO_FORMATS
    try:
        with quiet(), Image.open(path) as image:
            if image.format in NO_FORMATS:
                return None
            grid = GRID_CHUNK in image.info or bool(
                GRID_NAME.fullmatch(path.name) and (path.parent / MANIFEST).is_file()
            )
            # Pillow would decode a PNG to find an EXIF block after its pixels
            turn = read_turn(image) if image.format != "PNG" or "exif" in image.info else None
            size = image.size[::-1] if turn and turn.method in TURNED_ASIDE else image.size
            if min(size) < LEAST_SIDE:
                return f"is {size[0]} x {size[1]} px, and scores need at least {LEAST_SIDE}"
            return _Look(file, size, grid, bool(turn and turn.damaged))
    except MemoryError:
        raise
    except Exception as error:
        return _unreadable(reason_of(error)) if called_image else None


def _decoded(folder: Path, looks: list[_Look]) -> tuple[list[_Look], list[tuple[str, str]]]:
    reasons = reasons_why_bad([(folder / look.file, None) for look in looks])
    both = list(zip(looks, reasons, strict=True))
    return [look for look, reason in both if not reason], [(x.file, _unreadable(why)) for x, why in both if why]


def _unreadable(reason: str) -> str:
    return f"cannot be read as an image ({reason})"


def _notes(looks: list[_Look], grids: list[str], bad: list[tuple[str, str]]) -> Iterator[str]:
    if grids:
        yield f"grids: {len(grids)} grids of this project are left out ({names_of(grids)})."
    if bad:
        yield f"bad_images=skip: {len(bad)} of {len(looks) + len(bad)} images are left out ({first_of(bad)})."
    yield from exif_notes(look.file for look in looks if look.damaged_exif)
