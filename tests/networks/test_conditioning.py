import pytest
import torch
import torch.nn.functional as F

from stackgan.networks.architecture import ARCHITECTURES
from stackgan.networks.conditioning import ConditioningAugmentation


def test_the_draw_is_the_mean_plus_sigma_times_the_given_noise():
    torch.manual_seed(0)
    augmentation = ConditioningAugmentation(6, 3)
    text, noise = torch.randn(4, 6), torch.randn(4, 3)
    h = F.linear(text, augmentation.fc.weight, augmentation.fc.bias)
    c, mean, log_variance = augmentation(text, noise)
    torch.testing.assert_close(mean, h[:, :3])
    torch.testing.assert_close(log_variance, h[:, 3:])
    torch.testing.assert_close(c, h[:, :3] + h[:, 3:].exp().sqrt() * noise)
    torch.testing.assert_close(augmentation(text, None).c, mean)


def test_tf_predicts_log_sigma_through_a_leaky_relu():
    torch.manual_seed(0)
    augmentation = ConditioningAugmentation(6, 3, "leaky_relu", "log_sigma", None)
    text, noise = torch.randn(4, 6), torch.randn(4, 3)
    h = F.linear(text, augmentation.fc.weight, augmentation.fc.bias)
    h = torch.maximum(h, 0.2 * h)
    c, _, log_variance = augmentation(text, noise)
    torch.testing.assert_close(log_variance, 2 * h[:, 3:])
    torch.testing.assert_close(c, h[:, :3] + h[:, 3:].exp() * noise)


def test_relu_forces_sigma_of_at_least_one_and_linear_does_not():
    torch.manual_seed(0)
    text = torch.randn(32, 6)
    relu = ConditioningAugmentation(6, 3, "relu", log_variance_range=None)(text, None)
    assert relu.mean.min() >= 0 and relu.log_variance.min() >= 0
    linear = ConditioningAugmentation(6, 3)(text, None)
    assert linear.mean.min() < 0 and linear.log_variance.min() < 0


def test_the_log_variance_is_clamped_by_default_and_not_in_the_references():
    text = torch.full((2, 4), 1e3)
    augmentation = ConditioningAugmentation(4, 2)
    torch.nn.init.ones_(augmentation.fc.weight)
    assert augmentation(text, torch.ones(2, 2)).log_variance.unique().tolist() == [4.0]
    assert augmentation(-text, torch.ones(2, 2)).log_variance.unique().tolist() == [-8.0]
    assert ARCHITECTURES["tf"].log_variance_range is None and ARCHITECTURES["pytorch"].log_variance_range is None


def test_it_stays_in_float32_under_autocast():
    torch.manual_seed(0)
    augmentation, text, noise = ConditioningAugmentation(16, 8), torch.randn(4, 16), torch.randn(4, 8)
    expected = augmentation(text, noise)
    with torch.autocast("cpu", torch.bfloat16):
        result = augmentation(text, noise)
    for ours, theirs in zip(result, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def test_an_unknown_activation_is_refused():
    with pytest.raises(ValueError, match="swish"):
        ConditioningAugmentation(4, 2, "swish")(torch.zeros(1, 4), None)
