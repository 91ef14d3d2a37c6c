"""Training batches, gathered from the store: each a pure function of (seed, step, global sample index)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from stackgan.data.mismatch import Mismatcher
from stackgan.data.randomness import generator
from stackgan.data.records import Split
from stackgan.data.store import ImageStore
from stackgan.errors import UserError
from stackgan.text.table import EmbeddingTable


@dataclass
class Batch:
    """One rank's share of one global batch, or a part of it."""

    images: Tensor  # uint8 [B, 3, H, W], channels_last strides, cropped and flipped
    text: Tensor  # float32 [B, D]: one caption's embedding, or the mean of several
    wrong_images: Tensor | None  # uint8 [B, 3, H, W], channels_last; with mismatch="image": goes with `text`
    wrong_text: Tensor | None  # float32 [B, K, D]; with mismatch="text": each of the K goes with `images`
    wrong_valid: Tensor  # bool [B]: False where no mismatching pair was to be had
    indices: Tensor  # int64 [B], rows of the store
    part: slice = field(default_factory=lambda: slice(None))  # which samples of the rank's share these are

    def split(self, parts: int) -> "list[Batch]":
        """Equal parts, one after the other. Raises ValueError where they cannot be equal."""
        size, rest = divmod(len(self.images), parts)
        if rest:
            raise ValueError(f"{len(self.images)} pictures cannot be split into {parts} equal parts")
        if parts == 1:
            return [self]
        return [self._part(slice(start, start + size)) for start in range(0, len(self.images), size)]

    def _part(self, rows: slice) -> "Batch":
        return replace(self, part=rows, **self._each(lambda tensor: tensor[rows]))

    def pin_memory(self) -> "Batch":
        """The same in page-locked memory, from which a GPU copies while the host goes on; a DataLoader asks for it."""
        return replace(self, **self._each(Tensor.pin_memory))

    def _each(self, change: Callable[[Tensor], Tensor]) -> dict[str, Any]:
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "part"}
        return {name: None if value is None else change(value) for name, value in values.items()}


class BatchStream(IterableDataset[Batch]):
    """The batches of a run: `stream.batch(step)`; iterating yields those of `start` to `steps - 1`.

    Each pass over the split has its own order. A batch may run over the end of a pass into the next, so every batch is
    full. With loader workers (`DataLoader(stream, batch_size=None, num_workers=n)`) the order stays the same.

    Args:
        store, table: pictures, and the embeddings of their captions.
        split: whose rows are drawn.
        image_size: H = W, at most the store's size.
        batch_size: of all ranks together.
        steps: where iteration ends.
        start: where iteration begins: the step of a resumed run.
        captions_per_image: how many of its captions are averaged (StackGAN: 4, StackGAN-Pytorch: 1).
        mismatch: "image" pairs `text` with a picture of another class (StackGAN), "text" pairs `images` with a caption
            of one (as the paper says it; StackGAN-Pytorch takes the next sample's, whatever its class). A store without
            classes takes any other picture.
        wrong_texts: K, the wrong captions of each picture, each of another draw; "image" has one.
        crop: a random window (StackGAN); False: the centred one.
        flip: mirror half of the pictures.

    Raises:
        UserError: the split is empty, the store is smaller than image_size, or the ranks cannot share a batch evenly.
        ValueError: the table belongs to another store.
    """

    def __init__(
        self,
        store: ImageStore,
        table: EmbeddingTable,
        *,
        split: Split = "train",
        image_size: int,
        batch_size: int,
        seed: int,
        steps: int,
        start: int = 0,
        rank: int = 0,
        world_size: int = 1,
        captions_per_image: int = 1,
        mismatch: Literal["image", "text"] = "text",
        wrong_texts: int = 1,
        crop: bool = True,
        flip: bool = True,
    ) -> None:
        self.rows = store.indices(split)
        if not len(self.rows):
            raise UserError(f"data: the {split} split of {store.source} is empty; choose another data.split.")
        if image_size > store.size:
            raise UserError(f"image_size={image_size} is larger than the store's {store.size} px; build a larger one.")
        if len(table.starts) != len(store) + 1:
            raise ValueError(f"the table is of {len(table.starts) - 1} pictures, the store of {len(store)}")
        if batch_size % world_size:
            raise UserError(f"batch_size={batch_size} is no multiple of the {world_size} devices; choose one that is.")
        self.store, self.table = store, table
        self.image_size, self.batch_size, self.seed = image_size, batch_size, seed
        self.steps, self.start = steps, start
        self.captions_per_image, self.crop, self.flip = captions_per_image, crop, flip
        self.mismatch, self.wrong_texts = mismatch, wrong_texts
        share = batch_size // world_size
        self._share = slice(rank * share, (rank + 1) * share)
        self._mismatcher = Mismatcher(store.class_ids[self.rows])
        self._caption_counts = table.counts()
        self._orders: dict[int, np.ndarray] = {}  # of the last passes

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        first, stride = (worker.id, worker.num_workers) if worker else (0, 1)
        for step in range(self.start + first, self.steps, stride):
            yield self.batch(step)

    def __len__(self) -> int:
        return max(0, self.steps - self.start)

    def batch(self, step: int) -> Batch:
        """The batch of one step, whatever came before it."""
        positions = self._positions(step)  # [B], in the split
        rows = self.rows[positions]
        by_image = self.mismatch == "image"
        draws = self._uniforms("mismatch", step, (1 if by_image else self.wrong_texts,))  # [B, K]
        partners, valid = self._mismatcher.draw(positions[:, None], draws)
        wrong_rows = self.rows[partners]  # [B, K]
        return Batch(
            images=self._images(rows, step, "image"),
            text=self._text(rows[:, None], step, "caption")[:, 0],
            wrong_images=self._images(wrong_rows[:, 0], step, "wrong image") if by_image else None,
            wrong_text=None if by_image else self._text(wrong_rows, step, "wrong caption"),
            wrong_valid=torch.from_numpy(valid[:, 0].copy()),  # whether there is another class: the same for all K
            indices=torch.from_numpy(rows),
        )

    def _positions(self, step: int) -> np.ndarray:
        """Which elements of the split this rank's samples are, int64 [B]."""
        samples = step * self.batch_size + np.arange(self.batch_size, dtype=np.int64)[self._share]
        epochs, places = np.divmod(samples, len(self.rows))
        positions = np.empty_like(places)
        for epoch in range(int(epochs[0]), int(epochs[-1]) + 1):  # one or two, unless the split is smaller than a batch
            inside = epochs == epoch
            positions[inside] = self._order(epoch)[places[inside]]
        return positions

    def _order(self, epoch: int) -> np.ndarray:
        """The order of one pass: a permutation of the split."""
        if epoch not in self._orders:
            previous = {e: order for e, order in self._orders.items() if e == epoch - 1}
            self._orders = previous | {epoch: generator(self.seed, "order", epoch).permutation(len(self.rows))}
        return self._orders[epoch]

    def _uniforms(self, purpose: str, step: int, shape_per_sample: tuple[int, ...]) -> np.ndarray:
        """float64 [b, *shape] in [0, 1): this rank's slice of what is drawn for the whole batch."""
        return generator(self.seed, purpose, step).random((self.batch_size, *shape_per_sample))[self._share]

    def _text(self, rows: np.ndarray, step: int, purpose: str) -> Tensor:
        """One caption of each row, or the mean of several different ones; rows [B, K] -> float32 [B, K, D]."""
        first, count = self.table.starts[rows], self._caption_counts[rows]
        if self.captions_per_image == 1:
            choice = (self._uniforms(purpose, step, rows.shape[1:]) * count).astype(np.int64)
            return torch.from_numpy(np.asarray(self.table.vectors[first + choice]))
        most = int(self._caption_counts.max())  # not the batch's: the draw must not depend on who shares the batch
        keys = self._uniforms(purpose, step, (*rows.shape[1:], most))  # [B, K, most]
        keys[np.arange(most) >= count[..., None]] = 2.0  # captions that are not there sort last
        choice = np.argsort(keys, axis=-1)[..., : self.captions_per_image]  # [B, K, n]
        there = choice < count[..., None]
        vectors = self.table.vectors[first[..., None] + np.where(there, choice, 0)]  # [B, K, n, D]
        mean = (vectors * there[..., None]).sum(-2) / there.sum(-1, keepdims=True)
        return torch.from_numpy(mean.astype(np.float32))

    def _images(self, rows: np.ndarray, step: int, purpose: str) -> Tensor:
        """A window of each row, half of them mirrored; uint8 [B, 3, H, W] with channels_last strides."""
        uniforms = self._uniforms(purpose, step, (3,))
        room = self.store.size - self.image_size
        offsets = (uniforms[:, :2] * (room + 1)).astype(np.int64) if self.crop else np.full((len(rows), 2), room // 2)
        windows = torch.from_numpy(gather_windows(self.store.images, rows, offsets, self.image_size))
        if self.flip:
            for index in np.flatnonzero(uniforms[:, 2] < 0.5).tolist():
                windows[index] = windows[index].flip(1)  # ten times as fast as NumPy, which moves byte by byte
        return windows.permute(0, 3, 1, 2)


def gather_windows(images: np.ndarray, rows: np.ndarray, offsets: np.ndarray, side: int) -> np.ndarray:
    """A window of each of the given pictures, copied in one gather.

    Args:
        images: uint8 [N, S, S, 3], C-contiguous.
        rows: int64 [B].
        offsets: int64 [B, 2], of the window's upper left corner: y, x, each at most S - side.

    Returns:
        uint8 [B, side, side, 3].
    """
    room = images.shape[1] - side
    picture, line, pixel, channel = images.strides
    every_window = np.lib.stride_tricks.as_strided(  # [N, room + 1, room + 1, side, side, 3]
        images,
        (len(images), room + 1, room + 1, side, side, 3),
        (picture, line, pixel, line, pixel, channel),
        writeable=False,
    )
    return every_window[rows, offsets[:, 0], offsets[:, 1]]
