"""All pairs of real and generated features in one pass, for the scores that need every pair's inner product.

The products are most of the cost of KID and of precision and recall, so both can read the same ones; no more than a block of them
is ever held. What a score makes of a block is its `PairStatistic`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Literal

from torch import Tensor

BLOCK = 1024  # pictures a side: a block of products has 4 MiB and stays in the cache
Side = Literal["real", "fake"]


class PairStatistic(ABC):
    """What is gathered from the inner products of all pairs. Blocks are float32 and must not be changed."""

    @abstractmethod
    def within(self, side: Side, rows: slice, columns: slice, products: Tensor) -> None:
        """A block [n, m] of one set's products with itself; only those on and above the diagonal come."""

    @abstractmethod
    def between(self, rows: slice, columns: slice, products: Tensor) -> None:
        """A block [n, m] of real pictures (rows) with generated ones (columns); these come after all blocks within."""


def visit_pairs(real: Tensor, fake: Tensor, *statistics: PairStatistic) -> None:
    """Show the inner products of features [N, D] and [M, D] to each statistic, in one order."""
    real, fake = real.float(), fake.float()
    sides: tuple[tuple[Side, Tensor], ...] = (("real", real), ("fake", fake))
    for side, features in sides:
        for rows in blocks(len(features)):
            for columns in blocks(len(features), start=rows.start):
                products = features[rows] @ features[columns].T
                for statistic in statistics:
                    statistic.within(side, rows, columns, products)
    for rows in blocks(len(real)):
        for columns in blocks(len(fake)):
            products = real[rows] @ fake[columns].T
            for statistic in statistics:
                statistic.between(rows, columns, products)


def blocks(count: int, start: int = 0) -> Iterator[slice]:
    """`start`..`count` in slices of BLOCK."""
    return (slice(at, min(at + BLOCK, count)) for at in range(start, count, BLOCK))
