"""Noise does not depend on how a batch is divided."""

import pytest
import torch

from stackgan.training.noise import NoiseSource, picture_noise


def test_two_ranks_together_draw_what_one_draws():
    one = NoiseSource(3, 8)
    ranks = [NoiseSource(3, 8, rank, 2) for rank in range(2)]
    for draw in ("normal", "uniform"):
        parts = [getattr(source, draw)("z", 5, 4) for source in ranks]
        torch.testing.assert_close(torch.cat(parts), getattr(one, draw)("z", 5, 4), rtol=0, atol=0)


def test_seed_purpose_and_step_each_change_the_draws():
    base = NoiseSource(0, 4).normal("z", 0, 8)
    for other in (
        NoiseSource(1, 4).normal("z", 0, 8),
        NoiseSource(0, 4).normal("y", 0, 8),
        NoiseSource(0, 4).normal("z", 1, 8),
    ):
        assert not torch.equal(base, other)


def test_a_pictures_noise_depends_on_its_index_alone():
    together = picture_noise(7, range(10), 6)
    torch.testing.assert_close(together[4:6], picture_noise(7, range(4, 6), 6), rtol=0, atol=0)
    assert abs(picture_noise(0, range(500), 20).std() - 1) < 0.03


@pytest.mark.parametrize("purpose", ["discriminator", "generator"])
def test_scored_pictures_have_noise_that_training_never_sees(purpose):
    for index in range(3):
        scored, trained = picture_noise(0, range(index, index + 1), 6), NoiseSource(0, 4).normal(purpose, index, 6)
        assert not torch.isin(scored, trained).any()
