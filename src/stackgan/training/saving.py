"""When a run saves: every so many images and minutes, after its last batch, and when it is asked to stop."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch.distributed as dist

from stackgan.training.callbacks import Diverged, crossed
from stackgan.training.checkpoint import (
    FORMAT,
    Checkpoint,
    RollBack,
    random_state,
    set_random_state,
    write_checkpoint,
)
from stackgan.training.module import TextToImageGAN
from stackgan.training.preemption import Preempted, StopRequest

AGREE_EVERY = 8  # steps between two questions to the other ranks: each makes the host wait for the device


@dataclass(frozen=True)
class SavePlan:
    """When to save. `images` None: by the clock only. `budget`: the images after which training ends."""

    minutes: float
    images: int | None
    budget: int


class Checkpoints(pl.Callback):
    """Writes last.ckpt and previous.ckpt, and brings optimizers, averages and random state back from one.

    To be the last of the callbacks: after a batch it saves what the others did at that batch too, so that nothing is logged twice
    or never. All ranks save at the same batch, since each has a random state of its own; the first one writes the file.

    Args:
        folder: for the files.
        plan: when to save.
        identity: of the run, written into each file.
        stop: looked at after each batch.
        resume: what `newest_checkpoint` found; restored once training starts.
        keep_last: whether the last.ckpt that is there now is worth becoming previous.ckpt.
        save_first: save before the first batch, what was restored.

    Attributes:
        saved_images: images seen at the last save, or where training went on; 0 if there is nothing yet.
    """

    def __init__(
        self,
        folder: Path,
        plan: SavePlan,
        identity: dict[str, Any],
        stop: StopRequest,
        resume: Checkpoint | None = None,
        keep_last: bool = True,
        save_first: bool = False,
    ) -> None:
        self.folder, self.plan, self.identity, self.stop = folder, plan, identity, stop
        self.resume, self._keep, self._save_first = resume, keep_last, save_first
        self.saved_images = resume["images_seen"] if resume else 0
        self._saved = time.monotonic()
        self._random: dict[str, Any] | None = None

    def on_train_start(self, trainer: pl.Trainer, module: TextToImageGAN) -> None:  # type: ignore[override]
        self.stop.listen()
        if trainer.strategy.launcher is not None:
            self.stop.pass_on = trainer.strategy.launcher.kill
        self._saved = time.monotonic()
        if self.resume is None:
            return
        for optimizer, state in zip(trainer.optimizers, self.resume["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        ranks = self.resume["ranks"]
        # another number of devices than before has no exact continuation: the first one's state will do
        mine = ranks[trainer.global_rank] if len(ranks) == trainer.world_size else ranks[0]
        module.averages.restore(mine["averages"], module.device)
        self.resume, self._random = None, mine["random"]
        if self._save_first:
            self.save(trainer, module)

    def on_train_batch_start(self, trainer: pl.Trainer, module: TextToImageGAN, *_: object) -> None:  # type: ignore[override]
        if self._random is not None:  # only now: making the loader's iterator draws a number
            set_random_state(self._random, module.device)
            self._random = None

    def on_train_batch_end(self, trainer: pl.Trainer, module: TextToImageGAN, *_: object) -> None:  # type: ignore[override]
        after, batch = module.images_seen, module.settings.batch_size
        last = after >= self.plan.budget
        ask = last or trainer.world_size == 1 or module.step_count % AGREE_EVERY == 0
        stopping, late = self.stop.signal is not None, time.monotonic() - self._saved >= 60 * self.plan.minutes
        due = self._any_rank(trainer, stopping or late) if ask else False
        if due or last or (self.plan.images is not None and crossed(self.plan.images, after - batch, after)):
            self.save(trainer, module)
        if due and self._any_rank(trainer, stopping):
            raise Preempted

    def on_train_epoch_end(self, trainer: pl.Trainer, module: TextToImageGAN) -> None:  # type: ignore[override]
        """The last batch is saved: what follows is made again by the next command, so a wish to stop need not wait for it."""
        if trainer.world_size == 1:
            self.stop.no_longer_deferred()

    def on_exception(self, trainer: pl.Trainer, module: TextToImageGAN, exception: BaseException) -> None:  # type: ignore[override]
        """What fails at the last image, in the other callbacks, costs no training; the other ranks would wait for such a save."""
        trained = module.images_seen >= self.plan.budget > self.saved_images
        if trained and trainer.world_size == 1 and not isinstance(exception, (Diverged, RollBack)):
            self.save(trainer, module)

    def save(self, trainer: pl.Trainer, module: TextToImageGAN) -> None:
        """Write the present state. Every rank must call it."""
        with module.clock.paused():
            mine = {"random": self._random or random_state(module.device), "averages": module.averages.state()}
            ranks: list[Any] = [mine]
            if trainer.world_size > 1:
                ranks = [None] * trainer.world_size
                dist.all_gather_object(ranks, mine)
            if trainer.is_global_zero:
                state = {
                    "format": FORMAT,
                    "identity": self.identity,
                    "module": module.state_dict(),
                    "optimizers": [optimizer.state_dict() for optimizer in trainer.optimizers],
                    "images_seen": module.images_seen,
                    "step_count": module.step_count,
                    "ranks": ranks,
                    "extra": module.extra,
                }
                write_checkpoint(self.folder, state, self._keep)
        self._keep, self._saved, self.saved_images = True, time.monotonic(), module.images_seen

    def _any_rank(self, trainer: pl.Trainer, decision: bool) -> bool:
        return decision if trainer.world_size == 1 else trainer.strategy.reduce_boolean_decision(decision, all=False)
