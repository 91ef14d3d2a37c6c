"""Sweeps of stub_training.py through the real launcher, as a person starts them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from stackgan.config import PROJECT

STUB = [sys.executable, str(PROJECT / "tests" / "stub_training.py"), "-m", "scale=tiny", "study=s", "images=16"]
CPU = {"CUDA_VISIBLE_DEVICES": ""}


class Sweep:
    """A sweep whose study is `<outputs>/s`.

    Args:
        ways: what each seed does wrong (see stub_training.py).
        warm: whether jobs are forked; the stub needs no library, so starting from nothing is the faster way for it.
        environment: beside this process's own.
    """

    def __init__(
        self,
        outputs: Path,
        *arguments: str,
        ways: Mapping[int, str] | None = None,
        warm: bool = False,
        **environment: str,
    ) -> None:
        self.study = outputs / "s"
        self._environment = os.environ | CPU | {"STUB": json.dumps(ways or {})} | environment
        self._command = [*STUB, f"outputs={outputs}", f"hydra.launcher.warm={warm}", *arguments]
        self.output, self.code = "", -1

    def run(self) -> "Sweep":
        """To its end."""
        result = subprocess.run(
            self._command,
            env=self._environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=600,
        )
        self.output, self.code = result.stdout, result.returncode
        return self

    def start(self) -> "subprocess.Popen[str]":
        """In the background, in a session of its own as in a terminal."""
        return subprocess.Popen(
            self._command,
            env=self._environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def record(self) -> dict[str, Any]:
        """study.json"""
        return json.loads((self.study / "study.json").read_text())  # type: ignore[no-any-return]

    def states(self) -> list[str]:
        return [job["state"] for job in self.record()["jobs"]]

    def run_of(self, seed: int) -> Path:
        """The Stage-I run folder of a seed."""
        (found,) = [path for path in self.study.glob(f"*seed={seed}[-,]*") if "stage=two" not in path.name]
        return found

    def status(self, seed: int) -> dict[str, Any]:
        return json.loads((self.run_of(seed) / "status.json").read_text())  # type: ignore[no-any-return]

    def environment(self, seed: int) -> dict[str, str]:
        """Of the process that trained a seed."""
        return json.loads((self.run_of(seed) / "environment.json").read_text())  # type: ignore[no-any-return]


def until(condition: Callable[[], Any], seconds: float = 300) -> None:
    """Wait for it."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and waits for its parent to notice does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
