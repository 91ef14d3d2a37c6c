"""The averaged generator."""

import pytest
import torch
from torch import nn

from stackgan.training.ema import GeneratorEMA


def test_an_old_weight_counts_half_after_the_half_life():
    ema = GeneratorEMA(nn.Linear(1, 1), half_life=1000)
    assert ema.decay(10**9, 1000) == pytest.approx(0.5)
    assert ema.decay(10**9, 100) ** 10 == pytest.approx(0.5)


def test_the_half_life_grows_with_the_images_seen_so_that_the_start_is_forgotten():
    ema = GeneratorEMA(nn.Linear(1, 1), half_life=1000, ramp=0.05)
    assert ema.decay(0, 16) == 0  # the first update is a copy
    assert ema.decay(1000, 50) == pytest.approx(0.5)  # half-life 5 % of 1000


def test_it_follows_weights_and_statistics_as_the_plain_formula_says():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    ema = GeneratorEMA(network, half_life=100)
    expected = {k: v.double() for k, v in ema.average.state_dict().items()}
    for step in range(1, 4):
        for parameter in network.parameters():
            parameter.data.normal_()
        network(torch.randn(8, 3, 5, 5))  # moves the running statistics
        decay = 0.5 ** (16 / min(100, 0.05 * 1000 * step))
        for key, value in network.state_dict().items():
            floating = value.dtype.is_floating_point
            expected[key] = decay * expected[key] + (1 - decay) * value.double() if floating else value.double()
        ema.update(network, 1000 * step, 16)
    for key, value in ema.average.state_dict().items():
        torch.testing.assert_close(value.double(), expected[key], rtol=1e-5, atol=1e-6)
    assert not ema.average.training and not any(p.requires_grad for p in ema.average.parameters())
