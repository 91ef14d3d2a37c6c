"""What a run of a configuration needs and lacks, found before any work: no torch, no data set read, nothing written.

Other rooms say what they need (`find_lists`, `CHECKS` of encoders, ...); this file knows which of them a configuration uses.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from stackgan.config import Config, Evaluation, Trainer
from stackgan.data.files import check_writable
from stackgan.errors import UserError
from stackgan.evaluation.registry import WHILE_TRAINING, kind_of
from stackgan.evaluation.weight_files import find_lpips, official_or_packaged
from stackgan.gpus import check_gpus, usable_gpus
from stackgan.run_directory import locate_run, study_directory
from stackgan.text.minilm_files import CHECKS
from stackgan.tracking.checks import require_trackers

SWEEPS_OWN = ("jobs", "on_failure", "dry_run")  # settings of a sweep, not of its jobs


class Need(NamedTuple):
    """Something that has to be there. Two runs that need the same have equal needs."""

    check: Callable[..., object]  # raises UserError where it is not
    arguments: tuple[Any, ...] = ()


def check_alone(config: Config, hydras: Sequence[str] = ()) -> None:
    """Refuse what a single run has no use for, and a sweep or a Stage II might. Raises UserError.

    Args:
        hydras: overrides of Hydra's own settings.
    """
    if config.dry_run:
        raise UserError("dry_run=true lists the jobs of a sweep; add -m to list a single run as one.")
    asked = [f"{key}={getattr(config, key)}" for key in SWEEPS_OWN if getattr(config, key) != getattr(Config(), key)]
    asked += [override for override in hydras if override.startswith(("hydra.launcher", "hydra.sweeper"))]
    if asked:
        raise UserError(
            f"{asked[0]} changes nothing: it belongs to a sweep, and this is a single run; add -m, or leave it out."
        )
    _check_stage_one([config])


def check_together(configs: Sequence[Config], overrides: Sequence[Sequence[str]]) -> None:
    """Refuse several values of what a sweep has one of, and what none of its runs has a use for. Raises UserError.

    Args:
        overrides: what was typed for each run, settings of the sweep among them.
    """
    _check_stage_one(configs)
    for key in (*SWEEPS_OWN, "outputs"):
        given = dict.fromkeys(each for typed in overrides for each in typed if each.startswith(f"{key}="))
        if len(given) > 1:
            raise UserError(
                f"{' and '.join(given)}: {key} is the whole sweep's; give one value, or a command for each."
            )


def _check_stage_one(configs: Sequence[Config]) -> None:
    """Where a sweep is over both stages all its runs are given the Stage I."""
    given = [config.stage_one for config in configs if config.stage_one != "auto"]
    if given and all(config.stage.name == "one" for config in configs):
        raise UserError(f"stage_one={given[0]} changes nothing: it belongs to stage=two, and this is stage=one.")


def check_run(config: Config, overrides: Sequence[str]) -> None:
    """Everything that one run needs: its Stage I and the run it starts from too. Raises UserError."""
    check_needs(config)
    locate_run(config, overrides)


def check_needs(config: Config, gpus: Sequence[str] | None = None, met: set[Need] | None = None) -> None:
    """What the configuration needs besides other runs. Raises UserError for the first thing that is lacking.

    Args:
        gpus: those that the run may use; None: those that are visible to this process.
        met: needs of other runs that are known to be met; it grows.
    """
    met = set() if met is None else met
    for need in (*_needs(config), *_gpu_needs(config, gpus)):
        if need not in met:
            need.check(*need.arguments)
            met.add(need)


def check_inputs(config: Config) -> None:
    """What the data set and its embeddings need. Raises UserError."""
    for need in _input_needs(config):
        need.check(*need.arguments)


def check_elsewhere(config: Config, met: set[Need]) -> None:
    """The same for a run on another machine, which sees the same files and has GPUs of its own."""
    for need in set(_needs(config)) - met:
        need.check(*need.arguments)
        met.add(need)


def check_objective(config: Config, objective: str) -> None:
    """Refuse a sweeper's objective that the run will have no score for. Raises UserError."""
    evaluation = config.evaluation
    if evaluation.final_samples is None:
        raise UserError(
            f"hydra.launcher.objective={objective} is a score, and evaluation=off takes none; take evaluation=fast."
        )
    packaged = official_or_packaged(evaluation.network, evaluation.inception_weights) is None
    suffix = "_efflite0" if packaged else ""
    if objective not in (*WHILE_TRAINING, *(kind + suffix for kind in WHILE_TRAINING)):
        raise UserError(
            f"hydra.launcher.objective={objective} is no score of these runs on validation captions; take one of "
            f"{', '.join(WHILE_TRAINING)}. Nothing is chosen by test captions."
        )


def check_images_for(config: Config, objective: str) -> None:
    """Refuse a sweeper's objective for which the data set has too few validation images; builds its store. Raises UserError.

    Painted birds and emoji have enough, or are refused by themselves.
    """
    if config.data.name in ("birds", "emoji"):
        return
    from stackgan.evaluation.shortages import not_taken
    from stackgan.inputs import prepare_store  # imports torch

    kind = kind_of(objective)
    why = not_taken(prepare_store(config)).get(kind.name) if kind else None
    if why:
        raise UserError(
            f"hydra.launcher.objective={objective} cannot be taken: {why} (data={config.data.name}); add validation images, or "
            "split the data anew (data.split=image)."
        )


def _needs(config: Config) -> Iterator[Need]:
    yield Need(check_writable, (study_directory(config), "outputs"))
    yield from _input_needs(config)
    yield from _evaluation_needs(config.evaluation)
    yield Need(require_trackers, (config.logger.wandb, config.logger.tensorboard))


def _input_needs(config: Config) -> Iterator[Need]:
    yield Need(check_writable, (Path(config.data.cache), "data.cache"))
    yield from _data_needs(config)
    yield from _text_needs(config)


def _data_needs(config: Config) -> Iterator[Need]:
    """Only the reader of the data set in use is imported: the answer is to come at once."""
    data = config.data
    root = Path(data.root) if data.root else None
    if data.encoding is not None:
        from stackgan.data.text_files import check_encoding

        yield Need(check_encoding, (data.encoding,))
    if data.name == "birds":
        from stackgan.data.birds import check_birds, check_class_split

        yield Need(check_birds, (None, data.classes, data.images_per_class, data.picture_size, data.seed))
        if data.split == "class":
            yield Need(check_class_split, (data.classes, data.images_per_class, tuple(data.test_classes)))
    elif data.name == "emoji":
        from stackgan.data.emoji import find_packages

        yield Need(find_packages)
    elif data.name == "folder" and root:
        from stackgan.data.listings.find import find_lists

        yield Need(find_lists, (root, data.listing))
    elif data.name == "flowers" and root:
        from stackgan.data.flowers import find_flowers

        yield Need(find_flowers, (root,))
    elif data.name == "huggingface":
        from stackgan.data.huggingface import check_datasets

        yield Need(check_datasets)
    elif root:
        from stackgan.data.cub import check_cub

        yield Need(check_cub, (root,))
    elif data.archive:
        from stackgan.data.archive import check_archive

        yield Need(check_archive, (Path(data.archive), Path(data.cache)))


def _text_needs(config: Config) -> Iterator[Need]:
    text = config.text
    if text.name in CHECKS:
        yield Need(CHECKS[text.name])
    elif text.embeddings:
        from stackgan.text.precomputed import embedding_folders

        yield Need(embedding_folders, (Path(text.embeddings),))


def _evaluation_needs(evaluation: Evaluation) -> Iterator[Need]:
    if (evaluation.every, evaluation.final_samples, evaluation.full_samples) != (None, None, None):
        yield Need(official_or_packaged, (evaluation.network, evaluation.inception_weights))
    if evaluation.full_samples is not None:
        yield Need(find_lpips, ("alex",))


def asks_for_gpus(trainer: Trainer) -> bool:
    """Whether it matters which GPUs there are: one device of whichever kind there always is."""
    return trainer.accelerator == "gpu" or (trainer.accelerator == "auto" and trainer.devices > 1)


def _gpu_needs(config: Config, gpus: Sequence[str] | None) -> Iterator[Need]:
    trainer = config.trainer
    if asks_for_gpus(trainer):
        found = tuple(usable_gpus() if gpus is None else gpus)
        yield Need(check_gpus, (trainer.accelerator, trainer.devices, found))
