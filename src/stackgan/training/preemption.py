"""Being asked to stop: finish the batch, save, and end with exit code 75; the same command goes on later.

SIGTERM and SIGINT come from a scheduler or Ctrl-C, SIGUSR1 and SIGUSR2 from SLURM shortly before a job's time is up. A second
signal ends the process at once.
"""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGUSR1", "SIGUSR2") if hasattr(signal, name))
ONE_WISH = 1.0  # seconds in which a terminal, a launcher and a scheduler may all pass the same wish on


class Preempted(BaseException):
    """The run was asked to stop; what it has learned is saved. It may come out of any line, so no `except Exception` may take it."""


class StopRequest:
    """Turns signals into a wish that training looks at after each batch, while it is entered.

    Attributes:
        signal: the first one that came, or None.
        deferred: whether the wish waits for the end of the batch; else it raises `Preempted` at once, wherever the program is.
        pass_on: called with the second signal before this process ends: how the other ranks learn of it.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self.deferred = False
        self.pass_on: Callable[[int], None] = lambda signum: None
        self._since = 0.0
        self._before: dict[int, Any] = {}

    @property
    def reason(self) -> str:
        """Which signal it was, for people."""
        return f"stopped by {signal.Signals(self.signal).name}" if self.signal is not None else ""

    def __enter__(self) -> "StopRequest":
        self._before = {each: signal.getsignal(each) for each in SIGNALS}
        self.listen()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each, handler in self._before.items():
            signal.signal(each, signal.SIG_DFL if handler is None else handler)

    def listen(self) -> None:
        """Take the signals; again once a Trainer has put its own handlers in, which save or raise in the middle of a batch."""
        for each in SIGNALS:
            signal.signal(each, self._handle)

    def no_longer_deferred(self) -> None:
        """From here on a wish to stop does not wait. Raises `Preempted` where there is one already."""
        self.deferred = False
        if self.signal is not None:
            raise Preempted

    def tell_host(self) -> None:
        """Call the handler that the host process had for the signal, now that all is saved: submitit's requeues the SLURM job."""
        handler = self._before.get(self.signal) if self.signal is not None else None
        if callable(handler) and handler is not signal.default_int_handler:
            handler(self.signal, None)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.signal is None:
            self.signal, self._since = signum, now
            if not self.deferred:
                raise Preempted
            os.write(2, b"stopping after this batch; a second signal ends at once\n")
        elif now - self._since > ONE_WISH:
            self.pass_on(signum)
            signal.signal(signum, signal.SIG_DFL)
            os.kill(os.getpid(), signum)


def end_with_parent() -> None:
    """Have this process killed when the one that started it dies, where the system can (Linux): a rank must not outlive the first one."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG of prctl(2)
