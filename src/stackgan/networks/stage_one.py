"""Stage I generator: text and noise to a small picture of shape and colour (StackGAN section 3.2)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stackgan.networks.architecture import (
    GENERATOR_NORMS,
    INITS,
    Architecture,
    check_choice,
    check_stage_one_size,
    check_width,
    resolve_architecture,
)
from stackgan.networks.conditioning import Condition, ConditioningAugmentation
from stackgan.networks.initialise import STD, add_spectral_norm, initialise
from stackgan.networks.layers import Blocks, UpsampleConv, make_norm, needs_bias


class GeneratorOutput(NamedTuple):
    """images [B, 3, H, H] in -1..1, in the precision of the convolutions (bfloat16 under autocast), and the
    condition (float32).
    """

    images: Tensor
    condition: Condition


class Stem(nn.Module):
    """Fully connected layer, norm and activation: the condition and the noise to the first 4x4 map.

    Batch norm has a statistic per channel and position here, as in both references. The layer's outputs are ordered
    [4, 4, C], so that the map is channels_last without a copy.
    """

    def __init__(self, in_features: int, channels: int, norm: str, bias: bool, active: bool) -> None:
        super().__init__()
        self.fc = nn.Linear(in_features, 16 * channels, bias=bias or needs_bias(norm))
        self.batched = norm in (
            "batch",
            "conditional_batch",
        )  # the layer itself sees the condition: a plain norm is enough
        self.norm = nn.BatchNorm1d(16 * channels) if self.batched else make_norm(norm, channels)
        self.activation = nn.ReLU(inplace=True) if active else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:  # [B, in] -> [B, C, 4, 4]
        h = self.fc(x)
        if self.batched:
            h = self.norm(h)
        h = h.unflatten(1, (4, 4, -1)).permute(0, 3, 1, 2)  # [B, C, 4, 4], channels_last
        return self.activation(h if self.batched else self.norm(h))


class StageOneGenerator(nn.Module):
    """Text and noise -> image, doubling from 4x4; a layer at resolution r has 32/r base_channels (8 at 4x4, 1/2 at
    64x64).

    With `norm="conditional_batch"` the layers are modulated by [noise, c]. There is no dropout (no reference has it).

    Args:
        text_dim: T, size of the text embedding.
        image_size: H: 16, 32, 64 (the paper's) or 128.
        arch: preset name, mapping or `Architecture`.
        base_channels: GF_DIM of the references: 128, or 192 for COCO in PyTorch.
        condition_dim: C, size of the condition.
        noise_dim: Z, size of the noise.
        norm: one of `GENERATOR_NORMS`.
        init: `reference` or `scaled`, see `initialise`.

    Attributes:
        settings: the arguments as JSON values; `build_generator(**settings)` makes the same network.

    Raises:
        UserError: a size, width or name that is not supported.
    """

    def __init__(
        self,
        text_dim: int,
        image_size: int = 64,
        arch: str | Mapping[str, Any] | Architecture = "stackgan",
        base_channels: int = 128,
        condition_dim: int = 128,
        noise_dim: int = 100,
        norm: str = "batch",
        init: str = "reference",
    ) -> None:
        super().__init__()
        architecture = resolve_architecture(arch)
        check_stage_one_size(image_size)
        check_width("Stage I generator", base_channels)
        check_choice("norm.generator", norm, GENERATOR_NORMS)
        check_choice("init", init, INITS)
        self.settings: dict[str, Any] = {
            "stage": "one",
            "text_dim": text_dim,
            "image_size": image_size,
            "arch": architecture.settings(),
            "base_channels": base_channels,
            "condition_dim": condition_dim,
            "noise_dim": noise_dim,
            "norm": norm,
            "init": init,
        }
        self.image_size = image_size
        self.noise_dim = noise_dim
        self.condition_dim = condition_dim
        self.condition_first = architecture.condition_first
        self.conditioning = ConditioningAugmentation(
            text_dim,
            condition_dim,
            architecture.condition_activation,
            architecture.condition_scale,
            architecture.log_variance_range,
            architecture.truncated_noise,
        )
        seen = noise_dim + condition_dim
        bottlenecks = architecture.generator_bottlenecks
        self.stem = Stem(seen, 8 * base_channels, norm, architecture.stem_bias, active=not bottlenecks)

        blocks = Blocks(norm, leak=0.0, condition_dim=seen)
        doublings = int(math.log2(image_size)) - 2  # 4 for 64x64
        widths = [8 * base_channels >> i for i in range(doublings + 1)]
        hidden = doublings if architecture.full_resolution_layer else doublings - 1  # tf: the last doubling makes RGB
        trunk: list[nn.Module] = [blocks.bottleneck(widths[0])] if bottlenecks else []
        for i in range(hidden):
            residual = bottlenecks and i == 0
            trunk.append(blocks.upsample(widths[i], widths[i + 1], active=not residual))  # 4x4 -> 8x8, ...
            if residual:
                trunk.append(blocks.bottleneck(widths[1]))  # at 8x8
        self.trunk = nn.ModuleList(trunk)
        if architecture.full_resolution_layer:
            self.to_rgb: nn.Module = blocks.conv2d(widths[hidden], 3, 3)
        else:
            self.to_rgb = UpsampleConv(widths[hidden], 3, blocks.bias)
        coarse = range(1, doublings if architecture.picture_skips else 1)
        self.skips = nn.ModuleDict({str(4 << i): blocks.conv2d(widths[i], 3, 1) for i in coarse})  # by side: 8, 16, ...

        initialise(self, init, 0.0, architecture.truncated_init, outputs=[self.to_rgb])
        for skip in self.skips.values():  # little at the start: the picture is then the last layer's, as without skips
            nn.init.normal_(cast(nn.Conv2d, skip).weight, 0.0, STD)
        if norm == "spectral":
            add_spectral_norm(self)

    def forward(self, text: Tensor, noise: Tensor, condition_noise: Tensor | None) -> GeneratorOutput:
        """text [B, T], noise [B, Z], condition_noise [B, C] or None for the condition's mean; all float32,
        normal draws.
        """
        condition = self.conditioning(text, condition_noise)
        pair = (condition.c, noise) if self.condition_first else (noise, condition.c)
        seen = torch.cat(pair, dim=1)  # [B, Z + C]
        h = self.stem(seen)  # [B, 8 base, 4, 4]
        maps: dict[str, Tensor] = {}  # by side: those whose colours are added, the others are not kept
        for block in self.trunk:
            h = block(h, seen)  # [B, base/2, H, H] at the end (tf: [B, base, H/2, H/2])
            if (side := str(h.shape[-1])) in self.skips:
                maps[side] = h
        picture = self.to_rgb(h)  # [B, 3, H, H]
        if self.skips:
            picture = picture + self._coarse_picture(maps)
        return GeneratorOutput(torch.tanh(picture), condition)

    def _coarse_picture(self, maps: Mapping[str, Tensor]) -> Tensor:
        """The colours of all resolutions below H, each enlarged and added to the next: [B, 3, H, H]."""
        picture: Tensor | None = None
        for side, skip in self.skips.items():
            colours = skip(maps[side])  # [B, 3, side, side]
            colours = colours if picture is None else colours + picture
            picture = F.interpolate(colours, scale_factor=2.0, mode="bilinear", align_corners=False)
        assert picture is not None
        return picture
