"""What happens beside the steps, at cadences in images: log rows and the progress bar."""

import math
from collections.abc import Callable
from typing import Literal

import pytorch_lightning as pl

from stackgan.progress import progress_bar
from stackgan.training.gate import Skipped
from stackgan.training.module import TextToImageGAN


class Diverged(Exception):
    """The run ends here, by its health: losses, gradients or weights are no longer of use. Its module holds the last good weights."""

    state: Literal["diverged", "collapsed"] = "diverged"


class Collapsed(Diverged):
    """The same for pictures that are no longer of use."""

    state = "collapsed"


def crossed(every: int, before: int, after: int) -> bool:
    """Whether a multiple of `every` lies in (before, after]: a cadence in images for any batch size."""
    return after // every > before // every


class TrainingLog(pl.Callback):
    """Sends the mean of each number since the last row to every logger, `every` images. What was never finite is left out.

    Attributes:
        last: the last row.
        skipped: the steps that the gate held back since the row before it.
    """

    def __init__(self, every: int) -> None:
        self.every = every
        self.last: dict[str, float] = {}
        self.skipped = Skipped(0.0)
        self._images = 0

    def on_train_start(self, trainer: pl.Trainer, module: TextToImageGAN) -> None:  # type: ignore[override]
        self._images = module.images_seen
        module.clock.reset()

    def on_train_batch_end(self, trainer: pl.Trainer, module: TextToImageGAN, *_: object) -> None:  # type: ignore[override]
        after = module.images_seen
        if not crossed(self.every, after - module.settings.batch_size, after):
            return
        row = {name: value for name, value in module.averages.take().items() if math.isfinite(value)}
        self.skipped = module.gate.take()
        row["health/nan"] = self.skipped.share
        row["images_per_second"] = (after - self._images) / module.clock.seconds
        for network, optimizer in zip("dg", module.optimizers(), strict=True):  # type: ignore[arg-type]
            row[f"lr/{network}"] = optimizer.param_groups[0]["lr"]
        self.last = row
        log_row(trainer, row, after)
        self._images = after
        module.clock.reset()


def log_row(trainer: pl.Trainer, row: dict[str, float], images: int) -> None:
    """One row to every logger, at `images` on the x-axis."""
    for logger in trainer.loggers:
        logger.log_metrics({**row, "images": images}, step=images)


class LastImage(pl.Callback):
    """Keeps what was trained once the budget is reached, before anything that may fail. To be the first of the callbacks.

    Args:
        budget: images after which training ends.
        save: writes the generator.
    """

    def __init__(self, budget: int, save: Callable[[], object]) -> None:
        self.budget, self.save = budget, save

    def on_train_batch_end(self, trainer: pl.Trainer, module: TextToImageGAN, *_: object) -> None:  # type: ignore[override]
        if module.images_seen >= self.budget:
            with module.clock.paused():
                self.save()


class Progress(pl.Callback):
    """One bar over the budget in images: images/s, time left, and the losses of the last row."""

    def __init__(self, total: int, rows: TrainingLog) -> None:
        self.total, self.rows = total, rows
        self.shown: dict[str, str] = {}

    def on_train_start(self, trainer: pl.Trainer, module: TextToImageGAN) -> None:  # type: ignore[override]
        hidden = not trainer.is_global_zero
        self.bar = progress_bar(self.total, "img", initial=module.images_seen, disable=hidden, smoothing=0.1)

    def on_train_batch_end(self, trainer: pl.Trainer, module: TextToImageGAN, *_: object) -> None:  # type: ignore[override]
        row = self.rows.last
        if row:  # with n_critic a short row may have no step of the generator: its last loss stays
            names = {"D": "loss/d", "G": "loss/g", "real": "d/real", "fake": "d/fake"}
            self.shown |= {name: f"{row[key]:.2f}" for name, key in names.items() if key in row}
            self.bar.set_postfix(self.shown, refresh=False)
        self.bar.update(module.settings.batch_size)

    def teardown(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        if hasattr(self, "bar"):
            self.bar.close()
