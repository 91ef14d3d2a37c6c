"""What one run is: the typed schema behind `conf/`, and the rules between its groups.

Nothing here imports torch, so `--help`, `--cfg job` and the check of a whole sweep answer at once. The YAML files in `conf/`
hold the values and say what they mean; this file holds the types, and `check` refuses what cannot work in one sentence.
"""

import re
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import yaml
from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from stackgan.cli.hints import no_setting
from stackgan.errors import UserError
from stackgan.evaluation.registry import LEAST, WHILE_TRAINING
from stackgan.gpus import device_count
from stackgan.health.verdicts import POLICIES, RULES, VERDICTS
from stackgan.losses.names import LOSSES, PENALTIES
from stackgan.networks.architecture import ARCHITECTURES, DISCRIMINATOR_NORMS, GENERATOR_NORMS, INITS, STAGE_ONE_SIZES
from stackgan.ranges import check_ranges
from stackgan.tracking.checks import WANDB_MODES, check_wandb_names
from stackgan.uses import DATA_KEYS, DATA_PLACES, LISTED, OPTIMIZER_KEYS

PROJECT = Path(__file__).resolve().parents[2]
ON_FAILURE = ("continue", "stop")


@dataclass
class Data:
    name: str = MISSING  # birds | cub | emoji | flowers | folder | huggingface
    root: str | None = None
    listing: str | None = None
    dataset: str | None = None
    revision: str | None = None
    encoding: str | None = None
    archive: str | None = None
    download: bool = False
    split: str = "class"  # class | image | all | listed
    split_seed: int | None = None
    test_classes: list[int] = field(default_factory=list)
    captions: str = "auto"  # auto | text | attributes
    classes: int = 200
    images_per_class: int = 20
    picture_size: int = 320
    seed: int = 0
    fit: str = "crop"  # crop | pad | squeeze
    padding: str = "border"  # border | white
    bad_images: str = "stop"  # stop | skip
    resample: str = "bicubic"
    crop: bool = True
    flip: bool = True
    augment: str = "off"  # off | on | auto
    cache: str = MISSING


@dataclass
class Text:
    name: str = MISSING  # minilm | minilm_tokens | multilingual | attributes | precomputed
    captions_per_image: int = 1
    whiten: int | None = None
    embeddings: str | None = None


@dataclass
class Stage:
    name: str = MISSING  # one | two


@dataclass
class Arch:
    name: str = MISSING
    condition_dim: int = 128
    noise_dim: int = 100
    unconditional_head: bool | None = None
    joint_kernel: int | None = None
    projection: bool | None = None
    picture_skips: bool | None = None
    residual_picture: bool | None = None
    init: str = "reference"
    fresh_noise: bool = False


@dataclass
class Norm:
    name: str = MISSING
    generator: str = MISSING
    discriminator: str = MISSING


@dataclass
class Optim:
    name: str = MISSING
    beta1: float = 0.5
    beta2: float = 0.999
    alpha: float = 0.99
    momentum: float = 0.0
    weight_decay: float = 0.0
    eps: float = 1e-8
    clip_norm: float | None = None


@dataclass
class Loss:
    name: str = MISSING  # bce | wgan | hinge | lsgan
    mismatch: str = "text"  # text | image
    wrong_texts: int = 1
    matching_discriminator: float = 0.0
    matching_generator: float = 0.0
    label_smoothing: float = 0.0
    n_critic: int = 1
    clip: float | None = None
    penalty: str = "none"
    penalty_weight: float | None = None
    penalty_every: int = 1
    kl_weight: float = 2.0


@dataclass
class Dropout:
    name: str = MISSING
    rate: float = 0.0


@dataclass
class LearningRate:
    name: str = MISSING
    generator: float = 2e-4
    discriminator: float = 2e-4
    halve_every_epochs: float | None = None
    warmup_images: int = 0
    cosine: bool = False


@dataclass
class StageScale:
    image_size: int = MISSING
    batch_size: int = MISSING
    images: int | None = None
    epochs: int | None = None
    lr_factor: float = 1.0


@dataclass
class Cadence:
    """How often by default; see `stackgan.cadence`."""

    log: float = 0.02
    grid: float = 0.1
    probe: float = 0.1
    warm_up: float = 0.1
    score: float | None = 0.25


@dataclass
class Scale:
    name: str = MISSING
    generator_channels: int = MISSING
    discriminator_channels: int = MISSING
    residual_blocks: int = 4
    ema_half_life: int = 10_000
    one: StageScale = field(default_factory=StageScale)
    two: StageScale = field(default_factory=StageScale)
    cadence: Cadence = field(default_factory=Cadence)


@dataclass
class Trainer:
    name: str = MISSING
    accelerator: str = "auto"
    devices: Any = 1  # a number; auto and -1 become one in `typed`
    precision: str = "auto"
    threads: int | None = None
    deterministic: bool = False
    sync_batchnorm: str = "auto"  # auto: on GPUs | on | off
    accumulate: int = 1
    recompute: bool = False


@dataclass
class Logger:
    name: str = MISSING
    wandb: str = "auto"  # auto | online | offline | disabled
    tensorboard: bool = False
    project: str = "stackgan"
    entity: str | None = None
    tags: list[str] = field(default_factory=list)
    notes: str | None = None
    log_every: float = MISSING
    samples_every: float = MISSING
    checkpoint_minutes: float = 10.0
    checkpoint_images: int | None = None
    progress: bool = True


@dataclass
class Evaluation:
    name: str = MISSING
    network: str = "auto"  # auto | efflite0 | inception
    inception_weights: str | None = None
    every: float | None = MISSING  # null: no scores while training
    samples: int = MISSING
    final_samples: int | None = MISSING  # null: no score at the end
    full_samples: int | None = None  # pictures for all scores of evaluate.py after the end; null: not taken
    splits: int = 10
    batch_size: int = 50
    seed: int = 0
    objective: str = "kid"


@dataclass
class Thresholds:
    nan: float | None = RULES["nan"].threshold
    diverging: float | None = RULES["diverging"].threshold
    discriminator_wins: float | None = RULES["discriminator_wins"].threshold
    generator_wins: float | None = RULES["generator_wins"].threshold
    black: float | None = RULES["black"].threshold
    mode_collapse: float | None = RULES["mode_collapse"].threshold
    ignores_text: float | None = RULES["ignores_text"].threshold
    white_border: float | None = RULES["white_border"].threshold


@dataclass
class Health:
    name: str = "warn"
    policy: str = "warn"  # off | warn | stop | rollback
    acts_on: list[str] = field(default_factory=list)
    every: float = MISSING
    captions: int = 12
    noises: int = 4
    warm_up: float = MISSING
    patience: int = 2
    rollbacks: int = 3
    rollback_lr: float = 0.5
    thresholds: Thresholds = field(default_factory=Thresholds)


@dataclass
class Config:
    data: Data = field(default_factory=Data)
    text: Text = field(default_factory=Text)
    stage: Stage = field(default_factory=Stage)
    arch: Arch = field(default_factory=Arch)
    norm: Norm = field(default_factory=Norm)
    optim: Optim = field(default_factory=Optim)
    loss: Loss = field(default_factory=Loss)
    dropout: Dropout = field(default_factory=Dropout)
    lr: LearningRate = field(default_factory=LearningRate)
    scale: Scale = field(default_factory=Scale)
    trainer: Trainer = field(default_factory=Trainer)
    logger: Logger = field(default_factory=Logger)
    evaluation: Evaluation = field(default_factory=Evaluation)
    health: Health = field(default_factory=Health)
    variant: str | None = None
    stage_one: str = "auto"
    start_from: str | None = None
    images: int | None = None
    epochs: int | None = None
    seed: int = 0
    study: str | None = None
    outputs: str = MISSING
    jobs: int = 1
    on_failure: str = "continue"  # continue | stop
    dry_run: bool = False


def requested_budget(config: Config) -> tuple[int | None, int | None]:
    """The budget as (images, epochs), one of them None: what the command says, else what the scale says."""
    if config.images is not None or config.epochs is not None:
        return config.images, config.epochs
    scale = stage_scale(config)
    return scale.images, None if scale.images is not None else scale.epochs


def register() -> None:
    """Make the schema known to Hydra as `schema`, the first entry of the defaults list."""
    ConfigStore.instance().store(name="schema", node=Config)


def stage_scale(config: Config) -> StageScale:
    """Size, batch and budget of the stage that this run trains."""
    return config.scale.one if config.stage.name == "one" else config.scale.two


def typed(composed: DictConfig) -> Config:
    """The composed configuration as dataclasses, after the schema and every rule between groups.

    Hydra's own check lets `+typo=1` through; merging the plain values into the schema once more does not.
    Raises UserError with one sentence.
    """
    config = as_schema(composed, Config)
    trainer = config.trainer  # a number from here on: how a batch is shared depends on it
    trainer.devices = device_count(trainer.devices, trainer.accelerator)
    check(config)
    return config


S = TypeVar("S")


def as_schema(composed: DictConfig, schema: type[S]) -> S:
    """A composed configuration, but for Hydra's own part, as a dataclass. Raises UserError where a key or a type is not the schema's."""
    try:
        plain = OmegaConf.to_container(composed)  # without its types, by which keys that were added with + would pass
        assert isinstance(plain, dict)
        plain.pop("hydra", None)
        result = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(schema), plain))
    except OmegaConfBaseException as error:
        raise UserError(one_sentence(error, schema)) from error
    assert isinstance(result, schema)
    return result


def saved_config(run: Path) -> Config:
    """The configuration of a run, from its config.yaml. Raises UserError where there is none."""
    try:
        text = (run / "config.yaml").read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"run={run} is no run folder: it has no config.yaml.") from error
    return typed(
        DictConfig(yaml.safe_load(text.replace("${", "\\${")))
    )  # it is resolved: what looks like a formula is text


def one_sentence(error: OmegaConfBaseException, schema: type = Config) -> str:
    """OmegaConf's message without its dump of types, in words about the setting of `schema` that it is about."""
    first, key = str(error).splitlines()[0], error.full_key
    if isinstance(error, ConfigKeyError):
        return no_setting(str(key), setting_types(schema))
    wrong = re.search(r"Value '(.*)' of type '.*' could not be converted to (\w+)", first)
    if wrong and key:
        return f"{key}={wrong[1]} is not {KINDS.get(wrong[2], wrong[2])}."
    if "not Optional" in first or "Non optional field" in first:
        return f"{key} needs a value; null is none."
    return f"{key}: {first}" if key and key not in first else first


KINDS = {"Integer": "a whole number", "Float": "a number", "Boolean": "true or false"}


def setting_types(schema: type, prefix: str = "") -> dict[str, Any]:
    """The type of each setting of a dataclass, by its dotted name."""
    types: dict[str, Any] = {}
    hints = get_type_hints(schema)
    for each in fields(schema):
        kind = hints[each.name]
        if is_dataclass(kind):
            types |= setting_types(kind, f"{prefix}{each.name}.")  # type: ignore[arg-type]
        else:
            types[prefix + each.name] = kind
    return types


CHOICES: dict[str, tuple[Any, ...]] = {
    "data.name": ("birds", "cub", "emoji", "flowers", "folder", "huggingface"),
    "data.split": ("class", "image", "all", "listed"),
    "data.captions": ("auto", "text", "attributes"),
    "data.fit": ("crop", "pad", "squeeze"),
    "data.padding": ("border", "white"),
    "data.bad_images": ("stop", "skip"),
    "data.resample": ("bilinear", "bicubic"),
    "data.augment": ("off", "on", "auto"),
    "text.name": ("minilm", "minilm_tokens", "multilingual", "attributes", "precomputed"),
    "stage.name": ("one", "two"),
    "arch.name": tuple(ARCHITECTURES),
    "arch.init": INITS,
    "arch.joint_kernel": (1, 3),
    "norm.generator": GENERATOR_NORMS,
    "norm.discriminator": DISCRIMINATOR_NORMS,
    "optim.name": ("adam", "adamw", "rmsprop", "sgd"),
    "scale.one.image_size": STAGE_ONE_SIZES,
    "loss.name": LOSSES,
    "loss.mismatch": ("text", "image"),
    "loss.penalty": PENALTIES,
    "trainer.accelerator": ("auto", "cpu", "gpu"),
    "trainer.precision": ("auto", "32-true", "bf16-mixed", "64-true"),
    "trainer.sync_batchnorm": ("auto", "on", "off"),
    "logger.wandb": WANDB_MODES,
    "evaluation.network": ("auto", "efflite0", "inception"),
    "evaluation.objective": WHILE_TRAINING,
    "health.policy": POLICIES,
    "on_failure": ON_FAILURE,
}


def check(config: Config) -> None:
    """Refuse settings that contradict each other or cannot work. Raises UserError."""
    _check_choices(config)
    _check_numbers(config)
    _check_loss(config.loss, config.norm)
    if not config.outputs.strip():
        raise UserError("outputs needs a folder; outputs=. is the current one.")
    _check_study(config.study)
    _check_sources(config)
    _check_unused(config)
    _check_sizes(config)
    _check_devices(config.trainer, config.norm, stage_scale(config).batch_size)
    _check_health(config.health)
    check_wandb_names(config.logger.project, config.logger.tags)


def _value(config: Any, key: str) -> Any:
    for part in key.split("."):
        config = getattr(config, part)
    return config


def _check_choices(config: Config) -> None:
    for key, allowed in CHOICES.items():
        value = _value(config, key)
        if value is not None and value not in allowed:
            raise UserError(f"{key}={value} is not known; choose one of {', '.join(map(str, allowed))}.")


def _check_numbers(config: Config) -> None:
    check_ranges(lambda key: _value(config, key))
    for key in ("scale.generator_channels", "scale.discriminator_channels"):
        if _value(config, key) % 4:
            raise UserError(
                f"{key}={_value(config, key)} must be a multiple of 4: the narrowest layers have a quarter of it."
            )
    if config.images is not None and config.epochs is not None:
        raise UserError("images and epochs both set the budget; give one of them.")


def _check_loss(loss: Loss, norm: Norm) -> None:
    if loss.penalty != "none" and norm.discriminator == "batch":
        raise UserError(
            f"loss.penalty={loss.penalty} needs the gradient at single pictures, but norm.discriminator=batch mixes the "
            "pictures of a batch; use norm=layer, norm=group or norm=none (or norm.discriminator=layer)."
        )
    if loss.clip is not None and loss.name != "wgan":
        raise UserError(f"loss.clip belongs to loss=wgan; loss.name={loss.name} has no critic to keep Lipschitz by it.")
    if loss.clip is not None and loss.penalty == "gradient":
        raise UserError("loss.clip and loss.penalty=gradient both bound the critic; set one of them to null.")
    if loss.label_smoothing and loss.name != "bce":
        raise UserError(f"loss.label_smoothing belongs to loss=bce, not to loss.name={loss.name}.")
    if loss.mismatch == "image" and (loss.wrong_texts > 1 or loss.matching_discriminator or loss.matching_generator):
        raise UserError("loss.wrong_texts and loss.matching_* compare captions of one picture; use loss.mismatch=text.")


def _check_study(study: str | None) -> None:
    """Its folder lies below `outputs`."""
    if study is not None and (not study.strip() or Path(study).is_absolute() or ".." in Path(study).parts):
        raise UserError(f"study={study} must be a name, the folder's below outputs; another place is outputs=<folder>.")


def _check_unused(config: Config) -> None:
    """Refuse a setting of an optimizer or a data set that is not in use: it would change nothing."""
    for group, used in (("optim", OPTIMIZER_KEYS), ("data", DATA_KEYS), ("data", DATA_PLACES)):
        settings, default = getattr(config, group), getattr(Config(), group)
        foreign = {key for keys in used.values() for key in keys} - set(used[settings.name])
        for key in sorted(foreign):
            if getattr(settings, key) != getattr(default, key):
                owners = [name for name, keys in used.items() if key in keys]
                raise UserError(
                    f"{group}.{key}={getattr(settings, key)} changes nothing: it belongs to {group}={'|'.join(owners)}, and this run has "
                    f"{group}={settings.name}."
                )


def _check_sizes(config: Config) -> None:
    if requested_budget(config) == (None, None):
        raise UserError(f"no budget: give images=<n> or epochs=<n>, or set them in scale={config.scale.name}.")
    if config.scale.two.image_size not in (2 * config.scale.one.image_size, 4 * config.scale.one.image_size):
        raise UserError(
            f"scale.two.image_size={config.scale.two.image_size} must be two or four times "
            f"scale.one.image_size={config.scale.one.image_size}."
        )
    _check_samples(config.evaluation)


def _check_samples(evaluation: Evaluation) -> None:
    counts = {"final_samples": evaluation.final_samples, "full_samples": evaluation.full_samples}
    if evaluation.every is not None:
        counts["samples"] = evaluation.samples
    for key, count in counts.items():
        if key == "full_samples" and count is not None and count < LEAST:
            raise UserError(f"evaluation.full_samples={count} must be at least {LEAST} (or null).")
        if count is not None and evaluation.splits > count:
            raise UserError(f"evaluation.splits={evaluation.splits} must not exceed evaluation.{key}={count}.")


def _check_sources(config: Config) -> None:
    data = config.data
    places = {
        "folder": "data.root=<folder of images with their captions>",
        "flowers": "data.root=<folder with jpg/ and Reed's text_c10/>",
        "huggingface": "data.dataset=<name of a data set, or a folder of one>",
    }
    if data.name in places and not (data.dataset if data.name == "huggingface" else data.root):
        raise UserError(f"data={data.name} needs {places[data.name]}.")
    if data.name == "cub" and not (data.root or data.archive or data.download):
        raise UserError(
            "data=cub needs data.root=<CUB_200_2011 folder>, data.archive=<CUB_200_2011.tgz> or data.download=true."
        )
    if data.split == "listed" and data.name not in LISTED:
        raise UserError(
            f"data.split=listed belongs to data={'|'.join(LISTED)}, whose lists may say it; take class, image or all."
        )
    if data.split_seed is not None and data.split == "all":
        raise UserError(
            "data.split_seed changes nothing with data.split=all; take data.split=image or data.split=class."
        )
    if data.split_seed is not None and data.split == "listed":
        raise UserError("data.split_seed divides anew; say by what: data.split=image or data.split=class.")
    if data.split_seed is not None and data.test_classes:
        raise UserError("data.test_classes and data.split_seed both choose the test classes; give one of them.")
    if config.data.test_classes and (config.data.split != "class" or config.data.name not in ("birds", "cub")):
        raise UserError("data.test_classes belongs to data.split=class of data=birds or data=cub.")
    if config.data.padding != Data.padding and config.data.fit != "pad":
        raise UserError(f"data.padding={config.data.padding} changes nothing: it belongs to data.fit=pad.")
    if config.text.name == "attributes" and config.data.name not in ("birds", "cub"):
        raise UserError(f"text=attributes: the pictures of {config.data.name} have no attributes; use text=minilm.")
    if config.text.name == "precomputed" and not config.text.embeddings:
        raise UserError(
            "text=precomputed needs text.embeddings=<folder with train/ and test/ of the StackGAN release>."
        )


def _check_devices(trainer: Trainer, norm: Norm, batch_size: int) -> None:
    share = batch_size // trainer.devices
    if batch_size % trainer.devices:
        raise UserError(
            f"the batch of {batch_size} pictures cannot be shared evenly by trainer.devices={trainer.devices}."
        )
    if share % trainer.accumulate:
        raise UserError(
            f"the {share} pictures of each device cannot be split evenly by trainer.accumulate={trainer.accumulate}."
        )
    if "batch" in norm.generator and share // trainer.accumulate < 2:
        raise UserError("batch norm needs at least two pictures at a time on each device; raise the batch size.")
    if trainer.recompute and "spectral" in (norm.generator, norm.discriminator):
        raise UserError(
            "trainer.recompute=true repeats a pass, but norm=spectral changes its weights' scale at each pass; take another norm or "
            "trainer.accumulate."
        )
    if trainer.sync_batchnorm == "on" and trainer.accelerator == "cpu":
        raise UserError(
            "trainer.sync_batchnorm=on needs GPUs: torch has no synchronised batch norm for CPU ranks. "
            "Take norm=group, which needs none, or trainer.sync_batchnorm=off (each rank normalises its own share)."
        )


def _check_health(health: Health) -> None:
    for name in health.acts_on:
        if name not in VERDICTS:
            raise UserError(f"health.acts_on: {name} is no verdict; choose of {', '.join(VERDICTS)}.")
