"""Which GPUs and how many CPU threads a job gets."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence

from stackgan.config import Config
from stackgan.lifeline import LIFELINE

RANK_VARIABLES = ("LOCAL_RANK", "RANK", "GLOBAL_RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
SRUN_VARIABLES = ("SLURM_NTASKS", "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID")


def gpus_needed(config: Config, gpus: Sequence[str]) -> int:
    """How many GPUs a job of this configuration gets of those that the sweep may use."""
    return 0 if config.trainer.accelerator == "cpu" or not gpus else int(config.trainer.devices)


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
