"""Sweeps of real runs whose jobs are process groups themselves: two ranks each."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from launcher_support import alive, until
from stackgan.config import PROJECT
from stackgan.evaluation.feature_networks import efflite0_path
from support import TINY

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(efflite0_path() is None, reason="the package of requirements/offline.txt is not installed"),
]
RANKS = ["trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu", "trainer.precision=32-true"]


def group_of(leader: int) -> list[int]:
    """The processes of a job."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == leader:
            found.append(int(path.parent.name))
    return found


def test_a_killed_rank_costs_its_own_job_and_ctrl_c_saves_both_ranks_of_the_next(tmp_path, cache):
    settings = [*TINY, *RANKS, f"data.cache={cache}", f"outputs={tmp_path}", "study=s", "images=400000", "seed=0,1,2"]
    command = [sys.executable, str(PROJECT / "src" / "train.py"), "-m", *settings]
    launcher = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def training(seed: int) -> dict:
        (folder,) = [*(tmp_path / "s").glob(f"*seed={seed}[,-]*")] or [None]
        try:
            status = json.loads((folder / "status.json").read_text())
        except (OSError, TypeError):
            return {}
        return status if status["state"] == "running" and status["images"] > 0 else {}

    until(lambda: training(0), 600)
    first = training(0)["pid"]
    (rank,) = [pid for pid in group_of(first) if pid != first]
    subprocess.run(["kill", "-9", str(rank)], check=True)
    until(lambda: training(1), 600)
    second = group_of(training(1)["pid"])
    assert len(second) == 2 and not group_of(first)
    launcher.send_signal(signal.SIGINT)
    output, _ = launcher.communicate(timeout=600)
    assert launcher.returncode == 75, output
    jobs = json.loads((tmp_path / "s" / "study.json").read_text())["jobs"]
    assert [job["state"] for job in jobs] == ["failed", "preempted", "waiting"], output
    assert jobs[1]["images"] > 0 and not any(alive(pid) for pid in second)
    assert (tmp_path / "s" / jobs[1]["folder"] / "checkpoints" / "last.ckpt").exists()
