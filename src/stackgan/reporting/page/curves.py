"""Curves for the page's charts, thinned to a number of points that keeps every peak."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from stackgan.reporting.page.collect import RunRecord
from stackgan.reporting.page.compare import Group
from stackgan.reporting.page.files import number
from stackgan.reporting.page.protocol import Protocol
from stackgan.reporting.page.words import COLUMN_MEANINGS, SECTIONS

POINTS = 250_000  # numbers of all curves of a page together: some 4 MB
LEAST, MOST = 40, 400  # points of one curve
ORDER = ("Scores", *dict.fromkeys(SECTIONS.values()), "Other columns")


def thin(values: Sequence[float | None], most: int) -> list[int]:
    """Which points to keep, about `most` of them: first and last, and of each stretch its least, its greatest and its first gap."""
    if len(values) <= most:
        return list(range(len(values)))
    keep = {0, len(values) - 1}
    stretches = max(1, most // 2)
    for part in range(stretches):
        stretch = range(part * len(values) // stretches, (part + 1) * len(values) // stretches)
        finite = [i for i in stretch if values[i] is not None]
        gaps = [i for i in stretch if values[i] is None]
        keep |= (
            {min(finite, key=lambda i: values[i] or 0.0), max(finite, key=lambda i: values[i] or 0.0)}
            if finite
            else set()
        )
        keep |= set(gaps[:1])
    return sorted(keep)


def charts(group: Group, number_of: dict[str, int], most: int) -> list[dict[str, Any]]:
    """The group's charts: {"section", "title", "about", "reference", "dotted", "curves": [{"run", "x", "y", "std"?}]}.

    `number_of` gives the page's number of a run's key. A value that is not finite is null: a gap.
    """
    found = [*_score_charts(group, number_of), *_column_charts(group, number_of, most)]
    return sorted(found, key=lambda chart: ORDER.index(chart["section"]))


def points_each(groups: Iterable[Group]) -> int:
    """Points that a curve may have for all of a page's curves to fit."""
    curves = sum(len({key for row in run.rows for key in row}) for group in groups for run in group.runs)
    return max(LEAST, min(MOST, POINTS // max(1, curves)))


def _score_charts(group: Group, number_of: dict[str, int]) -> list[dict[str, Any]]:
    """One chart a protocol, of scores measured more than once."""
    found = []
    for column in group.columns:
        curves = [curve for run in group.runs if (curve := _score_curve(run, column.protocol, number_of))]
        if any(len(curve["x"]) > 1 for curve in curves):
            metric, about = column.protocol.metric, column.protocol.short
            found.append(
                {
                    "section": "Scores",
                    "title": metric,
                    "about": about,
                    **_line(column.real, "real pictures"),
                    "curves": curves,
                }
            )
    return found


def _score_curve(run: RunRecord, protocol: Protocol, number_of: dict[str, int]) -> dict[str, Any] | None:
    records = sorted((r for r in run.records if Protocol.of(r) == protocol), key=lambda r: r.images)
    if not records:
        return None
    return {
        "run": number_of[run.key],
        "x": [int(r.images) for r in records],
        "y": [float(r.value) for r in records],
        "std": [number(r.std) for r in records],
    }


def _column_charts(group: Group, number_of: dict[str, int], most: int) -> list[dict[str, Any]]:
    names = dict.fromkeys(key for run in group.runs for row in run.rows for key in row if key != "images")
    measured = {record.metric for run in group.runs for record in run.records}
    found = []
    for name in names:
        base = name.removesuffix("_std").removesuffix("_real").partition("/")[0]
        if base in measured or (name != base and name.endswith(("_std", "_real")) and base in names):
            continue  # in the charts of scores, with their protocol
        curves = [curve for run in group.runs if (curve := _curve(run, name, number_of, most))]
        section = SECTIONS.get(name.partition("/")[0], "Other columns")
        about, verdict = COLUMN_MEANINGS.get(name, ""), name.removeprefix("health/")
        limits = {number(run.config.get(f"health.thresholds.{verdict}")) for run in group.runs if run.config}
        line = _line(limits.pop() if len(limits) == 1 and verdict != name else None, "threshold")
        found.append({"section": section, "title": name, "about": about, **line, "curves": curves})
    return found


def _line(value: float | None, what: str) -> dict[str, Any]:
    """A dotted line across a chart, and what it is."""
    return {"reference": value, "dotted": "" if value is None else what}


def _curve(run: RunRecord, name: str, number_of: dict[str, int], most: int) -> dict[str, Any] | None:
    rows = [row for row in run.rows if name in row]
    if not rows:
        return None
    values = [row[name] if math.isfinite(row[name]) else None for row in rows]
    kept = thin(values, most)
    return {"run": number_of[run.key], "x": [int(rows[i]["images"]) for i in kept], "y": [values[i] for i in kept]}
