"""Several devices, for two optimizers that take turns.

Lightning's DDP wraps the module and waits for a gradient of every parameter in each backward pass, which a discriminator's
step does not have. Here nothing is wrapped: the gradients of the optimizer's own parameters are averaged just before its
step, as StyleGAN3 does.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from pytorch_lightning.strategies import DDPStrategy
from torch import nn
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
        average_gradients([p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None])
        return super().optimizer_step(optimizer, closure, model, **kwargs)  # type: ignore[arg-type]


def average_gradients(gradients: list[torch.Tensor]) -> None:
    """Replace each gradient by its mean over the ranks."""
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))
