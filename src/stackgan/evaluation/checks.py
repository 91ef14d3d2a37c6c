"""What every metric asks of the features it is given."""

import torch
from torch import Tensor


def check_features(least: int, **sets: Tensor) -> None:
    """Raises ValueError, naming the set, where features are not [N, D] with N >= `least`, of one D, and finite."""
    widths = set()
    for name, features in sets.items():
        if features.ndim != 2:
            raise ValueError(f"{name}: features must be [N, D], these have the shape {tuple(features.shape)}")
        if len(features) < least:
            raise ValueError(f"{name}: {len(features)} pictures, at least {least} are needed")
        if not torch.isfinite(features).all():
            raise ValueError(f"{name}: features hold NaN or infinite values")
        widths.add(features.shape[1])
    if len(widths) > 1:
        raise ValueError(f"features of different widths cannot be compared: {sorted(widths)}")
