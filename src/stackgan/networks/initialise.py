"""Initial weights, and spectral normalisation of the initialised network."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from stackgan.networks.conditioning import ConditioningAugmentation
from stackgan.networks.layers import ConditionalBatchNorm2d, UpsampleConv

STD = 0.02  # both references, for convolutions, fully connected layers and the spread of the norms' gains


def initialise(network: nn.Module, init: str, leak: float, truncated: bool, outputs: Iterable[nn.Module]) -> None:
    """Draw all weights anew; biases and shifts become 0, gains N(1, 0.02).

    Args:
        init: `reference`: N(0, 0.02) everywhere. It suits networks with norm layers only: without them signals shrink
            from layer to layer, which is part of what the study's no-norm variants show. `scaled`: He et al. 2015 by
            fan-in, which keeps the activations' size through any depth.
        leak: the network's negative slope, 0 for ReLU; used by `scaled`.
        truncated: `reference` convolutions from a normal cut at two standard deviations (TF).
        outputs: layers with no rectifier behind them; `scaled` gives them gain 1.
    """
    linear = set(outputs) | {m.fc for m in network.modules() if isinstance(m, ConditioningAugmentation)}
    modulations = {m.modulation for m in network.modules() if isinstance(m, ConditionalBatchNorm2d)}
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.InstanceNorm2d | nn.GroupNorm):
            if module.affine:
                nn.init.normal_(module.weight, 1.0, STD)
        elif isinstance(module, nn.Conv2d | UpsampleConv | nn.Linear):
            if init == "scaled" and module not in modulations:
                nn.init.kaiming_normal_(
                    module.weight, leak, nonlinearity="linear" if module in linear else "leaky_relu"
                )
            elif truncated and not isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, 0.0, STD, -2 * STD, 2 * STD)
            else:
                nn.init.normal_(module.weight, 0.0, STD)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def add_spectral_norm(network: nn.Module) -> None:
    """Divide the weight of each convolution and fully connected layer by its largest singular value (Miyato et al.
    2018).

    A 3x3 kernel counts as the matrix [out, in * 9], as customary. Conditioning Augmentation is left out: its Gaussian
    must be free in scale. Call it once the weights have their initial values: the estimate of the singular value
    starts from them.
    """
    free = {m.fc for m in network.modules() if isinstance(m, ConditioningAugmentation)}
    for module in list(network.modules()):
        if isinstance(module, nn.Conv2d | UpsampleConv | nn.Linear) and module not in free:
            spectral_norm(module)
