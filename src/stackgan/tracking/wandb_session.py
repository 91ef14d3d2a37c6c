"""How a session at Weights & Biases begins: online where a key and a server are, else offline, in bounded time."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stackgan.config import Config
from stackgan.process import say
from stackgan.tracking.checks import LONGEST_NAME
from stackgan.tracking.wandb_record import WandbRecord

# Seconds, unless WANDB_INIT_TIMEOUT or WANDB_FINISH_TIMEOUT is set.
LIMITS = {"init_timeout": 10.0, "finish_timeout": 30.0}
NO_KEY = "no key (run `wandb login` once, or set WANDB_API_KEY)"
DELETED = re.compile(r"HTTP 409|previously created and deleted")
HINTS = {"401": "; `wandb login --relogin` takes another key", "403": "; this key may not write there"}
NO_ANSWER = "the server did not answer in time"
WORDS = {  # what the errors of W&B and of the network say: in ours
    r"connection refused|no such host|network is unreachable|no route to host": "the server cannot be reached",
    r"deadline exceeded|[Tt]imed out": NO_ANSWER,
}


def start_session(run: Path, config: Config, signature: str, online: bool) -> tuple[Any, WandbRecord, str]:
    """The session, the folder's record, and why it is offline where it was to be online."""
    # wandb's reports of its own errors would hold up the end of the process where the server does not take them
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    import wandb  # most of a second, which runs without it need not wait

    if wandb.run is not None:  # of something else in this process
        _end_other()
    else:
        os.environ.pop("WANDB_SERVICE", None)  # of the process that started this one, and ends with it
    record = _find_record(run, signature)
    unreadable = _forget_unreadable()
    session, why = _go_online(run, config, record, signature) if online and not unreadable else (None, unreadable)
    session = session or _init(run, config, record, "offline")
    if session.id != record.id:  # an agent of W&B's gave it another
        record = WandbRecord(session.id)
        record.write(run)
    session.define_metric("images", hidden=True)
    session.define_metric("*", step_metric="images", step_sync=True)
    return session, record, why


def in_words(error: Exception) -> str:
    """An error of W&B's in few words."""
    text = " ".join(str(error).split()) or type(error).__name__
    if status := re.search(r"(?:error|HTTP) ([45]\d\d)", text):
        return f"the server answered {status[1]}{HINTS.get(status[1], '')}"
    return next((words for pattern, words in WORDS.items() if re.search(pattern, text)), text[:200])


def _forget_unreadable() -> str:
    """Take variables of W&B's out of the environment whose values it cannot read: it would not even begin offline. Returns a remark."""
    import wandb

    try:
        wandb.setup()
    except ValueError as error:  # pydantic's: a part for each setting
        parts = error.errors() if hasattr(error, "errors") else []
        names = [name for part in parts if part["loc"] and (name := f"WANDB_{part['loc'][0]}".upper()) in os.environ]
        if not names:
            raise
        for name in names:
            del os.environ[name]
        return f"{' and '.join(names)} cannot be read: {parts[0]['msg'][0].lower()}{parts[0]['msg'][1:]}"
    return ""


def _end_other() -> None:
    """End the live run of this process, of which two cannot be."""
    import wandb

    try:
        wandb.finish()
    except Exception:  # its service is gone
        stop_service()


def _find_record(run: Path, signature: str) -> WandbRecord:
    """The folder's record; a new one where there is none, or none that can be read."""
    try:
        found = WandbRecord.read(run)
    except ValueError as error:
        say(f"W&B: {error}; the run goes on as a new one there.")
        found = None
    record = found or WandbRecord.new(signature)
    if found is None:
        record.write(run)
    return record


def _go_online(run: Path, config: Config, record: WandbRecord, signature: str) -> tuple[Any, str]:
    """The session, or None and why there is none. A run that was deleted in the browser is made again, under a new id."""
    try:
        if not _has_key():
            return None, NO_KEY
        try:
            return _init(run, config, record, "online"), ""
        except Exception as error:
            if not DELETED.search(str(error)):
                raise
        stop_service()
        new = WandbRecord.new(signature)
        record.id, record.images, record.names = new.id, new.images, new.names
        record.write(run)
        return _init(run, config, record, "online"), ""
    except Exception as error:
        stop_service()  # it would go on trying, and keep the id
        return None, in_words(error)


def _has_key() -> bool:
    """Whether a key is at hand, of whatever source: nothing is asked, neither a person nor a server."""
    import wandb

    with silence():
        return wandb.login(prompt=False, verify=False)


def _init(run: Path, config: Config, record: WandbRecord, mode: str) -> Any:
    import wandb

    logger = config.logger
    limits = {name: value for name, value in LIMITS.items() if f"WANDB_{name.upper()}" not in os.environ}
    with silence():
        return wandb.init(
            project=logger.project,
            entity=logger.entity,
            name=run.name[:LONGEST_NAME],
            group=(config.study or "runs")[:LONGEST_NAME],
            job_type=f"stage-{config.stage.name}",
            tags=logger.tags or None,
            notes=logger.notes,
            id=record.id,
            resume="allow",
            mode=mode,  # type: ignore[arg-type]
            dir=run,
            config=asdict(config),
            settings=wandb.Settings(silent=True, finish_timeout_raises=True, **limits),  # type: ignore[arg-type]
        )


@contextmanager
def silence() -> Iterator[None]:
    """W&B says nothing of its own: what there is to say is our line. What it prints is decided in its settings, once they are read."""
    import wandb

    settings = wandb.setup().settings
    before, settings.silent = settings.silent, True
    wandb.termsetup(settings, None)
    try:
        yield
    finally:
        settings.silent = before
        wandb.termsetup(settings, None)


def stop_service() -> None:
    """End wandb's helper process. It may be gone already, and says so in many ways."""
    import wandb

    with suppress(Exception, SystemExit):
        wandb.teardown()
    wandb.run = None
    os.environ.pop("WANDB_SERVICE", None)
