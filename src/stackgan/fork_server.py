"""For the fork server of a sweep (isolated_launcher/warm.py) alone: once this is imported, it outlives what is meant for the launcher.

A closed terminal, `timeout` and SLURM send their signals to every process they find. The launcher passes them on to its jobs and
waits while they save; without the server it would not learn how they end. This stands here and not beside warm.py because Hydra
imports every module of a plugin's package, in the launcher too.
"""

import signal

_BEFORE = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGTERM, signal.SIGHUP)}


def restore_signals() -> None:
    """In a job: as the launcher was started with them (nohup ignores SIGHUP)."""
    for number, handler in _BEFORE.items():
        signal.signal(number, handler)
