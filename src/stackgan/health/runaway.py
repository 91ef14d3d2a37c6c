"""`diverging`: a loss or a gradient norm that leaves the level it had."""

import statistics
from collections.abc import Mapping
from typing import Any

PREFIXES = ("loss/", "grad_norm/")


class Runaway:
    """How many times the lowest running median of its series the latest value is.

    The lowest median so far, not the latest: a loss that grows steadily takes a running median along. Values below `floor` count
    as the floor, because a loss near zero has no scale of its own.

    Args:
        window: rows of a median; a series is judged once it has so many.
        floor: smallest level.
    """

    def __init__(self, window: int = 5, floor: float = 1.0) -> None:
        self.window, self.floor = window, floor
        self._recent: dict[str, list[float]] = {}
        self._lowest: dict[str, float] = {}

    def measure(self, row: Mapping[str, float], without: tuple[str, ...] = ()) -> tuple[float, str]:
        """The largest ratio of this row's losses and gradient norms, and whose it is; (NaN, "") while there is no level yet."""
        ratios = {}
        for name, value in row.items():
            if name.startswith(PREFIXES) and name not in without:
                size = abs(value)
                if name in self._lowest:
                    ratios[name] = size / self._lowest[name]
                self._add(name, size)
        worst = max(ratios, key=ratios.__getitem__, default="")
        return ratios.get(worst, float("nan")), worst

    def _add(self, name: str, size: float) -> None:
        recent = [*self._recent.get(name, []), size][-self.window :]
        self._recent[name] = recent
        if len(recent) == self.window:
            level = max(statistics.median(recent), self.floor)
            self._lowest[name] = min(self._lowest.get(name, level), level)

    def state(self) -> dict[str, Any]:
        """Plain values for a checkpoint."""
        return {"recent": {name: list(values) for name, values in self._recent.items()}, "lowest": dict(self._lowest)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` gave."""
        self._recent = {name: list(values) for name, values in state.get("recent", {}).items()}
        self._lowest = dict(state.get("lowest", {}))
