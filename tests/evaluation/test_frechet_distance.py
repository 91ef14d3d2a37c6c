"""FID against the closed form of two Gaussians, at any number of pictures."""

import pytest
import torch

from stackgan.evaluation.frechet_distance import frechet_distance


def draws(count, width, seed):
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def samples_with(mean, root, seed, count=400):
    """Features whose mean is exactly `mean` and whose unbiased covariance is exactly root @ root.T."""
    x = draws(count, len(mean), seed)
    x -= x.mean(0)
    white = x @ torch.linalg.inv(torch.linalg.cholesky(x.T @ x / (count - 1))).T
    return white @ root.T + mean


def by_general_eigenvalues(real, fake):
    """The formula as the reference computes it, in float64."""
    eigenvalues = torch.linalg.eigvals(torch.cov(real.double().T) @ torch.cov(fake.double().T))
    means = (real.double().mean(0) - fake.double().mean(0)).square().sum()
    traces = sum(torch.cov(x.double().T).trace() for x in (real, fake))
    return float(means + traces - 2 * eigenvalues.sqrt().real.sum())


def test_it_is_the_closed_form_of_gaussians_with_one_set_of_axes():
    mean, spread, fake_spread = torch.arange(6.0).double(), torch.linspace(0.5, 3, 6), torch.linspace(2, 0.1, 6)
    axes = torch.linalg.qr(draws(6, 6, 2)).Q
    real = samples_with(mean, axes @ torch.diag(spread.double()), 0)
    fake = samples_with(mean + 0.5, axes @ torch.diag(fake_spread.double()), 1)
    expected = 6 * 0.25 + (spread - fake_spread).square().sum().item()  # commuting: |s_r - s_f|^2
    assert frechet_distance(real, fake) == pytest.approx(expected, rel=1e-7)


def test_it_is_the_closed_form_in_two_dimensions_with_different_axes():
    a, b = torch.tensor([[2.0, 1.0], [1.0, 3.0]]).double(), torch.tensor([[1.0, -0.5], [-0.5, 0.75]]).double()
    real, fake = (samples_with(torch.zeros(2).double(), torch.linalg.cholesky(s), i) for i, s in enumerate((a, b)))
    # of a 2x2 matrix, tr sqrt(M) = sqrt(tr M + 2 sqrt(det M))
    root_trace = ((a @ b).trace() + 2 * (torch.det(a) * torch.det(b)).sqrt()).sqrt()
    assert frechet_distance(real, fake) == pytest.approx(float(a.trace() + b.trace() - 2 * root_trace), rel=1e-7)


@pytest.mark.parametrize(("real_count", "fake_count"), [(300, 200), (20, 200), (200, 20), (12, 30), (40, 41)])
def test_it_equals_the_general_eigenvalue_formula_with_more_or_fewer_pictures_than_dimensions(real_count, fake_count):
    real = draws(real_count, 40, 0).relu().float()
    fake = (draws(fake_count, 40, 1) * 1.5 + 0.2).relu().float()
    assert frechet_distance(real, fake) == pytest.approx(by_general_eigenvalues(real, fake), rel=1e-5)


def test_dead_features_and_repeated_pictures_make_no_difference():
    real, fake = draws(300, 10, 0).float(), (draws(300, 10, 1) * 2).float()
    alone = frechet_distance(real, fake)
    assert frechet_distance(*(torch.cat([x, torch.full((300, 5), 7.0)], 1) for x in (real, fake))) == pytest.approx(
        alone, rel=1e-6
    )
    twice = torch.cat([real, real], 1) / 2**0.5  # 20 dimensions of rank 10, the same Gaussian
    assert frechet_distance(twice, torch.cat([fake, fake], 1) / 2**0.5) == pytest.approx(alone, rel=1e-5)
    collapsed = frechet_distance(real, fake[:1].expand(300, -1))
    spread = torch.cov(real.double().T).trace() + (real.double().mean(0) - fake[0].double()).square().sum()
    assert collapsed == pytest.approx(float(spread), rel=1e-6)


def test_the_same_pictures_are_at_zero_and_a_shift_adds_its_square():
    real = draws(5000, 8, 0).float()
    assert frechet_distance(real, real) == pytest.approx(0, abs=1e-5)
    assert frechet_distance(real, real.double() + 2) == pytest.approx(8 * 4, rel=1e-6)


@pytest.mark.parametrize(
    ("fake", "message"),
    [
        (torch.zeros(1, 4), "fake: 1 pictures"),
        (torch.full((9, 4), torch.nan), "fake: features hold NaN"),
        (torch.zeros(9, 5), "different widths"),
        (torch.zeros(9), r"\[N, D\]"),
    ],
)
def test_what_has_no_distance_is_refused(fake, message):
    with pytest.raises(ValueError, match=message):
        frechet_distance(torch.ones(9, 4), fake)
