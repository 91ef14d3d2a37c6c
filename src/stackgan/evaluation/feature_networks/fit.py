"""Train a feature network on the classes of a data set: cross entropy, AdamW, one cycle of the rate, random windows and flips.

A tenth of each class's pictures is held out, chosen by a hash of their names, and tells the accuracy.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stackgan.data.batches import gather_windows
from stackgan.data.randomness import generator
from stackgan.data.records import hash_fraction
from stackgan.data.store import ImageStore
from stackgan.errors import UserError
from stackgan.evaluation.feature_networks.base import file_hash
from stackgan.evaluation.feature_networks.build import TRAINED
from stackgan.evaluation.feature_networks.checkpoint import (
    Checkpoint,
    ClassifierRecord,
    data_fingerprint,
    read_state,
    write_checkpoint,
)
from stackgan.evaluation.feature_networks.trained import AUXILIARY, TrainedNetwork
from stackgan.progress import progress_bar

IMAGENET_FILE = "inception_v3_google-0cc3c7bd.pth"  # torchvision's, by the name under which it is cached
HELD_OUT = 0.1
AUXILIARY_WEIGHT = 0.4  # of the second classifier's loss, as in torchvision's reference training of inception_v3
REPLACED = ("fc.", f"{AUXILIARY}fc.")  # layers as wide as the number of classes


@dataclass(frozen=True)
class FitPlan:
    """How a network is trained; pictures are cut to `image_size` px from the store."""

    image_size: int
    images: int  # budget, rounded up to whole batches
    batch_size: int
    learning_rate: float  # the cycle's highest
    flip: bool = True
    seed: int = 0


PLANS: Mapping[str, FitPlan] = {
    "inception_finetuned": FitPlan(image_size=256, images=150_000, batch_size=32, learning_rate=3e-4),
    "classifier": FitPlan(image_size=64, images=100_000, batch_size=64, learning_rate=4e-3),
}


def requested_plan(name: str, **choices: Any) -> FitPlan:
    """The plan of a network with what is chosen otherwise; None: as the plan says. Raises UserError."""
    if name not in PLANS:
        raise UserError(f"network={name} is not known; choose one of {', '.join(PLANS)}.")
    least = {"image_size": 16, "images": 1, "batch_size": 2, "learning_rate": 0}
    for key, value in choices.items():
        if key in least and value is not None and (value < least[key] or value == 0):
            raise UserError(f"{key}={value} must be {f'at least {least[key]}' if least[key] else 'greater than zero'}.")
    return replace(PLANS[name], **{key: value for key, value in choices.items() if value is not None})


@dataclass(frozen=True)
class LabelledRows:
    """Rows of a store with the index of each one's class, and which of them are held out."""

    class_ids: list[int]  # by index
    rows: np.ndarray  # int64 [N], trained on
    labels: Tensor  # int64 [N]
    held_rows: np.ndarray  # int64 [M]
    held_labels: Tensor  # int64 [M]


def labelled_rows(store: ImageStore, network: type[TrainedNetwork]) -> LabelledRows:
    """The pictures of the split whose classes this network learns. Raises UserError where it has fewer than two classes."""
    rows = store.indices(network.split)
    rows = rows[store.class_ids[rows] >= 0]
    class_ids, labels = np.unique(store.class_ids[rows], return_inverse=True)
    if len(class_ids) < 2:
        raise UserError(
            f"network={network.name} learns the classes of the {network.split} split, and {store.source} has "
            f"{len(class_ids)} there; use a data set with classes (data.split says which are in which split)."
        )
    held = np.zeros(len(rows), dtype=bool)
    for label in range(len(class_ids)):
        members = np.flatnonzero(labels == label)
        order = sorted(members, key=lambda i: hash_fraction(f"held out:{store.names[rows[i]]}"))
        held[order[: max(1, round(HELD_OUT * len(members))) if len(members) > 1 else 0]] = True
    targets = torch.from_numpy(labels.astype(np.int64))
    return LabelledRows(class_ids.tolist(), rows[~held], targets[~held], rows[held], targets[held])


def fit_network(
    name: str, store: ImageStore, plan: FitPlan, folder: Path, device: torch.device, imagenet: Path | None = None
) -> Checkpoint:
    """Train `inception_finetuned` or `classifier` on the store's classes and write it to `folder`.

    Args:
        imagenet: inception_finetuned: torchvision's ImageNet weights to start from; None: random ones.

    Raises:
        UserError: a split without classes, or weights of something else.
    """
    network = TRAINED[name]
    data = labelled_rows(store, network)
    with torch.random.fork_rng():
        torch.manual_seed(plan.seed)
        module = network.module(len(data.class_ids), training=True)
        if imagenet is not None:
            load_imagenet(module, imagenet)
        seen = _train(network, module.to(device), store, data, plan, device)
    state = {key: tensor for key, tensor in module.state_dict().items() if not key.startswith(AUXILIARY)}
    trained = network(Checkpoint(state, "", None, folder)).to(device)
    accuracy = held_out_accuracy(trained, store, data, plan.image_size, device)
    names = {str(i): store.class_names.get(i, str(i)) for i in data.class_ids}
    initial = "random" if imagenet is None else f"imagenet {file_hash(imagenet)}"
    record = ClassifierRecord(
        name, network.architecture, names, store.source, data_fingerprint(store), network.split,
        plan.image_size, initial, accuracy, len(data.held_rows), seen, plan.seed,
    )  # fmt: skip
    return write_checkpoint(state, record, folder)


def imagenet_path(name: str, given: str | None) -> Path | None:
    """What `inception_finetuned` starts from: the given file, or the one in torch's cache; None where there is neither.

    Raises UserError where the given file does not exist, or the network is another one.
    """
    if name != "inception_finetuned":
        if given is not None:
            raise UserError(
                f"imagenet_weights are for network=inception_finetuned; network={name} is trained from scratch."
            )
        return None
    if given is not None and not Path(given).is_file():
        raise UserError(f"imagenet_weights={given} does not exist; give {IMAGENET_FILE}.")
    path = Path(given) if given is not None else Path(torch.hub.get_dir()) / "checkpoints" / IMAGENET_FILE
    return path if path.is_file() else None


def device_of(accelerator: str) -> torch.device:
    """The device of `trainer.accelerator`: auto | cpu | gpu. Raises UserError where a GPU is asked for and there is none."""
    if accelerator == "gpu" and not torch.cuda.is_available():
        raise UserError("trainer.accelerator=gpu, and torch finds no GPU; use trainer=cpu.")
    return torch.device("cuda" if accelerator != "cpu" and torch.cuda.is_available() else "cpu")


def load_imagenet(module: Any, path: Path) -> None:
    """torchvision's inception_v3 weights into a new network, all but the layers that know the number of classes."""
    state = {name: tensor for name, tensor in read_state(path).items() if not name.startswith(REPLACED)}
    try:
        result = module.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise UserError(f"{path} holds no weights of torchvision's inception_v3; give {IMAGENET_FILE}.") from error
    if result.unexpected_keys or [key for key in result.missing_keys if not key.startswith(("fc.", AUXILIARY))]:
        raise UserError(f"{path} holds no weights of torchvision's inception_v3; give {IMAGENET_FILE}.")


def _train(
    network: type[TrainedNetwork],
    module: Any,
    store: ImageStore,
    data: LabelledRows,
    plan: FitPlan,
    device: torch.device,
) -> int:
    """Train in place. Returns the number of pictures shown."""
    steps = math.ceil(plan.images / plan.batch_size)
    optimizer = torch.optim.AdamW(module.parameters(), plan.learning_rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, plan.learning_rate, total_steps=steps + 1)
    module.train().to(memory_format=torch.channels_last)
    with progress_bar(steps * plan.batch_size, "img", f"training {network.name}") as bar:
        for images, labels in _batches(store, data, plan, steps):
            outputs = module(network.scaled(images.to(device)))
            loss = _loss(outputs, labels.to(device))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            bar.update(len(images))
    return steps * plan.batch_size


def _loss(outputs: Any, labels: Tensor) -> Tensor:
    """Cross entropy; of both classifiers where the network has two."""
    if isinstance(outputs, Tensor):
        return F.cross_entropy(outputs, labels)
    logits, auxiliary = outputs
    return F.cross_entropy(logits, labels) + AUXILIARY_WEIGHT * F.cross_entropy(auxiliary, labels)


def _batches(store: ImageStore, data: LabelledRows, plan: FitPlan, steps: int) -> Iterator[tuple[Tensor, Tensor]]:
    """uint8 [B, 3, H, H] and int64 [B]: shuffled passes over the pictures, each in a random window, half of them mirrored."""
    order, room = np.empty(0, dtype=np.int64), store.size - plan.image_size
    passes = 0
    for step in range(steps):
        while len(order) < plan.batch_size:
            shuffled = generator(plan.seed, "classifier order", passes).permutation(len(data.rows))
            order, passes = np.concatenate([order, shuffled]), passes + 1
        chosen, order = order[: plan.batch_size], order[plan.batch_size :]
        rng = generator(plan.seed, "classifier windows", step)
        offsets = rng.integers(0, room + 1, (len(chosen), 2))
        windows = gather_windows(store.images, data.rows[chosen], offsets, plan.image_size)
        if plan.flip:
            mirrored = rng.random(len(chosen)) < 0.5
            windows[mirrored] = windows[mirrored, :, ::-1]
        yield torch.from_numpy(windows).permute(0, 3, 1, 2), data.labels[chosen]


def held_out_accuracy(
    network: TrainedNetwork, store: ImageStore, data: LabelledRows, image_size: int, device: torch.device
) -> float | None:
    """Share of the held-out pictures, centre-cropped, whose class comes first; None where there are none."""
    if not len(data.held_rows):
        return None
    offset, right = (store.size - image_size) // 2, 0
    for start in range(0, len(data.held_rows), 64):
        rows, labels = data.held_rows[start : start + 64], data.held_labels[start : start + 64]
        windows = gather_windows(store.images, rows, np.full((len(rows), 2), offset), image_size)
        found = network(torch.from_numpy(windows).permute(0, 3, 1, 2).to(device)).argmax(1)
        right += int((found.cpu() == labels).sum())
    return right / len(data.held_rows)
