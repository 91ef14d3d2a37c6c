"""Which verdicts are given: thresholds, a warm-up, and patience with a single bad measurement. No torch here."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from stackgan.health.verdicts import RULES, Verdict


class Ledger:
    """Takes measurements and keeps the verdicts.

    Args:
        thresholds: of each verdict; None: it is never given.
        warm_up: images before which no measurement counts.
        patience: bad measurements in a row until the verdict is given.
        words: what the remedies fill in (`remedy_words`).

    Attributes:
        verdicts: those given, by name; one that no longer holds stays, with `until`.
    """

    def __init__(
        self, thresholds: Mapping[str, float | None], warm_up: int, patience: int, words: Mapping[str, str]
    ) -> None:
        self.thresholds, self.warm_up, self.patience = dict(thresholds), warm_up, patience
        self.words = words
        self.verdicts: dict[str, Verdict] = {}
        self._streaks: dict[str, int] = {}
        self._good: dict[str, int] = {}

    def measure(self, name: str, value: float, images: int, detail: str = "") -> Verdict | None:
        """Take one measurement. Returns the verdict where it was not known before; a value that is NaN says nothing."""
        rule, threshold = RULES[name], self.thresholds.get(name)
        if threshold is None or math.isnan(value) or (rule.patient and images < self.warm_up):
            return None
        if not rule.is_bad(value, threshold):
            self._streaks[name], self._good[name] = 0, images
            if name in self.verdicts and self.verdicts[name].until is None:
                self.verdicts[name] = replace(self.verdicts[name], until=images)
            return None
        self._streaks[name] = self._streaks.get(name, 0) + 1
        if self._streaks[name] < (self.patience if rule.patient else 1):
            return None
        if name in self.verdicts:
            self.verdicts[name] = replace(self.verdicts[name], until=None)
            return None
        self.verdicts[name] = Verdict(
            name, images, value, threshold, rule.sentence(value, threshold, detail, self.words)
        )
        return self.verdicts[name]

    def holding(self, names: Iterable[str]) -> list[Verdict]:
        """Those of `names` that hold now."""
        return [self.verdicts[name] for name in names if name in self.verdicts and self.verdicts[name].until is None]

    def clean(self, names: Iterable[str]) -> bool:
        """Whether the last measurement of each of `names` was good, as far as there was one."""
        return not any(self._streaks.get(name) for name in names)

    def good_until(self, names: Iterable[str]) -> int:
        """Images up to which the last good measurements of all `names` reach; a warm-up counts as good."""
        return min(self._good.get(name, max(0, self.warm_up - 1) if RULES[name].patient else 0) for name in names)

    def records(self) -> list[dict[str, Any]]:
        """The verdicts as plain values, in the order they were given."""
        return [verdict.record() for verdict in self.verdicts.values()]

    def state(self) -> dict[str, Any]:
        """What a checkpoint must hold beside the verdicts."""
        return {"streaks": dict(self._streaks), "good": dict(self._good)}

    def restore(self, records: Iterable[Mapping[str, Any]], state: Mapping[str, Any]) -> None:
        """Go on from what `records` and `state` gave."""
        self.verdicts = {record["name"]: Verdict(**record) for record in records}
        self._streaks, self._good = dict(state.get("streaks", {})), dict(state.get("good", {}))
