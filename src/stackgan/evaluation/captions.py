"""Which caption belongs to which picture, of a data set and of a folder of pictures from elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stackgan.data.listings.find import read_list
from stackgan.data.records import Split
from stackgan.data.views import sample_captions
from stackgan.errors import UserError
from stackgan.inputs import Inputs
from stackgan.text.encoders import ENCODERS, build_encoder

PAIRS = 20_000  # picture-caption pairs that a text-image scorer is fitted to, about
LISTINGS = ("captions.csv", "captions.jsonl", "metadata.csv", "metadata.jsonl", "manifest.jsonl")


@dataclass(frozen=True)
class Captions:
    """One caption for each picture."""

    texts: list[str]
    vectors: Tensor  # float32 [N, T]
    class_ids: Tensor  # int64 [N]; -1: none

    def __len__(self) -> int:
        return len(self.texts)

    def rows(self, chosen: Sequence[int]) -> "Captions":
        """Some of them, in the given order."""
        places = torch.tensor(chosen, dtype=torch.int64)
        return Captions([self.texts[i] for i in chosen], self.vectors[places], self.class_ids[places])

    def shuffled(self) -> "Captions":
        """Each picture beside another one's caption: the next one's."""
        return Captions(
            [*self.texts[1:], *self.texts[:1]], self.vectors.roll(-1, 0), self.class_ids.roll(-1, 0)
        )  # fmt: skip


def split_captions(inputs: Inputs, split: Split, count: int) -> tuple[Captions, np.ndarray]:
    """`count` captions spread over the split's classes, and the rows of the pictures they were written for."""
    chosen = sample_captions(inputs.store, split, count)
    vectors = np.stack([inputs.table.row(each.row, each.caption) for each in chosen])
    captions = Captions(
        [each.text for each in chosen],
        torch.from_numpy(vectors),
        torch.tensor([each.class_id for each in chosen]),
    )
    return captions, np.array([each.row for each in chosen])


def pairs(inputs: Inputs, rows: np.ndarray) -> tuple[Captions, Tensor]:
    """Captions of the given rows of the store, as many of each as make about 20,000 pairs; and which picture each is of, int64."""
    store, most = inputs.store, max(1, PAIRS // max(1, len(rows)))
    chosen = [(i, row, j) for i, row in enumerate(rows.tolist()) for j in range(min(most, len(store.captions[row])))]
    vectors = np.stack([inputs.table.row(row, j) for _, row, j in chosen])
    captions = Captions(
        [store.captions[row][j] for _, row, j in chosen],
        torch.from_numpy(vectors),
        torch.from_numpy(store.class_ids[[row for _, row, _ in chosen]]),
    )
    return captions, torch.tensor([i for i, _, _ in chosen])


def folder_captions(folder: Path, files: Sequence[str], inputs: Inputs) -> Captions | str:
    """The captions of picture files, from captions.csv, captions.jsonl or the manifest of src/generate.py; else why there are none.

    A caption that the data set knows has the class of the picture it was written for, any other one a class of its own.
    """
    listing = next((folder / name for name in LISTINGS if (folder / name).is_file()), None)
    if listing is None:
        return f"{folder} has none of {', '.join(LISTINGS)}"
    found = read_list(listing)
    if found.bad:
        raise UserError(f"{listing} {found.bad[0][0]}: {found.bad[0][1]}; mend or remove it.")
    by_file = {row.file: row.caption for row in reversed(found.rows)}
    without = [file for file in files if not by_file.get(file)]
    if without:
        return f"{listing} has no caption for {len(without)} of {len(files)} pictures (first: {without[0]})"
    if inputs.encoder.name not in ENCODERS:
        return f"text={inputs.encoder.name} cannot embed free text"
    texts = [by_file[file] for file in files]
    vectors, classes = torch.from_numpy(build_encoder(inputs.encoder.name).encode(texts)), _classes(inputs, texts)
    return Captions(texts, vectors, torch.tensor([classes[text] for text in texts]))


def _classes(inputs: Inputs, texts: Sequence[str]) -> dict[str, int]:
    store = inputs.store
    known = {text: int(store.class_ids[row]) for row, captions in enumerate(store.captions) for text in captions}
    new = [text for text in dict.fromkeys(texts) if known.get(text, -1) < 0]
    return known | {text: number for number, text in enumerate(new, start=int(store.class_ids.max()) + 1)}


def same_caption(texts: Sequence[str], captions: int, pictures: int) -> list[list[int]]:
    """Places of pictures that share a caption: up to `captions` groups of equal size, 2 to `pictures`; [] where none share one."""
    places: dict[str, list[int]] = {}
    for place, text in enumerate(texts):
        places.setdefault(text, []).append(place)
    return equal_groups(list(places.values()), captions, pictures)


def equal_groups(groups: Sequence[Sequence[int]], count: int, size: int) -> list[list[int]]:
    """Up to `count` groups cut to one size: `size`, or the largest one there is below it; [] where no group has two members."""
    size = min(size, max((len(group) for group in groups), default=0))
    return [list(group[:size]) for group in groups if len(group) >= size][:count] if size >= 2 else []
