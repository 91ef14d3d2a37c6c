"""Kernel Inception Distance (Binkowski et al. 2018, arXiv 1801.01401, section 4): squared maximum mean discrepancy of real and
generated features under the kernel (x.y / D + 1)^3. 0 is equal, lower is better; it can be slightly negative.

Unbiased at any number of pictures, so it can be used where a run is small. Values of different networks cannot be compared.
"""

import torch
from torch import Tensor

from stackgan.evaluation.checks import check_features
from stackgan.evaluation.pairs import PairStatistic, Side, visit_pairs


def kernel_distance_of(
    real: Tensor, fake: Tensor, seed: int = 0, subsets: int = 100, subset_size: int = 1000
) -> tuple[float, float]:
    """Mean and standard deviation (of the population) over random subsets of features [N, D] and [M, D].

    Raises ValueError for fewer pictures than `subset_size`, unequal D, or values that are not finite.
    """
    statistic = KernelDistance(real, fake, seed, subsets, subset_size)
    visit_pairs(real, fake, statistic)
    return statistic.value()


class KernelDistance(PairStatistic):
    """The unbiased estimate of every subset, from one pass over the kernel of all pairs.

    With s the 0/1 membership of a subset, its sum of kernel values is s' K s: a hundred subsets of 1,000 out of 3,000 pictures take
    a sixteenth of the products that torchmetrics, which makes each subset's own, takes. Subsets are its draws under the seed.
    """

    def __init__(self, real: Tensor, fake: Tensor, seed: int = 0, subsets: int = 100, subset_size: int = 1000) -> None:
        if subset_size < 2 or subsets < 1:
            raise ValueError(f"KID needs subsets of at least 2 pictures; here {subsets} of {subset_size}")
        check_features(subset_size, real=real, fake=fake)
        self.width, self.size = real.shape[1], subset_size
        self.members: dict[Side, Tensor] = {
            "real": torch.zeros(len(real), subsets),
            "fake": torch.zeros(len(fake), subsets),
        }
        draws = torch.Generator().manual_seed(seed)
        for subset in range(subsets):
            for members in self.members.values():
                members[torch.randperm(len(members), generator=draws)[:subset_size], subset] = 1
        self.sum_within = torch.zeros(subsets, dtype=torch.float64)
        self.sum_between = torch.zeros(subsets, dtype=torch.float64)

    def within(self, side: Side, rows: slice, columns: slice, products: Tensor) -> None:
        members, kernel = self.members[side], self._kernel(products)
        if rows == columns:
            self.sum_within += _sums(members[rows], kernel.fill_diagonal_(0), members[columns])
        else:
            self.sum_within += 2 * _sums(members[rows], kernel, members[columns])

    def between(self, rows: slice, columns: slice, products: Tensor) -> None:
        self.sum_between += _sums(self.members["real"][rows], self._kernel(products), self.members["fake"][columns])

    def value(self) -> tuple[float, float]:
        """Mean and standard deviation over the subsets."""
        distances = self.sum_within / (self.size * (self.size - 1)) - 2 * self.sum_between / self.size**2
        return float(distances.mean()), float(distances.std(correction=0))

    def _kernel(self, products: Tensor) -> Tensor:
        return (products / self.width).add_(1).pow_(3)


def _sums(rows: Tensor, kernel: Tensor, columns: Tensor) -> Tensor:
    """s' K t of each subset, from memberships [n, subsets] and [m, subsets], float64 [subsets]."""
    return (kernel @ columns).mul_(rows).sum(0, dtype=torch.float64)
