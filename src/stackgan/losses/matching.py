"""Which of several captions does the picture belong to? An auxiliary loss on the discriminator's own scores."""

import torch
import torch.nn.functional as F
from torch import Tensor


def matching_loss(right: Tensor, wrong: Tensor, valid: Tensor) -> Tensor:
    """Cross entropy of picking the right caption among 1 + K, by their scores as logits; [].

    The softmax over captions of one picture cancels how real the picture is, so this trains (of the discriminator, on real
    pictures) and rewards (of the generator) only whether picture and text match. After the contrastive losses of AttnGAN
    (arXiv 1711.10485, section 3.2) and XMC-GAN (arXiv 2101.04702, section 4), with the conditional discriminator as the scorer.

    Args:
        right: [B], scores of the pictures with their own captions.
        wrong: [B K], the K scores of each picture with captions of other classes, picture by picture.
        valid: bool [B], whether the picture has such captions; the mean is over those that do, and 0 where none does.
    """
    scores = torch.cat([right[:, None], wrong.reshape(len(right), -1)], dim=1)  # [B, 1 + K]
    scores = scores.masked_fill(~valid[:, None], 0)
    costs = F.cross_entropy(scores, scores.new_zeros(len(scores), dtype=torch.long), reduction="none")
    return costs.masked_fill(~valid, 0).sum() / valid.sum().clamp(min=1)
