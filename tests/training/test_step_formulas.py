"""The first step of each network against the step written out, in float64 with plain SGD."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from stackgan.config import stage_scale
from stackgan.data.batches import BatchStream
from stackgan.inputs import prepare_inputs
from stackgan.training.augment import DRAWS, augment
from training_support import build_again, steps

EXACT = ["trainer.precision=64-true", "optim=sgd", "optim.momentum=0"]
EVERYTHING = ["norm=none", "data.augment=on", "loss.wrong_texts=2", "loss.kl_weight=3",
              "loss.matching_discriminator=0.3", "loss.matching_generator=0.7"]  # fmt: skip
CASES = [
    ["norm=none"],
    ["norm=batch"],
    EVERYTHING,
    ["loss=bce_r1", "norm=none", "loss.penalty_every=2", "data.augment=on"],
    ["norm=none", "loss.mismatch=image", "data.augment=on"],
    ["norm=none", "arch=pytorch"],
]


@pytest.fixture(params=CASES, ids=lambda value: " ".join(value))
def first_step(tiny, request):
    """The module before the step, what the step saw, and `after(rates)`: the module that took it."""
    config = tiny(*EXACT, *request.param)
    fresh = build_again(config).double()
    inputs, loss = prepare_inputs(config), config.loss
    stream = BatchStream(
        inputs.store, inputs.table, image_size=16, batch_size=stage_scale(config).batch_size, seed=0, steps=1,
        mismatch=loss.mismatch, wrong_texts=loss.wrong_texts,
    )  # fmt: skip
    batch = stream.batch(0)
    text, noise = batch.text.double(), fresh.noise.normal("discriminator", 0, fresh.noise_size).double()

    def seen(pictures, purpose):
        """As the discriminator gets them."""
        draws = fresh.noise.uniform(f"augment {purpose}", 0, DRAWS)
        return augment(pictures, draws) if config.data.augment == "on" else pictures

    def condition(captions):
        """What the discriminator reads of them; the PyTorch reference: the generator's mean."""
        by_generator = config.arch.name == "pytorch"
        return fresh.generator.conditioning(captions, None).mean.detach() if by_generator else captions

    def scores(pictures):
        """With their own captions, and with each of the wrong ones."""
        wrong = () if batch.wrong_text is None else batch.wrong_text.double().unbind(1)
        return [fresh.discriminator(pictures, condition(t)).conditional for t in (text, *wrong)]

    return SimpleNamespace(
        fresh=fresh, loss=loss, batch=batch, real=batch.images.double() / 127.5 - 1, text=text, seen=seen, scores=scores,
        fake=fresh.generator(text, noise[:, :100], noise[:, 100:]),
        after=lambda *rates: steps(tiny(*EXACT, *request.param, *rates), 1),
    )  # fmt: skip


def picking(right, *wrong):
    """The negative log share of the right caption among all."""
    return -torch.stack([right, *wrong]).log_softmax(0)[0].mean()


def negatives(*scores):
    return torch.stack([F.softplus(each).mean() for each in scores]).mean()


def assert_moved(trained, network, loss):
    """Every weight, by a tenth of the loss's gradient."""
    parameters = dict(network.named_parameters())
    gradients = torch.autograd.grad(loss, list(parameters.values()))
    found = dict(trained.named_parameters())
    for (name, parameter), gradient in zip(parameters.items(), gradients, strict=True):
        torch.testing.assert_close(found[name], parameter - 0.1 * gradient, rtol=1e-9, atol=1e-12)


def assert_logged(trained, expected):
    row = trained.averages.take()
    plain = {name: torch.as_tensor(value).item() for name, value in expected.items()}
    assert {name: row[name] for name in plain} == pytest.approx(plain, rel=1e-5)


def test_the_discriminators_step_is_the_plain_formulas(first_step):
    s = first_step
    real, *wrong = s.scores(s.seen(s.real, "real"))
    fake, *_ = s.scores(s.seen(s.fake.images.detach(), "fake"))
    if s.batch.wrong_images is not None:
        wrong = [s.scores(s.seen(s.batch.wrong_images.double() / 127.5 - 1, "wrong"))[0]]
    adversarial = F.softplus(-real).mean() + 0.5 * (negatives(*wrong) + negatives(fake))
    loss = adversarial + s.loss.matching_discriminator * picking(real, *wrong)
    if s.loss.penalty == "r1":
        pictures = s.real.clone().requires_grad_()
        score = s.fresh.discriminator(pictures, s.text).conditional.sum()
        (slope,) = torch.autograd.grad(score, pictures, create_graph=True)
        weight = s.loss.penalty_weight * s.loss.penalty_every
        loss = loss + weight / 2 * slope.square().sum((1, 2, 3)).mean()
    trained = s.after("lr.discriminator=0.1")
    assert_moved(trained.discriminator, s.fresh.discriminator, loss)
    assert_logged(trained, {
        "loss/d": adversarial,
        "d/real": real.sigmoid().mean(),
        "d/wrong": torch.cat(wrong).sigmoid().mean(),
        "d/fake": fake.sigmoid().mean(),
        "pairs/no_mismatch": 0,
        "health/discriminator_wins": 2 * fake.sigmoid().mean(),
        "health/generator_wins": torch.cartesian_prod(real, fake).diff().lt(0).double().mean(),
    })  # fmt: skip


def test_the_generators_step_is_the_plain_formulas(first_step):
    s = first_step
    right, *wrong = s.scores(s.seen(s.fake.images, "generator"))
    mean, log_variance = s.fake.condition.mean, s.fake.condition.log_variance
    divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
    adversarial = F.softplus(-right).mean()
    loss = adversarial + s.loss.kl_weight * divergence + s.loss.matching_generator * picking(right, *wrong)
    still = "lr.discriminator=1e-300"  # it steps first
    trained = s.after("lr.generator=0.1", still)
    assert_moved(trained.generator, s.fresh.generator, loss)
    assert_logged(trained, {"loss/g": adversarial, "loss/kl": divergence})
