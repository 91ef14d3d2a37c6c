"""Jobs forked from a process that has imported the libraries: a job then costs what it does, not what it imports.

That process is multiprocessing's fork server. It imports, and never computes or touches a GPU. Everything else about a job is as if its
command had been typed: session, standard input and output, environment, arguments, exit code.
"""

import atexit
import multiprocessing
import os
import runpy
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path

SUPPORTED = sys.platform == "linux"  # macOS has libraries that do not survive a fork
PRELOADED = ["stackgan.fork_server", "hydra", "stackgan.experiment"]


class WarmProcess:
    """One job; what a pool needs of subprocess.Popen.

    Args:
        command: the script and its arguments.
        environment: all of it. The server has that of the first job.
        log: file to append to.

    Raises:
        OSError, EOFError: there is no server, or no process to be had.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        _start_server(environment)
        standard_input, self._lifeline = context.Pipe(duplex=False)
        arguments = (list(command), dict(environment), str(log), standard_input)
        self._process = context.Process(target=run_script_here, args=arguments)
        with standard_input:
            self._process.start()  # waits until the server has imported everything
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """The exit code (negative: the signal that killed it), or None while it runs."""
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Nothing once it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def write(self, data: bytes) -> None:
        """To its standard input."""
        os.write(self._lifeline.fileno(), data)

    def close(self) -> None:
        """Its standard input."""
        self._lifeline.close()


def _start_server(environment: Mapping[str, str]) -> None:
    """With the environment that libraries read while they are imported (threads, ranks), and this process's modules: Python 3.11's
    server would import an installed copy of what is run from another folder."""
    before = dict(os.environ)
    try:
        os.environ.clear()
        os.environ.update(environment)
        os.environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        forkserver.ensure_running()
    finally:
        os.environ.clear()
        os.environ.update(before)


def run_script_here(command: list[str], environment: dict[str, str], log: str, standard_input: Connection) -> None:
    """Make this forked process the job that the command would have started, and run it to its end."""
    import torch  # the launcher, which only names this function, goes without

    from stackgan import fork_server

    os.setsid()
    output = os.open(log, os.O_WRONLY | os.O_APPEND)
    for source, target in ((standard_input.fileno(), 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.environ.clear()
    os.environ.update(environment)
    if threads := environment.get("OMP_NUM_THREADS"):
        torch.set_num_threads(int(threads))
    fork_server.restore_signals()
    sys.argv = command
    try:
        runpy.run_path(command[0], run_name="__main__")
    finally:
        atexit._run_exitfuncs()  # multiprocessing leaves them out
