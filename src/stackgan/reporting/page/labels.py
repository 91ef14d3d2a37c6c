"""What the settings of a study are called: what differs between them, and once, what all share."""

import re
from collections.abc import Sequence

from stackgan.cli.spelling import shown
from stackgan.signature import folder_name, name_parts

NOT_OF_A_SETTING = ("stage", "seed")


def setting_parts(folder: str, variant: str, overrides: Sequence[str]) -> list[str]:
    """The choices that the runs of one setting share: those of the overrides, or, where these made another name, the folder's."""
    name = re.sub(r"-[0-9a-f]{8}$", "", folder)
    try:
        parts = name_parts(variant or None, overrides)
    except (OSError, ValueError):  # a variant of another checkout, or no name at all
        parts = [variant, *overrides]
    if name and name != folder_name(parts):  # renamed, or of another version
        parts = [] if name == "base" else name.split(",")
    return [part for part in parts if part.partition("=")[0] not in NOT_OF_A_SETTING]


def shared_parts(settings: Sequence[Sequence[str]]) -> list[str]:
    """What all settings have in their names; nothing where there is one setting, whose name it would be."""
    if len({tuple(parts) for parts in settings}) < 2:
        return []
    return [part for part in settings[0] if all(part in parts for parts in settings)]


def spelled_out(parts: Sequence[str], overrides: Sequence[str], vary: Sequence[str]) -> list[str]:
    """The parts with what was typed though it is the default, of keys in which settings differ: `norm=batch` beside `norm=none`.

    Args:
        overrides: what was typed; of two with one key the first counts.
        vary: those keys, in the order in which they are said.
    """
    known = {_key(part) for part in parts}
    typed = {_key(override): shown(override) for override in reversed(overrides)}
    defaults = [typed[key] for key in vary if key in typed and key not in known]
    if not defaults:
        return list(parts)
    return sorted([*parts, *defaults], key=lambda part: vary.index(_key(part)) if _key(part) in vary else -1)


def varying_keys(
    settings: Sequence[Sequence[str]], shared: Sequence[str], overrides: Sequence[Sequence[str]]
) -> list[str]:
    """The keys of choices that not all settings have, in the order in which they were typed."""
    own = {_key(part) for parts in settings for part in parts if part not in shared and "=" in part}
    typed = dict.fromkeys(_key(override) for given in overrides for override in given)
    return [key for key in dict.fromkeys([*typed, *sorted(own)]) if key in own]


def _key(part: str) -> str:
    return part.partition("=")[0]


def label(parts: Sequence[str], shared: Sequence[str]) -> str:
    """A setting by what is its own; `base` where it has nothing but what all share."""
    return ",".join(part for part in parts if part not in shared) or "base"
