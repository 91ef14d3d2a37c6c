"""JSON: an object a line, a list of objects, COCO's captions, Karpathy's splits of them, or an object of file names."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stackgan.data.listings.rows import Listing, plain, understand
from stackgan.data.text_files import lines_of, read_text
from stackgan.errors import UserError

WANTED = 'an object with the texts "file" and "caption"'
INVALID = (ValueError, RecursionError)  # what json raises: also at numbers and nestings beyond all measure


def read_jsonl(path: Path, encoding: str | None = None) -> Listing:
    """One object a line: {"file": "a/b.png", "caption": "a red bird"}, under any of the columns' names.

    Raises:
        UserError: the file is no text.
    """
    listing, unused = Listing(), dict[str, None]()
    for number, text in enumerate(lines_of(read_text(path, encoding)), start=1):
        if not text.strip():
            continue
        try:
            _add_object(listing, f"line {number}", load(text), unused)
        except INVALID as error:
            listing.bad.append((f"line {number}", f"not JSON ({getattr(error, 'msg', None) or error})"))
    return _with_unused(listing, path, unused)


def read_json(path: Path, encoding: str | None = None) -> Listing:
    """A whole file: COCO's `images` and `annotations`, Karpathy's `images` with `sentences`, a list of objects, or {file: captions}.

    Raises:
        UserError: the file is no JSON, or none of these.
    """
    try:
        value = load(read_text(path, encoding))
    except INVALID as error:
        raise UserError(
            f"{path} is no JSON ({error}); write one object a line into captions.jsonl: {WANTED}."
        ) from error
    listing, unused = Listing(), dict[str, None]()
    if isinstance(value, list):
        for number, each in enumerate(value, start=1):
            _add_object(listing, f"entry {number}", each, unused)
    elif isinstance(value, dict) and isinstance(value.get("images"), list):
        (_add_coco if isinstance(value.get("annotations"), list) else _add_karpathy)(listing, value, path)
    elif isinstance(value, dict) and value and all(isinstance(each, str | list) for each in value.values()):
        for file, captions in value.items():
            listing.add(f"entry {file!r}", file, captions)
    else:
        keys = ", ".join(list(value)[:5]) if isinstance(value, dict) else type(value).__name__
        raise UserError(
            f"{path} holds {keys or 'nothing'}; it should be COCO's images and annotations, a list of objects with file and caption, "
            'or {"<file>": "<caption>"}.'
        )
    return _with_unused(listing, path, unused)


def load(text: str) -> Any:
    """JSON's value; what is not a number there is missing. Raises ValueError, also where an object has a key twice."""
    return json.loads(text, object_pairs_hook=_object, parse_constant=lambda _: None)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} is there twice")
    return made


def _add_object(listing: Listing, where: str, value: Any, unused: dict[str, None]) -> None:
    columns = understand(list(value)) if isinstance(value, dict) else None
    if columns is None or columns.lacking:
        found = f": its keys are {', '.join(map(str, value))}" if isinstance(value, dict) else ""
        listing.bad.append((where, f"not {WANTED}{found}"))
        return
    unused |= dict.fromkeys(columns.unused)
    columns.add_to(listing, where, value)


def _add_coco(listing: Listing, value: Mapping[str, Any], path: Path) -> None:
    """captions_train2017.json: the split is in its name, the images' names are relative to a folder of any name."""
    named = re.search(r"(?<![a-z])(train|val|test)(?![a-z])", path.stem.lower())
    files: dict[str, object] = {}
    splits: dict[str, object] = {}
    for number, image in enumerate(value["images"], start=1):
        if isinstance(image, dict):
            key = plain(image.get("id"))
            if key in files:
                listing.bad.append((f"image {number}", f"its id {key} is that of another image"))
            files[key], splits[key] = image.get("file_name"), image.get("split") or (named[1] if named else "")
    captioned = set()
    for number, each in enumerate(value["annotations"], start=1):
        key = plain(each.get("image_id")) if isinstance(each, dict) else ""
        if key not in files:
            listing.bad.append((f"annotation {number}", f"no image has its image_id {key!r}"))
            continue
        captioned.add(key)
        listing.add(f"annotation {number}", files[key], each.get("caption"), split=splits[key])
    if silent := len(files.keys() - captioned):
        listing.notes.append(f"{silent} of {len(files)} images of {path.name} have no caption and are left out.")


def _add_karpathy(listing: Listing, value: Mapping[str, Any], path: Path) -> None:
    for number, image in enumerate(value["images"], start=1):
        sentences = image.get("sentences") if isinstance(image, dict) else None
        if not isinstance(sentences, list) or not all(isinstance(sentence, dict) for sentence in sentences):
            listing.bad.append((f"image {number}", "it has no list of sentences, and the file has no annotations"))
            continue
        file, folder = image.get("filename"), image.get("filepath")
        name = f"{folder}/{file}" if isinstance(folder, str) and isinstance(file, str) else file
        listing.add(f"image {number}", name, [s.get("raw") for s in sentences], split=image.get("split"))


def _with_unused(listing: Listing, path: Path, unused: dict[str, None]) -> Listing:
    if unused:
        listing.notes.append(f"Keys of {path.name} that are not used: {', '.join(unused)}.")
    return listing
