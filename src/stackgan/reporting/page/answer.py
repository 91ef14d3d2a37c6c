"""The answer of a study: which setting is best by the objective, whether by more than seeds differ, and what went wrong with the others.

Plain records, made of a group of comparable runs; html and markdown print them.
"""

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from stackgan.evaluation.registry import kind_of, way
from stackgan.reporting.page.collect import RunRecord
from stackgan.reporting.page.compare import Column, Group, objective_of, settings
from stackgan.reporting.page.rows import measured, why_not
from stackgan.reporting.page.seed_interval import welch_interval
from stackgan.reporting.page.trouble import Trouble, healthy, troubles

TO_COME = ("running", "waiting", "interrupted", "preempted")


@dataclass
class Standing:
    """A setting's place in the ranking.

    Attributes:
        values: scores of its runs that are done; empty: it has no place.
        spread: deviation of one run's score.
        score: their mean and deviation, and over how many seeds.
        without: that there is no score, or not yet, and why.
        against: how it compares with the best; "" for the best itself and where there is no score.
        tied: whether its seeds cannot be told apart from those of the best.
        few: whether there are too few seeds to tell.
        health: what it means that nothing went wrong.
        shown: the run whose pictures stand for it: its best seed.
    """

    label: str
    runs: list[RunRecord]
    values: list[float] = field(default_factory=list)
    spread: float | None = None
    score: str = ""
    without: str = ""
    against: str = ""
    tied: bool = False
    few: bool = False
    troubles: list[Trouble] = field(default_factory=list)
    health: str = ""
    shown: RunRecord | None = None

    @property
    def to_come(self) -> bool:
        """Whether one of its runs has yet to end."""
        return any(run.state in TO_COME for run in self.runs)


@dataclass(frozen=True)
class Answer:
    """What a group of runs says.

    Attributes:
        sentence: which setting is best, or why nothing can be said.
        so_far: what is still to come; "" where nothing is.
        real: what real pictures score; "" where that is not one number.
        measure: the score, its protocol and what the intervals are; "" where there is none.
        ranking: settings from the best on, then those without a score.
    """

    sentence: str
    so_far: str
    real: str
    measure: str
    ranking: list[Standing]


def answer(group: Group) -> Answer:
    """The answer that a group's finished runs give so far."""
    column = group.objective
    standings = [_standing(runs, column) for runs in settings(group.runs)]
    scored = [standing for standing in standings if standing.values]
    if column is None or not scored:
        return Answer(_none(group), _so_far(group.runs), "", "", standings)
    sign = way(column.protocol.metric)
    scored.sort(key=lambda standing: -sign * statistics.fmean(standing.values))
    for standing in scored[1:]:
        _compare(scored[0], standing, column, _intervals(scored))
    others = [standing for standing in standings if not standing.values]
    sentence = " ".join([_sentence(scored, others, column), *_reservations(scored[0], others)])
    return Answer(sentence, _so_far(group.runs), _real(column, scored[0]), _measure(column, scored), [*scored, *others])


def _standing(runs: list[RunRecord], column: Column | None) -> Standing:
    scores = column.scores if column else {}
    done = [run for run in runs if run.state == "done" and run.key in scores]
    found = Standing(runs[0].label, runs, [scores[run.key].value for run in done], troubles=troubles(runs))
    found.without = "no score yet" if found.to_come else _without(runs, objective_of(runs))
    if not found.troubles:
        found.health = healthy(runs)
    if column and done:
        found.spread = scores[done[0].key].std
        found.score = _score(found, column)
        better = way(column.protocol.metric)
        found.shown = max(done, key=lambda run: better * scores[run.key].value)
    else:
        found.shown = max((run for run in runs if run.samples), key=lambda run: run.samples[-1].images, default=None)
    return found


def _without(runs: Sequence[RunRecord], objective: str) -> str:
    why = ", ".join(dict.fromkeys(filter(None, (why_not(run, objective) for run in runs))))
    return f"no score: {why}" if why else "no score"


def _score(standing: Standing, column: Column) -> str:
    values = standing.values
    if len(values) > 1:
        mean, std = measured(statistics.fmean(values), statistics.stdev(values))
        return f"{mean} ± {std} over {len(values)} seeds"
    value, std = measured(values[0], standing.spread)
    return f"{value} (one seed{f'; ± {std} over {column.protocol.parts}' if std else ''})"


def _intervals(scored: Sequence[Standing]) -> int:
    """How many of the others can be compared with the best by their seeds."""
    several = [len(standing.values) > 1 for standing in scored]
    return sum(several[1:]) if several[0] else 0


def _compare(best: Standing, other: Standing, column: Column, comparisons: int) -> None:
    """Say how far the other is behind, and whether by more than seeds differ."""
    sign = way(column.protocol.metric)
    first, second = ([-sign * value for value in each.values] for each in (best, other))  # less is better now
    behind = statistics.fmean(second) - statistics.fmean(first)
    interval = welch_interval(first, second, comparisons)
    if interval is None:
        one = "one seed each cannot" if len(first) == len(second) == 1 else "one seed cannot"
        other.few = True
        other.against = (
            f"behind by {measured(behind, abs(behind) / 10)[0]}; {one} tell whether other seeds would say the same"
        )
        return
    digit = (interval[1] - interval[0]) / 20  # one more than the half width has: the sign of an end near zero counts
    middle, low, high = (measured(value, digit)[0] for value in (behind, *interval))
    other.tied = interval[0] <= 0
    words = "less than seeds differ: they cannot be told apart" if other.tied else "more than seeds differ"
    other.against = f"behind by {middle} ({low} to {high}), {words}"


def _sentence(scored: Sequence[Standing], others: Sequence[Standing], column: Column) -> str:
    best, tied, few = scored[0], *([each.label for each in scored if getattr(each, what)] for what in ("tied", "few"))
    score = f"{column.protocol.metric} {best.score}"
    if real := _real(column, best):
        score += f", real pictures {real}"
    if len(scored) == 1:
        alone = (
            "No other setting has come to its end"
            if others
            else "One setting alone: there is nothing to compare it with"
        )
        return f"{alone}. {best.label}: {score}."
    if not tied and not few:
        rest = "the other one" if len(scored) == 2 else "each other one"
        return f"{best.label} is best: {score}; {rest} is behind by more than seeds differ."
    if all(len(standing.values) == 1 for standing in scored):
        kind = kind_of(column.protocol.metric)
        name = kind.name.upper() if kind else column.protocol.metric
        return (
            f"{best.label} scores best: {score}. One seed each cannot tell whether it is: the deviation is over {name}'s "
            f"{column.protocol.parts} alone. Train several, with seed=0,1,2."
        )
    apart = f", but cannot be told apart from {_listed(tied)}" if tied else ""
    alone = f" One seed cannot tell how far {_listed(few)} {'is' if len(few) == 1 else 'are'} behind." if few else ""
    return f"{best.label} has the best mean{apart}: {score}.{alone}"


def _real(column: Column, best: Standing) -> str:
    """The real pictures' score, as far as the best setting's own deviation goes."""
    if column.real is None:
        return ""
    spread = statistics.stdev(best.values) if len(best.values) > 1 else best.spread
    return measured(column.real, spread)[0]


def _listed(names: Sequence[str]) -> str:
    if len(names) > 3:
        names = [*names[:2], f"{len(names) - 2} others"]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _reservations(best: Standing, others: Sequence[Standing]) -> list[str]:
    """What is to be known beside the best score: what went wrong with it, and who has none."""
    found = []
    if best.troubles:
        names = ", ".join(dict.fromkeys(trouble.name for trouble in best.troubles))
        found.append(f"Mind what was seen to go wrong with it, too: {names}.")
    ended = [each.label for each in others if not each.to_come]
    if ended:
        found.append(f"Without a score of a finished run: {_listed(ended)}.")
    return found


def _none(group: Group) -> str:
    """Why there is no answer, in a sentence."""
    objective = objective_of(group.runs)
    states = Counter(run.state for run in group.runs)
    if states["done"]:
        off = all(
            text == "None"
            for run in group.runs
            if run.config
            for text in [str(run.config.get("evaluation.final_samples"))]
        )
        reasons = dict.fromkeys(filter(None, (why_not(run, objective) for run in group.runs)))
        why = " (evaluation=off takes none)" if off else f" ({', '.join(reasons)})" if reasons else ""
        return f"No answer: no finished run has a score {objective} on validation captions{why}, by which settings are compared."
    if any(states[state] for state in TO_COME):
        return "No answer yet: no run has come to its end."
    return "No answer: no run came to its end."


def _so_far(runs: Sequence[RunRecord]) -> str:
    states = Counter(run.state for run in runs if run.state in TO_COME)
    count = states.total()
    if not count:
        return ""
    those = ", ".join(f"{states[state]} {state}" for state in TO_COME if states[state])
    return f"{count} of {len(runs)} runs {'is' if count == 1 else 'are'} still to come ({those}): this is the answer so far."


def _measure(column: Column, scored: Sequence[Standing]) -> str:
    protocol = column.protocol
    kind = kind_of(protocol.metric)
    meaning = f": {kind.meaning}" if kind else ""
    better = "less" if way(protocol.metric) < 0 else "more"
    parts = [f"{protocol.metric} ({protocol.short}){meaning}; {better} is better."]
    if any(len(standing.values) > 1 for standing in scored):
        parts.append("± is the deviation over seeds.")
    if count := _intervals(scored):
        together = f", all {count} together" if count > 1 else ""
        parts.append(f"Intervals are Welch's of the difference of means, at 95 %{together}.")
    budgets = {run.images for standing in scored for run in standing.runs if run.state == "done"}
    if len(budgets) > 1:
        parts.append(f"Mind that the runs saw different numbers of images, {min(budgets):,} to {max(budgets):,}.")
    return " ".join(parts)
