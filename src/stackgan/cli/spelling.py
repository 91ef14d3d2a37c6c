"""What people type, as Hydra reads it: flags first, paths and free text as they stand, and words with one plain meaning.

    lr=1e-4 · stage=2 · dropout=0.3 · images=1e5 · ~logger · logger=[csv,wandb] · study=lr=2e-4 · data.root=~/birds
    loss=wgan -m optim=adam,sgd

Everything else goes to Hydra untouched. No torch here.
"""

import re
from collections.abc import Sequence
from typing import get_origin

from hydra._internal.utils import get_args_parser

from stackgan.cli.script import TRAIN, Script
from stackgan.cli.values import (
    NO,
    NUMBERS,
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
# The flags with which a user's own groups come in, which the scripts know nothing of.
OWN_CONFIGURATIONS = ("--config-dir", "-cd", "--config-path", "-cp", "--config-name", "-cn")


def spell(arguments: Sequence[str], script: Script) -> list[str]:
    """The arguments of a script as Hydra's parser and grammar mean them. Raises UserError for one that sets nothing."""
    flags, overrides = split_flags(arguments, script)
    spelled = spell_overrides(overrides, script, _sweeps(flags, overrides))
    if not any(flag.startswith(OWN_CONFIGURATIONS) for flag in flags):
        _check_keys(spelled, script)
    return [*spelled, *flags]


def spell_overrides(overrides: Sequence[str], script: Script, sweeps: bool) -> list[str]:
    """Overrides alone, those of a sweep's job among them. `sweeps`: whether `a,b` means one run each."""
    return [spelled for override in overrides for spelled in _spell(override, script, sweeps)]


def shown(override: str) -> str:
    """An override of train.py as it would be typed: without the quotes that `spell` puts round paths, names and numbers."""
    key, _, value = override.partition("=")
    ours = key in (*TRAIN.paths, *TRAIN.names, *TRAIN.texts, *NUMBERS)
    return f"{key}={read_string(value)}" if ours and is_string(value) else override


def split_flags(arguments: Sequence[str], script: Script = TRAIN) -> tuple[list[str], list[str]]:
    """Flags with their values, and overrides, wherever each of them stood."""
    actions = {name: action for action in get_args_parser()._actions for name in action.option_strings}
    flags: list[str] = []
    overrides: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        name, equals, _ = argument.partition("=")
        if not argument.startswith("-"):
            overrides.append(argument)
        elif name not in actions:
            raise UserError(_no_flag(argument, script))
        else:
            action = actions[name]
            takes = not equals and action.nargs != 0 and rest and not rest[0].startswith("-")
            allowed = action.nargs is None or (bool(rest) and rest[0] in (action.choices or ()))
            flags += [argument, rest.pop(0)] if takes and allowed else [argument]
    return flags, overrides


def _no_flag(argument: str, script: Script) -> str:
    name, _, value = argument.partition("=")
    setting = name.strip("-").replace("-", "_")
    if script.knows(setting):
        return f"{argument}: settings are written without dashes, as {setting}={value or '<value>'}."
    return script.no_setting(setting) if setting else f"{argument} is no flag; --help lists settings and choices."


def _sweeps(flags: Sequence[str], overrides: Sequence[str]) -> bool:
    asked = any(override.startswith("sweep=") and override not in ("sweep=", "sweep=null") for override in overrides)
    return bool({"-m", "--multirun"} & set(flags)) or "hydra.mode=MULTIRUN" in overrides or asked


def _check_keys(overrides: Sequence[str], script: Script) -> None:
    for override in overrides:
        key = override.partition("=")[0].lstrip("+")
        group = key.partition("@")[0]  # norm@somewhere: Hydra's package
        if not key.startswith("hydra") and not script.knows(group):
            raise UserError(script.no_setting(key))


def _spell(override: str, script: Script, sweeps: bool) -> list[str]:
    name, equals, value = override.partition("=")
    key = name.strip().lstrip("+~")
    if key.startswith("hydra"):
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
        return [f"{name}={literal(key, value, script, sweeps)}"]
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
