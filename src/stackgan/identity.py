"""What of a configuration acts on what a run learns from each image, resolved: equal runs have equal values, whatever they are called.

Left out are labels, paths, cadences, budgets and whatever is not in use: another optimizer's keys, another data set's, the other stage's.
No torch here.
"""

from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from stackgan.config import Config, Loss, stage_scale
from stackgan.gpus import gpus_here
from stackgan.losses.names import PAPER_WEIGHTS
from stackgan.networks.architecture import Architecture, resolve_architecture
from stackgan.precision import resolve_precision
from stackgan.uses import DATA_KEYS, LISTED, OPTIMIZER_KEYS

# Settings that say nothing about what is learned: where, how long, how fast, and what is looked at.
BOOKKEEPING = ("variant", "stage_one", "images", "epochs", "study", "outputs", "logger", "evaluation", "health", "jobs", "on_failure",
               "dry_run")  # fmt: skip
BOOKKEEPING_KEYS = (
    "data.root", "data.listing", "data.dataset", "data.revision", "data.encoding", "data.archive", "data.download", "data.cache",
    "text.embeddings", "norm.name", "dropout.name", "lr.name", "scale.name",
    "trainer.name", "trainer.accelerator", "trainer.devices", "trainer.threads", "trainer.deterministic", "trainer.sync_batchnorm",
    "trainer.accumulate", "trainer.recompute",
)  # fmt: skip
STAGE_TWO_ARCH = ("residual_picture", "narrowing_kernel")  # fields that Stage I has no use for
STAGE_ONE_ARCH = ("picture_skips", "generator_bottlenecks", "full_resolution_layer", "condition_first", "stem_bias")


def acting(config: Config) -> dict[str, Any]:
    """Every resolved setting that acts, by its dotted key."""
    scale = stage_scale(config)
    values = {
        "stage.name": config.stage.name,
        "seed": config.seed,
        **_data(config),
        **{f"text.{key}": getattr(config.text, key) for key in ("name", "captions_per_image", "whiten")},
        **_arch(config),
        "norm.generator": config.norm.generator,
        "norm.discriminator": config.norm.discriminator,
        "optim.name": config.optim.name,
        **{f"optim.{key}": getattr(config.optim, key) for key in OPTIMIZER_KEYS[config.optim.name]},
        **_loss(config.loss),
        "dropout.rate": config.dropout.rate,
        "lr.generator": _rate(config.lr.generator, scale.lr_factor),
        "lr.discriminator": _rate(config.lr.discriminator, scale.lr_factor),
        **{f"lr.{key}": getattr(config.lr, key) for key in ("halve_every_epochs", "warmup_images", "cosine")},
        **{f"scale.{key}": getattr(config.scale, key) for key in _scale_keys(config)},
        "scale.image_size": scale.image_size,
        "scale.batch_size": scale.batch_size,
        "trainer.precision": resolve_precision(config.trainer.precision, config.trainer.accelerator),
    }
    if (share := normalised_together(config)) != scale.batch_size:
        values["trainer.normalised_together"] = share
    if config.start_from:  # a run's folder is named by its signature, wherever it lies
        values["start_from"] = Path(config.start_from).name
    return values


def difference(config: Config) -> dict[str, Any]:
    """What acts, where it is not the schema's default: a key that the schema gains changes no run that leaves it alone."""
    defaults = schema_defaults()
    return {key: value for key, value in acting(config).items() if key not in defaults or value != defaults[key]}


@cache
def schema_defaults() -> dict[str, Any]:
    """The schema's defaults by dotted key; of the network's fields the default architecture's."""
    known: dict[str, Any] = {}
    for group, settings in asdict(Config()).items():
        if isinstance(settings, dict):
            known |= {f"{group}.{key}": value for key, value in settings.items() if value != "???"}
    return known | {f"arch.{key}": value for key, value in Architecture().settings().items() if key != "name"}


def normalised_together(config: Config) -> int:
    """Pictures over which batch norm takes its statistics in training; the batch where neither network has it."""
    scale, trainer = stage_scale(config), config.trainer
    if "batch" not in config.norm.generator and config.norm.discriminator != "batch":
        return scale.batch_size
    synchronised = trainer.sync_batchnorm != "off" and trainer.accelerator != "cpu" and bool(gpus_here())
    ranks = 1 if trainer.devices == 1 or synchronised else trainer.devices
    return scale.batch_size // (ranks * trainer.accumulate)


def _data(config: Config) -> dict[str, Any]:
    data = config.data
    values = {f"data.{key}": getattr(data, key) for key in ("name", *DATA_KEYS[data.name])}
    if data.split != "class":
        values.pop("data.test_classes", None)
    if data.name in LISTED:  # such a list's own split is what it is by default, though not by the schema
        values["data.divided"] = values.pop("data.split")
        if data.split == "listed":
            del values["data.divided"]
    if place := data.root or data.archive or data.dataset:  # which data set, wherever it lies
        values["data.place"] = Path(place).name
    return values


def _arch(config: Config) -> dict[str, Any]:
    arch, stage = config.arch, config.stage.name
    chosen: dict[str, Any] = {
        key: getattr(arch, key) for key in ("residual_picture", "picture_skips", "joint_kernel", "projection")
    }
    if arch.unconditional_head is not None:
        chosen["unconditional_head"] = "both" if arch.unconditional_head else "none"
    resolved = resolve_architecture({"name": arch.name} | {k: v for k, v in chosen.items() if v is not None})
    fields = resolved.settings()
    for key in ("name", *(STAGE_TWO_ARCH if stage == "one" else STAGE_ONE_ARCH)):
        del fields[key]
    if not resolved.has_unconditional_head(stage):
        fields["unconditional_head"] = "none"
    own = ("condition_dim", "init", "fresh_noise", *(("noise_dim",) if stage == "one" else ()))
    return {f"arch.{key}": value for key, value in (fields | {key: getattr(arch, key) for key in own}).items()}


def _loss(loss: Loss) -> dict[str, Any]:
    keys = ["name", "mismatch", "matching_discriminator", "matching_generator", "n_critic", "kl_weight", "penalty"]
    keys += ["wrong_texts"] if loss.mismatch == "text" else []
    keys += {"bce": ["label_smoothing"], "wgan": ["clip"]}.get(loss.name, [])
    values = {f"loss.{key}": getattr(loss, key) for key in keys}
    if loss.penalty != "none":
        weight = PAPER_WEIGHTS[loss.penalty] if loss.penalty_weight is None else loss.penalty_weight
        values |= {"loss.penalty_weight": weight, "loss.penalty_every": loss.penalty_every}
    return values


def _scale_keys(config: Config) -> tuple[str, ...]:
    shared = ("generator_channels", "discriminator_channels", "ema_half_life")
    return shared if config.stage.name == "one" else (*shared, "residual_blocks")


def _rate(rate: float, factor: float) -> float:
    return float(f"{rate * factor:.12g}")  # 8e-4 * 0.125 is 1e-4
