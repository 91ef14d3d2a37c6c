"""The pictures that are judged or judged by: each a numbered list, made or read a batch at a time and never kept.

A subject can be sent to another process, and says in `identity` everything that its pixels depend on.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from stackgan.data.pixels import to_rgb
from stackgan.data.store import ImageStore
from stackgan.data.views import centre_windows
from stackgan.errors import UserError
from stackgan.evaluation.samples import generated_pixels
from stackgan.networks.text_to_image import TextToImage

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


class Subject(Protocol):
    """A numbered list of pictures."""

    @property
    def name(self) -> str:
        """A word for its folder in the cache."""

    @property
    def count(self) -> int:
        """How many pictures."""

    def identity(self) -> dict[str, Any]:
        """Plain values on which the pixels depend."""

    def batches(self, pictures: range, batch_size: int, device: torch.device) -> Iterator[Tensor]:
        """The given pictures in order, uint8 [b, 3, H, W] with b up to `batch_size`."""


@dataclass(frozen=True, eq=False)
class GeneratedPictures:
    """Picture i is a function of text[i] and the noise of (seed, i)."""

    sampler: TextToImage
    text: Tensor  # float32 [N, T]
    seed: int
    truncation: float = 1.0
    name: str = "generated"

    @property
    def count(self) -> int:
        return len(self.text)

    def identity(self) -> dict[str, Any]:
        text = hashlib.sha256(self.text.numpy().tobytes()).hexdigest()
        return {
            "generator": state_hash(self.sampler), "text": text, "seed": self.seed, "truncation": self.truncation,
        }  # fmt: skip

    def batches(self, pictures: range, batch_size: int, device: torch.device) -> Iterator[Tensor]:
        sampler = self.sampler.to(device)
        return generated_pixels(sampler, self.text, self.seed, pictures, batch_size, device, self.truncation)


@dataclass(frozen=True, eq=False)
class RealPictures:
    """Rows of a store, centre-cropped, not flipped."""

    store: ImageStore
    rows: np.ndarray  # int64 [N]
    image_size: int
    name: str = "real"

    @property
    def count(self) -> int:
        return len(self.rows)

    def identity(self) -> dict[str, Any]:
        pixels = Path(getattr(self.store.images, "filename", "")).name  # changes with every edit of a picture file
        rows = hashlib.sha256(self.rows.tobytes()).hexdigest()
        return {
            "data": self.store.fingerprint, "pixels": pixels, "rows": rows, "image_size": self.image_size,
        }  # fmt: skip

    def batches(self, pictures: range, batch_size: int, device: torch.device) -> Iterator[Tensor]:
        for start in range(pictures.start, pictures.stop, batch_size):
            rows = self.rows[start : min(start + batch_size, pictures.stop)]
            yield centre_windows(self.store, rows, self.image_size).to(device)


@dataclass(frozen=True, eq=False)
class FolderPictures:
    """Picture files of any sizes; those of one size that follow each other share a batch."""

    folder: Path
    files: tuple[str, ...]  # relative to the folder
    name: str = "folder"

    @property
    def count(self) -> int:
        return len(self.files)

    def identity(self) -> dict[str, Any]:
        stats = [(file, (self.folder / file).stat()) for file in self.files]
        return {"files": [[file, stat.st_size, stat.st_mtime_ns] for file, stat in stats]}

    def batches(self, pictures: range, batch_size: int, device: torch.device) -> Iterator[Tensor]:
        for start in range(pictures.start, pictures.stop, batch_size):
            files = self.files[start : min(start + batch_size, pictures.stop)]
            for _, group in groupby((read_picture(self.folder / file) for file in files), key=lambda p: p.shape):
                yield torch.from_numpy(np.stack(list(group))).permute(0, 3, 1, 2).to(device)

    def sizes(self) -> list[tuple[int, int]]:
        """(width, height) of each picture in pixels, from the files' headers. Raises UserError that names a file without one."""
        return [_size(self.folder / file) for file in self.files]


def find_pictures(folder: Path, limit: int | None = None) -> FolderPictures:
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
    return FolderPictures(folder, tuple(found[:limit]))


def read_picture(path: Path) -> np.ndarray:
    """uint8 [H, W, 3], RGB; transparency over white. Raises UserError that names the file."""
    with _naming(path), Image.open(path) as image:
        return np.asarray(to_rgb(image), dtype=np.uint8)


def _size(path: Path) -> tuple[int, int]:
    with _naming(path), Image.open(path) as image:
        return image.size


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = (str(error).splitlines() or ["damaged"])[0]
        raise UserError(f"{path} cannot be read as a picture ({reason}); replace or remove it.") from error


def state_hash(module: torch.nn.Module) -> str:
    """sha256 of a module's tensors by name, 16 hex digits."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
