"""Inception Score (Salimans et al. 2016, arXiv 1606.03498): exp of the mean KL(p(class | picture) || p(class)), over splits.

1 where all pictures look alike to the network, the number of classes where it is sure of each picture and all classes are shown
equally; higher is better.
"""

import itertools
import warnings

import torch
from torch import Tensor
from torchmetrics.image.inception import InceptionScore
from torchmetrics.utilities import dim_zero_cat

from stackgan.evaluation.checks import check_features
from stackgan.evaluation.feature_networks import FeatureNetwork


def inception_score_of(logits: Tensor, splits: int = 10, seed: int = 0) -> tuple[float, float]:
    """Mean and standard deviation (of the population, as published) over the splits of logits [N, C], in float64.

    The pictures are shuffled by `seed` alone, and cut at i * N // splits as in the reference code; torchmetrics' `chunk` makes
    fewer splits than asked for where they do not divide N. Raises ValueError for fewer pictures than splits or logits that are
    not finite.
    """
    if splits < 1:
        raise ValueError(f"splits={splits} must be at least 1")
    check_features(1, logits=logits)
    count = len(logits)
    if count < splits:
        raise ValueError(f"{count} pictures cannot be divided into {splits} splits")
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    bounds = [i * count // splits for i in range(splits + 1)]
    scores = torch.stack([_score(logits[order[a:b]].double()) for a, b in itertools.pairwise(bounds)])
    return float(scores.mean()), float(scores.std(correction=0))


def _score(logits: Tensor) -> Tensor:
    """exp(entropy of the mean probabilities - mean entropy), which is exp of the mean KL.

    So written, a class of probability zero adds nothing; the quotient of the two probabilities would be 0/0, and NaN.
    """
    log_p = logits.log_softmax(1)
    p = log_p.exp()
    return (torch.special.entr(p.mean(0)).sum() + (p * log_p).sum(1).mean()).exp()


class SeededInceptionScore(InceptionScore):
    """`inception_score_of` as a torchmetrics metric, which gathers the logits of several ranks.

    Pictures are uint8; with several ranks, rank r's pictures come before those of rank r + 1.
    """

    def __init__(self, network: FeatureNetwork, splits: int = 10, seed: int = 0) -> None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Metric `InceptionScore` will save all extracted features")
            super().__init__(feature=network, splits=splits)
        self.seed = seed
        # torchmetrics gathers its list batch by batch, so ranks' pictures would interleave, and unequal numbers of batches
        # would wait for each other for ever; "cat" gathers each rank's pictures as a whole, in rank order
        self.add_state("features", [], dist_reduce_fx="cat")

    def update(self, imgs: Tensor) -> None:
        """imgs: uint8 [B, 3, H, W]."""
        self.features.append(self.inception(imgs))

    def compute(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation over the splits, of all ranks' pictures, float64.

        Raises ValueError where there are fewer pictures than splits.
        """
        mean, std = inception_score_of(dim_zero_cat(self.features).cpu(), self.splits, self.seed)
        return torch.tensor(mean, dtype=torch.float64), torch.tensor(std, dtype=torch.float64)
