import torch
from torch.distributions import Normal
from torch.distributions import kl_divergence as reference_kl

from stackgan.losses.kl import kl_divergence


def test_equals_torch_distributions_and_its_gradient():
    torch.manual_seed(0)
    mean = torch.randn(5, 7, dtype=torch.float64, requires_grad=True)
    log_variance = torch.randn(5, 7, dtype=torch.float64, requires_grad=True)
    ours = kl_divergence(mean, log_variance)
    expected = reference_kl(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).mean()
    torch.testing.assert_close(ours, expected)
    for a, b in zip(
        torch.autograd.grad(ours, (mean, log_variance)),
        torch.autograd.grad(expected, (mean, log_variance)),
        strict=True,
    ):
        torch.testing.assert_close(a, b)


def test_equals_the_tf_formula_in_log_sigma():
    mean, log_sigma = torch.randn(4, 3), torch.randn(4, 3)
    expected = (-log_sigma + 0.5 * (-1 + (2 * log_sigma).exp() + mean**2)).mean()
    torch.testing.assert_close(kl_divergence(mean, 2 * log_sigma), expected)


def test_is_zero_for_the_standard_normal_and_float32_for_bfloat16():
    zero = kl_divergence(torch.zeros(2, 3).bfloat16(), torch.zeros(2, 3).bfloat16())
    assert zero.item() == 0 and zero.dtype == torch.float32
