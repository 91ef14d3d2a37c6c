"""The two stages: what generates, and what stays frozen."""

from typing import cast

import torch
from torch import Tensor

from stackgan.losses.adversarial import AdversarialLoss
from stackgan.networks.discriminator import Discriminator
from stackgan.networks.stage_one import GeneratorOutput, StageOneGenerator
from stackgan.networks.stage_two import StageTwoGenerator
from stackgan.networks.text_to_image import TextToImage, TextWhitener
from stackgan.training.module import StepSettings, TextToImageGAN


class StageOne(TextToImageGAN):
    """Text to 64x64: shape and colour (StackGAN section 3.3)."""

    generator: StageOneGenerator

    def __init__(
        self,
        generator: StageOneGenerator,
        discriminator: Discriminator,
        loss: AdversarialLoss,
        settings: StepSettings,
        whitener: TextWhitener,
    ) -> None:
        super().__init__(generator, discriminator, loss, settings, whitener)
        # in a list: its weights are registered here already
        self._sampler = [TextToImage(cast(StageOneGenerator, self.average), None, whitener)]

    def generate(self, text: Tensor, noise: Tensor) -> GeneratorOutput:
        z, condition_noise = noise.split([self.generator.noise_dim, self.generator.condition_dim], dim=1)
        return self.generator(text, z, condition_noise)

    def sampler(self) -> TextToImage:
        return self._sampler[0]


class StageTwo(TextToImageGAN):
    """64x64 and text to 256x256 (StackGAN section 3.4), on a frozen Stage I.

    Stage I runs in eval mode: both references leave its batch norm training, so its running statistics drift and the pictures
    Stage II learns from are not those it gets at test time.
    """

    generator: StageTwoGenerator

    def __init__(
        self,
        generator: StageTwoGenerator,
        discriminator: Discriminator,
        loss: AdversarialLoss,
        settings: StepSettings,
        below: TextToImage,
    ) -> None:
        super().__init__(generator, discriminator, loss, settings, below.whitener)
        self.stage_one = below.stage_one.eval().requires_grad_(False)
        self._sampler = [TextToImage(self.stage_one, cast(StageTwoGenerator, self.average), below.whitener)]

    def train(self, mode: bool = True) -> "StageTwo":
        """Stage I and the average stay in eval mode whatever the rest does."""
        super().train(mode)
        self.stage_one.eval()
        return self

    def generate(self, text: Tensor, noise: Tensor) -> GeneratorOutput:
        z, first, second = noise.split(self.sampler().noise_sizes, dim=1)
        with torch.no_grad():
            images = self.stage_one(text, z, first).images  # [B, 3, 64, 64]
        return self.generator(text, images, second)

    def sampler(self) -> TextToImage:
        return self._sampler[0]
