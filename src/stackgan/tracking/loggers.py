"""The loggers of a run, as the group `logger` asks for them."""

from pathlib import Path

from pytorch_lightning.loggers import Logger

from stackgan.config import Config
from stackgan.process import is_first_rank
from stackgan.tracking.metrics_csv import MetricsCsv
from stackgan.tracking.wandb_run import WandbRun, open_wandb, remove_empty_sessions


def build_loggers(run: Path, config: Config, signature: str, images: int) -> tuple[MetricsCsv, list[Logger]]:
    """metrics.csv, and all loggers with it as the first; one that joins a run in its middle gets the rows before.

    Ranks but the first have metrics.csv alone, and do not write it.

    Args:
        images: seen so far.
    """
    table = MetricsCsv(run)
    loggers: list[Logger] = [table]
    if not is_first_rank():
        return table, loggers
    remove_empty_sessions(run)
    if wandb := open_wandb(run, config, signature):
        wandb.catch_up(table.rows(images))
        loggers.append(wandb)
    if config.logger.tensorboard:
        from stackgan.tracking.tensorboard import TensorBoardEvents  # imports the package

        events = TensorBoardEvents(run, images)
        events.catch_up(table.rows(images))
        loggers.append(events)
    return table, loggers


def finish_loggers(loggers: list[Logger], code: int) -> None:
    """End what does not end by itself, with the run's exit code."""
    for logger in loggers:
        if isinstance(logger, WandbRun):
            logger.finish(code)
