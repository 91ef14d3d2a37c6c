"""checkpoints/last.ckpt: everything a run needs to go on, and nothing else.

Not Lightning's checkpoint: that one restores loops which count both optimizers' steps and refuse a larger budget, and its
trigger by time does nothing under manual optimization. Batches and noise are functions of the step, so the step is their state.
"""

import os
import pickle
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from stackgan.errors import UserError
from stackgan.training.module import TextToImageGAN

Checkpoint = dict[str, Any]


def load_checkpoint(path: Path) -> Checkpoint | None:
    """The checkpoint, or None where there is none; no code in it is run. Raises UserError where it cannot be read."""
    if not path.exists():
        return None
    try:
        checkpoint: Checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        missing = {"module", "optimizers", "images_seen", "step_count", "random"} - checkpoint.keys()
    except (RuntimeError, pickle.UnpicklingError, EOFError, AttributeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path} cannot be read ({reason}); remove it to train from the start.") from error
    if missing:
        raise UserError(f"{path} is no checkpoint of this project (it lacks {', '.join(sorted(missing))}); remove it.")
    return checkpoint


def restore(module: TextToImageGAN, checkpoint: Checkpoint) -> None:
    """Weights, average and progress; `Checkpoints` restores the optimizers and the random state once training starts."""
    module.load_state_dict(checkpoint["module"])
    module.images_seen, module.step_count = checkpoint["images_seen"], checkpoint["step_count"]


class Checkpoints(pl.Callback):
    """Saves every so many minutes and at the end, replacing the file at once so that it is always whole.

    Args:
        path: of last.ckpt.
        minutes: between two saves.
        resume: what `load_checkpoint` found.
    """

    def __init__(self, path: Path, minutes: float, resume: Checkpoint | None = None) -> None:
        self.path, self.seconds, self.resume = path, 60 * minutes, resume
        self._saved = time.monotonic()

    def on_train_start(self, trainer: pl.Trainer, module: TextToImageGAN) -> None:  # type: ignore[override]
        self._saved = time.monotonic()
        if self.resume is None:
            return
        for optimizer, state in zip(trainer.optimizers, self.resume["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        torch.set_rng_state(self.resume["random"]["cpu"])
        if module.device.type == "cuda":
            torch.cuda.set_rng_state(self.resume["random"]["cuda"], module.device)
        self.resume = None

    def on_train_batch_end(self, trainer: pl.Trainer, module: TextToImageGAN, *_: object) -> None:  # type: ignore[override]
        if time.monotonic() - self._saved >= self.seconds:
            self.save(trainer, module)

    def on_train_end(self, trainer: pl.Trainer, module: TextToImageGAN) -> None:  # type: ignore[override]
        self.save(trainer, module)

    def save(self, trainer: pl.Trainer, module: TextToImageGAN) -> None:
        """Write the present state. Every rank has the same; the first one writes it."""
        if trainer.is_global_zero:
            with module.clock.paused():
                self.path.parent.mkdir(parents=True, exist_ok=True)
                temporary = self.path.with_suffix(".partial")
                torch.save(self._state(trainer, module), temporary)
                os.replace(temporary, self.path)
        self._saved = time.monotonic()

    def _state(self, trainer: pl.Trainer, module: TextToImageGAN) -> Checkpoint:
        random = {"cpu": torch.get_rng_state()}
        if module.device.type == "cuda":
            random["cuda"] = torch.cuda.get_rng_state(module.device)
        return {
            "module": module.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in trainer.optimizers],
            "images_seen": module.images_seen,
            "step_count": module.step_count,
            "random": random,
        }
