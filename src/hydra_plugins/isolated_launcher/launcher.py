"""Hydra plugin, the default launcher: one fresh process per job, so that what happens to one job cannot touch another.

A crash, an out-of-memory kill or a process group costs only its own job. Every job is checked before the first one starts;
`jobs=<n>` run at a time, each Stage II after its Stage I; what became of a job is read from its status.json. Given again,
the same command skips what is finished and goes on with the rest.
"""

import atexit
import contextlib
import math
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import II, DictConfig

from hydra_plugins.isolated_launcher.composition import Compositions
from hydra_plugins.isolated_launcher.dry_run import listing
from hydra_plugins.isolated_launcher.jobs import Job, compose_jobs, first_lack, link, look_ahead
from hydra_plugins.isolated_launcher.pool import Pool
from hydra_plugins.isolated_launcher.process import DONE, FAILED, PREEMPTED
from hydra_plugins.isolated_launcher.study import Study, open_study
from hydra_plugins.isolated_launcher.table import show
from stackgan.config import ON_FAILURE, Config
from stackgan.data.files import check_writable
from stackgan.errors import UserError
from stackgan.evaluation.registry import TEST, find, kind_of, way
from stackgan.gpus import check_named, find_gpus, usable_gpus
from stackgan.preflight import Need, asks_for_gpus, check_images_for, check_needs, check_objective
from stackgan.run_directory import BY_VERDICT, lock_run


@dataclass
class IsolatedLauncherConfig:
    """hydra.launcher: what conf/config.yaml says of `jobs`, `on_failure` and `dry_run`, and:

    Attributes:
        gpus: auto (CUDA_VISIBLE_DEVICES, else all), or a list such as [0,1].
        patience: seconds that a job waits for another process which trains its run; then it is skipped.
        warm: fork jobs without a GPU from a process that has imported the libraries (Linux); false starts each from nothing.
        objective: the score a sweeper such as Optuna is told, of validation captions: `kid`, `is`; null = all of them, as a dict.
        worst: what it is told of a job without one: diverged, collapsed, failed or skipped. null = 1e6 where less is better, else 0.
    """

    _target_: str = "hydra_plugins.isolated_launcher.launcher.IsolatedLauncher"
    jobs: int = II("jobs")
    on_failure: str = II("on_failure")
    dry_run: bool = II("dry_run")
    gpus: Any = "auto"
    patience: float = 20.0
    warm: bool = True
    objective: str | None = None
    worst: float | None = None


ConfigStore.instance().store(
    group="hydra/launcher", name="isolated", node=IsolatedLauncherConfig, provider="isolated_launcher"
)


@dataclass
class IsolatedLauncher(Launcher):
    """Runs the jobs of a sweep in processes of their own. See IsolatedLauncherConfig for the arguments."""

    jobs: int
    on_failure: Literal["continue", "stop"]
    dry_run: bool
    gpus: Any
    patience: float
    warm: bool
    objective: str | None
    worst: float | None
    study: Study | None = field(default=None, init=False)

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.context, self.config = hydra_context, config
        self._compositions = Compositions(hydra_context.config_loader)
        folder = Path(config.hydra.sweep.dir)
        check_writable(folder, "outputs")  # before Hydra's sweeper writes its own record there
        self._record = SweeperRecord(folder)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run these jobs to their ends. A sweeper that learns from results calls this again and again."""
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise UserError("a sweep starts its own processes; start it without torchrun and give trainer.devices=<n>.")
        if self.jobs < 1:
            raise UserError(f"jobs={self.jobs} must be greater than zero.")
        if self.on_failure not in ON_FAILURE:
            raise UserError(f"on_failure={self.on_failure} is not known; choose one of {', '.join(ON_FAILURE)}.")
        check_named(self.gpus)
        name = self.study.folder.name if self.study else None
        jobs = compose_jobs(self._compositions, self.config, job_overrides, initial_job_idx, name, self.gpus)
        self.study = self.study or open_study(jobs[0], sys.argv)
        link(jobs, self.study.jobs)
        self.study.jobs += jobs
        look_ahead(jobs)
        lack = first_lack(jobs, self._check())
        if self.dry_run:
            print(listing(jobs), flush=True)
        if lack is not None:
            raise lack
        if not self.dry_run:
            self._check_data(jobs)
            self._run(jobs, self._gpus(jobs))
        return [self._as_return(job) for job in jobs]

    def _check(self) -> Callable[[Config], None]:
        """What a job needs, each thing checked once for all jobs."""
        met: set[Need] = set()
        gpus: list[list[str]] = []  # asked for once, and only if a job needs to know

        def check(config: Config) -> None:
            if asks_for_gpus(config.trainer) and not gpus:
                gpus.append(usable_gpus(self.gpus))
            check_needs(config, gpus[0] if gpus else [], met)
            if self.objective is not None:
                check_objective(config, self.objective)

        return check

    def _check_data(self, jobs: Sequence[Job]) -> None:
        """Whether each data set has images enough for the objective, before the first job trains."""
        if self.objective is not None:
            for config in {repr(job.config.data): job.config for job in jobs}.values():
                check_images_for(config, self.objective)

    def _gpus(self, jobs: Sequence[Job]) -> list[str]:
        if all(job.config.trainer.accelerator == "cpu" for job in jobs):
            return []
        return find_gpus(self.gpus, os.environ)

    def _run(self, jobs: Sequence[Job], gpus: Sequence[str]) -> None:
        assert self.study is not None
        self._record.keep()
        display = show(self.study.label, min(self.jobs, len(jobs)))
        with lock_run(self.study.folder), display:
            self.study.write()
            command = [sys.executable, sys.argv[0], *self._config_folders()]
            size = min(self.jobs, len(jobs))
            pool = Pool(self.study, display, command, size, self.on_failure, gpus, self.patience, self.warm)
            pool.run(jobs)
            display.say(self.study.summary(jobs))
        stopped = self.on_failure == "stop" and any(job.state == "failed" for job in jobs)
        code = PREEMPTED if pool.interrupted else exit_code(jobs)
        if pool.interrupted or stopped or (code != DONE and self._asked_once()):
            sys.exit(code)

    def _config_folders(self) -> list[str]:
        """A folder of the user's own configurations, which the jobs need as well."""
        sources = self.config.hydra.runtime.config_sources
        return [f"--config-dir={source.path}" for source in sources if source.provider == "command-line"]

    def _asked_once(self) -> bool:
        """Whether no more jobs will come: others do not have to suffer from the exit code of these."""
        sweeper = self.config.hydra.sweeper
        return str(sweeper._target_).endswith("BasicSweeper") and sweeper.max_batch_size is None

    def _as_return(self, job: Job) -> JobReturn:
        result = JobReturn(overrides=job.overrides, cfg=job.composed, hydra_cfg=job.composed.hydra)
        result.working_dir = str(job.folder)
        result.status = JobStatus.COMPLETED
        result.return_value = self._result(job)
        return result

    def _result(self, job: Job) -> dict[str, float] | float:
        """What a sweeper is told: never NaN, which it would take for a trial that says nothing."""
        scores = job.status.scores if job.status else {}
        if self.objective is None:
            return dict(scores)
        worst = self.worst if self.worst is not None else 1e6 if way(self.objective) < 0 else 0.0
        if job.state != "done":
            return worst
        found = find(scores, self.objective)
        kind = kind_of(self.objective)
        if found is None and job.status and kind and kind.name in job.status.left_out:
            return worst  # it failed in this job alone, whose status says why
        if found is None:
            known = ", ".join(name for name in scores if not name.endswith(TEST)) or "none"
            raise UserError(
                f"hydra.launcher.objective={self.objective} is no score of {job.name} on validation captions; it has: {known}."
            )
        return found[1] if math.isfinite(found[1]) else worst


class SweeperRecord:
    """What Hydra's sweeper writes before it asks for the first job. Without a job it is taken away again when the process ends."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "multirun.yaml"
        self.new = [path for path in (self.file, folder, *folder.parents) if not path.exists()]
        atexit.register(self._remove)

    def keep(self) -> None:
        """Jobs start: it is theirs."""
        atexit.unregister(self._remove)

    def _remove(self) -> None:
        with contextlib.suppress(OSError):
            for path in self.new:
                if path == self.file:
                    path.unlink(missing_ok=True)
                else:
                    path.rmdir()


def exit_code(jobs: Sequence[Job]) -> int:
    """0 where every row of the study has its result: nothing would be left for the same command to do."""
    if any(job.state == "failed" for job in jobs):
        return FAILED
    if any(job.state == "preempted" for job in jobs):
        return PREEMPTED
    settled = [
        job
        for job in jobs
        if job.state != "skipped" or job.stage_one_ended or (job.parent and job.parent.state in BY_VERDICT)
    ]
    return DONE if len(settled) == len(jobs) else FAILED
