"""Fixtures of all tests: a shared cache, and tiny runs on a few painted birds."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stackgan.config import PROJECT, Config
from support import TINY, composed, script

# A shell ignores Ctrl-C for what it starts in the background and nohup a hangup, and so would every script that a test starts and signals;
# with a handler here they begin with the system's default.
for number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, lambda *_: None)


@pytest.fixture(scope="session", autouse=True)
def user_without_a_key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Weights & Biases as it is for a user who has set nothing: no key, mode or settings of the developer's reach a test.

    Scripts of tests/ and bench/ import this checkout, whichever one `pip install -e .` was run in.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("WANDB_", "XDG_")) or name == "NETRC":
                patch.delenv(name)
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("PYTHONPATH", str(PROJECT / "src"))
        yield


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder for painted birds, stores and embeddings."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def tiny(cache: Path, tmp_path: Path) -> Callable[..., Config]:
    """A configuration whose run takes a second: tiny(*overrides)."""

    def make(*overrides: str) -> Config:
        config = composed(*TINY, *overrides)
        given = {override.partition("=")[0] for override in overrides}
        if "data.cache" not in given:
            config.data.cache = str(cache)
        if "outputs" not in given:
            config.outputs = str(tmp_path)
        return config

    return make


@pytest.fixture
def train(cache: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run src/train.py at tiny scale as a user would; outputs go to tmp_path."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        flags = [argument for argument in arguments if argument.startswith("-")]  # Hydra wants them first
        choices = [argument for argument in arguments if argument not in flags]
        return script("train.py", *flags, *TINY, f"data.cache={cache}", f"outputs={tmp_path}", *choices)

    return run
