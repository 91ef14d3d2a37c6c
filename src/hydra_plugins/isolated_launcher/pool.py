"""Runs the jobs of a sweep, several at a time, each in a process of its own, and passes signals on to them."""

import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Literal

from hydra_plugins.isolated_launcher.devices import GpuDealer, gpus_needed, job_environment
from hydra_plugins.isolated_launcher.jobs import Job
from hydra_plugins.isolated_launcher.process import JobProcess
from hydra_plugins.isolated_launcher.study import Study
from hydra_plugins.isolated_launcher.table import Display
from stackgan.errors import UserError
from stackgan.run_directory import is_running

POLL = 0.2  # seconds between two looks at the processes
LAST_LINES = 8  # of a failed job's log


@dataclass
class Running:
    job: Job
    process: JobProcess
    gpus: list[str]
    started: float = field(default_factory=time.monotonic)


class Pool:
    """Keeps `size` jobs running, in their order, Stage II after its Stage I.

    Args:
        command: what starts a job, before its overrides.
        on_failure: `stop` starts no further job once one has failed; those that run go on.
        gpus: dealt out by CUDA_VISIBLE_DEVICES.
        patience: seconds that a job waits for a process which trains its run already: one of a launcher just killed.
        warm: whether jobs are forked from a process that has imported the libraries. Never those on GPUs: a driver that an import
            has started does not survive a fork.

    Attributes:
        interrupted: whether a signal has ended the sweep.
    """

    def __init__(
        self,
        study: Study,
        display: Display,
        command: Sequence[str],
        size: int,
        on_failure: Literal["continue", "stop"],
        gpus: Sequence[str],
        patience: float,
        warm: bool,
    ) -> None:
        self.study, self.display, self.command = study, display, list(command)
        self.size, self.on_failure, self.gpus, self.patience = size, on_failure, gpus, patience
        self.warm = warm and not gpus
        self.interrupted = False
        self._dealer = GpuDealer(gpus)
        self._running: list[Running] = []
        self._locked: dict[int, float] = {}  # job -> when another process was first seen in its run folder
        self._first_signal = 0.0

    def run(self, jobs: Sequence[Job]) -> None:
        """Run them to their ends. A signal ends those that run, which save first; no exception leaves one behind."""
        with self._signals():
            try:
                while self._step(jobs):
                    time.sleep(POLL)
            finally:
                self._stop()
                while self._running:
                    self._collect()
                    time.sleep(POLL)

    def _step(self, jobs: Sequence[Job]) -> bool:
        """Look once at everything. False: nothing runs and nothing is left to start."""
        changed = self._collect()
        halted = self.interrupted or self._stopped_by_failure(jobs)
        if not halted:
            changed |= self._start(jobs)
        for running in self._running:
            running.job.refresh()
        self.display.update(jobs)
        if changed:
            self.study.write_page()
        return bool(self._running) or (not halted and any(job.state == "waiting" for job in jobs))

    def _stopped_by_failure(self, jobs: Sequence[Job]) -> bool:
        return self.on_failure == "stop" and any(job.state == "failed" for job in jobs)

    def _start(self, jobs: Sequence[Job]) -> bool:
        """Start or settle what can be. Returns whether a job was settled without a process."""
        settled = False
        for job in jobs:
            if self.interrupted or len(self._running) >= self.size:
                break
            if job.state == "waiting" and not job.blocked():
                settled |= self._begin(job)
        return settled

    def _begin(self, job: Job) -> bool:
        """Start a job's process. Returns True where it needs none."""
        try:
            if job.parent is not None and job.parent.state != "done":
                raise UserError(
                    f"its Stage I, {job.parent.name}, is {job.parent.state}: {job.parent.reason}".rstrip(": ")
                )
            job.find()
            assert job.folder is not None
            if job.finished():
                assert job.status is not None
                return self._settle(job, job.status.state, job.status.reason, "already ")
            if is_running(job.folder) and not self._waited_enough(job):
                return False
            if is_running(job.folder):
                raise UserError(f"another process trains it already: {job.folder}")
            self._launch(job)
        except UserError as error:
            return self._settle(job, "skipped", str(error))
        except OSError as error:  # no room for the log, or for one more process
            return self._settle(job, "failed", str(error))
        return False

    def _waited_enough(self, job: Job) -> bool:
        return time.monotonic() - self._locked.setdefault(job.number, time.monotonic()) > self.patience

    def _launch(self, job: Job) -> None:
        assert job.log is not None
        gpus = self._dealer.take(gpus_needed(job.config, self.gpus))
        try:
            environment = job_environment(os.environ, job.config, gpus, self.size)
            process = JobProcess([*self.command, *job.arguments, "hydra.mode=RUN"], environment, job.log, self.warm)
        except OSError:
            self._dealer.give_back(gpus)
            raise
        self._running.append(Running(job, process, gpus))
        job.log_start = process.log_start
        if self.interrupted:  # the signal came while the process was being started
            process.ask_to_stop()
        self._change(job, "running", "", f"on GPU {', '.join(gpus)}" if gpus else "")

    def _collect(self) -> bool:
        """Settle the jobs whose processes have ended; returns whether there was one."""
        ended = [(running, code) for running in self._running if (code := running.process.ended()) is not None]
        for running, code in ended:
            self._running.remove(running)
            self._dealer.give_back(running.gpus)
            job = running.job
            assert job.folder is not None
            job.status = running.process.outcome(code, job.folder)
            self._settle(job, job.status.state, job.status.reason, after=time.monotonic() - running.started)
            if job.state == "failed":
                lines = [f"    | {line}" for line in running.process.last_lines(LAST_LINES)]
                self.display.say("\n".join([f"    its output: {running.process.log}", *lines]))
        return bool(ended)

    def _settle(self, job: Job, state: str, reason: str, before: str = "", after: float | None = None) -> bool:
        job.refresh()
        words = [f"after {after:.0f} s"] if after is not None else []
        words += [f"{job.images:,} images"] if job.images else []
        words += [f"{key} {value:.3f}" for key, value in job.scores.items()]
        self._change(job, state, reason, ", ".join(words), before)
        return True

    def _change(self, job: Job, state: str, reason: str, words: str = "", before: str = "") -> None:
        job.state, job.reason = state, reason
        self.study.write()
        tail = "".join(f"; {text}" for text in (words, reason) if text)
        self.display.say(f"[{job.number + 1}/{self.study.count}] {self.study.label(job)}: {before}{state}{tail}")

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Pass SIGINT, SIGTERM and a closed terminal on to the jobs while inside; a second one kills them."""
        if threading.current_thread() is not threading.main_thread():  # Python lets no other thread handle signals
            yield
            return
        wanted = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
        before: dict[int, Any] = {
            number: signal.signal(number, self._on_signal)
            for number in wanted
            if signal.getsignal(number) != signal.SIG_IGN  # nohup: stays ignored
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if not self.interrupted:
            self.interrupted, self._first_signal = True, time.monotonic()
            self._stop()
        elif time.monotonic() - self._first_signal > 1:  # wrappers such as make or uv pass the same Ctrl-C on once more
            for running in self._running:
                running.process.kill()

    def _stop(self) -> None:
        for running in self._running:
            running.process.ask_to_stop()
