"""What several tests need: configurations composed as the scripts do, tiny settings, scripts as subprocesses."""

import os
import subprocess
import sys
from copy import deepcopy
from functools import cache
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from stackgan.config import PROJECT, Config, register, typed

TINY = [
    "scale=tiny", "text=attributes", "data.classes=40", "data.images_per_class=2", "data.picture_size=64",
    "evaluation.samples=12", "evaluation.final_samples=12", "evaluation.splits=2", "evaluation.every=32",
    "logger.log_every=8", "logger.samples_every=32", "logger.progress=false",
    "trainer=cpu", "trainer.precision=32-true",
]  # fmt: skip

READ = ("WANDB_", "CUDA_", "PATH", "HOME")  # variables that a configuration depends on


def slow(*values: Any) -> Any:
    """A case of a parametrized test that only `make test-all` runs."""
    return pytest.param(*values, marks=pytest.mark.slow)


def composed(*overrides: str) -> Config:
    """The checked configuration that these command-line overrides give, one's own to change."""
    here = {name: value for name, value in os.environ.items() if name.startswith(READ)}
    return deepcopy(_composed(overrides, tuple(sorted(here.items()))))


@cache
def _composed(overrides: tuple[str, ...], environment: tuple[tuple[str, str], ...]) -> Config:
    """Once for all tests that ask for the same: a composition takes Hydra a fifth of a second."""
    register()
    with initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"):
        return typed(compose("config", list(overrides)))


def script(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script of src/ in its own process."""
    command = [sys.executable, str(PROJECT / "src" / name), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=600)
