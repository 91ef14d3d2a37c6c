"""How a sweep shows itself: a live table on a terminal, one line per change of a job's state anywhere else."""

import contextlib
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from hydra_plugins.isolated_launcher.jobs import Job

if TYPE_CHECKING:
    from rich.table import Table

COLOURS = {"running": "bold", "done": "green", "waiting": "dim", "skipped": "yellow", "preempted": "yellow"}


class Display(AbstractContextManager["Display"], Protocol):
    """What the pool tells of its jobs."""

    def say(self, text: str) -> None:
        """Lines that stay."""

    def update(self, jobs: Sequence[Job]) -> None:
        """How far the jobs are; called several times a second."""


class PlainLines:
    """Lines of text, for a log file or a pipe.

    Args:
        follow: also pass on what the running job prints. Read from its log, so that it goes on when this process ends.
    """

    def __init__(self, follow: bool) -> None:
        self.follow = follow
        self._jobs: Sequence[Job] = ()
        self._followed: dict[Job, int] = {}  # bytes of its log passed on

    def __exit__(self, *_: object) -> None:
        pass

    def __enter__(self) -> "PlainLines":
        return self

    def say(self, text: str) -> None:
        self.update(self._jobs)  # a job's last words before what became of it
        with contextlib.suppress(OSError):  # the terminal is gone; the jobs still have to be ended
            print(text, flush=True)

    def update(self, jobs: Sequence[Job]) -> None:
        self._jobs = jobs
        if not self.follow:
            return
        self._followed = {job: job.log_start for job in jobs if job.state == "running"} | self._followed
        for job in list(self._followed):
            self._pass_on(job)
            if job.state != "running":
                del self._followed[job]

    def _pass_on(self, job: Job) -> None:
        assert job.log is not None
        with contextlib.suppress(OSError), job.log.open("rb") as file:
            file.seek(self._followed[job])
            sys.stdout.buffer.write(file.read())
            sys.stdout.flush()
            self._followed[job] = file.tell()


class LiveTable:
    """A table that is drawn anew in place; what is said goes above it."""

    def __init__(self, label: Callable[[Job], str]) -> None:
        from rich.console import Console
        from rich.live import Live

        self.label = label
        self._live = Live(console=Console(), refresh_per_second=2, redirect_stderr=False)

    def __enter__(self) -> "LiveTable":
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def say(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._live.console.print(text, markup=False, highlight=False)

    def update(self, jobs: Sequence[Job]) -> None:
        self._live.update(job_table(jobs, self.label, self._live.console.height - 6))


def show(label: Callable[[Job], str], at_once: int) -> Display:
    """The display for where standard output goes."""
    return LiveTable(label) if sys.stdout.isatty() else PlainLines(follow=at_once == 1)


def job_table(jobs: Sequence[Job], label: Callable[[Job], str], rows: int) -> "Table":
    """State, progress, images/s, time left, last score and verdicts of each job; the running ones where not all fit."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, caption_justify="left", caption=_counts(jobs))
    for heading, right in (
        ("job", 0),
        ("state", 0),
        ("", 0),
        ("images", 1),
        ("img/s", 1),
        ("left", 1),
        ("score", 0),
        ("verdict", 0),
    ):
        table.add_column(heading, justify="right" if right else "left", no_wrap=True, overflow="ellipsis")
    for job in jobs if len(jobs) <= rows else [job for job in jobs if job.state == "running"][: max(rows, 1)]:
        status, total = job.status, job.budget
        table.add_row(
            Text(label(job)),
            Text(job.state, style=COLOURS.get(job.state, "red")),
            ProgressBar(total=total or 1, completed=job.images, width=16),
            f"{job.images:,} / {total:,}" if total else f"{job.images:,}",
            f"{status.images_per_second:.0f}" if status and status.images_per_second else "",
            _time_left(job),
            "" if status is None else " ".join(f"{key} {value:.2f}" for key, value in [*job.scores.items()][:1]),
            Text(", ".join(str(verdict.get("name")) for verdict in status.verdicts) if status else ""),
        )
    return table


def _counts(jobs: Sequence[Job]) -> str:
    states = [job.state for job in jobs]
    return ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))


def _time_left(job: Job) -> str:
    status = job.status
    if job.state != "running" or status is None or not job.budget or not status.images_per_second:
        return ""
    minutes = round(max(0, job.budget - status.images) / status.images_per_second / 60)
    return f"{minutes // 60}:{minutes % 60:02d} h" if minutes >= 60 else f"{minutes} min"
