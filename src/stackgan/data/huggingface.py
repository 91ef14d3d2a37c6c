"""A data set of the Hugging Face hub, or a folder of one, as `datasets.load_dataset` reads it; written out once and read as a folder.

<cache>/huggingface/<key>/captions.jsonl and images/    the key covers the name, the revision and the rows' fingerprints
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from stackgan.data.files import exclusive, replacing_directory
from stackgan.data.listings.rows import SPLIT_NAMES, Columns, plain, understand
from stackgan.errors import UserError
from stackgan.install import extra
from stackgan.progress import progress_bar

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


def write_dataset(name: str, cache: Path, revision: str | None = None) -> Path:
    """Load the data set and write its images, as they are stored, and captions into a folder of `read_folder`'s layout, once.

    Args:
        name: on the hub ("owner/name"), or of a local folder.
        revision: commit, branch or tag on the hub; None: the newest.

    Raises:
        UserError: it cannot be loaded, or has no column of images or of captions.
    """
    check_datasets()
    parts, columns, image = _load(name, revision)
    fingerprints = [(split, part._fingerprint) for split, part in sorted(parts.items())]
    key = hashlib.sha256(repr((1, name, revision, fingerprints)).encode()).hexdigest()[:16]
    folder = Path(cache) / "huggingface" / f"{Path(name).name}-{key}"
    with exclusive(folder):
        if not folder.is_dir():
            with replacing_directory(folder) as temporary:
                rows = sum(len(part) for part in parts.values())
                with open(temporary / "captions.jsonl", "w", encoding="utf-8") as file:
                    for row in progress_bar(rows, "image", f"writing {name}", _rows(parts, columns, image, temporary)):
                        file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return folder


def _load(name: str, revision: str | None) -> tuple[Mapping[str, Any], Columns, str]:
    """The splits with undecoded images, the columns' meaning, and the column of images."""
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
    if not images or not columns.captions:
        what = "images" if not images else "captions (caption, text, description, ...)"
        raise UserError(
            f"data.dataset={name} has no column of {what}: it has {', '.join(features)}; choose another data set."
        )
    loaded = loaded.cast_column(images[0], datasets.Image(decode=False))
    return loaded, columns, images[0]


def _rows(parts: Mapping[str, Any], columns: Columns, image: str, folder: Path) -> Iterator[dict[str, Any]]:
    """captions.jsonl's rows; each image is written as it is asked for."""
    label = columns.roles.get("class")
    for split, part in parts.items():
        named = getattr(part.features.get(label), "names", None) if label else None  # a ClassLabel's numbers have names
        for number, row in enumerate(part):
            stored = row[image] or {}
            content = stored.get("bytes") or (Path(stored["path"]).read_bytes() if stored.get("path") else b"")
            ending = next((ending for head, ending in ENDINGS.items() if content.startswith(head)), ".img")
            file = f"images/{split}-{number:07d}{ending}"
            (folder / "images").mkdir(exist_ok=True)
            (folder / file).write_bytes(content)
            texts = [text for column in columns.captions for text in _texts(row[column])]
            made = {
                "file": file,
                "captions": texts,
                "split": SPLIT_NAMES.get(split.lower(), split) if len(parts) > 1 else "",
            }
            if label and row[label] is not None:
                made["class"] = named[row[label]] if named else plain(row[label])
            yield made


def _texts(value: Any) -> list[str]:
    return [text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)]
