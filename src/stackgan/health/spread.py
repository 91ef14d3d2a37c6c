"""`mode_collapse` and `ignores_text`: how much pictures change with the noise and with the caption.

Pictures are averaged to 16x16 first, so that grain does not count as difference: what is left is layout and colour. The probe is a
two-way table, captions by noises (as in a two-way analysis of variance), so a generator that ignores its noise and one that ignores its
text are told apart. Each variance is divided by that of as many real pictures, which makes it independent of the data set.
"""

import torch
from torch import Tensor

from stackgan.health.probe import Pictures, averaged

COARSE = 16  # pixels
SAME = 0.2  # of the median distance of real pictures to their nearest neighbour: closer ones are duplicates


def coarse(images: Tensor) -> Tensor:
    """[N, 3, S, S] to vectors [N, D]."""
    return averaged(images, COARSE).flatten(1)


def real_variance(pictures: Pictures) -> Tensor:
    """Mean variance over real pictures, []."""
    return coarse(pictures.real).var(dim=0).mean()


def noise_spread(pictures: Pictures) -> float:
    """Variance over the noises under one caption, of the variance over real pictures: 0 where noise changes nothing."""
    return float(_table(pictures).var(dim=1).mean() / real_variance(pictures))


def caption_spread(pictures: Pictures) -> float:
    """Variance over the captions with one noise, of the variance over real pictures: 0 where text changes nothing."""
    return float(_table(pictures).var(dim=0).mean() / real_variance(pictures))


def duplicate_rate(pictures: Pictures) -> float:
    """Share of pictures that have a near-twin made with another noise, 0..1, whatever its caption."""
    captions, noises = pictures.generated.shape[:2]
    vectors = coarse(pictures.generated.flatten(0, 1))  # [C Z, D]
    noise = torch.arange(captions * noises) % noises
    distances = torch.cdist(vectors, vectors).masked_fill(noise[:, None] == noise, torch.inf)
    real = coarse(pictures.real)
    real_distances = torch.cdist(real, real).fill_diagonal_(torch.inf)
    return float((distances.amin(dim=1) < SAME * real_distances.amin(dim=1).median()).float().mean())


def _table(pictures: Pictures) -> Tensor:
    """The generated pictures as coarse vectors, [C, Z, D]."""
    captions, noises = pictures.generated.shape[:2]
    return coarse(pictures.generated.flatten(0, 1)).unflatten(0, (captions, noises))
