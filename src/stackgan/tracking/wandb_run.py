"""A run at Weights & Biases. What happens there never ends a run: it is said in one line, and training goes on.

With a key and a server the run is online; else its files are kept in <run>/wandb, and one command sends them later. Both are
bounded in time, whatever the server does.
"""

import logging
import os
import re
import shlex
import shutil
import time
from argparse import Namespace
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from PIL import Image
from pytorch_lightning.loggers import Logger

from stackgan.config import Config
from stackgan.process import say
from stackgan.tracking.checks import LONGEST_NAME, wandb_mode
from stackgan.tracking.wandb_record import WandbRecord

LIMITS = {
    "init_timeout": 10.0,
    "finish_timeout": 30.0,
}  # seconds, unless WANDB_INIT_TIMEOUT or WANDB_FINISH_TIMEOUT is set
FLUSHED_AFTER = 20.0  # seconds: wandb writes its file every 15, and a process that is killed takes the rest with it
HEADER = 7  # bytes of wandb's file before its first record
LARGEST = 1 << 20  # bytes of a picture that is sent as it is; larger ones become JPEG
PREEMPTED = 75  # exit code
NO_KEY = "no key (run `wandb login` once, or set WANDB_API_KEY)"
DELETED = re.compile(r"HTTP 409|previously created and deleted")
HINTS = {"401": "; `wandb login --relogin` takes another key", "403": "; this key may not write there"}
WORDS = {  # what the errors of W&B and of the network say: in ours
    r"connection refused|no such host|network is unreachable|no route to host": "the server cannot be reached",
    r"deadline exceeded|[Tt]imed out": "the server did not answer in time",
}


class WandbRun(Logger):
    """One session of a run at W&B, on the first rank alone. Each row is sent once: a session that goes on from a checkpoint makes
    rows again that the one before it has sent. Where that one was killed, the rows of its last seconds are sent again.

    Args:
        run: the run's folder.
        session: what wandb.init gave.
        record: the folder's record.
    """

    def __init__(self, run: Path, session: Any, record: WandbRecord) -> None:
        super().__init__()
        self._run, self._session, self._record = run, session, record
        self._files = Path(session.settings.sync_dir)
        self._url = None if session.offline else session.url
        self._lost = self._unsent = ""
        self._unsure: deque[tuple[float, WandbRecord]] = deque()

    @property
    def name(self) -> str:
        return "wandb"

    @property
    def version(self) -> str:
        """The id at W&B."""
        return self._record.id

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """The configuration was sent when the session began."""

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Send the row at `metrics["images"]`, unless it was sent before."""
        images = int(metrics["images"])
        if not self._record.has(images, metrics):
            self._try(lambda session: self._send(session, images, metrics))

    def log_image(self, key: str, path: Path, images: int, caption: str) -> None:
        """Send a picture with its caption."""
        if not self._record.has(images, [key]):
            self._try(lambda session: self._send(session, images, {key: [_picture(path, caption)], "images": images}))

    def catch_up(self, rows: Iterable[dict[str, float]]) -> None:
        """Send what the run has logged so far and this W&B run lacks."""
        for row in rows:
            self.log_metrics(row)

    def alert(self, title: str, text: str) -> None:
        """Have W&B tell the user, as his settings there say."""
        self._try(lambda session: session.alert(title, text, level="WARN"))

    def summarise(self, values: Mapping[str, Any]) -> None:
        """Set values of the summary."""
        self._try(lambda session: session.summary.update(dict(values)))

    def finish(self, code: int) -> None:
        """End the session with the run's exit code, and say where it is."""
        self._try(lambda session: self._end(session, code))
        say(f"W&B: {self.where()}")

    def where(self) -> str:
        """The run's address, or the command that sends what is not there yet."""
        missing = self._lost or self._unsent
        if self._url is not None and not missing:
            return str(self._url)
        state = "offline" if self._url is None else str(self._url)
        return f"{state}{f' lacks something ({missing})' if missing else ''}; send with: {self._command()}"

    def _command(self) -> str:
        """`wandb sync` for all offline sessions of the run, and for this one if it was to be online."""
        words = ["wandb", "sync"]
        if self._url is not None:
            words += ["--include-online", shlex.quote(str(self._files))]
        if any(self._files.parent.glob("offline-run-*")):
            words.append(f"{shlex.quote(str(self._files.parent))}/offline-run-*")
        return " ".join(words)

    def _send(self, session: Any, images: int, row: Mapping[str, Any]) -> None:
        session.log(dict(row))
        self._record.add(images, row)
        now = time.monotonic()
        self._unsure.append((now, replace(self._record)))
        safe = None
        while self._unsure[0][0] < now - FLUSHED_AFTER:
            safe = self._unsure.popleft()[1]
        if safe is not None:
            safe.write(self._run)

    def _end(self, session: Any, code: int) -> None:
        if code == PREEMPTED:
            session.mark_preempting()
        try:
            with _silence():
                session.finish(exit_code=code)
        except TimeoutError:
            self._unsent = WORDS[r"deadline exceeded|[Tt]imed out"]
        if self._url is not None:
            self._unsent = self._unsent or _refused(Path(session.settings.log_internal))
        self._record.write(self._run)

    def _try(self, action: Callable[[Any], None]) -> None:
        """Do it, unless W&B was lost before; one line says when that happens."""
        if self._lost:
            return
        try:
            action(self._session)
        except Exception as error:
            self._lost = in_words(error)
            say(f"W&B: lost ({self._lost}); training goes on, and metrics.csv has every row.")
            _stop_service()


def open_wandb(run: Path, config: Config, signature: str) -> WandbRun | None:
    """A session of the run's W&B run, and a line that says where it is. None where W&B is disabled or cannot be used at all.

    Raises UserError where WANDB_MODE is no mode.
    """
    mode = wandb_mode(config.logger.wandb)
    if mode == "disabled":
        return None
    try:
        logger, why = _open(run, config, signature, mode != "offline")
    except Exception as error:
        _stop_service()
        say(f"W&B: {in_words(error)}; this run goes without it.")
        return None
    say(f"W&B: {why}{logger.where()}")
    return logger


def remove_empty_sessions(run: Path) -> None:
    """Remove what sessions left that were killed before they had written a record: `wandb sync` stops at the first of them.

    Call it with the run locked.
    """
    for file in run.glob("wandb/*run-*/run-*.wandb"):
        if file.stat().st_size <= HEADER:
            shutil.rmtree(file.parent, ignore_errors=True)


def in_words(error: Exception) -> str:
    """An error of W&B's in few words."""
    text = " ".join(str(error).split()) or type(error).__name__
    if status := re.search(r"(?:error|HTTP) ([45]\d\d)", text):
        return f"the server answered {status[1]}{HINTS.get(status[1], '')}"
    return next((words for pattern, words in WORDS.items() if re.search(pattern, text)), text[:200])


def _open(run: Path, config: Config, signature: str, online: bool) -> tuple[WandbRun, str]:
    """The session, and why it is offline where it was to be online."""
    import wandb  # most of a second, which runs without it need not wait

    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # that wandb's telemetry found no server
    if wandb.run is not None:  # of something else in this process
        _end_other()
    else:
        os.environ.pop("WANDB_SERVICE", None)  # of the process that started this one, and ends with it
    record = _find_record(run, signature)
    session, why = _go_online(run, config, record, signature) if online else (None, "")
    session = session or _init(run, config, record, "offline")
    if session.id != record.id:  # an agent of W&B's gave it another
        record = WandbRecord(session.id)
        record.write(run)
    session.define_metric("images", hidden=True)
    session.define_metric("*", step_metric="images", step_sync=True)
    return WandbRun(run, session, record), f"{why}; " if why else ""


def _end_other() -> None:
    """End the live run of this process, of which two cannot be."""
    import wandb

    try:
        wandb.finish()
    except Exception:  # its service is gone
        _stop_service()


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
        _stop_service()
        new = WandbRecord.new(signature)
        record.id, record.images, record.names = new.id, new.images, new.names
        record.write(run)
        return _init(run, config, record, "online"), ""
    except Exception as error:
        _stop_service()  # it would go on trying, and keep the id
        return None, in_words(error)


def _has_key() -> bool:
    """Whether a key is at hand, of whatever source: nothing is asked, neither a person nor a server."""
    import wandb

    with _silence():
        return wandb.login(prompt=False, verify=False)


def _init(run: Path, config: Config, record: WandbRecord, mode: str) -> Any:
    import wandb

    logger = config.logger
    limits = {name: value for name, value in LIMITS.items() if f"WANDB_{name.upper()}" not in os.environ}
    with _silence():
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
def _silence() -> Iterator[None]:
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


def _stop_service() -> None:
    """End wandb's helper process. It may be gone already, and says so in many ways."""
    import wandb

    with suppress(Exception, SystemExit):
        wandb.teardown()
    wandb.run = None
    os.environ.pop("WANDB_SERVICE", None)


def _picture(path: Path, caption: str) -> Any:
    import wandb

    if path.stat().st_size <= LARGEST:
        return wandb.Image(str(path), caption=caption)
    with Image.open(path) as picture:
        return wandb.Image(picture.convert("RGB"), caption=caption, file_type="jpg")


def _refused(log: Path) -> str:
    """Why the server took no more rows: W&B tells it nowhere but in its log. Empty where it took them."""
    with suppress(OSError):
        if found := re.search(r"filestream: fatal error: (?:filestream: )?(.*?)(?: url=|\"|$)", log.read_text()):
            return found[1]
    return ""
