"""Watches a run: measures at each log row and probe, gives verdicts, and does what the policy says."""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import pytorch_lightning as pl
from tqdm import tqdm

from stackgan.data.files import replacing
from stackgan.health.ledger import Ledger
from stackgan.health.measures import measure_pictures
from stackgan.health.probe import Probe
from stackgan.health.runaway import Runaway
from stackgan.health.verdicts import RULES, Verdict
from stackgan.losses.adversarial import Wasserstein
from stackgan.tracking.wandb_run import WandbRun
from stackgan.training.callbacks import Collapsed, Diverged, TrainingLog, crossed, log_row
from stackgan.training.checkpoint import HEALTHY, LAST, RollBack, newest_checkpoint, restore
from stackgan.training.gate import all_finite
from stackgan.training.module import TextToImageGAN

ACTING = ("stop", "rollback")  # policies that do something at other verdicts than nan


@dataclass(frozen=True)
class HealthSettings:
    """When verdicts are given and what follows; conf/base/health.yaml says what each number means."""

    thresholds: Mapping[str, float | None]
    words: Mapping[str, str]  # of the remedies
    policy: str = "warn"  # off | warn | stop | rollback
    acts_on: tuple[str, ...] = ()
    every: int = 10_000
    warm_up: int = 10_000
    patience: int = 2
    rollbacks: int = 3
    rollback_lr: float = 0.5


@dataclass(frozen=True)
class Action:
    """What follows from a verdict, the same on every rank.

    Attributes:
        images: seen when it was decided.
        good_until: images up to which checkpoints are from before the trouble.
        extra: what the run remembers after going back; None: it ends here.
        stay: end with the present weights, which the gate kept good.
    """

    verdict: Verdict
    images: int
    good_until: int
    extra: dict[str, Any] | None = None
    stay: bool = False

    @property
    def reason(self) -> str:
        return f"{self.verdict.name} at {self.images:,} images: {self.verdict.sentence}"


@dataclass(frozen=True)
class Reporter:
    """Where findings go: all verdicts as plain values whenever one changes, and an event when the first update is skipped."""

    verdicts: Callable[[list[dict[str, Any]]], None] = field(default=lambda records: None)
    event: Callable[[int, str], None] = field(default=lambda images, sentence: None)


class HealthMonitor(pl.Callback):
    """To stand after the log and the scores, before the status and the checkpoints. The first rank measures; all follow.

    Args:
        settings: thresholds and policy.
        rows: the log whose rows it reads.
        probe: draws the pictures; None under the policy `off`, which measures nothing but whether values are finite.
        checkpoints: the folder of the run's checkpoints.
        budget: images at which training ends; the last probe is there.
        reporter: who is told.
    """

    def __init__(
        self,
        settings: HealthSettings,
        rows: TrainingLog,
        probe: Probe | None,
        checkpoints: Path,
        budget: int,
        reporter: Reporter,
    ) -> None:
        self.settings, self.rows, self.probe, self.checkpoints = settings, rows, probe, checkpoints
        self.budget, self.reporter = budget, reporter
        self.ledger = Ledger(settings.thresholds, settings.warm_up, settings.patience, settings.words)
        self.runaway = Runaway()

    def on_train_start(self, trainer: pl.Trainer, module: TextToImageGAN) -> None:  # type: ignore[override]
        state = module.extra.get("health", {})
        self.ledger.restore(module.extra.get("verdicts", []), state.get("ledger", {}))
        self.runaway.restore(state.get("runaway", {}))
        module.lr_factor = module.extra.get("lr_factor", 1.0)
        if trainer.is_global_zero:
            self.reporter.verdicts(self.ledger.records())

    def on_train_batch_end(self, trainer: pl.Trainer, module: TextToImageGAN, *_: object) -> None:  # type: ignore[override]
        after, batch = module.images_seen, module.settings.batch_size
        row = crossed(self.rows.every, after - batch, after)
        due = crossed(self.settings.every, after - batch, after) or after >= self.budget
        probe = self.probe if due else None
        if not row and probe is None:
            return
        action: Action | None = None
        if trainer.is_global_zero:
            with module.clock.paused():
                before = self.ledger.records()
                series = (self._judge_row(module) if row else {}) | (
                    self._judge_pictures(module, probe) if probe else {}
                )
                if series:
                    log_row(trainer, {f"health/{name}": value for name, value in series.items()}, after)
                self._tell(trainer, before)
                self._remember(module)
                action = self._action(module)
        action = trainer.strategy.broadcast(action)
        if action is not None:
            self._follow(module, action)

    # Measures; each gives verdicts and returns the series that are not in the log's row yet.

    def _judge_row(self, module: TextToImageGAN) -> dict[str, float]:
        images, row = module.images_seen, self.rows.last
        self._judge_finite(module)
        if self.probe is None:
            return {}
        drifting = ("loss/g",) if isinstance(module.adversarial, Wasserstein) else ()  # a critic's zero is arbitrary
        ratio, name = self.runaway.measure(row, without=drifting)
        self.ledger.measure("diverging", ratio, images, name)
        for name in ("discriminator_wins", "generator_wins"):
            self.ledger.measure(name, row.get(f"health/{name}", float("nan")), images)
        return {"diverging": ratio} if name and ratio == ratio else {}

    def _judge_finite(self, module: TextToImageGAN) -> None:
        """`nan`; a single update that was skipped is an event, no verdict."""
        skipped, finite = self.rows.skipped, all_finite(module.parameters())
        what = f"The {skipped.network}'s loss or gradient in step {skipped.step:,} ({skipped.images:,} images)"
        share, detail = (skipped.share, what) if finite else (1.0, "A weight")
        self.ledger.measure("nan", share, module.images_seen, detail)
        if skipped.share and not self.ledger.holding(["nan"]) and not module.extra.get("skipped"):
            module.extra["skipped"] = True
            self.reporter.event(skipped.images, f"{what} was not finite; the update was skipped")

    def _judge_pictures(self, module: TextToImageGAN, probe: Probe) -> dict[str, float]:
        """Pictures of one colour have no other fault."""
        measured = measure_pictures(probe.draw(module.sampler(), module.device))
        for name, (value, detail) in measured.items():
            if name == "black" or not self.ledger.holding(["black"]):
                self.ledger.measure(name, value, module.images_seen, detail)
        return {name: value for name, (value, _) in measured.items()}

    # What follows.

    def _tell(self, trainer: pl.Trainer, before: list[dict[str, Any]]) -> None:
        """Status, terminal and alerts, where something changed."""
        records, known = self.ledger.records(), {record["name"] for record in before}
        if records != before:
            self.reporter.verdicts(records)
        for verdict in self.ledger.verdicts.values():
            if verdict.name not in known:
                title = f"{verdict.name} at {verdict.images:,} images"
                tqdm.write(f"health: {title}. {verdict.sentence}")
                for logger in trainer.loggers:
                    if isinstance(logger, WandbRun):
                        logger.alert(title, verdict.sentence)

    def _remember(self, module: TextToImageGAN) -> None:
        """For the next checkpoint; and the last one from before all trouble gets a name of its own, so that no later one replaces it."""
        module.extra["verdicts"] = self.ledger.records()
        module.extra["health"] = {"ledger": self.ledger.state(), "runaway": self.runaway.state()}
        if self.settings.policy in ACTING and self.ledger.clean(self._acting) and (self.checkpoints / LAST).exists():
            keep_as_healthy(self.checkpoints)

    @property
    def _acting(self) -> tuple[str, ...]:
        """The verdicts that something follows from."""
        return ("nan", *self.settings.acts_on) if self.settings.policy in ACTING else ("nan",)

    def _action(self, module: TextToImageGAN) -> Action | None:
        """What the policy says to the first verdict that holds."""
        holding = self.ledger.holding(self._acting)
        if not holding:
            return None
        verdict, settings = holding[0], self.settings
        images, good_until = module.images_seen, self.ledger.good_until([verdict.name])
        done = module.extra.get("rollbacks", 0)
        if settings.policy == "rollback" and done < settings.rollbacks:
            factor = module.lr_factor * settings.rollback_lr
            verdicts = [{"until": images} | record for record in self.ledger.records()]
            return Action(
                verdict, images, good_until, {"rollbacks": done + 1, "lr_factor": factor, "verdicts": verdicts}
            )
        return Action(verdict, images, good_until, stay=verdict.name == "nan" and all_finite(module.parameters()))

    def _follow(self, module: TextToImageGAN, action: Action) -> NoReturn:
        """Go back, or end the run with the last good weights in the module."""

        def accept(checkpoint: dict[str, Any]) -> bool:
            return bool(checkpoint["images_seen"] <= action.good_until)

        found = None if action.stay else newest_checkpoint(self.checkpoints, accept)
        if found is not None and action.extra is not None:
            factor = f"learning rates x {action.extra['lr_factor']:g}"
            raise RollBack(f"{action.reason} Rollback {action.extra['rollbacks']}, {factor}", action.extra, accept)
        if found is not None:
            restore(module, found.checkpoint)
        ended = Diverged if RULES[action.verdict.name].state == "diverged" else Collapsed
        raise ended(action.reason)


def keep_as_healthy(checkpoints: Path) -> None:
    """Give the present last.ckpt a second name, which stays when a new last.ckpt is written."""
    with replacing(checkpoints / HEALTHY) as temporary:
        temporary.unlink()
        try:
            os.link(checkpoints / LAST, temporary)
        except OSError:  # a file system without hard links
            shutil.copyfile(checkpoints / LAST, temporary)
