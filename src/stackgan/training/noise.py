"""Noise as a function of (seed, purpose, step, place in the global batch).

A rank draws the whole batch's numbers and keeps its share, so a run does not depend on how its batch is split over devices,
and a resumed run draws what the uninterrupted one would have drawn.
"""

import numpy as np
import torch
from torch import Tensor

from stackgan.data.randomness import generator


class NoiseSource:
    """Draws this rank's rows of the global batch.

    Args:
        seed: of the run.
        batch_size: pictures of the global batch.
        rank, world_size: this process's place; each rank has batch_size / world_size consecutive rows.
    """

    def __init__(self, seed: int, batch_size: int, rank: int = 0, world_size: int = 1) -> None:
        self.seed, self.batch_size = seed, batch_size
        share = batch_size // world_size
        self.rows = slice(rank * share, (rank + 1) * share)

    def normal(self, purpose: str, step: int, dim: int) -> Tensor:
        """Standard normal, float32 [this rank's rows, dim], on the CPU."""
        rng = generator(self.seed, purpose, step)
        return torch.from_numpy(rng.standard_normal((self.batch_size, dim), dtype=np.float32)[self.rows])

    def uniform(self, purpose: str, step: int, dim: int) -> Tensor:
        """Uniform in [0, 1), float32 [this rank's rows, dim], on the CPU."""
        rng = generator(self.seed, purpose, step)
        return torch.from_numpy(rng.random((self.batch_size, dim), dtype=np.float32)[self.rows])


def picture_noise(seed: int, indices: range, dim: int) -> Tensor:
    """The noise of pictures by index, float32 [len(indices), dim]: a function of (seed, index), whatever batch they are made in."""
    draws = [generator(seed, "picture", index).standard_normal(dim, dtype=np.float32) for index in indices]
    return torch.from_numpy(np.stack(draws))
