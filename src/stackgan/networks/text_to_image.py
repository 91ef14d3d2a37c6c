"""The whole way from a text embedding to a picture, through one stage or both: what samples, scores and bundles are made with."""

import torch
from torch import Tensor, nn

from stackgan.networks.stage_one import StageOneGenerator
from stackgan.networks.stage_two import StageTwoGenerator


class TextStandardizer(nn.Module):
    """(text - mean) / scale, component by component; at first the identity.

    Captions of one kind of picture have much in common: four fifths of an embedding's square can be the same for all of them,
    and a linear layer learns that before it learns the difference.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, text_dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(text_dim))
        self.register_buffer("scale", torch.ones(text_dim))

    def fit(self, vectors: Tensor) -> None:
        """Take mean and standard deviation of training captions' vectors [M, T]; a component that hardly varies stays small."""
        self.mean.copy_(vectors.mean(0))
        deviation = vectors.std(0)
        self.scale.copy_(deviation.clamp(min=0.1 * deviation.square().mean().sqrt().item()))

    def forward(self, text: Tensor) -> Tensor:  # [B, T] -> [B, T]
        return (text - self.mean) / self.scale


class TextToImage(nn.Module):
    """Stage I, and Stage II on top of it where there is one; a pure function of text and noise, always in eval mode.

    All random numbers of a picture come as one vector: z, Stage I's condition noise, then Stage II's.
    """

    def __init__(
        self,
        stage_one: StageOneGenerator,
        stage_two: StageTwoGenerator | None = None,
        standardizer: TextStandardizer | None = None,
    ) -> None:
        super().__init__()
        self.stage_one, self.stage_two = stage_one, stage_two
        self.standardizer = standardizer or TextStandardizer(stage_one.settings["text_dim"])
        self.noise_sizes = [stage_one.noise_dim, stage_one.condition_dim]
        if stage_two is not None:
            self.noise_sizes.append(stage_two.condition_dim)
        self.eval()

    @property
    def noise_size(self) -> int:
        """Length of a picture's noise vector."""
        return sum(self.noise_sizes)

    @property
    def image_size(self) -> int:
        """Side of the pictures in pixels."""
        return (self.stage_one if self.stage_two is None else self.stage_two).image_size

    @torch.inference_mode()
    def forward(self, text: Tensor, noise: Tensor) -> Tensor:
        """text [B, T] from the encoder, noise [B, noise_size] standard normal -> pictures [B, 3, H, H] in [-1, 1], float32."""
        text = self.standardizer(text)
        z, *condition_noise = noise.split(self.noise_sizes, dim=1)
        images = self.stage_one(text, z, condition_noise[0]).images
        if self.stage_two is not None:
            images = self.stage_two(text, images, condition_noise[1]).images
        return images.float()

    def pixels(self, text: Tensor, noise: Tensor) -> Tensor:
        """The same pictures as uint8 [B, 3, H, H], rounded and clamped."""
        return to_pixels(self(text, noise))


def to_pixels(images: Tensor) -> Tensor:
    """[-1, 1] to uint8 0..255, rounded and clamped: a conversion that truncates would darken and wrap."""
    return (images.float() * 127.5 + 127.5).round().clamp(0, 255).to(torch.uint8)


def from_pixels(pixels: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """uint8 0..255 to [-1, 1]; keeps the memory layout."""
    return pixels.to(dtype).div_(127.5).sub_(1)
