"""One fresh process per job: a crash, an out-of-memory kill or a process group of one job cannot touch another.

Every job is checked before the first one starts. A job is `python <script> <its overrides> hydra.mode=RUN`; what became of it
is read from its status.json. Finished jobs are skipped when the same command is given again.
"""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus, filter_overrides
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from stackgan.config import Config, typed
from stackgan.errors import UserError
from stackgan.run_directory import Status, locate_run, read_status, study_directory, write_atomically

RANK_VARIABLES = ("LOCAL_RANK", "RANK", "GLOBAL_RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@dataclass
class IsolatedLauncherConfig:
    _target_: str = "hydra_plugins.isolated_launcher.launcher.IsolatedLauncher"


ConfigStore.instance().store(
    group="hydra/launcher", name="isolated", node=IsolatedLauncherConfig, provider="isolated_launcher"
)


@dataclass
class Job:
    """One run of a sweep: what was asked for, and what became of it."""

    number: int
    overrides: list[str]
    composed: DictConfig
    config: Config
    folder: Path | None = None
    status: Status | None = None

    @property
    def label(self) -> str:
        return " ".join(o for o in self.overrides if not o.startswith(("sweep=", "study=")))


class IsolatedLauncher(Launcher):
    """Runs the jobs of a sweep one after the other, each in its own process."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.context, self.config = hydra_context, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        jobs = self._check(job_overrides, initial_job_idx)
        returns = []
        for job in jobs:
            self._run(job, len(jobs))
            write_study(jobs)
            returns.append(_as_return(job))
        print(summary(jobs))
        if any(job.status is not None and job.status.state in ("failed", "preempted") for job in jobs):
            sys.exit(1)
        return returns

    def _check(self, job_overrides: Sequence[Sequence[str]], first: int) -> list[Job]:
        """Compose and check every job before any starts; a bad one stops the sweep with one sentence."""
        study = study_name(job_overrides)
        jobs = []
        for number, given in enumerate(job_overrides, first):
            overrides = list(given)
            composed = self.context.config_loader.load_sweep_config(self.config, overrides)
            if composed.study is None:
                overrides.append(f"study='{study}'")
                composed.study = study
            with open_dict(composed):
                composed.hydra.job.id = composed.hydra.job.num = number
            try:
                jobs.append(Job(number, overrides, composed, typed(composed)))
            except UserError as error:
                raise UserError(f"job {number} ({' '.join(given)}): {error}") from error
        return jobs

    def _run(self, job: Job, total: int) -> None:
        HydraConfig.instance().set_config(job.composed)
        print(f"[{job.number + 1}/{total}] {job.label}", flush=True)
        task = filter_overrides(job.overrides)
        try:
            job.folder = locate_run(job.config, task).folder
        except UserError as error:
            job.status = Status("skipped", str(error))
            print(f"    skipped: {error}", flush=True)
            return
        started = time.time()
        environment = {key: value for key, value in os.environ.items() if key not in RANK_VARIABLES}
        command = [sys.executable, sys.argv[0], *task, "hydra.mode=RUN"]
        code = subprocess.run(command, env=environment).returncode
        job.status = read_status(job.folder) or Status("failed", f"exit code {code} before it wrote a status")
        if code != 0 and job.status.state in ("running", "done"):
            # Killed before it could say so, or failed after it was done: the record must not look alive.
            job.status.state, job.status.reason = "failed", f"the process ended with exit code {code}"
            job.status.write(job.folder)
        print(f"    {job.status.state} after {time.time() - started:.0f} s: {job.folder}", flush=True)


def study_name(job_overrides: Sequence[Sequence[str]]) -> str:
    """A name from the choices that vary in the sweep, the same for the same command: `loss,optim-1a2b3c4d`."""
    constant = set.intersection(*(set(job) for job in job_overrides))
    varying = dict.fromkeys(o.partition("=")[0] for job in job_overrides for o in job if o not in constant)
    digest = hashlib.sha256(json.dumps([sorted(job) for job in job_overrides]).encode()).hexdigest()[:8]
    return f"{','.join(varying) or 'sweep'}-{digest}"


def write_study(jobs: Sequence[Job]) -> None:
    """outputs/<study>/study.json: one record a job, rewritten after every job."""
    folder = study_directory(jobs[0].config)
    records = [
        {
            "job": job.number,
            "overrides": job.overrides,
            "folder": job.folder.name if job.folder else None,
            **(asdict(job.status) if job.status else {"state": "waiting"}),
        }
        for job in jobs
    ]
    write_atomically(folder / "study.json", json.dumps({"jobs": records}, indent=1) + "\n")


def summary(jobs: Sequence[Job]) -> str:
    """The sweep's result as a table for the terminal."""
    rows = [("state", "images", "scores", "job")]
    for job in jobs:
        status = job.status or Status("skipped")
        scores = " ".join(f"{key} {value:.3f}" for key, value in status.scores.items())
        rows.append((status.state, str(status.images), scores or status.reason[:60], job.label))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)) for row in rows]
    return "\n".join([*lines, f"study: {study_directory(jobs[0].config)}"])


def _as_return(job: Job) -> JobReturn:
    result = JobReturn(overrides=job.overrides, cfg=job.composed, hydra_cfg=job.composed.hydra)
    result.working_dir = str(job.folder)
    result.status = JobStatus.COMPLETED
    result.return_value = dict(job.status.scores) if job.status else {}
    return result
