import math

import pytest
import torch

from stackgan.losses.matching import matching_loss

BATCH, WRONG = 5, 3


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(
        *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(len(shape)), requires_grad=True
    )


def test_it_is_the_negative_log_share_of_the_right_caption():
    right, wrong = draw(BATCH), draw(BATCH * WRONG, 1)
    shares = []
    for i in range(BATCH):
        others = wrong[i * WRONG : (i + 1) * WRONG, 0]
        shares.append(right[i].exp() / (right[i].exp() + others.exp().sum()))
    expected = -torch.stack(shares).log().mean()
    loss = matching_loss(right, wrong[:, 0], torch.ones(BATCH, dtype=torch.bool))
    torch.testing.assert_close(loss, expected)
    for found, plain in zip(*(torch.autograd.grad(x, [right, wrong]) for x in (loss, expected)), strict=True):
        torch.testing.assert_close(found, plain)


def test_how_real_a_picture_is_does_not_count():
    right, wrong, valid = draw(BATCH), draw(BATCH * WRONG, 1)[:, 0], torch.ones(BATCH, dtype=torch.bool)
    realness = torch.arange(BATCH, dtype=torch.float64)
    shifted = matching_loss(right + realness, wrong + realness.repeat_interleave(WRONG), valid)
    torch.testing.assert_close(shifted, matching_loss(right, wrong, valid))


@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_pictures_without_a_wrong_caption_are_left_out(bad):
    right, wrong = draw(BATCH), draw(BATCH * WRONG, 1)[:, 0].detach()
    wrong[:WRONG] = bad
    valid = torch.arange(BATCH) > 0
    loss = matching_loss(right, wrong, valid)
    torch.testing.assert_close(loss, matching_loss(right[1:], wrong[WRONG:], valid[1:]))
    assert torch.autograd.grad(loss, right)[0].isfinite().all()
    assert matching_loss(right, wrong, torch.zeros(BATCH, dtype=torch.bool)) == 0
