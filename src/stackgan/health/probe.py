"""A few dozen pictures that show what the averaged generator makes of text and of noise, and real ones beside them."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stackgan.data.store import ImageStore
from stackgan.data.views import real_images, sample_captions, watched_split
from stackgan.networks.text_to_image import TextToImage
from stackgan.text.table import EmbeddingTable
from stackgan.training.noise import picture_noise

LARGEST = 64  # pixels: what the measures look at
AT_A_TIME = 16  # pictures


@dataclass(frozen=True)
class Pictures:
    """All float32 in 0..1, at most 64 pixels wide.

    Attributes:
        generated: [C, Z, 3, S, S]: caption c with noise z; every caption has the same Z noises.
        real: [R, 3, S, S], spread over the split.
    """

    generated: Tensor
    real: Tensor


class Probe:
    """Draws the same captions with the same noises each time; touches no random state.

    Args:
        store, table: where captions, their embeddings and the real pictures come from.
        captions: different validation pictures' captions; fewer where there are fewer. Training pictures' where there are none.
        noises: pictures of each caption.
    """

    def __init__(self, store: ImageStore, table: EmbeddingTable, captions: int, noises: int) -> None:
        self.noises, split = noises, watched_split(store)
        chosen = sample_captions(store, split, min(captions, len(store.indices(split))))
        self.text = torch.from_numpy(np.stack([table.row(c.row, c.caption) for c in chosen]))  # [C, T]
        self._source = (store, split, captions * noises)
        self._real: Tensor | None = None

    def draw(self, sampler: TextToImage, device: torch.device) -> Pictures:
        """Pictures of the generator as it is now."""
        count = len(self.text)
        text = self.text.repeat_interleave(self.noises, dim=0)  # [C Z, T]
        noise = picture_noise(0, range(self.noises), sampler.noise_size).repeat(count, 1)  # [C Z, noise_size]
        parts = [small(sampler.pixels(t.to(device), z.to(device)).cpu())
                 for t, z in zip(text.split(AT_A_TIME), noise.split(AT_A_TIME), strict=True)]  # fmt: skip
        return Pictures(torch.cat(parts).unflatten(0, (count, self.noises)), self.real(sampler.image_size))

    def real(self, size: int) -> Tensor:
        """As many real pictures as generated ones, or all that the split has."""
        if self._real is None:
            store, split, limit = self._source
            self._real = torch.cat([small(part) for part in real_images(store, split, size, limit=limit)])
        return self._real


def small(pixels: Tensor) -> Tensor:
    """uint8 [B, 3, H, H] to float32 in 0..1 of at most `LARGEST` pixels, by averaging."""
    return averaged(pixels.float() / 255, LARGEST)


def averaged(images: Tensor, size: int) -> Tensor:
    """[B, 3, H, H] to at most `size` pixels, each the mean of those it covers."""
    return F.interpolate(images, size=(size, size), mode="area") if images.shape[-1] > size else images
