"""A data set of the Hugging Face hub, or a folder of one, as `datasets.load_dataset` reads it; written out once and read as a folder.

<cache>/huggingface/<key>/captions.jsonl and images/    the key covers the name, the revision and the rows' fingerprints
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from stackgan.data.files import exclusive, replacing_directory
from stackgan.data.listings.rows import SPLIT_NAMES, Columns, plain, understand
from stackgan.errors import UserError
from stackgan.install import extra
from stackgan.progress import progress_bar

NOTES = "notes.json"
ENDINGS = {
    b"\x89PNG": ".png",
    b"\xff\xd8\xff": ".jpg",
    b"GIF8": ".gif",
    b"RIFF": ".webp",
    b"BM": ".bmp",
    b"II*\0": ".tif",
    b"MM\0*": ".tif",
}


def check_datasets() -> None:
    """Whether the package is installed. Raises UserError."""
    if find_spec("datasets") is None:
        raise UserError(f"data=huggingface: the package datasets is not installed: {extra('huggingface')}")


def write_dataset(name: str, cache: Path, revision: str | None = None) -> tuple[Path, list[str]]:
    """Load the data set and write its images, as they are stored, and captions into a folder of `read_folder`'s layout, once.

    Args:
        name: on the hub ("owner/name"), or of a local folder.
        revision: commit, branch or tag on the hub; None: the newest.

    Returns:
        The folder, and sentences about rows and columns that are not in it.

    Raises:
        UserError: it cannot be loaded, or has no column of images or of captions.
    """
    check_datasets()
    data = _load(name, revision)
    fingerprints = [(split, part._fingerprint) for split, part in sorted(data.parts.items())]
    key = hashlib.sha256(repr((2, name, revision, fingerprints)).encode()).hexdigest()[:16]
    folder = Path(cache) / "huggingface" / f"{Path(name).name}-{key}"
    with exclusive(folder):
        if not folder.is_dir():
            with replacing_directory(folder) as temporary:
                _write(name, data, temporary)
    return folder, json.loads((folder / NOTES).read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Loaded:
    """A data set whose images are not decoded.

    Attributes:
        parts: its splits.
        columns: what those without images stand for.
        image: the column of images.
    """

    parts: Mapping[str, Any]
    columns: Columns
    image: str


def _write(name: str, data: Loaded, folder: Path) -> None:
    (folder / "images").mkdir()
    rows, left_out = sum(len(part) for part in data.parts.values()), list[str]()
    with open(folder / "captions.jsonl", "w", encoding="utf-8") as file:
        for row in progress_bar(rows, "image", f"writing {name}", _rows(data, folder, left_out)):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    notes = []
    if data.columns.unused:
        notes.append(f"Columns of {name} that are not used: {', '.join(data.columns.unused)}.")
    if left_out:
        notes.append(
            f"Rows of {name} without an image or a caption are left out: {len(left_out)} of {rows} (first: {left_out[0]})."
        )
    (folder / NOTES).write_text(json.dumps(notes, ensure_ascii=False), encoding="utf-8")


def _load(name: str, revision: str | None) -> Loaded:
    """The data set, and which of its columns are images and captions."""
    import datasets

    try:
        loaded = datasets.load_dataset(name, revision=revision)
    except (MemoryError, KeyboardInterrupt):
        raise
    except Exception as error:  # the hub's, the file system's and the readers' own, of many kinds
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"data.dataset={name} cannot be loaded ({reason}); check the name, the network and `hf auth login`."
        ) from error
    features = next(iter(loaded.values())).features
    images = [column for column, kind in features.items() if isinstance(kind, datasets.Image)]
    columns = understand([column for column in features if column not in images])
    others = [*columns.unused, *images[1:], *filter(None, [columns.roles.get("file")])]  # the image is the file
    columns = replace(columns, unused=tuple(others))
    if not images or not columns.captions:
        what = "images" if not images else "captions (caption, text, description, ...)"
        raise UserError(
            f"data.dataset={name} has no column of {what}: it has {', '.join(features)}; choose another data set."
        )
    loaded = loaded.cast_column(images[0], datasets.Image(decode=False))
    return Loaded(loaded, columns, images[0])


def _rows(data: Loaded, folder: Path, left_out: list[str]) -> Iterator[dict[str, Any]]:
    """captions.jsonl's rows; each image is written as it is asked for."""
    label, split_column = data.columns.roles.get("class"), data.columns.roles.get("split")
    for split, part in data.parts.items():
        of_part = SPLIT_NAMES.get(split.lower(), split) if len(data.parts) > 1 else ""
        named = getattr(part.features.get(label), "names", None) if label else None  # a ClassLabel's numbers have names
        for number, row in enumerate(part):
            stored = row[data.image] or {}
            content = stored.get("bytes") or (Path(stored["path"]).read_bytes() if stored.get("path") else b"")
            texts = [text for column in data.columns.captions for text in _texts(row[column])]
            if not content or not texts:
                left_out.append(f"{split} {number}")
                continue
            ending = next((ending for head, ending in ENDINGS.items() if content.startswith(head)), ".img")
            file = f"images/{split}-{number:07d}{ending}"
            (folder / file).write_bytes(content)
            made = {"file": file, "captions": texts, "split": plain(row[split_column]) if split_column else of_part}
            if label and row[label] is not None:
                made["class"] = plain(row[label]) if named is None else named[row[label]] if row[label] >= 0 else ""
            yield made


def _texts(value: Any) -> list[str]:
    return [text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str) and text.strip()]
