"""TensorBoard beside metrics.csv: events in <run>/tensorboard, images seen on its x-axis."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pytorch_lightning.loggers import TensorBoardLogger


class TensorBoardEvents(TensorBoardLogger):
    """Events of one session; what an earlier one logged past `images`, where this one goes on, is taken back.

    Args:
        run: the run's folder.
        images: seen so far.
    """

    def __init__(self, run: Path, images: int) -> None:
        self.fresh = not (run / "tensorboard").exists()
        super().__init__(run, name="tensorboard", version="", purge_step=images + 1)

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:  # type: ignore[override]
        """One point a number, at `metrics["images"]`."""
        super().log_metrics({k: v for k, v in metrics.items() if k != "images"}, int(metrics["images"]))

    def log_image(self, key: str, path: Path, images: int, caption: str) -> None:
        """The picture as it is."""
        with Image.open(path) as picture:
            self.experiment.add_image(key, np.asarray(picture.convert("RGB")), images, dataformats="HWC")

    def catch_up(self, rows: Iterable[dict[str, float]]) -> None:
        """Log what the run has logged so far, if it did so without TensorBoard."""
        for row in rows if self.fresh else ():
            self.log_metrics(row)
