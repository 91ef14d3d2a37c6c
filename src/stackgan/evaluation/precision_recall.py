"""Improved precision and recall (Kynkaanniemi et al. 2019, arXiv 1904.06991, equations 1 and 2).

Precision is the share of generated pictures that lie among the real ones (how good), recall the share of real pictures that lie
among the generated ones (how varied). "Among" means within a ball around one of them that reaches to its k-th nearest neighbour of
the same set. Both are 0..1, higher is better; values depend on N, M and k.
"""

import torch
from torch import Tensor

from stackgan.evaluation.checks import check_features
from stackgan.evaluation.pairs import BLOCK, PairStatistic, Side, visit_pairs


def precision_recall(real: Tensor, fake: Tensor, neighbours: int = 3) -> tuple[float, float]:
    """Precision and recall of features [N, D] and [M, D]; `neighbours` is k.

    Raises ValueError for k pictures or fewer, unequal D, or values that are not finite.
    """
    statistic = PrecisionRecall(real, fake, neighbours)
    visit_pairs(real, fake, statistic)
    return statistic.value()


class PrecisionRecall(PairStatistic):
    """Finds each picture's nearest neighbours, and the ball of the other set that it lies deepest in.

    Both are found in float32; they alone decide, and they are measured again in float64. So a repeated picture is at distance 0
    from itself, as it should be, and not at a rounding error.
    """

    def __init__(self, real: Tensor, fake: Tensor, neighbours: int = 3) -> None:
        if neighbours < 1:
            raise ValueError(f"neighbours={neighbours} must be at least 1")
        check_features(neighbours + 1, real=real, fake=fake)
        self.features: dict[Side, Tensor] = {"real": real, "fake": fake}
        self.norms = {side: _squared_norms(features) for side, features in self.features.items()}
        self.nearest = {side: _Least(len(features), neighbours) for side, features in self.features.items()}
        self.balls = {side: _Least(len(features), 1) for side, features in self.features.items()}
        self._radii: dict[Side, Tensor] = {}

    def within(self, side: Side, rows: slice, columns: slice, products: Tensor) -> None:
        # |x - y|^2 = |x|^2 + |y|^2 - 2 x.y; for the order of one row's distances, |x|^2 does not matter
        norms, nearest = self.norms[side].float(), self.nearest[side]
        distances = torch.add(norms[columns], products, alpha=-2)
        if rows == columns:
            nearest.update(rows, columns, distances.fill_diagonal_(torch.inf))
        else:
            nearest.update(rows, columns, distances)
            nearest.update(columns, rows, torch.add(norms[rows, None], products, alpha=-2).T)

    def between(self, rows: slice, columns: slice, products: Tensor) -> None:
        real, fake = ((self.norms[side] - self.radii(side)).float() for side in ("real", "fake"))
        self.balls["real"].update(rows, columns, torch.add(fake[columns], products, alpha=-2))
        self.balls["fake"].update(columns, rows, torch.add(real[rows, None], products, alpha=-2).T)

    def radii(self, side: Side) -> Tensor:
        """Squared radius of each picture's ball, float64 [N]; known when all blocks within have come."""
        if side not in self._radii:
            features = self.features[side]
            distances = [_squared_distances(features, features[column]) for column in self.nearest[side].indices.T]
            self._radii[side] = torch.stack(distances).amax(0)
        return self._radii[side]

    def value(self) -> tuple[float, float]:
        """Precision and recall."""
        return self._covered("fake", "real"), self._covered("real", "fake")

    def _covered(self, side: Side, other: Side) -> float:
        """The share of one set's pictures in a ball of the other's."""
        balls = self.balls[side].indices[:, 0]
        distances = _squared_distances(self.features[side], self.features[other][balls])
        return float((distances <= self.radii(other)[balls]).double().mean())


class _Least:
    """The `count` least values of each row, and the columns they are in, of a matrix that comes in blocks."""

    def __init__(self, rows: int, count: int) -> None:
        self.values = torch.full((rows, count), torch.inf)
        self.indices = torch.zeros(rows, count, dtype=torch.int64)

    def update(self, rows: slice, columns: slice, block: Tensor) -> None:
        count = self.values.shape[1]
        better = (block.amin(1) < self.values[rows, -1]).nonzero()[:, 0]  # looking costs a tenth of selecting
        found = block[better].topk(min(count, block.shape[1]), dim=1, largest=False, sorted=False)
        at = better + rows.start
        values = torch.cat([self.values[at], found.values], dim=1)
        indices = torch.cat([self.indices[at], found.indices + columns.start], dim=1)
        self.values[at], chosen = values.topk(count, dim=1, largest=False)
        self.indices[at] = indices.gather(1, chosen)


def _squared_norms(features: Tensor) -> Tensor:
    return torch.cat([part.double().square().sum(1) for part in features.split(BLOCK)])


def _squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """Row by row, float64 [N]."""
    pairs = zip(a.split(BLOCK), b.split(BLOCK), strict=True)
    return torch.cat([(x.double() - y.double()).square().sum(1) for x, y in pairs])
