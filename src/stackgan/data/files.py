"""Writing files so that a killed process leaves either the whole file or none, and two processes do not both write it."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stackgan.errors import UserError

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` to write to, which becomes `path` when the block ends without an exception."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o666 & ~_umask())  # mkstemp's 0600 would lock out those who share the cache
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_directory(path: Path) -> Iterator[Path]:
    """A temporary folder beside `path` that becomes `path` when the block ends without an exception.

    If another process has put a folder at `path` in the meantime, that one stays: both hold the same, since the names
    of cache folders are hashes of what they hold.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
    try:
        yield temporary
        os.chmod(temporary, 0o777 & ~_umask())
        try:
            os.rename(temporary, path)
        except OSError:
            if not path.is_dir():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def exclusive(path: Path) -> Iterator[bool]:
    """Wait until no other process is in such a block for the same `path`, so that the jobs of a sweep share their work.

    It gives whether the lock is held, and no other process can be in there.

    The lock ends with the process that holds it, however that ends. Where the file system knows no locks there is none:
    the work is then done twice, and comes out right all the same.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.parent / f".{path.name}.lock", "w") as file:
        held = False
        if fcntl is not None:
            with suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX)
                held = True
        yield held


def check_writable(folder: Path, key: str) -> None:
    """Whether files can be made in a folder, which need not exist yet; nothing is made. Raises UserError, naming the setting `key`."""
    folder = folder.absolute()
    try:
        there = next(path for path in (folder, *folder.parents) if path.exists())
        reason = "" if there.is_dir() else f"{there} is no folder"
        reason = reason or ("" if os.access(there, os.W_OK | os.X_OK) else "Permission denied")
    except OSError as error:
        reason = error.strerror or str(error)
    if reason:
        raise UserError(f"{folder} cannot be written ({reason}); choose another place with {key}=<folder>.")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
