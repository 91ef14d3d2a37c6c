"""CUB's images and Reed's caption files as they lie on disks: parts of the set, other cases of letters, mirrors, re-packed archives."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from stackgan.data.image_files import BadImages
from stackgan.data.image_index import SUFFIXES, ImageIndex
from stackgan.data.text_files import clean, lines_of, read_text
from stackgan.errors import UserError

CAPTION_FOLDERS = ("text", "text_c10")
RELEASE = "cvpr2016_cub"  # how Reed's captions unpack
LOST = "\ufffd"  # in place of the no-break spaces of five of Reed's lines


def find_photographs(
    folder: Path, names: Sequence[str], bad_images: BadImages
) -> tuple[list[int], list[Path], list[str]]:
    """Which of the images are there: their rows, their paths, and notes.

    Of a part of CUB images.txt still names all; classes without a folder are left out. An ending or letters of another case are found.

    Raises:
        UserError: no class is there, or a class's folder lacks images (with bad_images="skip" their paths lead nowhere).
    """
    index = ImageIndex(folder)
    found = [index.find(name) for name in names]
    classes = [name.rpartition("/")[0] for name in names]
    here = {of for of, image in zip(classes, found, strict=True) if image.name} or {
        of for of in classes if (folder / of).is_dir()
    }
    absent = sorted(set(classes) - here)
    rows = [i for i, of in enumerate(classes) if of in here]
    missing = [names[i] for i in rows if not found[i].name]
    if not rows or (missing and bad_images == "stop"):
        lacking, first = (len(missing), missing[0]) if rows else (len(names), names[0])
        raise UserError(
            f"{folder} lacks {lacking} of the {len(names)} images of images.txt (first: {first}); unpack the archive again."
        )
    notes = []
    if absent:
        notes.append(
            f"{len(absent)} of the {len(set(classes))} classes of images.txt have no folder in {folder} and are left out "
            f"(first: {absent[0]})."
        )
    return rows, [folder / (found[i].name or names[i]) for i in rows], notes


@dataclass(frozen=True)
class CaptionFiles:
    """What lies in the folders of captions."""

    captions: list[tuple[str, ...]]  # of each image; () where there is none
    empty: list[Path]  # files with nothing in them
    unused: list[Path]  # files of these images' classes that are named like none of them


def caption_folders(root: Path) -> list[Path]:
    """Where captions may lie, for the folder with images.txt."""
    places = [root, root.parent, *(folder / RELEASE for folder in (root, root.parent, root.parent.parent))]
    return [place / folder for place in places for folder in CAPTION_FOLDERS]


def read_captions(root: Path, names: Sequence[str], encoding: str | None = None) -> CaptionFiles:
    """`<class>/<image>.txt`, a caption a line, of the first folder that has captions of the image.

    Raises:
        UserError: a file is no text.
    """
    folders = [CaptionFolder(place) for place in caption_folders(root) if place.is_dir()]
    captions = [next(filter(None, (folder.read(name, encoding) for folder in folders)), ()) for name in names]
    used = {path for folder in folders for name in names if (path := folder.find(name))}
    classes = {name.rpartition("/")[0].casefold() for name in names}
    files = [file for folder in folders for file in sorted(folder.files.items())]
    unused = [path for key, path in files if path not in used and key.rpartition("/")[0] in classes]
    empty = [
        path
        for texts, name in zip(captions, names, strict=True)
        if not texts
        for folder in folders
        if (path := folder.find(name))
    ]
    return CaptionFiles(captions, empty, unused)


class CaptionFolder:
    """A folder of caption files, found whatever the case of their letters."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def files(self) -> dict[str, Path]:
        """Path of each by class and image, without its ending."""
        found = {}
        for parent, _, names in os.walk(self.folder):
            for name in names:
                if name.lower().endswith(".txt") and not name.startswith("."):  # macOS packs ._<name> beside <name>
                    path = Path(parent) / name
                    found[_key(path.relative_to(self.folder).with_suffix("").as_posix())] = path
        return found

    def find(self, image: str) -> Path | None:
        """The file of an image, `<class>/<image>.jpg`."""
        return self.files.get(_key(image))

    def read(self, image: str, encoding: str | None) -> tuple[str, ...]:
        """Its captions; () where there is no file, or nothing in it."""
        path = self.find(image)
        if path is None:
            return ()
        lines = lines_of(read_text(path, encoding).replace(LOST, " "))
        return tuple(filter(None, map(clean, lines)))


def _key(name: str) -> str:
    stem, ending = os.path.splitext(name.casefold())
    return stem if ending in SUFFIXES else name.casefold()
