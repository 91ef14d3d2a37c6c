"""A run or a study by what people call it: a path, a folder's name, a signature, or `latest`. No torch here."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

from stackgan.config import Config
from stackgan.errors import UserError
from stackgan.run_directory import read_status
from stackgan.run_names import DEPTHS, LATEST, is_signature

SHOWN = 3  # of several runs that a word means


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
    signature = is_signature(name)
    found = [run for run in runs if (run.name.endswith(f"-{name}") if signature else run.name == name)]
    if len(found) > 1:
        shown = ", ".join(map(str, sorted(found)[:SHOWN])) + (", ..." if len(found) > SHOWN else "")
        raise UserError(f"{key}={name} is the name of {len(found)} runs: {shown}; give one path.")
    return found[0] if found else path


def find_study(name: str, outputs: str | Path) -> Path:
    """The folder of a study by its path or, as in training, by its name. It need not exist."""
    inside = Path(outputs) / name
    return inside if not Path(name).is_dir() and inside.is_dir() else Path(name)


def has_generator(run: Path) -> bool:
    """Whether pictures can be drawn with it."""
    return (run / "generator" / "generator.json").is_file()


def check_generator(run: Path, weights: str = "ema") -> None:
    """Refuse a run without the generator that is asked for.

    Args:
        run: its folder, or its generator/ folder.
        weights: `best` is in generator_best/; `ema` and `raw` need generator/.

    Raises:
        UserError: there is no such folder, no run in it, or the run has not got so far.
    """
    folder = run / ("generator_best" if weights == "best" else "generator")
    if any((place / "generator.json").is_file() for place in (folder, run)):
        return
    if not run.is_dir():
        state = "is a file" if run.is_file() else "does not exist"
        raise UserError(f"run={run} {state}; give a run's folder, its name, its signature, or run=latest.")
    if weights == "best":
        raise UserError(f"run={run} has no generator_best/; use weights=ema or weights=raw.")
    status = read_status(run)
    if status is None:
        raise UserError(f"run={run} is no run folder: it has no generator/generator.json; give one, or run=latest.")
    raise UserError(
        f"run={run} has no generator/generator.json (its state: {status.state}); finish it with the command that started it."
    )


def find_generator(name: str, outputs: str | Path, weights: str = "ema") -> Path:
    """The folder of a run that pictures can be drawn with. Raises UserError where there is none."""
    run = find_run(name, outputs, has_generator)
    check_generator(run, weights)
    return run


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
