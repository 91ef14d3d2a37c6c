"""KID, precision and recall together: one pass over the pairs instead of two, the same values."""

from dataclasses import dataclass

from torch import Tensor

from stackgan.evaluation.kernel_distance import KernelDistance
from stackgan.evaluation.pairs import visit_pairs
from stackgan.evaluation.precision_recall import PrecisionRecall


@dataclass(frozen=True)
class PairScores:
    """KID with its standard deviation over subsets, precision and recall."""

    kid: float
    kid_std: float
    precision: float
    recall: float


def pair_scores(
    real: Tensor, fake: Tensor, seed: int = 0, subsets: int = 100, subset_size: int = 1000, neighbours: int = 3
) -> PairScores:
    """`kernel_distance_of` and `precision_recall` of features [N, D] and [M, D]; errors as theirs."""
    kid, precision_recall = (
        KernelDistance(real, fake, seed, subsets, subset_size),
        PrecisionRecall(real, fake, neighbours),
    )
    visit_pairs(real, fake, kid, precision_recall)
    return PairScores(*kid.value(), *precision_recall.value())
