"""What may stand in one table, and in one column of it.

Runs are compared within a stage and a data set. Scores share a column only if their whole protocol is the same.
"""

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from stackgan.config import Evaluation
from stackgan.evaluation.registry import KINDS, find, kind_of, way
from stackgan.identity import BOOKKEEPING, BOOKKEEPING_KEYS
from stackgan.reporting.page.collect import RunRecord
from stackgan.reporting.page.files import number, text, whole
from stackgan.reporting.page.protocol import Protocol
from stackgan.reporting.page.words import stage_title

# Keys in which the seeds of one setting may differ, and keys in which a difference between settings says nothing about results.
NOT_A_SETTING = {
    *BOOKKEEPING,
    *BOOKKEEPING_KEYS,
    "seed",
    "stage.name",
    "health",
}
NO_DIFFERENCE = {
    "outputs",
    "study",
    "stage_one",
    "variant",
    "logger",
    "jobs",
    "on_failure",
    "dry_run",
    "seed",
    "stage.name",
    "data.cache",
}


@dataclass(frozen=True)
class Score:
    """One value of a column."""

    value: float
    std: float | None  # over splits or subsets
    real: float | None  # the same of real pictures
    images: int


@dataclass
class Column:
    """The scores of one protocol, by the key of the run."""

    protocol: Protocol
    scores: dict[str, Score] = field(default_factory=dict)
    done: frozenset[str] = frozenset()  # runs that came to their end

    @property
    def real(self) -> float | None:
        """What real pictures score, where all runs agree on it."""
        values = {score.real for score in self.scores.values()}
        return values.pop() if len(values) == 1 else None

    @property
    def best(self) -> str | None:
        """The key of the finished run with the best score; None for a lone score, or one of which more is not known to be better."""
        better = way(self.protocol.metric)
        if better == 0 or len(self.scores) < 2:
            return None
        ended = [key for key in self.scores if key in self.done]
        return max(ended, key=lambda key: better * self.scores[key].value, default=None)


@dataclass(frozen=True)
class SeedRow:
    """One setting over its seeds: (mean, standard deviation over seeds or None, number of seeds) for each column, or None."""

    label: str
    states: dict[str, int]
    means: list[tuple[float, float | None, int] | None]


@dataclass
class Group:
    """Runs that may be compared: one stage, one data set."""

    stage: str
    fingerprint: str
    runs: list[RunRecord]
    columns: list[Column]
    alone: bool = True  # no other group has its stage

    @property
    def title(self) -> str:
        """Stage, size and data."""
        config = next((run.config for run in self.runs if run.config), {})
        size = whole(config.get(f"scale.{self.stage}.image_size"))
        data = "" if self.alone else f"data {self.fingerprint[:6] or 'not recorded'}"
        parts = [stage_title(self.stage), f"{size} x {size}" if size else "", text(config.get("data.name")), data]
        return ", ".join(part for part in parts if part)

    @property
    def objective(self) -> Column | None:
        """The scores that runs are compared by: those of one protocol, on validation captions."""
        wanted = objective_of(self.runs)
        return next((column for column in self.columns if _is_objective(column.protocol, wanted)), None)

    @property
    def seeds(self) -> list[SeedRow]:
        """A row for each setting, if any has more than one seed."""
        each = settings(self.runs)
        if all(len(runs) < 2 for runs in each):
            return []
        return [
            SeedRow(
                runs[0].label,
                dict(Counter(run.state for run in runs)),
                [_mean(column, runs) for column in self.columns],
            )
            for runs in each
        ]


def _mean(column: Column, runs: Sequence[RunRecord]) -> tuple[float, float | None, int] | None:
    values = [column.scores[run.key].value for run in runs if run.key in column.scores]
    if not values:
        return None
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None, len(values)


def setting(run: RunRecord) -> frozenset[tuple[str, str]]:
    """Everything about a run that its seeds share."""
    return frozenset((key, text(value)) for key, value in run.config.items() if not _among(key, NOT_A_SETTING))


def settings(runs: Sequence[RunRecord]) -> list[list[RunRecord]]:
    """The runs of each setting, its seeds. One that has not begun goes with those of its label."""
    found: dict[tuple[str, Any], list[RunRecord]] = {}
    for run in (run for run in runs if run.config):
        found.setdefault((run.label, setting(run)), []).append(run)
    first: dict[str, tuple[str, Any]] = {}
    for place in found:
        first.setdefault(place[0], place)
    for run in (run for run in runs if not run.config):
        found.setdefault(first.get(run.label, (run.label, None)), []).append(run)
    order = {id(run): i for i, run in enumerate(runs)}
    each = [sorted(some, key=lambda run: order[id(run)]) for some in found.values()]
    return sorted(each, key=lambda some: order[id(some[0])])


def objective_of(runs: Sequence[RunRecord]) -> str:
    """The score that most of the configurations name as their objective."""
    named = Counter(text(run.config.get("evaluation.objective")) for run in runs)
    del named[""]
    return named.most_common(1)[0][0] if named else Evaluation.objective


def _is_objective(protocol: Protocol, objective: str) -> bool:
    usual = protocol.recorded and protocol.captions == "validation" and protocol.frames != "cropped"
    return usual and find({protocol.metric: 0.0}, objective) is not None


def groups(runs: Sequence[RunRecord]) -> list[Group]:
    """The runs in groups that may be compared, Stage I first. A run that has not begun stands with the others of its stage."""
    usual: dict[str, Counter[str]] = {}
    for run in runs:
        if run.fingerprint:
            usual.setdefault(run.stage, Counter())[run.fingerprint] += 1
    places: dict[tuple[str, str], list[RunRecord]] = {}
    for run in runs:
        most = usual.get(run.stage, Counter({"": 1})).most_common(1)[0][0]
        places.setdefault((run.stage, run.fingerprint or most), []).append(run)
    order = sorted(places, key=lambda place: ("one", "two").index(place[0]) if place[0] in ("one", "two") else 2)
    stages = Counter(stage for stage, _ in places)
    return [Group(*place, places[place], columns(places[place]), stages[place[0]] == 1) for place in order]


def columns(runs: Sequence[RunRecord]) -> list[Column]:
    """One column a protocol: the latest score of each run. The objective first, then test captions, the Inception Score last."""
    found: dict[Protocol, Column] = {}
    done = frozenset(run.key for run in runs if run.state == "done")
    for run in runs:
        for record in run.records:
            protocol = Protocol.of(record)
            scores = found.setdefault(protocol, Column(protocol, done=done)).scores
            if run.key not in scores or scores[run.key].images <= record.images:
                value = float(record.value)
                scores[run.key] = Score(value, number(record.std), number(record.real), whole(record.images))
        measured = {record.metric for record in run.records}
        for metric, value in run.scores.items():
            if metric.partition("/")[0] not in measured:
                protocol = Protocol(metric, recorded=False)
                found.setdefault(protocol, Column(protocol, done=done)).scores[run.key] = Score(
                    value, None, None, run.images
                )
    objective = objective_of(runs)
    return sorted(found.values(), key=lambda column: _rank(column, objective))


def _rank(column: Column, objective: str) -> tuple[Any, ...]:
    """Where a column stands. Of several protocols of the objective the one that most runs were measured by at their end comes first."""
    protocol, kind = column.protocol, kind_of(column.protocol.metric)
    if _is_objective(protocol, objective):
        return 0, -len(column.done & set(column.scores)), -protocol.samples
    validation = protocol.captions == "validation"
    order = KINDS.index(kind) if kind else len(KINDS)
    return 1, kind is not None and kind.name == "is", not protocol.recorded, validation, order


def differences(runs: Sequence[RunRecord]) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """What the configurations do not share: the settings, and for each key its value in each of them."""
    labels = list(dict.fromkeys(run.label for run in runs if run.config))
    values: dict[str, dict[str, dict[str, None]]] = {}
    for run in runs:
        for key, value in run.config.items():
            if not _among(key, NO_DIFFERENCE) and _concerns(key, run.stage):
                shown = "null" if value is None else str(value).lower() if isinstance(value, bool) else text(value)
                values.setdefault(key, {}).setdefault(run.label, {})[shown] = None
    differing = {
        key: by_label for key, by_label in values.items() if len({tuple(shown) for shown in by_label.values()}) > 1
    }
    return labels, [
        (key, [" | ".join(shown.get(label, ["-"])) for label in labels]) for key, shown in differing.items()
    ]


def _among(key: str, keys: set[str]) -> bool:
    return key in keys or key.partition(".")[0] in keys


def _concerns(key: str, stage: str) -> bool:
    """Whether a key of scale.one / scale.two is about this stage."""
    other = {"one": "scale.two.", "two": "scale.one."}.get(stage)
    return other is None or not key.startswith(other)
