"""What people type, as Hydra reads it: flags first, paths and free text as they stand, and words with one plain meaning.

    lr=1e-4 · stage=2 · dropout=0.3 · images=1e5 · ~logger · logger=[csv,wandb] · study=lr=2e-4 · data.root=~/birds
    loss=wgan -m optim=adam,sgd

Everything else goes to Hydra untouched. No torch here.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import get_origin

from stackgan.cli.flags import MULTIRUN, split_flags
from stackgan.cli.script import TRAIN, Script
from stackgan.cli.values import (
    NO,
    NUMBERS,
    OUTPUTS,
    choice,
    choice_for_nothing,
    each,
    is_string,
    literal,
    plain,
    read_string,
    unquoted,
)
from stackgan.errors import UserError

UNSET = ("variant", "sweep")  # groups without a choice of their own
HYDRAS_PLACES = ("hydra.run", "hydra.sweep", "hydra.output_subdir", "hydra.job.chdir")
# The flags with which a user's own groups come in, which the scripts know nothing of.
OWN_CONFIGURATIONS = ("--config-dir", "-cd", "--config-path", "-cp", "--config-name", "-cn")


def spell(arguments: Sequence[str], script: Script) -> list[str]:
    """The arguments of a script as Hydra's parser and grammar mean them. Raises UserError for one that sets nothing."""
    flags, overrides = split_flags(arguments, script)
    sweeps = _sweeps(flags, overrides)
    if sweeps and not script.sweeps:
        raise UserError(f"{script.config}.py does one thing a command: only train.py sweeps (-m, sweep=).")
    spelled = spell_overrides(overrides, script, sweeps)
    if not any(flag.startswith(OWN_CONFIGURATIONS) for flag in flags):
        _check_keys(spelled, script)
    return [*spelled, *flags]


def spell_overrides(overrides: Sequence[str], script: Script, sweeps: bool) -> list[str]:
    """Overrides alone, those of a sweep's job among them. `sweeps`: whether `a,b` means one run each."""
    given = [unquoted(each.partition("=")[2]) for each in overrides if each.startswith("outputs=")]
    outputs = Path(given[-1]).expanduser() if given else OUTPUTS
    return [spelled for override in overrides for spelled in _spell(override, script, sweeps, outputs)]


def shown(override: str) -> str:
    """An override of train.py as it would be typed: without the quotes that `spell` puts round paths, names and numbers."""
    key, _, value = override.partition("=")
    ours = key in (*TRAIN.paths, *TRAIN.names, *TRAIN.texts, *NUMBERS)
    return f"{key}={read_string(value)}" if ours and is_string(value) else override


def _sweeps(flags: Sequence[str], overrides: Sequence[str]) -> bool:
    asked = any(override.startswith("sweep=") and override not in ("sweep=", "sweep=null") for override in overrides)
    return bool(set(MULTIRUN) & set(flags)) or "hydra.mode=MULTIRUN" in overrides or asked


def _check_keys(overrides: Sequence[str], script: Script) -> None:
    for override in overrides:
        key = override.partition("=")[0].lstrip("+")
        group = key.partition("@")[0]  # norm@somewhere: Hydra's package
        if not key.startswith("hydra") and not script.knows(group):
            raise UserError(script.no_setting(key))


def _spell(override: str, script: Script, sweeps: bool, outputs: Path) -> list[str]:
    name, equals, value = override.partition("=")
    key = name.strip().lstrip("+~")
    if key.startswith("hydra"):
        _check_place(key)
        return [override]
    if name.startswith("~"):
        key, value = key.partition("=")[0], "null"
    if key in UNSET and value.lower() in NO:  # nothing is chosen there unless it is typed
        return []
    if name.startswith("~"):
        return [_removed(key, script)]
    if not equals:
        raise UserError(f"{override} sets nothing; write it as <setting>=<value>, for example loss=wgan.")
    if name.startswith("+") and script.knows(key):  # the schema is complete: nothing can be added to it
        name = key
    if key in (*script.paths, *script.names, *script.texts):
        return [f"{name}={literal(key, value, script, sweeps, outputs)}"]
    if key == "logger":
        return _loggers(name, value, script, sweeps)
    if key.endswith(".name") and key.removesuffix(".name") in script.choices:
        group = key.removesuffix(".name")
        raise UserError(f"{override}: a choice comes with all its settings; write {group}={value}.")
    if key in script.choices:
        if value.strip()[:1] in ("[", "{"):
            raise UserError(f"{override} is several values for one choice; -m {key}=a,b makes a run of each.")
        if listed := re.fullmatch(r"choice\((.*)\)", value.strip()):
            value = listed[1]
        return [f"{name}={each(value, lambda word: choice(key, word, script))}"]
    if get_origin(script.types.get(key)) is list and value and value != "null" and value[0] not in "[$":
        return [f"{name}=[{value}]"]
    return [f"{name}={each(value, lambda word: plain(key, word, script))}"]


def _check_place(key: str) -> None:
    """Hydra's own folders would be made and stay empty. Lightning sets them for the ranks that it starts, in their LOCAL_RANK."""
    if "LOCAL_RANK" not in os.environ and any(f"{key}.".startswith(f"{place}.") for place in HYDRAS_PLACES):
        raise UserError(
            f"{key} is not set here: a run lies in <outputs>/<study>/; give outputs=<folder> and study=<name>."
        )


def _removed(key: str, script: Script) -> str:
    """`~logger`: the group's choice for nothing, or null."""
    if key not in script.choices:
        return f"{key}=null"
    nothing = choice_for_nothing(key, script)
    if nothing is None:
        raise UserError(f"~{key}: a run needs one; choose one of {', '.join(script.choices[key])}.")
    return f"{key}={nothing}"


def _loggers(name: str, value: str, script: Script, sweeps: bool) -> list[str]:
    """`logger=[csv,wandb]`: metrics.csv is always written, and each of the others has a choice of its own."""
    if "," in value and not sweeps and value.strip()[:1] != "[":
        value = f"[{value}]"
    listed = re.fullmatch(r"\[(.*)\]", value.strip())
    if listed is None:
        return [f"{name}={each(value, lambda word: choice('logger', word, script))}"]
    words = [choice("logger", unquoted(word.strip()), script) for word in listed[1].split(",") if word.strip()]
    chosen = [word for word in dict.fromkeys(words) if word != "none"]
    beside = ["logger.tensorboard=true"] if "tensorboard" in chosen and len(chosen) > 1 else []
    rest = [word for word in chosen if not (beside and word == "tensorboard")]
    if len(rest) > 1:
        raise UserError(f"logger={value}: W&B is online (wandb) or offline; choose one of {', '.join(rest)}.")
    return [f"{name}={rest[0] if rest else 'none'}", *beside]
