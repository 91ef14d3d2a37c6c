"""Activation checkpointing (Chen et al. 2016, arXiv 1604.06174): a block forgets what it computed and does it again on the way back."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


class Recomputable(nn.Module):
    """A block whose subclass says in `compute` what it does.

    Attributes:
        recompute: whether only the input is kept for the way back. Values, gradients and running statistics stay the same; dropout
            draws the same channels. Not for layers that change with each pass (spectral norm).
    """

    recompute = False

    def compute(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """The block itself."""
        raise NotImplementedError

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        if not (self.recompute and torch.is_grad_enabled()):
            return self.compute(x, condition)
        result: Tensor = checkpoint(self.compute, x, condition, use_reentrant=False, context_fn=self._contexts)
        return result

    def _contexts(self) -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
        return nullcontext(), StatisticsKept(self)


def recompute_activations(network: nn.Module) -> None:
    """Switch it on for the outermost blocks of a network."""
    for child in network.children():
        if isinstance(child, Recomputable):
            child.recompute = True
        else:
            recompute_activations(child)


class StatisticsKept:
    """The second pass normalises by the batch like the first, and leaves the running statistics alone, which the first has moved.

    Entered once for each way back: twice where a penalty differentiates twice.
    """

    def __init__(self, block: nn.Module) -> None:
        self.norms = [module for module in block.modules() if isinstance(module, _BatchNorm)]

    def __enter__(self) -> None:
        self.before = [(norm.momentum, norm.num_batches_tracked) for norm in self.norms]
        for norm in self.norms:
            norm.momentum, norm.num_batches_tracked = 0.0, None

    def __exit__(self, *_: object) -> None:
        for norm, (momentum, tracked) in zip(self.norms, self.before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, tracked
