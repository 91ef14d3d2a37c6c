"""The learning rate as a function of images seen."""

import math

import pytest

from stackgan.training.schedule import LearningRateSchedule


def test_halving_follows_the_references_epochs():
    # TF, Stage I: 2e-4 halved every 50 epochs ends 600 epochs at 2e-4 / 2^11
    schedule = LearningRateSchedule(halve_every=50 * 8855)
    assert [schedule.factor(epoch * 8855) for epoch in (0, 49, 50, 599)] == [1.0, 1.0, 0.5, 2.0**-11]


def test_warm_up_is_linear_and_cosine_ends_at_zero():
    schedule = LearningRateSchedule(warmup=100, cosine_over=1000)
    assert schedule.factor(50) == pytest.approx(0.5 * 0.5 * (1 + math.cos(math.pi * 0.05)))
    assert schedule.factor(500) == pytest.approx(0.5)
    assert schedule.factor(1000) == pytest.approx(0, abs=1e-12)


def test_constant_by_default():
    assert LearningRateSchedule().factor(10**9) == 1.0
