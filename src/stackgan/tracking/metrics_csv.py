"""metrics.csv, with images on the x-axis."""

import csv
from argparse import Namespace
from io import StringIO
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger
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

    def rows(self, until: int) -> list[dict[str, float]]:
        """The rows up to `until` images, for a tracker that joins later."""
        kept = (row for images, row in sorted(self._rows.items()) if images <= until)
        return [{name: float(value) for name, value in row.items()} for row in kept]
