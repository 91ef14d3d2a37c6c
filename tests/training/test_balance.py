"""Two numbers that say who is ahead, under every adversarial loss."""

import pytest
import torch
from scipy.stats import mannwhitneyu

from stackgan.losses.build import build_loss
from stackgan.training.balance import ranking, slope_left

UNSURE_AND_SURE = {"bce": (0.0, -20.0), "hinge": (0.0, -1.5), "lsgan": (0.5, 0.0)}  # scores of generated pictures


@pytest.mark.parametrize("name", UNSURE_AND_SURE)
def test_the_slope_is_one_for_a_discriminator_that_knows_nothing_and_none_for_one_that_is_sure(name):
    loss, batch = build_loss(name), torch.ones(8)
    unsure, sure = UNSURE_AND_SURE[name]
    assert slope_left(loss, unsure * batch) == pytest.approx(1)
    assert slope_left(loss, sure * batch) == pytest.approx(0, abs=1e-6)


def test_a_critic_is_never_too_sure():
    assert slope_left(build_loss("wgan", clip=0.01), torch.full((8,), -1e6)) == pytest.approx(1)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])  # smoothed are the labels of real pictures only
def test_under_bce_the_slope_is_twice_the_probability_of_generated_pictures(smoothing):
    fake = torch.tensor([0.5, -3.0])
    value = slope_left(build_loss("bce", label_smoothing=smoothing), fake)
    assert value == pytest.approx(2 * fake.sigmoid().mean().item(), rel=0.15 if smoothing else 1e-6)


def test_the_ranking_is_the_area_under_the_roc_curve():
    rng = torch.Generator().manual_seed(0)
    real, fake = torch.randn(40, generator=rng) + 0.5, torch.randn(30, generator=rng)
    expected = mannwhitneyu(real.numpy(), fake.numpy()).statistic / (40 * 30)
    assert ranking(real, fake) == pytest.approx(expected)
    assert ranking(torch.ones(5), torch.ones(5)) == 0  # a dead discriminator


def test_measuring_leaves_no_graph_behind():
    scores = torch.ones(4, requires_grad=True)
    value = slope_left(build_loss("bce"), scores * 3)
    assert not value.requires_grad and scores.grad is None
