"""CUB_200_2011.tgz: fetched, checked and unpacked."""

import hashlib
import json
import os
import tarfile
import urllib.error
import urllib.request
import zipfile
import zlib
from contextlib import nullcontext
from pathlib import Path

from stackgan.data.files import replacing, replacing_directory
from stackgan.errors import UserError
from stackgan.progress import progress_bar

CUB_URL = "https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz"
CUB_MD5 = "97eceeb196236b17998738112f37df78"
# What a broken archive raises; RuntimeError is a zip file's that wants a password.
BROKEN = (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, zlib.error, RuntimeError, NotImplementedError)
_BLOCK = 1 << 20
_SHORT = 32 << 20  # bytes whose checksum takes no time


def download_cub(folder: Path, *, url: str = CUB_URL, md5: str = CUB_MD5, timeout: float = 30.0) -> Path:
    """Fetch the archive (1.1 GB) into a folder, or do nothing if it is there; an interrupted download goes on.

    Raises:
        UserError: there is no network, the server refuses, or what came has another checksum.
    """
    archive = Path(folder) / "CUB_200_2011.tgz"
    if archive.is_file():
        return archive
    archive.parent.mkdir(parents=True, exist_ok=True)
    partial = archive.with_suffix(".tgz.part")
    try:
        _fetch(url, partial, timeout)
    except (OSError, urllib.error.URLError) as error:  # HTTPError and time-outs are among them
        raise UserError(
            f"data=cub: {url} cannot be downloaded ({error}); download CUB_200_2011.tgz elsewhere and give "
            "data.archive=<file>, run again to go on, or use data=birds, which needs no network."
        ) from error
    try:
        _check_md5(partial, md5)
    except UserError:
        partial.unlink()
        raise
    os.replace(partial, archive)
    return archive


def unpack_cub(archive: Path, folder: Path, *, md5: str = CUB_MD5) -> Path:
    """Unpack a tar or zip archive that holds CUB's layout into a folder of its own under `folder`, once.

    The official archive is known by its checksum; one that somebody packed anew is read as it is (see `is_official`). Nothing is
    written outside that folder, whatever the archive says (tarfile's data filter), and an interrupted run leaves nothing half unpacked.

    Returns:
        The folder that holds CUB_200_2011/ and attributes.txt; `read_cub` accepts it.

    Raises:
        UserError: the archive is missing, is broken, holds something else, or wants out.
    """
    archive, folder = Path(archive), Path(folder)
    if (target := _unpacked_before(archive, folder, md5)) is not None:
        return target
    check_archive(archive, folder, md5)
    if not hasattr(tarfile, "data_filter"):
        raise UserError("data.archive: unpacking safely needs Python 3.11.4 or newer; unpack it and give data.root.")
    target = _folder_of(_md5_of(archive), folder)
    if not target.is_dir():
        with replacing_directory(target) as temporary:
            try:
                (_extract_zip if zipfile.is_zipfile(archive) else _extract)(archive, temporary)
            except BROKEN as error:
                raise UserError(
                    f"data.archive: {archive} cannot be unpacked ({error}); get it from {CUB_URL}."
                ) from error
            if not any(list(temporary.glob(pattern)) for pattern in ("images.txt", "*/images.txt", "*/*/images.txt")):
                raise UserError(
                    f"data.archive: {archive} holds no CUB_200_2011/images.txt; download it from {CUB_URL}."
                )
    with replacing(_record_of(archive, folder)) as temporary:
        temporary.write_text(json.dumps({"archive": _stamp(archive), "folder": target.name}))
    return target


def is_official(unpacked: Path, md5: str = CUB_MD5) -> bool:
    """Whether a folder of `unpack_cub` holds the official archive."""
    return unpacked == _folder_of(md5, unpacked.parent)


def check_archive(archive: Path, folder: Path, md5: str = CUB_MD5) -> None:
    """Whether there is an archive to unpack, where it has not been unpacked already. Raises UserError."""
    if _unpacked_before(archive, folder, md5) is not None:
        return
    if not archive.is_file():
        state = "is no file" if archive.exists() else "does not exist"
        raise UserError(f"data.archive: {archive} {state}; give the path of CUB_200_2011.tgz.")
    if not _is_archive(archive):
        raise UserError(f"data.archive: {archive} is no tar or zip archive; download CUB_200_2011.tgz from {CUB_URL}.")


def _is_archive(path: Path) -> bool:
    try:
        return zipfile.is_zipfile(path) or tarfile.is_tarfile(path)
    except (OSError, EOFError, zlib.error):
        return False


def _unpacked_before(archive: Path, folder: Path, md5: str) -> Path | None:
    """Where the same file was unpacked; where it is gone, what it was, or the official archive."""
    try:
        record = json.loads(_record_of(archive, folder).read_text())
        same = not archive.exists() or record["archive"] == _stamp(archive)
        target = folder / record["folder"] if same else None
    except (OSError, ValueError, KeyError, TypeError):
        target = None if archive.exists() else _folder_of(md5, folder)
    return target if target is not None and target.is_dir() else None


def _folder_of(md5: str, folder: Path) -> Path:
    return Path(folder) / f"cub-{md5[:8]}"


def _record_of(archive: Path, folder: Path) -> Path:
    """Named after the archive's place, so that its checksum is taken once."""
    return Path(folder) / "archives" / f"{hashlib.sha256(str(archive.absolute()).encode()).hexdigest()[:16]}.json"


def _stamp(archive: Path) -> list[int]:
    stat = archive.stat()
    return [stat.st_size, stat.st_mtime_ns]


def _fetch(url: str, partial: Path, timeout: float) -> None:
    have = partial.stat().st_size if partial.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # all of it is here already
            return
        raise
    with response:
        goes_on = getattr(response, "status", None) == 206
        length = int(response.headers.get("Content-Length") or 0)
        total = length + (have if goes_on else 0)
        initial = have if goes_on else 0
        with (
            open(partial, "ab" if goes_on else "wb") as file,
            progress_bar(total or None, "B", partial.stem, initial=initial, unit_scale=True) as bar,
        ):
            while block := response.read(_BLOCK):
                file.write(block)
                bar.update(len(block))
    if total and partial.stat().st_size < total:
        raise OSError("the connection ended early")


def _check_md5(path: Path, expected: str) -> None:
    found = _md5_of(path)
    if found != expected:
        raise UserError(
            f"data.archive: {path} has the MD5 sum {found}, CUB_200_2011.tgz has {expected}; download it again from {CUB_URL}."
        )


def _md5_of(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)  # the checksum its publisher gives; nothing secret hangs on it
    size = path.stat().st_size
    shown = nullcontext() if size < _SHORT else progress_bar(size, "B", f"checking {path.name}", unit_scale=True)
    with open(path, "rb") as file, shown as bar:
        while block := file.read(_BLOCK):
            digest.update(block)
            if bar is not None:
                bar.update(len(block))
    return digest.hexdigest()


def _extract(archive: Path, folder: Path) -> None:
    with (
        open(archive, "rb") as file,
        progress_bar(archive.stat().st_size, "B", f"unpacking {archive.name}", unit_scale=True) as bar,
        tarfile.open(fileobj=file, mode="r|*") as tar,
    ):
        for member in tar:
            tar.extract(member, folder, filter="data")
            bar.update(file.tell() - bar.n)


def _extract_zip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        for member in progress_bar(None, "file", f"unpacking {archive.name}", packed.infolist()):
            packed.extract(member, folder)  # takes leading slashes and .. out of names
