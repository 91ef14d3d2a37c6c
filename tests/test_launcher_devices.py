"""How a sweep shares GPUs and CPU threads among its jobs. No GPU is needed: `nvidia-smi` is a script."""

import os
from pathlib import Path

import pytest

from hydra_plugins.isolated_launcher.devices import GpuDealer
from launcher_support import Sweep
from stackgan.gpus import find_gpus


@pytest.fixture
def nvidia_smi(tmp_path: Path, monkeypatch):
    """Let `nvidia-smi -L` print this."""

    def lists(text: str, code: int = 0) -> None:
        script = tmp_path / "bin" / "nvidia-smi"
        script.parent.mkdir(exist_ok=True)
        script.write_text(f"#!/bin/sh\n[ \"$1\" = -L ] || exit 9\ncat <<'END'\n{text}\nEND\nexit {code}\n")
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")

    return lists


def test_auto_means_the_gpus_that_are_visible(nvidia_smi):
    nvidia_smi("GPU 0: Some card (UUID: GPU-aa)\nGPU 1: Some card (UUID: GPU-bb)")
    assert find_gpus("auto", {}) == ["0", "1"]
    assert find_gpus("auto", {"CUDA_VISIBLE_DEVICES": "3, 5"}) == ["3", "5"]
    assert find_gpus("auto", {"CUDA_VISIBLE_DEVICES": "GPU-bb"}) == ["GPU-bb"]
    assert find_gpus("auto", {"CUDA_VISIBLE_DEVICES": "2,-1,3"}) == ["2"]
    assert find_gpus("auto", {"CUDA_VISIBLE_DEVICES": ""}) == []


def test_parts_of_a_gpu_are_used_by_their_names(nvidia_smi):
    nvidia_smi(
        "GPU 0: A (UUID: GPU-aa)\n  MIG 1g Device 0: (UUID: MIG-x)\n  MIG 1g Device 1: (UUID: MIG-y)\nGPU 1: B (UUID: GPU-bb)"
    )
    assert find_gpus("auto", {}) == ["MIG-x", "MIG-y", "1"]


def test_no_driver_means_no_gpu(nvidia_smi, monkeypatch):
    nvidia_smi("NVIDIA-SMI has failed", code=9)
    assert find_gpus("auto", {}) == []
    monkeypatch.setenv("PATH", "/nowhere")
    assert find_gpus("auto", {}) == []


@pytest.mark.parametrize("setting", ["0,2", ["0", "2"], [0, 2]])
def test_gpus_can_be_named(setting):
    assert find_gpus(setting, {"CUDA_VISIBLE_DEVICES": "7"}) == ["0", "2"]
    assert find_gpus(3, {}) == ["3"]


def test_gpus_are_a_jobs_own_while_there_are_enough_and_shared_evenly_beyond():
    dealer = GpuDealer(["0", "1", "2"])
    first, second = dealer.take(2), dealer.take(1)
    assert (first, second) == (["0", "1"], ["2"])
    assert dealer.take(2) == ["0", "1"]
    dealer.give_back(first)
    dealer.give_back(["0", "1"])
    assert set(dealer.take(2)) == {"0", "1"}


@pytest.mark.slow
def test_each_job_of_a_pool_gets_gpus_and_gives_them_back(tmp_path):
    gpus = {"CUDA_VISIBLE_DEVICES": "4,5"}
    ways = {0: "until-2", 1: "short"}
    sweep = Sweep(tmp_path, "seed=0,1,2", "jobs=2", ways=ways, **gpus).run()
    seen = [sweep.environment(seed)["CUDA_VISIBLE_DEVICES"] for seed in (0, 1, 2)]
    assert seen == ["4", "5", "5"], sweep.output
    assert "on GPU 4" in sweep.output


def test_a_job_of_several_devices_gets_as_many_gpus_and_one_on_the_cpu_none(tmp_path):
    gpus = {"CUDA_VISIBLE_DEVICES": "4,5"}
    choices = ["trainer=ddp,cpu", "trainer.devices=2", "seed=0", "norm=group", "trainer.precision=32-true"]
    sweep = Sweep(tmp_path, *choices, **gpus).run()
    assert "trainer=ddp: running; on GPU 4, 5" in sweep.output
    assert (
        "trainer=cpu: already done" in sweep.output
    )  # the same run: without batch norm devices do not decide what is learned
    assert sweep.environment(0)["CUDA_VISIBLE_DEVICES"] == "4,5"


def test_more_devices_than_gpus_is_one_sentence_before_anything_starts(tmp_path):
    sweep = Sweep(tmp_path, "seed=0,1", "trainer=ddp", "trainer.devices=4", CUDA_VISIBLE_DEVICES="0,1").run()
    assert sweep.code == 2 and len(sweep.output.strip().splitlines()) == 1
    assert "trainer.devices=4" in sweep.output and not sweep.study.exists()


@pytest.mark.slow
def test_jobs_beside_each_other_share_the_cores_unless_told_otherwise(tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    cores = len(os.sched_getaffinity(0))
    pool = Sweep(tmp_path / "a", "seed=0,1", "jobs=2").run()
    assert {pool.environment(seed)["OMP_NUM_THREADS"] for seed in (0, 1)} == {str(max(1, cores // 2))}
    alone = Sweep(tmp_path / "b", "seed=0").run()
    assert "OMP_NUM_THREADS" not in alone.environment(0)
    told = Sweep(tmp_path / "c", "seed=0,1", "jobs=2", OMP_NUM_THREADS="7").run()
    assert told.environment(1)["OMP_NUM_THREADS"] == "7"


def test_ranks_around_the_launcher_are_none_of_the_jobs_business(tmp_path):
    ranks = {
        "RANK": "0",
        "LOCAL_RANK": "0",
        "WORLD_SIZE": "1",
        "MASTER_ADDR": "x",
        "SLURM_NTASKS": "4",
        "SLURM_PROCID": "0",
    }
    sweep = Sweep(tmp_path, "seed=0", **ranks).run()
    assert not ranks.keys() & sweep.environment(0).keys()
