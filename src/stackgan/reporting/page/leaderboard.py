"""The leaderboard: one head and one row a run, for the page, report.md and table.md alike."""

from collections.abc import Sequence
from dataclasses import dataclass

from stackgan.evaluation.registry import way
from stackgan.reporting.page.collect import RunRecord
from stackgan.reporting.page.compare import Column, Group
from stackgan.reporting.page.rows import broke, choices, duration, epochs, measured, short, why_not

ARROWS = {1: "↑", -1: "↓", 0: ""}


@dataclass(frozen=True)
class Heading:
    """A column's name and what stands below it.

    Attributes:
        number: whether its cells are numbers.
        protocol: place of its protocol in the group's list, from 1; None for what is no score.
    """

    name: str
    notes: tuple[str, ...] = ()
    number: bool = False
    protocol: int | None = None


@dataclass(frozen=True)
class Cell:
    """What a column says of a run.

    Attributes:
        std: deviation, as far as there is one.
        value: what the column is sorted by; None where there is nothing.
        best: whether it is the best of its column.
    """

    text: str
    std: str = ""
    value: float | None = None
    best: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Leaderboard:
    """A group's runs with everything that is compared."""

    head: list[Heading]
    rows: list[tuple[RunRecord, list[Cell]]]


def leaderboard(group: Group) -> Leaderboard:
    """The setting, what it is judged by, what was chosen; then what went wrong, the other scores, and how far each run came."""
    scores = list(enumerate(group.columns, 1))
    first = [pair for pair in scores if pair[1] is group.objective]
    others = [pair for pair in scores if pair[1] is not group.objective]
    head = [
        Heading("setting"), Heading("seed"), Heading("state"), *(_score_heading(*pair) for pair in first),
        Heading("norm", ("G / D",)), Heading("optim"), Heading("loss"), Heading("dropout"), Heading("lr", ("G / D",)), Heading("verdict"),
        *(_score_heading(*pair) for pair in others),
        *(Heading(name, number=True) for name in ("images", "epochs", "h:min", "images/s")), Heading("broke at", ("images",), True),
    ]  # fmt: skip
    return Leaderboard(head, [(run, _row(run, [c for _, c in first], [c for _, c in others])) for run in group.runs])


def _score_heading(place: int, column: Column) -> Heading:
    name = f"{column.protocol.metric} {ARROWS[way(column.protocol.metric)]}".strip()
    real = (f"real {short(column.real)}",) if column.real is not None else ()
    return Heading(name, (column.protocol.short, *real), True, place)


def _row(run: RunRecord, first: Sequence[Column], others: Sequence[Column]) -> list[Cell]:
    chosen = choices(run)
    return [
        *map(Cell, (run.label, run.seed, run.state)),
        *(_score(column, run) for column in first),
        *map(Cell, (chosen.norm, chosen.optim, chosen.loss, chosen.dropout, chosen.lr)),
        Cell(", ".join(verdict.name for verdict in run.verdicts)),
        *(_score(column, run) for column in others),
        *_progress(run),
    ]


def _progress(run: RunRecord) -> list[Cell]:
    passes, images = epochs(run), broke(run)
    return [
        Cell(f"{run.images:,}", value=run.images, notes=(f"of {run.budget:,}",) if run.budget > run.images else ()),
        Cell(short(passes), value=passes),
        Cell(duration(run.seconds), value=run.seconds or None),
        Cell(short(run.images_per_second or None), value=run.images_per_second or None),
        Cell("" if images is None else f"{images:,}", value=images),
    ]


def _score(column: Column, run: RunRecord) -> Cell:
    """Value and spread; with the images it was measured at if those are not the run's last."""
    found = column.scores.get(run.key)
    if found is None:
        why = why_not(run, column.protocol.metric, column.protocol.captions)
        return Cell(f"not taken: {why}" if why else "")
    then = (f"at {found.images:,}",) if found.images != run.images else ()
    real = (f"real {short(found.real)}",) if column.real is None and found.real is not None else ()
    return Cell(*measured(found.value, found.std), found.value, column.best == run.key, (*then, *real))
