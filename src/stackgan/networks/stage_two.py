"""Stage II generator: reads the text again and a Stage I picture, and draws it anew, larger (StackGAN section 3.3)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stackgan.networks.architecture import (
    GENERATOR_NORMS,
    INITS,
    Architecture,
    check_choice,
    check_stage_two_size,
    check_width,
    resolve_architecture,
)
from stackgan.networks.conditioning import ConditioningAugmentation
from stackgan.networks.initialise import add_spectral_norm, initialise
from stackgan.networks.layers import Blocks
from stackgan.networks.stage_one import GeneratorOutput


class StageTwoGenerator(nn.Module):
    """Text and a Stage I image -> an image 2 or 4 times as large. It has its own Conditioning Augmentation, no noise
    vector and no Stage I inside.

    The references differ in Conditioning Augmentation only. With `norm="conditional_batch"` the layers are modulated
    by c.

    Args:
        text_dim: T, size of the text embedding.
        image_size: H: 2 or 4 (the paper's) times `stage_one_size`.
        stage_one_size: h, side of the Stage I images (64 in the paper).
        residual_blocks: between encoder and decoder: 4, or 2 for COCO in PyTorch.
        arch, base_channels, condition_dim, norm, init: as in `StageOneGenerator`.

    Attributes:
        settings: the arguments as JSON values; `build_generator(**settings)` makes the same network.

    Raises:
        UserError: a size, width or name that is not supported.
    """

    def __init__(
        self,
        text_dim: int,
        image_size: int = 256,
        stage_one_size: int = 64,
        arch: str | Mapping[str, Any] | Architecture = "stackgan",
        base_channels: int = 128,
        condition_dim: int = 128,
        residual_blocks: int = 4,
        norm: str = "batch",
        init: str = "reference",
    ) -> None:
        super().__init__()
        architecture = resolve_architecture(arch)
        check_stage_two_size(image_size, stage_one_size)
        check_width("Stage II generator", base_channels)
        check_choice("norm.generator", norm, GENERATOR_NORMS)
        check_choice("init", init, INITS)
        self.settings: dict[str, Any] = {
            "stage": "two",
            "text_dim": text_dim,
            "image_size": image_size,
            "stage_one_size": stage_one_size,
            "arch": architecture.settings(),
            "base_channels": base_channels,
            "condition_dim": condition_dim,
            "residual_blocks": residual_blocks,
            "norm": norm,
            "init": init,
        }
        self.image_size = image_size
        self.condition_dim = condition_dim
        self.stage_one_size = stage_one_size
        self.conditioning = ConditioningAugmentation(
            text_dim,
            condition_dim,
            architecture.condition_activation,
            architecture.condition_scale,
            architecture.log_variance_range,
            architecture.truncated_noise,
        )
        blocks = Blocks(norm, leak=0.0, condition_dim=condition_dim)
        width = 4 * base_channels
        self.encoder = nn.ModuleList(
            [
                blocks.block(3, base_channels, 3, normed=False),  # [B, base, h, h]
                blocks.block(base_channels, 2 * base_channels, 4, stride=2),  # [B, 2 base, h/2, h/2]
                blocks.block(2 * base_channels, width, 4, stride=2),  # [B, 4 base, h/4, h/4]
            ]
        )
        self.joint = blocks.block(width + condition_dim, width, 3)
        self.residuals = nn.ModuleList([blocks.residual(width) for _ in range(residual_blocks)])
        doublings = int(math.log2(image_size // stage_one_size)) + 2  # from h/4: 4 for 64 -> 256
        widths = [width >> i for i in range(doublings + 1)]
        self.decoder = nn.ModuleList([blocks.upsample(widths[i], widths[i + 1]) for i in range(doublings)])
        self.to_rgb = blocks.conv2d(widths[-1], 3, 3)

        self.residual_picture = architecture.residual_picture
        initialise(self, init, 0.0, architecture.truncated_init, outputs=[self.to_rgb])
        if self.residual_picture:
            nn.init.zeros_(self.to_rgb.weight)
        if norm == "spectral":
            add_spectral_norm(self)

    def forward(self, text: Tensor, stage_one_images: Tensor, condition_noise: Tensor | None) -> GeneratorOutput:
        """text [B, T], stage_one_images [B, 3, h, h] in -1..1, condition_noise [B, C] or None for the
        condition's mean.
        """
        condition = self.conditioning(text, condition_noise)
        h = stage_one_images
        for block in self.encoder:
            h = block(h, condition.c)
        c = condition.c.to(h.dtype)[:, :, None, None].expand(-1, -1, *h.shape[2:])  # [B, C, h/4, h/4]
        h = self.joint(torch.cat([h, c], dim=1), condition.c)  # [B, 4 base, h/4, h/4]
        for block in (*self.residuals, *self.decoder):
            h = block(h, condition.c)  # [B, base/4, H, H] at the end of 64 -> 256
        rgb = self.to_rgb(h)  # [B, 3, H, H]
        if self.residual_picture:
            # before the tanh, where there is room on both sides of every value
            start = torch.atanh(0.99 * stage_one_images.float())
            rgb = rgb + F.interpolate(start, size=rgb.shape[-2:], mode="bilinear", align_corners=False).to(rgb.dtype)
        return GeneratorOutput(torch.tanh(rgb), condition)
