"""Differentiable augmentation."""

import torch

from stackgan.training.augment import DRAWS, augment

NEUTRAL = torch.tensor([[0.5, 0.5, 0.5, 0.5, 0.5]])  # brightness 0, saturation 1, contrast 1, no shift


def test_the_middle_of_every_range_changes_nothing():
    images = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(augment(images, NEUTRAL.expand(2, -1)), images)


def test_shifts_move_whole_pixels_and_bring_in_zeros():
    images = torch.arange(256.0).reshape(1, 1, 16, 16).expand(1, 3, 16, 16) + 1
    most = 1 - 1e-6
    moved = augment(images, torch.tensor([[0.5, 0.5, 0.5, most, 0.0]]))  # reach is 16 / 8 = 2: two up, two to the right
    torch.testing.assert_close(moved[0, 0, :14, 2:], images[0, 0, 2:, :14])
    assert (moved[0, :, 14:] == 0).all() and (moved[0, :, :, :2] == 0).all()


def test_each_picture_has_its_own_draws_and_gradients_flow():
    images = torch.randn(4, 3, 16, 16, requires_grad=True)
    draws = torch.rand(4, DRAWS)
    together = augment(images, draws)
    for i in range(4):
        torch.testing.assert_close(together[i : i + 1], augment(images[i : i + 1], draws[i : i + 1]))
    together.square().sum().backward()
    assert images.grad.abs().sum() > 0


def test_colour_follows_the_papers_formulas():
    images = torch.rand(1, 3, 8, 8, dtype=torch.float64)
    got = augment(images, torch.tensor([[0.9, 0.2, 0.7, 0.5, 0.5]], dtype=torch.float64))
    x = images + 0.4
    x = (x - x.mean(1, keepdim=True)) * 0.4 + x.mean(1, keepdim=True)
    x = (x - x.mean()) * 1.2 + x.mean()
    torch.testing.assert_close(got, x)
