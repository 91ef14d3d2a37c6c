"""What the command line of one script knows: its groups, its settings, and which of them are paths, names or free text. No torch here."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from stackgan.cli.help_text import groups
from stackgan.cli.hints import FOREIGN, no_setting
from stackgan.config import Config, setting_types

PATHS = (
    "stage_one",
    "start_from",
    "data.root",
    "data.listing",
    "data.dataset",
    "data.archive",
    "data.cache",
    "outputs",
    "text.embeddings",
    "evaluation.inception_weights",
)


@dataclass(frozen=True)
class Script:
    """The command line of one script.

    Attributes:
        config: conf/<config>.yaml
        schema: dataclass with its keys and their types.
        paths: keys whose values are paths: taken literally, with commas, equals signs and brackets, and with ~ expanded.
        names: keys whose values are taken literally, and never as several.
        texts: the same, and what looks like an interpolation is text too. Where there are sweeps, whose jobs spell their overrides
            once more, one in quotes is spelled already.
        sweeps: whether a command of it can be several runs (-m).
    """

    config: str
    schema: type
    paths: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    sweeps: bool = False

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


TRAIN = Script("config", Config, PATHS, names=("study",), texts=("logger.notes",), sweeps=True)
