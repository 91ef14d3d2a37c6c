"""The whole way from a text embedding to a picture, through one stage or both: what samples, scores and bundles are made with."""

import torch
from torch import Tensor, nn

from stackgan.networks.stage_one import StageOneGenerator
from stackgan.networks.stage_two import StageTwoGenerator


class TextToImage(nn.Module):
    """Stage I, and Stage II on top of it where there is one; a pure function of text and noise, always in eval mode.

    All random numbers of a picture come as one vector: z, Stage I's condition noise, then Stage II's.
    """

    def __init__(self, stage_one: StageOneGenerator, stage_two: StageTwoGenerator | None = None) -> None:
        super().__init__()
        self.stage_one, self.stage_two = stage_one, stage_two
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
        """text [B, T], noise [B, noise_size] standard normal -> pictures [B, 3, H, H] in [-1, 1], float32."""
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
