"""A job of a sweep ends with its launcher, however that ends: kill -9 included.

The launcher starts each job with a pipe as its standard input. The kernel closes the pipe when the launcher is gone, and a
thread of the job, which reads it, then asks the job to finish its batch, save and leave. Unlike Linux's parent-death signal
this works on every Unix, whichever thread of the launcher started the job, and for the job's own ranks too, which inherit
the pipe. The launcher writes to it only to say that it has asked the job to stop: a second signal would cut its saving short.
"""

import os
import signal
import threading
import time

LIFELINE = "STACKGAN_LIFELINE"  # environment variable: set where standard input is the launcher's pipe
GRACE = 300.0  # seconds to finish a batch and save, before the job and its ranks are killed


def hold_lifeline() -> None:
    """In a job of a sweep: send this process SIGTERM once the launcher is gone. Elsewhere: nothing."""
    if LIFELINE in os.environ:
        threading.Thread(target=_watch, name="lifeline", daemon=True).start()


def _watch() -> None:
    told = False
    try:
        while os.read(0, 1):
            told = True
    except OSError:  # no standard input at all: nobody to wait for
        return
    if not told:
        os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os.killpg(os.getpgrp(), signal.SIGKILL)  # the launcher gave the job a process group of its own
