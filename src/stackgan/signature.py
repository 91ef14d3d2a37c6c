"""Which run is this? A name people read and a signature that decides whether two runs are the same.

The idea is Dora's: a run is identified by the part of its configuration that changes what it learns, so the same command
given twice finds the same directory.
"""

import hashlib
import json
from collections.abc import Sequence
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from stackgan.cli.spelling import shown
from stackgan.config import PROJECT, Config
from stackgan.identity import difference, schema_defaults

GROUPS = ("data", "text", "stage", "arch", "norm", "optim", "loss", "dropout", "lr", "scale")
PLACES = ("root", "archive", "download", "cache")  # of data: where it lies


def identity(config: Config, stage_one_hash: str | None = None) -> dict[str, Any]:
    """What decides what is learned, by dotted keys: every acting setting that is not the schema's default, and what Stage II stands on."""
    stands_on = {"stage_one": stage_one_hash} if config.stage.name == "two" else {}
    return difference(config) | stands_on


def run_signature(config: Config, stage_one_hash: str | None = None) -> str:
    """8 hex digits of the run's identity."""
    return signature_of(identity(config, stage_one_hash))


def signature_of(which: dict[str, Any]) -> str:
    """8 hex digits of an identity."""
    return hashlib.sha256(json.dumps(which, sort_keys=True).encode()).hexdigest()[:8]


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What changed between two identities, a setting each: `loss.name: bce -> wgan`."""
    defaults = schema_defaults()
    before, after = flat(old), flat(new)
    keys = dict.fromkeys([*before, *after])
    was, now = ({key: values.get(key, defaults.get(key, "absent")) for key in keys} for values in (before, after))
    return [f"{key}: {was[key]} -> {now[key]}" for key in keys if was[key] != now[key]]


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
    parent.stage.name, parent.start_from = "one", None  # what Stage II starts from is no start for Stage I
    return run_signature(parent)


def run_name(config: Config, overrides: Sequence[str], conf: Path = PROJECT / "conf") -> str:
    """The variant, or the short difference from the defaults: `loss=wgan,optim=rmsprop`; `base` when there is none.

    `overrides` are the command-line choices; one that contradicts the variant shows: `bn_adam,loss=wgan`.
    """
    return folder_name(name_parts(config.variant, overrides, conf))


def name_parts(variant: str | None, overrides: Sequence[str], conf: Path = PROJECT / "conf") -> list[str]:
    """What a run's name says, choice by choice: the variant, and the overrides that differ from it or from the defaults."""
    chosen = dict(_defaults(conf / "config.yaml"))
    if variant:
        chosen |= _defaults(conf / "variant" / f"{variant}.yaml")
    parts = [variant] if variant else []
    for override in sorted(overrides, key=lambda text: "." in text.partition("=")[0]):  # choices first: they say most
        key, _, value = shown(override).partition("=")
        if key == "start_from":
            value = Path(value).name
        if _shows(key) and chosen.get(key) != value:
            parts.append(f"{key}={value}")
    return parts


def folder_name(parts: Sequence[str]) -> str:
    """The parts of a name as a folder can be called: cut where they are many."""
    name = ",".join(parts) or "base"
    return "".join(c if c.isalnum() or c in "=,._-" else "_" for c in name)[:120]


def _shows(key: str) -> bool:
    group, _, rest = key.partition(".")
    if group in ("seed", "start_from"):
        return True
    if group == "trainer":
        return rest == "precision"
    return group in GROUPS and rest.rpartition(".")[2] not in (*PLACES, "images", "epochs")


@cache
def _defaults(path: Path) -> dict[str, str]:
    """The choices of a YAML file's defaults list."""
    entries = yaml.safe_load(path.read_text()).get("defaults", [])
    pairs = [next(iter(entry.items())) for entry in entries if isinstance(entry, dict)]
    return {str(key).removeprefix("override ").removeprefix("/"): str(value) for key, value in pairs}
