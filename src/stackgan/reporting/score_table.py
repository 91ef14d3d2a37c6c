"""The scores of a study or of one run as Markdown and CSV. Every number comes from a record of evaluation.json.

The Markdown is the leaderboard of the study page, for the runs that have records; the CSV is long, a row a score.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from stackgan.data.files import replacing
from stackgan.errors import UserError
from stackgan.reporting.page.collect import RunRecord, read_study
from stackgan.reporting.page.compare import Column, Group, groups
from stackgan.reporting.page.markdown import board, plain, protocols, shared
from stackgan.reporting.page.protocol import Protocol
from stackgan.reporting.page.rows import not_taken
from stackgan.run_directory import write_atomically

FOUND = ("value", "std", "low", "high", "real", "real_train", "shuffled")


def write_table(folder: Path, alone: bool = False) -> tuple[str, Path, Path]:
    """Write table.md and table.csv into a study's folder, or (`alone`) a run's.

    Returns the Markdown and both paths. Raises UserError where no record is to be found.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder; give study=<folder of runs> or run=<run folder>.")
    study = read_study(folder.resolve().parent if alone else folder)
    runs = [run for run in study.runs if run.records and (not alone or run.key == folder.resolve().name)]
    if not runs:
        chosen = [run for run in study.runs if not alone or run.key == folder.resolve().name]
        why = " ".join(dict.fromkeys(filter(None, map(not_taken, chosen))))
        raise UserError(f"{folder} holds no readable evaluation.json; {why or 'run python src/evaluate.py first.'}")
    compared = [group for group in map(_recorded, groups(runs)) if group.columns]
    text = "\n\n".join([*shared(study), *(part for group in compared for part in _section(group))]) + "\n"
    markdown, comma = folder / "table.md", folder / "table.csv"
    write_atomically(markdown, text)
    with replacing(comma) as temporary:
        temporary.write_text(_csv(compared), newline="")
    return text, markdown, comma


def _recorded(group: Group) -> Group:
    """Without scores that are quoted somewhere but not recorded."""
    group.columns = [column for column in group.columns if column.protocol.recorded]
    return group


def _section(group: Group) -> list[str]:
    return [f"## {plain(group.title)}", board(group), *protocols(group)]


def _names(run: RunRecord) -> list[str]:
    return [run.label, run.seed, run.state]


def _csv(compared: Sequence[Group]) -> str:
    """One row for each run and each of its scores: a long table, which any program can pivot."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["stage", "data", "run", "setting", "seed", "state", "metric", *FOUND, "images", "protocol"])
    for group in compared:
        for run in group.runs:
            writer.writerows(
                [group.stage, group.fingerprint, run.key, *_names(run), *cells] for cells in _scores(group.columns, run)
            )
    return text.getvalue()


def _scores(columns: Sequence[Column], run: RunRecord) -> list[list[str]]:
    latest = {Protocol.of(record): record for record in sorted(run.records, key=lambda record: record.images)}
    rows = []
    for protocol in (column.protocol for column in columns if run.key in column.scores):
        record = latest[protocol]
        numbers = ["" if (value := getattr(record, name)) is None else repr(value) for name in FOUND]
        rows.append([protocol.metric, *numbers, str(record.images), protocol.sentence])
    return rows
