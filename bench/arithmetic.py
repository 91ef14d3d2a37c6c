"""How many floating-point operations a training step needs: python bench/arithmetic.py

Counted by torch on tensors without memory, through our networks, for the least that a step can do: upsampling folded into a stride-2
transposed convolution, features of real pictures once for the right and the wrong text, no gradient for pictures, for the frozen
Stage I, nor for the discriminator's weights in the generator's step. A multiplication and an addition count as two. Norms,
activations, optimizers and averages are not counted: they are limited by memory, not by arithmetic.
"""

from dataclasses import dataclass
from typing import cast

import baseline
import torch
from cases import CASES, Case
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from stackgan.losses.kl import kl_divergence
from stackgan.networks.build import build_discriminator, build_generator
from stackgan.networks.discriminator import Discriminator, Scores
from stackgan.networks.layers import UpsampleConv
from stackgan.networks.stage_one import GeneratorOutput, StageOneGenerator
from stackgan.networks.stage_two import StageTwoGenerator
from stackgan.training.module import frozen


@dataclass(frozen=True)
class StepFlop:
    """Of one step on a whole batch."""

    generation: int  # the generators' forward passes
    discriminator: int  # its step
    generator: int  # its step, through the discriminator

    @property
    def total(self) -> int:
        return self.generation + self.discriminator + self.generator


def needed(case: Case) -> StepFlop:
    """The least that the case's step can do."""
    with FakeTensorMode():
        return MinimalStep(case).count()


def plain(case: Case) -> int:
    """What the baseline's step does."""
    with FakeTensorMode():
        step, batch = plain_step(case), plain_batch(case)
        with FlopCounterMode(display=False) as counter:
            fake = step.generator(batch.text, batch.noise)
            step.discriminator_loss(batch, fake).backward()
            torch.stack(step.generator_losses(fake)).sum().backward()
    return counter.get_total_flops()


class MinimalStep:
    """A case's step with nothing superfluous, to be counted, not to learn."""

    def __init__(self, case: Case) -> None:
        shared = {"arch": "pytorch", "text_dim": case.text_dim, "condition_dim": case.condition_dim}
        one = build_generator("one", image_size=case.stage_one_size, base_channels=case.gf, **shared)
        self.stage_one = cast(StageOneGenerator, fold_upsampling(one))
        self.stage_two: StageTwoGenerator | None = None
        if case.stage == "two":
            self.stage_one.eval().requires_grad_(False)
            two = build_generator(
                "two", image_size=case.size, stage_one_size=case.stage_one_size, base_channels=case.gf,
                residual_blocks=case.residuals, **shared,
            )  # fmt: skip
            self.stage_two = cast(StageTwoGenerator, fold_upsampling(two))
        self.discriminator: Discriminator = build_discriminator(
            case.stage, image_size=case.size, base_channels=case.df, **shared
        )
        self.text = torch.empty(case.batch, case.text_dim)
        self.condition = torch.empty(case.batch, case.condition_dim)
        self.noise = torch.empty(case.batch, self.stage_one.noise_dim)
        self.images = torch.empty(case.batch, 3, case.size, case.size)

    def count(self) -> StepFlop:
        phases = [FlopCounterMode(display=False) for _ in range(3)]
        with phases[0]:
            fake = self.generate()
        with phases[1]:
            self.discriminator_step(fake.images.detach())
        with phases[2]:
            self.generator_step(fake)
        return StepFlop(*(phase.get_total_flops() for phase in phases))

    def generate(self) -> GeneratorOutput:
        small = self.stage_one(self.text, self.noise, self.condition)
        return small if self.stage_two is None else self.stage_two(self.text, small.images, self.condition)

    def discriminator_step(self, fakes: Tensor) -> None:
        twice = self.condition.repeat_interleave(2, dim=0)  # the right text and the wrong one
        of_real = self.discriminator(self.images, twice)
        of_fakes = self.discriminator(fakes, self.condition)
        (total(of_real) + total(of_fakes)).backward()

    def generator_step(self, fake: GeneratorOutput) -> None:
        with frozen(self.discriminator):
            scores = self.discriminator(fake.images, self.condition)
        (total(scores) + kl_divergence(fake.condition.mean, fake.condition.log_variance)).backward()


def total(scores: Scores) -> Tensor:
    return torch.stack([head.sum() for head in scores if head is not None]).sum()


def fold_upsampling(network: nn.Module) -> nn.Module:
    """Each UpsampleConv as the transposed convolution that it is, without the making of its kernel."""
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, UpsampleConv):
                out_channels, in_channels = child.weight.shape[:2]
                setattr(parent, name, nn.ConvTranspose2d(in_channels, out_channels, 4, 2, 1, bias=False))
    return network


def plain_step(case: Case) -> baseline.PlainStep:
    """The baseline's step of a case."""
    text, condition = case.text_dim, case.condition_dim
    generator: baseline.StageOne | baseline.StageTwo
    generator = below = baseline.StageOne(case.gf, text, condition, size=case.stage_one_size)
    if case.stage == "two":
        doublings = (case.size // case.stage_one_size).bit_length() + 1
        generator = baseline.StageTwo(below, case.gf, text, condition, case.residuals, doublings)
    discriminator = baseline.Discriminator(case.size, case.df, condition, unconditional=case.stage == "two")
    return baseline.PlainStep(generator, discriminator)


def plain_batch(case: Case) -> baseline.PlainBatch:
    """Random inputs for it."""
    images = torch.rand(case.batch, 3, case.size, case.size) * 2 - 1
    text, wrong_text = (torch.randn(case.batch, case.text_dim) for _ in range(2))
    noise = torch.randn(case.batch, 100 + case.condition_dim * (1 if case.stage == "one" else 2))
    return baseline.PlainBatch(images, text, wrong_text, noise)


def main() -> None:
    print(
        f"{'case':16}{'batch':>6}{'generate':>10}{'D step':>10}{'G step':>10}{'needed':>10}{'plain':>10}   GFLOP a step"
    )
    for case in CASES.values():
        flop = needed(case)
        parts = (flop.generation, flop.discriminator, flop.generator, flop.total, plain(case))
        print(f"{case.name:16}{case.batch:6}" + "".join(f"{part / 1e9:10.1f}" for part in parts))


if __name__ == "__main__":
    main()
