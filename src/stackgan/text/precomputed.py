"""The embeddings of StackGAN's release: char-CNN-RNN vectors (Reed et al. 2016) of CUB's ten captions a picture.

<root>/train/char-CNN-RNN-embeddings.pickle   list or array of N arrays [10, 1024]
<root>/train/filenames.pickle                 their N names, "002.Laysan_Albatross/Laysan_Albatross_0002_1027"
<root>/test/...                               the same
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stackgan.data.files import replacing_directory
from stackgan.data.store import ImageStore
from stackgan.errors import UserError
from stackgan.text import array_pickle
from stackgan.text.table import EmbeddingTable, open_table

EMBEDDINGS = "char-CNN-RNN-embeddings.pickle"
NAME = "precomputed"


def precomputed_table(store: ImageStore, root: Path, cache: Path, *, embeddings: str = EMBEDDINGS) -> EmbeddingTable:
    """The released vectors of the store's pictures, found by name, unscaled; written once to a memory-mapped file.

    Args:
        root: holds train/ and test/, or the two pickles themselves.
        embeddings: file name of the vectors.

    Raises:
        UserError: a file is missing or refused, the files do not belong together, or a picture has no vectors.
    """
    folders = embedding_folders(Path(root), embeddings)
    files = [folder / file for folder in folders for file in ("filenames.pickle", embeddings)]
    stamps = [(str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in files]
    key = hashlib.sha256(repr((store.names, stamps)).encode()).hexdigest()[:16]
    directory = Path(cache) / "embeddings" / f"{NAME}-{key}"
    if not directory.is_dir():
        digest = hashlib.sha256(b"".join(hashlib.sha256(f.read_bytes()).digest() for f in files)).hexdigest()[:16]
        vectors = {name: array for folder in folders for name, array in _pairs(folder, embeddings)}
        _write(store, vectors, digest, directory)
    fingerprint = json.loads((directory / "table.json").read_text())["fingerprint"]
    return open_table(directory, fingerprint, NAME)


def embedding_folders(root: Path, embeddings: str = EMBEDDINGS) -> list[Path]:
    """The folders that hold vectors and their names. Raises UserError where there is none, or one lacks its names."""
    folders = [folder for folder in (root / "train", root / "test", root) if (folder / embeddings).is_file()]
    if not folders:
        raise UserError(
            f"text=precomputed: {root} holds no train/{embeddings}; give the folder of StackGAN's released embeddings."
        )
    for folder in folders:
        if not (folder / "filenames.pickle").is_file():
            raise UserError(f"text=precomputed: {folder} has no filenames.pickle; take it from the same release.")
    return folders


def _pairs(folder: Path, embeddings: str) -> Iterator[tuple[str, np.ndarray]]:
    names = array_pickle.load(folder / "filenames.pickle")
    arrays = array_pickle.load(folder / embeddings)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(f"{folder / 'filenames.pickle'} is not a list of names; take the file of StackGAN's release.")
    if len(names) != len(arrays):
        raise UserError(
            f"{folder}: {len(names)} names, but vectors of {len(arrays)} pictures; take both from one release."
        )
    for name, array in zip(names, arrays, strict=True):
        if not isinstance(array, np.ndarray) or array.ndim != 2 or not np.isfinite(array).all():
            raise UserError(f"{folder / embeddings}: the vectors of {name} are not a finite array [captions, dim].")
        yield name, array


def _write(store: ImageStore, vectors: dict[str, np.ndarray], digest: str, directory: Path) -> None:
    names = [str(Path(name).with_suffix("")) for name in store.names]
    missing = [name for name in names if name not in vectors]
    if missing:
        raise UserError(
            f"text=precomputed: {len(missing)} of the store's {len(names)} pictures have no vectors (first: "
            f"{missing[0]}); give the release's folder with both train/ and test/."
        )
    arrays = [vectors[name] for name in names]
    dims = {array.shape[1] for array in arrays}
    if len(dims) > 1:
        raise UserError(f"text=precomputed: the vectors differ in length ({sorted(dims)}); take all from one release.")
    starts = np.cumsum([0, *map(len, arrays)], dtype=np.int64)
    with replacing_directory(directory) as temporary:
        shape = (int(starts[-1]), dims.pop())
        out = np.lib.format.open_memmap(temporary / "vectors.npy", mode="w+", dtype=np.float32, shape=shape)
        for start, array in zip(starts, arrays, strict=False):
            out[start : start + len(array)] = array
        out.flush()
        np.save(temporary / "starts.npy", starts)
        (temporary / "table.json").write_text(json.dumps({"fingerprint": digest}))
