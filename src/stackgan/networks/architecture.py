"""What the networks look like: the two published implementations, our default, and the names of the choices.

`tf` is hanzhanggit/StackGAN (stageI/model.py, stageII/model.py) and `pytorch` is hanzhanggit/StackGAN-Pytorch
(code/model.py), layer by layer. `stackgan` is our default: the PyTorch trunk, a linear Conditioning Augmentation with
a clamped variance, and a discriminator that projects the text by itself. This file imports no torch, so that a
configuration can be checked without it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from stackgan.errors import UserError

Stage = Literal["one", "two"]
Init = Literal["reference", "scaled"]
GeneratorNorm = Literal["none", "batch", "conditional_batch", "instance", "group", "layer", "spectral"]
DiscriminatorNorm = Literal["none", "batch", "instance", "group", "layer", "spectral"]

STAGES: tuple[str, ...] = get_args(Stage)
INITS: tuple[str, ...] = get_args(Init)
GENERATOR_NORMS: tuple[str, ...] = get_args(GeneratorNorm)
DISCRIMINATOR_NORMS: tuple[str, ...] = get_args(DiscriminatorNorm)
STAGE_ONE_SIZES = (16, 32, 64, 128)
STAGE_TWO_FACTORS = (2, 4)


@dataclass(frozen=True)
class Architecture:
    """The choices in which the published implementations differ; the values below are our default."""

    name: str = "stackgan"

    # Conditioning Augmentation. ReLU (pytorch) forces mean >= 0 and sigma >= 1.
    condition_activation: Literal["linear", "leaky_relu", "relu"] = "linear"
    condition_scale: Literal["log_variance", "log_sigma"] = "log_variance"  # what the second half of the layer means
    log_variance_range: tuple[float, float] | None = (-8.0, 4.0)  # clamp; None: unbounded, as both references

    # Stage I generator.
    condition_first: bool = False  # the first layer sees [c, z] (tf) or [z, c]
    stem_bias: bool = False  # bias of the fully connected layer before its norm
    generator_bottlenecks: bool = False  # tf: residual bottlenecks at 4x4 and 8x8
    full_resolution_layer: bool = True  # a layer at the output size before RGB; False (tf): upsample straight to RGB
    # Every resolution adds its own colours to the picture (the skip generator of StyleGAN2, Karras et al. 2020, arXiv 1912.04958,
    # section 4.1), which no reference has: coarse layers learn where a colour goes without waiting for the fine ones.
    picture_skips: bool = False

    # Discriminators.
    # The layer from text to condition; `generator_mean`: none, the generator's own Conditioning Augmentation serves.
    text_projection: Literal["linear", "leaky_relu", "generator_mean"] = "linear"
    joint_kernel: Literal[1, 3] = 3  # convolution over features and text
    # The conditional score is also a product of picture and text (Miyato and Koyama 2018, arXiv 1802.05637), which no reference has:
    # the joint layer adds the two, and must make "says red" times "is red" of sums and rectifiers.
    projection: bool = False
    narrowing_kernel: Literal[1, 3] = 3  # convolutions that narrow wide features (images above 64) to 8 base_channels
    discriminator_bottleneck: bool = False  # tf: residual bottleneck on the 4x4 features
    skipped_activation: bool = False  # tf Stage I: none between the last two stride-2 convolutions
    head_bias: bool = True
    unconditional_head: Literal["none", "stage_two", "both"] = "none"

    # Stage II generator: True: draws the difference to the enlarged Stage I picture, so that it starts as good as Stage I is.
    # No reference has it: there Stage II draws the whole picture anew, which takes long to learn.
    residual_picture: bool = False

    truncated_noise: bool = False  # tf: the condition's noise too
    truncated_init: bool = False  # convolutions from a normal cut at two standard deviations (tf)

    def settings(self) -> dict[str, Any]:
        """All fields as JSON values; `resolve_architecture` makes the same architecture of them."""
        limits = self.log_variance_range
        return {**dataclasses.asdict(self), "log_variance_range": None if limits is None else list(limits)}

    def has_unconditional_head(self, stage: str) -> bool:
        return self.unconditional_head == "both" or (self.unconditional_head == "stage_two" and stage == "two")


ARCHITECTURES: Mapping[str, Architecture] = {
    "stackgan": Architecture(),
    "tf": Architecture(
        name="tf",
        condition_activation="leaky_relu",
        condition_scale="log_sigma",
        log_variance_range=None,
        condition_first=True,
        stem_bias=True,
        generator_bottlenecks=True,
        full_resolution_layer=False,
        text_projection="leaky_relu",
        joint_kernel=1,
        narrowing_kernel=1,
        discriminator_bottleneck=True,
        skipped_activation=True,
        head_bias=False,
        truncated_noise=True,
        truncated_init=True,
    ),
    "pytorch": Architecture(
        name="pytorch",
        condition_activation="relu",
        log_variance_range=None,
        text_projection="generator_mean",
        unconditional_head="stage_two",
    ),
}

_CHOICES: Mapping[str, tuple[Any, ...]] = {
    "condition_activation": ("linear", "leaky_relu", "relu"),
    "condition_scale": ("log_variance", "log_sigma"),
    "text_projection": ("linear", "leaky_relu", "generator_mean"),
    "joint_kernel": (1, 3),
    "narrowing_kernel": (1, 3),
    "unconditional_head": ("none", "stage_two", "both"),
}


def resolve_architecture(arch: str | Mapping[str, Any] | Architecture) -> Architecture:
    """A preset's name, or a mapping with its `name` and the fields that differ from it, to an `Architecture`.

    `Architecture.settings()` is such a mapping, so a saved network does not depend on what a preset becomes later.

    Raises:
        UserError: an unknown preset, field or value.
    """
    if isinstance(arch, Architecture):
        return arch
    fields: dict[str, Any] = {"name": arch} if isinstance(arch, str) else dict(arch)
    name = fields.pop("name", "stackgan")
    check_choice("arch", name, tuple(ARCHITECTURES))
    for field, value in fields.items():
        check_choice("arch", field, tuple(f.name for f in dataclasses.fields(Architecture)))
        if field != "log_variance_range":
            check_choice(f"arch.{field}", value, _CHOICES.get(field, (False, True)))
    limits: Any = fields.get("log_variance_range")
    if limits is not None:
        if len(limits) != 2 or limits[0] >= limits[1]:
            raise UserError(f"arch.log_variance_range: {limits} must be a lower and an upper bound, or null.")
        fields["log_variance_range"] = (float(limits[0]), float(limits[1]))
    return dataclasses.replace(ARCHITECTURES[name], **fields)


def check_choice(key: str, value: object, choices: tuple[Any, ...]) -> None:
    """Raise a `UserError` that names `key` unless `value` is one of `choices`."""
    if value not in choices:
        raise UserError(f"{key}: {value!r} is not known; choose one of {', '.join(map(str, choices))}.")


def check_width(key: str, base_channels: int) -> None:
    """The narrowest layers have a quarter of the base width."""
    if base_channels < 4 or base_channels % 4:
        raise UserError(f"{key}: base_channels={base_channels} must be a positive multiple of 4.")


def check_stage_one_size(image_size: int) -> None:
    check_choice("image_size of Stage I", image_size, STAGE_ONE_SIZES)


def check_stage_two_size(image_size: int, stage_one_size: int) -> None:
    check_stage_one_size(stage_one_size)
    sizes = tuple(factor * stage_one_size for factor in STAGE_TWO_FACTORS)
    check_choice(f"image_size of Stage II (2 or 4 times Stage I's {stage_one_size})", image_size, sizes)
