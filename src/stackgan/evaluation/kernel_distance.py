"""Kernel Inception Distance (Binkowski et al. 2018, arXiv 1801.01401) by torchmetrics, on a named feature network.

Unbiased at any number of pictures, so it can be used where a run is small. Values of different networks cannot be compared.
"""

import warnings
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torchmetrics.image.kid import KernelInceptionDistance

from stackgan.evaluation.feature_networks import FeatureNetwork


class _Features(nn.Module):
    """The pooled features of a feature network, as torchmetrics wants them."""

    def __init__(self, network: FeatureNetwork) -> None:
        super().__init__()
        self.network = network
        self.num_features = network.feature_dim

    def forward(self, images: Tensor) -> Tensor:
        return self.network.features(images)


def kernel_distance(
    network: FeatureNetwork,
    real: Iterable[Tensor],
    fake: Iterable[Tensor],
    seed: int = 0,
    subsets: int = 50,
    subset_size: int = 250,
) -> tuple[float, float]:
    """Mean and standard deviation over random subsets. real, fake: uint8 batches [B, 3, H, H], at least `subset_size` pictures each."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Metric `Kernel Inception Distance` will save all extracted features")
        metric = KernelInceptionDistance(_Features(network), subsets=subsets, subset_size=subset_size)
    for batch in real:
        metric.update(batch, real=True)
    for batch in fake:
        metric.update(batch, real=False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        mean, std = metric.compute()
    return float(mean), float(std)
