"""metrics.csv and Weights & Biases, both with images on the x-axis."""

import csv
import json
import os
from argparse import Namespace
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger, WandbLogger
from pytorch_lightning.utilities import rank_zero_only

from stackgan.errors import UserError
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
        if not self.path.exists():
            return
        try:
            with self.path.open(newline="") as file:
                self._rows = {int(row["images"]): {k: v for k, v in row.items() if v} for row in csv.DictReader(file)}
        except (KeyError, ValueError, TypeError, csv.Error) as error:
            raise UserError(f"{self.path} is no table with a column images; move it away.") from error

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
        self._rows.setdefault(int(metrics["images"]), {}).update(metrics)
        self._write()

    def _write(self) -> None:
        columns = ["images", *dict.fromkeys(key for row in self._rows.values() for key in row if key != "images")]
        text = StringIO()
        writer = csv.DictWriter(text, columns)
        writer.writeheader()
        writer.writerows(self._rows[key] for key in sorted(self._rows))
        write_atomically(self.path, text.getvalue())

    @rank_zero_only
    def forget_after(self, images: int) -> None:
        """Drop rows past the checkpoint that training goes on from."""
        kept = {key: row for key, row in self._rows.items() if key <= images}
        if len(kept) < len(self._rows):
            self._rows = kept
            self._write()


class WandbRows(WandbLogger):
    """Weights & Biases, each row once: a session that goes on from a checkpoint makes rows that the one before it has sent.

    How far they were sent is in `wandb_sent.json` beside wandb/, which stays when the folder is synced and removed.
    """

    def __init__(self, run: Path, **settings: Any) -> None:
        super().__init__(save_dir=run, **settings)
        self._mark = run / "wandb_sent.json"
        try:
            self._sent = json.loads(self._mark.read_text())
            self._sent = {"images": int(self._sent["images"]), "names": list(self._sent["names"])}
        except (OSError, ValueError, KeyError, TypeError):
            self._sent = {"images": -1, "names": []}

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Send the row at `step` images, unless it was sent before."""
        if step is None:
            return super().log_metrics(metrics)
        known = self._sent["names"] if step == self._sent["images"] else []
        if step < self._sent["images"] or all(name in known for name in metrics):
            return
        super().log_metrics(metrics, step)
        self._sent = {"images": step, "names": [*known, *metrics]}
        write_atomically(self._mark, json.dumps(self._sent) + "\n")


def wandb_logger(
    run: Path, mode: str, project: str, study: str, signature: str, config: dict[str, Any]
) -> WandbLogger | None:
    """A W&B run with a fixed id, grouped by study; None when disabled. Offline unless a key is at hand (mode=auto).

    Each offline session has a folder of its own; one command sends them all, joined in their order: wandb sync
    <run>/wandb/offline-run-*
    """
    if mode == "disabled":
        return None
    import wandb  # most of a second, which runs without it need not wait

    if mode == "auto":
        mode = os.environ.get("WANDB_MODE") or ("online" if wandb.login(prompt=False) else "offline")
        if mode == "disabled":  # by WANDB_MODE
            return None
    logger = WandbRows(
        run, project=project, name=run.name, id=f"{study}-{signature}".replace("/", "-")[-128:], resume="allow",
        group=study, job_type=f"stage-{config['stage']['name']}", mode=mode, offline=mode == "offline",
        config=config, settings=wandb.Settings(silent=True),
    )  # fmt: skip
    _use_images_as_axis(logger)
    return logger


@rank_zero_only
def _use_images_as_axis(logger: WandbLogger) -> None:
    logger.experiment.define_metric("images", hidden=True)
    logger.experiment.define_metric("*", step_metric="images", step_sync=True)
