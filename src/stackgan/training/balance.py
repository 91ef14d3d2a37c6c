"""Who is ahead, as numbers that mean the same under every adversarial loss."""

import torch
from torch import Tensor

from stackgan.losses.adversarial import AdversarialLoss


def slope_left(loss: AdversarialLoss, fake: Tensor) -> Tensor:
    """Mean slope of the discriminator's cost at generated pictures, of its slope at scores of zero, []: 0 where it is sure of them all.

    Under binary cross entropy that is twice the probability it gives them, under hinge the share inside the margin, under least
    squares twice the mean distance to the target. The Wasserstein cost has the slope 1 everywhere: its critic is meant to be ahead
    (Arjovsky et al. 2017, arXiv 1701.07875, section 3). Real pictures are left out: a discriminator that also sees mismatching
    captions stays unsure of them as long as it cannot read, however far ahead of the generator it is.

    Args:
        fake: scores [B] of generated pictures with their captions.
    """
    with torch.enable_grad():
        scores = fake.detach().requires_grad_()
        zeros = [fake.new_zeros(1, requires_grad=True) for _ in range(2)]
        (slope,) = torch.autograd.grad(loss.negative_cost(scores).sum(), scores)
        cost = loss.real_cost(zeros[0]).sum() + loss.negative_cost(zeros[1]).sum()
        at_zero = torch.cat(torch.autograd.grad(cost, zeros))
    return slope.abs().mean() / at_zero.abs().mean()


def ranking(real: Tensor, fake: Tensor) -> Tensor:
    """Share of the pairs in which the real picture has the higher score, []: the area under the ROC curve, ties counting as lost.

    A discriminator that gives all pictures the same score has 0.
    """
    return (real.detach()[:, None] > fake.detach()).float().mean()
