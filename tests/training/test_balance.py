"""Two numbers that say who is ahead, under every adversarial loss."""

import math

import pytest
import torch
from scipy.stats import mannwhitneyu

from stackgan.losses.build import build_loss
from stackgan.training.balance import ranking, slope_left

PERFECT = {"bce": (20.0, -20.0), "hinge": (1.5, -1.5), "lsgan": (1.0, 0.0)}


@pytest.mark.parametrize("name", PERFECT)
def test_the_slope_is_one_for_a_discriminator_that_knows_nothing_and_none_for_one_that_is_sure(name):
    loss, batch = build_loss(name), torch.ones(8)
    assert slope_left(loss, 0 * batch, 0 * batch) == pytest.approx(1)
    real, fake = PERFECT[name]
    assert slope_left(loss, real * batch, fake * batch) == pytest.approx(0, abs=1e-6)


def test_a_critic_is_never_too_sure():
    loss, batch = build_loss("wgan", clip=0.01), torch.ones(8)
    assert slope_left(loss, 1e6 * batch, -1e6 * batch) == pytest.approx(1)


def test_under_bce_the_slope_is_twice_the_mean_error_in_probability():
    real, fake = torch.tensor([2.0, -1.0]), torch.tensor([0.5, -3.0])
    error = ((1 - real.sigmoid()).mean() + fake.sigmoid().mean()) / 2
    assert slope_left(build_loss("bce"), real, fake) == pytest.approx(2 * error.item())


def test_smoothed_labels_leave_no_slope_at_their_target():
    real, fake = torch.full((4,), math.log(0.9 / 0.1)), torch.full((4,), -30.0)
    assert slope_left(build_loss("bce", label_smoothing=0.1), real, fake) == pytest.approx(0, abs=1e-6)


def test_the_ranking_is_the_area_under_the_roc_curve():
    rng = torch.Generator().manual_seed(0)
    real, fake = torch.randn(40, generator=rng) + 0.5, torch.randn(30, generator=rng)
    expected = mannwhitneyu(real.numpy(), fake.numpy()).statistic / (40 * 30)
    assert ranking(real, fake) == pytest.approx(expected)
    assert ranking(torch.ones(5), torch.ones(5)) == 0  # a dead discriminator


def test_measuring_leaves_no_graph_behind():
    real = torch.ones(4, requires_grad=True)
    value = slope_left(build_loss("bce"), real * 2, real * 3)
    assert not value.requires_grad and real.grad is None
