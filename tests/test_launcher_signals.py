"""Stopping a sweep: by Ctrl-C, by a scheduler, and by kill -9 of the launcher itself."""

import os
import signal
import time
from pathlib import Path

import pytest

from hydra_plugins.isolated_launcher.warm import SUPPORTED
from launcher_support import Sweep, alive, until
from support import slow

SLOW = {0: "slow", 1: "slow"}


def running(sweep: Sweep) -> list[int]:
    """The processes of both jobs, once both have shown eight images."""

    def ready() -> bool:
        found = [*sweep.study.glob("*/status.json")] if sweep.study.exists() else []
        return len(found) == 2 and all(sweep.status(seed)["images"] == 8 for seed in (0, 1))

    until(ready)
    return [sweep.status(seed)["pid"] for seed in (0, 1)]


@pytest.mark.parametrize(
    ("number", "warm"),
    [
        (signal.SIGINT, False),
        *(slow(number, warm) for number in (signal.SIGTERM, signal.SIGHUP) for warm in (False, True)),
    ],
)
def test_a_signal_ends_the_jobs_which_save_first_and_the_same_command_goes_on(tmp_path, number, warm):
    sweep = Sweep(tmp_path, "seed=0,1,2", "jobs=2", ways=SLOW, warm=warm)
    launcher = sweep.start()
    jobs = running(sweep)
    os.killpg(launcher.pid, number)  # as a terminal does: also to what the launcher has beside it
    output, _ = launcher.communicate(timeout=300)
    assert launcher.returncode == 75, output
    assert sweep.states() == ["preempted", "preempted", "waiting"] and not sweep.record()["finished"]
    assert [sweep.status(seed)["state"] for seed in (0, 1)] == ["preempted", "preempted"]
    assert not any(alive(pid) for pid in jobs)
    if number == signal.SIGINT:
        again = Sweep(tmp_path, "seed=0,1,2", "jobs=2").run()
        assert again.code == 0 and again.states() == ["done"] * 3


@pytest.mark.parametrize("warm", [slow(False), True])
def test_a_second_signal_kills_jobs_that_do_not_end(tmp_path, warm):
    sweep = Sweep(tmp_path, "seed=0,1", "jobs=2", ways={0: "slow", 1: "deaf"}, warm=warm)
    launcher = sweep.start()
    running(sweep)
    launcher.send_signal(signal.SIGINT)
    until(lambda: sweep.states()[0] == "preempted")
    assert alive(sweep.status(1)["pid"])
    time.sleep(1.1)  # two signals within a second are one wish, passed on twice
    launcher.send_signal(signal.SIGINT)
    output, _ = launcher.communicate(timeout=300)
    assert launcher.returncode == 75, output
    assert sweep.states() == ["preempted", "preempted"] and sweep.status(1)["state"] == "preempted"
    assert not alive(sweep.status(1)["pid"])


@pytest.mark.parametrize("warm", [slow(False), True])
def test_jobs_save_and_end_when_their_launcher_is_killed(tmp_path, warm):
    sweep = Sweep(tmp_path, "seed=0,1", "jobs=2", ways=SLOW, warm=warm)
    launcher = sweep.start()
    jobs = running(sweep)
    launcher.kill()
    until(lambda: not any(alive(pid) for pid in jobs))
    launcher.wait()
    assert [sweep.status(seed)["state"] for seed in (0, 1)] == ["preempted", "preempted"]
    again = Sweep(tmp_path, "seed=0,1").run()
    assert again.code == 0 and again.states() == ["done", "done"]


def test_a_job_stopped_by_hand_does_not_end_the_sweep(tmp_path):
    sweep = Sweep(tmp_path, "seed=0,1,2", "jobs=2", ways=SLOW)
    launcher = sweep.start()
    first, second = running(sweep)
    os.kill(first, signal.SIGTERM)
    until(lambda: sweep.states()[2] == "done")
    os.kill(second, signal.SIGKILL)
    launcher.communicate(timeout=300)
    assert launcher.returncode == 1 and sweep.states() == ["preempted", "failed", "done"]
    assert not sweep.record()["finished"]  # the preempted one can go on


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.skipif(not SUPPORTED, reason="jobs are forked on Linux only")
@pytest.mark.slow
def test_a_killed_fork_server_costs_the_job_that_runs_and_the_next_one_has_another(tmp_path):
    sweep = Sweep(tmp_path, "seed=0,1", ways={0: "slow", 1: "short"}, warm=True)
    launcher = sweep.start()
    until(lambda: sweep.study.exists() and [*sweep.study.glob("*/status.json")] and sweep.status(0)["images"] == 8)
    job = sweep.status(0)["pid"]
    server = parent(job)
    assert server != launcher.pid and parent(server) == launcher.pid
    os.kill(server, signal.SIGKILL)
    output, _ = launcher.communicate(timeout=300)
    assert launcher.returncode == 1 and sweep.states() == ["failed", "done"], output
    assert not alive(job) and sweep.status(0)["images"] == 8
