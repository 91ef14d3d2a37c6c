"""Upsampling, norms by name, and the few blocks that both stages are made of."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stackgan.networks.recompute import Recomputable

WIDE, SMALL_MAP = 512, 16  # channels, pixels: where products of matrices are faster than a transposed convolution
LEAK = 0.2  # slope of every LeakyReLU in both references


class UpsampleConv(nn.Module):
    """Nearest-neighbour x2 upsampling and a 3x3 convolution with padding 1, as one stride-2 transposed convolution.

    Each output pixel reads only a 2x2 patch of the small input, so the 9 multiplications become 4. The parameter stays
    the 3x3 kernel [out, in, 3, 3]; its 4x4 fold is linear in it, made in at least float32 and cast once to the
    precision of the convolution. Where the kernel is large and the map 4x4, a CPU is faster with matrix products, one for
    each of the four places that an output pixel has in its 2x2 block (bench/NOTES.md).
    """

    fold: Tensor
    taps: Tensor

    def __init__(self, in_channels: int, out_channels: int, bias: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))  # as nn.Conv2d
        # On doubled pixels the taps (a, b, c) become (a, a + b, b + c, c); reversed, as a transposed convolution wants.
        taps = torch.tensor([[0.0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]])  # [4, 3]
        self.register_buffer("fold", torch.kron(taps, taps).T.contiguous(), persistent=False)  # [9, 16]
        # The same by output place p (row 2i + p) and tap: p=0 reads rows i - 1, i; p=1 rows i, i + 1.
        order = torch.tensor([3, 1, 2, 0])
        places = 4 * order.view(2, 1, 2, 1) + order.view(1, 2, 1, 2)  # [p, q, tap, tap]
        self.register_buffer("taps", self.fold[:, places.flatten()].T.contiguous(), persistent=False)  # [16, 9]

    def forward(self, x: Tensor) -> Tensor:  # [B, in, H, W] -> [B, out, 2H, 2W]
        if x.device.type == "cpu" and x.shape[1] >= WIDE and x.shape[2] * x.shape[3] <= SMALL_MAP:
            return self._products(x)
        with torch.autocast(x.device.type, enabled=False):
            kernel = full_precision(self.weight).reshape(-1, 9) @ full_precision(self.fold)  # [out * in, 16]
        kernel = kernel.to(self.weight.dtype).view(*self.weight.shape[:2], 4, 4).transpose(0, 1)  # [in, out, 4, 4]
        return F.conv_transpose2d(x, kernel, self.bias, stride=2, padding=1)

    def _products(self, x: Tensor) -> Tensor:
        """The same function: [B H W, 4 in] times [4 in, out] for each of the four places."""
        out_channels, in_channels = self.weight.shape[:2]
        batch, _, height, width = x.shape
        with torch.autocast(x.device.type, enabled=False):
            weight = full_precision(self.weight).permute(0, 2, 3, 1).reshape(out_channels, 9, in_channels)
            kernels = full_precision(self.taps) @ weight  # [out, 16, in]
        kernels = kernels.to(self.weight.dtype).view(out_channels, 4, 4 * in_channels)
        padded = F.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))  # [B, H + 2, W + 2, in]
        places = []
        for p, q in ((0, 0), (0, 1), (1, 0), (1, 1)):
            corners = [padded[:, p + a : p + a + height, q + b : q + b + width] for a in (0, 1) for b in (0, 1)]
            windows = torch.cat(corners, dim=-1).flatten(0, 2)  # [B H W, 4 in]
            places.append(F.linear(windows, kernels[:, 2 * p + q], self.bias))
        blocks = torch.stack(places).view(2, 2, batch, height, width, out_channels).permute(2, 3, 0, 4, 1, 5)
        return blocks.reshape(batch, 2 * height, 2 * width, out_channels).permute(0, 3, 1, 2)  # channels_last

    def extra_repr(self) -> str:
        out_channels, in_channels = self.weight.shape[:2]
        return f"{in_channels}, {out_channels}, bias={self.bias is not None}"


class ConditionalBatchNorm2d(nn.Module):
    """Batch norm whose gain and shift are linear in the condition; at the start it is nearly plain batch norm."""

    def __init__(self, channels: int, condition_dim: int) -> None:
        super().__init__()
        self.batch_norm = nn.BatchNorm2d(channels, affine=False)
        self.modulation = nn.Linear(condition_dim, 2 * channels)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:  # [B, C, H, W], [B, condition_dim] -> [B, C, H, W]
        gain, shift = self.modulation(condition)[:, :, None, None].to(x.dtype).chunk(2, dim=1)  # [B, C, 1, 1] each
        return self.batch_norm(x) * (1 + gain) + shift


def make_norm(name: str, channels: int, condition_dim: int = 0) -> nn.Module:
    """The activation norm called `name` for [B, channels, H, W].

    `layer` normalises each sample over channels and pixels together; `group` uses 32 groups, or fewer where 32 does
    not divide. `none` has nothing here, nor has `spectral`: it constrains the weights, see `add_spectral_norm`.
    """
    match name:
        case "batch":
            return nn.BatchNorm2d(channels)
        case "conditional_batch":
            return ConditionalBatchNorm2d(channels, condition_dim)
        case "instance":
            return nn.InstanceNorm2d(channels, affine=True)
        case "group":
            return nn.GroupNorm(math.gcd(32, channels), channels)
        case "layer":
            return nn.GroupNorm(1, channels)
        case "none" | "spectral":
            return nn.Identity()
    raise ValueError(f"no norm is called {name!r}")


def needs_bias(norm: str) -> bool:
    """Convolutions have a bias only in networks without learned shifts (the references always have batch norm)."""
    return norm in ("none", "spectral")


class ConvBlock(Recomputable):
    """Convolution, norm, activation. The condition is read by a conditional norm only."""

    def __init__(self, convolution: nn.Module, norm: nn.Module, activation: nn.Module) -> None:
        super().__init__()
        self.convolution = convolution
        self.norm = norm
        self.activation = activation

    def compute(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        h = self.convolution(x)
        h = self.norm(h, condition) if isinstance(self.norm, ConditionalBatchNorm2d) else self.norm(h)
        return self.activation(h)


class ResidualBlock(Recomputable):
    """activation(x + branch(x))."""

    def __init__(self, branch: Iterable[ConvBlock], activation: nn.Module) -> None:
        super().__init__()
        self.branch = nn.ModuleList(branch)
        self.activation = activation

    def compute(self, x: Tensor, condition: Tensor | None = None) -> Tensor:  # [B, C, H, W] -> [B, C, H, W]
        h = x
        for block in self.branch:
            h = block(h, condition)
        return self.activation(x + h)


class Blocks:
    """Makes the blocks of one network: they share the norm, the size of the condition and the activation."""

    def __init__(self, norm: str, leak: float, condition_dim: int = 0) -> None:
        self.norm = norm
        self.leak = leak
        self.condition_dim = condition_dim
        self.bias = needs_bias(norm)

    def activation(self) -> nn.Module:
        return nn.LeakyReLU(self.leak, inplace=True) if self.leak else nn.ReLU(inplace=True)

    def conv2d(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> nn.Conv2d:
        """Keeps the size (kernel 1 or 3, stride 1) or halves it (kernel 4, stride 2)."""
        return nn.Conv2d(in_channels, out_channels, kernel, stride, padding=(kernel - 1) // 2, bias=self.bias)

    def block(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int = 1,
        normed: bool = True,
        active: bool = True,
    ) -> ConvBlock:
        return self._block(self.conv2d(in_channels, out_channels, kernel, stride), out_channels, normed, active)

    def upsample(self, in_channels: int, out_channels: int, active: bool = True) -> ConvBlock:
        return self._block(UpsampleConv(in_channels, out_channels, self.bias), out_channels, True, active)

    def residual(self, channels: int) -> ResidualBlock:
        """Two 3x3 convolutions (Stage II generator, both references)."""
        branch = [self.block(channels, channels, 3), self.block(channels, channels, 3, active=False)]
        return ResidualBlock(branch, self.activation())

    def bottleneck(self, channels: int) -> ResidualBlock:
        """1x1 and 3x3 at a quarter of the width, then 3x3 back (TF reference)."""
        branch = [
            self.block(channels, channels // 4, 1),
            self.block(channels // 4, channels // 4, 3),
            self.block(channels // 4, channels, 3, active=False),
        ]
        return ResidualBlock(branch, self.activation())

    def _block(self, convolution: nn.Module, channels: int, normed: bool, active: bool) -> ConvBlock:
        norm = make_norm(self.norm if normed else "none", channels, self.condition_dim)
        return ConvBlock(convolution, norm, self.activation() if active else nn.Identity())


def full_precision(x: Tensor) -> Tensor:
    """At least float32."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
