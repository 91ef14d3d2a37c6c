"""The range of every number of the configuration. Outside it a run would end in a traceback or in nonsense, hours later perhaps."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from stackgan.errors import UserError
from stackgan.health.verdicts import VERDICTS

COUNT = 2**31 - 1  # what torch takes as a size or a number of threads
IMAGES = 10**15  # budgets and cadences: never, to all intents


@dataclass(frozen=True)
class Range:
    """From `least` to `most`; `above` and `below` leave that end itself out, `null` lets the number be absent."""

    least: float = 0
    most: float = math.inf
    above: bool = False
    below: bool = False
    null: bool = False

    def holds(self, value: float) -> bool:
        """Whether it is finite and inside."""
        low = value > self.least if self.above else value >= self.least
        high = value < self.most if self.below else value <= self.most
        return abs(value) < math.inf and low and high  # math.isfinite refuses whole numbers beyond 1e308

    def __str__(self) -> str:
        low = f"{'above' if self.above else 'at least'} {self.least:,}".replace("above 0", "greater than zero")
        high = "" if self.most in (math.inf, IMAGES) else f" and {'below' if self.below else 'at most'} {self.most:,}"
        return low + high + (" (or null)" if self.null else "")


def or_null(limits: Range) -> Range:
    """The same range of a number that may be absent."""
    return replace(limits, null=True)


NOT_NEGATIVE, POSITIVE = Range(), Range(above=True)
FRACTION = Range(0, 1, below=True)
SEED = Range(0, 2**32 - 1)  # what numpy's and Lightning's seeds allow
SIZE, WIDTH = Range(0, COUNT, above=True), Range(0, 65_536, above=True)
BUDGET = Range(0, IMAGES, above=True)

STAGE_SCALE = {
    "image_size": Range(16, 1_024),
    "batch_size": WIDTH,
    "images": or_null(BUDGET),
    "epochs": or_null(BUDGET),
    "lr_factor": POSITIVE,
}
RANGES: Mapping[str, Range] = {
    "data.classes": SIZE, "data.images_per_class": SIZE, "data.picture_size": WIDTH, "data.seed": SEED, "data.split_seed": or_null(SEED),
    "text.captions_per_image": WIDTH, "text.whiten": or_null(WIDTH),
    "arch.condition_dim": WIDTH, "arch.noise_dim": WIDTH, "arch.joint_kernel": or_null(WIDTH),
    "optim.beta1": FRACTION, "optim.beta2": FRACTION, "optim.alpha": FRACTION, "optim.momentum": FRACTION,
    "optim.weight_decay": NOT_NEGATIVE, "optim.eps": POSITIVE, "optim.clip_norm": or_null(POSITIVE),
    "loss.wrong_texts": WIDTH, "loss.matching_discriminator": NOT_NEGATIVE, "loss.matching_generator": NOT_NEGATIVE,
    "loss.label_smoothing": Range(0, 0.5, below=True), "loss.n_critic": SIZE, "loss.clip": or_null(POSITIVE),
    "loss.penalty_weight": or_null(NOT_NEGATIVE), "loss.penalty_every": SIZE, "loss.kl_weight": NOT_NEGATIVE,
    "dropout.rate": FRACTION,
    "lr.generator": POSITIVE, "lr.discriminator": POSITIVE, "lr.halve_every_epochs": or_null(POSITIVE),
    "lr.warmup_images": Range(0, IMAGES),
    "scale.generator_channels": WIDTH, "scale.discriminator_channels": WIDTH, "scale.residual_blocks": Range(0, 1_000),
    "scale.ema_half_life": BUDGET,
    **{f"scale.{stage}.{key}": limits for stage in ("one", "two") for key, limits in STAGE_SCALE.items()},
    "scale.cadence.log": BUDGET, "scale.cadence.grid": BUDGET, "scale.cadence.probe": BUDGET, "scale.cadence.warm_up": Range(0, IMAGES),
    "scale.cadence.score": or_null(BUDGET),
    "trainer.devices": WIDTH, "trainer.threads": or_null(WIDTH), "trainer.accumulate": WIDTH,
    "logger.log_every": BUDGET, "logger.samples_every": BUDGET, "logger.checkpoint_minutes": POSITIVE,
    "logger.checkpoint_images": or_null(BUDGET),
    "evaluation.every": or_null(BUDGET), "evaluation.samples": SIZE,
    "evaluation.final_samples": or_null(SIZE), "evaluation.full_samples": or_null(SIZE),
    "evaluation.splits": WIDTH, "evaluation.batch_size": WIDTH, "evaluation.seed": SEED,
    "health.every": BUDGET, "health.captions": Range(2, 65_536), "health.noises": Range(2, 65_536), "health.warm_up": Range(0, IMAGES),
    "health.patience": SIZE, "health.rollbacks": Range(0, COUNT), "health.rollback_lr": Range(0, 1, above=True),
    **{f"health.thresholds.{name}": or_null(NOT_NEGATIVE) for name in VERDICTS},
    "health.thresholds.nan": or_null(Range(0, 1, above=True)), "health.thresholds.diverging": or_null(POSITIVE),
    "images": or_null(BUDGET), "epochs": or_null(BUDGET), "seed": SEED, "jobs": WIDTH,
}  # fmt: skip


def check_ranges(value: Callable[[str], Any]) -> None:
    """Refuse a number outside its range. Raises UserError.

    Args:
        value: of a dotted key; a None that may not be is the schema's to refuse.
    """
    for key, limits in RANGES.items():
        found = value(key)
        if found is not None and not limits.holds(found):
            if limits.most < found < math.inf:
                raise UserError(f"{key}={found} must be at most {limits.most:,}.")
            finite = "" if math.isfinite(found) else "finite and "
            raise UserError(f"{key}={found} must be {finite}{limits}.")
