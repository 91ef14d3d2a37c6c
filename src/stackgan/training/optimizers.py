"""The optimizers by name, with fused kernels where torch has them."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class OptimizerSettings:
    """Hyper-parameters by their usual names; each optimizer reads those it has. Defaults: both references' Adam."""

    name: str = "adam"
    lr: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999
    alpha: float = 0.99
    momentum: float = 0.0
    weight_decay: float = 0.0
    eps: float = 1e-8


def build_optimizer(parameters: Iterable[nn.Parameter], settings: OptimizerSettings) -> torch.optim.Optimizer:
    """adam | adamw | rmsprop | sgd. Each parameter group remembers its `initial_lr` for the schedule."""
    s = settings
    groups = [{"params": list(parameters), "initial_lr": s.lr}]
    match s.name:
        case "adam":
            return torch.optim.Adam(groups, s.lr, (s.beta1, s.beta2), s.eps, s.weight_decay, fused=True)
        case "adamw":
            return torch.optim.AdamW(groups, s.lr, (s.beta1, s.beta2), s.eps, s.weight_decay, fused=True)
        case "rmsprop":
            return torch.optim.RMSprop(groups, s.lr, s.alpha, s.eps, s.weight_decay, s.momentum, foreach=True)
        case "sgd":
            return torch.optim.SGD(groups, s.lr, s.momentum, weight_decay=s.weight_decay, fused=True)
    raise ValueError(f"no optimizer is called {s.name!r}")
