"""What a run leaves on disk, and how a run finds its own folder and its Stage I again. See docs/outputs.md.

No torch here: a sweep looks at hundreds of runs without loading it.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from stackgan.config import Config
from stackgan.errors import UserError
from stackgan.signature import run_name, run_signature

State = Literal["running", "done", "diverged", "collapsed", "preempted", "skipped", "failed"]


def write_atomically(path: Path, text: str) -> None:
    """Replace a file's content at once: a reader sees the old text or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text)
    os.replace(temporary, path)


@dataclass
class Status:
    """The state of a run, as `status.json` holds it."""

    state: State
    reason: str = ""
    images: int = 0
    seconds: float = 0.0
    signature: str = ""
    scores: dict[str, float] = field(default_factory=dict)
    data_fingerprint: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    verdicts: list[str] = field(default_factory=list)

    def write(self, run: Path) -> None:
        """Write `status.json` into the run folder, atomically."""
        write_atomically(run / "status.json", json.dumps(asdict(self), indent=1) + "\n")


def read_status(run: Path) -> Status | None:
    """The run's state, or None where there is no readable `status.json`."""
    try:
        values: dict[str, Any] = json.loads((run / "status.json").read_text())
        return Status(**values)
    except (OSError, ValueError, TypeError):
        return None


def bundle_hash(generator: Path) -> str:
    """sha256 of a generator bundle's weights, 16 hex digits."""
    digest = hashlib.sha256()
    with (generator / "weights.safetensors").open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()[:16]


def find_stage_one(config: Config) -> Path:
    """The Stage-I run that this Stage-II run stands on. Raises UserError where there is none.

    `stage_one=auto` means the finished run with the same configuration at stage=one and the same seed, in this study or,
    failing that, in any other one.
    """
    if config.stage_one != "auto":
        run = Path(config.stage_one)
        if not (run / "generator" / "generator.json").exists():
            raise UserError(
                f"stage_one={run} holds no generator/generator.json; give the folder of a finished Stage-I run."
            )
        return run
    parent = deepcopy(config)
    parent.stage.name = "one"
    signature = run_signature(parent)
    study = study_directory(config)
    for folder in (*sorted(study.glob(f"*-{signature}")), *sorted(Path(config.outputs).glob(f"*/*-{signature}"))):
        status = read_status(folder)
        if status is not None and status.state == "done":
            return folder
    raise UserError(
        f"stage_one=auto found no finished Stage-I run with this configuration (signature {signature}) in {config.outputs}; "
        "train it first (the same command with stage=one) or give stage_one=<run folder>."
    )


def study_directory(config: Config) -> Path:
    """outputs/<study>; single runs live in outputs/runs."""
    return Path(config.outputs) / (config.study or "runs")


@dataclass(frozen=True)
class RunPlace:
    """A run's folder, its signature and (Stage II) the Stage-I run below it."""

    folder: Path
    signature: str
    stage_one: Path | None


def locate_run(config: Config, overrides: Sequence[str]) -> RunPlace:
    """Where this configuration's run lives: the folder with its signature if there is one, else a new name. No I/O but look-ups."""
    stage_one = find_stage_one(config) if config.stage.name == "two" else None
    signature = run_signature(config, bundle_hash(stage_one / "generator") if stage_one else None)
    study = study_directory(config)
    existing = sorted(study.glob(f"*-{signature}"))
    folder = existing[0] if existing else study / f"{run_name(config, overrides)}-{signature}"
    return RunPlace(folder, signature, stage_one)
