"""The jobs of a sweep: what each one is, which one it waits for, and whether anything of it is left to do."""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import filter_overrides
from omegaconf import DictConfig, open_dict

from stackgan.config import Config, requested_budget, saved_config, stage_scale, typed
from stackgan.errors import UserError
from stackgan.run_directory import Status, locate_run, read_status
from stackgan.signature import IGNORED, flat, run_name, run_signature, stage_one_signature
from stackgan.tracking.checks import require_trackers

LAUNCHER_KEYS = ("jobs", "on_failure", "dry_run")  # settings of the sweep, not of its jobs
BY_VERDICT = ("diverged", "collapsed")


@dataclass(eq=False)
class Job:
    """One run of a sweep: what was asked for, and what has become of it.

    Attributes:
        overrides: what its process is started with.
        state: `waiting`, or one of status.json's states.
        budget: images to train; None where it was given in epochs and the data set has not been seen yet.
        parent: its Stage I, where that is a job of the sweep.
        twin: the job before it that trains the same run, to another budget or just again.
        log: what its process prints, from the byte `log_start` on.
    """

    number: int
    overrides: list[str]
    composed: DictConfig
    config: Config
    state: str = "waiting"
    reason: str = ""
    folder: Path | None = None
    status: Status | None = None
    budget: int | None = None
    parent: "Job | None" = None
    twin: "Job | None" = None
    log_start: int = 0

    @property
    def name(self) -> str:
        return self.folder.name if self.folder else run_name(self.config, self.overrides)

    @property
    def log(self) -> Path | None:
        return self.folder / "log.txt" if self.folder else None

    @property
    def images(self) -> int:
        return self.status.images if self.status else 0

    @property
    def run(self) -> str:
        """The same for two jobs that train the same run, whether or not its Stage I is there yet."""
        below = self.config.stage_one if self.config.stage.name == "two" else "auto"
        return run_signature(self.config) + ("" if below == "auto" else f" on {below}")

    def ended(self) -> bool:
        return self.state not in ("waiting", "running")

    def blocked(self) -> bool:
        """Whether it has to wait for another job."""
        return any(other is not None and not other.ended() for other in (self.parent, self.twin))

    def waits_for_stage_one(self) -> bool:
        """Whether its Stage I, and with it its own folder, is still to come from this sweep."""
        return self.parent is not None and not self.parent.finished()

    def find(self) -> None:
        """Look for its run folder and read what is there. Raises UserError where its Stage I is missing."""
        self.folder = locate_run(self.config, self.overrides).folder
        self.status = read_status(self.folder)
        if self.budget is None and self.status is not None and self.status.budget:
            saved = _saved(self.folder)
            same = saved is not None and requested_budget(saved) == requested_budget(self.config)
            self.budget = self.status.budget if same else None

    def refresh(self) -> None:
        """Read again how far it is."""
        if self.folder is not None:
            self.status = read_status(self.folder) or self.status
            if self.status is not None and self.status.budget and self.state != "waiting":
                self.budget = self.status.budget

    def finished(self) -> bool:
        """Whether the run on disk is what this job would come to: done, or ended by a verdict that would come again."""
        if self.folder is None or self.status is None:
            return False
        if self.status.state == "done":
            return self.budget is not None and self.status.images >= self.budget
        if self.status.state not in BY_VERDICT:
            return False
        saved = _saved(self.folder)
        return saved is not None and self.budget == self.status.budget and saved.health == self.config.health


def _saved(folder: Path) -> Config | None:
    try:
        return saved_config(folder)
    except UserError:
        return None


def _budget(config: Config) -> int | None:
    """Images to train, a whole number of batches; None where the budget is in epochs."""
    images, _ = requested_budget(config)
    batch = stage_scale(config).batch_size
    return math.ceil(images / batch) * batch if images is not None else None


def compose_jobs(
    loader: ConfigLoader, master: DictConfig, job_overrides: Sequence[Sequence[str]], first: int, study: str | None
) -> list[Job]:
    """Compose and check every job before any starts; a bad one stops the sweep with one sentence.

    Args:
        first: number of the first job.
        study: name for a sweep that has none; None makes one from the choices that vary.
    """
    jobs = []
    for number, given in enumerate(job_overrides, first):
        overrides = [override for override in given if override.partition("=")[0] not in LAUNCHER_KEYS]
        composed = loader.load_sweep_config(master, overrides)
        with open_dict(composed):
            composed.hydra.job.id = composed.hydra.job.num = number
        HydraConfig.instance().set_config(composed)
        try:
            config = typed(composed)
            require_trackers(config.logger.wandb, config.logger.tensorboard)
            jobs.append(Job(number, list(filter_overrides(overrides)), composed, config, budget=_budget(config)))
        except UserError as error:
            raise UserError(f"job {number} ({' '.join(given)}): {error}") from error
    for job in jobs:
        if job.config.study is None:
            study = study or study_name(jobs)
            job.overrides.append(f"study='{study}'")
            job.composed.study = job.config.study = study
    return jobs


def study_name(jobs: Sequence[Job]) -> str:
    """A name from the choices that vary, the same for the same runs, whatever their budget: `loss,optim-1a2b3c4d`."""
    keys = dict.fromkeys(override.partition("=")[0] for job in jobs for override in varying(job, jobs))
    digest = hashlib.sha256(json.dumps(sorted(job.run for job in jobs)).encode()).hexdigest()[:8]
    return f"{','.join(keys) or 'sweep'}-{digest}"


def link(jobs: Sequence[Job], earlier: Sequence[Job]) -> None:
    """Find each job's Stage I and its twin among the jobs of the sweep, `earlier` ones of the same sweep included."""
    last = {job.run: job for job in earlier}
    for job in jobs:
        job.twin = last.get(job.run)
        last[job.run] = job
    for job in jobs:
        if job.config.stage.name == "two" and job.config.stage_one == "auto":
            job.parent = last.get(stage_one_signature(job.config))


def look_ahead(jobs: Sequence[Job]) -> None:
    """Find what is on disk of each job; one that waits for its Stage I has no folder yet."""
    for job in sorted(jobs, key=lambda job: job.parent is not None):
        if not job.waits_for_stage_one():
            try:
                job.find()
            except UserError as error:
                job.reason = str(error)


def varying(job: Job, jobs: Sequence[Job]) -> list[str]:
    """Those of a job's overrides that not all jobs have."""
    common = set.intersection(*(set(other.overrides) for other in jobs))
    return [override for override in job.overrides if override not in common]


def label(job: Job, jobs: Sequence[Job]) -> str:
    """A job in few words: the choices that set it apart from the others."""
    return " ".join(varying(job, jobs)) or job.name


def differences(jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """For each job the resolved settings in which it differs from the first, by their dotted keys; of the first, all that differ."""
    settings = [flat(asdict(job.config)) for job in jobs]
    bookkeeping = set(IGNORED) - {"images", "epochs", "stage_one"}
    first = {key: value for key, value in settings[0].items() if key.partition(".")[0] not in bookkeeping}
    changed = [{key: values[key] for key in first if values[key] != first[key]} for values in settings]
    return [{key: first[key] for key in first if any(key in values for values in changed)}, *changed[1:]]
