"""The losses against the formulas of their papers and references, written out in float64."""

import math

import pytest
import torch
from torch import Tensor, nn

from stackgan.errors import UserError
from stackgan.losses.build import build_loss
from stackgan.losses.names import LOSSES
from stackgan.networks.discriminator import Scores

BATCH = 6


def sigmoid(x: Tensor) -> Tensor:
    return 1 / (1 + (-x).exp())


# cost of a real pair, of a negative one, and to the generator
FORMULAS = {
    "bce": (lambda s: -sigmoid(s).log(), lambda s: -(1 - sigmoid(s)).log(), lambda s: -sigmoid(s).log()),
    "wgan": (lambda s: -s, lambda s: s, lambda s: -s),
    "hinge": (lambda s: (1 - s).clamp(min=0), lambda s: (1 + s).clamp(min=0), lambda s: -s),
    "lsgan": (lambda s: (s - 1) ** 2 / 2, lambda s: s**2 / 2, lambda s: (s - 1) ** 2 / 2),
}


def draw_scores(heads: int) -> Scores:
    values = [torch.randn(BATCH, dtype=torch.float64, requires_grad=True) for _ in range(heads)]
    return Scores(*values)


def assert_same_with_gradients(ours: Tensor, expected: Tensor, *scores: Scores) -> None:
    torch.testing.assert_close(ours, expected)
    leaves = [head for score in scores for head in score if head is not None]
    for a, b in zip(
        torch.autograd.grad(ours, leaves, allow_unused=True),
        torch.autograd.grad(expected, leaves, allow_unused=True),
        strict=True,
    ):
        torch.testing.assert_close(
            torch.zeros(BATCH).double() if a is None else a, torch.zeros(BATCH).double() if b is None else b
        )


@pytest.mark.parametrize("name", LOSSES)
def test_one_head_is_real_plus_half_of_wrong_and_fake(name):
    torch.manual_seed(0)
    real_cost, negative_cost, generator_cost = FORMULAS[name]
    real, wrong, fake = (draw_scores(1) for _ in range(3))
    loss = build_loss(name)
    expected = real_cost(real[0]).mean() + (negative_cost(wrong[0]).mean() + negative_cost(fake[0]).mean()) / 2
    assert_same_with_gradients(loss.critic(real, wrong, fake), expected, real, wrong, fake)
    assert_same_with_gradients(loss.generator(fake), generator_cost(fake[0]).mean(), fake)


@pytest.mark.parametrize("name", LOSSES)
def test_two_heads_are_weighed_as_in_the_pytorch_reference(name):
    torch.manual_seed(0)
    real_cost, negative_cost, generator_cost = FORMULAS[name]
    real, wrong, fake = (draw_scores(2) for _ in range(3))
    loss = build_loss(name)
    expected = (real_cost(real[0]).mean() + real_cost(real[1]).mean()) / 2 + (
        negative_cost(fake[0]).mean() + negative_cost(wrong[0]).mean() + negative_cost(fake[1]).mean()
    ) / 3
    assert_same_with_gradients(loss.critic(real, wrong, fake), expected, real, wrong, fake)
    expected = generator_cost(fake[0]).mean() + generator_cost(fake[1]).mean()
    assert_same_with_gradients(loss.generator(fake), expected, fake)


@pytest.mark.parametrize("name", LOSSES)
def test_invalid_wrong_pairs_are_left_out_even_if_infinite(name):
    torch.manual_seed(0)
    real_cost, negative_cost, _ = FORMULAS[name]
    real, fake = draw_scores(1), draw_scores(1)
    valid = torch.tensor([True, False, True, False, False, True])
    values = torch.randn(BATCH, dtype=torch.float64)
    values[1] = math.inf
    wrong = Scores(values.requires_grad_())
    loss = build_loss(name).critic(real, wrong, fake, valid)
    expected = real_cost(real[0]).mean() + (negative_cost(values[valid]).mean() + negative_cost(fake[0]).mean()) / 2
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert values.grad is not None and values.grad.isfinite().all() and (values.grad[~valid] == 0).all()


@pytest.mark.parametrize("name", LOSSES)
def test_several_wrong_texts_count_as_their_mean(name):
    torch.manual_seed(0)
    real, fake = draw_scores(1), draw_scores(1)
    several = torch.randn(3 * BATCH, dtype=torch.float64)
    valid = torch.tensor([True, False, True, True, True, True])
    loss = build_loss(name)
    each = [loss.critic(real, Scores(several[k::3]), fake, valid) for k in range(3)]
    torch.testing.assert_close(loss.critic(real, Scores(several), fake, valid), torch.stack(each).mean())


@pytest.mark.parametrize("heads", [1, 2])
def test_without_any_wrong_pair_the_fakes_have_the_whole_weight(heads):
    torch.manual_seed(0)
    real, wrong, fake = (draw_scores(heads) for _ in range(3))
    loss = build_loss("wgan")
    none_valid = loss.critic(real, wrong, fake, torch.zeros(BATCH, dtype=torch.bool))
    expected = -torch.stack(list(real)[:heads]).mean() + torch.stack(list(fake)[:heads]).mean()
    torch.testing.assert_close(none_valid, expected)
    torch.testing.assert_close(loss.critic(real, None, fake), expected)


def test_label_smoothing_is_one_sided():
    torch.manual_seed(0)
    real, wrong, fake = (draw_scores(1) for _ in range(3))
    smooth, plain = build_loss("bce", label_smoothing=0.1), build_loss("bce")
    p = sigmoid(real[0])
    change = -(0.9 * p.log() + 0.1 * (1 - p).log()).mean() + p.log().mean()
    torch.testing.assert_close(smooth.critic(real, wrong, fake) - plain.critic(real, wrong, fake), change)
    torch.testing.assert_close(smooth.generator(fake), plain.generator(fake))


def test_cross_entropy_of_large_logits_is_finite():
    scores = Scores(torch.tensor([1e4, -1e4]))
    loss = build_loss("bce")
    assert loss.critic(scores, scores, scores).isfinite() and loss.generator(scores).isfinite()


def test_only_a_clipping_critic_changes_its_weights_after_a_step():
    critic = nn.Linear(3, 2)
    nn.init.constant_(critic.weight, 0.5)
    nn.init.constant_(critic.bias, -0.004)
    build_loss("wgan").after_critic_step(critic)
    build_loss("bce").after_critic_step(critic)
    assert (critic.weight == 0.5).all()
    build_loss("wgan", clip=0.01).after_critic_step(critic)
    assert (critic.weight == 0.01).all() and (critic.bias == -0.004).all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": "wgan-gp"}, "loss.name.*wgan-gp.*bce, wgan"),
        ({"name": "bce", "clip": 0.01}, "loss.clip: bce"),
        ({"name": "wgan", "clip": 0.0}, "loss.clip: 0.0"),
        ({"name": "hinge", "label_smoothing": 0.1}, "loss.label_smoothing: hinge"),
        ({"name": "bce", "label_smoothing": 1.0}, "loss.label_smoothing: 1.0"),
        ({"name": "bce", "n_critic": 0}, "loss.n_critic"),
        ({"name": "bce", "penalty": "r2"}, "loss.penalty.*r2.*gradient"),
        ({"name": "bce", "penalty": "r1", "penalty_every": 0}, "loss.penalty_every"),
    ],
)
def test_impossible_settings_are_named(arguments, words):
    with pytest.raises(UserError, match=words):
        build_loss(**arguments)
