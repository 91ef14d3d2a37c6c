"""A study that training wrote: two settings with two seeds each, one that a verdict ended, and the page made of it."""

from pathlib import Path

import pytest

from stackgan.experiment import run
from stackgan.reporting.page import write_report
from support import TINY, composed

SETTINGS = {"base": [], "lr=x10": ["lr=x10"]}
COLLAPSED = ["loss=hinge", "health=stop", "health.every=8", "health.warm_up=0", "health.patience=1", "health.thresholds.black=1e6",
             "health.acts_on=[black]"]  # fmt: skip


@pytest.fixture(scope="session")
def trained_study(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its folder."""
    outputs = tmp_path_factory.mktemp("trained")
    jobs = [[*choices, f"seed={seed}"] for choices in SETTINGS.values() for seed in (0, 1)]
    for choices in [*jobs, [*COLLAPSED, "seed=0"]]:
        overrides = [*TINY, *choices, "images=48", "logger=none", "study=small"]
        run(composed(*overrides, f"data.cache={cache}", f"outputs={outputs}"), overrides)
    write_report(outputs / "small")
    return outputs / "small"
