"""The image files of a folder, found by the names that lists give them, and the text files beside them."""

import os
import unicodedata
from collections import defaultdict
from collections.abc import Callable
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import NamedTuple

UNREAD = (
    ".heic",
    ".heif",
    ".jxl",
    ".svg",
    ".exr",
)  # images that Pillow reads only with plugins, or not at all: to be named
SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".tga", ".avif", ".jp2",
    ".ico", ".icns", ".pcx", ".dds", ".sgi", ".im", ".psd", *UNREAD,
)  # fmt: skip
TEXTS = (".txt", ".caption")
SAME_FORMAT = {".jpeg": ".jpg", ".jpe": ".jpg", ".jfif": ".jpg", ".tiff": ".tif"}


class Found(NamedTuple):
    """What a name in a list stands for."""

    name: str  # of the file, relative to the folder; "" where there is none
    reason: str = ""  # why there is none
    missing: bool = False  # it would be allowed, and is not there


class ImageIndex:
    """The images and texts below a folder; hidden files and folders are none of it.

    Args:
        root: the folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @cached_property
    def names(self) -> list[str]:
        """The images, relative to the folder with "/" between parts, sorted."""
        return [name for name in self._files if os.path.splitext(name)[1].lower() in SUFFIXES]

    @cached_property
    def texts(self) -> dict[str, str]:
        """The text files, by their names without the ending."""
        parts = ((os.path.splitext(name), name) for name in self._files)
        return {stem: name for (stem, ending), name in parts if ending.lower() in TEXTS}

    def text_of(self, image: str) -> str | None:
        """The text file of an image's name beside it."""
        return self.texts.get(os.path.splitext(image)[0])

    @cached_property
    def _files(self) -> list[str]:
        found, seen = [], set()
        for folder, below, files in os.walk(self.root, followlinks=True):
            real = os.path.realpath(folder)
            below[:] = [
                name for name in below if not name.startswith(".") and real not in seen
            ]  # a link may lead back up
            seen.add(real)
            inside = PurePosixPath(Path(folder).relative_to(self.root).as_posix())
            found += [str(inside / file) for file in files if not file.startswith(".")]
        return sorted(found)

    def find(self, name: str) -> Found:
        """The image that a list calls `name`.

        It is the file of that name in the folder. Else it is the only image whose path ends with the name, whatever the case of its
        letters, the composition of its accents, a missing ending (or .jpeg for .jpg) and the folders above it.
        """
        if not name:
            return Found("", "the file is empty")
        path = PurePosixPath(name)
        if path.is_absolute() and path.is_relative_to(self.root.absolute()):
            path = path.relative_to(self.root.absolute())
        if path.is_absolute() or ".." in path.parts:
            return Found("", f"{name} lies outside the folder")
        if os.path.isfile(self.root / path):
            return Found(str(path))
        wanted = _comparable(str(path))
        last = wanted.rpartition("/")[2]
        found = [each for each in self._by_last_part[last] if f"/{_comparable(each)}".endswith(f"/{wanted}")]
        found = found or [each for each in self._by_stem[last] if f"/{_without_suffix(each)}".endswith(f"/{wanted}")]
        if len(found) == 1:
            return Found(found[0])
        if found:
            return Found("", f"{name} may be {found[0]} or {found[1]}; write its whole name, as one of these is")
        return Found("", f"{name} does not exist", missing=True)

    @cached_property
    def _by_last_part(self) -> dict[str, list[str]]:
        return self._grouped(_comparable)

    @cached_property
    def _by_stem(self) -> dict[str, list[str]]:
        return self._grouped(_without_suffix)

    def _grouped(self, spelled: Callable[[str], str]) -> dict[str, list[str]]:
        """The names by their last parts."""
        groups = defaultdict(list)
        for name in self.names:
            groups[spelled(name).rpartition("/")[2]].append(name)
        return groups


def _comparable(name: str) -> str:
    stem, ending = os.path.splitext(unicodedata.normalize("NFC", name).casefold())
    return stem + SAME_FORMAT.get(ending, ending)


def _without_suffix(name: str) -> str:
    return os.path.splitext(_comparable(name))[0]
