"""Several devices, for two optimizers that take turns.

Lightning's DDP wraps the module and waits for a gradient of every parameter in each backward pass, which a discriminator's
step does not have. Here nothing is wrapped: the gradients of the optimizer's own parameters are averaged just before its
step, as StyleGAN3 does.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.distributed as dist
from pytorch_lightning.strategies import DDPStrategy
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer


class AlternatingDDP(DDPStrategy):
    """Equal weights on every rank at the start, one all-reduce of the flat gradient per optimizer step."""

    def configure_ddp(self) -> None:
        assert self.model is not None
        for tensor in (*self.model.parameters(), *self.model.buffers()):
            dist.broadcast(tensor.data, 0)

    def optimizer_step(
        self, optimizer: Optimizer, closure: Callable[[], Any], model: nn.Module | None = None, **kwargs: Any
    ) -> Any:
        average_over_ranks([p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None])
        return super().optimizer_step(optimizer, closure, model, **kwargs)  # type: ignore[arg-type]


def average_over_ranks(tensors: list[torch.Tensor]) -> None:
    """Replace each tensor by its mean over the ranks, in one all-reduce."""
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for tensor, mean in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
        tensor.copy_(mean.view_as(tensor))


def share_statistics(networks: Iterable[nn.Module]) -> None:
    """Replace batch norm's running statistics by their mean over the ranks.

    Without synchronised batch norm each rank's come from its own pictures; ranks would then draw samples and scores with generators of
    their own, and a checkpoint, which holds one, would not bring the others back.
    """
    norms = [m for network in networks for m in network.modules() if isinstance(m, _BatchNorm)]
    statistics = [s for norm in norms for s in (norm.running_mean, norm.running_var) if s is not None]
    if statistics:
        average_over_ranks(statistics)
