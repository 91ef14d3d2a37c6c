"""Bootstrap percentile interval (Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 13): how far would a score move if
other pictures had been drawn?

For statistics that are means over pictures: accuracy, R-precision, distances. Not for FID, KID, precision and recall: a resample
repeats pictures, and a repeated picture is its own neighbour and narrows the covariance. For these take several seeds, or KID's
spread over subsets.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor


def bootstrap_interval(
    statistic: Callable[[Tensor], float], count: int, seed: int = 0, repeats: int = 1000, level: float = 0.95
) -> tuple[float, float]:
    """The central `level` of the statistic over `repeats` resamples.

    statistic: takes int64 [count], the rows of a resample drawn with replacement, and gives a number. The resamples are a function
    of the seed alone. Raises ValueError for fewer than 2 pictures or repeats, a level outside 0..1, or a statistic that is not finite.
    """
    if count < 2 or repeats < 2:
        raise ValueError(f"an interval needs at least 2 pictures and 2 repeats; here {count} and {repeats}")
    if not 0 < level < 1:
        raise ValueError(f"level={level} must lie between 0 and 1")
    draws = torch.Generator().manual_seed(seed)
    resamples = (torch.randint(count, (count,), generator=draws) for _ in range(repeats))
    values = [float(statistic(rows)) for rows in resamples]
    if not all(map(math.isfinite, values)):
        raise ValueError("the statistic is not finite on some resamples")
    tails = torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64)
    low, high = torch.tensor(values, dtype=torch.float64).quantile(tails).tolist()
    return low, high
