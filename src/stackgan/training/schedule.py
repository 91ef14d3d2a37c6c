"""The learning rate as a function of images seen. Lightning steps no scheduler under manual optimization; this is ours."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class LearningRateSchedule:
    """Factor on the base learning rate.

    Args:
        halve_every: images between two halvings (the references: every 50, 20 or 100 epochs), or None.
        warmup: images over which it rises linearly from zero.
        cosine_over: budget over which it falls to zero along a cosine, or None.
    """

    halve_every: float | None = None
    warmup: int = 0
    cosine_over: int | None = None

    def factor(self, images_seen: int) -> float:
        """Factor in 0..1 for the step that starts after `images_seen` images."""
        factor = 1.0
        if self.halve_every:
            factor *= 0.5 ** math.floor(images_seen / self.halve_every)
        if self.warmup:
            factor *= min(1.0, images_seen / self.warmup)
        if self.cosine_over:
            factor *= 0.5 * (1 + math.cos(math.pi * min(1.0, images_seen / self.cosine_over)))
        return factor
