"""What a data set has too few images for, and what follows from it: said before training, and kept beside the scores. No torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stackgan.data.records import SPLITS, Split
from stackgan.evaluation.registry import LEAST, WHILE_TRAINING, whole_name

if TYPE_CHECKING:
    from stackgan.data.store import ImageStore

KID_LEAST = 4  # real images: halves of two, because KID needs pairs within each of two sets
SPREAD_LEAST = 2  # real images whose spread the health monitor compares with


def not_taken(store: ImageStore) -> dict[str, str]:
    """The scores of a run that the data set is too small for, as `kid`, `kid/test`: why, in a few words."""
    found = {}
    for split in SPLITS[1:]:
        images, least = _images(store, split), {"kid": KID_LEAST}
        for kind in WHILE_TRAINING:
            if len(store.indices(split)) < least.get(kind, 1):
                found[whole_name(kind, split)] = images
    return found


def shortages(store: ImageStore) -> list[str]:
    """A sentence for each split with too few images: what is missing, what follows, and what to do about it."""
    return [sentence[:1].upper() + sentence[1:] for sentence in (*_training(store), *_validation(store), *_test(store))]


def _training(store: ImageStore) -> Iterator[str]:
    rows, images = store.indices("train"), _images(store, "train")
    classes = set(store.class_ids[rows].tolist())
    if 1 < len(rows) < LEAST:
        yield f"{images}: src/evaluate.py, which needs {LEAST}, cannot score the run."
    if len(rows) == 1:
        yield f"{images}: no other caption can be held against it, so the text is not learned."
    elif len(classes) == 1 and -1 not in classes:
        yield (
            "all training images are of one class: no caption of another class can be held against an image, so the text is not "
            "learned (add images of another class)."
        )
    elif len({caption for row in rows for caption in store.captions[row]}) == 1:
        yield "all training images have the same caption, so the text is not learned."


def _validation(store: ImageStore) -> Iterator[str]:
    count, images = len(store.indices("validation")), _images(store, "validation")
    lacking = "KID is not taken, so no best generator is chosen (add validation images)"
    if not count:
        yield f"{images}: grids and health use captions of training images; no validation score is taken, and no best generator chosen."
    elif count < SPREAD_LEAST:
        yield f"{images}: {lacking}, and health cannot measure mode_collapse and ignores_text."
    elif count < KID_LEAST:
        yield f"{images}: {lacking}."


def _test(store: ImageStore) -> Iterator[str]:
    count, images = len(store.indices("test")), _images(store, "test")
    if not count:
        yield f"{images}: the scores on test captions are left out ({_remedy(store)})."
    elif count < LEAST:
        kid = "KID on test captions is not taken, and " if count < KID_LEAST else ""
        yield f"{images}: {kid}src/evaluate.py, which needs {LEAST}, cannot score the run (add test images)."


def _images(store: ImageStore, split: Split) -> str:
    count, kind = len(store.indices(split)), "training" if split == "train" else split
    return f"only {count} {kind} image{'' if count == 1 else 's'}" if count else f"no {kind} images"


def _remedy(store: ImageStore) -> str:
    if store.source not in ("cub", "birds"):
        return "give some, or divide all images anew: data.split=image"
    return "name test classes: data.test_classes=[...], or split anew: data.split=image data.split_seed=0"
