"""KID against the formula, and its order on painted birds."""

import numpy as np
import pytest
import torch
from torchmetrics.image.kid import KernelInceptionDistance

from stackgan.evaluation.kernel_distance import kernel_distance_of


def pixels(images):
    """The pixels themselves as features."""
    return images.flatten(1).float() / 255


def test_it_is_the_unbiased_estimate_with_the_cubic_kernel():
    torch.manual_seed(0)
    real, fake = (torch.randint(0, high, (30, 3, 2, 2), dtype=torch.uint8) for high in (256, 200))
    value, _ = kernel_distance_of(pixels(real), pixels(fake), subsets=1, subset_size=30)
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
        kernel_distance_of(pixels(real[:30]), pixels((real[30:].int() + shift).clamp(0, 255).byte()), subset_size=20)[0]
        for shift in (0, 20, 60)
    ]
    assert values[0] < values[1] < values[2]
    assert torch.equal(torch.get_rng_state(), state)


def by_pairs(x, y):
    """The unbiased estimate, pair by pair."""

    def kernel(a, b):
        return (sum(p * q for p, q in zip(a, b, strict=True)) / len(a) + 1) ** 3

    n, rows = len(x), range(len(x))
    within = sum(kernel(z[i], z[j]) for z in (x, y) for i in rows for j in rows if i != j) / (n * (n - 1))
    return within - 2 * sum(kernel(a, b) for a in x for b in y) / n**2


def test_each_subset_is_a_plain_loop_over_its_pairs():
    draws = torch.Generator().manual_seed(0)
    real, fake = torch.rand(30, 6, generator=draws), torch.rand(20, 6, generator=draws) * 1.5
    same = torch.Generator().manual_seed(3)
    values = []
    for _ in range(4):  # torchmetrics' order of draws
        x, y = (z[torch.randperm(len(z), generator=same)[:12]].double().tolist() for z in (real, fake))
        values.append(by_pairs(x, y))
    mean, std = kernel_distance_of(real, fake, seed=3, subsets=4, subset_size=12)
    assert mean == pytest.approx(np.mean(values), abs=1e-6) and std == pytest.approx(np.std(values), abs=1e-6)


def test_it_is_torchmetrics_under_the_same_seed_over_several_blocks():
    draws = torch.Generator().manual_seed(0)
    real, fake = torch.rand(2500, 32, generator=draws), torch.rand(1100, 32, generator=draws) * 1.1
    metric = KernelInceptionDistance(torch.nn.Identity(), subsets=6, subset_size=500).set_dtype(torch.float64)
    metric.update(real.double(), real=True)
    metric.update(fake.double(), real=False)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        expected = tuple(map(float, metric.compute()))
    assert kernel_distance_of(real, fake, 1, 6, 500) == pytest.approx(expected, abs=1e-7)


def test_two_halves_of_one_set_are_at_zero_on_average():
    whole = torch.rand(4000, 16, generator=torch.Generator().manual_seed(0))
    mean, std = kernel_distance_of(whole[::2], whole[1::2], subsets=20, subset_size=500)
    assert abs(mean) < std


@pytest.mark.parametrize(
    ("fake", "size", "message"),
    [
        (torch.zeros(9, 4), 10, "fake: 9 pictures, at least 10"),
        (torch.full((20, 4), torch.nan), 10, "NaN"),
        (torch.zeros(20, 4), 1, "at least 2 pictures"),
    ],
)
def test_what_has_no_distance_is_refused(fake, size, message):
    with pytest.raises(ValueError, match=message):
        kernel_distance_of(torch.ones(20, 4), fake, subset_size=size)
