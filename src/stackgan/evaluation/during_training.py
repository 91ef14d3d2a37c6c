"""KID and Inception Score while a run goes on, the best generator by the objective, and the scores that the run is quoted by."""

import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from torch import Tensor
from torchmetrics.utilities import dim_zero_cat

from stackgan.data.records import Split
from stackgan.data.store import ImageStore
from stackgan.errors import is_full
from stackgan.evaluation.arithmetic import full_float32
from stackgan.evaluation.extraction import PictureReader, Workers, extract
from stackgan.evaluation.feature_networks import FeatureNetwork
from stackgan.evaluation.inception_score import SeededInceptionScore
from stackgan.evaluation.record import ProtocolRecord, append_records
from stackgan.evaluation.registry import WHILE_TRAINING, by_name, find, way, whole_name
from stackgan.evaluation.samples import caption_vectors, generated_pixels, share
from stackgan.evaluation.scores import Said, scores_of_training
from stackgan.evaluation.shortages import not_taken
from stackgan.evaluation.subjects import RealPictures
from stackgan.provenance import Provenance
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


class SaidOfPictures(SeededInceptionScore):
    """torchmetrics' Inception Score, which keeps the pooled features of the same pass and gathers both from all ranks."""

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

    def compute(self) -> tuple[Tensor, Tensor]:
        """Features [N, D] and logits [N, C] in the order of the pictures, of all ranks."""
        return dim_zero_cat(self.pooled).cpu(), dim_zero_cat(self.features).cpu()


class TrainingScores(pl.Callback):
    """Scores the averaged generator on validation captions every so many images and at the end, and then once on test captions.

    The generator that is best by the objective on validation captions is kept: their classes are neither trained on nor those that
    are reported in the end. The feature network lives here, not in the LightningModule: neither checkpoints nor optimizers see it.

    A score that cannot be taken costs no run: it is left out, with the reason.

    Args:
        run: folder of the run, whose evaluation.json gets a record of each score.
        network: whose features are read; None where the plan has no score to take.
        cache: the data set's, which keeps what the network says of real pictures for every later run.
        keep_best: saves the generator as it is now; called by the first rank at each new best.
        tell: told of images seen and a sentence where scores fail that the data set has images enough for.

    Attributes:
        latest: the last scores on validation captions, by their names.
        final: records of the scores that the run is quoted by; None before the end.
        left_out: scores that were last due and not taken, as `kid/test`: why.
    """

    def __init__(
        self,
        run: Path,
        store: ImageStore,
        table: EmbeddingTable,
        network: FeatureNetwork | None,
        plan: ScorePlan,
        cache: Path,
        keep_best: Callable[[], None] = lambda: None,
        tell: Callable[[int, str], None] = lambda images, sentence: None,
    ) -> None:
        self.run, self.store, self.table, self.network, self.plan = run, store, table, network, plan
        self.cache, self.keep_best, self.tell = cache, keep_best, tell
        self._real: dict[Split, Said] = {}
        self.latest: dict[str, float] = {}
        self.final: list[ProtocolRecord] | None = None
        self.left_out: dict[str, str] = {}

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
        """Measure, log and record: the Inception Score, and KID where there are real pictures enough."""
        with module.clock.paused(), full_float32():
            records = self._attempt(trainer, module, split, count)
            if not records:
                return []
            log_row(trainer, logged(records, split), module.images_seen)
            if trainer.is_global_zero:
                append_records(self.run, records)
        return records

    def _attempt(self, trainer: pl.Trainer, module: TextToImageGAN, split: Split, count: int) -> list[ProtocolRecord]:
        """What can be measured; `left_out` says why the rest cannot. Of several ranks none may go on without the others."""
        due = [whole_name(kind, split) for kind in WHILE_TRAINING]
        lacking = {name: why for name, why in not_taken(self.store).items() if name in due}
        records: list[ProtocolRecord] = []
        if len(lacking) < len(due):
            try:
                records = self._measure(trainer, module, split, count)
            except Exception as error:
                if trainer.world_size > 1 or is_full(error):
                    raise
                lacking = dict.fromkeys(due, self._failed(error, split, module.images_seen))
        self.left_out = {name: why for name, why in self.left_out.items() if name not in due} | lacking
        return records

    def _failed(self, error: Exception, split: Split, images: int) -> str:
        """Why a score failed, in a few words; told once for each way to fail."""
        words = f"{type(error).__name__}: {error}".splitlines()[0]
        if words not in self.left_out.values():
            traceback.print_exception(error)
            self.tell(images, f"warning: the scores on {split} captions could not be taken: {words}")
        return words

    def _measure(self, trainer: pl.Trainer, module: TextToImageGAN, split: Split, count: int) -> list[ProtocolRecord]:
        plan, device, network = self.plan, module.device, self._network
        network.to(device)
        fake = self._said(trainer, module, split, count)
        protocol: dict[str, Any] = {
            "network": network.name, "weights": network.weights, "resize": network.resize, "samples": count, "seed": plan.seed,
            "captions": split, "generator": "ema", "images": module.images_seen, "image_size": module.sampler().image_size,
            "data": self.store.fingerprint, "provenance": Provenance.here(device, ranks=trainer.world_size).record(),
        }  # fmt: skip
        found = scores_of_training(fake, self._said_of_real(split, module), network.suffix, plan.splits, plan.seed)
        return [ProtocolRecord(**asdict(score), **protocol) for score in found]

    @property
    def _network(self) -> FeatureNetwork:
        assert self.network is not None, "a plan with scores comes with a network"
        return self.network

    def _said(self, trainer: pl.Trainer, module: TextToImageGAN, split: Split, count: int) -> Said:
        """What the network says of the generator's pictures, each rank having drawn its share."""
        plan, device = self.plan, module.device
        metric = SaidOfPictures(self._network, plan.splits, plan.seed).to(device)
        indices = share(count, trainer.global_rank, trainer.world_size)
        text = caption_vectors(self.store, self.table, split, count)
        for images in generated_pixels(module.sampler(), text, plan.seed, indices, plan.batch_size, device):
            metric.update(images)
        return Said(*metric.compute())

    def _said_of_real(self, split: Split, module: TextToImageGAN) -> Said:
        """The same of all real pictures of the split; the first of several ranks, or of several runs, reads them for the others."""
        if split not in self._real:
            rows, source = self.store.indices(split), self.store.source
            subject = RealPictures(self.store, rows, module.sampler().image_size, f"{source}-{split}")
            reader, workers = PictureReader(self._network), Workers(batch_size=self.plan.batch_size)
            kept = extract(
                subject, reader, self.cache, workers, f"reading {split} pictures", keep=True, device=module.device
            )
            self._real[split] = Said(kept.read("features"), kept.read("logits"))
        return self._real[split]

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


def logged(records: list[ProtocolRecord], split: Split) -> dict[str, float]:
    """The row of the logs: validation scores by their name alone, others with their split."""
    row: dict[str, float] = {}
    for record in records:
        key = whole_name(record.metric, split)
        row |= {key: record.value, f"{key}_std": record.std or 0.0}
        if record.real is not None:
            row[f"{key}_real"] = record.real
    return row
