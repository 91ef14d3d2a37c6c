"""CUB_200_2011.tgz: fetched, checked and unpacked."""

import hashlib
import os
import tarfile
import urllib.error
import urllib.request
import zlib
from contextlib import nullcontext
from pathlib import Path

from stackgan.data.files import replacing_directory
from stackgan.errors import UserError
from stackgan.progress import progress_bar

CUB_URL = "https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz"
CUB_MD5 = "97eceeb196236b17998738112f37df78"
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
    """Check and unpack the archive into a folder of its own under `folder`, once.

    Nothing is written outside that folder, whatever the archive says (tarfile's data filter), and an interrupted run
    leaves nothing half unpacked.

    Returns:
        The folder that holds CUB_200_2011/ and attributes.txt; `read_cub` accepts it.

    Raises:
        UserError: the archive is missing, has another checksum, is broken, holds something else, or wants out.
    """
    archive, target = Path(archive), _unpacked(folder, md5)
    if target.is_dir():
        return target
    check_archive(archive, folder, md5)
    if not hasattr(tarfile, "data_filter"):
        raise UserError("data.archive: unpacking safely needs Python 3.11.4 or newer; unpack it and give data.root.")
    _check_md5(archive, md5)
    with replacing_directory(target) as temporary:
        try:
            _extract(archive, temporary)
        except (tarfile.TarError, EOFError, OSError) as error:
            raise UserError(f"data.archive: {archive} cannot be unpacked ({error}); get it from {CUB_URL}.") from error
        if not (temporary / "CUB_200_2011" / "images.txt").is_file():
            raise UserError(f"data.archive: {archive} holds no CUB_200_2011/images.txt; download it from {CUB_URL}.")
    return target


def check_archive(archive: Path, folder: Path, md5: str = CUB_MD5) -> None:
    """Whether there is an archive to unpack, where it has not been unpacked already. Raises UserError.

    Its checksum is taken here only where that takes no time, as of a page that was saved in its place.
    """
    if _unpacked(folder, md5).is_dir():
        return
    if not archive.is_file():
        state = "is no file" if archive.exists() else "does not exist"
        raise UserError(f"data.archive: {archive} {state}; give the path of CUB_200_2011.tgz.")
    if not _is_archive(archive):
        raise UserError(f"data.archive: {archive} is no tar archive; download CUB_200_2011.tgz from {CUB_URL}.")
    if archive.stat().st_size < _SHORT:
        _check_md5(archive, md5)


def _is_archive(path: Path) -> bool:
    try:
        return tarfile.is_tarfile(path)
    except (OSError, EOFError, zlib.error):
        return False


def _unpacked(folder: Path, md5: str) -> Path:
    return Path(folder) / f"cub-{md5[:8]}"


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
    digest = hashlib.md5(usedforsecurity=False)  # the checksum its publisher gives; nothing secret hangs on it
    size = path.stat().st_size
    shown = nullcontext() if size < _SHORT else progress_bar(size, "B", f"checking {path.name}", unit_scale=True)
    with open(path, "rb") as file, shown as bar:
        while block := file.read(_BLOCK):
            digest.update(block)
            if bar is not None:
                bar.update(len(block))
    if digest.hexdigest() != expected:
        raise UserError(
            f"data.archive: {path} has the MD5 sum {digest.hexdigest()}, CUB_200_2011.tgz has {expected}; "
            f"download it again from {CUB_URL}."
        )


def _extract(archive: Path, folder: Path) -> None:
    with (
        open(archive, "rb") as file,
        progress_bar(archive.stat().st_size, "B", f"unpacking {archive.name}", unit_scale=True) as bar,
        tarfile.open(fileobj=file, mode="r|*") as tar,
    ):
        for member in tar:
            tar.extract(member, folder, filter="data")
            bar.update(file.tell() - bar.n)
