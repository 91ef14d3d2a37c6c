"""The first import of every script, from which on Ctrl-C is one line, also while libraries are imported."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from stackgan.cli.interrupt import watch

if TYPE_CHECKING:
    from stackgan.cli.script import Script


def start(main: Callable[[], None], script: "Script", description: str | None) -> None:
    """See `stackgan.cli.run.run_script`."""
    from stackgan.cli.run import run_script  # imports Hydra

    run_script(main, script, description)


watch()
