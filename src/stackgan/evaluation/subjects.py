"""The pictures that are judged or judged by: each a numbered list, made or read a batch at a time and never kept.

A subject can be sent to another process, and says in `identity` everything that its pixels depend on.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from stackgan.data.image_files import naming, read_rgb
from stackgan.data.store import ImageStore
from stackgan.data.views import centre_windows
from stackgan.evaluation.samples import generated_pixels
from stackgan.networks.text_to_image import TextToImage


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


def read_picture(path: Path) -> np.ndarray:
    """uint8 [H, W, 3], RGB, upright; transparency over white. Raises UserError that names the file."""
    with naming(path):
        return np.asarray(read_rgb(path)[0])


def state_hash(module: torch.nn.Module) -> str:
    """sha256 of a module's tensors by name, 16 hex digits."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
