"""Studies on a cluster, through submitit: what is asked of SLURM, and real runs as submitit's local jobs."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from launcher_support import until
from stackgan.config import PROJECT
from stackgan.run_directory import lock_run
from support import TINY

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("hydra_plugins.hydra_submitit_launcher") is None,
    reason="needs hydra-submitit-launcher (the extra `sweep`)",
)


def command(cache, tmp_path, *arguments):
    settings = [*TINY, f"data.cache={cache}", f"outputs={tmp_path / 'outputs'}", "study=s", *arguments]
    return [sys.executable, str(PROJECT / "src/train.py"), "-m", *settings]


def statuses(tmp_path):
    return [json.loads(path.read_text()) for path in sorted((tmp_path / "outputs/s").glob("*/status.json"))]


def test_slurm_is_asked_for_one_array_with_a_task_for_each_device_and_a_signal_before_the_limit(cache, tmp_path):
    """A stand-in for sbatch keeps the script it is given and refuses it."""
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "sbatch").write_text(
        f'#!/bin/sh\ncp "$1" {tmp_path}/script\necho "sbatch: error: invalid partition" >&2\nexit 1\n'
    )
    (tools / "srun").write_text("#!/bin/sh\nexit 1\n")
    for tool in tools.iterdir():
        tool.chmod(0o755)
    asked = ["hydra/launcher=submitit_slurm", "hydra.launcher.partition=gpu", "hydra.launcher.timeout_min=90"]
    environment = os.environ | {"PATH": f"{tools}:{os.environ['PATH']}"}
    result = subprocess.run(
        command(cache, tmp_path, *asked, "trainer.devices=2", "seed=0,1,2"),
        env=environment,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2, result.stderr
    assert result.stderr.strip().splitlines()[-1] == "SLURM refused the jobs: sbatch: error: invalid partition"
    lines = (tmp_path / "script").read_text().splitlines()
    options = dict(line.removeprefix("#SBATCH --").partition("=")[::2] for line in lines if line.startswith("#SBATCH"))
    assert (options["array"], options["partition"], options["time"]) == ("0-2%3", "gpu", "90")
    assert (options["ntasks-per-node"], options["gpus-per-node"], options["nodes"]) == ("2", "2", "1")
    assert options["signal"] == "USR2@180" and options["requeue"] == "" and options["open-mode"] == "append"


@pytest.mark.slow
def test_jobs_of_submitit_train_and_the_same_command_skips_them(cache, tmp_path):
    arguments = ["hydra/launcher=submitit_local", "images=16", "seed=0,1"]
    first = subprocess.run(command(cache, tmp_path, *arguments), capture_output=True, text=True)
    assert first.returncode == 0, first.stderr
    assert [status["state"] for status in statuses(tmp_path)] == ["done", "done"]
    assert "submitted to this machine: 2 of 2 jobs" in first.stdout and "/.hydra/.submitit/" in first.stdout
    assert "seed=0: done; 16 images" in first.stdout and not first.stderr
    jobs = json.loads((tmp_path / "outputs/s/study.json").read_text())["jobs"]
    assert [job["state"] for job in jobs] == ["done", "done"]
    again = subprocess.run(command(cache, tmp_path, *arguments), capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("already done") == 2 and "submitted" not in again.stdout


@pytest.mark.slow
def test_one_job_of_submitit_that_fails_costs_only_itself(cache, tmp_path):
    arguments = ["hydra/launcher=submitit_local", "images=16", "seed=0,1"]
    assert subprocess.run(command(cache, tmp_path, *arguments), capture_output=True).returncode == 0
    (folder,) = [path for path in (tmp_path / "outputs/s").iterdir() if "seed=1" in path.name]
    with lock_run(folder):
        longer = [*arguments[:1], "images=32", *arguments[2:]]
        result = subprocess.run(command(cache, tmp_path, *longer), capture_output=True, text=True)
    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert "seed=0: done; 32 images" in result.stdout and "seed=1: failed; 16 images" in result.stdout
    assert "is being trained by process" in result.stdout


@pytest.mark.slow
def test_a_job_told_that_its_time_is_up_saves_is_requeued_and_goes_on(cache, tmp_path):
    arguments = ["hydra/launcher=submitit_local", "images=2048", "seed=0", "hydra.launcher.timeout_min=60"]
    process = subprocess.Popen(command(cache, tmp_path, *arguments), stderr=subprocess.PIPE, text=True)
    until(lambda: any(8 <= status["images"] < 1024 for status in statuses(tmp_path)), seconds=3600)
    os.kill(statuses(tmp_path)[0]["pid"], signal.SIGUSR2)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    (status,) = statuses(tmp_path)
    assert (status["state"], status["images"]) == ("done", 2048)
    assert any("went on" in event["sentence"] and event["images"] > 0 for event in status["events"])
    (log,) = Path(tmp_path / "outputs/.hydra/.submitit").glob("*/*_log.out")
    assert log.read_text().count("Starting with JobEnvironment") == 2 and "Requeued job" in log.read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["hydra/launcher=submitit_local", "stage=two", "seed=0"],
            ["job 0 (", "stage_one=auto found no finished Stage-I run"],
        ),
        (["hydra/launcher=submitit_local", "stage=one,two", "seed=0"], ["job 1 (stage=two) stands on job 0"]),
        (["hydra/launcher=submitit_local", "health=off,warn"], ["job 1 is the same run as job 0"]),
        (["hydra/launcher=submitit_local", "data.classes=900", "seed=0"], ["job 0 (", "data.classes=900"]),
        (["hydra/launcher=submitit_slurm", "seed=0,1"], ["sbatch and srun", "login node"]),
    ],
    ids=lambda value: " ".join(value[:2]),
)
def test_what_cannot_be_is_told_before_anything_is_submitted(cache, tmp_path, arguments, words):
    environment = os.environ | {"PATH": "/nowhere"}
    result = subprocess.run(command(cache, tmp_path, *arguments), env=environment, capture_output=True, text=True)
    assert result.returncode == 2 and len(result.stderr.strip().splitlines()) == 1, result.stderr
    for word in words:
        assert word in result.stderr
    assert not (tmp_path / "outputs").exists()
