"""A source as one memory-mapped uint8 array on disk, with its captions, classes, splits and attributes beside it.

    <cache>/pixels/<source>-<S>px-<key>.npy      uint8 [N, S, S, 3]; the key covers files, boxes and resampling
    <cache>/stores/<source>-<S>px-<fingerprint>/ store.json, attributes.npy: all that is said about the pictures

Pixels are kept apart, so that an edited caption or another split decodes nothing again.
"""

import csv
import hashlib
import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from stackgan.data.crop import CROP, Fit
from stackgan.data.files import exclusive, replacing, replacing_directory
from stackgan.data.image_files import BadImages, first_of, leave_out_bad
from stackgan.data.pixels import Findings, Resample, write_pixels
from stackgan.data.records import SPLITS, Source, Split
from stackgan.errors import UserError

FORMAT = 1  # of the files; raise it when a reader of old ones would go wrong
READING = 2  # of images without a box; raise it when their pixels come out otherwise than before
LEFT_OUT = "left_out.csv"


def store_side(image_size: int) -> int:
    """S for a training resolution, both in pixels: the references' 76 for 64 and 304 for 256."""
    return image_size * 76 // 64


class ImageStore:
    """A finished store. Picklable by its path, so that loader processes map the same file instead of copying it."""

    images: np.ndarray  # uint8 [N, S, S, 3], RGB, memory-mapped
    names: list[str]
    captions: list[list[str]]
    class_ids: np.ndarray  # int64 [N]; -1: no class
    attributes: np.ndarray | None  # float32 [N, A] in 0..1
    class_names: dict[int, str]
    attribute_names: list[str]
    notes: list[str]
    source: str  # "birds", "cub", "emoji", "folder"
    fingerprint: str  # of the source, the size and the resampling: 16 hex
    directory: Path
    size: int  # S

    def __init__(self, directory: Path) -> None:
        self.directory = Path(directory)
        try:
            meta = json.loads((self.directory / "store.json").read_text())
        except FileNotFoundError as error:
            raise UserError(f"{directory} holds no store.json: no finished store; run src/prepare_data.py.") from error
        if meta["format"] != FORMAT:
            raise UserError(f"{directory} was written by another version of this project; delete it and run again.")
        pixels = self.directory / meta["pixels"]
        if not pixels.is_file():
            raise UserError(f"{directory}: its pixel file {pixels} is gone; delete the store's folder and run again.")
        self.images = np.load(pixels, mmap_mode="r")
        self.names = meta["names"]
        self.captions = meta["captions"]
        self.class_ids = np.array(meta["class_ids"], dtype=np.int64)
        self.class_names = {int(i): name for i, name in meta["class_names"].items()}
        self.attribute_names = meta["attribute_names"]
        attributes = self.directory / "attributes.npy"
        self.attributes = np.load(attributes, mmap_mode="r") if attributes.is_file() else None
        self.notes = meta["notes"]
        self.source = meta["source"]
        self.fingerprint = meta["fingerprint"]
        self.size = int(self.images.shape[1])
        splits = np.array(meta["splits"], dtype=np.int8)
        rows = np.arange(len(self.names), dtype=np.int64)
        self._indices = {s: rows if meta["single_split"] else rows[splits == i] for i, s in enumerate(SPLITS)}

    @staticmethod
    def open(directory: Path) -> "ImageStore":
        """Open a finished store.

        Raises:
            UserError: the folder holds none, or its pixel file is gone.
        """
        return ImageStore(directory)

    def indices(self, split: Split) -> np.ndarray:
        """The split's rows, int64, ascending."""
        return self._indices[split]

    def __len__(self) -> int:
        return len(self.names)

    def __reduce__(self) -> tuple[Any, ...]:
        return ImageStore, (self.directory,)


def build_store(
    source: Source,
    cache: Path,
    size: int,
    resample: Resample = "bilinear",
    fit: Fit = CROP,
    bad_images: BadImages = "stop",
) -> ImageStore:
    """The store of a source, from the cache or newly built.

    Args:
        size: S, the side in pixels. Batches cut a window of the image size from it; see `store_side`.
        resample: PIL's filter from the cropped original to S x S: "bilinear" as StackGAN-Pytorch, "bicubic" as StackGAN
            (which makes its 76 px pictures from the 304 px ones; here both come from the original).
        fit: how an image without a box becomes a square.
        bad_images: "skip" leaves out images that cannot be read, a tenth at most; the store is then that of the others, with a note
            and a list in left_out.csv beside store.json.

    Raises:
        UserError: images that cannot be read (with "stop" all are named), or one without a caption.
    """
    _check(source)
    left_out: list[tuple[str, str]] = []
    if bad_images == "skip":
        source, left_out = leave_out_bad(source)
    cache = Path(cache)
    fingerprint = _short_hash(source.fingerprint(), size, resample, *fit.key())
    directory = cache / "stores" / f"{source.name}-{size}px-{fingerprint}"
    pixels = cache / "pixels" / f"{source.name}-{size}px-{_pixel_key(source, size, resample, fit)}.npy"
    link = os.path.relpath(pixels, directory)
    with exclusive(pixels):
        if not pixels.is_file():
            with replacing(pixels) as temporary:
                found = write_pixels(source.records, temporary, size, resample, fit)
                _findings_file(pixels).write_text(json.dumps(asdict(found), ensure_ascii=False), encoding="utf-8")
        source = replace(source, notes=_notes(source, pixels, fit, left_out, directory))
        if not _describes(directory, link, source.notes):
            _write_description(source, directory, link, fingerprint)
            _write_left_out(directory / LEFT_OUT, left_out)
    return ImageStore.open(directory)


def _check(source: Source) -> None:
    if not source.records:
        raise UserError(f"data.root: {source.root} holds no pictures; give a data set with at least one.")
    doubled = [name for name, count in Counter(r.name for r in source.records).items() if count > 1]
    if doubled:
        raise UserError(f"{source.root} lists {len(doubled)} pictures twice (first: {doubled[0]}); list each once.")
    silent = [r.name for r in source.records if not r.captions]
    if silent:
        raise UserError(f"{source.root}: {len(silent)} pictures have no caption (first: {silent[0]}); give each one.")


def _notes(
    source: Source, pixels: Path, fit: Fit, left_out: Sequence[tuple[str, str]], directory: Path
) -> tuple[str, ...]:
    """The source's, what was left out, and what became of the images."""
    notes = list(source.notes)
    if left_out:
        notes.append(
            f"data.bad_images=skip: images that cannot be read are left out ({len(left_out)}; {first_of(left_out)}); "
            f"{directory / LEFT_OUT} lists all."
        )
    try:
        found = Findings(**json.loads(_findings_file(pixels).read_text(encoding="utf-8")))
    except FileNotFoundError:  # written before there were findings, of images with boxes
        found = Findings()
    return (*notes, *found.notes(len(source.records), fit))


def _findings_file(pixels: Path) -> Path:
    return pixels.with_suffix(".json")


def _write_left_out(path: Path, left_out: Sequence[tuple[str, str]]) -> None:
    if not left_out:
        path.unlink(missing_ok=True)
        return
    with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("file", "reason"), *left_out])


def _pixel_key(source: Source, size: int, resample: Resample, fit: Fit) -> str:
    """Changes with every edit of a picture file, because modification times count here."""
    digest = hashlib.sha256(repr((FORMAT, size, resample, *fit.key())).encode())
    for r in source.records:
        stat = r.path.stat()
        read = () if r.box else (READING,)
        digest.update(repr((r.name, r.box, stat.st_size, stat.st_mtime_ns, *read)).encode())
    return digest.hexdigest()[:16]


def _describes(directory: Path, link: str, notes: Sequence[str]) -> bool:
    try:
        meta = json.loads((directory / "store.json").read_text())
    except (OSError, ValueError):
        return False
    return bool(meta["format"] == FORMAT and meta["pixels"] == link and meta["notes"] == list(notes))


def _write_description(source: Source, directory: Path, link: str, fingerprint: str) -> None:
    records = source.records
    meta = {
        "format": FORMAT,
        "source": source.name,
        "fingerprint": fingerprint,
        "pixels": link,
        "single_split": source.single_split,
        "notes": source.notes,
        "class_names": {str(i): name for i, name in source.class_names.items()},
        "attribute_names": source.attribute_names,
        "names": [r.name for r in records],
        "captions": [r.captions for r in records],
        "splits": [SPLITS.index(r.split) for r in records],
        "class_ids": [-1 if r.class_id is None else r.class_id for r in records],
    }
    text = json.dumps(meta, ensure_ascii=False)
    if (directory / "store.json").is_file():  # the same data set with touched picture files: only the link has changed
        with replacing(directory / "store.json") as temporary:
            temporary.write_text(text)
        return
    with replacing_directory(directory) as folder:
        if all(r.attributes is not None for r in records):
            np.save(folder / "attributes.npy", np.stack([r.attributes for r in records if r.attributes is not None]))
        (folder / "store.json").write_text(text)


def _short_hash(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
