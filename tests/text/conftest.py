"""A small store, and the real data where it is at hand."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stackgan.data.records import Record, Source
from stackgan.data.store import ImageStore, build_store

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture
def cub_metadata() -> Path:
    if not (SHARED / "cub_metadata").is_dir():
        pytest.skip(f"{SHARED / 'cub_metadata'} is not here")
    return SHARED / "cub_metadata"


@pytest.fixture
def make_store(tmp_path: Path) -> Callable[..., ImageStore]:
    """make_store([captions of picture 0, captions of picture 1, ...]) -> a store of 4 px pictures."""

    def make(
        captions: Sequence[Sequence[str]],
        names: Sequence[str] | None = None,
        attributes: Sequence[Sequence[float]] | None = None,
        attribute_names: tuple[str, ...] = (),
    ) -> ImageStore:
        names = names or [f"bird_{i}.png" for i in range(len(captions))]
        records = []
        for i, (name, texts) in enumerate(zip(names, captions, strict=True)):
            path = tmp_path / "pictures" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8), (i, i, i)).save(path)
            values = None if attributes is None else np.array(attributes[i], dtype=np.float32)
            records.append(Record(name, path, tuple(texts), "train", attributes=values))
        source = Source("folder", tmp_path / "pictures", tuple(records), attribute_names=attribute_names)
        return build_store(source, tmp_path / "store_cache", 4)

    return make
