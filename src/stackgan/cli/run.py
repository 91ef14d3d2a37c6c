"""Runs a script: Hydra gets what was meant, and an error becomes one sentence and an exit code, not a traceback."""

import os
import re
import select
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn, TextIO

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import InterpolationResolutionError, OmegaConfBaseException

from stackgan.cli.help_text import help_text
from stackgan.cli.interrupt import STOPPED, STOPPED_LINE, interrupted
from stackgan.cli.script import Script
from stackgan.cli.spelling import spell
from stackgan.config import one_sentence, register
from stackgan.errors import UserError
from stackgan.lifeline import hold_lifeline
from stackgan.memory import keep_freed_memory

FAILED, BAD_INPUT, NOBODY_READS = 1, 2, 141
FLAGS = (
    "The --resolve flag",
    "Only one of --run",
    "Config group override must be",
)  # how Hydra begins its bare ValueErrors
GROUPED = re.compile(r"\d{1,3}(,\d{3})+")  # 50,000
EXTRA = "pip install -c requirements/constraints.txt -e '.[sweep]'"


def run_script(main: Callable[[], None], script: Script, description: str | None) -> None:
    """Run the Hydra entry point of conf/<script.config>.yaml; --help prints the description and the settings.

    Exit codes: 0 done, 1 failed (with traceback), 2 bad configuration or input (one sentence), 130 Ctrl-C (one line), 141 where what
    read the output has ended.
    """
    try:
        _run(main, script, description)
    except KeyboardInterrupt:
        print(STOPPED_LINE, file=sys.stderr)
        sys.exit(STOPPED)
    except BrokenPipeError:
        if not _nobody_reads():
            raise
        sys.exit(NOBODY_READS)
    finally:
        _nobody_reads()


def _run(main: Callable[[], None], script: Script, description: str | None) -> None:
    if {"--help", "-h"} & set(sys.argv[1:]):
        print(help_text(description or "", script.config))
        return
    hold_lifeline()
    keep_freed_memory()
    os.environ["HYDRA_FULL_ERROR"] = "1"  # exceptions reach us whole, so that they can be told in our words
    register()
    try:
        with user_errors():
            sys.argv[1:] = spell(sys.argv[1:], script)
            main()
    except BrokenPipeError:
        raise
    except Exception as error:
        _tell(error, script)


def _tell(error: Exception, script: Script) -> None:
    """In one sentence where it is the user's, else with its traceback; ends the process."""
    if isinstance(error, HydraException):
        _stop(hydra_sentence(error, script))
    if isinstance(error, OmegaConfBaseException):
        _stop(one_sentence(error, script.schema))
    if str(error).startswith("Unknown plugin class"):  # Hydra's word for a launcher whose package is missing
        _stop(f"the package of this hydra/launcher or hydra/sweeper is missing: {EXTRA}.")
    if isinstance(error, ValueError) and str(error).startswith(FLAGS):
        _stop(f"{str(error).splitlines()[0]}; --help lists the settings and choices.")
    traceback.print_exception(error)
    sys.exit(FAILED)


def _nobody_reads() -> bool:
    """Whether what read the output has ended (`| head`); what is still printed then goes nowhere."""
    gone = False
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
            closed = _reader_has_closed(stream)
        except BrokenPipeError:
            closed = True
        if closed:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            gone = True
    return gone


def _reader_has_closed(stream: TextIO) -> bool:
    """Asked of the pipe itself: what an earlier write failed with is no longer in the buffer, so a flush succeeds."""
    try:
        poll = select.poll()
        poll.register(stream.fileno(), 0)
    except (AttributeError, OSError, ValueError):  # Windows has no poll; a test's or a notebook's stream is no file
        return False
    return any(event & select.POLLERR for _, event in poll.poll(0))


@contextmanager
def user_errors() -> Iterator[None]:
    """Print a user's error as its one sentence and exit with code 2. Inside a Hydra job, before Hydra adds words of its own."""
    try:
        yield
    except UserError as error:
        _stop(str(error))
    except InterpolationResolutionError as error:  # read where a value is: of ${x} that is no setting
        _stop(
            f"{str(error).splitlines()[0]}: ${{<setting>}} stands for the value of a setting, ${{oc.env:NAME}} for a variable."
        )
    except Exception as error:
        if interrupted():  # while something was imported, which made another exception of it
            raise KeyboardInterrupt from error
        raise


def _stop(sentence: str) -> NoReturn:
    print(sentence, file=sys.stderr)
    sys.exit(BAD_INPUT)


def hydra_sentence(error: HydraException, script: Script) -> str:
    """Hydra's message on one line, in our words where it is about a choice, a setting, or several values for one run."""
    text = str(error)
    if isinstance(error, OverrideParseException):
        key, _, value = error.override.partition("=")
        return f"{error.override} cannot be read as Hydra writes values; quote what is text: \"{key}='{value}'\"."
    if isinstance(error, MissingConfigException) and "primary config" in text:
        return f"--config-name={error.missing_cfg_file}: neither conf/ nor the folder of --config-dir has such a file."
    missing = re.search(r"Could not find '([\w/]+)/([^'/]*)'\s+Available options in '.*?':\n((?:\t.*\n?)*)", text)
    if missing:
        group, choice, options = missing.groups()
        return no_choice(group, choice, options.split())
    unknown = re.search(r"Could not (?:override|append to config|delete from config)[^']*'([^']+)'", text)
    if unknown:
        return script.no_setting(unknown[1].lstrip("+~").partition("=")[0])
    several = re.search(r"Ambiguous value for argument '([^']*)'", text)
    if several:
        key, _, value = several[1].partition("=")
        plainly = f"without commas a number is {key}={value.replace(',', '')}, and " if GROUPED.fullmatch(value) else ""
        return f"{several[1]} gives several values for one run; {plainly}-m makes a run of each."
    lines = [line.strip() for line in text.splitlines() if line.strip() and "hydra.cc/docs" not in line]
    cause = error.__cause__
    if isinstance(cause, OmegaConfBaseException) and cause.full_key:
        return one_sentence(cause)
    return " ".join(lines)


def no_choice(group: str, choice: str, options: list[str]) -> str:
    """The sentence about a choice that a group does not have."""
    more = {"lr": ", or a number", "dropout": ", or a rate"}.get(group, "")
    if group == "scale" and choice.isdigit():
        more = "; the picture size is scale.one.image_size"
    if group.startswith("hydra/"):
        more = f", or install more: {EXTRA}"
    return f"{group}={choice} is not known; choose one of {', '.join(options)}{more}."
