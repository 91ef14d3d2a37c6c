"""One pass over pictures: each is made once, every network looks at it, and what they say goes to a `FeatureStore`.

With several devices each worker process fills every n-th chunk that is missing, on its own GPU or with its share of the cores;
nothing is exchanged but files, so the result is the same for any number of them, in any order, after any kill.
"""

import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from multiprocessing import parent_process
from pathlib import Path
from queue import Empty
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch import multiprocessing as mp

from stackgan.data.files import exclusive
from stackgan.errors import UserError
from stackgan.evaluation.arithmetic import full_float32
from stackgan.evaluation.clip_score import ClipScorer
from stackgan.evaluation.feature_networks import FeatureNetwork
from stackgan.evaluation.feature_store import FeatureStore, content_key
from stackgan.evaluation.frame import find_frames, without_frames
from stackgan.evaluation.subjects import Subject
from stackgan.memory import keep_freed_memory
from stackgan.progress import progress_bar


class Reader(Protocol):
    """What is read from pictures."""

    def identity(self) -> dict[str, Any]:
        """Plain values on which what is read depends, besides the pixels."""

    def to(self, device: torch.device) -> "Reader":
        """The same on another device."""

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        """uint8 [B, 3, H, W] to tensors by name, each [B, ...]; names that begin with `inner/` may have fewer rows."""


class PictureReader(nn.Module):
    """Features and logits of a feature network; frames, and the same of what is inside them; CLIP's vectors.

    Args:
        network: the feature network.
        frames: whether frames are looked for.
        clip: whose vectors of the pictures are taken too.
    """

    def __init__(
        self,
        network: FeatureNetwork,
        frames: bool = False,
        clip: ClipScorer | None = None,
    ) -> None:
        super().__init__()
        self.network, self.frames, self.clip = network, frames, clip

    def identity(self) -> dict[str, Any]:
        network = self.network
        clip = None if self.clip is None else self.clip.weights
        return {
            "network": [network.name, network.weights, network.resize], "frames": self.frames, "clip": clip,
        }  # fmt: skip

    def to(self, device: torch.device) -> "PictureReader":  # type: ignore[override]
        """The same on another device."""
        if self.clip is not None:
            self.clip.to(device)
        return super().to(device)

    @torch.inference_mode()
    def forward(self, images: Tensor) -> dict[str, Tensor]:
        features, logits = self.network.both(images)
        values = {"features": features.float(), "logits": logits.float()}
        if self.clip is not None:
            values["clip"] = self.clip.image_vectors(images)
        if self.frames:
            values |= self._inside(images, features.shape[1], logits.shape[1])
        return values

    def _inside(self, images: Tensor, dim: int, classes: int) -> dict[str, Tensor]:
        """The frames, and what the network says of framed pictures without theirs."""
        frames = find_frames(images)  # [B, 4]
        framed = frames.any(dim=1).nonzero().flatten()
        if not len(framed):
            empty = images.new_empty(0, dtype=torch.float32)
            return {
                "frames": frames,
                "inner/features": empty.reshape(0, dim),
                "inner/logits": empty.reshape(0, classes),
            }
        features, logits = self.network.both(without_frames(images[framed], frames[framed]))
        return {"frames": frames, "inner/features": features.float(), "inner/logits": logits.float()}


@dataclass(frozen=True)
class Workers:
    """How a pass is carried out; none of it changes the result."""

    devices: int = 1
    batch_size: int = 50


def extract(
    subject: Subject,
    reader: Reader,
    cache: Path,
    workers: Workers,
    title: str,
    keep: bool = False,
    device: torch.device | None = None,
) -> FeatureStore:
    """Everything the reader says of all pictures of the subject, from the cache or newly read.

    `keep`: several processes may want it (real pictures): the second waits for the first one's work. `device`: of one worker; None: the
    first GPU, or the CPU. Raises UserError for a picture that cannot be read.
    """
    key = content_key({"subject": subject.identity(), "reader": reader.identity()})
    store = FeatureStore(cache / "features" / f"{subject.name}-{key}", subject.count)
    with exclusive(store.folder) if keep else nullcontext():
        missing = store.missing()
        if missing:
            left = sum(len(store.pictures(chunk)) for chunk in missing)
            with progress_bar(subject.count, "img", title, initial=subject.count - left) as bar:
                if workers.devices == 1:
                    fill(store, subject, reader, missing, workers.batch_size, device or device_of(0), bar.update)
                else:
                    _fill_together(store, subject, reader, missing, workers, bar.update)
    return store


def device_of(rank: int) -> torch.device:
    """The GPU of a worker, in turn, or the CPU."""
    count = torch.cuda.device_count()
    return torch.device("cuda", rank % count) if count else torch.device("cpu")


def fill(
    store: FeatureStore,
    subject: Subject,
    reader: Reader,
    chunks: Sequence[int],
    batch_size: int,
    device: torch.device,
    advance: Any,
) -> None:
    """Read the given chunks one after the other; `advance(n)` is called with pictures done."""
    reader = reader.to(device)
    with full_float32():
        for chunk in chunks:
            parent = parent_process()
            if parent is not None and not parent.is_alive():
                return  # nobody waits for it any more
            parts: dict[str, list[Tensor]] = {}
            for images in subject.batches(store.pictures(chunk), batch_size, device):
                for name, value in reader(images).items():
                    parts.setdefault(name, []).append(value.cpu())
                advance(len(images))
            store.write(chunk, {name: torch.cat(values) for name, values in parts.items()})


def _fill_together(
    store: FeatureStore, subject: Subject, reader: Reader, missing: Sequence[int], workers: Workers, advance: Any
) -> None:
    """Fill the chunks with a process for each device."""
    context = mp.get_context("spawn")
    news = context.Queue()
    count = min(workers.devices, len(missing))
    threads = max(1, (os.cpu_count() or 1) // count)
    processes = [
        context.Process(
            target=_work,
            args=(store, subject, reader, missing[rank::count], workers.batch_size, rank, threads, news),
            daemon=True,
        )
        for rank in range(count)
    ]
    for process in processes:
        process.start()
    try:
        while any(process.is_alive() for process in processes) or not news.empty():
            try:
                told = news.get(timeout=0.2)
            except Empty:
                _refuse_dead(processes)
                continue
            if isinstance(told, str):
                raise UserError(told)
            advance(told)
        _refuse_dead(processes)
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _refuse_dead(processes: Sequence[Any]) -> None:
    codes = [process.exitcode for process in processes if process.exitcode not in (None, 0)]
    if codes:
        raise RuntimeError(f"a worker ended with exit code {codes[0]}; the same command goes on from what is done")


def _work(
    store: FeatureStore,
    subject: Subject,
    reader: Reader,
    chunks: Sequence[int],
    batch_size: int,
    rank: int,
    threads: int,
    news: Any,
) -> None:
    torch.set_num_threads(threads)
    keep_freed_memory()
    try:
        fill(store, subject, reader, chunks, batch_size, device_of(rank), news.put)
    except UserError as error:
        news.put(str(error))
