"""Adversarial losses. All are matching-aware (StackGAN section 3.2, after Reed et al. 2016): a real image with a wrong
text is a negative too.

A loss says what one score costs; how the pairs and heads are weighed is common to all, and is the references':

* without an unconditional head: real + (wrong + fake) / 2 (both references, Stage I);
* with one: (real + real_u) / 2 + (fake + wrong + fake_u) / 3 (PyTorch reference, Stage II);
* generator: the sum of both heads.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stackgan.losses.penalties import Penalty, ScorePairs
from stackgan.networks.discriminator import Scores


class AdversarialLoss(ABC):
    """What the discriminator and the generator minimise.

    Args:
        n_critic: discriminator steps per generator step (the loop's business; kept here because it belongs to the
            loss).
        penalty: regulariser of the discriminator, or None.

    Attributes:
        penalty_every: the penalty is due on each so many-th discriminator step; 0: never.
    """

    def __init__(self, n_critic: int = 1, penalty: Penalty | None = None) -> None:
        self.n_critic = n_critic
        self.regulariser = penalty
        self.penalty_every = 0 if penalty is None else penalty.every

    @abstractmethod
    def real_cost(self, scores: Tensor) -> Tensor:
        """Cost to the discriminator of scores of matching real pairs, [B] -> [B]."""

    @abstractmethod
    def negative_cost(self, scores: Tensor) -> Tensor:
        """Cost to the discriminator of scores of fake images or wrong pairs, [B] -> [B]."""

    @abstractmethod
    def generator_cost(self, scores: Tensor) -> Tensor:
        """Cost to the generator of the scores of its images, [B] -> [B]."""

    def critic(self, real: Scores, wrong: Scores | None, fake: Scores, wrong_valid: Tensor | None = None) -> Tensor:
        """The discriminator's loss, [] in the scores' precision.

        `wrong` may hold several scores of each sample, one after the other: [B K]. wrong_valid, bool [B], says which
        samples have a wrong pair; the term is the mean over those. The negative terms that exist are averaged, so without a
        wrong pair (`wrong` None, or none valid) the fakes have their whole weight. Wrong pairs count in the conditional head
        only: their images are real.
        """
        positives = [self.real_cost(head).mean() for head in real if head is not None]
        negatives = [self.negative_cost(head).mean() for head in fake if head is not None]
        total, count = torch.stack(negatives).sum(), torch.full_like(negatives[0], len(negatives))
        if wrong is not None:
            scores = wrong.conditional.reshape(len(real.conditional), -1)  # [B, K]
            valid = torch.ones_like(scores[:, 0], dtype=torch.bool) if wrong_valid is None else wrong_valid
            missing = ~valid[:, None]
            # filled before and after: the score of an invalid pair may be anything, also infinite
            cost = self.negative_cost(scores.masked_fill(missing, 0)).masked_fill(missing, 0).mean(1)
            total = total + cost.sum() / valid.sum().clamp(min=1)
            count = count + valid.any()  # on the device: the host does not wait for it
        return torch.stack(positives).mean() + total / count

    def generator(self, fake: Scores) -> Tensor:
        """The generator's adversarial loss, []: the sum over the heads."""
        return torch.stack([self.generator_cost(head).mean() for head in fake if head is not None]).sum()

    def penalty(
        self,
        discriminator: ScorePairs,
        real: Tensor,
        fake: Tensor,
        condition: Tensor,
        shares: Tensor,
    ) -> Tensor:
        """The regulariser to add to the critic's loss on each `penalty_every`-th step, [], weighted for that cadence.

        real and fake [B, 3, H, H] in -1..1, condition as `Discriminator.score` wants it; shares [B], uniform in 0..1: where
        between fake and real the gradient penalty looks (drawn by the caller, who knows the sample's place in the batch).
        """
        if self.regulariser is None:
            return real.new_zeros((), dtype=torch.float32)
        return self.regulariser(discriminator, real, fake, condition, shares)

    def after_critic_step(self, discriminator: nn.Module) -> None:  # noqa: B027 - most losses have nothing to do here
        """Called after each step of the discriminator's optimizer."""


class BinaryCrossEntropy(AdversarialLoss):
    """The original, non-saturating loss (Goodfellow et al. 2014), from logits. Both references use it.

    label_smoothing: the target of real pairs is 1 - label_smoothing (one-sided, Salimans et al. 2016), in 0..1, 0 in
    the references.
    """

    def __init__(self, label_smoothing: float = 0.0, n_critic: int = 1, penalty: Penalty | None = None) -> None:
        super().__init__(n_critic, penalty)
        self.label_smoothing = label_smoothing

    def real_cost(self, scores: Tensor) -> Tensor:
        target = torch.full_like(scores, 1 - self.label_smoothing)
        return F.binary_cross_entropy_with_logits(scores, target, reduction="none")

    def negative_cost(self, scores: Tensor) -> Tensor:
        return F.softplus(scores)  # -log(1 - sigmoid)

    def generator_cost(self, scores: Tensor) -> Tensor:
        return F.softplus(-scores)  # -log sigmoid


class Wasserstein(AdversarialLoss):
    """The critic loss of Arjovsky et al. 2017 (arXiv 1701.07875, algorithm 1).

    Scores are unbounded; what keeps them in hand is `clip`, the bound of all parameters after each critic step (0.01
    there), or a gradient penalty (Gulrajani et al. 2017). With neither, as in the ports that name no clipping, nothing
    does.
    """

    def __init__(self, clip: float | None = None, n_critic: int = 1, penalty: Penalty | None = None) -> None:
        super().__init__(n_critic, penalty)
        self.clip = clip

    def real_cost(self, scores: Tensor) -> Tensor:
        return -scores

    def negative_cost(self, scores: Tensor) -> Tensor:
        return scores

    def generator_cost(self, scores: Tensor) -> Tensor:
        return -scores

    @torch.no_grad()
    def after_critic_step(self, discriminator: nn.Module) -> None:
        if self.clip is not None:
            for parameter in discriminator.parameters():
                parameter.clamp_(-self.clip, self.clip)


class Hinge(AdversarialLoss):
    """Margins at +1 and -1 (Lim & Ye 2017, arXiv 1705.02894); with the matching-aware penalty it is DF-GAN's loss."""

    def real_cost(self, scores: Tensor) -> Tensor:
        return F.relu(1 - scores)

    def negative_cost(self, scores: Tensor) -> Tensor:
        return F.relu(1 + scores)

    def generator_cost(self, scores: Tensor) -> Tensor:
        return -scores


class LeastSquares(AdversarialLoss):
    """Half the squared distance to the targets 1 (real) and 0 (Mao et al. 2017, arXiv 1611.04076, equation 9)."""

    def real_cost(self, scores: Tensor) -> Tensor:
        return 0.5 * (scores - 1).square()

    def negative_cost(self, scores: Tensor) -> Tensor:
        return 0.5 * scores.square()

    def generator_cost(self, scores: Tensor) -> Tensor:
        return 0.5 * (scores - 1).square()
