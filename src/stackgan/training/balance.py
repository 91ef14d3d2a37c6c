"""Who is ahead, as numbers that mean the same under every adversarial loss."""

import torch
from torch import Tensor

from stackgan.losses.adversarial import AdversarialLoss


def slope_left(loss: AdversarialLoss, real: Tensor, fake: Tensor) -> Tensor:
    """Mean slope of the discriminator's cost at its scores, of that at scores of zero, []: 0 where it is sure of every picture.

    Under binary cross entropy that is twice its mean error in probability, under hinge the share of pictures inside the margin,
    under least squares twice the mean distance to the target. The Wasserstein cost has the slope 1 everywhere: its critic is
    meant to be ahead (Arjovsky et al. 2017, arXiv 1701.07875, section 3).

    Args:
        real, fake: scores [B] of real and generated pictures with their captions.
    """

    def slope(real: Tensor, fake: Tensor) -> Tensor:
        with torch.enable_grad():
            scores = [real.detach().requires_grad_(), fake.detach().requires_grad_()]
            cost = loss.real_cost(scores[0]).sum() + loss.negative_cost(scores[1]).sum()
            return torch.cat(torch.autograd.grad(cost, scores)).abs().mean()

    return slope(real, fake) / slope(real.new_zeros(1), fake.new_zeros(1))


def ranking(real: Tensor, fake: Tensor) -> Tensor:
    """Share of the pairs in which the real picture has the higher score, []: the area under the ROC curve, ties counting as lost.

    A discriminator that gives all pictures the same score has 0.
    """
    return (real.detach()[:, None] > fake.detach()).float().mean()
