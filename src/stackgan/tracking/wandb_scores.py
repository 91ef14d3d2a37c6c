"""Scores taken after a run has ended, into the summary of its W&B run."""

from collections.abc import Mapping
from pathlib import Path

from stackgan.config import saved_config
from stackgan.run_directory import read_status
from stackgan.tracking.checks import require_wandb_run
from stackgan.tracking.wandb_run import open_wandb


def send_scores(run: Path, scores: Mapping[str, float]) -> None:
    """Go on with the run's W&B run, set its scores, and say where it is.

    Offline this makes one more folder in <run>/wandb; `wandb sync` joins it with the others.
    Raises UserError where the run was trained, or the environment says to go, without W&B.
    """
    config, status = saved_config(run), read_status(run)
    require_wandb_run(run, config.logger.wandb)
    logger = open_wandb(run, config, status.signature if status else run.name[-8:])
    if logger is not None:
        logger.summarise(scores)
        logger.finish(0)
