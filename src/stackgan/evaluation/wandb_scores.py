"""Scores taken after a run has ended, into the summary of its W&B run."""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import wandb

from stackgan.config import saved_config
from stackgan.errors import UserError
from stackgan.evaluation.record import ProtocolRecord
from stackgan.run_directory import read_status
from stackgan.training.loggers import wandb_logger


def summary(records: Iterable[ProtocolRecord]) -> dict[str, float]:
    """`score/<metric>` of each record; without frames: `score/<metric>_cropped`."""
    return {
        f"score/{record.metric}{'_cropped' if record.frames == 'cropped' else ''}": record.value for record in records
    }


def send_scores(run: Path, records: Iterable[ProtocolRecord]) -> str:
    """Resume the run's W&B run, by its id, and set its scores. Returns the id.

    Offline this makes one more folder in <run>/wandb; `wandb sync` joins it with the others.
    Raises UserError where the run was trained with logger.wandb=disabled.
    """
    config, status = saved_config(run), read_status(run)
    signature = status.signature if status else run.name[-8:]
    study = run.resolve().parent.name
    logger = wandb_logger(run, config.logger.wandb, config.logger.project, study, signature, asdict(config))
    if logger is None:
        raise UserError(f"wandb=true, but {run} was trained with logger.wandb=disabled: it has no W&B run.")
    experiment = logger.experiment
    experiment.summary.update(summary(records))
    name = str(experiment.id)
    wandb.finish()
    return name
