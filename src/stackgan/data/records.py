"""What a data source is before any picture is decoded: names, captions, classes, boxes, splits."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
Box = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Record:
    """One picture with its captions."""

    name: str  # relative to the image folder, with "/" between parts
    path: Path
    captions: tuple[str, ...]  # at least one
    split: Split
    class_id: int | None = None  # CUB's ids start at 1; None where the source has no classes
    box: Box | None = None  # x, y, width, height in pixels of the original
    attributes: np.ndarray | None = None  # float32 [A] in 0..1


@dataclass(frozen=True, eq=False)
class Source:
    """A whole data set, in the order its rows will have in the store."""

    name: str
    root: Path
    records: tuple[Record, ...]
    class_names: Mapping[int, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()  # plain sentences about the fall-backs taken
    attribute_names: tuple[str, ...] = ()
    single_split: bool = False  # every picture belongs to each split (`split="all"`)

    def fingerprint(self) -> str:
        """16 hex digits of all that is said here: names, sizes in bytes, boxes, classes, splits, captions, attributes.

        Equal on every machine that holds the same files (no path and no modification time enters), so a checkpoint can
        be compared with it. Pictures are told apart by their size in bytes; the store's pixel cache, which must notice
        an edit that keeps the size, looks at modification times as well.
        """
        digest = hashlib.sha256(repr((self.name, self.single_split, self.attribute_names)).encode())
        digest.update(repr(sorted(self.class_names.items())).encode())
        for r in self.records:
            digest.update(repr((r.name, r.path.stat().st_size, r.captions, r.split, r.class_id, r.box)).encode())
            if r.attributes is not None:
                digest.update(np.ascontiguousarray(r.attributes, dtype="<f4").tobytes())
        return digest.hexdigest()[:16]


def hash_fraction(text: str) -> float:
    """A number in [0, 1) that depends on the text alone: the same on every machine and in every run."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64
