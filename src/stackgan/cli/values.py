"""The values that people type: other words and numbers for choices, whole numbers, text as it stands, paths with commas. No torch here."""

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import get_args

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.types import Quote, QuotedString

from stackgan.cli.script import Script
from stackgan.errors import UserError
from stackgan.run_names import names_run

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
RUNS = ("stage_one", "start_from")  # paths that may be given as a run's name
OUTPUTS = Path("outputs")
OFF = ("off", "none")
YES, NO = ("true", "yes"), ("false", "no", "null", "0", "0.0", *OFF)
SYNTAX = set("'\"[]{}()$\\")  # of Hydra's values: lists, functions, interpolations, quotes
STRING = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""  # one string of Hydra's grammar


def each(value: str, change: Callable[[str], str]) -> str:
    """Change each of the values between commas; Hydra's own syntax stays as it is, and so does a word that does not change."""
    words = value.split(",")
    inside = [unquoted(word.strip()) for word in words]
    if any(SYNTAX & set(word) for word in inside):
        return value
    changed = [change(word) for word in inside]
    return ",".join(new if new != old else word for word, old, new in zip(words, inside, changed, strict=True))


def unquoted(word: str) -> str:
    """Without the quotes around it."""
    return word[1:-1] if len(word) > 1 and word[0] == word[-1] and word[0] in "'\"" else word


def quoted(text: str) -> str:
    """A string that Hydra's grammar reads as exactly this text."""
    return QuotedString(text, Quote.single).with_quotes()


def is_string(value: str) -> bool:
    """Whether it is in quotes for Hydra already."""
    return bool(re.fullmatch(STRING, value))


def read_string(value: str) -> str:
    """What a string in quotes says."""
    return value[1:-1].replace("\\" + value[0], value[0])


def literal(key: str, value: str, script: Script, sweeps: bool, outputs: Path = OUTPUTS) -> str:
    """A path, a name or a text for Hydra.

    Args:
        sweeps: whether paths between commas are several.
        outputs: where the names of runs are looked up.
    """
    if value in ("", "null"):
        return value
    if key in script.texts and not (script.sweeps and is_string(value)):
        return quoted(re.sub(r"(\\*)\$\{", r"\1\1\\${", value))
    if key in script.names and "${" in value:
        raise UserError(f"{key}={value}: a name cannot hold ${{...}}; let the shell put the value in.")
    if is_string(value) or "${" in value:
        return value
    if key in script.names:
        return quoted(value)
    places = split_paths(value, outputs if key in RUNS else None) if sweeps else [value]
    return ",".join(quoted(str(Path(place).expanduser()) if place.startswith("~") else place) for place in places)


def split_paths(value: str, outputs: Path | None = None) -> list[str]:
    """Paths between commas, of which some may have commas in their own names: the fewest parts that all exist.

    Where there are no such parts, each comma separates; what is missing is then told of each.

    Args:
        outputs: a part may also be another word for a run below this folder.
    """
    words = value.split(",")
    best: list[list[str] | None] = [[], *[None] * len(words)]  # of the first n words
    for end in range(1, len(words) + 1):
        for start in range(end):
            before, place = best[start], ",".join(words[start:end])
            shorter = before is not None and (best[end] is None or len(before) + 1 < len(best[end] or ()))
            if before is not None and shorter and _is_there(place, outputs):
                best[end] = [*before, place]
    return best[-1] or words


def _is_there(place: str, outputs: Path | None) -> bool:
    return Path(place).expanduser().exists() or (outputs is not None and names_run(place, outputs))


def choice_for_nothing(group: str, script: Script) -> str | None:
    """`off` or `none`, where the group has it."""
    return next((choice for choice in OFF if choice in script.choices[group]), None)


def choice(group: str, word: str, script: Script) -> str:
    """A choice of a group by the word that was typed for it."""
    if word in script.choices[group]:
        return word
    if word in WORDS.get(group, {}):
        return WORDS[group][word]
    if (lower := word.lower().replace("-", "_")) in script.choices[group]:
        return lower
    number = finite_number(word)
    if word.lower() in NO and not (group == "lr" and number is not None):
        return choice_for_nothing(group, script) or quoted(word)
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


def plain(key: str, word: str, script: Script) -> str:
    """A value that is no choice of a group: other words for it, and whole numbers as they are written elsewhere (1e5)."""
    word = WORDS.get(key, {}).get(word, word)
    kind, number = script.types.get(key), finite_number(word)
    if kind is bool and number is not None and number not in (0, 1):
        raise UserError(f"{key}={word} is not true or false.")
    whole = kind is int or (int in get_args(kind) and float not in get_args(kind))
    if whole and number is not None and not re.fullmatch(r"[+-]?[\d_]+", word) and number == number.to_integral_value():
        return str(int(number))
    return word


def finite_number(word: str) -> Decimal | None:
    """The number that a word is, or None."""
    try:
        number = Decimal(word)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
