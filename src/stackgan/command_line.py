"""Turns a script's errors into what a person can use: one sentence and an exit code, no traceback for a typing mistake."""

import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from stackgan.config import one_sentence, register
from stackgan.errors import UserError
from stackgan.help_text import help_text
from stackgan.lifeline import hold_lifeline
from stackgan.memory import keep_freed_memory

FAILED, BAD_INPUT = 1, 2
EXTRA = "pip install -c requirements/constraints.txt -e '.[sweep]'"
PATHS = (
    "stage_one",
    "start_from",
    "data.root",
    "data.archive",
    "data.cache",
    "outputs",
    "text.embeddings",
    "evaluation.inception_weights",
)


def run_script(main: Callable[[], None], config: str, description: str | None, literal: Sequence[str] = ()) -> None:
    """Run the Hydra entry point of conf/<config>.yaml; --help prints the description and the settings.

    Exit codes: 0 done, 1 failed (with traceback), 2 bad configuration or input (one sentence).

    `literal` names the keys whose values are paths or free text: they are taken as they stand, with commas, equals signs
    and brackets, which Hydra's grammar would read as something else (run folders have such names).
    """
    if {"--help", "-h"} & set(sys.argv[1:]):
        print(help_text(description or "", config))
        return
    hold_lifeline()
    keep_freed_memory()
    sys.argv[1:] = [quote_literal(argument, literal) for argument in sys.argv[1:]]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # exceptions reach us whole, so that they can be told in our words
    register()
    try:
        with user_errors():
            main()
    except HydraException as error:
        _stop(hydra_sentence(error))
    except OmegaConfBaseException as error:
        _stop(one_sentence(error))
    except Exception as error:
        if str(error).startswith("Unknown plugin class"):  # Hydra's word for a launcher whose package is missing
            _stop(f"the package of this hydra/launcher or hydra/sweeper is missing: {EXTRA}.")
        traceback.print_exc()
        sys.exit(FAILED)


def quote_literal(argument: str, keys: Sequence[str]) -> str:
    """`run=a,b` to `run='a,b'` for the given keys; anything quoted, interpolated or empty already stays."""
    key, equals, value = argument.partition("=")
    if not equals or key not in keys or value in ("", "null") or value[0] in "'\"" or "${" in value:
        return argument
    return key + "='" + value.replace("'", "\\'") + "'"


@contextmanager
def user_errors() -> Iterator[None]:
    """Print a user's error as its one sentence and exit with code 2. Inside a Hydra job, before Hydra adds words of its own."""
    try:
        yield
    except UserError as error:
        _stop(str(error))


def _stop(sentence: str) -> None:
    print(sentence, file=sys.stderr)
    sys.exit(BAD_INPUT)


def hydra_sentence(error: HydraException) -> str:
    """Hydra's message on one line, without its advice for `+` (which our schema refuses) and its search paths."""
    text = str(error)
    missing = re.search(r"Could not find '([\w/]+)/([^'/]*)'\s+Available options in '.*?':\n((?:\t.*\n?)*)", text)
    if missing:
        group, choice, options = missing.groups()
        more = f", or install more: {EXTRA}" if group.startswith("hydra/") else ""
        return f"{group}={choice} is not known; choose one of {', '.join(options.split())}{more}."
    unknown = re.search(r"Could not override '([^']+)'", text)
    if unknown:
        return f"{unknown[1]} is not a setting; --cfg job lists them all."
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    cause = error.__cause__
    if isinstance(cause, OmegaConfBaseException) and cause.full_key:
        lines.append(f"({cause.full_key}: {str(cause).splitlines()[0]})")
    return " ".join(lines)
