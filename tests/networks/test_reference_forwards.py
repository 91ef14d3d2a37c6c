"""The two published implementations written out as functions, fed with our networks' weights in their order of use.

Sources: hanzhanggit/StackGAN stageI/model.py and stageII/model.py, hanzhanggit/StackGAN-Pytorch code/model.py.
"""

import pytest
import torch
import torch.nn.functional as F
from scipy.stats import norm, truncnorm
from torch import Tensor, nn

from stackgan.networks.build import build_discriminator, build_generator

TEXT, CONDITION, NOISE, WIDTH, BATCH = 7, 6, 5, 8, 3
SETTINGS = {"text_dim": TEXT, "condition_dim": CONDITION, "base_channels": WIDTH, "init": "scaled"}


class Tape:
    """Plain layers over a network's parameters, each used once and in order."""

    def __init__(self, network: nn.Module) -> None:
        self.parameters = list(network.parameters())

    def take(self) -> Tensor:
        return self.parameters.pop(0)

    def linear(self, x: Tensor, bias: bool = True) -> Tensor:
        return F.linear(x, self.take(), self.take() if bias else None)

    def batch_norm(self, x: Tensor) -> Tensor:
        dims = [d for d in range(x.dim()) if d != 1]
        shape = [1, -1] + [1] * (x.dim() - 2)
        x = (x - x.mean(dims, keepdim=True)) / (x.var(dims, keepdim=True, unbiased=False) + 1e-5).sqrt()
        return x * self.take().view(shape) + self.take().view(shape)

    def conv(self, x: Tensor, stride: int = 1, norm: bool = True) -> Tensor:
        weight = self.take()
        h = F.conv2d(x, weight, stride=stride, padding=(weight.shape[2] - 1) // 2)
        return self.batch_norm(h) if norm else h

    def up(self, x: Tensor, norm: bool = True) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2, mode="nearest"), norm=norm)

    def bottleneck(self, x: Tensor, activation) -> Tensor:
        h = activation(self.conv(x))
        h = activation(self.conv(h))
        return activation(x + self.conv(h))

    def condition(self, text: Tensor, noise: Tensor, arch: str) -> Tensor:
        h = self.linear(text)
        h = leaky(h) if arch == "tf" else h.relu()
        mean, scale = h[:, :CONDITION], h[:, CONDITION:]
        if arch == "tf":  # tf.truncated_normal
            noise = torch.from_numpy(truncnorm.ppf(norm.cdf(noise.numpy()), -2, 2))
        return mean + (scale.exp() if arch == "tf" else (scale / 2).exp()) * noise

    def head(self, x: Tensor, bias: bool) -> Tensor:
        return F.conv2d(x, self.take(), self.take() if bias else None).flatten()


def leaky(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.2 * x)


def stage_one_generator(tape: Tape, arch: str, text: Tensor, noise: Tensor, condition_noise: Tensor) -> Tensor:
    c = tape.condition(text, condition_noise, arch)
    h = tape.linear(torch.cat([c, noise] if arch == "tf" else [noise, c], 1), bias=arch == "tf")
    h = tape.batch_norm(h).view(BATCH, 4, 4, 8 * WIDTH).permute(0, 3, 1, 2)
    if arch == "tf":
        h = tape.bottleneck(h, torch.relu)
        h = tape.bottleneck(tape.up(h), torch.relu)
        h = tape.up(tape.up(h).relu()).relu()
        return tape.up(h, norm=False).tanh()
    h = h.relu()
    for _ in range(4):
        h = tape.up(h).relu()
    return tape.conv(h, norm=False).tanh()


def stage_two_generator(tape: Tape, arch: str, text: Tensor, images: Tensor, condition_noise: Tensor) -> Tensor:
    c = tape.condition(text, condition_noise, arch)
    h = tape.conv(images, norm=False).relu()
    h = tape.conv(tape.conv(h, stride=2).relu(), stride=2).relu()
    h = tape.conv(torch.cat([h, c[:, :, None, None].expand(-1, -1, *h.shape[2:])], 1)).relu()
    for _ in range(4):
        h = (h + tape.conv(tape.conv(h).relu())).relu()
    for _ in range(4):
        h = tape.up(h).relu()
    return tape.conv(h, norm=False).tanh()


def discriminator(tape: Tape, arch: str, stage: str, images: Tensor, condition: Tensor) -> list[Tensor]:
    if arch == "tf":
        condition = leaky(tape.linear(condition))
    h = leaky(tape.conv(images, stride=2, norm=False))
    if stage == "one" and arch == "tf":
        h = leaky(tape.conv(h, stride=2))
        h = tape.conv(tape.conv(h, stride=2), stride=2)
    elif stage == "one":
        for _ in range(3):
            h = leaky(tape.conv(h, stride=2))
    else:
        for _ in range(5):
            h = leaky(tape.conv(h, stride=2))
        h = tape.conv(leaky(tape.conv(h)))
        h = h if arch == "tf" else leaky(h)
    if arch == "tf":
        h = tape.bottleneck(h, leaky)
    joint = leaky(tape.conv(torch.cat([h, condition[:, :, None, None].expand(-1, -1, 4, 4)], 1)))
    heads = [tape.head(joint, bias=arch == "pytorch")]
    if arch == "pytorch" and stage == "two":
        heads.append(tape.head(h, bias=True))
    return heads


def spread_parameters(network: nn.Module) -> nn.Module:
    """In float64, with biases and shifts away from zero, so that a missing one shows."""
    for parameter in network.parameters():
        if parameter.dim() == 1:
            nn.init.normal_(parameter, parameter.mean().item(), 0.2)
    return network.double()


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


@pytest.mark.parametrize("arch", ["tf", "pytorch"])
def test_stage_one_generator_is_the_references(arch):
    torch.manual_seed(0)
    generator = spread_parameters(build_generator("one", arch=arch, noise_dim=NOISE, **SETTINGS))
    text, noise, condition_noise = draw(BATCH, TEXT), draw(BATCH, NOISE), draw(BATCH, CONDITION)
    tape = Tape(generator)
    expected = stage_one_generator(tape, arch, text, noise, condition_noise)
    assert not tape.parameters
    torch.testing.assert_close(generator(text, noise, condition_noise).images, expected)


@pytest.mark.parametrize("arch", ["tf", "pytorch"])
def test_stage_two_generator_is_the_references(arch):
    torch.manual_seed(0)
    generator = spread_parameters(build_generator("two", arch=arch, image_size=64, stage_one_size=16, **SETTINGS))
    text, images, condition_noise = draw(BATCH, TEXT), draw(BATCH, 3, 16, 16).tanh(), draw(BATCH, CONDITION)
    tape = Tape(generator)
    expected = stage_two_generator(tape, arch, text, images, condition_noise)
    assert not tape.parameters
    torch.testing.assert_close(generator(text, images, condition_noise).images, expected)


@pytest.mark.parametrize("arch", ["tf", "pytorch"])
@pytest.mark.parametrize(("stage", "size"), [("one", 64), ("two", 256)])
def test_discriminator_is_the_references(arch, stage, size):
    torch.manual_seed(0)
    network = spread_parameters(build_discriminator(stage, arch=arch, image_size=size, **SETTINGS))
    images, condition = draw(BATCH, 3, size, size).tanh(), draw(BATCH, TEXT if arch == "tf" else CONDITION)
    tape = Tape(network)
    expected = discriminator(tape, arch, stage, images, condition)
    assert not tape.parameters
    scores = [head for head in network(images, condition) if head is not None]
    for ours, theirs in zip(scores, expected, strict=True):
        torch.testing.assert_close(ours, theirs)
