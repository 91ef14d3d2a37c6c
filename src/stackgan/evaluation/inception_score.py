"""Inception Score (Salimans et al. 2016, arXiv 1606.03498): exp of the mean KL(p(class | picture) || p(class)), over splits.

The arithmetic is torchmetrics' `InceptionScore`; what surrounds it makes the value repeatable.
"""

import warnings
from collections.abc import Iterable

import torch
from torch import Tensor
from torchmetrics.image.inception import InceptionScore
from torchmetrics.utilities import dim_zero_cat

from stackgan.evaluation.feature_networks import FeatureNetwork


class SeededInceptionScore(InceptionScore):
    """torchmetrics' score with a shuffle that depends on `seed` alone and leaves the global random state as it was.

    Logits are kept in float64: in float32 a class that no picture shows underflows to zero and the score becomes NaN.
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
        self.features.append(self.inception(imgs).double())

    def compute(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation over the splits, of all ranks' pictures.

        Raises ValueError where there are fewer pictures than splits: torchmetrics would silently use fewer splits.
        """
        count = len(dim_zero_cat(self.features))
        if count < self.splits:
            raise ValueError(f"{count} pictures cannot be divided into {self.splits} splits")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return super().compute()


def inception_score(
    network: FeatureNetwork, images: Iterable[Tensor], splits: int, seed: int, device: torch.device
) -> tuple[float, float]:
    """Mean and standard deviation over `splits` of uint8 batches [B, 3, H, W]; with several ranks, of all their pictures."""
    metric = SeededInceptionScore(network, splits, seed).to(device)
    for batch in images:
        metric.update(batch.to(device))
    mean, std = metric.compute()
    return float(mean), float(std)
