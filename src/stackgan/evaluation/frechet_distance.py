"""Frechet Inception Distance (Heusel et al. 2017, arXiv 1706.08500, equation 6): how far apart are real and generated features,
each set taken as one Gaussian. 0 is equal, lower is better.

The estimate grows as pictures get fewer (Chong & Forsyth 2020, arXiv 1911.07023), so only values of equal N can be compared; below
some thousand pictures use KID.
"""

import numpy as np
import torch
from scipy.linalg.blas import dsyrk
from scipy.linalg.lapack import dpstrf
from torch import Tensor

from stackgan.evaluation.checks import check_features

ROWS = 4096  # at once in float64


def frechet_distance(real: Tensor, fake: Tensor) -> float:
    """|mu_r - mu_f|^2 + tr(S_r + S_f - 2 (S_r S_f)^(1/2)) of features [N, D] and [M, D], in float64.

    Covariances are unbiased (divided by N - 1), as in the reference. Any N, M >= 2 are taken: with fewer pictures than
    dimensions the value is exact, although the estimate is poor. Raises ValueError for one picture, unequal D, or values that
    are not finite.

    With factors F'F = S, the eigenvalues of S_r S_f are the squared singular values of F_r F_f'. That is a symmetric problem,
    no larger than the smaller of N, M and D, where the reference and torchmetrics solve a general one of D.
    """
    check_features(2, real=real, fake=fake)
    cross = _factor(real) @ _factor(fake).T  # [min(N, D), min(M, D)]
    gram = cross @ cross.T if len(cross) <= cross.shape[1] else cross.T @ cross
    root_trace = torch.linalg.eigvalsh(gram).clamp(min=0).sqrt().sum()
    means = (_mean(real) - _mean(fake)).square().sum()
    return float(means + _variance(real) + _variance(fake) - 2 * root_trace)


def _mean(features: Tensor) -> Tensor:
    return features.mean(0, dtype=torch.float64)


def _variance(features: Tensor) -> Tensor:
    """The trace of the covariance."""
    mean = _mean(features)
    parts = (part.double().sub(mean).square().sum() for part in features.split(ROWS))
    return torch.stack(list(parts)).sum() / (len(features) - 1)


def _factor(features: Tensor) -> Tensor:
    """F with F'F = the covariance, float64 [r, D], r the smaller of N and the covariance's rank."""
    count, width = features.shape
    mean = _mean(features)
    if count <= width:
        return (features.double() - mean) / (count - 1) ** 0.5
    lower = np.zeros((width, width), order="F")  # of the covariance, its lower triangle
    for part in features.split(ROWS):
        centred = (part.double() - mean).numpy()
        lower = dsyrk(1 / (count - 1), centred.T, beta=1, c=lower, lower=1, overwrite_c=1)
    return _pivoted_cholesky(lower)


def _pivoted_cholesky(lower: np.ndarray) -> Tensor:
    """F [rank, D] with F'F = the covariance; pivoted, because dead features and repeated pictures make it singular."""
    root, pivots, rank, _ = dpstrf(lower, lower=1, overwrite_a=1)
    factor = torch.zeros(rank, len(root), dtype=torch.float64)
    factor[:, torch.from_numpy(pivots).long() - 1] = torch.from_numpy(root).tril()[:, :rank].T
    return factor
