"""What people type, as Hydra reads it: flags first, paths and free text as they stand, and words with one plain meaning.

    lr=1e-4 · stage=2 · dropout=0.3 · images=1e5 · ~logger · logger=[csv,wandb] · study=lr=2e-4 · data.root=~/birds
    loss=wgan -m optim=adam,sgd

Everything else goes to Hydra untouched. No torch here.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

from hydra._internal.utils import get_args_parser
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.types import Quote, QuotedString

from stackgan.cli.help_text import groups
from stackgan.cli.hints import FOREIGN, no_setting
from stackgan.config import Config, setting_types
from stackgan.errors import UserError

PATHS = (
    "stage_one",
    "start_from",
    "data.root",
    "data.archive",
    "data.cache",
    "outputs",
    "text.embeddings",
    "evaluation.inception_weights",
)
TEXTS = ("study", "logger.notes")
NUMBERS = {  # group: the choice that a number stands on, and the keys it sets
    "lr": ("base", ("generator", "discriminator")),
    "dropout": ("on", ("rate",)),
}
WORDS = {  # what other programs call a value
    "stage": {"1": "one", "2": "two", "I": "one", "II": "two", "i": "one", "ii": "two"},
    "trainer.precision": {"32": "32-true", "64": "64-true", "bf16": "bf16-mixed", "fp32": "32-true"},
    "trainer.accelerator": {"cuda": "gpu"},
    "device": {"gpu": "cuda"},
    "logger": {"csv": "none", "wb": "wandb", "tb": "tensorboard"},
}
YES, NO = ("true", "yes"), ("false", "no", "null", "0", "0.0")
OFF = ("off", "none")
UNSET = ("variant", "sweep")  # groups without a choice of their own
OWN_CONFIGURATIONS = (
    "--config-dir",
    "-cd",
    "--config-path",
    "-cp",
    "--config-name",
    "-cn",
)  # may have groups of their own
QUOTED = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""  # one string of Hydra's grammar
SYNTAX = set("'\"[]{}()$\\")  # of Hydra's values: lists, functions, interpolations, quotes


@dataclass(frozen=True)
class Script:
    """The command line of one script.

    Attributes:
        config: conf/<config>.yaml
        schema: dataclass with its keys and their types.
        paths: keys whose values are paths: taken literally, with commas, equals signs and brackets, and with ~ expanded.
        texts: keys whose values are free text.
    """

    config: str
    schema: type
    paths: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()

    @cached_property
    def choices(self) -> dict[str, list[str]]:
        """The groups and their choices."""
        return groups(self.config)

    @cached_property
    def types(self) -> dict[str, Any]:
        """Type of each key, by its dotted name."""
        return setting_types(self.schema)

    def knows(self, key: str) -> bool:
        """Whether it is a group, a setting, or a part of the settings."""
        return key in self.choices or key in self.types or any(name.startswith(key + ".") for name in self.types)

    def no_setting(self, key: str) -> str:
        """The sentence about a key that it does not know."""
        foreign = FOREIGN if issubclass(self.schema, Config) else {}
        return no_setting(key, [*self.choices, *self.types], foreign)


TRAIN = Script("config", Config, PATHS, TEXTS)


def spell(arguments: Sequence[str], script: Script) -> list[str]:
    """The arguments of a script as Hydra's parser and grammar mean them. Raises UserError for one that sets nothing."""
    flags, overrides = split_flags(arguments)
    spelled = spell_overrides(overrides, script, _sweeps(flags, overrides))
    if not any(flag.startswith(OWN_CONFIGURATIONS) for flag in flags):
        _check_keys(spelled, script)
    return [*spelled, *flags]


def _check_keys(overrides: Sequence[str], script: Script) -> None:
    for override in overrides:
        key = override.partition("=")[0].lstrip("+")
        group = key.partition("@")[0]  # norm@somewhere: Hydra's package
        if not key.startswith("hydra") and not script.knows(group):
            raise UserError(script.no_setting(key))


def spell_overrides(overrides: Sequence[str], script: Script, sweeps: bool) -> list[str]:
    """Overrides alone, those of a sweep's job among them. `sweeps`: whether `a,b` means one run each."""
    return [spelled for override in overrides for spelled in _spell(override, script, sweeps)]


def split_flags(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
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
            setting = name.lstrip("-")
            raise UserError(
                f"{argument}: settings are written without dashes, as {setting}={'...' if equals else '<value>'}."
            )
        else:
            action = actions[name]
            takes = not equals and action.nargs != 0 and rest and not rest[0].startswith("-")
            allowed = action.nargs is None or (bool(rest) and rest[0] in (action.choices or ()))
            flags += [argument, rest.pop(0)] if takes and allowed else [argument]
    return flags, overrides


def _sweeps(flags: Sequence[str], overrides: Sequence[str]) -> bool:
    asked = any(override.startswith("sweep=") and override not in ("sweep=", "sweep=null") for override in overrides)
    return bool({"-m", "--multirun"} & set(flags)) or "hydra.mode=MULTIRUN" in overrides or asked


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
    if key in script.paths or key in script.texts:
        return [f"{name}={_literal(key, value, script, sweeps)}"]
    if key == "logger":
        return _loggers(name, value, script)
    if key in script.choices:
        return [f"{name}={_each(value, lambda word: _choice(key, word, script))}"]
    return [f"{name}={_each(value, lambda word: _plain(key, word, script))}"]


def _each(value: str, change: Callable[[str], str]) -> str:
    """Change each of the values between commas; Hydra's own syntax stays as it is."""
    words = [_unquoted(word.strip()) for word in value.split(",")]
    if any(SYNTAX & set(word) for word in words):
        return value
    return ",".join(map(change, words))


def _unquoted(word: str) -> str:
    return word[1:-1] if len(word) > 1 and word[0] == word[-1] and word[0] in "'\"" else word


def shown(override: str) -> str:
    """An override of train.py as it would be typed: without the quotes that `spell` puts round paths, texts and numbers."""
    key, _, value = override.partition("=")
    ours = key in PATHS or key in TEXTS or key in NUMBERS
    if ours and re.fullmatch(QUOTED, value):
        return f"{key}={value[1:-1].replace(chr(92) + value[0], value[0])}"
    return override


def quoted(text: str) -> str:
    """A string that Hydra's grammar reads as exactly this text."""
    return QuotedString(text, Quote.single).with_quotes()


def _literal(key: str, value: str, script: Script, sweeps: bool) -> str:
    if value in ("", "null"):
        return value
    if key in script.texts and key != "study":
        return quoted(re.sub(r"(\\*)\$\{", r"\1\1\\${", value))  # a caption is no formula
    if re.fullmatch(QUOTED, value) or "${" in value:
        return value
    if key == "study":
        return quoted(value)
    places = split_paths(value) if sweeps else [value]
    return ",".join(quoted(str(Path(place).expanduser()) if place.startswith("~") else place) for place in places)


def split_paths(value: str) -> list[str]:
    """Paths between commas, of which some may have commas in their own names: the fewest parts that all exist.

    Where there are no such parts, each comma separates; what is missing is then told of each.
    """
    words = value.split(",")
    best: list[list[str] | None] = [[], *[None] * len(words)]  # of the first n words
    for end in range(1, len(words) + 1):
        for start in range(end):
            before, place = best[start], ",".join(words[start:end])
            shorter = before is not None and (best[end] is None or len(before) + 1 < len(best[end] or ()))
            if before is not None and shorter and Path(place).expanduser().exists():
                best[end] = [*before, place]
    return best[-1] or words


def _removed(key: str, script: Script) -> str:
    """`~logger`: the group's choice for nothing, or null."""
    if key not in script.choices:
        return f"{key}=null"
    off = _off(key, script)
    if off is None:
        raise UserError(f"~{key}: a run needs one; choose one of {', '.join(script.choices[key])}.")
    return f"{key}={off}"


def _off(group: str, script: Script) -> str | None:
    return next((choice for choice in OFF if choice in script.choices[group]), None)


def _choice(group: str, word: str, script: Script) -> str:
    """A choice of a group by the word that was typed for it."""
    if word in script.choices[group]:
        return word
    if word in WORDS.get(group, {}):
        return WORDS[group][word]
    number = _number(word)
    if word.lower() in NO and not (group == "lr" and number is not None):
        return _off(group, script) or quoted(word)
    if word.lower() in YES and "on" in script.choices[group]:
        return "on"
    if group in NUMBERS and number is not None:
        register_number(group, word, float(number))
    # quoted, Hydra looks for a choice of this name and says which there are; unquoted, a number is an exception of its own
    return quoted(word)


def register_number(group: str, word: str, value: float) -> None:
    """Make a number a choice of its group: `lr=1e-4` is lr=base with both rates at 1e-4."""
    base, keys = NUMBERS[group]
    node = {"defaults": [base, "_self_"], **dict.fromkeys(keys, value)}
    ConfigStore.instance().store(group=group, name=word, node=node)


def _plain(key: str, word: str, script: Script) -> str:
    """A value that is no choice of a group: other words for it, and whole numbers as they are written elsewhere (1e5)."""
    word = WORDS.get(key, {}).get(word, word)
    kind = script.types.get(key)
    number = _number(word)
    whole = kind is int or (int in get_args(kind) and float not in get_args(kind))
    if whole and number is not None and not re.fullmatch(r"[+-]?[\d_]+", word) and number == number.to_integral_value():
        return str(int(number))
    return word


def _number(word: str) -> Decimal | None:
    try:
        number = Decimal(word)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _loggers(name: str, value: str, script: Script) -> list[str]:
    """`logger=[csv,wandb]`: metrics.csv is always written, and each of the others has a choice of its own."""
    listed = re.fullmatch(r"\[(.*)\]", value.strip())
    if listed is None:
        return [f"{name}={_each(value, lambda word: _choice('logger', word, script))}"]
    words = [_choice("logger", _unquoted(word.strip()), script) for word in listed[1].split(",") if word.strip()]
    chosen = [word for word in dict.fromkeys(words) if word != "none"]
    if {"tensorboard", "wandb"} <= set(chosen) or {"tensorboard", "offline"} <= set(chosen):
        chosen.remove("tensorboard")
        return [f"{name}={_only(chosen, value)}", "logger.tensorboard=true"]
    return [f"{name}={_only(chosen, value)}"]


def _only(chosen: list[str], value: str) -> str:
    if len(chosen) > 1:
        raise UserError(f"logger={value}: W&B is online (wandb) or offline; choose one of {', '.join(chosen)}.")
    return chosen[0] if chosen else "none"
