"""Hydra plugin: the jobs of a sweep through submitit, as a SLURM array or as processes of this machine that all start at once.

The launchers are those of hydra-submitit-launcher. Here is what a person wants to know before and after: every job is checked before
any is submitted, what was submitted is said, and what became of each job, whatever became of the others.
"""

import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from hydra_plugins.isolated_launcher.dry_run import listing
from hydra_plugins.isolated_launcher.jobs import Job, compose_jobs, first_lack, link, look_ahead
from hydra_plugins.isolated_launcher.launcher import SweeperRecord, exit_code
from hydra_plugins.isolated_launcher.study import Study, open_study
from stackgan.config import PROJECT, Config
from stackgan.data.files import check_writable
from stackgan.errors import UserError
from stackgan.gpus import usable_gpus
from stackgan.preflight import Need, asks_for_gpus, check_elsewhere, check_needs

try:
    from hydra_plugins.hydra_submitit_launcher.submitit_launcher import BaseSubmititLauncher
except ImportError:  # the extra is not installed: Hydra then knows no such launcher, and the scripts say how to get it
    BaseSubmititLauncher = None

POLL = 1.0  # seconds between two looks at the jobs
Check = Callable[[Config], None]


if BaseSubmititLauncher is not None:

    class SubmittedJobs(BaseSubmititLauncher):
        """What both ways of submitting share. Its parameters are those of conf/hydra/launcher/submitit_*.yaml."""

        params: dict[str, Any]
        config: DictConfig
        place = "this machine"

        def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
            super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
            self.context = hydra_context
            folder = Path(config.hydra.sweep.dir)
            check_writable(folder, "outputs")
            self.record = SweeperRecord(folder)

        def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
            """Check these jobs, submit those that have something to do, and wait for them."""
            jobs = compose_jobs(
                self.context.config_loader, self.config, job_overrides, initial_job_idx, None, self.gpus()
            )
            study = open_study(jobs[0], sys.argv)
            study.jobs += jobs
            link(jobs, [])
            look_ahead(jobs)
            lack = first_lack(jobs, self.check(jobs)) or _not_at_once(jobs)
            if self.config.dry_run:
                print(listing(jobs), flush=True)
            if lack is not None:
                raise lack
            if not self.config.dry_run:
                self.run(jobs, job_overrides, study)
            return [_as_return(job) for job in jobs]

        def gpus(self) -> Any:
            """hydra.launcher.gpus, which `trainer.devices=auto` counts; None: those of other machines, which nobody here knows."""
            raise NotImplementedError

        def check(self, jobs: Sequence[Job]) -> Check:
            """What a job needs besides other runs."""
            raise NotImplementedError

        def run(self, jobs: Sequence[Job], job_overrides: Sequence[Sequence[str]], study: Study) -> None:
            """Submit, wait, and leave study.json and the page; the process ends with the sweep's exit code unless that is 0."""
            handles: dict[Job, Any] = {}
            for job, given in zip(jobs, job_overrides, strict=True):
                if job.finished() or job.stage_one_ended:
                    reason = job.reason or (job.status.reason if job.status else "")
                    _settle(
                        study,
                        job,
                        "skipped" if job.stage_one_ended or job.status is None else job.status.state,
                        reason,
                        "already ",
                    )
                else:
                    handles[job] = [*given, *(override for override in job.overrides if override not in given)]
            if handles:
                handles = dict(zip(handles, self.submit(list(handles.values())), strict=True))
                logs = ", ".join(str(handle.paths.folder) for handle in handles.values())
                print(
                    f"submitted to {self.place}: {len(handles)} of {len(jobs)} jobs; study: {study.folder}\nlogs: {logs}",
                    flush=True,
                )
            self.record.keep()
            self.wait(handles, study)
            study.write()
            study.write_page()
            print(study.summary(jobs), flush=True)
            if code := exit_code(jobs):
                sys.exit(code)

        def submit(self, job_overrides: Sequence[Sequence[str]]) -> list[Any]:
            """Hand them over as one array. Returns submitit's jobs; raises UserError where they are refused."""
            import submitit
            from hydra.core.singleton import Singleton

            own = {"submitit_folder", "max_num_timeout"}
            shared = {
                "timeout_min",
                "cpus_per_task",
                "gpus_per_node",
                "tasks_per_node",
                "mem_gb",
                "nodes",
                "name",
                "stderr_to_stdout",
            }
            start = {"folder": self.params["submitit_folder"]}
            if "max_num_timeout" in self.params:
                start[f"{self._EXECUTOR}_max_num_timeout"] = self.params["max_num_timeout"]
            executor = submitit.AutoExecutor(cluster=self._EXECUTOR, **start)
            asked = {key: value for key, value in self.params.items() if key not in own}
            executor.update_parameters(
                **{key if key in shared else f"{self._EXECUTOR}_{key}": value for key, value in asked.items()}
            )
            path = [str(PROJECT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
            os.environ["PYTHONPATH"] = os.pathsep.join(
                path
            )  # the job's interpreter finds us where we are not installed
            arguments = [
                (list(overrides), "hydra.sweep.dir", number, f"job_id_for_{number}", Singleton.get_state())
                for number, overrides in enumerate(job_overrides)
            ]
            try:
                return list(executor.map_array(self, *zip(*arguments, strict=True)))
            except submitit.core.utils.UncompletedJobError as error:  # what sbatch says
                raise UserError(f"{self.place} refused the jobs: {' '.join(str(error).split())}") from error

        def wait(self, handles: dict[Job, Any], study: Study) -> None:
            """Until every job has ended; each is told when it has."""
            waiting = dict(handles)
            while waiting:
                for job in [job for job, handle in waiting.items() if handle.done()]:
                    state, reason = _outcome(job, waiting.pop(job))
                    _settle(study, job, state, reason)
                if waiting:
                    time.sleep(POLL)

    class SubmittedLocal(SubmittedJobs):
        """All at once on this machine: a rehearsal."""

        _EXECUTOR = "local"

        def gpus(self) -> Any:
            return "auto"

        def check(self, jobs: Sequence[Job]) -> Check:
            """They share this machine's GPUs, of which submitit shows none without being asked."""
            met: set[Need] = set()
            devices = max(
                (job.config.trainer.devices for job in jobs if job.config.trainer.accelerator != "cpu"), default=0
            )
            gpus = usable_gpus() if devices else []
            if self.params.get("gpus_per_node") is None:
                self.params["gpus_per_node"] = min(devices, len(gpus))
            return lambda config: check_needs(config, gpus if asks_for_gpus(config.trainer) else [], met)

    class SubmittedSlurm(SubmittedJobs):
        """An array of SLURM jobs. What their nodes have beside the files, nobody knows on the login node."""

        _EXECUTOR = "slurm"
        place = "SLURM"

        def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
            missing = [tool for tool in ("sbatch", "srun") if shutil.which(tool) is None]
            if missing:
                raise UserError(
                    f"hydra/launcher=submitit_slurm needs {' and '.join(missing)}, which this machine does not have; give the command on a "
                    "login node of the cluster, or leave hydra/launcher= out to run the jobs here."
                )
            super().setup(hydra_context=hydra_context, task_function=task_function, config=config)

        def gpus(self) -> Any:
            return None

        def check(self, jobs: Sequence[Job]) -> Check:
            met: set[Need] = set()
            tasks = self.params.get("tasks_per_node")

            def check(config: Config) -> None:
                if tasks is not None and config.trainer.devices != tasks * self.params.get("nodes", 1):
                    raise UserError(
                        f"trainer.devices={config.trainer.devices}, but every job of the array gets hydra.launcher.tasks_per_node={tasks}; "
                        "sweep over numbers of devices with a command for each."
                    )
                check_elsewhere(config, met)

            return check


def _not_at_once(jobs: Sequence[Job]) -> UserError | None:
    """A job that has to wait for another one of the same array."""
    for job in jobs:
        if job.waits_for_stage_one():
            assert job.parent is not None
            return UserError(
                f"job {job.number} (stage=two) stands on job {job.parent.number}, and all jobs are submitted at once; give the command "
                "with stage=one, and with stage=two when that has ended."
            )
        if job.twin is not None and not job.finished():
            return UserError(
                f"job {job.number} is the same run as job {job.twin.number}, and all jobs are submitted at once; leave one of them out."
            )
    return None


def _outcome(job: Job, handle: Any) -> tuple[str, str]:
    """State and reason of a job that has ended: what its run folder says, unless that cannot be."""
    job.refresh()
    state, reason = (job.status.state, job.status.reason) if job.status else ("failed", "it left no status.json")
    try:
        _ = handle.results()[0].return_value  # raises what the job raised, or that it was killed
    except Exception as error:
        if state not in (
            "failed",
            "preempted",
        ):  # the record is of an earlier session, or of a process that could write no other
            lines = [line.strip() for line in str(error).splitlines() if line.strip(" -=")]
            state, reason = "failed", lines[-1] if lines else type(error).__name__
    return state, reason


def _settle(study: Study, job: Job, state: str, reason: str, before: str = "") -> None:
    job.refresh()
    job.state, job.reason = state, reason
    words = [f"{job.images:,} images"] if job.images else []
    words += [f"{key} {value:.3f}" for key, value in [*job.scores.items()][:1]]
    tail = "".join(f"; {text}" for text in (", ".join(words), reason) if text)
    already = before if state != "skipped" else ""
    print(f"[{job.number + 1}/{study.count}] {study.label(job)}: {already}{state}{tail}", flush=True)


def _as_return(job: Job) -> JobReturn:
    result = JobReturn(overrides=job.overrides, cfg=job.composed, hydra_cfg=job.composed.hydra)
    result.status = JobStatus.COMPLETED
    result.return_value = dict(job.status.scores) if job.status else {}
    return result
