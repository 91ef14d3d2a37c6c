"""How the C library hands out memory.

glibc takes each block of some megabytes from the system and gives it back as soon as it is free. A network asks for the same blocks in
every pass, and the system clears each page again: more than half of the time of a pass of a small feature network (bench/NOTES.md).
"""

import ctypes
import sys

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD, MMAP_MAX = -1, -2, -3, -4  # of malloc.h
LARGEST = 2**31 - 1


def keep_freed_memory() -> None:
    """Let this process keep what it frees for its next allocation; its size stays at its peak. Without glibc nothing happens."""
    _set({MMAP_MAX: 0, TRIM_THRESHOLD: LARGEST, TOP_PAD: 64 * 2**20})


def return_freed_memory() -> None:
    """What glibc does by itself once a process has used large blocks: those above 32 MiB come from the system and go back to it."""
    _set({MMAP_MAX: 65536, MMAP_THRESHOLD: 32 * 2**20, TRIM_THRESHOLD: 64 * 2**20, TOP_PAD: 128 * 2**10})


def _set(options: dict[int, int]) -> None:
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in options.items():
            mallopt(option, value)
