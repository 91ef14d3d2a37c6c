"""Gradient penalties of the discriminator. A loss has at most one; it works with every loss.

All are computed in float32 with autocast off: squares of gradients of bfloat16 networks are mostly rounding. They
differentiate twice, so the discriminator must not be a compiled one. With two heads the penalised score is the heads'
mean, the function that the critic's loss trains. Batch norm in the discriminator makes a sample's gradient depend on
the others of the batch; the penalties' authors advise against it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from stackgan.networks.discriminator import Scores
from stackgan.networks.layers import full_precision

ScorePairs = Callable[[Tensor, Tensor], Scores]  # images [B, 3, H, H], condition [B, D] -> scores [B]


class Penalty(ABC):
    """`weight` times a mean over the batch, added to the critic's loss on each `every`-th step, then counted so often.

    Lazy application (Karras et al. 2020, StyleGAN2 section 3.1): the mean strength is that of `weight` at each step.
    """

    with_text = False  # whether the gradient by the text counts too

    def __init__(self, weight: float, every: int = 1) -> None:
        self.weight = weight
        self.every = every

    def __call__(
        self,
        discriminator: ScorePairs,
        real: Tensor,
        fake: Tensor,
        condition: Tensor,
        shares: Tensor,
    ) -> Tensor:
        """Real and fake images [B, 3, H, H] of the same condition [B, D], shares [B] in 0..1 -> [], in at least float32."""
        real, fake, condition = (full_precision(x.detach()) for x in (real, fake, condition))
        with torch.enable_grad(), torch.autocast(real.device.type, enabled=False):
            images = self.points(real, fake, shares.to(real)[:, None, None, None])
            gradient = score_gradient(discriminator, images, condition, self.with_text)
            return self.weight * self.every * self.cost(gradient).mean()

    def points(self, real: Tensor, fake: Tensor, shares: Tensor) -> Tensor:
        """The images at which the gradient is taken, [B, 3, H, H]; shares [B, 1, 1, 1]."""
        return real

    @abstractmethod
    def cost(self, gradient: Tensor) -> Tensor:
        """The penalty of each sample's gradient, [B, n] -> [B]."""


class GradientPenalty(Penalty):
    """(||grad_x D(x)|| - 1)^2 on points between real and fake images, with the matching text.

    WGAN-GP, Gulrajani et al. 2017 (arXiv 1704.00028, algorithm 1), where the weight is 10.
    """

    def points(self, real: Tensor, fake: Tensor, shares: Tensor) -> Tensor:
        return fake + shares * (real - fake)

    def cost(self, gradient: Tensor) -> Tensor:
        return (gradient.norm(dim=1) - 1).square()


class R1(Penalty):
    """||grad_x D(x)||^2 / 2 on real images with their text; `weight` is the paper's gamma, 10.

    Mescheder et al. 2018 (arXiv 1801.04406, equation 9).
    """

    def cost(self, gradient: Tensor) -> Tensor:
        return 0.5 * gradient.square().sum(dim=1)


class MatchingAwarePenalty(Penalty):
    """||grad_{x, text} D(x, text)||^6 on real matching pairs, the two gradients taken as one vector.

    DF-GAN, Tao et al. 2022 (arXiv 2008.05865, section 3.3), with its power 6 and weight 2.
    """

    with_text = True

    def cost(self, gradient: Tensor) -> Tensor:
        return gradient.square().sum(dim=1).pow(3)  # the norm to the sixth, with no root to divide by


def score_gradient(discriminator: ScorePairs, images: Tensor, condition: Tensor, with_text: bool) -> Tensor:
    """Gradient of each sample's score by its image and, `with_text`, its condition: [B, n], differentiable again."""
    inputs = [images.detach().requires_grad_(True)]
    if with_text:
        condition = condition.detach().requires_grad_(True)
        inputs.append(condition)
    scores = discriminator(inputs[0], condition)
    score = scores.conditional if scores.unconditional is None else (scores.conditional + scores.unconditional) / 2
    return torch.cat([g.flatten(1) for g in torch.autograd.grad(score.sum(), inputs, create_graph=True)], dim=1)
