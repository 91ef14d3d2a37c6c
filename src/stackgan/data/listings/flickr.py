"""Flickr8k's and Flickr30k's lists as they were released: `1000268201.jpg#0<tab>A child ...`, and lists of names for each split."""

import re
from pathlib import Path

from stackgan.data.listings.rows import Listing
from stackgan.data.text_files import lines_of, read_text

ROW = re.compile(r"(?P<file>.+?)#\d+\t(?P<caption>.*)")
SPLIT_LISTS = {
    "train": "Flickr_8k.trainImages.txt",
    "validation": "Flickr_8k.devImages.txt",
    "test": "Flickr_8k.testImages.txt",
}


def is_token_list(path: Path, encoding: str | None = None) -> bool:
    """Whether the first line is one of these."""
    first = next((line for line in lines_of(read_text(path, encoding)) if line.strip()), "")
    return ROW.fullmatch(first) is not None


def read_token_list(path: Path, encoding: str | None = None) -> Listing:
    """Rows with the split of the lists of names beside it, where they are; images of no split are left out then.

    Raises:
        UserError: a file is no text.
    """
    splits = {
        name.strip(): split
        for split, file in SPLIT_LISTS.items()
        if (path.parent / file).is_file()
        for name in lines_of(read_text(path.parent / file, encoding))
        if name.strip()
    }
    listing, left_out = Listing(), set()
    for number, line in enumerate(lines_of(read_text(path, encoding)), start=1):
        if not line.strip():
            continue
        found = ROW.fullmatch(line)
        if found is None:
            listing.bad.append((f"line {number}", "not `<image>#<number>`, a tab and the caption"))
        elif splits and found["file"] not in splits:
            left_out.add(found["file"])
        else:
            listing.add(f"line {number}", found["file"], found["caption"], split=splits.get(found["file"], ""))
    if left_out:
        listing.notes.append(f"{len(left_out)} images of {path.name} are in none of its split lists and are left out.")
    return listing
