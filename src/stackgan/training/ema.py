"""The averaged generator: an exponential moving average of the weights, measured in images as in StyleGAN."""

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


class GeneratorEMA(Generic[Network]):
    """Keeps `average`, a copy of the generator that follows it with a half-life in images.

    Early on the half-life is short (`ramp` of the images seen), so the average forgets the random start (StyleGAN2's ramp-up).
    Buffers (batch-norm statistics) are averaged too: they must belong to the averaged weights. Used for samples and scores only.

    Args:
        generator: the network to follow.
        half_life: images after which an old weight counts half.
        ramp: largest half-life as a share of the images seen.
    """

    def __init__(self, generator: Network, half_life: float, ramp: float = 0.05) -> None:
        self.average = copy.deepcopy(generator).eval().requires_grad_(False)
        self.half_life, self.ramp = half_life, ramp

    def decay(self, images_seen: int, batch_size: int) -> float:
        """Share of the old average that stays when `batch_size` images follow `images_seen`."""
        half_life = max(min(self.half_life, self.ramp * images_seen), 1e-8)
        return 0.5 ** (batch_size / half_life)

    @torch.no_grad()
    def update(self, generator: nn.Module, images_seen: int, batch_size: int, moved: Tensor | None = None) -> None:
        """Move the average towards the generator after a step on `batch_size` images.

        `moved`, bool [] on the generator's device: whether the generator made that step; if not, nor does the average. None: it did.
        """
        share = 1 - self.decay(images_seen, batch_size)
        pairs = [*zip(self.average.parameters(), generator.parameters(), strict=True),
                 *zip(self.average.buffers(), generator.buffers(), strict=True)]  # fmt: skip
        floating = [(a, b) for a, b in pairs if a.dtype.is_floating_point]
        averages, live = [a for a, _ in floating], [b for _, b in floating]
        if moved is None:
            torch._foreach_lerp_(averages, live, share)
        else:  # the weight is on the device, because the answer is
            weights = {dtype: share * moved.to(dtype) for dtype in {a.dtype for a in averages}}
            torch._foreach_lerp_(averages, live, [weights[a.dtype] for a in averages])
        for a, b in pairs:
            if not a.dtype.is_floating_point:
                a.copy_(b)
