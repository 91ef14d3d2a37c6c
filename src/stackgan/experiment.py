"""One run from its configuration to its finished folder: data, training, scores, and a status whatever happens."""

import importlib.metadata
import logging
import platform
import time
import warnings
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
import yaml
from pytorch_lightning.utilities import rank_zero_only
from torch.utils.data import DataLoader

from stackgan.assembly import build_module, build_trainer, image_budget
from stackgan.config import Config, stage_scale
from stackgan.data.batches import BatchStream
from stackgan.errors import UserError
from stackgan.evaluation.during_training import InceptionScores, ScorePlan
from stackgan.evaluation.feature_networks import build_feature_network
from stackgan.inputs import Inputs, prepare_inputs
from stackgan.networks.text_to_image import TextToImage
from stackgan.reporting.samples import SampleGrids
from stackgan.run_directory import RunPlace, Status, locate_run, read_status, study_directory, write_atomically
from stackgan.training.bundle import GeneratorBundle, load_bundle
from stackgan.training.callbacks import Diverged, Progress, TrainingLog
from stackgan.training.checkpoint import Checkpoints, load_checkpoint, restore
from stackgan.training.loggers import MetricsCsv, wandb_logger
from stackgan.training.module import TextToImageGAN

DONE, DIVERGED = 0, 3
HARMLESS = (  # Lightning's advice that does not apply: batches come from memory, and some networks are frozen on purpose
    ".*does not have many workers.*",
    ".*IterableDataset.*__len__.*",
    ".*number of training batches.*smaller than the logging interval.*",
    ".*in eval mode at the start of training.*",
    ".*isinstance\\(treespec, LeafSpec\\).*",
)
PACKAGES = ("torch", "pytorch-lightning", "torchmetrics", "hydra-core", "wandb")


def run(config: Config, overrides: list[str]) -> int:
    """Train, continue or skip the run of this configuration. Returns the exit code; raises UserError before any work."""
    place = locate_run(config, overrides)
    prepare_process(config)
    inputs = prepare_inputs(config)
    for note in inputs.store.notes:
        say(f"note: {note}")
    budget = image_budget(config, len(inputs.store.indices("train")))
    before = read_status(place.folder)
    if before is not None and before.data_fingerprint not in ("", inputs.store.fingerprint):
        raise UserError(
            f"{place.folder} was trained on other data (fingerprint {before.data_fingerprint}, now "
            f"{inputs.store.fingerprint}); move it away or choose another study=<name>."
        )
    if before is not None and before.state == "done" and before.images >= budget:
        say(f"already done ({before.images:,} images): {place.folder}")
        return DONE
    return Experiment(config, overrides, place, inputs, budget, before).run()


def prepare_process(config: Config) -> None:
    """Threads, denormals, and the warnings that a run like ours cannot do anything about."""
    if config.trainer.threads:
        torch.set_num_threads(config.trainer.threads)
    torch.set_flush_denormal(True)  # they slow a CPU down as a network converges
    torch.set_float32_matmul_precision("high")
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    for message in HARMLESS:
        warnings.filterwarnings("ignore", message=message)


@rank_zero_only
def say(text: str) -> None:
    """Print it once, however many ranks there are."""
    print(text, flush=True)


class Experiment:
    """One run being trained; its folder says at every moment what state it is in."""

    def __init__(
        self, config: Config, overrides: list[str], place: RunPlace, inputs: Inputs, budget: int, before: Status | None
    ) -> None:
        self.config, self.overrides, self.place, self.inputs, self.budget = config, overrides, place, inputs, budget
        self.folder = place.folder
        self.status = Status(
            "running",
            signature=place.signature,
            data_fingerprint=inputs.store.fingerprint,
            versions={name: importlib.metadata.version(name) for name in PACKAGES}
            | {"python": platform.python_version()},
        )
        self._seconds_before = before.seconds if before else 0.0
        self._started = time.monotonic()

    def run(self) -> int:
        """Train and leave the folder complete; a failure is recorded before it is raised."""
        pl.seed_everything(self.config.seed, verbose=False)
        module = build_module(self.config, self.inputs, self.budget, self._stage_one())
        self._describe()
        try:
            self._train(module)
        except Diverged as error:
            self._record(module, state="diverged", reason=str(error))
            say(f"diverged: {error}\n{self._outputs()}")
            return DIVERGED
        except BaseException as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            self._record(module, state="failed", reason=reason)
            raise
        return DONE

    def _stage_one(self) -> TextToImage | None:
        """The frozen Stage I of a Stage-II run; it must read the same embeddings."""
        if self.place.stage_one is None:
            return None
        bundle, encoder = load_bundle(self.place.stage_one / "generator"), self.inputs.encoder
        if bundle.text.fingerprint != encoder.fingerprint:
            raise UserError(
                f"stage_one={self.place.stage_one} was trained on {bundle.text.name} embeddings ({bundle.text.fingerprint}) "
                f"and this run has {encoder.name} ({encoder.fingerprint}); use the same text=."
            )
        return bundle.sampler

    @rank_zero_only
    def _describe(self) -> None:
        """The parts of the folder that are known before the first image."""
        write_atomically(self.folder / "config.yaml", yaml.safe_dump(asdict(self.config), sort_keys=False))
        write_atomically(self.folder / "overrides.txt", "".join(f"{override}\n" for override in self.overrides))
        self.status.write(self.folder)
        counts = {split: len(self.inputs.store.indices(split)) for split in ("train", "validation", "test")}  # type: ignore[arg-type]
        pictures = ", ".join(f"{count:,} {split}" for split, count in counts.items())
        print(
            f"run: {self.folder}\ndata: {self.inputs.store.source}, pictures: {pictures}; budget {self.budget:,} images"
        )

    def _train(self, module: TextToImageGAN) -> None:
        checkpoint = self.folder / "checkpoints" / "last.ckpt"
        resume = load_checkpoint(checkpoint)
        if resume is not None:
            restore(module, resume)
            say(f"going on after {module.images_seen:,} images")
        grids = SampleGrids(self.folder, self.inputs.store, self.inputs.table, self.config.logger.samples_every)
        scores = self._scores()
        log = TrainingLog(self.config.logger.log_every)
        checkpoints = Checkpoints(checkpoint, self.config.logger.checkpoint_minutes, resume)
        callbacks = [checkpoints, log, grids, scores]  # restored first, saved first
        if self.config.logger.progress:
            callbacks.append(Progress(self.budget, log))
        trainer = build_trainer(self.config, callbacks, self._loggers(module.images_seen))
        stream = self._stream(trainer, module.step_count)
        trainer.fit(module, DataLoader(stream, batch_size=None))
        final = scores.final or scores.score_test(trainer, module)  # all images seen already: nothing was left to train
        if trainer.is_global_zero:
            bundle = GeneratorBundle(module.sampler(), self.inputs.encoder, self.place.signature, module.images_seen)
            bundle.save(self.folder / "generator")
            self._record(module, state="done", scores={final.metric: final.value})
            print(self._outputs(grids.last, f"{final.metric} {final.value:.3f} +- {final.std:.3f}"))

    def _scores(self) -> InceptionScores:
        evaluation = self.config.evaluation
        network = build_feature_network(evaluation.network, evaluation.inception_weights)
        plan = ScorePlan(
            evaluation.every, evaluation.samples, evaluation.final_samples,
            evaluation.splits, evaluation.batch_size, evaluation.seed,
        )  # fmt: skip
        return InceptionScores(self.folder, self.inputs.store, self.inputs.table, network, plan)

    def _loggers(self, images_seen: int) -> list[Any]:
        logger, study = self.config.logger, study_directory(self.config).name
        remote = wandb_logger(
            self.folder, logger.wandb, logger.project, study, self.place.signature, asdict(self.config)
        )
        rows = MetricsCsv(self.folder)
        rows.forget_after(images_seen)
        return [rows, *([remote] if remote else [])]

    def _stream(self, trainer: pl.Trainer, start: int) -> BatchStream:
        config, scale = self.config, stage_scale(self.config)
        return BatchStream(
            self.inputs.store,
            self.inputs.table,
            image_size=scale.image_size,
            batch_size=scale.batch_size,
            seed=config.seed,
            start=start,
            steps=self.budget // scale.batch_size,
            rank=trainer.global_rank,
            world_size=trainer.world_size,
            captions_per_image=config.text.captions_per_image,
            mismatch=config.loss.mismatch,  # type: ignore[arg-type]
            wrong_texts=config.loss.wrong_texts,
            crop=config.data.crop,
            flip=config.data.flip,
        )

    @rank_zero_only
    def _record(self, module: TextToImageGAN, **changes: Any) -> None:
        seconds = self._seconds_before + time.monotonic() - self._started
        self.status = replace(self.status, images=module.images_seen, seconds=round(seconds, 1), **changes)
        self.status.write(self.folder)

    def _outputs(self, samples: Path | None = None, score: str = "") -> str:
        lines = [("samples", samples), ("score", score), ("metrics", self.folder / "metrics.csv"), ("run", self.folder)]
        return "\n".join(f"{name + ':':9}{value}" for name, value in lines if value)
