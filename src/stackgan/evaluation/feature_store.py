"""What networks said about a set of pictures, on disk in chunks: a pass over them goes on where a killed one ended.

    <cache>/features/<name>-<key>/00003.safetensors     what was read from pictures 750..999, a tensor a name

Each chunk appears at once and whole. The key is a hash of everything that the numbers depend on, so a folder is never wrong, only
unfinished; neither batch size nor devices are in it, and a pass may go on with others than it began with.
"""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from stackgan.data.files import replacing

CHUNK = 250  # pictures: what an interruption costs, for each device
FORMAT = 1


def content_key(identity: dict[str, Any]) -> str:
    """24 hex digits of plain values."""
    return hashlib.sha256(json.dumps([FORMAT, CHUNK, identity], sort_keys=True).encode()).hexdigest()[:24]


@dataclass(frozen=True)
class FeatureStore:
    """The chunks of `count` pictures in one folder."""

    folder: Path
    count: int

    @property
    def chunks(self) -> range:
        """Numbers of all chunks."""
        return range(-(-self.count // CHUNK))

    def pictures(self, chunk: int) -> range:
        """Which pictures a chunk is of."""
        return range(chunk * CHUNK, min((chunk + 1) * CHUNK, self.count))

    def missing(self) -> list[int]:
        """The chunks that are not there, or that are damaged."""
        return [chunk for chunk in self.chunks if not self._whole(chunk)]

    def write(self, chunk: int, values: dict[str, Tensor]) -> None:
        """Store a chunk's values; rows of those that speak of each picture are in picture order."""
        with replacing(self._path(chunk)) as temporary:  # written as bytes: a full disk is an OSError this way
            temporary.write_bytes(save({name: value.detach().cpu().contiguous() for name, value in values.items()}))

    def read(self, name: str) -> Tensor:
        """A value of all pictures, in their order. Raises KeyError where it was not stored."""
        rows: Tensor | None = None
        for chunk in self.chunks:
            with safe_open(self._path(chunk), framework="pt") as file:
                if name not in file.keys():  # noqa: SIM118 - not a mapping
                    raise KeyError(name)
                part = file.get_tensor(name)
            if rows is None:
                rows = torch.empty(self.count, *part.shape[1:], dtype=part.dtype)
            pictures = self.pictures(chunk)
            rows[pictures.start : pictures.stop] = part
        assert rows is not None
        return rows

    def read_parts(self, name: str) -> Tensor:
        """A value with any number of rows a chunk, concatenated."""
        parts = []
        for chunk in self.chunks:
            with safe_open(self._path(chunk), framework="pt") as file:
                parts.append(file.get_tensor(name))
        return torch.cat(parts)

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, chunk: int) -> Path:
        return self.folder / f"{chunk:05d}.safetensors"

    def _whole(self, chunk: int) -> bool:
        try:
            with safe_open(self._path(chunk), framework="pt"):  # compares the header with the file's length
                return True
        except (OSError, SafetensorError):
            return False
