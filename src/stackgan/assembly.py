"""From the configuration to the objects of a run: networks, loss, step, trainer. The library below knows no configuration."""

import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from stackgan.cadence import in_images, warm_up_images
from stackgan.config import Config, Trainer, requested_budget, stage_scale
from stackgan.data.batches import BatchStream
from stackgan.errors import UserError
from stackgan.evaluation.during_training import ScorePlan, TrainingScores
from stackgan.evaluation.feature_networks import build_feature_network
from stackgan.health.monitor import HealthSettings
from stackgan.health.verdicts import remedy_words
from stackgan.inputs import Inputs
from stackgan.losses.adversarial import AdversarialLoss
from stackgan.losses.build import build_loss
from stackgan.networks.architecture import Architecture, resolve_architecture
from stackgan.networks.build import build_discriminator, build_generator
from stackgan.networks.recompute import recompute_activations
from stackgan.networks.stage_one import StageOneGenerator
from stackgan.networks.stage_two import StageTwoGenerator
from stackgan.networks.text_to_image import TextToImage, TextWhitener
from stackgan.precision import resolve_precision
from stackgan.training.module import StepSettings, TextToImageGAN
from stackgan.training.optimizers import OptimizerSettings
from stackgan.training.schedule import LearningRateSchedule
from stackgan.training.stages import StageOne, StageTwo
from stackgan.training.strategy import AlternatingDDP

WHITENED_BY = 10_000  # captions, at most
AUGMENT_BELOW = 2_000  # training pictures: data.augment=auto


def image_budget(config: Config, training_images: int) -> int:
    """Images to show to the discriminator: a whole number of batches."""
    scale = stage_scale(config)
    images, epochs = requested_budget(config)
    if images is None:
        images = int(epochs or 0) * training_images
    return math.ceil(images / scale.batch_size) * scale.batch_size


def build_module(
    config: Config, inputs: Inputs, budget: int, stage_one: TextToImage | None, whitener: TextWhitener | None = None
) -> TextToImageGAN:
    """The LightningModule of the configured stage.

    Args:
        stage_one: what Stage II stands on; its whitener is Stage II's too.
        whitener: Stage I's; None: fitted to this run's captions.
    """
    scale = stage_scale(config)
    if stage_one is not None:
        whitener = stage_one.whitener
    whitener = whitener or build_whitener(config, inputs)
    common: dict[str, Any] = {
        "text_dim": whitener.dim,
        "image_size": scale.image_size,
        "arch": build_architecture(config),
        "condition_dim": config.arch.condition_dim,
        "init": config.arch.init,
    }
    discriminator = build_discriminator(
        config.stage.name,
        base_channels=config.scale.discriminator_channels,
        norm=config.norm.discriminator,
        dropout=config.dropout.rate,
        **common,
    )
    common |= {"base_channels": config.scale.generator_channels, "norm": config.norm.generator}
    loss, settings = build_adversarial_loss(config), build_step_settings(config, inputs, budget)
    if stage_one is None:
        generator = build_generator("one", noise_dim=config.arch.noise_dim, **common)
        assert isinstance(generator, StageOneGenerator)
        module: TextToImageGAN = StageOne(generator, discriminator, loss, settings, whitener)
    else:
        common |= {"stage_one_size": stage_one.image_size, "residual_blocks": config.scale.residual_blocks}
        refiner = build_generator("two", **common)
        assert isinstance(refiner, StageTwoGenerator)
        module = StageTwo(refiner, discriminator, loss, settings, stage_one)
    if config.trainer.recompute:
        recompute_activations(module.generator)
        recompute_activations(module.discriminator)
    return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def build_whitener(config: Config, inputs: Inputs) -> TextWhitener:
    """Fitted to captions of training pictures where the configuration says so, else the identity."""
    table, components = inputs.table, config.text.whiten
    if components is None:
        return TextWhitener(table.dim)
    rows = inputs.store.indices("train")
    captions = np.concatenate([np.arange(table.starts[row], table.starts[row + 1]) for row in rows])
    captions = captions[:: math.ceil(len(captions) / WHITENED_BY)]
    # components estimated from fewer captions than twice their number would be noise
    whitener = TextWhitener(table.dim, min(components, table.dim, max(1, len(captions) // 2)))
    whitener.fit(torch.from_numpy(np.array(table.vectors[captions])))
    return whitener


def build_architecture(config: Config) -> Architecture:
    """The preset, with the fields that the configuration sets itself."""
    arch = config.arch
    choices: dict[str, Any] = {
        name: getattr(arch, name) for name in ("residual_picture", "picture_skips", "joint_kernel", "projection")
    }
    if arch.unconditional_head is not None:
        choices["unconditional_head"] = "both" if arch.unconditional_head else "none"
    choices = {name: value for name, value in choices.items() if value is not None}
    return resolve_architecture({"name": arch.name, **choices})


def build_adversarial_loss(config: Config) -> AdversarialLoss:
    """The configured loss with its penalty."""
    loss = config.loss
    return build_loss(
        loss.name,
        n_critic=loss.n_critic,
        label_smoothing=loss.label_smoothing,
        clip=loss.clip,
        penalty=loss.penalty,
        penalty_weight=loss.penalty_weight,
        penalty_every=loss.penalty_every,
    )


def build_step_settings(config: Config, inputs: Inputs, budget: int) -> StepSettings:
    """How a step is taken; epochs become images here, because the size of the data set is known here."""
    optim, lr, scale = config.optim, config.lr, stage_scale(config)
    training_images = len(inputs.store.indices("train"))
    shared = {key: value for key, value in asdict(optim).items() if key != "clip_norm"}
    few = training_images < AUGMENT_BELOW
    return StepSettings(
        batch_size=scale.batch_size,
        seed=config.seed,
        generator_optimizer=OptimizerSettings(lr=lr.generator * scale.lr_factor, **shared),
        discriminator_optimizer=OptimizerSettings(lr=lr.discriminator * scale.lr_factor, **shared),
        schedule=LearningRateSchedule(
            halve_every=lr.halve_every_epochs * training_images if lr.halve_every_epochs else None,
            warmup=lr.warmup_images,
            cosine_over=budget if lr.cosine else None,
        ),
        clip_norm=optim.clip_norm,
        kl_weight=config.loss.kl_weight,
        matching_discriminator=config.loss.matching_discriminator,
        matching_generator=config.loss.matching_generator,
        ema_half_life=config.scale.ema_half_life,
        augment=config.data.augment == "on" or (config.data.augment == "auto" and few),
        fresh_noise=config.arch.fresh_noise,
        measure_health=config.health.policy != "off",
        accumulate=config.trainer.accumulate,
    )


def build_health_settings(config: Config, budget: int) -> HealthSettings:
    """Thresholds and policy of the health monitor; cadences become images here."""
    health, lr, loss = config.health, config.lr, config.loss
    return HealthSettings(
        thresholds=asdict(health.thresholds),
        words=remedy_words(
            lr.generator, lr.discriminator, loss.n_critic, loss.kl_weight, config.scale.discriminator_channels
        ),
        policy=health.policy,
        acts_on=tuple(health.acts_on),
        every=in_images(health.every, budget),
        warm_up=warm_up_images(health.warm_up, budget),
        patience=health.patience,
        rollbacks=health.rollbacks,
        rollback_lr=health.rollback_lr,
    )


def build_scores(
    config: Config,
    run: Path,
    inputs: Inputs,
    budget: int,
    keep_best: Callable[[], None],
    tell: Callable[[int, str], None],
) -> TrainingScores:
    """The scores while the run goes on and at its end. See `TrainingScores` for the last two arguments."""
    evaluation = config.evaluation
    every = None if evaluation.every is None else in_images(evaluation.every, budget)
    plan = ScorePlan(
        every, evaluation.samples, evaluation.final_samples,
        evaluation.splits, evaluation.batch_size, evaluation.seed, evaluation.objective,
    )  # fmt: skip
    network = build_feature_network(evaluation.network, evaluation.inception_weights) if plan.scores else None
    return TrainingScores(run, inputs.store, inputs.table, network, plan, Path(config.data.cache), keep_best, tell)


def build_stream(config: Config, inputs: Inputs, budget: int, trainer: pl.Trainer, start: int) -> BatchStream:
    """The training batches of this rank from step `start` on."""
    scale = stage_scale(config)
    return BatchStream(
        inputs.store,
        inputs.table,
        image_size=scale.image_size,
        batch_size=scale.batch_size,
        seed=config.seed,
        start=start,
        steps=budget // scale.batch_size,
        rank=trainer.global_rank,
        world_size=trainer.world_size,
        captions_per_image=config.text.captions_per_image,
        mismatch=config.loss.mismatch,  # type: ignore[arg-type]
        wrong_texts=config.loss.wrong_texts,
        crop=config.data.crop,
        flip=config.data.flip,
    )


def build_trainer(config: Config, callbacks: list[pl.Callback], loggers: list[Any]) -> pl.Trainer:
    """A Trainer that leaves to us what it does per optimizer step: budget, checkpoints, progress.

    Raises UserError for devices that the preflight believed in and Lightning does not find: CUDA_VISIBLE_DEVICES names others, torch is a
    build for CPUs.
    """
    trainer = config.trainer
    try:
        return _trainer(trainer, callbacks, loggers)
    except MisconfigurationException as error:
        devices = f"trainer.accelerator={trainer.accelerator} trainer.devices={trainer.devices}"
        raise UserError(f"{devices}: {' '.join(str(error).split())}") from error


def _trainer(trainer: Trainer, callbacks: list[pl.Callback], loggers: list[Any]) -> pl.Trainer:
    return pl.Trainer(
        accelerator=trainer.accelerator,
        devices=trainer.devices,
        strategy=AlternatingDDP() if trainer.devices > 1 else "auto",
        precision=resolve_precision(trainer.precision, trainer.accelerator),  # type: ignore[arg-type]
        max_epochs=1,
        callbacks=callbacks,
        logger=loggers,
        deterministic=trainer.deterministic,
        sync_batchnorm=synchronises_batchnorm(trainer),
        use_distributed_sampler=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )


def synchronises_batchnorm(trainer: Trainer) -> bool:
    """Whether batch norm takes its statistics over the batches of all ranks, as one device with the whole batch would.

    torch's synchronised batch norm exists for GPUs only; on CPU ranks each normalises its own share of the batch.

    Raises UserError where it is asked for without GPUs.
    """
    if trainer.devices == 1 or trainer.sync_batchnorm == "off":
        return False
    gpus = trainer.accelerator != "cpu" and torch.cuda.is_available()
    if trainer.sync_batchnorm == "on" and not gpus:
        raise UserError(
            "trainer.sync_batchnorm=on needs GPUs, and none is visible; take norm=group or leave it at auto."
        )
    return gpus
