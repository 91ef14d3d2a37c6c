"""What `--help` prints: what a script is for, its settings as their YAML file explains them, and the choices of each group.

Hydra's own text copies all it knows of the configuration anew for each group it lists: seconds, where this takes none.
"""

import re

from stackgan.config import PROJECT

CONF = PROJECT / "conf"
FLAGS = "--cfg job shows the whole configuration of a command; --hydra-help lists Hydra's own flags."


def help_text(description: str, name: str) -> str:
    """Of the script with this docstring and conf/<name>.yaml."""
    parts = [description.strip(), f"Settings (conf/{name}.yaml, key: default):\n\n{settings(name)}"]
    if listed := groups(name):
        width = max(map(len, listed))
        lines = [f"  {group:{width}}  {', '.join(choices)}" for group, choices in listed.items()]
        parts.append("Choices (group=choice; conf/<group>/<choice>.yaml explains its keys):\n\n" + "\n".join(lines))
    return "\n\n".join([*parts, FLAGS])


def settings(name: str) -> str:
    """The top-level keys of a configuration file with their comments, and those of the files it is made from."""
    text = (CONF / f"{name}.yaml").read_text(encoding="utf-8")
    inherited = [settings(base) for base in _bases(text)]
    own = re.findall(r"^(?!hydra:|defaults:)\w+:.*", text, flags=re.MULTILINE)
    return "\n".join(filter(None, [*("  " + line for line in own), *inherited]))


def groups(name: str) -> dict[str, list[str]]:
    """The groups of a configuration and their choices, in its order."""
    text = (CONF / f"{name}.yaml").read_text(encoding="utf-8")
    listed: dict[str, list[str]] = {}
    for base in _bases(text):
        listed |= groups(base)
    for group in re.findall(r"^  - (\w+):", text, flags=re.MULTILINE):
        listed[group] = sorted(file.stem for file in (CONF / group).glob("*.yaml"))
    return listed


def _bases(text: str) -> list[str]:
    """Configurations that one is made from: entries of its defaults that are files beside it."""
    return [
        base
        for base in re.findall(r"^  - (\w+)\b(?! *:)", text, flags=re.MULTILINE)
        if (CONF / f"{base}.yaml").is_file()
    ]
