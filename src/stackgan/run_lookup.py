"""A run or a study by what people call it: a path, a folder's name, a signature, or `latest`. No torch here."""

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from stackgan.config import Config
from stackgan.errors import UserError
from stackgan.run_directory import read_status

LATEST = "latest"
DEPTHS = ("*", "*/*", "*/*/*")  # of runs below outputs; a study may be called a/b


def find_run(name: str, outputs: str | Path, ready: Callable[[Path], bool], key: str = "run") -> Path:
    """The folder of a run.

    Args:
        name: its path, its folder's name, its signature (8 hex digits), or `latest`.
        outputs: the parent of all studies, where a name is looked up.
        ready: whether a run can be used for what is asked; `latest` is the newest that can.
        key: the setting that names it, for the message.

    Raises:
        UserError: nothing has that name, or several runs have.
    """
    path, outputs = Path(name), Path(outputs)
    if path.is_file():
        raise UserError(f"{key}={name} is a file; give a run's folder.")
    if path.exists() or ("/" in name and name != LATEST):
        return path
    runs = [status.parent for depth in DEPTHS for status in outputs.glob(f"{depth}/status.json")]
    if name == LATEST:
        usable = [run for run in runs if ready(run)]
        if not usable:
            raise UserError(f"{key}=latest: no run in {outputs} is finished ({len(runs)} in all).")
        return max(usable, key=lambda run: (run / "status.json").stat().st_mtime)
    signature = bool(re.fullmatch(r"[0-9a-f]{8}", name))
    found = [run for run in runs if (run.name.endswith(f"-{name}") if signature else run.name == name)]
    if len(found) > 1:
        raise UserError(
            f"{key}={name} is the name of {len(found)} runs: {', '.join(map(str, sorted(found)))}; give one path."
        )
    return found[0] if found else path


def find_study(name: str, outputs: str | Path) -> Path:
    """The folder of a study by its path or, as in training, by its name. It need not exist."""
    inside = Path(outputs) / name
    return inside if not Path(name).is_dir() and inside.is_dir() else Path(name)


def has_generator(run: Path) -> bool:
    """Whether pictures can be drawn with it."""
    return (run / "generator" / "generator.json").is_file()


def is_done(run: Path) -> bool:
    """Whether it is trained to its budget."""
    status = read_status(run)
    return status is not None and status.state == "done"


def name_runs(config: Config) -> None:
    """Put paths where `stage_one` and `start_from` name a run in another way. Raises UserError."""
    if config.stage.name == "two" and config.stage_one != "auto":
        config.stage_one = str(find_run(config.stage_one, config.outputs, partial(_done, "one"), "stage_one"))
    if config.start_from is not None:
        done = partial(_done, config.stage.name)
        config.start_from = str(find_run(config.start_from, config.outputs, done, "start_from"))


def _done(stage: str, run: Path) -> bool:
    return is_done(run) and _stage(run) == stage


def _stage(run: Path) -> str | None:
    """The stage that a run trained, from its bundle."""
    try:
        about = json.loads((run / "generator" / "generator.json").read_text())
    except (OSError, ValueError):
        return None
    return "two" if about.get("stage_two") else "one"
