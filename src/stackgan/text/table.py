"""The vectors of all captions of a store, in one memory-mapped file.

    <cache>/embeddings/<encoder>-<fingerprint>/table-<key>/   hashes.npy, vectors.npy, starts.npy
                                               part-<key>/    hashes.npy, vectors.npy: chunks of an unfinished table

Every folder is also a dictionary from caption to vector, so a second data set, an added caption or an interrupted run
embeds only captions that no folder holds yet. The fingerprint says in which precision (stackgan.text.precision); a table
that is finished in either is used, so that a cache made on another machine is not made again.
"""

import hashlib
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stackgan.data.files import exclusive, replacing_directory
from stackgan.data.store import ImageStore
from stackgan.progress import progress_bar
from stackgan.text.encoder import TextEncoder
from stackgan.text.precision import AGREEMENT, BF16, cosine_distances

CHUNK = 1024  # captions embedded between two writes: what an interruption can cost
SPEED_UP = 3  # of bfloat16 over float32, where the processor has it
PROBED = 16  # captions embedded in both precisions before the faster is trusted
_HASH = np.dtype("S16")


@dataclass(frozen=True, eq=False)
class EmbeddingTable:
    """Caption j of image i is row starts[i] + j. Picklable by its path."""

    vectors: np.ndarray  # float32 [M, dim], memory-mapped
    starts: np.ndarray  # int64 [N + 1]
    dim: int
    encoder: str  # fingerprint
    encoder_name: str
    directory: Path | None = None

    def counts(self) -> np.ndarray:
        """Captions of each image, int64 [N]."""
        return np.diff(self.starts)

    def row(self, image: int, caption: int) -> np.ndarray:
        """The vector of one caption, float32 [dim].

        A table with one vector a picture (attributes) has that one for each of the picture's captions.
        """
        first, end = self.starts[image], self.starts[image + 1]
        return np.array(self.vectors[min(first + caption, end - 1)], dtype=np.float32)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.directory is None:
            return EmbeddingTable, (self.vectors, self.starts, self.dim, self.encoder, self.encoder_name)
        return open_table, (self.directory, self.encoder, self.encoder_name)


def open_table(directory: Path, encoder: str, encoder_name: str) -> EmbeddingTable:
    """A finished table; `encoder` and `encoder_name` say what made it."""
    vectors = np.load(directory / "vectors.npy", mmap_mode="r")
    return EmbeddingTable(
        vectors, np.load(directory / "starts.npy"), vectors.shape[1], encoder, encoder_name, directory
    )


def embed_store(
    store: ImageStore, encoder: TextEncoder, cache: Path, *, faster: TextEncoder | None = None
) -> EmbeddingTable:
    """Every caption of the store, from the cache or newly embedded: each distinct caption once.

    Args:
        encoder: in float32.
        faster: the same encoder in bfloat16, where this machine is fast at that. It makes the table, unless float32 has
            little left to do or the two disagree; see `_choose`.
    """
    shelf, exact = Path(cache) / "embeddings", encoder.fingerprint()
    fingerprints = [exact, exact + BF16] if faster is None else [faster.fingerprint(), exact]
    texts = [text for captions in store.captions for text in captions]
    hashes = caption_hashes(texts)
    starts = np.cumsum([0, *map(len, store.captions)], dtype=np.int64)
    key = hashlib.sha256(hashes.tobytes() + starts.tobytes()).hexdigest()[:16]
    with exclusive(shelf / f"{encoder.name}-{exact}"):
        for fingerprint in fingerprints:
            directory = shelf / f"{encoder.name}-{fingerprint}" / f"table-{key}"
            if directory.is_dir():
                return open_table(directory, fingerprint, encoder.name)
        encoder = _choose(encoder, faster, texts, hashes, shelf)
        folder = _folder(shelf, encoder)
        _embed_missing(texts, hashes, encoder, folder)
        with replacing_directory(folder / f"table-{key}") as temporary:
            np.save(temporary / "hashes.npy", hashes)
            np.save(temporary / "starts.npy", starts)
            _gather(hashes, folder, encoder.dim, temporary / "vectors.npy")
        for part in folder.glob("part-*"):
            if np.isin(np.load(part / "hashes.npy"), hashes).all():  # else it is of another, unfinished table
                shutil.rmtree(part, ignore_errors=True)
    return open_table(folder / f"table-{key}", encoder.fingerprint(), encoder.name)


def _folder(shelf: Path, encoder: TextEncoder) -> Path:
    return shelf / f"{encoder.name}-{encoder.fingerprint()}"


def _choose(
    encoder: TextEncoder, faster: TextEncoder | None, texts: Sequence[str], hashes: np.ndarray, shelf: Path
) -> TextEncoder:
    """Which of the two makes a table: the one that is done sooner with the captions its own folder lacks.

    The faster one must show on some of them that it agrees with the other on this machine.
    """
    if faster is None:
        return encoder
    left, left_faster = (_missing(hashes, _folder(shelf, one)) for one in (encoder, faster))
    if len(left) * SPEED_UP <= len(left_faster):
        return encoder
    sample = [texts[i] for i in left[:PROBED]]
    distance = cosine_distances(encoder.encode(sample), faster.encode(sample)).max()
    if not distance <= AGREEMENT:  # NaN is no agreement either
        print(
            f"note: text in float32, because bfloat16 is {distance:.2g} off in cosine on this machine", file=sys.stderr
        )
        return encoder
    return faster


def caption_hashes(texts: Sequence[str]) -> np.ndarray:
    """16 bytes for each caption, [M] of dtype S16."""
    digests = b"".join(_digest(text) for text in texts)
    return np.frombuffer(digests, dtype=_HASH)


def _digest(text: str) -> bytes:
    # numpy's S16 drops trailing zero bytes, so hex digits (64 bits) stand for the digest.
    return hashlib.sha256(text.encode()).hexdigest()[:16].encode()


def _pieces(folder: Path) -> list[Path]:
    return sorted(p for p in (*folder.glob("table-*"), *folder.glob("part-*")) if (p / "vectors.npy").is_file())


def _missing(hashes: np.ndarray, folder: Path) -> np.ndarray:
    """Where each caption that `folder` does not hold stands first."""
    distinct, first = np.unique(hashes, return_index=True)
    known = [np.load(piece / "hashes.npy") for piece in _pieces(folder)]
    return first[~np.isin(distinct, np.concatenate([*known, distinct[:0]]))]


def _embed_missing(texts: Sequence[str], hashes: np.ndarray, encoder: TextEncoder, folder: Path) -> None:
    """Write what `folder` lacks in parts of CHUNK captions.

    The encoder gives the longest first: the time left, reckoned from the rate so far, then errs on the safe side.
    """
    todo = _missing(hashes, folder)
    rows: list[int] = []
    batches: list[np.ndarray] = []
    with progress_bar(len(todo), "caption", f"captions by {encoder.name}", disable=not len(todo)) as progress:
        for indices, vectors in encoder.encode_by_length([texts[i] for i in todo]):
            rows += indices
            batches.append(vectors)
            progress.update(len(indices))
            if len(rows) >= CHUNK:
                _write_part(folder, hashes[todo[rows]], np.concatenate(batches))
                rows, batches = [], []
        if rows:
            _write_part(folder, hashes[todo[rows]], np.concatenate(batches))


def _write_part(folder: Path, keys: np.ndarray, vectors: np.ndarray) -> None:
    name = hashlib.sha256(keys.tobytes()).hexdigest()[:16]
    with replacing_directory(folder / f"part-{name}") as temporary:
        np.save(temporary / "hashes.npy", keys)
        np.save(temporary / "vectors.npy", vectors)


def _gather(hashes: np.ndarray, folder: Path, dim: int, path: Path) -> None:
    """Write the rows of `hashes`, wherever they lie, to one .npy file."""
    vectors = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(len(hashes), dim))
    wanted = np.ones(len(hashes), dtype=bool)
    for piece in _pieces(folder):
        keys = np.load(piece / "hashes.npy")
        order = np.argsort(keys, kind="stable")
        position = np.searchsorted(keys, hashes, sorter=order).clip(max=len(keys) - 1)
        found = wanted & (keys[order[position]] == hashes)
        if found.any():
            vectors[found] = np.load(piece / "vectors.npy", mmap_mode="r")[order[position[found]]]
            wanted &= ~found
    vectors.flush()
