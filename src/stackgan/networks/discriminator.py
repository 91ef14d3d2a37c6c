"""The discriminator of both stages: image features once, then scores of (features, text) pairs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

import torch.nn.functional as F
from torch import Tensor, nn

from stackgan.errors import UserError
from stackgan.networks.architecture import (
    DISCRIMINATOR_NORMS,
    INITS,
    STAGES,
    Architecture,
    check_choice,
    check_width,
    resolve_architecture,
)
from stackgan.networks.conditioning import Condition, activate
from stackgan.networks.initialise import add_spectral_norm, initialise
from stackgan.networks.layers import LEAK, Blocks, full_precision


class Scores(NamedTuple):
    """Logits (never a sigmoid), float32 [B] each: of the pair, and of the image alone where there is such a head."""

    conditional: Tensor
    unconditional: Tensor | None = None


class Discriminator(nn.Module):
    """Halves the image down to 4x4 features, joins them with the text, and scores the pair.

    Widths double from base_channels at each stride-2 convolution; images above 64 are narrowed to 8 base_channels at
    4x4 (Stage II of both references). `features` does not see the text: compute them once for the right and the wrong
    caption of the same image.

    The condition is the text embedding, projected by D's own layer (tf and our default), or the mean that the
    generator's Conditioning Augmentation gives for it, detached (pytorch): `condition_source` says which,
    `select_condition` picks it.

    Args:
        stage: `one` or `two`; decides about the unconditional head and about tf's missing activation in Stage I.
        text_dim: T, size of the text embedding.
        image_size: H, a power of two, at least 16.
        arch: preset name, mapping or `Architecture`.
        base_channels: DF_DIM of the references: 64, or 96 for COCO in PyTorch.
        condition_dim: C, size of the projected text.
        norm: one of `DISCRIMINATOR_NORMS`.
        dropout: rate of the whole channels dropped (Dropout2d) after each activation of the image trunk, the last of
            which feeds both heads. No reference has dropout. Off in eval mode; drawn from torch's global generator.
        init: `reference` or `scaled`, see `initialise`.

    Attributes:
        settings: the arguments as JSON values; `build_discriminator(**settings)` makes the same network.

    Raises:
        UserError: a size, width, rate or name that is not supported.
    """

    def __init__(
        self,
        stage: str,
        text_dim: int,
        image_size: int,
        arch: str | Mapping[str, Any] | Architecture = "stackgan",
        base_channels: int = 64,
        condition_dim: int = 128,
        norm: str = "batch",
        dropout: float = 0.0,
        init: str = "reference",
    ) -> None:
        super().__init__()
        architecture = resolve_architecture(arch)
        check_discriminator(stage, image_size, base_channels, norm, dropout, init)
        self.settings: dict[str, Any] = {
            "stage": stage,
            "text_dim": text_dim,
            "image_size": image_size,
            "arch": architecture.settings(),
            "base_channels": base_channels,
            "condition_dim": condition_dim,
            "norm": norm,
            "dropout": dropout,
            "init": init,
        }
        self.image_size, self.norm = image_size, norm
        self.text_activation = architecture.text_projection
        self.condition_source = "generator_mean" if self.text_activation == "generator_mean" else "text"
        self.project_text = nn.Linear(text_dim, condition_dim) if self.condition_source == "text" else None

        blocks = Blocks(norm, LEAK)
        skipped = architecture.skipped_activation and stage == "one"
        trunk, width = make_trunk(blocks, image_size, base_channels, architecture, skipped, dropout)
        self.trunk = nn.Sequential(*trunk)
        self.joint = blocks.block(width + condition_dim, width, architecture.joint_kernel)
        head_bias = architecture.head_bias
        self.conditional_head = nn.Conv2d(width, 1, 4, bias=head_bias)
        self.project_features = nn.Linear(16 * width, condition_dim, bias=False) if architecture.projection else None
        has_unconditional = architecture.has_unconditional_head(stage)
        self.unconditional_head = nn.Conv2d(width, 1, 4, bias=head_bias) if has_unconditional else None

        outputs = (self.conditional_head, self.unconditional_head, self.project_text, self.project_features)
        initialise(self, init, LEAK, architecture.truncated_init, [m for m in outputs if m is not None])
        if norm == "spectral":
            add_spectral_norm(self)

    def features(self, images: Tensor) -> Tensor:
        """[B, 3, H, H] in -1..1 -> [B, F, 4, 4]."""
        return self.trunk(images)

    def score(self, features: Tensor, condition: Tensor) -> Scores:
        """Features of pictures with one or several texts each -> logits.

        features [B, F, 4, 4]; condition [B, D] or [B K, D], the K of a picture one after the other, D = T or C as
        `condition_source` says. The conditional logits are [B] or [B K], the unconditional ones [B].
        """
        c = condition
        if self.project_text is not None:
            c = activate(self.project_text(c), self.text_activation)  # [B K, C]
        joint = self._join(features, c.to(features.dtype))  # [B K, F, 4, 4]
        conditional = weighted_sum(joint, self.conditional_head)  # [B K]
        if self.project_features is not None:
            conditional = conditional + self._agreement(self.project_features, features, c)
        if self.unconditional_head is None:
            return Scores(conditional)
        return Scores(conditional, weighted_sum(features, self.unconditional_head))

    def _join(self, features: Tensor, c: Tensor) -> Tensor:
        """The joint layer on [features, c]: [B, F, 4, 4], [B K, C] -> [B K, F, 4, 4].

        Its convolution is a sum of one of the features and one of the text: each picture's part is computed once for all
        its texts, and a text, the same at every place, is convolved at one place where the kernel is 1x1.
        """
        convolution = cast(nn.Conv2d, self.joint.convolution)
        weight, bias = convolution.weight, convolution.bias
        width, kernel = features.shape[1], weight.shape[-1]
        side = 1 if kernel == 1 else 4
        text = c[:, :, None, None].expand(-1, -1, side, side)
        of_text = F.conv2d(text, weight[:, width:], bias, padding=kernel // 2)  # [B K, F, side, side]
        of_features = F.conv2d(features, weight[:, :width], padding=kernel // 2)  # [B, F, 4, 4]
        h = of_features.repeat_interleave(len(c) // len(features), dim=0) + of_text
        return self.joint.activation(self.joint.norm(h))

    def _agreement(self, project: nn.Linear, features: Tensor, c: Tensor) -> Tensor:
        """Inner products of each picture with its texts, in at least float32: [B, F, 4, 4], [B K, C] -> [B K]."""
        pictures = full_precision(project(features.permute(0, 2, 3, 1).flatten(1)))  # [B, C]
        texts = full_precision(c).unflatten(0, (len(features), -1))  # [B, K, C]
        return (texts @ pictures[:, :, None]).flatten() / math.sqrt(c.shape[1])

    def forward(self, images: Tensor, condition: Tensor) -> Scores:
        return self.score(self.features(images), condition)

    def select_condition(self, text: Tensor, condition: Condition) -> Tensor:
        """What `score` wants of a caption: its embedding, or the detached mean that the generator makes of it."""
        return text if self.condition_source == "text" else condition.mean.detach()


def make_trunk(
    blocks: Blocks, image_size: int, base_channels: int, architecture: Architecture, skipped: bool, dropout: float
) -> tuple[list[nn.Module], int]:
    """The modules from the image to the 4x4 features, and the features' width F."""
    bottleneck = architecture.discriminator_bottleneck
    halvings = int(math.log2(image_size)) - 2  # 4 for 64x64
    plan = [(4, 2, 3, base_channels)]  # kernel, stride, in, out
    plan += [(4, 2, base_channels << i, base_channels << (i + 1)) for i in range(halvings - 1)]
    while plan[-1][3] > 8 * base_channels:
        width = plan[-1][3]
        plan.append((architecture.narrowing_kernel, 1, width, width // 2))

    trunk: list[nn.Module] = []
    for i, (kernel, stride, in_channels, out_channels) in enumerate(plan):
        last = i == len(plan) - 1
        active = not (skipped and 0 < i == halvings - 2) and not (bottleneck and last)
        trunk.append(blocks.block(in_channels, out_channels, kernel, stride, normed=i > 0, active=active))
        if bottleneck and last:
            trunk.append(blocks.bottleneck(out_channels))
        if dropout and (active or last):
            trunk.append(nn.Dropout2d(dropout))
    return trunk, plan[-1][3]


def check_discriminator(stage: str, image_size: int, base_channels: int, norm: str, dropout: float, init: str) -> None:
    check_choice("stage", stage, STAGES)
    check_width("discriminator", base_channels)
    if image_size < 16 or image_size & (image_size - 1):
        raise UserError(f"image_size of the discriminator: {image_size} must be a power of two, at least 16.")
    if norm == "conditional_batch":
        raise UserError(
            "norm.discriminator: conditional_batch needs the text in every layer, but the discriminator computes "
            f"image features once for several texts; choose one of {', '.join(DISCRIMINATOR_NORMS)}."
        )
    check_choice("norm.discriminator", norm, DISCRIMINATOR_NORMS)
    check_choice("init", init, INITS)
    if not 0 <= dropout < 1:
        raise UserError(f"dropout: the rate {dropout} must be at least 0 and below 1.")


def weighted_sum(features: Tensor, head: nn.Conv2d) -> Tensor:
    """A convolution whose kernel covers the whole map, [B, F, 4, 4] -> [B], in at least float32.

    As one product of a vector with a channels_last matrix it is many times faster than as a convolution, backwards above all.
    """
    weight = head.weight.permute(0, 2, 3, 1).flatten(1)  # [1, 16 F]
    scores = F.linear(features.permute(0, 2, 3, 1).flatten(1), weight, head.bias)  # [B, 1]
    return full_precision(scores).flatten()
