"""What happens beside the steps, at cadences in images: log rows and the progress bar."""

import math

import pytorch_lightning as pl

from stackgan.progress import progress_bar
from stackgan.training.module import TextToImageGAN


class Diverged(Exception):
    """A loss or a gradient is no longer a number; the run cannot recover by itself."""


def crossed(every: int, before: int, after: int) -> bool:
    """Whether a multiple of `every` lies in (before, after]: a cadence in images for any batch size."""
    return after // every > before // every


class TrainingLog(pl.Callback):
    """Sends the mean of each number since the last row to every logger, `every` images; refuses to go on with NaN.

    Gradient norms are measured in the step of the row only, where nothing clips them.
    """

    def __init__(self, every: int) -> None:
        self.every = every
        self.last: dict[str, float] = {}
        self._images = 0

    def on_train_start(self, trainer: pl.Trainer, module: TextToImageGAN) -> None:  # type: ignore[override]
        self._images = module.images_seen
        module.clock.reset()

    def on_train_batch_start(self, trainer: pl.Trainer, module: TextToImageGAN, *_: object) -> None:  # type: ignore[override]
        batch = module.settings.batch_size
        turns = module.adversarial.n_critic * batch  # the generator's gradient is seen in its own turn only
        module.measure_gradients = crossed(self.every, module.images_seen, module.images_seen + turns)

    def on_train_batch_end(self, trainer: pl.Trainer, module: TextToImageGAN, *_: object) -> None:  # type: ignore[override]
        after = module.images_seen
        if not crossed(self.every, after - module.settings.batch_size, after):
            return
        row = module.averages.take()
        row["images_per_second"] = (after - self._images) / module.clock.seconds
        for network, optimizer in zip("dg", module.optimizers(), strict=True):  # type: ignore[arg-type]
            row[f"lr/{network}"] = optimizer.param_groups[0]["lr"]
        self.last = row
        log_row(trainer, row, after)
        bad = [name for name, value in row.items() if not math.isfinite(value)]
        if bad:
            raise Diverged(f"{', '.join(bad)} is not finite after {after:,} images")
        self._images = after
        module.clock.reset()


def log_row(trainer: pl.Trainer, row: dict[str, float], images: int) -> None:
    """One row to every logger, at `images` on the x-axis."""
    for logger in trainer.loggers:
        logger.log_metrics({**row, "images": images}, step=images)


class Progress(pl.Callback):
    """One bar over the budget in images: images/s, time left, and the losses of the last row."""

    def __init__(self, total: int, rows: TrainingLog) -> None:
        self.total, self.rows = total, rows

    def on_train_start(self, trainer: pl.Trainer, module: TextToImageGAN) -> None:  # type: ignore[override]
        hidden = not trainer.is_global_zero
        self.bar = progress_bar(self.total, "img", initial=module.images_seen, disable=hidden, smoothing=0.1)

    def on_train_batch_end(self, trainer: pl.Trainer, module: TextToImageGAN, *_: object) -> None:  # type: ignore[override]
        row = self.rows.last
        if row:
            shown = {"D": row["loss/d"], "G": row.get("loss/g", math.nan), "real": row["d/real"], "fake": row["d/fake"]}
            self.bar.set_postfix({name: f"{value:.2f}" for name, value in shown.items()}, refresh=False)
        self.bar.update(module.settings.batch_size)

    def teardown(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        if hasattr(self, "bar"):
            self.bar.close()
