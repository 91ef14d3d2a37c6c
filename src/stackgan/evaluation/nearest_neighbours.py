"""Memorisation: how near is each generated picture to its nearest training picture, in the eyes of a feature network?

The cosine distance to the closest training record. Alone it says little: put beside it the same distance of held-out real
pictures; a generator that copies lies far below them (Meehan et al. 2020, arXiv 2004.05675, make a test of that comparison).
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from stackgan.evaluation.checks import check_features

ROWS = 1024  # queries at once


def nearest_distances(queries: Tensor, references: Tensor) -> tuple[Tensor, Tensor]:
    """For features [N, D] and [M, D]: cosine distance 0..2 to the nearest reference, float64 [N], and its row, int64 [N].

    The nearest is found in float32 and measured in float64, so that a copy is at distance 0 and not at a rounding error. Raises
    ValueError for an empty set, unequal D, values that are not finite, or a vector of zeros, which has no direction.
    """
    check_features(1, queries=queries, references=references)
    for name, features in (("queries", queries), ("references", references)):
        if not features.any(1).all():
            raise ValueError(f"{name}: a feature vector of zeros has no direction")
    directions = F.normalize(references.double(), dim=1).float()
    distances, indices = [], []
    for part in queries.split(ROWS):
        own = F.normalize(part.double(), dim=1)
        nearest = (own.float() @ directions.T).argmax(1)
        theirs = F.normalize(references[nearest].double(), dim=1)
        distances.append((own - theirs).square().sum(1) / 2)  # 1 - cos, without its cancellation
        indices.append(nearest)
    return torch.cat(distances), torch.cat(indices)
