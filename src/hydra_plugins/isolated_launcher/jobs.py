"""The jobs of a sweep: what each one is, which one it waits for, and whether anything of it is left to do."""

import hashlib
import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import filter_overrides
from omegaconf import DictConfig, open_dict

from hydra_plugins.isolated_launcher.composition import JobLoader
from stackgan.cli.script import TRAIN
from stackgan.cli.spelling import shown, spell_overrides
from stackgan.cli.values import quoted
from stackgan.config import Config, requested_budget, saved_config, stage_scale, typed
from stackgan.errors import UserError
from stackgan.evaluation.registry import TEST
from stackgan.gpus import ALL, device_count
from stackgan.identity import BOOKKEEPING
from stackgan.preflight import SWEEPS_OWN, check_together
from stackgan.run_directory import (
    BY_VERDICT,
    StageOneEnded,
    Status,
    find_start,
    locate_run,
    read_status,
)
from stackgan.run_lookup import name_runs
from stackgan.signature import flat, run_name, run_signature, stage_one_signature


@dataclass(eq=False)
class Job:
    """One run of a sweep: what was asked for, and what has become of it.

    Attributes:
        overrides: what was typed for it.
        state: `waiting`, or one of status.json's states.
        budget: images to train; None where it was given in epochs and the data set has not been seen yet.
        parent: its Stage I, where that is a job of the sweep.
        twin: the job before it that trains the same run, to another budget or just again.
        log: what its process prints, from the byte `log_start` on.
        lacks: another run that it needs and that is not there.
        stage_one_ended: whether a verdict ended its Stage I in an earlier command.
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
    lacks: UserError | None = None
    stage_one_ended: bool = False

    @property
    def name(self) -> str:
        return self.folder.name if self.folder else run_name(self.config, self.overrides)

    @property
    def arguments(self) -> list[str]:
        """What its process is started with: its overrides but for a Stage I that is for others of the sweep."""
        alone = self.config.stage.name == "one"
        return [each for each in self.overrides if not (alone and each.startswith("stage_one="))]

    @property
    def log(self) -> Path | None:
        return self.folder / "log.txt" if self.folder else None

    @property
    def images(self) -> int:
        return self.status.images if self.status else 0

    @property
    def scores(self) -> dict[str, float]:
        """What runs are compared by; scores of test captions are for the page alone."""
        found = self.status.scores if self.status else {}
        return {name: value for name, value in found.items() if not name.endswith(TEST)}

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
        return saved is not None and self.budget == self.status.budget and _acts_alike(saved, self.config)


def _acts_alike(first: Config, second: Config) -> bool:
    """Whether both do the same about a run's health, whatever the choice was called."""
    return replace(first.health, name="") == replace(second.health, name="")


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
    loader: JobLoader,
    master: DictConfig,
    job_overrides: Sequence[Sequence[str]],
    first: int,
    study: str | None,
    gpus: Any = "auto",
) -> list[Job]:
    """Compose and check every job before any starts; a bad one stops the sweep with one sentence.

    Args:
        first: number of the first job.
        study: name for a sweep that has none; None makes one from the choices that vary.
        gpus: hydra.launcher.gpus, of which `trainer.devices=auto` takes all; None: the jobs run where nobody here can count them.
    """
    jobs = []
    counts: dict[str, int] = {}
    for number, given in enumerate(job_overrides, first):
        overrides = [override for override in given if override.partition("=")[0] not in SWEEPS_OWN]
        overrides = spell_overrides(overrides, TRAIN, sweeps=False)
        composed = loader.load_sweep_config(master, overrides)
        with open_dict(composed):
            composed.hydra.job.id = composed.hydra.job.num = number
        HydraConfig.instance().set_config(composed)
        try:
            trainer = composed.trainer
            if trainer.devices in ALL:
                if gpus is None:
                    raise UserError(
                        f"trainer.devices={trainer.devices} cannot be counted here, before the jobs are on their nodes; give a number."
                    )
                if trainer.accelerator not in counts:
                    counts[trainer.accelerator] = device_count(trainer.devices, trainer.accelerator, gpus)
                trainer.devices = counts[trainer.accelerator]
            config = typed(composed)
            name_runs(config)
            kept = _with_paths(list(filter_overrides(overrides)), config)
            jobs.append(Job(number, kept, composed, config, budget=_budget(config)))
        except UserError as error:
            raise UserError(f"job {number} ({' '.join(given)}): {error}") from error
    check_together([job.config for job in jobs], job_overrides)
    for job in jobs:
        if job.config.study is None:
            study = study or study_name(jobs)
            job.overrides.append(f"study={study}")
            job.composed.study = job.config.study = study
    return jobs


def study_name(jobs: Sequence[Job]) -> str:
    """A name from the choices that vary, the same for the same runs, whatever their budget: `loss+optim-1a2b3c4d`.

    It can be typed as it is: no character in it means anything to a shell or to Hydra.
    """
    keys = dict.fromkeys(override.partition("=")[0] for job in jobs for override in varying(job, jobs))
    digest = hashlib.sha256(json.dumps(sorted(job.run for job in jobs)).encode()).hexdigest()[:8]
    return f"{re.sub(r'[^A-Za-z0-9_.+-]', '_', '+'.join(keys))[:80] or 'sweep'}-{digest}"


def _with_paths(overrides: Sequence[str], config: Config) -> list[str]:
    """The overrides with paths for runs that were named in another way: `latest` may be another one when the job starts."""
    found = {"stage_one": config.stage_one, "start_from": config.start_from}
    keys = [override.partition("=")[0] for override in overrides]
    return [
        f"{key}={quoted(path)}" if (path := found.get(key)) is not None and path != "auto" else override
        for key, override in zip(keys, overrides, strict=True)
    ]


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
        try:
            if not job.waits_for_stage_one():
                job.find()
            elif job.config.start_from is not None:
                find_start(job.config)
        except StageOneEnded as error:
            job.reason, job.stage_one_ended = str(error), True
        except UserError as error:
            job.reason, job.lacks = str(error), error


def first_lack(jobs: Sequence[Job], check: Callable[[Config], None]) -> UserError | None:
    """What the first job that cannot start lacks, with its number; every such job keeps its reason. Finished ones need nothing.

    Args:
        check: raises UserError for what a configuration needs besides other runs.
    """
    first: UserError | None = None
    for job in jobs:
        if job.finished() or job.stage_one_ended:
            continue
        try:
            if job.lacks is not None:
                raise job.lacks
            check(job.config)
        except UserError as error:
            job.reason, job.lacks = str(error), error
            first = first or UserError(f"job {job.number} ({label(job, jobs)}): {error}")
    return first


def varying(job: Job, jobs: Sequence[Job]) -> list[str]:
    """Those of a job's overrides that not all jobs have."""
    common = set.intersection(*(set(other.overrides) for other in jobs))
    return [override for override in job.overrides if override not in common]


def label(job: Job, jobs: Sequence[Job]) -> str:
    """A job in few words: the choices that set it apart from the others."""
    return " ".join(map(shown, varying(job, jobs))) or job.name


def differences(jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """For each job the resolved settings in which it differs from the first, by their dotted keys; of the first, all that differ."""
    settings = [flat(asdict(job.config)) for job in jobs]
    bookkeeping = set(BOOKKEEPING) - {"images", "epochs", "stage_one"}
    first = {key: value for key, value in settings[0].items() if key.partition(".")[0] not in bookkeeping}
    changed = [{key: values[key] for key in first if values[key] != first[key]} for values in settings]
    return [{key: first[key] for key in first if any(key in values for values in changed)}, *changed[1:]]
