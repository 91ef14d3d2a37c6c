"""A data set in CUB's layout, made in a moment, and the real one where it is at hand."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
ATTRIBUTES = ("has_wing_color::blue", "has_wing_color::red", "has_size::small_(5_-_9_in)", "has_bill_length::long")
MakeCub = Callable[..., Path]


@pytest.fixture
def cub10() -> Path:
    if not (SHARED / "cub10").is_dir():
        pytest.skip(f"{SHARED / 'cub10'} is not here")
    return SHARED / "cub10"


@pytest.fixture
def cub_metadata() -> Path:
    if not (SHARED / "cub_metadata").is_dir():
        pytest.skip(f"{SHARED / 'cub_metadata'} is not here")
    return SHARED / "cub_metadata"


@pytest.fixture
def make_cub(tmp_path: Path) -> MakeCub:
    """make_cub(classes, per_class) -> the root; picture i is one flat colour, 40 x 30 pixels, with two captions."""

    def make(
        classes: Sequence[int] = (1, 2, 3, 5, 10),
        per_class: int = 4,
        *,
        captions: bool = True,
        attributes: Mapping[int, Sequence[int]] | None = None,
        root: Path | None = None,
    ) -> Path:
        root = root or tmp_path / "cub"
        names = [(c, f"{c:03d}.Bird_{c}/Bird_{c}_{k:04d}.jpg") for c in classes for k in range(per_class)]
        for i, (_, name) in enumerate(names):
            path = root / "images" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (40, 30), (i * 7 % 256, i * 31 % 256, 128)).save(path)
            if captions:
                text = root / "text" / name.replace(".jpg", ".txt")
                text.parent.mkdir(parents=True, exist_ok=True)
                text.write_text(f"a bird number {i}\nbird {i} again\n")
        rows = list(enumerate(names, start=1))
        write(root / "images.txt", [f"{i} {name}" for i, (_, name) in rows])
        write(root / "image_class_labels.txt", [f"{i} {c}" for i, (c, _) in rows])
        write(root / "bounding_boxes.txt", [f"{i} 10.0 5.0 20.0 16.0" for i, _ in rows])
        write(root / "train_test_split.txt", [f"{i} {i % 2}" for i, _ in rows])
        write(root / "classes.txt", [f"{c} {c:03d}.Bird_{c}" for c in classes])
        if attributes is not None:
            write(root.parent / "attributes.txt", [f"{i} {n}" for i, n in enumerate(ATTRIBUTES, start=1)])
            lines = [
                f"{i} {a} {int(a in attributes.get(i, ()))} 4 1.5"
                for i, _ in rows
                for a in range(1, len(ATTRIBUTES) + 1)
            ]
            write(root / "attributes" / "image_attribute_labels.txt", lines)
        return root

    return make


def write(path: Path, lines: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


@pytest.fixture
def picture_folder(tmp_path: Path) -> Callable[..., Path]:
    """picture_folder("a.png", ...) -> a folder with these pictures, each noise of its own."""

    def make(*names: str) -> Path:
        root = tmp_path / "pictures"
        root.mkdir(exist_ok=True)
        for i, name in enumerate(names):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(i).integers(0, 256, (24, 36, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name)
        return root

    return make
