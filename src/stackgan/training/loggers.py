"""metrics.csv and Weights & Biases, both with images on the x-axis."""

import csv
import os
from argparse import Namespace
from io import StringIO
from pathlib import Path
from typing import Any

import wandb
from pytorch_lightning.loggers import Logger, WandbLogger
from pytorch_lightning.utilities import rank_zero_only

from stackgan.run_directory import write_atomically


class MetricsCsv(Logger):
    """metrics.csv in the run folder: one row per log point, the first column is `images`.

    A new column may appear at any row (a score comes later than a loss), so the file is written anew each time, atomically;
    it has one row per log point and stays small. Rows of an earlier session stay; rows at or past the first new one are
    replaced, so that a resumed run leaves neither holes nor doubles.
    """

    def __init__(self, run: Path) -> None:
        super().__init__()
        self.path = run / "metrics.csv"
        self._rows: dict[int, dict[str, Any]] = {}
        if self.path.exists():
            with self.path.open(newline="") as file:
                self._rows = {int(row["images"]): {k: v for k, v in row.items() if v} for row in csv.DictReader(file)}

    @property
    def name(self) -> str:
        return "csv"

    @property
    def version(self) -> str:
        return ""

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """The configuration is in config.yaml."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Add to the row at `metrics["images"]`."""
        images = int(metrics["images"])
        self._rows.setdefault(images, {}).update(metrics)
        columns = ["images", *dict.fromkeys(key for row in self._rows.values() for key in row if key != "images")]
        text = StringIO()
        writer = csv.DictWriter(text, columns)
        writer.writeheader()
        writer.writerows(self._rows[key] for key in sorted(self._rows))
        write_atomically(self.path, text.getvalue())

    def forget_after(self, images: int) -> None:
        """Drop rows past the checkpoint that training goes on from."""
        self._rows = {key: row for key, row in self._rows.items() if key <= images}


def wandb_logger(
    run: Path, mode: str, project: str, study: str, signature: str, config: dict[str, Any]
) -> WandbLogger | None:
    """A W&B run with a fixed id, grouped by study; None when disabled. Offline unless a key is at hand (mode=auto).

    Sending an offline run later: wandb sync <run>/wandb/offline-run-*
    """
    if mode == "auto":
        mode = os.environ.get("WANDB_MODE") or ("online" if wandb.login(prompt=False) else "offline")
    if mode == "disabled":
        return None
    logger = WandbLogger(
        save_dir=run, project=project, name=run.name, id=f"{study}-{signature}".replace("/", "-")[-128:], resume="allow",
        group=study, job_type=f"stage-{config['stage']['name']}", mode=mode, offline=mode == "offline",
        config=config, settings=wandb.Settings(silent=True),
    )  # fmt: skip
    _use_images_as_axis(logger)
    return logger


@rank_zero_only
def _use_images_as_axis(logger: WandbLogger) -> None:
    logger.experiment.define_metric("images", hidden=True)
    logger.experiment.define_metric("*", step_metric="images", step_sync=True)
