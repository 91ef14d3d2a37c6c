"""A text file beside each image, of the same name: a caption a line."""

from stackgan.data.image_index import ImageIndex
from stackgan.data.listings.rows import Listing
from stackgan.data.text_files import clean, lines_of, read_text


def has_text_beside(index: ImageIndex) -> bool:
    """Whether any image has its text."""
    return any(index.text_of(name) for name in index.names)


def read_beside(index: ImageIndex, encoding: str | None = None) -> Listing:
    """The captions of all images of the folder and its sub-folders.

    Raises:
        UserError: a file is no text.
    """
    listing, read = Listing(), set[str]()
    for name in index.names:
        text = index.text_of(name)
        if text is None:
            listing.bad.append((name, "no caption file of its name is beside it"))
            continue
        read.add(text)
        lines = [line for line in lines_of(read_text(index.root / text, encoding)) if clean(line)]
        listing.add(text, name, lines)
    if others := sorted(set(index.texts.values()) - read):
        listing.notes.append(
            f"Text files without an image of their name are not read: {len(others)} (first: {others[0]})."
        )
    return listing
