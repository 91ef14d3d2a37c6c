"""Where numbers come from: the code, and the machine that ran it."""

import os
import platform
import re
import subprocess
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

from stackgan.config import PROJECT

CODE = ("src", "conf", "sweeps")  # what of the tree acts on a run
COMMIT_DIGITS = 12


@dataclass(frozen=True)
class Provenance:
    """What a run, a score or a generator was made by.

    Attributes:
        commit: of the code; "" where it is not in a git repository of its own.
        changed: whether src/, conf/ or sweeps/ differ from that commit; None where that is not known.
        device: by name.
        precision: as resolved.
        ranks: processes that share a batch.
        threads: of each of them.
    """

    commit: str
    changed: bool | None
    device: str
    precision: str
    ranks: int
    threads: int

    @classmethod
    def here(cls, device: torch.device, precision: str = "32-true", ranks: int = 1) -> "Provenance":
        """Of this process."""
        commit, changed = code_version(PROJECT)
        return cls(commit, changed, device_name(device), precision, ranks, torch.get_num_threads())

    def record(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@cache
def code_version(project: Path) -> tuple[str, bool | None]:
    """The commit of a checkout, 12 hex digits, and whether its code was changed since; ("", None) where it is none."""
    try:
        top, commit = _git(project, "rev-parse", "--show-toplevel", f"--short={COMMIT_DIGITS}", "HEAD").splitlines()
        if Path(top) != project.resolve():  # another project's repository, in which this one is installed
            return "", None
        return commit, bool(_git(project, "status", "--porcelain", "--", *CODE))
    except (OSError, subprocess.SubprocessError, ValueError):
        return "", None


def _git(project: Path, *arguments: str) -> str:
    command = ["git", "-C", str(project), *arguments]
    quiet = os.environ | {"GIT_OPTIONAL_LOCKS": "0"}  # to look must not write
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True, env=quiet).stdout.strip()


def device_name(device: torch.device) -> str:
    """The device as its maker calls it; of a processor also how many cores this process may use."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type != "cpu":
        return device.type
    return f"{processor_name()}, {available_cores()} cores"


@cache
def processor_name() -> str:
    """The model of the processor, or at least its architecture."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()


def available_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
