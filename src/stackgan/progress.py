"""One way to show progress: a bar that redraws often on a terminal and rarely in a log file."""

import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm


def progress_bar(
    total: int | None, unit: str, description: str = "", iterable: Iterable[Any] | None = None, **options: Any
) -> "tqdm[Any]":
    """A tqdm bar over `total` units, or over an iterable, with rate and time left."""
    interval = 0.2 if sys.stderr.isatty() else 15.0
    return tqdm(
        iterable,
        total=total,
        unit=unit,
        desc=description or None,
        mininterval=interval,
        maxinterval=interval,
        dynamic_ncols=True,
        **options,
    )
