"""outputs/<study>: study.json, the page beside it, and the summary for the terminal."""

import json
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra_plugins.isolated_launcher.jobs import Job, label
from stackgan.run_directory import study_directory, write_atomically

Record = dict[str, Any]


class Study:
    """What a sweep has been asked for so far and what has become of it; grows where a sweeper asks again.

    Args:
        command: the arguments the sweep was started with, the script first.
    """

    def __init__(self, folder: Path, command: Sequence[str]) -> None:
        self.folder, self.command = folder, list(command)
        self.jobs: list[Job] = []
        self._before = _read(folder / "study.json")
        self._created = self._before.get("created") or _now()
        self._warned = False

    @property
    def count(self) -> int:
        return len(self.jobs)

    def label(self, job: Job) -> str:
        return label(job, self.jobs)

    def write(self) -> None:
        """Write study.json anew. Runs of earlier commands in the same study stay in it."""
        records = [_record(job) for job in self.jobs]
        study = {
            "name": self.folder.name,
            "command": self.command,
            "created": self._created,
            "updated": _now(),
            "finished": all(job.ended() and job.state != "preempted" for job in self.jobs),
            "jobs": records + self._earlier(records),
        }
        try:
            write_atomically(self.folder / "study.json", json.dumps(study, indent=1) + "\n")
        except OSError as error:  # a full disk must not cost the jobs that still run
            self._warn(f"{self.folder / 'study.json'} could not be written: {error.strerror}")

    def _earlier(self, records: Sequence[Record]) -> list[Record]:
        """Records of an earlier command whose runs are not among these, renumbered to follow them."""
        here = {record["folder"] for record in records}
        kept = [
            record
            for record in self._before.get("jobs", [])
            if record.get("folder") and record["folder"] not in here and (self.folder / record["folder"]).is_dir()
        ]
        numbers = {record["job"]: len(records) + place for place, record in enumerate(kept)}
        return [
            {**record, "job": numbers[record["job"]], "parent": numbers.get(record.get("parent"))} for record in kept
        ]

    def write_page(self) -> None:
        """Make report.html anew; a page that cannot be made never stops a study."""
        try:
            from stackgan.reporting.page import write_report

            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                write_report(self.folder)
        except Exception as error:
            self._warn(f"the study page could not be made: {type(error).__name__}: {error}")

    def _warn(self, sentence: str) -> None:
        if not self._warned:
            print(f"warning: {sentence}", flush=True)
        self._warned = True

    def summary(self, jobs: Sequence[Job]) -> str:
        """The results of these jobs as a table, and where everything is."""
        rows = [("state", "images", "scores", "job")]
        for job in jobs:
            scores = " ".join(f"{key} {value:.3f}" for key, value in job.scores.items())
            rows.append((job.state, f"{job.images:,}", scores or job.reason[:60], self.label(job)))
        lines = [*columns(rows), f"study: {self.folder}"]
        page = self.folder / "report.html"
        return "\n".join([*lines, f"page:  {page}"] if page.exists() else lines)


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of text with aligned columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    return ["  ".join([*map(str.ljust, row, widths), row[-1]]) for row in rows]


def open_study(job: Job, command: Sequence[str]) -> Study:
    """The study that a job belongs to."""
    return Study(study_directory(job.config), command)


def _record(job: Job) -> Record:
    status = job.status
    return {
        "job": job.number,
        "overrides": job.overrides,
        "folder": job.folder.name if job.folder else None,
        "signature": status.signature if status else "",
        "state": job.state,
        "reason": job.reason,
        "images": job.images,
        "budget": job.budget or (status.budget if status else 0),
        "scores": dict(status.scores) if status else {},
        "verdicts": list(status.verdicts) if status else [],
        "parent": job.parent.number if job.parent else None,
    }


def _read(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
