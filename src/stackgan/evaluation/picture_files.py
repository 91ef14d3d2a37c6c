"""Picture files from elsewhere that are to be judged: which they are, and whether they can be. No torch here."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from stackgan.errors import UserError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
LEAST_SIDE = 8  # pixels; frames and features have no meaning below


def list_pictures(folder: Path, limit: int | None = None) -> tuple[str, ...]:
    """The PNG, JPEG and WebP files of a folder and its sub-folders by name, up to `limit`; grids of src/generate.py are left out.

    Raises UserError where there is none.
    """
    if not folder.is_dir():
        raise UserError(f"images={folder} is no folder; give one with pictures ({', '.join(SUFFIXES)}).")
    found = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and not path.name.startswith((".", "grid"))
    )
    if not found:
        raise UserError(f"images={folder} holds no picture ({', '.join(SUFFIXES)}).")
    return tuple(found[:limit])


def picture_sizes(folder: Path, files: Sequence[str]) -> list[tuple[int, int]]:
    """(width, height) of each picture in pixels, from the files' headers. Raises UserError that names a file without one, or too small."""
    sizes = []
    for file in files:
        with naming(folder / file), Image.open(folder / file) as image:
            width, height = image.size
        if min(width, height) < LEAST_SIDE:
            raise UserError(
                f"{folder / file} is {width} x {height} px, and scores need at least {LEAST_SIDE}; replace or remove it."
            )
        sizes.append((width, height))
    return sizes


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Say which file it is that cannot be read. Raises UserError."""
    try:
        yield
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = (str(error).splitlines() or ["damaged"])[0]
        raise UserError(f"{path} cannot be read as a picture ({reason}); replace or remove it.") from error
