"""Sample grids while a run goes on: fixed validation captions, fixed noise, the averaged generator, a real picture on top.

A data set without validation images has captions of training images in their place.
"""

from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from PIL import Image
from torch import Tensor

from stackgan.data.batches import gather_windows
from stackgan.data.store import ImageStore
from stackgan.data.views import sample_captions, watched_split
from stackgan.reporting.grid import Column, draw_grid, save_grid
from stackgan.text.table import EmbeddingTable
from stackgan.training.callbacks import crossed
from stackgan.training.module import TextToImageGAN
from stackgan.training.noise import picture_noise


class SampleGrids(pl.Callback):
    """samples/<images>.png every `every` images, an early one after a tenth of that, and one at the end; also to W&B and TensorBoard.

    Args:
        run: the run's folder.
        store, table: where captions, their embeddings and the real pictures come from.
        every: cadence in images.
        captions, pictures: columns, and generated pictures of each.
    """

    def __init__(
        self, run: Path, store: ImageStore, table: EmbeddingTable, every: int, captions: int = 8, pictures: int = 5
    ) -> None:
        self.folder, self.store, self.every, self.pictures = run / "samples", store, every, pictures
        split = watched_split(store)
        self.whose = "validation images" if split == "validation" else "training images"
        self.chosen = sample_captions(store, split, captions)
        vectors = np.stack([table.row(caption.row, caption.caption) for caption in self.chosen])
        self.text = torch.from_numpy(vectors).repeat_interleave(pictures, dim=0)  # [captions * pictures, T]
        self.last: Path | None = None

    def on_train_batch_end(self, trainer: pl.Trainer, module: TextToImageGAN, *_: object) -> None:  # type: ignore[override]
        after, batch = module.images_seen, module.settings.batch_size
        first = after - batch < self.every // 10 <= after
        if first or crossed(self.every, after - batch, after):
            self.draw(trainer, module)

    def on_train_end(self, trainer: pl.Trainer, module: TextToImageGAN) -> None:  # type: ignore[override]
        if self.last != self._path(module):
            self.draw(trainer, module)

    def draw(self, trainer: pl.Trainer, module: TextToImageGAN) -> None:
        """Write the grid of the present averaged generator."""
        if not trainer.is_global_zero:
            return
        with module.clock.paused():
            sampler = module.sampler()
            noise = picture_noise(0, range(len(self.text)), sampler.noise_size)
            fakes = [sampler.pixels(text.to(module.device), part.to(module.device)).cpu()
                     for text, part in zip(self.text.split(8), noise.split(8), strict=True)]  # fmt: skip
            title = f"{module.images_seen:,} images, captions of {self.whose}, averaged generator"
            page = self._page(torch.cat(fakes), title)
            path = self._path(module)
            save_grid(page, path)
            self.last = path
            for logger in trainer.loggers:
                if hasattr(logger, "log_image"):
                    logger.log_image("samples", path, module.images_seen, title)

    def _path(self, module: TextToImageGAN) -> Path:
        return self.folder / f"{module.images_seen:09d}.png"

    def _page(self, fakes: Tensor, title: str) -> Image.Image:
        side = fakes.shape[-1]
        offset = (self.store.size - side) // 2
        rows = np.array([caption.row for caption in self.chosen])
        real = gather_windows(self.store.images, rows, np.full((len(rows), 2), offset), side)
        pixels = fakes.permute(0, 2, 3, 1).numpy().reshape(len(rows), self.pictures, side, side, 3)
        columns = [Column(c.text, [real[i], *pixels[i]]) for i, c in enumerate(self.chosen)]
        return draw_grid(columns, ["real", *(str(i + 1) for i in range(self.pictures))], title)
