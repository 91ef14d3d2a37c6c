"""From a folder to its store, at once when neither the folder nor the question has changed.

<cache>/requests/<key>.json   names the store that answered a question; the key covers the question, the code that
                              reads, and size and modification time of every file looked at
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackgan.data.crop import CROP, Fit
from stackgan.data.cub import CaptionRule, cub_files, read_cub
from stackgan.data.emoji import EmojiPackages, find_packages, read_emoji
from stackgan.data.files import replacing
from stackgan.data.flowers import flower_files, read_flowers
from stackgan.data.folder import read_folder
from stackgan.data.image_files import BadImages
from stackgan.data.pixels import Resample
from stackgan.data.records import Source
from stackgan.data.splits import SplitRule
from stackgan.data.store import ImageStore, build_store, store_side
from stackgan.errors import UserError


def prepare_cub(
    root: Path,
    cache: Path,
    image_size: int,
    *,
    split: SplitRule = "class",
    captions: CaptionRule = "auto",
    resample: Resample = "bilinear",
    name: str = "cub",
    test_classes: Sequence[int] = (),
    split_seed: int | None = None,
    encoding: str | None = None,
    bad_images: BadImages = "stop",
) -> ImageStore:
    """The store of a data set in CUB's layout, for training at `image_size` px. See `read_cub` and `build_store`."""
    asked: dict[str, Any] = {
        "split": split, "captions": captions, "name": name, "test_classes": tuple(test_classes), "split_seed": split_seed,
        "encoding": encoding, "bad_images": bad_images,
    }  # fmt: skip
    making = Making(store_side(image_size), resample, bad_images=bad_images)
    return _prepare(lambda: read_cub(root, **asked), cub_files(root), ("cub", asked), cache, making)


def prepare_folder(
    root: Path,
    cache: Path,
    image_size: int,
    *,
    resample: Resample = "bilinear",
    name: str = "folder",
    fit: Fit = CROP,
    listing: str | None = None,
    encoding: str | None = None,
    split: SplitRule = "listed",
    split_seed: int | None = None,
    bad_images: BadImages = "stop",
    notes: Sequence[str] = (),
) -> ImageStore:
    """The store of a folder of images and captions, for training at `image_size` px. See `read_folder` and `build_store`."""
    asked: dict[str, Any] = {
        "name": name, "listing": listing, "encoding": encoding, "split": split, "split_seed": split_seed, "bad_images": bad_images,
        "notes": tuple(notes),
    }  # fmt: skip
    making = Making(store_side(image_size), resample, fit, bad_images)
    return _prepare(lambda: read_folder(root, **asked), [Path(root)], ("folder", asked), cache, making)


def prepare_flowers(
    root: Path,
    cache: Path,
    image_size: int,
    *,
    resample: Resample = "bilinear",
    fit: Fit = CROP,
    encoding: str | None = None,
    split: SplitRule = "class",
    split_seed: int | None = None,
    bad_images: BadImages = "stop",
) -> ImageStore:
    """The store of Oxford-102 flowers, for training at `image_size` px. See `read_flowers` and `build_store`."""
    asked: dict[str, Any] = {"split": split, "split_seed": split_seed, "encoding": encoding}
    making = Making(store_side(image_size), resample, fit, bad_images)
    return _prepare(lambda: read_flowers(root, **asked), flower_files(root), ("flowers", asked), cache, making)


def prepare_emoji(
    cache: Path,
    image_size: int,
    *,
    split: SplitRule = "image",
    split_seed: int | None = None,
    side: int = 304,
    resample: Resample = "bilinear",
    packages: EmojiPackages | None = None,
    bad_images: BadImages = "stop",
) -> ImageStore:
    """The store of the installed packages' emoji, for training at `image_size` px. See `read_emoji` and `build_store`."""
    found = packages or find_packages()
    asked: dict[str, Any] = {"split": split, "split_seed": split_seed, "side": side}
    files = [found.drawings, found.names, found.keywords]
    making = Making(store_side(image_size), resample, bad_images=bad_images)
    return _prepare(lambda: read_emoji(found, cache, **asked), files, ("emoji", asked), cache, making)


@dataclass(frozen=True)
class Making:
    """What `build_store` makes of a source."""

    size: int
    resample: Resample
    fit: Fit = CROP
    bad_images: BadImages = "stop"


def _prepare(
    read: Callable[[], Source], files: Iterable[Path], question: tuple[Any, ...], cache: Path, making: Making
) -> ImageStore:
    key = hashlib.sha256(repr((question, making, _code(), [*_stamps(files)])).encode()).hexdigest()[:24]
    answer = Path(cache) / "requests" / f"{key}.json"
    if answer.is_file():
        try:
            return ImageStore.open(Path(cache) / json.loads(answer.read_text())["store"])
        except UserError:  # somebody has tidied the cache
            answer.unlink()
    store = build_store(read(), cache, making.size, making.resample, making.fit, making.bad_images)
    with replacing(answer) as temporary:
        temporary.write_text(json.dumps({"store": os.path.relpath(store.directory, cache)}))
    return store


def _code() -> str:
    """A hash of this package's own files: another version of a reader may answer otherwise."""
    digest = hashlib.sha256()
    here = Path(__file__).parent
    for path in sorted([*here.glob("*.py"), *here.glob("listings/*.py"), *here.glob("class_splits/*.txt")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _stamps(paths: Iterable[Path]) -> Iterator[tuple[str, int, int]]:
    """Path, size and modification time of each file, of folders' contents too; what is not there is left out."""
    for path in paths:
        if path.is_dir():
            yield from _stamps_below(str(path), frozenset())
        elif path.is_file():
            stat = path.stat()
            yield str(path), stat.st_size, stat.st_mtime_ns


def _stamps_below(folder: str, above: frozenset[str]) -> Iterator[tuple[str, int, int]]:
    real = os.path.realpath(folder)
    if real in above:  # a link back to a folder that holds it
        return
    try:
        entries = sorted(os.scandir(folder), key=lambda e: e.name)
    except PermissionError:  # a file system's lost+found: no list names what lies in it
        return
    for entry in entries:
        with suppress(OSError):  # a link to itself
            if entry.is_dir():
                yield from _stamps_below(entry.path, above | {real})
            elif entry.is_file():
                stat = entry.stat()
                yield entry.path, stat.st_size, stat.st_mtime_ns
