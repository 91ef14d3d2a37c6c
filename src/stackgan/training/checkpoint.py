"""checkpoints/last.ckpt and previous.ckpt: everything a run needs to go on exactly where it was, and nothing else.

Not Lightning's checkpoint: that one restores loops which count both optimizers' steps and refuse a larger budget, and holds no
random state. Batches and noise are functions of the step, so the step is their state. The file is torch's zip archive of plain
data; the archive's own CRC-32 of each part tells a damaged file from a whole one.
"""

import io
import os
import pickle
import random
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stackgan.data.files import replacing
from stackgan.errors import UserError
from stackgan.signature import differences, flat
from stackgan.text.precision import same_encoder, weights_part
from stackgan.training.module import TextToImageGAN

Checkpoint = dict[str, Any]
FORMAT = 2
LAST, PREVIOUS = "last.ckpt", "previous.ckpt"
HEALTHY = "healthy.ckpt"  # kept by the health monitor under policy stop or rollback: the last from before any trouble
KEYS = {"format", "identity", "module", "optimizers", "images_seen", "step_count", "ranks", "extra"}


class RollBack(Exception):
    """Raised after a batch, on every rank alike, to train on from an older checkpoint.

    Args:
        sentence: why, for status.json.
        extra: what the run remembers from now on; merged into `module.extra`.
        accept: which checkpoints are good enough.
    """

    def __init__(
        self, sentence: str, extra: dict[str, Any] | None = None, accept: Callable[[Checkpoint], bool] | None = None
    ) -> None:
        super().__init__(sentence)
        self.extra, self.accept = extra or {}, accept or _any


def _any(_: Checkpoint) -> bool:
    return True


@dataclass(frozen=True)
class Found:
    """A checkpoint that can be used, where it lies, and why it is not the newest (empty if it is)."""

    checkpoint: Checkpoint
    path: Path
    notes: tuple[str, ...] = ()


def write_checkpoint(folder: Path, checkpoint: Checkpoint, keep: bool = True) -> None:
    """Write last.ckpt; the one before becomes previous.ckpt, or is replaced where it is not worth keeping (`keep` false).

    On the disk before it has its name, so a power cut leaves a whole file. Raises OSError (disk full) with both earlier files as
    they were.
    """
    archive = io.BytesIO()  # torch ends the process where its own writer meets a full disk
    torch.save(checkpoint, archive)
    with replacing(folder / LAST) as temporary:
        with temporary.open("wb") as file:
            file.write(archive.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        if keep and (folder / LAST).exists():
            os.replace(folder / LAST, folder / PREVIOUS)
    _sync_names(folder)


def _sync_names(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:  # a file system that cannot: its names are as durable as it makes them
        pass
    finally:
        os.close(handle)


def read_checkpoint(path: Path) -> Checkpoint:
    """The checkpoint in a file; no code in it is run. Raises UserError where it is damaged or something else."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged:
            raise ValueError(f"its part {damaged} does not match its checksum")
        checkpoint: Checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        missing = KEYS - checkpoint.keys()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}).") from error
    except pickle.UnpicklingError as error:
        raise UserError(f"{path} cannot be read (it holds more than plain data); none of it was run.") from error
    except Exception as error:  # damage makes the readers of zip and pickle stumble in many ways
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path} cannot be read ({reason}).") from error
    if missing or checkpoint["format"] != FORMAT:
        lacks = f"it lacks {', '.join(sorted(missing))}" if missing else f"its format is {checkpoint['format']}"
        raise UserError(f"{path} is no checkpoint of this version of the project ({lacks}).")
    return checkpoint


def newest_checkpoint(folder: Path, accept: Callable[[Checkpoint], bool] = _any) -> Found | None:
    """The newest whole checkpoint in `folder` that is accepted; None where there is none. Raises UserError where all are damaged."""
    notes: list[str] = []
    whole = False
    for name in (LAST, PREVIOUS, HEALTHY):
        if not (folder / name).exists():
            continue
        try:
            checkpoint = read_checkpoint(folder / name)
        except UserError as error:
            notes.append(str(error))
            continue
        whole = True
        if accept(checkpoint):
            return Found(checkpoint, folder / name, tuple(notes))
    if notes and not whole:
        raise UserError(f"{' '.join(notes)} Put a good copy there, or remove {folder} to train from the start.")
    return None


def refuse_other_run(found: Found, identity: dict[str, Any]) -> None:
    """Raises UserError, with every difference, where the checkpoint is of another configuration than `identity`."""
    changed = differences(_any_precision(found.checkpoint["identity"]), _any_precision(identity))
    if changed:
        raise UserError(
            f"{found.path} was written under another configuration ({', '.join(changed)}); move it away, or give its settings."
        )


def other_precision(checkpoint: Checkpoint, identity: dict[str, Any]) -> str | None:
    """A sentence where the captions' vectors are now of another precision than those of the checkpoint."""
    before, now = _text_fingerprint(checkpoint["identity"]), _text_fingerprint(identity)
    return None if before == now else f"captions are now embedded in another precision ({before} before, {now} now)"


def _any_precision(identity: dict[str, Any]) -> dict[str, Any]:
    """The identity without the encoder's precision: a run may go on where the other one is made."""
    text = weights_part(_text_fingerprint(identity))
    return identity | {"fingerprint": identity.get("fingerprint", {}) | {"text": text}}


def _text_fingerprint(identity: dict[str, Any]) -> str:
    return str(identity.get("fingerprint", {}).get("text", ""))


def restore(module: TextToImageGAN, checkpoint: Checkpoint) -> None:
    """Weights, average, progress and what the run remembers; `Checkpoints` restores the rest once training starts."""
    module.load_state_dict(checkpoint["module"])
    module.images_seen, module.step_count = checkpoint["images_seen"], checkpoint["step_count"]
    module.extra = dict(checkpoint["extra"])


def start_from(module: TextToImageGAN, checkpoint: Checkpoint, identity: dict[str, Any]) -> None:
    """The networks and the averaged generator of another run (transfer learning: Wang et al. 2018, arXiv 1805.01677).

    Stage I takes the other's whitener along, whose components its networks have learned to read. Progress, optimizers and, below
    Stage II, the frozen Stage I stay the module's own.

    Args:
        module: freshly built, its whitener of the size that `whitened_components` says.
        identity: of this run.

    Raises:
        UserError: the other run is of another stage, text encoder or shape.
    """
    other, stage = flat(checkpoint["identity"]), identity["stage.name"]
    if other["stage.name"] != stage:
        raise UserError(f"start_from: that run trained stage={other['stage.name']}, and this one trains stage={stage}.")
    if not same_encoder(other["fingerprint.text"], identity["fingerprint"]["text"]):
        raise UserError(
            f"start_from: that run has text={other['text.name']}, whose embeddings this run's text=... does not make."
        )
    parts = {"generator", "discriminator", "average"} | ({"whitener"} if stage == "one" else set())
    taken = {key: value for key, value in checkpoint["module"].items() if key.split(".")[0] in parts}
    own = {key: value for key, value in module.state_dict().items() if key.split(".")[0] not in parts}
    try:
        module.load_state_dict(taken | own)
    except RuntimeError as error:
        shapes = ("arch.", "norm.", "scale.")
        was, now = ({k: v for k, v in flat(of).items() if k.startswith(shapes)} for of in (other, identity))
        changed = differences(was, now)
        raise UserError(
            f"start_from: that run has other networks ({', '.join(changed)}); give its settings."
        ) from error


def whitened_components(checkpoint: Checkpoint) -> int | None:
    """How many components of the text its run's networks read; None: the embedding as it is."""
    basis = checkpoint["module"].get("whitener.basis")
    return None if basis is None else basis.shape[1]


def random_state(device: torch.device) -> dict[str, Any]:
    """The state of every global generator that training may draw from, as plain data."""
    version, words, gauss = random.getstate()
    numpy: dict[str, Any] = dict(np.random.get_state(legacy=False))  # type: ignore[arg-type]
    numpy["state"] = {"key": numpy["state"]["key"].tolist(), "pos": int(numpy["state"]["pos"])}
    state = {"torch": torch.get_rng_state(), "python": [version, list(words), gauss], "numpy": numpy}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def set_random_state(state: dict[str, Any], device: torch.device) -> None:
    """Put back what `random_state` took."""
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words), gauss))
    key = np.array(state["numpy"]["state"]["key"], dtype=np.uint32)
    np.random.set_state(state["numpy"] | {"state": {"key": key, "pos": state["numpy"]["state"]["pos"]}})
    torch.set_rng_state(state["torch"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
