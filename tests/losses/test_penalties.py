"""The penalties against closed forms, finite differences and an unhurried implementation, one sample at a time."""

import copy

import pytest
import torch
from torch import Tensor, nn

from stackgan.losses.build import build_loss
from stackgan.networks.build import build_discriminator
from stackgan.networks.discriminator import Discriminator, Scores

BATCH, SIZE, TEXT = 3, 16, 5
SHARES = torch.linspace(0.1, 0.9, BATCH).double()  # where between fake and real the gradient penalty looks


def draw(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    images = [torch.rand(BATCH, 3, SIZE, SIZE, dtype=dtype) * 2 - 1 for _ in range(2)]
    return images[0], images[1], torch.randn(BATCH, TEXT, dtype=dtype)


def small_discriminator(stage: str = "one", norm: str = "none") -> Discriminator:
    return build_discriminator(
        stage,
        text_dim=TEXT,
        image_size=SIZE,
        base_channels=4,
        condition_dim=4,
        norm=norm,
        init="scaled",
        arch={"unconditional_head": "stage_two"},
    )


class LinearCritic(nn.Module):
    """score = <a, x> + <b, text>, whose gradients are a and b wherever they are taken."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.randn(3, SIZE, SIZE, dtype=torch.float64) / 10)
        self.b = nn.Parameter(torch.randn(TEXT, dtype=torch.float64))

    def forward(self, images: Tensor, condition: Tensor) -> Scores:
        return Scores((images * self.a).sum((1, 2, 3)) + condition @ self.b)


@pytest.mark.parametrize("weight", [None, 3.0])
@pytest.mark.parametrize(("penalty", "papers_weight"), [("gradient", 10.0), ("r1", 10.0), ("matching_aware", 2.0)])
def test_closed_forms_of_a_linear_critic_and_their_gradients(penalty, papers_weight, weight):
    torch.manual_seed(0)
    critic = LinearCritic()
    image_part, text_part = critic.a.square().sum(), critic.b.square().sum()
    closed_forms = {
        "gradient": (image_part.sqrt() - 1) ** 2,
        "r1": image_part / 2,
        "matching_aware": (image_part + text_part) ** 3,
    }
    expected = (papers_weight if weight is None else weight) * closed_forms[penalty]
    value = build_loss("hinge", penalty=penalty, penalty_weight=weight).penalty(critic, *draw(), SHARES)
    torch.testing.assert_close(value, expected)
    parameters = [critic.a, critic.b] if penalty == "matching_aware" else [critic.a]
    for ours, theirs in zip(
        torch.autograd.grad(value, parameters), torch.autograd.grad(expected, parameters), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("stage", ["one", "two"])
def test_r1_of_a_real_discriminator_agrees_with_finite_differences(stage):
    torch.manual_seed(0)
    discriminator = small_discriminator(stage).double()
    real, fake, condition = draw()
    value = build_loss("bce", penalty="r1", penalty_weight=1.0).penalty(discriminator, real, fake, condition, SHARES)

    def score(images: Tensor) -> Tensor:
        scores = discriminator(images, condition)
        if stage == "one":
            return scores.conditional
        return (scores.conditional + scores.unconditional) / 2  # the penalised function of two heads

    total, step = torch.zeros(()).double(), 1e-5
    with torch.no_grad():
        for pixel in range(3 * SIZE * SIZE):
            move = torch.zeros(3 * SIZE * SIZE).double()
            move[pixel] = step
            move = move.view(3, SIZE, SIZE)
            total += ((score(real + move) - score(real - move)) / (2 * step)).square().sum()
    torch.testing.assert_close(value, total / 2 / BATCH, rtol=1e-4, atol=0)


def test_the_gradient_penalty_lies_between_real_and_fake_one_sample_at_a_time():
    torch.manual_seed(0)
    discriminator = small_discriminator().double()
    real, fake, condition = draw()
    value = build_loss("wgan", penalty="gradient").penalty(discriminator, real, fake, condition, SHARES)
    costs = []
    for i in range(BATCH):
        image = (SHARES[i] * real[i] + (1 - SHARES[i]) * fake[i]).requires_grad_()
        score = discriminator(image[None], condition[i : i + 1]).conditional[0]
        (gradient,) = torch.autograd.grad(score, image)
        costs.append((gradient.square().sum().sqrt() - 1) ** 2)
    torch.testing.assert_close(value, 10 * torch.stack(costs).mean())


@pytest.mark.parametrize("penalty", ["gradient", "r1", "matching_aware"])
def test_the_gradient_by_the_weights_agrees_with_finite_differences(penalty):
    torch.manual_seed(0)
    discriminator = small_discriminator().double()
    batch, loss = draw(), build_loss("hinge", penalty=penalty)

    def value() -> Tensor:
        return loss.penalty(discriminator, *batch, SHARES)

    value().backward()
    weight, step = discriminator.trunk[1].convolution.weight, 1e-5
    direction = torch.randn_like(weight)
    slope = (weight.grad * direction).sum()
    values = []
    for sign in (1, -1):
        weight.data += sign * step * direction
        values.append(value().detach())
        weight.data -= sign * step * direction
    torch.testing.assert_close(slope, (values[0] - values[1]) / (2 * step), rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("penalty", ["gradient", "r1", "matching_aware"])
def test_it_is_float32_under_autocast_and_in_any_layout(penalty):
    torch.manual_seed(0)
    discriminator = small_discriminator("two")
    real, fake, condition = draw(torch.float32)
    fake, condition = fake.bfloat16(), condition.bfloat16()  # both may come from the generator
    loss = build_loss("hinge", penalty=penalty)
    exact = copy.deepcopy(discriminator).double()
    expected = loss.penalty(exact, real.double(), fake.double(), condition.double(), SHARES)
    discriminator = discriminator.to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        value = loss.penalty(
            discriminator,
            real.contiguous(memory_format=torch.channels_last),
            fake,
            condition,
            SHARES,
        )
    assert value.dtype == torch.float32
    torch.testing.assert_close(value.double(), expected, rtol=1e-4, atol=1e-6)


def test_a_lazy_penalty_is_counted_for_the_steps_it_skips():
    torch.manual_seed(0)
    discriminator, batch = small_discriminator(), draw(torch.float32)
    every, lazy = (build_loss("bce", penalty="r1", penalty_every=n) for n in (1, 8))
    assert (every.penalty_every, lazy.penalty_every, build_loss("bce").penalty_every) == (1, 8, 0)
    torch.testing.assert_close(
        lazy.penalty(discriminator, *batch, SHARES), 8 * every.penalty(discriminator, *batch, SHARES)
    )
    assert build_loss("bce").penalty(discriminator, *batch, SHARES).item() == 0


@pytest.mark.parametrize("penalty", ["gradient", "r1", "matching_aware"])
def test_a_flat_critic_gives_finite_gradients(penalty):
    """Where the gradient's norm is zero it has no derivative of its own; zero must come out, not NaN."""
    discriminator = small_discriminator()
    nn.init.zeros_(discriminator.conditional_head.weight)
    build_loss("wgan", penalty=penalty).penalty(discriminator, *draw(torch.float32), SHARES).backward()
    for parameter in discriminator.parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all()


def test_the_batch_is_left_as_it_was():
    torch.manual_seed(0)
    real, fake, condition = draw(torch.float32)
    fake = fake.requires_grad_()
    build_loss("hinge", penalty="matching_aware").penalty(
        small_discriminator(), real, fake, condition, SHARES
    ).backward()
    assert not real.requires_grad and not condition.requires_grad and fake.grad is None
