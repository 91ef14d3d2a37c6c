"""Which GPUs and how many CPU threads a job gets. Nothing here imports torch: it would take a context on the GPUs."""

import os
import re
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from stackgan.config import Config
from stackgan.errors import UserError
from stackgan.lifeline import LIFELINE

RANK_VARIABLES = ("LOCAL_RANK", "RANK", "GLOBAL_RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
SRUN_VARIABLES = ("SLURM_NTASKS", "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID")


def find_gpus(setting: Any, environment: Mapping[str, str]) -> list[str]:
    """The GPUs a sweep may use, as CUDA_VISIBLE_DEVICES names them.

    Args:
        setting: hydra.launcher.gpus: `auto`, or one GPU or a list of them (indices or UUIDs).
        environment: of the launcher. Under `auto` its CUDA_VISIBLE_DEVICES says which; without it, `nvidia-smi -L` does.
    """
    if setting != "auto":
        given = setting if isinstance(setting, Sequence) and not isinstance(setting, str) else str(setting).split(",")
        return [str(gpu).strip() for gpu in given if str(gpu).strip()]
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return _listed_gpus()
    gpus = [gpu.strip() for gpu in visible.split(",")]
    hidden = next((i for i, gpu in enumerate(gpus) if gpu in ("", "-1", "NoDevFiles")), len(gpus))
    return gpus[:hidden]  # CUDA too reads the list up to the first entry that is no GPU


def _listed_gpus() -> list[str]:
    try:
        listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return []
    if listing.returncode != 0:
        return []
    gpus: list[str] = []
    for line in listing.stdout.splitlines():
        if gpu := re.match(r"GPU (\d+):", line):
            gpus.append(gpu[1])
        elif part := re.search(r"UUID: (MIG-[^)\s]+)", line):  # a GPU in parts is used by its parts' names
            if gpus and gpus[-1].isdigit():
                gpus.pop()
            gpus.append(part[1])
    return gpus


def gpus_needed(config: Config, gpus: Sequence[str]) -> int:
    """How many GPUs a job of this configuration gets. Raises UserError where there are fewer."""
    trainer = config.trainer
    if trainer.accelerator == "cpu" or not gpus:
        return 0
    if trainer.devices > len(gpus):
        raise UserError(
            f"trainer.devices={trainer.devices} is more than the {len(gpus)} GPUs that the sweep may use "
            f"({', '.join(gpus)}); lower it, or name others with hydra.launcher.gpus=[...]."
        )
    return trainer.devices


class GpuDealer:
    """Gives each job the GPUs with the fewest jobs on them: its own ones while there are enough."""

    def __init__(self, gpus: Sequence[str]) -> None:
        self._jobs = Counter(dict.fromkeys(gpus, 0))

    def take(self, count: int) -> list[str]:
        chosen = sorted(self._jobs, key=self._jobs.__getitem__)[:count]  # stable: in the order they were named
        self._jobs.update(chosen)
        return chosen

    def give_back(self, gpus: Sequence[str]) -> None:
        self._jobs.subtract(gpus)


def job_environment(
    environment: Mapping[str, str], config: Config, gpus: Sequence[str], at_once: int
) -> dict[str, str]:
    """The environment of a job's process, of which `at_once` run at a time.

    Ranks of a process group around the launcher are none of the job's business; nor are tasks of srun, for one of which
    Lightning would take it. Jobs beside each other share the CPU's cores evenly unless OMP_NUM_THREADS says otherwise
    (`trainer.threads` goes before both).
    """
    result = {key: value for key, value in environment.items() if key not in RANK_VARIABLES + SRUN_VARIABLES}
    result |= {LIFELINE: "1", "PYTHONUNBUFFERED": "1"}  # unbuffered: the log of a killed job has its last words
    if gpus:
        result["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
    if at_once > 1:
        ranks = 1 if gpus else config.trainer.devices
        result.setdefault("OMP_NUM_THREADS", str(max(1, _cores() // (at_once * ranks))))
    return result


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
