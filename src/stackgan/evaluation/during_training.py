"""The Inception Score while a run goes on, and at its end."""

import math
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pytorch_lightning as pl

from stackgan.data.records import Split
from stackgan.data.store import ImageStore
from stackgan.data.views import real_images
from stackgan.evaluation.feature_networks import FeatureNetwork
from stackgan.evaluation.inception_score import inception_score
from stackgan.evaluation.record import ProtocolRecord, append_record
from stackgan.evaluation.samples import caption_vectors, generated_pixels, share
from stackgan.text.table import EmbeddingTable
from stackgan.training.callbacks import Diverged, crossed, log_row
from stackgan.training.gate import all_finite
from stackgan.training.module import TextToImageGAN


@dataclass(frozen=True)
class ScorePlan:
    """When and on how many pictures. Cadence in images seen."""

    every: int
    samples: int
    final_samples: int
    splits: int = 10
    batch_size: int = 50
    seed: int = 0


class InceptionScores(pl.Callback):
    """Scores the averaged generator on validation captions every so many images, and on test captions at the end.

    The feature network lives here, not in the LightningModule: neither checkpoints nor optimizers see it.
    """

    def __init__(
        self, run: Path, store: ImageStore, table: EmbeddingTable, network: FeatureNetwork, plan: ScorePlan
    ) -> None:
        self.run, self.store, self.table, self.network, self.plan = run, store, table, network, plan
        self._real: dict[tuple[Split, int], tuple[float, int]] = {}
        self.latest: dict[str, float] = {}  # the last score on validation captions, by its name
        self.final: ProtocolRecord | None = None

    def on_train_batch_end(self, trainer: pl.Trainer, module: TextToImageGAN, *_: object) -> None:  # type: ignore[override]
        after = module.images_seen
        if crossed(self.plan.every, after - module.settings.batch_size, after):
            record = self.score(trainer, module, "validation", self.plan.samples)
            self.latest = {record.metric: record.value}

    def on_train_end(self, trainer: pl.Trainer, module: TextToImageGAN) -> None:  # type: ignore[override]
        self.final = self.score_test(trainer, module)

    def on_exception(self, trainer: pl.Trainer, module: TextToImageGAN, exception: BaseException) -> None:  # type: ignore[override]
        """Score what a run leaves that its health ended; here, while the ranks can still talk to each other."""
        if isinstance(exception, Diverged) and all_finite(module.parameters()):
            self.final = self.score_test(trainer, module)

    def score_test(self, trainer: pl.Trainer, module: TextToImageGAN) -> ProtocolRecord:
        """The score that the run is quoted by."""
        return self.score(trainer, module, "test", self.plan.final_samples)

    def score(self, trainer: pl.Trainer, module: TextToImageGAN, split: Split, count: int) -> ProtocolRecord:
        """Measure, log and record."""
        plan, device = self.plan, module.device
        with module.clock.paused():
            self.network.to(device)
            indices = share(count, trainer.global_rank, trainer.world_size)
            text = caption_vectors(self.store, self.table, split, count)
            fakes = generated_pixels(module.sampler(), text, plan.seed, indices, plan.batch_size, device)
            mean, std = inception_score(self.network, fakes, plan.splits, plan.seed, device)
            real, real_samples = self._real_score(trainer, split, count, module)
            record = ProtocolRecord(
                self.network.metric, mean, std, real, self.network.name, self.network.weights, self.network.resize,
                count, real_samples, plan.splits, plan.seed, split, "ema", module.images_seen,
            )  # fmt: skip
            key = record.metric if split == "validation" else f"{record.metric}/{split}"
            row = {key: mean, f"{key}_std": std, f"{key}_real": real}
            log_row(trainer, row, module.images_seen)
            if trainer.is_global_zero:
                append_record(self.run, record)
        return record

    def _real_score(self, trainer: pl.Trainer, split: Split, count: int, module: TextToImageGAN) -> tuple[float, int]:
        """The score of as many real pictures of the split as there are, up to `count`; measured once."""
        if (split, count) not in self._real:
            size, plan = module.sampler().image_size, self.plan
            number = min(count, len(self.store.indices(split)))
            chunk = max(1, min(plan.batch_size, number // trainer.world_size))  # at least one for every rank
            chunks = share(math.ceil(number / chunk), trainer.global_rank, trainer.world_size)
            images = real_images(self.store, split, size, chunk=chunk, limit=number)
            mine = islice(images, chunks.start, chunks.stop)
            value, _ = inception_score(self.network, mine, min(plan.splits, number), plan.seed, module.device)
            self._real[split, count] = value, number
        return self._real[split, count]
