"""R-precision of known scorers, and of real pictures of classes the scorer has not seen."""

import numpy as np
import pytest
import torch

from stackgan.errors import UserError
from stackgan.evaluation.caption_alignment import TextImageScorer, fit_scorer, r_precision


def draws(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def identity(dim):
    return TextImageScorer(torch.zeros(dim), torch.zeros(dim), torch.eye(dim))


def world(classes, per_class, seed=0, noise=0.5):
    """Pictures and captions that are two noisy views of the same 8 hidden numbers: [N, 40], [N, 24], [N]."""
    class_ids = torch.arange(classes).repeat_interleave(per_class)
    hidden = draws(classes, 8, seed=seed + 1)[class_ids] + draws(len(class_ids), 8, seed=seed + 2)
    features = hidden @ draws(8, 40, seed=98) + 3 + noise * draws(len(class_ids), 40, seed=seed + 3)
    text = hidden @ draws(8, 24, seed=99) - 1 + noise * draws(len(class_ids), 24, seed=seed + 4)
    return features, text, class_ids


def shuffled(text, class_ids):
    order = torch.randperm(len(text), generator=torch.Generator().manual_seed(5))
    return text[order], class_ids[order]


def test_equal_vectors_are_always_found_and_opposite_ones_never():
    vectors, class_ids = draws(200, 16), torch.arange(200) % 50
    assert r_precision(identity(16), vectors, vectors, class_ids) == (1, 0)
    assert r_precision(identity(16), -vectors, vectors, class_ids) == (0, 0)


def test_a_scorer_that_knows_nothing_scores_chance():
    vectors, class_ids = draws(3000, 16), torch.arange(3000) % 200
    for wrong in (9, 99):
        random, _ = r_precision(identity(16), draws(3000, 16, seed=1), vectors, class_ids, wrong)
        assert random == pytest.approx(1 / (wrong + 1), abs=4 * (wrong / (wrong + 1) ** 2 / 3000) ** 0.5)
        constant, _ = r_precision(identity(16), vectors, torch.ones(3000, 16), class_ids, wrong)
        assert constant == pytest.approx(1 / (wrong + 1))  # all tied


def test_wrong_captions_are_of_other_classes():
    """Captions are their class: nobody can tell those of one class apart, and nobody needs to."""
    class_ids = torch.arange(60) % 3
    vectors = torch.eye(3)[class_ids]
    assert r_precision(identity(3), vectors, vectors, class_ids, wrong=40)[0] == 1
    without = torch.full_like(class_ids, -1)  # any other row is wrong then: 19 of 59 tie
    assert r_precision(identity(3), vectors, vectors, without, wrong=59)[0] == pytest.approx(1 / 20)


def test_mean_and_spread_are_of_ten_splits():
    found = torch.arange(100) < 60
    vectors = draws(100, 16)
    mean, std = r_precision(identity(16), torch.where(found[:, None], vectors, -vectors), vectors, torch.arange(100))
    assert mean == pytest.approx(0.6)
    assert 0.05 < std < 0.3  # about the root of .6 * .4 / 10


def test_the_seed_decides_and_the_global_random_state_stays():
    features, text, class_ids = world(40, 5, noise=5.0)
    state = torch.get_rng_state()
    scorer, again = fit_scorer(features, text, class_ids), fit_scorer(features, text, class_ids)
    assert torch.equal(scorer.projection, again.projection)
    first, second, other = (r_precision(scorer, features, text, class_ids, seed=seed) for seed in (0, 0, 1))
    assert first == second != other
    assert torch.equal(torch.get_rng_state(), state)


def test_it_finds_captions_of_unseen_classes_and_shuffled_ones_by_chance():
    scorer = fit_scorer(*world(60, 5))
    features, text, class_ids = world(100, 10, seed=50)
    assert r_precision(scorer, features, text, class_ids)[0] > 0.5
    assert r_precision(scorer, features, *shuffled(text, class_ids))[0] < 0.03


def test_it_is_ridge_regression_with_the_penalty_that_suits_unseen_classes():
    """The projection solves the normal equations of one of the penalties; more noise wants a stronger one."""
    penalties = []
    for noise in (0.01, 30.0):
        features, text, class_ids = world(40, 5, noise=noise)
        scorer = fit_scorer(features, text, class_ids)
        x, y = (values.double().numpy() - values.double().numpy().mean(0) for values in (features, text))
        gram, projection = x.T @ x, scorer.projection.double().numpy()
        residual = x.T @ y - gram @ projection  # = penalty * projection
        penalty = (residual * projection).sum() / (projection**2).sum()
        np.testing.assert_allclose(residual, penalty * projection, atol=2e-3 * np.abs(x.T @ y).max())
        penalties.append(penalty / (np.trace(gram) / len(gram)))
    assert penalties[0] < penalties[1]


def test_too_few_captions_or_classes_are_refused():
    vectors = draws(50, 4)
    with pytest.raises(UserError, match="found 40 of other classes"):
        r_precision(identity(4), vectors, vectors, torch.arange(50) % 5)
    with pytest.raises(UserError, match="at least 10 pictures"):
        r_precision(identity(4), vectors[:9], vectors[:9], torch.arange(9), wrong=3)
    with pytest.raises(UserError, match="two classes"):
        fit_scorer(vectors, vectors, torch.zeros(50, dtype=torch.int64))
