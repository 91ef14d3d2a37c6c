"""A classifier trained on a data set's classes, on disk: weights.safetensors and classifier.json; nothing in it can run code."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save
from torch import Tensor

from stackgan.data.records import SPLITS
from stackgan.data.store import ImageStore
from stackgan.errors import UserError
from stackgan.evaluation.feature_networks.base import file_hash

FORMAT = 1
WEIGHTS, RECORD = "weights.safetensors", "classifier.json"


@dataclass(frozen=True)
class ClassifierRecord:
    """What a trained classifier is and what it has seen."""

    network: str  # inception_finetuned | classifier
    architecture: str
    class_names: dict[str, str]  # by class id, in the order of the logits
    source: str  # of the store: birds, cub, ...
    data: str  # `data_fingerprint` of the store
    split: str  # whose pictures it was trained on
    image_size: int  # side of the training windows in pixels, before the network's own resize
    initial: str  # "imagenet <hash of the file>" | "random"
    accuracy: float | None  # on held-out pictures of the same classes, 0..1; None where none could be held out
    held_out: int  # pictures
    images: int  # seen in training
    seed: int


@dataclass(frozen=True)
class Checkpoint:
    """A classifier's weights; `record` is None for a plain state dict, which says nothing of itself."""

    state: Mapping[str, Tensor]
    weights: str  # sha256 of the weights' file, 16 hex digits
    record: ClassifierRecord | None
    path: Path


def read_checkpoint(path: Path) -> Checkpoint:
    """A folder written by `write_checkpoint`, or one file: a plain state dict (.pth, .pt) or .safetensors.

    No pickle is trusted: a state dict is read by torch's weights-only unpickler.

    Raises:
        UserError: nothing is there, or it is not what it should be.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist; give a folder with {WEIGHTS} and {RECORD}, or a .pth state dict.")
    file = path / WEIGHTS if path.is_dir() else path
    return Checkpoint(read_state(file), file_hash(file), _read_record(path) if path.is_dir() else None, path)


def read_state(file: Path) -> dict[str, Tensor]:
    """The tensors of one file by name; see `read_checkpoint`."""
    try:
        state = load_file(file) if file.suffix == ".safetensors" else _unpickled(file)
    except FileNotFoundError as error:
        raise UserError(f"{file} does not exist.") from error
    except Exception as error:  # a damaged or hostile file raises whatever its reader trips over
        raise UserError(f"{file} is not a file of weights: {str(error).strip().splitlines()[0]}") from error
    return state


def _unpickled(file: Path) -> dict[str, Tensor]:
    state = torch.load(file, map_location="cpu", weights_only=True)
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError("it holds something else than tensors by name; save the module's state_dict()")
    return dict(state)


def _read_record(folder: Path) -> ClassifierRecord:
    try:
        values = json.loads((folder / RECORD).read_text())
        if values.pop("format") != FORMAT:
            raise UserError(f"{folder} was written by another version of this project; train it again.")
        return ClassifierRecord(**values)
    except FileNotFoundError as error:
        raise UserError(f"{folder} has no {RECORD}; give a folder written by src/fit_classifier.py.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{folder / RECORD} is damaged: {str(error).splitlines()[0]}") from error


def write_checkpoint(state: Mapping[str, Tensor], record: ClassifierRecord, folder: Path) -> Checkpoint:
    """Write the folder as a whole, in the place of an earlier one: a reader finds the old network or the new one."""
    temporary, old = (folder.with_name(f".{folder.name}.{word}.part") for word in ("new", "old"))
    for path in (temporary, old):
        shutil.rmtree(path, ignore_errors=True)
    temporary.mkdir(parents=True)
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    (temporary / WEIGHTS).write_bytes(save(weights))
    (temporary / RECORD).write_text(json.dumps({"format": FORMAT, **asdict(record)}, indent=1) + "\n")
    if folder.exists():
        os.replace(folder, old)
    os.replace(temporary, folder)
    shutil.rmtree(old, ignore_errors=True)
    return read_checkpoint(folder)


def describe(checkpoint: Checkpoint) -> str:
    """A trained classifier in one line, for the terminal."""
    record = checkpoint.record
    if record is None:
        return f"{checkpoint.path}: weights {checkpoint.weights}, without a record of their training"
    held = "no held-out pictures"
    if record.accuracy is not None:
        held = f"accuracy {record.accuracy:.3f} on {record.held_out:,} held-out pictures"
    return (
        f"{record.network}: {len(record.class_names)} {record.split} classes of {record.source}, {held} "
        f"(chance {1 / len(record.class_names):.3f}); {record.images:,} images seen, from {record.initial} weights; "
        f"hash {checkpoint.weights}"
    )


def checkpoint_folder(cache: Path | str, name: str, data: str) -> Path:
    """Where the network of this name for the data set with this fingerprint lies."""
    return Path(cache) / "feature_networks" / f"{name}-{data[:8]}"


def data_fingerprint(store: ImageStore) -> str:
    """16 hex digits of a store's names, captions, classes, splits and attributes: equal at every picture size.

    `store.fingerprint` names one size; a network trained at 256 px judges the pictures of Stage I as well.
    """
    names = sorted(store.class_names.items())
    digest = hashlib.sha256(repr((store.source, names, store.names, store.captions)).encode())
    digest.update(store.class_ids.astype("<i8").tobytes())
    for split in SPLITS:
        digest.update(store.indices(split).astype("<i8").tobytes() + b"|")
    if store.attributes is not None:
        digest.update(np.ascontiguousarray(store.attributes, dtype="<f4").tobytes())
    return digest.hexdigest()[:16]
