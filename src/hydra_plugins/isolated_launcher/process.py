"""One job's process: how it is started, asked to stop, and what its end says about the job."""

import contextlib
import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from hydra_plugins.isolated_launcher.warm import SUPPORTED, WarmProcess
from stackgan.run_directory import Status, is_running, read_status

DONE, FAILED, BAD_INPUT, STOPPED_BY_VERDICT, PREEMPTED = 0, 1, 2, 3, 75  # exit codes of train.py
STATES = {
    DONE: ("done",),
    FAILED: ("failed",),
    STOPPED_BY_VERDICT: ("diverged", "collapsed"),
    PREEMPTED: ("preempted",),
}


class ColdProcess:
    """A job whose interpreter starts from nothing."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                command,
                env=environment,
                bufsize=0,
                stdin=subprocess.PIPE,  # see stackgan/lifeline.py
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        assert self._process.stdin is not None
        self._lifeline = self._process.stdin
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """The exit code (negative: the signal that killed it), or None while it runs."""
        return self._process.poll()

    def send_signal(self, number: int) -> None:
        """Nothing once it has ended."""
        self._process.send_signal(number)

    def write(self, data: bytes) -> None:
        """To its standard input."""
        self._lifeline.write(data)

    def close(self) -> None:
        """Its standard input."""
        self._lifeline.close()


def _started(
    command: Sequence[str], environment: Mapping[str, str], log: Path, warm: bool
) -> ColdProcess | WarmProcess:
    if warm and SUPPORTED:
        with contextlib.suppress(EOFError, ConnectionError):  # its server has died: the job does without
            return WarmProcess(command[1:], environment, log)
    return ColdProcess(command, environment, log)


class JobProcess:
    """A job in a session of its own: the terminal's Ctrl-C does not reach it, and its ranks end with it.

    Args:
        command: the interpreter, the script and its arguments.
        log: file that gets everything it prints, after what is there from earlier sessions.
        warm: whether it is forked from a process that has imported the libraries already, where that can be had.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path, warm: bool = False) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as file:
            file.write(f"--- {time.strftime('%Y-%m-%d %H:%M:%S')}  {shlex.join(command)}\n".encode())
            file.flush()
            self.log, self.log_start = log, file.tell()
        self._process = _started(command, environment, log, warm)
        self.pid = self._process.pid
        self.asked_to_stop = False

    def ended(self) -> int | None:
        """The exit code (negative: the signal that killed it), or None while it runs. Ranks left behind are killed."""
        code = self._process.poll()
        if code is not None:
            self.kill()
            self._process.close()
        return code

    def ask_to_stop(self) -> None:
        """SIGTERM: it finishes its batch, saves and exits with 75. Its first rank tells the others."""
        if self.asked_to_stop:
            return
        self.asked_to_stop = True
        with contextlib.suppress(OSError):
            self._process.write(b"s")
        self._process.send_signal(signal.SIGTERM)  # does nothing once it has ended

    def kill(self) -> None:
        """SIGKILL to it and its ranks."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def last_lines(self, count: int) -> list[str]:
        """The end of what this process printed; of a progress bar only its last state."""
        with contextlib.suppress(OSError), self.log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(self.log_start, size - 16_384))
            lines = [
                re.split(r"\r", line.rstrip("\r"))[-1] for line in file.read().decode(errors="replace").split("\n")
            ]
            return [line.rstrip()[:300] for line in lines if line.strip()][-count:]
        return []

    def outcome(self, code: int, run: Path) -> Status:
        """The state of the run after this process has ended with `code`.

        The record on disk is believed where it agrees with the exit code; otherwise it is of a process that died before
        it could write one, and is mended so that it does not look alive. A record that this process never touched stays
        where the process refused to start (exit code 2): it may be another's.
        """
        found = read_status(run)
        own = found is not None and found.pid == self.pid
        if found is not None and found.state in STATES.get(code, ()) and (own or code != FAILED):
            return found
        if found is not None and own and found.state == "done":  # it failed in leaving, with everything written
            return found
        if self.asked_to_stop and code != BAD_INPUT:
            begun = found is not None and found.images
            what = "could save; it goes on from its last checkpoint" if begun else "had begun"
            status = Status("preempted", f"stopped before it {what}")
        else:
            status = Status("failed", self._how_it_ended(code))
        if found is not None:
            status = replace(found, state=status.state, reason=status.reason)
        if own or (code != BAD_INPUT and not is_running(run)):
            with contextlib.suppress(OSError):  # a full disk: study.json may still be written, and says so too
                status.write(run)
        return status

    def _how_it_ended(self, code: int) -> str:
        if code == -signal.SIGKILL:
            return "killed by signal 9 (out of memory?)"
        last = "".join(self.last_lines(1))
        if code < 0:
            return f"killed by signal {-code} ({signal.strsignal(-code)})"
        if code == BAD_INPUT and last:
            return last
        return f"exit code {code}" + (f": {last}" if last else "")
