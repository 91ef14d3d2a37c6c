"""The percentile interval against the known spread of a mean."""

import math

import pytest
import torch

from stackgan.evaluation.bootstrap import bootstrap_interval


def mean_of(values):
    return lambda rows: float(values[rows].mean())


def test_of_a_mean_it_is_two_standard_errors_on_either_side():
    values = torch.randn(400, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 3 + 1
    low, high = bootstrap_interval(mean_of(values), 400, repeats=4000)
    half = 1.959964 * values.std(correction=0).item() / math.sqrt(400)
    assert (low, high) == pytest.approx((values.mean().item() - half, values.mean().item() + half), abs=0.06 * half)


def test_it_covers_the_truth_about_as_often_as_it_says():
    draws = torch.Generator().manual_seed(0)
    covered = 0
    for _ in range(200):
        low, high = bootstrap_interval(mean_of(torch.rand(60, generator=draws)), 60, repeats=200, level=0.8)
        covered += low <= 0.5 <= high
    assert 0.7 < covered / 200 < 0.9


def test_the_seed_alone_decides_and_the_global_random_state_stays():
    values = torch.arange(30.0)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = bootstrap_interval(mean_of(values), 30, seed=4, repeats=50)
    torch.manual_seed(2)
    assert bootstrap_interval(mean_of(values), 30, seed=4, repeats=50) == first
    assert bootstrap_interval(mean_of(values), 30, seed=5, repeats=50) != first
    torch.manual_seed(1)
    bootstrap_interval(mean_of(values), 30, repeats=5)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_wider_level_is_a_wider_interval():
    values = torch.arange(30.0)
    inner, outer = (bootstrap_interval(mean_of(values), 30, level=level) for level in (0.5, 0.99))
    assert outer[0] < inner[0] < inner[1] < outer[1]


@pytest.mark.parametrize(("count", "level", "message"), [(1, 0.95, "at least 2"), (9, 1.0, "between 0 and 1")])
def test_what_has_no_interval_is_refused(count, level, message):
    with pytest.raises(ValueError, match=message):
        bootstrap_interval(lambda rows: 0.0, count, level=level)


def test_a_statistic_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="not finite"):
        bootstrap_interval(lambda rows: math.nan, 9)
