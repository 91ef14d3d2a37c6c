"""status.json while a run trains."""

from typing import Any, Protocol

import pytorch_lightning as pl

from stackgan.training.callbacks import TrainingLog, crossed
from stackgan.training.module import TextToImageGAN


class Record(Protocol):
    """Writes the status with the given fields changed."""

    def __call__(self, **changes: Any) -> None: ...


class Scores(Protocol):
    """Where the latest scores on validation captions are, by their names; empty before the first."""

    latest: dict[str, float]


class LiveStatus(pl.Callback):
    """Rewrites the status at each log row: images, images/s and the latest scores. After the log and the scores, before checkpoints."""

    def __init__(self, record: Record, rows: TrainingLog, scores: Scores) -> None:
        self.record, self.rows, self.scores = record, rows, scores

    def on_train_batch_end(self, trainer: pl.Trainer, module: TextToImageGAN, *_: object) -> None:  # type: ignore[override]
        after = module.images_seen
        if not crossed(self.rows.every, after - module.settings.batch_size, after):
            return
        changes: dict[str, Any] = {"images_per_second": round(self.rows.last["images_per_second"], 2)}
        if self.scores.latest:
            changes["scores"] = self.scores.latest
        self.record(**changes)
