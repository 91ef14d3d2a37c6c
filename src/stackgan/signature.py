"""Which run is this? A name people read and a signature that decides whether two runs are the same.

The idea is Dora's: a run is identified by the part of its configuration that changes what it learns, so the same command
given twice finds the same directory.
"""

import hashlib
import json
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from stackgan.cli.spelling import shown
from stackgan.config import PROJECT, Config

# What does not change the function learned from each image. `stage_one` enters by the hash of its bundle.
IGNORED = ("variant", "stage_one", "images", "epochs", "study", "outputs", "logger", "evaluation", "health", "jobs", "on_failure",
           "dry_run")  # fmt: skip
IGNORED_KEYS = {
    "data": ("root", "archive", "download", "cache"),
    "text": ("embeddings",),
    "trainer": ("name", "accelerator", "devices", "threads", "sync_batchnorm", "accumulate", "recompute"),
}
GROUPS = ("data", "text", "stage", "arch", "norm", "optim", "loss", "dropout", "lr", "scale")


def identity(config: Config, stage_one_hash: str | None = None) -> dict[str, Any]:
    """The part of the configuration that decides what is learned, as plain values."""
    values = asdict(config)
    for key in IGNORED:
        del values[key]
    for group, keys in IGNORED_KEYS.items():
        for key in keys:
            del values[group][key]
    other = "two" if config.stage.name == "one" else "one"
    del values["scale"][other]
    for key in ("images", "epochs"):
        del values["scale"][config.stage.name][key]
    # a run's folder is named by its signature, wherever it lies
    values["start_from"] = Path(config.start_from).name if config.start_from else None
    for settings, key in (values["data"], "test_classes"), (values, "start_from"):
        if not settings[key]:
            del settings[key]  # runs from before it existed are still the same runs
    place = config.data.root or config.data.archive
    values["data"]["place"] = Path(place).name if place else None  # which data set, wherever it lies
    values["stage_one"] = stage_one_hash
    return values


def run_signature(config: Config, stage_one_hash: str | None = None) -> str:
    """8 hex digits of the run's identity."""
    return signature_of(identity(config, stage_one_hash))


def signature_of(which: dict[str, Any]) -> str:
    """8 hex digits of an identity."""
    return hashlib.sha256(json.dumps(which, sort_keys=True).encode()).hexdigest()[:8]


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What changed between two identities, a setting each: `loss.name: bce -> wgan`."""
    before, after = flat(old), flat(new)
    keys = [*before, *(key for key in after if key not in before)]
    return [
        f"{key}: {before.get(key, 'absent')} -> {after.get(key, 'absent')}"
        for key in keys
        if key not in before or key not in after or before[key] != after[key]
    ]


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by their dotted keys."""
    result: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            result |= flat(value, f"{prefix}{key}.")
        else:
            result[prefix + key] = value
    return result


def stage_one_signature(config: Config) -> str:
    """The signature of the run that `stage_one=auto` means: the same configuration and seed at stage=one."""
    parent = deepcopy(config)
    parent.stage.name, parent.start_from = "one", None  # another run's Stage II is no start for Stage I
    return run_signature(parent)


def run_name(config: Config, overrides: Sequence[str], conf: Path = PROJECT / "conf") -> str:
    """The variant, or the short difference from the defaults: `loss=wgan,optim=rmsprop`; `base` when there is none.

    `overrides` are the command-line choices; one that contradicts the variant shows: `bn_adam,loss=wgan`.
    """
    chosen = _defaults(conf / "config.yaml")
    if config.variant:
        chosen |= _defaults(conf / "variant" / f"{config.variant}.yaml")
    parts = [config.variant] if config.variant else []
    for override in sorted(overrides, key=lambda text: "." in text.partition("=")[0]):  # choices first: they say most
        key, _, value = shown(override).partition("=")
        if key == "start_from":
            value = Path(value).name
        if _shows(key) and chosen.get(key) != value:
            parts.append(f"{key}={value}")
    name = ",".join(parts) or "base"
    return "".join(c if c.isalnum() or c in "=,._-" else "_" for c in name)[:120]


def _shows(key: str) -> bool:
    group, _, rest = key.partition(".")
    if group in ("seed", "start_from"):
        return True
    if group == "trainer":
        return rest == "precision"
    return group in GROUPS and rest.rpartition(".")[2] not in (*IGNORED_KEYS["data"], "images", "epochs")


def _defaults(path: Path) -> dict[str, str]:
    """The choices of a YAML file's defaults list."""
    entries = yaml.safe_load(path.read_text()).get("defaults", [])
    pairs = [next(iter(entry.items())) for entry in entries if isinstance(entry, dict)]
    return {str(key).removeprefix("override ").removeprefix("/"): str(value) for key, value in pairs}
