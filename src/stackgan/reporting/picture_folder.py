"""A folder of generated images and the manifest that lists them: filled whole or not at all, and never over other images.

The manifest of a request is known before anything is drawn, so a folder can be judged by it: the same manifest is the same
request, and any other one, or images that no manifest lists, are somebody's.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from stackgan.data.files import check_writable, replacing_directory
from stackgan.errors import UserError
from stackgan.evaluation.picture_files import MANIFEST

OURS = re.compile(r"\d{4,}-\d{2,}\.png|grid(-\d{3,})?\.png", re.IGNORECASE)
WORDS = 6  # of a slug
LENGTH = 72  # bytes of a slug: with a digest and a suffix far below the 255 of a file system


def is_finished(folder: Path, manifest: str, files: Collection[str]) -> bool:
    """Whether `folder` holds a request's images already.

    Args:
        manifest: of the request.
        files: names of its images and grids.

    Raises:
        UserError: the folder holds other images, or it cannot be written.
    """
    check_writable(folder, "out")
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if MANIFEST in names and (folder / MANIFEST).read_bytes() == manifest.encode():
        return names.issuperset(files)
    others = sorted(name for name in names if name == MANIFEST or OURS.fullmatch(name))
    if others:
        raise UserError(
            f"{folder} holds other images ({others[-1]}), and nothing is written over them; give another out=<folder>, "
            "or no out= for a folder of their own."
        )
    return False


@contextmanager
def filling(folder: Path) -> Iterator[Path]:
    """A temporary folder to write to, whose files are in `folder` when the block ends without an exception.

    A folder with files of other names keeps them and gets the new ones one by one, the manifest last: without it the images
    are no finished request. A file that is there already stays as it is.
    """
    folder = folder.resolve()
    if folder.is_dir() and any(folder.iterdir()):
        with TemporaryDirectory(prefix=".", suffix=".part", dir=folder) as temporary:
            yield Path(temporary)
            for file in sorted(Path(temporary).iterdir(), key=lambda path: path.name == MANIFEST):
                if not (folder / file.name).exists():
                    file.rename(folder / file.name)
        return
    if folder.is_dir():
        folder.rmdir()  # Windows renames nothing to a folder that is there
    with replacing_directory(folder) as place:
        yield place


def slug(caption: str) -> str:
    """The first words of a caption as a name for a folder or file, in the caption's own script.

    Letters, their marks and digits are kept, composed (NFC) and in lower case; all else is a hyphen between words.
    "captions" where there is no letter at all.
    """
    text = unicodedata.normalize("NFC", caption).lower()
    words = "".join(char if unicodedata.category(char)[0] in "LNM" else " " for char in text).split()
    name = "-".join(words[:WORDS])
    while len(name.encode()) > LENGTH:
        name = name[:-1]
    return name.strip("-") or "captions"
