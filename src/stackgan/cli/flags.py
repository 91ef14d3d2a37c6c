"""Flags on the command line: told from overrides wherever they stand, and those that cannot act refused. No torch here."""

from argparse import Action
from collections.abc import Sequence

from hydra._internal.utils import get_args_parser

from stackgan.cli.script import TRAIN, Script
from stackgan.errors import UserError

MULTIRUN = ("-m", "--multirun")
REFUSED = {  # Hydra's, which know nothing of how settings are spelled and runs are kept here
    "--shell-completion": "there is no completion of commands; --help lists settings and choices",
    "--experimental-rerun": "a run goes on when its command is given again; its settings are in overrides.txt of its folder",
}


def split_flags(arguments: Sequence[str], script: Script = TRAIN) -> tuple[list[str], list[str]]:
    """Flags with their values, and overrides, wherever each of them stood. Raises UserError for a flag that cannot act."""
    actions = {name: action for action in get_args_parser()._actions for name in action.option_strings}
    flags: list[str] = []
    overrides: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if not argument.startswith("-"):
            overrides.append(argument)
            continue
        name, equals, value = argument.partition("=")
        if name not in actions:
            raise UserError(_no_flag(argument, script))
        flags.append(argument)
        if not equals and rest and _takes(actions[name], rest[0]):
            value = rest.pop(0)
            flags.append(value)
        _check_flag(name, value, actions[name])
    return flags, overrides


def _takes(action: Action, word: str) -> bool:
    """Whether the word after a flag is its value."""
    if action.nargs == 0 or word.startswith("-"):
        return False
    return action.nargs is None or "=" not in word  # an optional value cannot be an override


def _check_flag(name: str, value: str, action: Action) -> None:
    for flag, instead in REFUSED.items():
        if flag in action.option_strings:
            raise UserError(f"{name} does nothing here: {instead}.")
    choices = ", ".join(map(str, action.choices or ()))
    if value and choices and value not in choices.split(", "):
        raise UserError(f"{name} {value} is not known; choose one of {choices}.")
    if not value and action.nargs is None:
        raise UserError(f"{name} needs a value{': one of ' if choices else ''}{choices}.")


def _no_flag(argument: str, script: Script) -> str:
    name, _, value = argument.partition("=")
    setting = name.strip("-").replace("-", "_")
    if script.knows(setting):
        return f"{argument}: settings are written without dashes, as {setting}={value or '<value>'}."
    return script.no_setting(setting) if setting else f"{argument} is no flag; --help lists settings and choices."
