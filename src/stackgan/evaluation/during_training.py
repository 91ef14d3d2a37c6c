"""KID and Inception Score while a run goes on, the best generator by the objective, and the scores that the run is quoted by."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pytorch_lightning as pl
import torch
from torch import Tensor
from torchmetrics.utilities import dim_zero_cat

from stackgan.data.records import Split
from stackgan.data.store import ImageStore
from stackgan.data.views import real_images
from stackgan.evaluation.feature_networks import FeatureNetwork
from stackgan.evaluation.inception_score import SeededInceptionScore
from stackgan.evaluation.kernel_distance import kernel_distance_of
from stackgan.evaluation.record import ProtocolRecord, append_records
from stackgan.evaluation.registry import by_name, find, way, whole_name
from stackgan.evaluation.samples import caption_vectors, generated_pixels, share
from stackgan.evaluation.scores import SUBSET_SIZE, SUBSETS
from stackgan.text.table import EmbeddingTable
from stackgan.training.callbacks import Diverged, crossed, log_row
from stackgan.training.gate import all_finite
from stackgan.training.module import TextToImageGAN


@dataclass(frozen=True)
class ScorePlan:
    """When and on how many pictures. Cadence in images seen."""

    every: int | None  # None: not while training
    samples: int
    final_samples: int | None  # None: not at the end
    splits: int = 10
    batch_size: int = 50
    seed: int = 0
    objective: str = "kid"  # the kind of score by which the best generator is chosen

    @property
    def scores(self) -> bool:
        """Whether there is any score to take."""
        return self.every is not None or self.final_samples is not None


class PictureScores(SeededInceptionScore):
    """The Inception Score, which keeps the pooled features of the same pass."""

    inception: FeatureNetwork
    pooled: list[Tensor]

    def __init__(self, network: FeatureNetwork, splits: int, seed: int) -> None:
        super().__init__(network, splits, seed)
        self.add_state("pooled", [], dist_reduce_fx="cat")

    def update(self, imgs: Tensor) -> None:
        """imgs: uint8 [B, 3, H, W]."""
        pooled, logits = self.inception.both(imgs)
        self.pooled.append(pooled)
        self.features.append(logits)

    def compute(self) -> tuple[Tensor, ...]:  # type: ignore[override]
        """Mean and standard deviation over the splits, and the features [N, D] in the order of the pictures, of all ranks."""
        return (*super().compute(), dim_zero_cat(self.pooled).cpu())


@dataclass(frozen=True)
class Real:
    """The same of real pictures of a split."""

    inception_score: float
    pooled: Tensor  # [N, D]
    halves_distance: float | None  # KID of one half to the other; None where there are too few for it
    subset_size: int  # of KID, the same for the generated pictures


class TrainingScores(pl.Callback):
    """Scores the averaged generator on validation captions every so many images and at the end, and then once on test captions.

    The generator that is best by the objective on validation captions is kept: their classes are neither trained on nor those that
    are reported in the end. The feature network lives here, not in the LightningModule: neither checkpoints nor optimizers see it.

    Args:
        run: folder of the run, whose evaluation.json gets a record of each score.
        network: whose features are read; None where the plan has no score to take.
        keep_best: saves the generator as it is now; called by the first rank at each new best.

    Attributes:
        latest: the last scores on validation captions, by their names.
        final: records of the scores that the run is quoted by; None before the end.
    """

    def __init__(
        self,
        run: Path,
        store: ImageStore,
        table: EmbeddingTable,
        network: FeatureNetwork | None,
        plan: ScorePlan,
        keep_best: Callable[[], None] = lambda: None,
    ) -> None:
        self.run, self.store, self.table, self.network, self.plan = run, store, table, network, plan
        self.keep_best = keep_best
        self._real: dict[tuple[Split, int], Real] = {}
        self.latest: dict[str, float] = {}
        self.final: list[ProtocolRecord] | None = None

    def on_train_batch_end(self, trainer: pl.Trainer, module: TextToImageGAN, *_: object) -> None:  # type: ignore[override]
        after = module.images_seen
        if self.plan.every is not None and crossed(self.plan.every, after - module.settings.batch_size, after):
            records = self.score(trainer, module, "validation", self.plan.samples)
            self.latest = by_name(records)
            self._choose(trainer, module, records)

    def on_train_end(self, trainer: pl.Trainer, module: TextToImageGAN) -> None:  # type: ignore[override]
        self.final = self.score_end(trainer, module)

    def on_exception(self, trainer: pl.Trainer, module: TextToImageGAN, exception: BaseException) -> None:  # type: ignore[override]
        """Score what a run leaves that its health ended; here, while the ranks can still talk to each other."""
        if isinstance(exception, Diverged) and all_finite(module.parameters()):
            self.final = self.score_end(trainer, module)

    def score_end(self, trainer: pl.Trainer, module: TextToImageGAN) -> list[ProtocolRecord]:
        """The scores that the run is quoted by: on validation captions, by which runs are compared, and on test captions."""
        count = self.plan.final_samples
        if count is None:
            return []
        return [*self.score(trainer, module, "validation", count), *self.score(trainer, module, "test", count)]

    def score(self, trainer: pl.Trainer, module: TextToImageGAN, split: Split, count: int) -> list[ProtocolRecord]:
        """Measure, log and record: the Inception Score, then KID where there are real pictures enough."""
        plan, device, network = self.plan, module.device, self._network
        with module.clock.paused():
            network.to(device)
            indices = share(count, trainer.global_rank, trainer.world_size)
            text = caption_vectors(self.store, self.table, split, count)
            fakes = generated_pixels(module.sampler(), text, plan.seed, indices, plan.batch_size, device)
            mean, std, pooled = self._measure(fakes, plan.splits, device)
            real = self._real_scores(trainer, split, count, module)
            records = [
                ProtocolRecord(
                    value=value, std=spread, real=beside, splits=splits, details=details, metric=metric,
                    network=network.name, weights=network.weights, resize=network.resize, samples=count,
                    real_samples=len(real.pooled), seed=plan.seed, captions=split, generator="ema",
                    images=module.images_seen, image_size=module.sampler().image_size, data=self.store.fingerprint,
                )
                for metric, value, spread, beside, splits, details in (
                    (network.metric, mean, std, real.inception_score, plan.splits, {}),
                    *self._kernel_distance(pooled, real),
                )
            ]  # fmt: skip
            log_row(trainer, logged(records, split), module.images_seen)
            if trainer.is_global_zero:
                append_records(self.run, records)
        return records

    @property
    def _network(self) -> FeatureNetwork:
        assert self.network is not None, "a plan with scores comes with a network"
        return self.network

    def _measure(self, images: Iterable[Tensor], splits: int, device: torch.device) -> tuple[float, float, Tensor]:
        metric = PictureScores(self._network, splits, self.plan.seed).to(device)
        for batch in images:
            metric.update(batch.to(device))
        mean, std, pooled = metric.compute()
        return float(mean), float(std), pooled

    def _kernel_distance(
        self, pooled: Tensor, real: Real
    ) -> list[tuple[str, float, float, float, int, dict[str, float]]]:
        if real.halves_distance is None:
            return []
        value, std = kernel_distance_of(real.pooled, pooled, self.plan.seed, SUBSETS, real.subset_size)
        details = {"subset_size": float(real.subset_size)}
        return [(f"kid{self._network.suffix}", value, std, real.halves_distance, SUBSETS, details)]

    def _choose(self, trainer: pl.Trainer, module: TextToImageGAN, records: list[ProtocolRecord]) -> None:
        """Keep the generator if no earlier one was better by the objective. Checkpoints carry what was best so far."""
        found, best = find(by_name(records), self.plan.objective), module.extra.get("best")
        if found is None:  # too few real pictures for it
            return
        metric, value = found
        if best is None or best["metric"] != metric or way(metric) * (value - best["value"]) > 0:
            module.extra["best"] = {"metric": metric, "value": value, "images": module.images_seen}
            if trainer.is_global_zero:
                self.keep_best()

    def _real_scores(self, trainer: pl.Trainer, split: Split, count: int, module: TextToImageGAN) -> Real:
        """Of as many real pictures of the split as there are, up to `count`; measured once."""
        if (split, count) not in self._real:
            size, plan = module.sampler().image_size, self.plan
            number = min(count, len(self.store.indices(split)))
            chunk = max(1, min(plan.batch_size, number // trainer.world_size))  # at least one for every rank
            chunks = share(math.ceil(number / chunk), trainer.global_rank, trainer.world_size)
            images = real_images(self.store, split, size, chunk=chunk, limit=number)
            mine = islice(images, chunks.start, chunks.stop)
            value, _, pooled = self._measure(mine, min(plan.splits, number), module.device)
            halves = pooled[::2], pooled[1::2]
            subset = min(SUBSET_SIZE, count, len(halves[1]))
            distance = kernel_distance_of(*halves, plan.seed, SUBSETS, subset)[0] if subset > 1 else None
            self._real[split, count] = Real(value, pooled, distance, subset)
        return self._real[split, count]


def logged(records: list[ProtocolRecord], split: Split) -> dict[str, float]:
    """The row of the logs: validation scores by their name alone, others with their split."""
    row: dict[str, float] = {}
    for record in records:
        key = whole_name(record.metric, split)
        row |= {key: record.value, f"{key}_std": record.std or 0.0, f"{key}_real": record.real or 0.0}
    return row
