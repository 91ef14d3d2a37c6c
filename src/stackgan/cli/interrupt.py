"""Ctrl-C is one line and exit code 130, whatever it meets: a library that is being imported may make another exception of it."""

import os
import signal
import sys
from types import FrameType, TracebackType

STOPPED = 130
STOPPED_LINE = "stopped; the same command goes on with what is finished"
_signals: list[int] = []


def watch() -> None:
    """Notice Ctrl-C from here on, and tell it in one line where nobody else does. Ignored by a shell or nohup, it stays so."""
    sys.excepthook = _on_error
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _on_interrupt)


def interrupted() -> bool:
    """Whether there was a Ctrl-C: what has gone wrong since is its doing."""
    return bool(_signals)


def _on_interrupt(number: int, frame: FrameType | None) -> None:
    _signals.append(number)
    raise KeyboardInterrupt


def _on_error(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not interrupted():
        sys.__excepthook__(kind, error, trace)
        return
    print(STOPPED_LINE, file=sys.stderr, flush=True)
    os._exit(STOPPED)  # nothing has begun that could be left half done
