"""What went wrong with a setting over its seeds: verdicts and ends before the budget, each with its meaning and when."""

from collections.abc import Sequence
from dataclasses import dataclass

from stackgan.reporting.page.collect import RunRecord
from stackgan.reporting.page.rows import brief_reason, ended_by, without_verdict
from stackgan.reporting.page.words import BROKEN, STATE_MEANINGS, VERDICT_MEANINGS


@dataclass(frozen=True)
class Trouble:
    """One thing that went wrong.

    Attributes:
        name: the verdict, or the state.
        meaning: a sentence.
        when: `from 1,200 images on in 2 of 3 seeds`; "" where there is nothing to add.
    """

    name: str
    meaning: str
    when: str

    @property
    def sentence(self) -> str:
        """Without the name."""
        return f"{self.when}: {self.meaning}" if self.when else self.meaning


def troubles(runs: Sequence[RunRecord]) -> list[Trouble]:
    """Of the runs of one setting: how they ended, then verdicts in the order they were seen."""
    return [*_ends(runs), *_verdicts(runs)]


def _ends(runs: Sequence[RunRecord]) -> list[Trouble]:
    found = []
    for state in (*BROKEN, "skipped", "unknown"):
        those = [run for run in runs if run.state == state]
        if those:
            when = "" if state in ("skipped", "unknown") else f"at {_range([run.images for run in those])} images"
            found.append(Trouble(state, _why(state, those), _joined(when, _seeds(len(those), runs))))
    return found


def _why(state: str, runs: Sequence[RunRecord]) -> str:
    """The reasons of a state, or its meaning where there are none."""
    reasons = [f"ended by {name}" if (name := ended_by(run)) else brief_reason(run) for run in runs]
    said = dict.fromkeys(reason for reason in reasons if reason)
    meaning = STATE_MEANINGS[state]
    return f"{'; '.join(said)}." if said else f"{meaning[:1].lower()}{meaning[1:]}"


def _verdicts(runs: Sequence[RunRecord]) -> list[Trouble]:
    seen: dict[str, list[tuple[int | None, int | None]]] = {}
    for run in runs:
        for verdict in run.verdicts:
            seen.setdefault(verdict.name, []).append((verdict.images, verdict.until))
    found = []
    for name, times in sorted(seen.items(), key=lambda item: min(start or 0 for start, _ in item[1])):
        starts = [start for start, _ in times if start is not None]
        ends = [end for _, end in times if end is not None]
        until = f"until {_range(ends)}" if len(ends) == len(times) else "on"
        when = f"from {_range(starts)} images {until}" if starts else ""
        meaning = VERDICT_MEANINGS.get(name, "")
        found.append(Trouble(name, f"{meaning}." if meaning else "", _joined(when, _seeds(len(times), runs))))
    return found


def healthy(runs: Sequence[RunRecord]) -> str:
    """What it means that finished runs have no verdict; "" where none is finished."""
    return "; ".join(dict.fromkeys(without_verdict(run) for run in runs if run.state == "done"))


def _seeds(count: int, runs: Sequence[RunRecord]) -> str:
    if len(runs) == 1:
        return ""
    return f"in all {count} seeds" if count == len(runs) else f"in {count} of {len(runs)} seeds"


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _range(images: Sequence[int]) -> str:
    low, high = min(images), max(images)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
