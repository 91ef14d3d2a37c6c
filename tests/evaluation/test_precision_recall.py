"""Precision and recall against points whose balls are plain to see, and against all distances in float64."""

import pytest
import torch

from stackgan.evaluation.kernel_distance import kernel_distance_of
from stackgan.evaluation.pair_scores import pair_scores
from stackgan.evaluation.precision_recall import precision_recall


def line(*points):
    return torch.tensor(points).float()[:, None]


def test_points_on_a_line_by_hand():
    real, fake = line(0, 1, 2, 10), line(0.5, 2.9, 3.5, 30)
    # real radii (k=1): 1, 1, 1, 8; so 0.5, 2.9 and 3.5 lie among the real ones (10 reaches to 2), 30 does not
    # fake radii: 2.4, 0.6, 0.6, 26.5: 0, 1 and 2 lie in the ball of 0.5, and 10 in that of 30
    assert precision_recall(real, fake, neighbours=1) == (0.75, 1.0)
    # without 30: 3.5 and 2.9 reach to 4.1 only, and 0.5 to 2.9
    assert precision_recall(real, fake[:3], neighbours=1) == (1.0, 0.75)


def test_the_second_neighbour_makes_the_balls_wider():
    real, fake = line(0, 1, 3), line(-2.5, 8, 9)
    # k=1 radii 1, 1, 2: none inside; k=2 radii 3, 2, 3: -2.5 is within 3 of 0
    assert precision_recall(real, fake, neighbours=1)[0] == 0
    assert precision_recall(real, fake, neighbours=2)[0] == pytest.approx(1 / 3)


def by_definition(real, fake, k):
    radii = [torch.cdist(x, x).sort(dim=1).values[:, k] for x in (real, fake)]
    between = torch.cdist(real, fake)
    return (between <= radii[0][:, None]).any(0).double().mean(), (between <= radii[1]).any(1).double().mean()


@pytest.mark.parametrize(("real_count", "fake_count", "k"), [(1500, 2600, 3), (1025, 40, 5), (9, 1024, 8), (4, 4, 3)])
def test_it_is_the_definition_over_several_blocks(real_count, fake_count, k):
    draws = torch.Generator().manual_seed(0)
    real = torch.randn(real_count, 8, generator=draws) + 3
    fake = torch.randn(fake_count, 8, generator=draws) * 1.3 + 3
    expected = by_definition(real.double(), fake.double(), k)
    assert precision_recall(real, fake, k) == pytest.approx(tuple(map(float, expected)), abs=1e-12)


def test_copies_of_a_few_real_pictures_are_precise_and_recall_just_those():
    real = torch.rand(100, 512, generator=torch.Generator().manual_seed(0)) + 5
    fake = real[:10].repeat(10, 1)  # each ten times: every ball has the radius 0
    assert precision_recall(real, fake) == pytest.approx((1.0, 0.1))


def test_the_same_pictures_in_another_order_are_one_and_far_away_ones_zero():
    real = torch.randn(50, 6, generator=torch.Generator().manual_seed(0))
    assert precision_recall(real, real.flip(0)) == (1.0, 1.0)
    assert precision_recall(real, real + 100) == (0.0, 0.0)


def test_in_one_pass_with_kid_both_are_what_they_are_alone():
    draws = torch.Generator().manual_seed(0)
    real, fake = torch.randn(1300, 5, generator=draws), torch.randn(1100, 5, generator=draws) + 0.3
    together = pair_scores(real, fake, seed=2, subsets=7, subset_size=400, neighbours=4)
    assert (together.kid, together.kid_std) == kernel_distance_of(real, fake, 2, 7, 400)
    assert (together.precision, together.recall) == precision_recall(real, fake, 4)


@pytest.mark.parametrize(
    ("fake", "neighbours", "message"),
    [
        (torch.zeros(3, 4), 3, "fake: 3 pictures, at least 4"),
        (torch.full((9, 4), torch.inf), 3, "infinite"),
        (torch.zeros(9, 4), 0, "neighbours=0"),
    ],
)
def test_what_has_no_balls_is_refused(fake, neighbours, message):
    with pytest.raises(ValueError, match=message):
        precision_recall(torch.ones(9, 4), fake, neighbours)
