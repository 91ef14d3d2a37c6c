"""Ctrl-C and a reader that has gone are no tracebacks, whatever the process is at."""

import signal
import subprocess
import sys

import pytest

from stackgan.cli.requests import GENERATE
from stackgan.cli.run import run_script
from stackgan.config import PROJECT

INTERRUPTED = """
import os, signal, sys
import stackgan.cli.start
try: os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt as error:
    if sys.argv[1] == "as it is": raise
    raise ImportError("half a library") from None  # what some make of it
"""


@pytest.mark.parametrize("meets", ["as it is", "a library"])
def test_ctrl_c_while_libraries_are_imported_is_one_line(meets):
    result = subprocess.run([sys.executable, "-c", INTERRUPTED, meets], capture_output=True, text=True)
    assert result.returncode == 130 and result.stderr.splitlines() == [
        "stopped; the same command goes on with what is finished"
    ]


def test_any_other_exception_keeps_its_traceback():
    code = "import stackgan.cli.start; raise ImportError('half a library')"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 1 and "Traceback" in result.stderr and "half a library" in result.stderr


def test_ctrl_c_inside_a_script_is_one_line(monkeypatch, capsys):
    def main():
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(sys, "argv", ["generate.py"])
    with pytest.raises(SystemExit) as ended:
        run_script(main, GENERATE, None)
    assert ended.value.code == 130 and len(capsys.readouterr().err.splitlines()) == 1


def test_help_into_a_pipe_that_closes_says_nothing_more():
    script = f"{sys.executable} {PROJECT / 'src/generate.py'} --help | head -1"
    result = subprocess.run(script, shell=True, capture_output=True, text=True)
    assert len(result.stdout.splitlines()) == 1 and result.stderr == ""
