"""Keeps values that are not finite out of the weights, without the host ever waiting for the device within a step."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

NETWORKS = ("discriminator", "generator")


class Skipped(NamedTuple):
    """What the gate held back since it was last asked."""

    share: float  # of the steps, 0..1
    images: int = 0  # seen when the first of them began
    step: int = 0  # its number, from 0
    network: str = ""  # whose loss or gradient was not finite in it: discriminator | generator; "": none was held back


class FiniteGate(nn.Module):
    """Lets a step through, or leaves everything as it was before it; decided on the device.

    A step begins with `begin`, asks `admit` before each optimizer's step, and ends with `end`. Once a gradient of the step is not
    finite, no later optimizer of that step moves either. The optimizers skip by themselves: torch's fused ones leave weights,
    moments and step count alone where their attribute `found_inf` is 1, made for gradient scalers (Micikevicius et al. 2018,
    arXiv 1710.03740, section 3.2). The networks' running statistics were moved by the forward passes; they are put back.

    The counters are buffers, so a checkpoint between two rows carries them.

    Attributes:
        open: bool [], whether nothing was held back in this step so far.
    """

    steps: Tensor
    held_back: Tensor
    first: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("steps", torch.tensor(0))
        self.register_buffer("held_back", torch.tensor(0))
        self.register_buffer("first", torch.zeros(3, dtype=torch.int64))  # images seen, step, network
        self._watched: list[list[Tensor]] = []
        self._statistics: list[Statistics] = []
        self.open = torch.tensor(True)

    def watch(self, networks: Sequence[nn.Module]) -> None:
        """Name the networks whose running statistics a step moves, once they are on their device."""
        self._watched = by_dtype(networks)

    def begin(self) -> None:
        """Remember the running statistics."""
        self.open = torch.ones((), dtype=torch.bool, device=self.steps.device)
        self._statistics = [Statistics(buffers) for buffers in self._watched]

    def admit(self, optimizer: torch.optim.Optimizer, norm: Tensor, network: int, images_seen: int, step: int) -> None:
        """Tell the optimizer of `NETWORKS[network]` whether to move.

        `norm` is its gradient's, [] in at least float32, equal on every rank. It is infinite already where the squares of a gradient
        overflow: Adam's second moment would never come back from that.
        """
        finite = norm.isfinite()
        here = torch.stack([torch.full_like(self.steps, value) for value in (images_seen, step, network)])
        self.first.copy_(torch.where(self.open & ~finite & (self.held_back == 0), here, self.first))
        self.open = self.open & finite
        optimizer.found_inf = (~self.open).float()  # type: ignore[attr-defined]

    @torch.no_grad()
    def end(self) -> None:
        """Put the running statistics back where the step was not let through, and count."""
        for statistics in self._statistics:
            statistics.restore_unless(self.open)
        self.steps += 1
        self.held_back += ~self.open

    def take(self) -> Skipped:
        """What was held back since the last call; waits for the device."""
        steps, held_back, images, step, network = torch.cat(
            [self.steps[None], self.held_back[None], self.first]
        ).tolist()
        self.steps.zero_()
        self.held_back.zero_()
        return Skipped(held_back / steps, images, step, NETWORKS[network]) if held_back else Skipped(0.0)


class Statistics:
    """The values of some buffers at one moment, all in one tensor: one copy and one choice, however many layers there are."""

    def __init__(self, buffers: list[Tensor]) -> None:
        self.buffers = buffers
        self.values = self._flat()

    def _flat(self) -> Tensor:
        return torch.cat([buffer.detach().flatten() for buffer in self.buffers])

    def restore_unless(self, keep: Tensor) -> None:
        """Set the buffers back to the remembered values where `keep`, bool [], is false."""
        values = torch.where(keep, self._flat(), self.values)
        parts = values.split([buffer.numel() for buffer in self.buffers])
        torch._foreach_copy_(self.buffers, [part.view_as(b) for part, b in zip(parts, self.buffers, strict=True)])


def by_dtype(networks: Sequence[nn.Module]) -> list[list[Tensor]]:
    """The networks' buffers that belong to their state, those of one dtype together."""
    groups: dict[torch.dtype, list[Tensor]] = {}
    for network in networks:
        saved = network.state_dict(keep_vars=True)
        for name, buffer in network.named_buffers():
            if name in saved:
                groups.setdefault(buffer.dtype, []).append(buffer)
    return list(groups.values())


def passes_on(loss: Tensor) -> Tensor:
    """The loss itself; but where it is not finite its gradients are not either, so the gate sees it on every rank."""
    return loss * torch.where(loss.detach().isfinite(), 1.0, torch.nan).to(loss.dtype)


def all_finite(tensors: Iterable[Tensor]) -> bool:
    """Whether every value is finite; waits for the device."""
    return bool(torch.stack([tensor.detach().isfinite().all() for tensor in tensors]).all())
