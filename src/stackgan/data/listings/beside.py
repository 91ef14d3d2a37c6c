"""A text file beside each image, of the same name: a caption a line."""

from pathlib import Path

from stackgan.data.image_index import ImageIndex
from stackgan.data.listings.rows import Listing
from stackgan.data.text_files import clean, lines_of, read_text

SUFFIXES = (".txt", ".caption", ".TXT")


def has_text_beside(index: ImageIndex) -> bool:
    """Whether any image has its text."""
    return any(_beside(index.root / name) for name in index.names)


def read_beside(index: ImageIndex, encoding: str | None = None) -> Listing:
    """The captions of all images of the folder and its sub-folders.

    Raises:
        UserError: a file is no text.
    """
    listing, read = Listing(), set[Path]()
    for name in index.names:
        path = _beside(index.root / name)
        if path is None:
            listing.bad.append((name, f"no caption file {Path(name).stem}.txt is beside it"))
            continue
        read.add(path)
        lines = [line for line in lines_of(read_text(path, encoding)) if clean(line)]
        listing.add(path.relative_to(index.root).as_posix(), name, lines)
    others = sorted(path for path in index.root.rglob("*.txt") if path not in read and not path.name.startswith("."))
    if others:
        first = others[0].relative_to(index.root)
        listing.notes.append(f"Text files without an image of their name are not read: {len(others)} (first: {first}).")
    return listing


def _beside(image: Path) -> Path | None:
    return next((path for suffix in SUFFIXES if (path := image.with_suffix(suffix)).is_file()), None)
