"""How long training itself took, without the samples, scores and checkpoints in between."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """Seconds since the last reset, less the pauses."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._start, self._paused = time.perf_counter(), 0.0

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._start - self._paused

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What happens meanwhile does not count."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self._paused += time.perf_counter() - start
