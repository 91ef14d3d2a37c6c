"""One run from its configuration to its finished folder: data, training, scores, and a status whatever happens."""

import importlib.metadata
import os
import platform
import sys
import time
import traceback
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import yaml
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only
from pytorch_lightning.utilities.exceptions import SIGTERMException
from torch.utils.data import DataLoader

from stackgan.assembly import (
    build_health_settings,
    build_module,
    build_scores,
    build_stream,
    build_trainer,
    image_budget,
)
from stackgan.cadence import in_images
from stackgan.config import Config
from stackgan.errors import UserError, is_full
from stackgan.evaluation.during_training import TrainingScores
from stackgan.evaluation.record import describe
from stackgan.evaluation.registry import by_name
from stackgan.evaluation.request import ScoreRequest
from stackgan.evaluation.shortages import not_taken
from stackgan.evaluation.words import lacking_in_words, left_out_in_words, scores_in_words
from stackgan.health.monitor import HealthMonitor, Reporter
from stackgan.health.probe import Probe
from stackgan.inputs import Inputs, prepare_inputs
from stackgan.networks.text_to_image import TextToImage, TextWhitener
from stackgan.precision import resolve_precision
from stackgan.process import is_first_rank, prepare_process, say
from stackgan.provenance import Provenance
from stackgan.reporting.samples import SampleGrids
from stackgan.run_directory import (
    RunPlace,
    State,
    Status,
    locate_run,
    lock_run,
    read_status,
    remove_leftovers,
    write_atomically,
)
from stackgan.text.precision import same_encoder
from stackgan.tracking.loggers import build_loggers, finish_loggers
from stackgan.tracking.wandb_summary import send_summary
from stackgan.training.bundle import GeneratorBundle, load_bundle
from stackgan.training.callbacks import Diverged, LastImage, Progress, TrainingLog
from stackgan.training.checkpoint import (
    LAST,
    Found,
    RollBack,
    newest_checkpoint,
    other_precision,
    refuse_other_run,
    restore,
    start_from,
    whitened_components,
)
from stackgan.training.gate import all_finite
from stackgan.training.live_status import LiveStatus
from stackgan.training.module import TextToImageGAN
from stackgan.training.preemption import Preempted, StopRequest, end_with_parent
from stackgan.training.saving import Checkpoints, SavePlan

DONE, FAILED, DIVERGED, PREEMPTED = 0, 1, 3, 75
EXIT_CODES = {"done": DONE, "diverged": DIVERGED, "collapsed": DIVERGED, "preempted": PREEMPTED}
PACKAGES = ("torch", "pytorch-lightning", "torchmetrics", "hydra-core", "wandb")


def run(config: Config, overrides: list[str]) -> int:
    """Train, continue or skip the run of this configuration. Returns the exit code; raises UserError before any work."""
    place = locate_run(config, overrides)
    prepare_process(config)
    inputs = prepare_inputs(config)
    for note in inputs.notes:
        say(f"note: {note}")
    budget = image_budget(config, len(inputs.store.indices("train")))
    before = read_status(place.folder)
    if before is not None and before.data_fingerprint not in ("", inputs.store.fingerprint):
        raise UserError(
            f"{place.folder} was trained on other data (fingerprint {before.data_fingerprint}, now "
            f"{inputs.store.fingerprint}); move it away or choose another study=<name>."
        )
    if before is not None and before.state == "done" and before.images >= budget:
        failed = before.left_out.keys() - not_taken(inputs.store).keys()
        if not failed or not (place.folder / "checkpoints" / LAST).is_file():  # else its scores are tried again
            lacking = lacking_in_words(config.evaluation, before, place.folder, inputs.store)
            say("\n".join([f"already done ({before.images:,} images): {place.folder}", *lacking]))
            return DONE
    if not is_first_rank():
        end_with_parent()
        Experiment(config, overrides, place, inputs, budget, before).run()
        return DONE  # the first rank says how it ended; Lightning kills that one when another leaves with a code
    with lock_run(place.folder):
        remove_leftovers(place.folder)
        return Experiment(config, overrides, place, inputs, budget, read_status(place.folder)).run()


class Experiment:
    """One run being trained; its folder says at every moment what state it is in."""

    def __init__(
        self, config: Config, overrides: list[str], place: RunPlace, inputs: Inputs, budget: int, before: Status | None
    ) -> None:
        self.config, self.overrides, self.place, self.inputs, self.budget = config, overrides, place, inputs, budget
        self.folder, self.checkpoints = place.folder, place.folder / "checkpoints"
        fingerprints = {"data": inputs.store.fingerprint, "text": inputs.table.encoder}
        self.identity = place.identity | {"fingerprint": fingerprints}
        self.before = before
        self.status = replace(
            before or Status("running"),
            state="running",
            reason="",
            budget=budget,
            signature=place.signature,
            folder=place.folder.name,
            data_fingerprint=inputs.store.fingerprint,
            train_images=len(inputs.store.indices("train")),
            versions={name: importlib.metadata.version(name) for name in PACKAGES}
            | {"python": platform.python_version()},
        )
        self.stop = StopRequest()
        self.stop.deferred = not is_first_rank()  # the others wait for this rank, and agree on the batch to stop at
        self.loggers: list[Logger] = []
        self._saves: Checkpoints | None = None
        self._seconds_before = before.seconds if before else 0.0
        self._started = time.monotonic()

    def run(self) -> int:
        """Train and leave the folder complete; how it ended is recorded before it is told. Returns the exit code."""
        pl.seed_everything(self.config.seed, verbose=False)
        self.module = self._build()
        with self.stop:
            try:
                self._train(self._resume())
                return DONE
            except Diverged as error:
                self._end(error.state, str(error))
                say(f"{error.state}: {error}\n{self._outputs()}")
                return DIVERGED
            except (Preempted, SIGTERMException):
                self._end("preempted", self.stop.reason)
                say(f"preempted after {self.module.images_seen:,} images; the same command goes on\n{self._outputs()}")
                self.stop.tell_host()
                return PREEMPTED
            except OSError as error:
                full = is_full(error)
                place = self.folder if full else error.filename or self.folder
                reason = f"{place}: {error.strerror or error}; saved until {self.saved_images:,} images"
                self._end("failed", reason)
                if not full:
                    raise
                print(f"{reason}. Make room and give the same command again.", file=sys.stderr)
                return FAILED
            except UserError as error:
                self._end("failed", str(error), images=self.status.images)
                raise
            except BaseException as error:
                self._end("failed", f"{type(error).__name__}: {error}".splitlines()[0])
                raise
            finally:
                finish_loggers(self.loggers, EXIT_CODES.get(self.status.state, FAILED))

    def event(self, images: int, sentence: str) -> None:
        """Say what happened, and keep it in status.json."""
        say(f"{sentence} (at {images:,} images)")
        self._record(events=[*self.status.events, {"images": images, "sentence": sentence}])

    def _stage_one(self) -> TextToImage | None:
        """The frozen Stage I of a Stage-II run; it must read the same embeddings."""
        if self.place.stage_one is None:
            return None
        bundle, encoder = load_bundle(self.place.stage_one / "generator"), self.inputs.encoder
        if not same_encoder(bundle.text.fingerprint, encoder.fingerprint):
            raise UserError(
                f"stage_one={self.place.stage_one} was trained on {bundle.text.name} embeddings ({bundle.text.fingerprint}) "
                f"and this run has {encoder.name} ({encoder.fingerprint}); use the same text=."
            )
        return bundle.sampler

    def _build(self) -> TextToImageGAN:
        """The module of this run, with random weights or with those of the run it starts from."""
        if self.config.start_from is None:
            return build_module(self.config, self.inputs, self.budget, self._stage_one())
        found = newest_checkpoint((self.place.start or self.folder) / "checkpoints")
        if found is None:
            raise UserError(f"start_from={self.place.start} has no checkpoint any more: checkpoints/{LAST} is missing.")
        for note in found.notes:
            say(f"warning: {note} Starting from {found.path.name}.")
        whitener = TextWhitener(self.inputs.table.dim, whitened_components(found.checkpoint))
        module = build_module(self.config, self.inputs, self.budget, self._stage_one(), whitener)
        if self.place.start is not None:
            start_from(module, found.checkpoint, self.identity)
        return module

    def _resume(self) -> Found | None:
        """Where to go on: the newest checkpoint, now in the module, or None for a start. Raises UserError where it must not be used."""
        found = newest_checkpoint(self.checkpoints)
        if found is not None:
            refuse_other_run(found, self.identity)
            restore(self.module, found.checkpoint)
        self._describe()
        images = self.module.images_seen
        if found is not None:
            for note in found.notes:
                self.event(images, f"warning: {note} Going back to {found.path.name}.")
            self.event(images, "went on from the checkpoint")
            if other := other_precision(found.checkpoint, self.identity):
                self.event(images, other)
        elif self.before is not None and self.before.images:
            self.event(0, f"started again: the session before reached {self.before.images:,} images and saved none")
        elif self.place.start is not None:
            self.event(0, f"started from {self.place.start}")
        return found

    @rank_zero_only
    def _describe(self) -> None:
        """The parts of the folder that are known before the first image."""
        write_atomically(self.folder / "config.yaml", yaml.safe_dump(asdict(self.config), sort_keys=False))
        write_atomically(self.folder / "overrides.txt", "".join(f"{override}\n" for override in self.overrides))
        self._record()
        counts = {split: len(self.inputs.store.indices(split)) for split in ("train", "validation", "test")}  # type: ignore[arg-type]
        pictures = ", ".join(f"{count:,} {split}" for split, count in counts.items())
        print(
            f"run: {self.folder}\ndata: {self.inputs.store.source}, pictures: {pictures}; budget {self.budget:,} images"
        )

    def _train(self, found: Found | None) -> None:
        """Fit, as often as the run goes back to an older checkpoint."""
        table, self.loggers = build_loggers(self.folder, self.config, self.place.signature, self.module.images_seen)
        again = False
        while True:
            try:
                table.forget_after(self.module.images_seen)
                return self._fit(found, again)
            except RollBack as request:
                found, again = self._roll_back(request), True

    def _roll_back(self, request: RollBack) -> Found:
        """Put the checkpoint that the request asks for into the module."""
        images = self.module.images_seen
        found = newest_checkpoint(self.checkpoints, request.accept)
        if found is None:
            raise Diverged(f"{request}; no checkpoint from before it is left")
        restore(self.module, found.checkpoint)
        self.module.extra |= request.extra
        self.event(images, f"{request}; went back to {self.module.images_seen:,} images")
        return found

    def _fit(self, found: Found | None, again: bool) -> None:
        """Train to the budget, write the bundle, and score. `again`: after a roll-back, which the checkpoint must remember."""
        module = self.module
        if module.images_seen >= self.budget:
            self._keep_trained()
        every = in_images(self.config.logger.samples_every, self.budget)
        grids = SampleGrids(self.folder, self.inputs.store, self.inputs.table, every)
        keep_best = partial(self._save_bundle, "generator_best")
        scores = build_scores(self.config, self.folder, self.inputs, self.budget, keep_best, self.event)
        log = TrainingLog(in_images(self.config.logger.log_every, self.budget))
        callbacks = [
            LastImage(self.budget, self._keep_trained),
            log,
            grids,
            scores,
            self._monitor(log),
            LiveStatus(self._record, log, scores),
        ]
        if self.config.logger.progress:
            callbacks.append(Progress(self.budget, log))
        checkpoints = self._checkpoints(found, again)
        trainer = build_trainer(self.config, [*callbacks, checkpoints], self.loggers)
        self._say_what_with(trainer)
        stream = build_stream(self.config, self.inputs, self.budget, trainer, module.step_count)
        self.stop.deferred = True
        pinned = trainer.strategy.root_device.type == "cuda"
        try:
            trainer.fit(module, DataLoader(stream, batch_size=None, pin_memory=pinned))
        except Diverged:
            self._leave_last_good(scores)
            raise
        if trainer.world_size == 1:
            self.stop.no_longer_deferred()
        if scores.final is None:  # all images seen already: nothing was left to train
            grids.draw(trainer, module)
        final = scores.score_end(trainer, module) if scores.final is None else scores.final
        if trainer.is_global_zero:
            self._end("done", scores=by_name(final) | self._full_scores(), left_out=scores.left_out)
            print(self._outputs(grids.last, scores_in_words(final), left_out_in_words(scores.left_out)))

    def _say_what_with(self, trainer: pl.Trainer) -> None:
        """Record what code trains on which device; another than the session before is an event."""
        precision = resolve_precision(self.config.trainer.precision, self.config.trainer.accelerator)
        with_what = Provenance.here(trainer.strategy.root_device, precision, trainer.world_size).record()
        if not trainer.is_global_zero:
            return
        before = self.status.provenance
        other = [
            f"{key} {before[key]} -> {value}" for key, value in with_what.items() if before.get(key, value) != value
        ]
        self._record(provenance=with_what)
        if other and self.module.images_seen:
            self.event(self.module.images_seen, f"went on with another {', '.join(other)}")
        send_summary(self.loggers, self.config, self.status)

    def _save_bundle(self, name: str = "generator") -> None:
        module, status = self.module, self.status
        bundle = GeneratorBundle(module.sampler(), self.inputs.encoder, self.place.signature, module.images_seen, {
            "identity": self.identity, "train_images": status.train_images, "versions": status.versions, **status.provenance,
        })  # fmt: skip
        bundle.save(self.folder / name)

    def _full_scores(self) -> dict[str, float]:
        """All that src/evaluate.py measures, where the configuration asks for it; what cannot be measured does not cost the run."""
        evaluation = self.config.evaluation
        if evaluation.full_samples is None:
            return {}
        from stackgan.evaluation.run_scores import score_run

        self.stop.no_longer_deferred()  # killed here, the same command goes on with the scores
        weights = evaluation.inception_weights
        request = ScoreRequest(
            samples=evaluation.full_samples,
            splits=evaluation.splits,
            seed=evaluation.seed,
            batch_size=evaluation.batch_size,
            network=evaluation.network,
            network_path=Path(weights) if weights and evaluation.network != "efflite0" else None,
        )
        try:
            scored = score_run(self.folder, request)
        except Exception as error:
            if is_full(error):
                raise
            if not isinstance(error, UserError):
                traceback.print_exception(error)
            self.event(
                self.module.images_seen, f"evaluation.full_samples={evaluation.full_samples}: no such scores: {error}"
            )
            return {}
        say("\n".join([*map(describe, scored.records), *scored.notes]))
        return by_name(record for record in scored.records if record.frames != "cropped")

    @rank_zero_only
    def _keep_trained(self) -> bool:
        """The generator as it is in the module now, where its weights are good; what fails after it costs the run no images."""
        good = all_finite(self.module.parameters())
        if good:
            self._save_bundle()
        return good

    @rank_zero_only
    def _leave_last_good(self, scores: TrainingScores) -> None:
        """Of a run that its health ended: its last good generator and its score."""
        if self._keep_trained():
            self._record(scores=by_name(scores.final or []), left_out=scores.left_out)

    def _monitor(self, log: TrainingLog) -> HealthMonitor:
        health, probe = self.config.health, None
        if health.policy != "off":
            probe = Probe(self.inputs.store, self.inputs.table, health.captions, health.noises)
        reporter = Reporter(lambda verdicts: self._record(verdicts=verdicts), self.event)
        return HealthMonitor(
            build_health_settings(self.config, self.budget), log, probe, self.checkpoints, self.budget, reporter
        )

    def _checkpoints(self, found: Found | None, again: bool) -> Checkpoints:
        logger = self.config.logger
        plan = SavePlan(logger.checkpoint_minutes, logger.checkpoint_images, self.budget)
        keep = not again and (found is None or found.path.name == LAST)
        resume = found.checkpoint if found else None
        saves = Checkpoints(self.checkpoints, plan, self.identity, self.stop, resume, keep, save_first=again)
        self._saves = saves
        return saves

    @property
    def saved_images(self) -> int:
        """Images seen at the last save, 0 before there is one."""
        return self._saves.saved_images if self._saves else 0

    @rank_zero_only
    def _record(self, **changes: Any) -> None:
        """Rewrite status.json with the fields that changed."""
        seconds = round(self._seconds_before + time.monotonic() - self._started, 1)
        changes = {"images": self.module.images_seen, "seconds": seconds, "pid": os.getpid()} | changes
        self.status = replace(self.status, **changes)
        self.status.write(self.folder)

    def _end(self, state: State, reason: str = "", **changes: Any) -> None:
        """The last record of this session; a wish to stop has nothing left to stop."""
        self.stop.deferred = True
        try:
            self._record(state=state, reason=reason, **changes)
            send_summary(self.loggers, self.config, self.status)
        except OSError:  # a full disk must not hide what happened
            if state == "done":
                raise

    def _outputs(self, samples: Path | None = None, score: str = "", without: str = "") -> str:
        told = [("samples", samples), ("score", score), ("without", without)]
        lines = [*told, ("metrics", self.folder / "metrics.csv"), ("run", self.folder)]
        return "\n".join(f"{name + ':':9}{value}" for name, value in lines if value)
