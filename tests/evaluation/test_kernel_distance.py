"""KID against the formula, and its order on painted birds."""

import numpy as np
import pytest
import torch

from stackgan.evaluation.feature_networks import FeatureNetwork
from stackgan.evaluation.kernel_distance import kernel_distance


class Pixels(FeatureNetwork):
    """The pixels themselves as features."""

    name, metric, resize, weights, feature_dim = "test", "is_test", "none", "0", 12

    def pooled(self, images):
        return images.flatten(1).float() / 255


def test_it_is_the_unbiased_estimate_with_the_cubic_kernel():
    torch.manual_seed(0)
    real, fake = (torch.randint(0, high, (30, 3, 2, 2), dtype=torch.uint8) for high in (256, 200))
    value, _ = kernel_distance(Pixels(), [real], [fake], subsets=1, subset_size=30)
    x, y = (images.flatten(1).double().numpy() / 255 for images in (real, fake))

    def kernel(a, b):
        return (a @ b.T / 12 + 1) ** 3

    xx, yy, xy = kernel(x, x), kernel(y, y), kernel(x, y)
    within = sum((k.sum() - np.trace(k)) / (30 * 29) for k in (xx, yy))
    assert value == pytest.approx(within - 2 * xy.mean(), rel=1e-5)


def test_more_noise_is_farther_away_and_the_global_random_state_stays():
    torch.manual_seed(0)
    real = torch.randint(100, 150, (60, 3, 2, 2), dtype=torch.uint8)
    state = torch.get_rng_state()
    values = [
        kernel_distance(Pixels(), [real[:30]], [(real[30:].int() + shift).clamp(0, 255).byte()], subset_size=20)[0]
        for shift in (0, 20, 60)
    ]
    assert values[0] < values[1] < values[2]
    assert torch.equal(torch.get_rng_state(), state)
