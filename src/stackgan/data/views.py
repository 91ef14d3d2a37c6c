"""Fixed views of a split: the real pictures scores are compared with, and the captions samples are drawn for."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stackgan.data.batches import gather_windows
from stackgan.data.randomness import generator
from stackgan.data.records import Split
from stackgan.data.store import ImageStore


def real_images(
    store: ImageStore, split: Split, image_size: int, *, chunk: int = 256, limit: int | None = None
) -> Iterator[Tensor]:
    """The split's pictures in the store's order, centre-cropped and not flipped.

    Args:
        chunk: pictures at a time, at most.
        limit: stop after so many; they are then spread evenly over the split, so that each class is in.

    Yields:
        uint8 [b, 3, image_size, image_size] with channels_last strides.
    """
    rows = store.indices(split)
    if limit is not None and limit < len(rows):
        rows = rows[np.arange(limit) * len(rows) // limit]
    for start in range(0, len(rows), chunk):
        yield centre_windows(store, rows[start : start + chunk], image_size)


def centre_windows(store: ImageStore, rows: np.ndarray, image_size: int) -> Tensor:
    """Pictures by row, centre-cropped and not flipped: uint8 [B, 3, image_size, image_size] with channels_last strides."""
    offset = (store.size - image_size) // 2
    windows = gather_windows(store.images, rows, np.full((len(rows), 2), offset), image_size)
    return torch.from_numpy(windows).permute(0, 3, 1, 2)


def watched_split(store: ImageStore) -> Split:
    """Whose images and captions show how a run goes: validation's, or training's where there are none."""
    return "validation" if len(store.indices("validation")) else "train"


@dataclass(frozen=True)
class SampleCaption:
    """A caption to draw pictures for: caption `caption` of the store's row `row`."""

    row: int
    caption: int
    text: str
    class_id: int  # -1: none


def sample_captions(store: ImageStore, split: Split, count: int, *, seed: int = 0) -> list[SampleCaption]:
    """The same `count` captions at every call, spread over the split's classes.

    Classes come in turn, in a shuffled order, each time with another of their pictures as long as there are any; a
    split with fewer pictures than `count` begins again with other captions. Asking for more keeps the first ones.
    """
    rng = generator(seed, f"sample captions {split}")
    queue = _classes_in_turn(store, rng.permutation(store.indices(split)))
    chosen: list[SampleCaption] = []
    for place in range(count if queue else 0):
        again, row = place // len(queue), queue[place % len(queue)]
        captions = store.captions[row]
        start = int(generator(seed, f"sample caption of {store.names[row]}").integers(len(captions)))
        index = (start + again) % len(captions)
        chosen.append(SampleCaption(row, index, captions[index], int(store.class_ids[row])))
    return chosen


def _classes_in_turn(store: ImageStore, rows: np.ndarray) -> list[int]:
    """Reorder so that the first picture of each class comes first, then the second of each, and so on."""
    seen: dict[int, int] = {}
    turns = []
    for place, row in enumerate(rows.tolist()):
        class_id = int(store.class_ids[row])
        turn = place if class_id < 0 else seen.get(class_id, 0)
        seen[class_id] = turn + 1
        turns.append((turn, place, row))
    return [row for _, _, row in sorted(turns)]
