"""Conditioning Augmentation (StackGAN section 3.1): the text embedding becomes a Gaussian, and a draw from it the
condition.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stackgan.networks.layers import LEAK


class Condition(NamedTuple):
    """The draw that the generator sees and the Gaussian N(mean, exp(log_variance)) it came from; each float32
    [B, C].
    """

    c: Tensor
    mean: Tensor
    log_variance: Tensor


class ConditioningAugmentation(nn.Module):
    """One fully connected layer from the text embedding to the Gaussian's mean and scale.

    Runs in float32 also under autocast: it is small, and the exponential and the KL term need the digits.

    Args:
        text_dim: T, size of the text embedding.
        condition_dim: C, size of the condition (128 in the paper).
        activation: after the layer. `relu` (PyTorch reference) forces mean >= 0 and sigma >= 1; `leaky_relu` with
            slope 0.2 is TF's.
        scale: what the layer predicts beside the mean: `log_variance` (PyTorch) or `log_sigma` (TF). The output is
            always log_variance.
        log_variance_range: clamp of the log-variance, or None (both references), where a large one overflows.
        truncated_noise: draw from the normal cut at two standard deviations, as TF does; the given normal noise is mapped to it.
    """

    def __init__(
        self,
        text_dim: int,
        condition_dim: int = 128,
        activation: str = "linear",
        scale: str = "log_variance",
        log_variance_range: tuple[float, float] | None = (-8.0, 4.0),
        truncated_noise: bool = False,
    ) -> None:
        super().__init__()
        self.fc = nn.Linear(text_dim, 2 * condition_dim)
        self.activation = activation
        self.scale = scale
        self.log_variance_range = log_variance_range
        self.truncated_noise = truncated_noise

    def forward(self, text: Tensor, noise: Tensor | None) -> Condition:
        """text [B, T], noise [B, C] standard normal, drawn by the caller; None gives c = mean."""
        with torch.autocast(text.device.type, enabled=False):
            h = activate(self.fc(text.to(self.fc.weight.dtype)), self.activation)  # [B, 2C]
            mean, log_variance = h.chunk(2, dim=1)
            if self.scale == "log_sigma":
                log_variance = 2 * log_variance
            if self.log_variance_range is not None:
                log_variance = log_variance.clamp(*self.log_variance_range)
            if noise is not None and self.truncated_noise:
                noise = truncate(noise)
            c = mean if noise is None else mean + (0.5 * log_variance).exp() * noise
        return Condition(c, mean, log_variance)


def truncate(noise: Tensor, bound: float = 2.0) -> Tensor:
    """Standard normal draws to draws of the normal cut at +-`bound`, by the ratio of the two distributions; any shape."""
    low = torch.special.ndtr(torch.tensor(-bound, dtype=noise.dtype, device=noise.device))
    return torch.special.ndtri(low + (1 - 2 * low) * torch.special.ndtr(noise))


def activate(h: Tensor, name: str) -> Tensor:
    """`linear`, `leaky_relu` (slope 0.2) or `relu`."""
    match name:
        case "linear":
            return h
        case "leaky_relu":
            return F.leaky_relu(h, LEAK)
        case "relu":
            return F.relu(h)
    raise ValueError(f"no activation is called {name!r}")
