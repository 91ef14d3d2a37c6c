"""What a run leaves on disk, and how a run finds its own folder and its Stage I again. See docs/outputs.md.

No torch here: a sweep looks at hundreds of runs without loading it.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, BinaryIO, Literal

from stackgan.config import Config, saved_config
from stackgan.data.files import replacing
from stackgan.errors import UserError
from stackgan.signature import identity, run_name, signature_of, stage_one_signature

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment]

State = Literal["running", "done", "diverged", "collapsed", "preempted", "skipped", "failed"]
BY_VERDICT = ("diverged", "collapsed")
LOCK_PATIENCE = 1.0  # seconds; `is_running` holds the lock for an instant


def write_atomically(path: Path, text: str) -> None:
    """Replace a file's content at once: a reader sees the old text or the new, never a part."""
    with replacing(path) as temporary:
        temporary.write_text(text)


@dataclass
class Status:
    """The state of a run, as `status.json` holds it; while it trains it is rewritten at each log row."""

    state: State
    reason: str = ""
    images: int = 0  # shown to the discriminator so far
    budget: int = 0  # to be shown in all
    seconds: float = 0.0  # of all sessions
    images_per_second: float = 0.0  # of the last log row
    pid: int = 0  # of the process that wrote this
    signature: str = ""
    folder: str = ""  # the run folder's name when this was written: a copy of it has another one
    scores: dict[str, float] = field(default_factory=dict)  # the last on validation captions; the final ones when done
    left_out: dict[str, str] = field(default_factory=dict)  # scores that were due and not taken, as "kid/test": why
    data_fingerprint: str = ""
    train_images: int = 0  # pictures of the training split
    provenance: dict[str, Any] = field(default_factory=dict)  # of the last session: stackgan.provenance
    versions: dict[str, str] = field(default_factory=dict)
    verdicts: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)  # {"images", "sentence"}: resumes, rollbacks, fall-backs

    def write(self, run: Path) -> None:
        """Write `status.json` into the run folder, atomically."""
        write_atomically(run / "status.json", json.dumps(asdict(self), indent=1) + "\n")


def read_status(run: Path) -> Status | None:
    """The run's state, or None where there is no readable `status.json`. Fields of other versions are left out."""
    known = {each.name for each in fields(Status)}
    try:
        values: dict[str, Any] = json.loads((run / "status.json").read_text())
        return Status(**{key: value for key, value in values.items() if key in known})
    except (OSError, ValueError, TypeError, AttributeError):
        return None


@contextmanager
def lock_run(folder: Path) -> Iterator[None]:
    """Keep every other process from training in this folder; when this one ends, however it ends, the kernel lets go.

    Raises UserError where another process trains there, or where the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / ".lock").open("ab+", buffering=0)
    except OSError as error:
        raise UserError(
            f"{folder} cannot be written ({error.strerror}); choose another place with outputs=<folder>."
        ) from error
    with file:
        if not _take(file):
            file.seek(0)
            holder = file.read().decode() or "unknown"
            raise UserError(f"{folder} is being trained by process {holder}; wait for it or stop it.")
        with suppress(OSError):  # a full disk: the lock holds all the same
            file.truncate(0)
            file.write(f"{os.getpid()} (since {time.strftime('%Y-%m-%d %H:%M:%S')})".encode())
        yield


def is_running(folder: Path) -> bool:
    """Whether a process trains in this folder now: a status that says `running` where none does is of one that died."""
    if fcntl is None:
        return False
    try:
        with (folder / ".lock").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # no such file, or a file system without locks
        return False
    return False


def _take(file: BinaryIO) -> bool:
    """Lock the file. False: another process holds it."""
    deadline = time.monotonic() + LOCK_PATIENCE
    while fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        except OSError:
            break
    return True  # where there are no locks nobody can be kept out


def remove_leftovers(run: Path) -> None:
    """Remove what a killed process had half written. Call it with the run locked."""
    for path in (path for folder in (".", "samples", "checkpoints") for path in (run / folder).glob(".*.part")):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def bundle_hash(generator: Path) -> str:
    """sha256 of a generator bundle's weights, 16 hex digits."""
    digest = hashlib.sha256()
    with (generator / "weights.safetensors").open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()[:16]


class StageOneEnded(UserError):
    """The Stage I of a Stage-II run ended by a verdict: a result, on which nothing can stand."""


def find_stage_one(config: Config) -> Path:
    """The Stage-I run that this Stage-II run stands on. Raises UserError where there is none, StageOneEnded where a verdict ended it.

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
    signature, study = stage_one_signature(config), study_directory(config)
    ended: tuple[Path, Status] | None = None
    for folder in (*sorted(study.glob(f"*-{signature}")), *sorted(Path(config.outputs).glob(f"*/*-{signature}"))):
        status = read_status(folder)
        if status is not None and status.state == "done":
            return folder
        if status is not None and status.state in BY_VERDICT:
            ended = ended or (folder, status)
    if ended is not None:
        folder, status = ended
        raise StageOneEnded(f"its Stage I, {folder.name}, is {status.state}: {status.reason}".rstrip(": "))
    if started := _started_stage_one(config, signature):
        return started
    raise UserError(
        f"stage_one=auto found no finished Stage-I run with this configuration (signature {signature}) in {config.outputs}; "
        "train it first (the same command with stage=one) or give stage_one=<run folder>."
    )


def _started_stage_one(config: Config, signature: str) -> Path | None:
    """The newest finished Stage I with this configuration that began with another run's weights (`start_from`)."""
    found = []
    for file in Path(config.outputs).glob("*/*start_from=*/config.yaml"):
        status = read_status(file.parent)
        if status is None or status.state != "done":
            continue
        saved = saved_config(file.parent)
        if saved.stage.name == "one" and stage_one_signature(saved) == signature:
            found.append((file.stat().st_mtime, file.parent))
    return max(found)[1] if found else None


def find_start(config: Config) -> Path | None:
    """The finished run whose weights this one starts with, or None. Raises UserError where `start_from` names no such run."""
    if config.start_from is None:
        return None
    run = Path(config.start_from)
    status = read_status(run)
    if status is None:
        raise UserError(f"start_from={run} is no run folder: it has no status.json.")
    if status.state != "done":
        raise UserError(f"start_from={run} is {status.state} after {status.images:,} images; finish that run first.")
    return run


def study_directory(config: Config) -> Path:
    """outputs/<study>; single runs live in outputs/runs."""
    return Path(config.outputs) / (config.study or "runs")


@dataclass(frozen=True)
class RunPlace:
    """A run's folder, its signature and what it is of, the Stage-I run below it (Stage II), and the run it has yet to start from."""

    folder: Path
    signature: str
    stage_one: Path | None
    start: Path | None
    identity: dict[str, Any]


def _folder_of(study: Path, signature: str, name: str) -> Path:
    """The folder of a run in its study; a copy that somebody made of it is never trained in its place.

    Raises UserError where there are copies alone: the run was renamed, or moved away.
    """
    found = sorted(study.glob(f"*-{signature}"))
    copies = [folder for folder in found if (status := read_status(folder)) and status.folder not in ("", folder.name)]
    own = [folder for folder in found if folder not in copies]
    if copies and not own:
        status = read_status(copies[0])
        raise UserError(
            f"{copies[0]} was {study / (status.folder if status else '')}, which is not there: rename it back to go on with it, or "
            "move it out of the study to begin anew."
        )
    return own[0] if own else study / f"{name}-{signature}"


def locate_run(config: Config, overrides: Sequence[str]) -> RunPlace:
    """Where this configuration's run lives: the folder with its signature if there is one, else a new name. No I/O but look-ups."""
    stage_one = find_stage_one(config) if config.stage.name == "two" else None
    which = identity(config, bundle_hash(stage_one / "generator") if stage_one else None)
    signature = signature_of(which)
    folder = _folder_of(study_directory(config), signature, run_name(config, overrides))
    begun = any(
        (folder / "checkpoints").glob("*.ckpt")
    )  # it goes on from its own weights, and needs the others no more
    start = None if begun else find_start(config)
    return RunPlace(folder, signature, stage_one, start, which)
