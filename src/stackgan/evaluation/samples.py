"""The pictures a score is taken of: picture i is a function of seed, index i and caption i, on any number of devices."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from stackgan.data.records import Split
from stackgan.data.store import ImageStore
from stackgan.data.views import sample_captions
from stackgan.networks.text_to_image import TextToImage
from stackgan.text.table import EmbeddingTable
from stackgan.training.noise import picture_noise


def caption_vectors(store: ImageStore, table: EmbeddingTable, split: Split, count: int) -> Tensor:
    """Embeddings of `count` captions spread over the split's classes, float32 [count, T]."""
    chosen = sample_captions(store, split, count)
    return torch.from_numpy(np.stack([table.row(caption.row, caption.caption) for caption in chosen]))


def share(count: int, rank: int, world_size: int) -> range:
    """This rank's contiguous part of `count` indices."""
    return range(count * rank // world_size, count * (rank + 1) // world_size)


def generated_pixels(
    sampler: TextToImage,
    text: Tensor,
    seed: int,
    indices: range,
    batch_size: int,
    device: torch.device,
    truncation: float = 1.0,
) -> Iterator[Tensor]:
    """uint8 batches [b, 3, H, H] of the pictures `indices`, picture i made of text[i] and the noise of (seed, i).

    `truncation` is a factor on the noise: below 1 the pictures are less varied.
    """
    for start in range(indices.start, indices.stop, batch_size):
        part = range(start, min(start + batch_size, indices.stop))
        noise = truncation * picture_noise(seed, part, sampler.noise_size)
        yield sampler.pixels(text[part.start : part.stop].to(device), noise.to(device))
