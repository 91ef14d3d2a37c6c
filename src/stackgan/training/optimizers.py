"""The optimizers by name, with fused kernels where torch has them. All skip a step where their `found_inf` says so."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


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
    """adam | adamw | rmsprop | sgd. Each parameter group remembers its `initial_lr` for the schedule.

    Where the attribute `found_inf`, float32 [] on the parameters' device, is 1, a step changes nothing.
    """
    s = settings
    groups = [{"params": list(parameters), "initial_lr": s.lr}]
    match s.name:
        case "adam":
            return torch.optim.Adam(groups, s.lr, (s.beta1, s.beta2), s.eps, s.weight_decay, fused=True)
        case "adamw":
            return torch.optim.AdamW(groups, s.lr, (s.beta1, s.beta2), s.eps, s.weight_decay, fused=True)
        case "rmsprop":
            optimizer: torch.optim.Optimizer = RMSprop(
                groups, s.lr, s.alpha, s.eps, s.weight_decay, s.momentum, foreach=True
            )
            moments = ("square_avg", "momentum_buffer") if s.momentum else ("square_avg",)
            return from_zero(optimizer, *moments, counted=True)
        case "sgd":
            optimizer = torch.optim.SGD(groups, s.lr, s.momentum, weight_decay=s.weight_decay, fused=True)
            return from_zero(optimizer, "momentum_buffer") if s.momentum else optimizer
    raise ValueError(f"no optimizer is called {s.name!r}")


class RMSprop(torch.optim.RMSprop):
    """torch's, which has no fused kernel to obey `found_inf`: here what a skipped step moved is set back."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        found_inf: Tensor | None = getattr(self, "found_inf", None)
        if found_inf is None:
            super().step()
            return loss
        parameters = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        for p in parameters:
            p.grad.masked_fill_(found_inf.bool(), 0)  # so that all that the step moves stays finite
        # the step count too where it is beside them; on a GPU torch counts on the host, for nobody to read
        state = [value for p in parameters for value in self.state[p].values() if value.device == p.device]
        moved = [*parameters, *state]
        before = torch._foreach_mul(moved, found_inf)
        super().step()
        torch._foreach_mul_(moved, 1 - found_inf)
        torch._foreach_add_(moved, before)
        return loss


def from_zero(optimizer: torch.optim.Optimizer, *moments: str, counted: bool = False) -> torch.optim.Optimizer:
    """Let the state begin now, as the first step would make it; torch begins it within that step, which may be skipped."""
    for group in optimizer.param_groups:
        for p in group["params"]:
            optimizer.state[p] |= {name: torch.zeros_like(p) for name in moments}
            if counted:
                optimizer.state[p]["step"] = torch.zeros(())
    return optimizer
