"""Every number of the configuration, at values that nobody means: a sane configuration or one sentence, never a traceback."""

import dataclasses
import math
import typing
from types import UnionType

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from stackgan.config import PROJECT, Config, one_sentence, register, typed
from stackgan.errors import UserError
from stackgan.ranges import RANGES


def number_keys(schema: type, prefix: str = "") -> list[str]:
    """The dotted keys of every number that the schema knows."""
    keys = []
    for name, hint in typing.get_type_hints(schema).items():
        kinds = set(typing.get_args(hint)) if isinstance(hint, UnionType) else {hint}
        if dataclasses.is_dataclass(hint):
            keys += number_keys(hint, f"{prefix}{name}.")
        elif kinds & {int, float} or f"{prefix}{name}" == "trainer.devices":
            keys.append(prefix + name)
    return keys


@pytest.fixture(scope="module")
def bare():
    register()
    with initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"):
        return compose("config")


def answer(bare, key: str, value: float) -> Config | str:
    """The configuration with this value, or the sentence that refuses it."""
    try:
        changed = bare.copy()
        OmegaConf.update(changed, key, value)
        return typed(changed)
    except UserError as error:
        return str(error)
    except OmegaConfBaseException as error:  # a value of another type: Hydra says so, and the scripts in these words
        return one_sentence(error)


def test_every_number_has_a_range():
    assert set(number_keys(Config)) == set(RANGES)


@pytest.mark.parametrize("key", number_keys(Config))
def test_no_number_gives_a_traceback_or_nonsense(bare, key):
    for value in (-1, 0, math.nan, math.inf, -math.inf, 10**14):
        found = answer(bare, key, value)
        if isinstance(found, str):
            assert "\n" not in found and key.rpartition(".")[2] in found, found
        else:
            assert math.isfinite(value) and (value >= 0 or key == "trainer.devices"), f"{key}={value} was taken"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", -1), ("seed", 99999999999999), ("trainer.threads", -3), ("trainer.threads", 0), ("arch.condition_dim", 0),
        ("arch.noise_dim", 0), ("loss.n_critic", 0), ("logger.log_every", 0.0), ("health.patience", 0), ("health.noises", 1),
        ("lr.generator", math.nan), ("optim.eps", 0.0), ("optim.beta1", 1.0), ("scale.one.batch_size", -8),
        ("scale.one.images", -5), ("scale.generator_channels", 6), ("health.thresholds.black", math.inf), ("data.seed", -1),
        ("loss.kl_weight", -2.0), ("evaluation.seed", 2**32), ("health.rollback_lr", 0.0), ("scale.two.epochs", 0),
        ("health.rollback_lr", 1.5), ("health.captions", 1), ("loss.label_smoothing", 0.5), ("dropout.rate", 1.0),
    ],
)  # fmt: skip
def test_nonsense_is_refused_by_its_key(bare, key, value):
    found = answer(bare, key, value)
    assert isinstance(found, str) and found.startswith(f"{key}={value} must be"), found


def test_what_is_meant_is_taken(bare):
    for key, value in {"seed": 2**32 - 1, "evaluation.every": 10**12, "images": 10**9, "lr.generator": 1e12, "loss.kl_weight": 0.0,
                       "health.rollbacks": 0, "trainer.threads": None, "health.thresholds.nan": None}.items():  # fmt: skip
        assert isinstance(answer(bare, key, value), Config), key
