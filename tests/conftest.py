"""Shared by the tests: configurations composed as the scripts do, and tiny runs on a few painted birds."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from stackgan.config import PROJECT, Config, register, typed

TINY = [
    "scale=tiny", "text=attributes", "data.classes=40", "data.images_per_class=2", "data.picture_size=64",
    "evaluation.samples=12", "evaluation.final_samples=12", "evaluation.splits=2", "evaluation.every=32",
    "logger.wandb=disabled", "logger.log_every=8", "logger.samples_every=32", "logger.progress=false",
    "trainer=cpu", "trainer.precision=32-true",
]  # fmt: skip


def composed(*overrides: str) -> Config:
    """The checked configuration that these command-line overrides give."""
    register()
    with initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"):
        return typed(compose("config", list(overrides)))


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder for painted birds, stores and embeddings."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def tiny(cache: Path, tmp_path: Path) -> Callable[..., Config]:
    """A configuration whose run takes a second: tiny(*overrides)."""

    def make(*overrides: str) -> Config:
        return composed(*TINY, f"data.cache={cache}", f"outputs={tmp_path}", *overrides)

    return make


@pytest.fixture
def train(cache: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run src/train.py at tiny scale as a user would; outputs go to tmp_path."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        flags = [argument for argument in arguments if argument.startswith("-")]  # Hydra wants them first
        choices = [argument for argument in arguments if argument not in flags]
        return script("train.py", *flags, *TINY, f"data.cache={cache}", f"outputs={tmp_path}", *choices)

    return run


def script(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script of src/ in its own process."""
    command = [sys.executable, str(PROJECT / "src" / name), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=600)
