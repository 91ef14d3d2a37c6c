"""Which number gets which name, and what the real pictures' numbers beside it are of."""

import math
from dataclasses import replace

import pytest
import torch

from stackgan.evaluation.frechet_distance import frechet_distance
from stackgan.evaluation.inception_score import inception_score_of
from stackgan.evaluation.pair_scores import pair_scores
from stackgan.evaluation.scores import (
    Anchors,
    Said,
    clip_score_of,
    distribution_scores,
    mean_interval,
    nearest_train,
    scores_of_training,
)

ALL = ("is", "fid", "kid", "precision", "recall", "nearest_train")


def kinds(*counts, seed=0):
    """Pictures of some kinds, so many of each: kinds lie far apart, pictures of a kind close together."""
    draws = torch.Generator().manual_seed(seed)
    features = torch.eye(8).repeat_interleave(torch.tensor(counts + (0,) * (8 - len(counts))), dim=0)
    features = 20 * features + torch.randn(features.shape, generator=draws)
    return Said(features, torch.randn(len(features), 5, generator=draws) * 3)


def said(features):
    return Said(features, torch.zeros(len(features), 2))


def scores(fake, test, train, wanted=ALL):
    measures = distribution_scores(fake, Anchors(test, train), "_net", wanted, 2, seed=0)
    return {score.metric: score for measure in measures for score in measure()}


def test_pictures_of_half_the_real_kinds_are_precise_and_lack_recall():
    pictures = kinds(60, 60, 60)
    fake, test = pictures.rows(slice(60)), pictures.rows(slice(120))
    found = scores(fake, test, pictures, ("precision", "recall"))
    assert list(found) == ["precision_net", "recall_net"]
    precision, recall = found["precision_net"], found["recall_net"]
    assert (precision.value, recall.value) == (1, 0.5)
    assert precision.real_train == pytest.approx(2 / 3)  # of three trained kinds two are tested
    assert recall.real_train > 0.8 and precision.real > 0.6


def test_precision_and_recall_of_real_pictures_are_of_two_halves():
    """Every second test picture is of the one kind, the others of both."""
    both = kinds(20, 20)
    one = both.rows(torch.arange(20).repeat(2))
    alternating = torch.stack([both.features, one.features], dim=1).flatten(0, 1)
    found = scores(both, said(alternating), both, ("precision", "recall"))
    assert (found["precision_net"].real, found["recall_net"].real) == (1, 0.5)


def test_real_pictures_stand_beside_each_score_in_the_place_of_the_generated_ones():
    """By halves of every second test picture where two sets are compared; training pictures as many as generated ones."""
    fake, test, train = kinds(20, 20), kinds(30, 30, seed=1), kinds(40, 40, seed=2)
    found = scores(fake, test, train)
    assert set(found) == {f"{metric}_net" for metric in ALL}
    chosen = train.features[::2]  # forty of eighty, of both kinds
    fid, kid, inception = (found[f"{metric}_net"] for metric in ("fid", "kid", "is"))
    assert fid.value == frechet_distance(test.features, fake.features)
    assert fid.real == frechet_distance(test.features[::2], test.features[1::2])
    assert fid.real_train == frechet_distance(test.features, chosen)
    assert (inception.value, inception.std) == inception_score_of(fake.logits, 2, 0)
    assert inception.real == inception_score_of(test.spread(40).logits, 2, 0)[0]
    assert inception.real_train == inception_score_of(train.logits[::2], 2, 0)[0]
    assert (inception.splits, inception.real_samples, fid.real_samples) == (2, 40, 60)
    value = pair_scores(test.features, fake.features, 0, 100, 30)
    assert (kid.value, kid.std) == (value.kid, value.kid_std)
    assert kid.real == pair_scores(test.features[::2], test.features[1::2], 0, 100, 30).kid
    assert kid.real_train == pair_scores(test.features, chosen, 0, 100, 30).kid
    assert kid.splits == 100 and kid.details == {"subset_size": 30}  # the smaller half of the test pictures
    assert found["nearest_train_net"].real_samples == 80


def test_real_pictures_that_are_fewer_than_the_splits_have_no_inception_score():
    fake, test = kinds(20, 20), kinds(5, 4, seed=1)
    measures = distribution_scores(fake, Anchors(test, test), "_net", ["is"], 10, seed=0)
    (score,) = measures[0]()
    assert (score.splits, score.real, score.real_train) == (10, None, None)  # a part of one picture has no variety


def test_each_score_draws_by_the_seed_that_it_is_given():
    fake, test = kinds(20, 20), kinds(700, 700, seed=1)
    anchors = Anchors(test, test)
    (inception,), (kid, *_) = (
        measure() for measure in distribution_scores(fake, anchors, "", ("is", "kid"), splits=2, seed=5)
    )
    assert inception.value == inception_score_of(fake.logits, 2, 5)[0] != inception_score_of(fake.logits, 2, 0)[0]
    wanted, other = (pair_scores(test.features, fake.features, seed, 100, 40).kid for seed in (5, 0))
    assert kid.value == wanted != other


def test_a_run_measures_of_itself_what_is_measured_of_it_in_the_end():
    fake, real = kinds(20, 20), kinds(31, 30, seed=1)
    while_training = {score.metric: score for score in scores_of_training(fake, real, "_net", 2, seed=3)}
    for measure in distribution_scores(fake, Anchors(real, real), "_net", ("is", "kid"), 2, seed=3):
        (score,) = [score for score in measure() if score.metric in while_training]
        assert while_training[score.metric] == replace(score, real_train=None)


@pytest.mark.parametrize(("real", "metrics"), [(3, ["is"]), (4, ["is", "kid"])])
def test_a_run_has_a_kernel_distance_where_a_half_of_the_real_pictures_has_two(real, metrics):
    found = scores_of_training(kinds(10, 10), kinds(real), "", 2, seed=0)
    assert [score.metric for score in found] == metrics


def test_precision_and_recall_reach_to_the_third_neighbour():
    """Real pictures lie 1 apart on a line, generated ones go on 3 beyond its end: just as far as the outermost balls."""
    line = torch.arange(40.0)
    test, fake = (said(torch.stack([places, 0 * places], dim=1)) for places in (line, line + 42))
    found = scores(fake, test, test, ["precision", "recall"])
    assert found["precision_net"].value == found["recall_net"].value == 1 / 40
    further = said(fake.features + torch.tensor([0.5, 0]))
    assert scores(further, test, test, ["precision"])["precision_net"].value == 0


def test_an_interval_is_told_from_thirty_pictures_on():
    low, high = mean_interval(torch.arange(30.0), seed=0)
    assert low < 14.5 < high and mean_interval(torch.arange(29.0), seed=0) == (None, None)


def circle(cosine_distances):
    """Vectors at these cosine distances from (1, 0)."""
    angles = torch.acos(1 - torch.as_tensor(cosine_distances))
    return torch.stack([angles.cos(), angles.sin()], dim=1)


def test_close_is_nearer_to_a_training_picture_than_one_in_a_hundred_unseen_pictures():
    unseen = circle(torch.linspace(0.1, 0.5, 400))
    anchors = Anchors(said(unseen), said(circle([0.0])))
    like_unseen = nearest_train(unseen, anchors, "_net", seed=0)
    assert like_unseen.details == {"close": 0.01}
    assert like_unseen.value == pytest.approx(0.3, abs=1e-4) and like_unseen.real == like_unseen.value
    assert like_unseen.low < like_unseen.value < like_unseen.high
    copies = nearest_train(circle([0.0] * 3 + [0.3]), anchors, "_net", seed=0)
    assert copies.details == {"close": 0.75} and copies.value == pytest.approx(0.075, abs=1e-4)
    assert copies.low is None and copies.high is None  # an interval of four pictures says nothing


def test_clip_judges_each_picture_by_its_own_caption_and_by_the_next_ones():
    texts = torch.eye(3)
    turned = torch.tensor([[1.0, 1, 0], [0, 1, 1], [1, 0, 1]])  # half its own caption, half the next one's
    score = clip_score_of(torch.eye(3), texts, turned, texts, seed=0)
    assert (score.metric, score.value, score.std, score.real_samples) == ("clip_score", 100, 0, 3)
    mixed = clip_score_of(torch.tensor([[1.0, 0, 0], [1, 0, 0]]), texts[:2], turned, texts, seed=0)
    assert (mixed.value, mixed.std) == (50, 50)  # of these pictures, not an estimate for others
    assert score.shuffled == 0 and score.real == pytest.approx(100 * math.sqrt(0.5))
    assert clip_score_of(turned, texts, turned, texts, 0).shuffled == pytest.approx(100 * math.sqrt(0.5))
    before = clip_score_of(texts.roll(1, 0), texts, turned, texts, 0)  # each picture shows the caption before its own
    assert before.value == 0 and before.shuffled == 0
