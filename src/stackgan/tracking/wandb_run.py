"""A run at Weights & Biases. What happens there never ends a run: it is said in one line, and training goes on.

With a key and a server the run is online; else its files are kept in <run>/wandb, and one command sends them later. Both are
bounded in time, whatever the server does.
"""

import re
import shlex
import shutil
import time
from argparse import Namespace
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image
from pytorch_lightning.loggers import Logger

from stackgan.config import Config
from stackgan.process import say
from stackgan.tracking.checks import wandb_mode
from stackgan.tracking.wandb_record import WandbRecord
from stackgan.tracking.wandb_session import NO_ANSWER, in_words, silence, start_session, stop_service

FLUSHED_AFTER = 20.0  # seconds: wandb writes its file every 15, and a process that is killed takes the rest with it
HEADER = 7  # bytes of wandb's file before its first record
LARGEST = 1 << 20  # bytes of a picture that is sent as it is; larger ones become JPEG
PREEMPTED = 75  # exit code


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
            with silence():
                session.finish(exit_code=code)
        except TimeoutError:
            self._unsent = NO_ANSWER
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
            stop_service()


def open_wandb(run: Path, config: Config, signature: str) -> WandbRun | None:
    """A session of the run's W&B run, and a line that says where it is. None where W&B is disabled or cannot be used at all.

    Raises UserError where WANDB_MODE is no mode.
    """
    mode = wandb_mode(config.logger.wandb)
    if mode == "disabled":
        return None
    try:
        session, record, why = start_session(run, config, signature, mode != "offline")
        logger = WandbRun(run, session, record)
    except Exception as error:
        stop_service()
        say(f"W&B: {in_words(error)}; this run goes without it.")
        return None
    say(f"W&B: {why}{'; ' if why else ''}{logger.where()}")
    return logger


def remove_empty_sessions(run: Path) -> None:
    """Remove what sessions left that were killed before they had written a record: `wandb sync` stops at the first of them.

    Call it with the run locked.
    """
    for file in run.glob("wandb/*run-*/run-*.wandb"):
        if file.stat().st_size <= HEADER:
            shutil.rmtree(file.parent, ignore_errors=True)


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
