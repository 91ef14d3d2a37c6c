"""Running means of a step's numbers, kept on the device: reading one would make the host wait for the step."""

from typing import Any

import torch
from torch import Tensor


class Averages:
    """Sums each named scalar until `take` returns the means of the finite ones and starts anew."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, Tensor] = {}

    def add(self, name: str, value: Tensor) -> None:
        """Add a 0-dim tensor."""
        value = value.detach().float()
        finite = value.isfinite()
        value, count = torch.where(finite, value, 0), finite.float()
        self._sums[name] = self._sums[name] + value if name in self._sums else value
        self._counts[name] = self._counts[name] + count if name in self._counts else count

    def take(self) -> dict[str, float]:
        """Mean of each name since the last call, NaN where none was finite; waits for the device once."""
        if not self._sums:
            return {}
        means = torch.stack(list(self._sums.values())) / torch.stack(list(self._counts.values()))
        named = dict(zip(self._sums, means.tolist(), strict=True))
        self._sums, self._counts = {}, {}
        return named

    def state(self) -> dict[str, Any]:
        """What was added since the last `take`, for a checkpoint."""
        return {"sums": _moved(self._sums, "cpu"), "counts": _moved(self._counts, "cpu")}

    def restore(self, state: dict[str, Any], device: torch.device) -> None:
        """Go on from what `state` gave."""
        self._sums, self._counts = _moved(state["sums"], device), _moved(state["counts"], device)


def _moved(values: dict[str, Tensor], device: torch.device | str) -> dict[str, Tensor]:
    return {name: value.to(device) for name, value in values.items()}
