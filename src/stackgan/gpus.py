"""Which GPUs there are, found without torch: it would take a context on them."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from stackgan.errors import UserError

ALL = ("auto", -1, "-1")  # trainer.devices: as many as there are
UNLISTED = (
    "kfd",
    "dxg",
    "nvhost-gpu",
    "nvidia0",
)  # in /dev: GPUs that nvidia-smi may not know, of AMD, WSL, Jetson or a bare container


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


def usable_gpus(setting: Any = "auto") -> list[str]:
    """The same, and where nvidia-smi lists none those that torch says there are: AMD's, Apple's."""
    found = find_gpus(setting, os.environ)
    hidden = setting != "auto" or "CUDA_VISIBLE_DEVICES" in os.environ
    if found or hidden or not _unlisted():
        return found
    return [str(index) for index in range(_torch_count())]


def check_named(setting: Any) -> None:
    """Refuse GPUs named for a sweep (hydra.launcher.gpus) on a machine without any. Raises UserError."""
    if setting == "auto" or _listed_gpus() or _unlisted():
        return
    raise UserError(f"hydra.launcher.gpus={setting} names GPUs, and this machine has none; leave it out.")


def gpus_here() -> list[str]:
    """`usable_gpus` of this process, looked up once: hundreds of runs are asked about in a moment."""
    return list(_gpus_of(os.environ.get("CUDA_VISIBLE_DEVICES"), os.environ.get("PATH")))


@cache
def _gpus_of(visible: str | None, path: str | None) -> tuple[str, ...]:
    return tuple(usable_gpus())


def device_count(devices: Any, accelerator: str, setting: Any = "auto") -> int:
    """`trainer.devices` as a number; `auto` and -1 are all GPUs, or one CPU. Raises UserError for anything else."""
    if devices in ALL and not isinstance(devices, bool):
        return 1 if accelerator == "cpu" else max(1, len(usable_gpus(setting)))
    try:
        if isinstance(devices, int | str) and not isinstance(devices, bool):
            return int(devices)
    except ValueError:
        pass
    raise UserError(
        f"trainer.devices={devices} must be a number, or auto for all there are; CUDA_VISIBLE_DEVICES=0,2 chooses GPUs."
    )


def check_gpus(accelerator: str, devices: int, gpus: Sequence[str]) -> None:
    """Refuse GPUs that are not there. Raises UserError.

    Args:
        gpus: those at hand. Without any, `accelerator=auto` takes the CPU.
    """
    if accelerator == "gpu" and not gpus:
        hidden = (
            f" (CUDA_VISIBLE_DEVICES={os.environ['CUDA_VISIBLE_DEVICES']!r})"
            if "CUDA_VISIBLE_DEVICES" in os.environ
            else ""
        )
        raise UserError(
            f"trainer.accelerator=gpu needs a GPU, and none is visible here{hidden}; take trainer=cpu, or trainer=auto, which takes a "
            "GPU where there is one."
        )
    if accelerator != "cpu" and gpus and devices > len(gpus):
        raise UserError(
            f"trainer.devices={devices} is more than the {len(gpus)} at hand (GPU {', '.join(gpus)}); lower it, take trainer.devices=auto "
            "or trainer.accelerator=cpu, or name more GPUs with CUDA_VISIBLE_DEVICES (a sweep: hydra.launcher.gpus=[...])."
        )


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


def _unlisted() -> bool:
    """Whether there may be GPUs that nvidia-smi does not know."""
    return sys.platform == "darwin" or any(Path("/dev", name).exists() for name in UNLISTED)


def _torch_count() -> int:
    """Asked in a process of its own."""
    question = "import torch; print(torch.accelerator.device_count())"
    try:
        answer = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True, timeout=120)
        return int(answer.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return 0
