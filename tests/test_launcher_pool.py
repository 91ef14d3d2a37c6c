"""The pool without processes: which jobs it starts when, with what, and what it says of their ends."""

import os
import signal
from types import SimpleNamespace

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.types import RunMode

from hydra_plugins.isolated_launcher import pool as module
from hydra_plugins.isolated_launcher.jobs import compose_jobs, link
from hydra_plugins.isolated_launcher.pool import Pool
from stackgan.config import PROJECT, register
from stackgan.run_directory import Status


class Machine:
    """In the place of processes: each lives for `life` looks at it and ends as `ends` says of its seed."""

    def __init__(self, ends=None, life=2):
        self.ends, self.life = ends or {}, life
        self.started, self.warm, self.gpus, self.most = [], [], [], 0
        self.running, self.said, self.pages, self.stopped, self.killed = [], [], 0, [], []
        self.on_look = lambda: None

    def start(self, command, environment, log, warm):
        return Process(self, command, environment, log, warm)

    def study(self, jobs):
        def page():
            self.pages += 1

        return SimpleNamespace(
            write=lambda: None, write_page=page, count=len(jobs), label=lambda job: f"seed={job.config.seed}"
        )

    def run(self, jobs, size=1, on_failure="continue", gpus=(), patience=0.0, warm=False):
        display = SimpleNamespace(update=lambda jobs: None, say=self.said.append)
        pool = Pool(self.study(jobs), display, ["train"], size, on_failure, gpus, patience, warm)
        pool.run(jobs)
        return pool


class Process:
    def __init__(self, machine, command, environment, log, warm):
        self.machine, self.command, self.looks = machine, command, 0
        self.seed = next(word for word in command if word.startswith("seed=")).partition("=")[2]
        self.log, self.log_start = log, 0
        if machine.ends.get(self.seed) == "no room":
            raise OSError("no space left on device")
        machine.started.append(self.seed)
        machine.warm.append(warm)
        machine.gpus.append(environment.get("CUDA_VISIBLE_DEVICES"))
        machine.running.append(self)
        machine.most = max(machine.most, len(machine.running))

    def ended(self):
        self.machine.on_look()
        self.looks += 1
        if self.looks < self.machine.life and self.seed not in self.machine.stopped + self.machine.killed:
            return None
        self.machine.running.remove(self)
        return 0

    def outcome(self, code, folder):
        state = self.machine.ends.get(self.seed, "done")
        scores = {"kid": 1.25, "kid/test": 9.0} if state == "done" else {}
        status = Status(state, reason="" if state == "done" else "as it was told", images=1234, scores=scores)
        folder.mkdir(parents=True, exist_ok=True)
        status.write(folder)
        return status

    def last_lines(self, count):
        return ["out of birds"]

    def ask_to_stop(self):
        self.machine.stopped.append(self.seed)

    def kill(self):
        self.machine.killed.append(self.seed)


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    Plugins.instance()  # Hydra runs the plugin's modules once more when it first looks for them
    monkeypatch.setattr(module, "POLL", 0)
    register()

    def make(*choices):
        with initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"):
            loader = GlobalHydra.instance().config_loader()
            master = loader.load_configuration("config", [], RunMode.MULTIRUN)
            given = [["scale=tiny", "study=s", f"outputs={tmp_path}", *choice.split()] for choice in choices]
            made = compose_jobs(loader, master, given, 0, None)
        link(made, [])
        return made

    return make


@pytest.fixture
def machine(monkeypatch):
    def make(*arguments, **settings):
        made = Machine(*arguments, **settings)
        monkeypatch.setattr(module, "JobProcess", made.start)
        return made

    return make


@pytest.mark.parametrize("size", [1, 2, 5])
def test_as_many_run_at_a_time_as_there_is_room_for_in_their_order(jobs, machine, size):
    here, made = machine(), jobs("seed=0", "seed=1", "seed=2", "seed=3")
    here.run(made, size)
    assert here.started == ["0", "1", "2", "3"] and here.most == min(size, 4)
    assert [job.state for job in made] == ["done"] * 4 and here.pages >= 1


def test_what_has_become_of_a_job_is_one_line(jobs, machine):
    here = machine({"1": "failed", "2": "diverged"})
    here.run(jobs("seed=0", "seed=1", "seed=2"))
    assert here.said[0] == "[1/3] seed=0: running"
    assert here.said[1] == "[1/3] seed=0: done; after 0 s, 1,234 images, kid 1.250"  # nothing of test captions
    assert here.said[3] == "[2/3] seed=1: failed; after 0 s, 1,234 images; as it was told"
    assert here.said[4].endswith("log.txt\n    | out of birds") and "diverged" in here.said[6] and len(here.said) == 7


@pytest.mark.parametrize(
    ("on_failure", "end", "started"),
    [("continue", "failed", "01"), ("stop", "failed", "0"), ("stop", "diverged", "01"), ("stop", "preempted", "01")],
)
def test_a_failure_alone_stops_a_sweep_that_is_to_stop(jobs, machine, on_failure, end, started):
    here, made = machine({"0": end}), jobs("seed=0", "seed=1")
    here.run(made, on_failure=on_failure)
    assert here.started == list(started) and made[1].state == ("done" if len(started) == 2 else "waiting")


def test_a_process_that_cannot_be_started_costs_its_job_alone_and_gives_its_gpu_back(jobs, machine):
    here, made = machine({"0": "no room"}), jobs("seed=0", "seed=1", "seed=2")
    here.run(made, gpus=["4", "5"], size=2)
    assert [job.state for job in made] == ["failed", "done", "done"] and "no space left" in made[0].reason
    assert here.gpus == ["4", "5"]


def test_gpus_are_dealt_again_and_no_job_on_one_is_forked(jobs, machine):
    here = machine()
    here.run(jobs("seed=0", "seed=1", "seed=2"), gpus=["4", "5"], warm=True)
    assert here.gpus == ["4"] * 3 and here.warm == [False] * 3
    without = machine()
    without.run(jobs("seed=5", "seed=6"), warm=True)
    assert without.warm == [True] * 2


@pytest.mark.parametrize(("patience", "state"), [(600.0, "done"), (0.0, "skipped")])
def test_a_run_that_another_process_trains_is_waited_for_as_long_as_patience_goes(
    jobs, machine, monkeypatch, patience, state
):
    here, made = machine(life=3), jobs("seed=0", "seed=1")
    made[0].find()
    made[0].folder.mkdir(parents=True)
    looks = []

    def locked(folder):  # for eight looks
        looks.append(folder)
        return folder == made[0].folder and len(looks) < 8

    monkeypatch.setattr(module, "is_running", locked)
    here.run(made, patience=patience)
    assert made[0].state == state and made[1].state == "done" and here.started[0] == "1"
    assert state == "done" or "another process trains it" in made[0].reason


def test_a_signal_is_passed_on_and_nothing_more_is_started(jobs, machine):
    here, made = machine({"0": "preempted"}, life=1000), jobs("seed=0", "seed=1")
    here.on_look = lambda: None if here.stopped else os.kill(os.getpid(), signal.SIGHUP)
    before = signal.getsignal(signal.SIGHUP)
    signal.signal(signal.SIGHUP, lambda *_: None)
    try:
        assert here.run(made).interrupted
    finally:
        signal.signal(signal.SIGHUP, before)
    assert here.started == ["0"] and not here.killed and [job.state for job in made] == ["preempted", "waiting"]


def test_a_hangup_that_is_ignored_stays_so(jobs, machine):
    here = machine()
    here.on_look = lambda: os.kill(os.getpid(), signal.SIGHUP)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nohup
    try:
        assert not here.run(jobs("seed=0")).interrupted
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(("later", "killed"), [(0.5, []), (1.5, ["0"])])
def test_a_second_signal_kills_where_it_is_no_echo_of_the_first(jobs, machine, monkeypatch, later, killed):
    """Wrappers such as make pass the same Ctrl-C on once more."""
    here, now, sent = machine(life=6), [100.0], []
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(Process, "ask_to_stop", lambda self: None)  # it does not listen

    def signals():
        if len(sent) < 2:
            now[0] += later * len(sent)
            sent.append(1)
            os.kill(os.getpid(), signal.SIGTERM)

    here.on_look = signals
    here.run(jobs("seed=0"))
    assert here.killed == killed


def test_the_arguments_of_a_process_are_the_jobs_own(jobs, machine, monkeypatch):
    here, commands = machine(), []
    start = module.JobProcess
    monkeypatch.setattr(module, "JobProcess", lambda command, *rest: commands.append(command) or start(command, *rest))
    here.run(jobs("seed=0 jobs=3 dry_run=false on_failure=stop loss=wgan"))
    (command,) = commands
    assert command[0] == "train" and command[-1] == "hydra.mode=RUN" and {"seed=0", "loss=wgan"} <= set(command)
    assert not [word for word in command if word.startswith(("jobs=", "dry_run=", "on_failure="))]
