"""Whether two means over seeds differ by more than seeds do."""

import math
import statistics
from collections.abc import Sequence

CONFIDENCE = 0.95


def welch_interval(first: Sequence[float], second: Sequence[float], comparisons: int) -> tuple[float, float] | None:
    """The interval of mean(second) - mean(first) by Welch (1947), which takes no equal spreads for granted; None below two values each.

    Args:
        comparisons: how many such intervals are to hold together at `CONFIDENCE` (Bonferroni).
    """
    if min(len(first), len(second)) < 2:
        return None
    from scipy.special import stdtrit  # late: a page without seeds does not wait for it

    difference = statistics.fmean(second) - statistics.fmean(first)
    parts = [statistics.variance(values) / len(values) for values in (first, second)]
    if not sum(parts):
        return difference, difference
    freedom = sum(parts) ** 2 / sum(
        part**2 / (len(values) - 1) for part, values in zip(parts, (first, second), strict=True)
    )
    half = float(stdtrit(freedom, 1 - (1 - CONFIDENCE) / comparisons / 2)) * math.sqrt(sum(parts))
    return difference - half, difference + half
