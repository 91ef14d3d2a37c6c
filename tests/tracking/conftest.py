"""Weights & Biases as users have it: no key at first, and a server that can be had."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import wandb

from wandb_server import WandbServer, wandb_server


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No variable of W&B's, no key in a file of the user's, and no session of an earlier test."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "wandb_config"))
    wandb.teardown()
    yield
    wandb.teardown()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[WandbServer]:
    """A server, and the key for it in the environment."""
    with wandb_server() as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        yield running
