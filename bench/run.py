"""How fast is it here?      make bench      (about two minutes on two cores, after the data is painted)

Prints a table and writes bench/results/latest.json: the training step of the base and of the recipe, the loader against one that
decodes each picture with PIL, and the time until the configuration is known. Ratios are of one run on one machine.
"""

import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from PIL import Image
from torch.utils.data import DataLoader

from stackgan.assembly import build_module, build_trainer, resolve_precision
from stackgan.config import PROJECT, Config, register, stage_scale, typed
from stackgan.data.batches import BatchStream
from stackgan.data.crop import reference_crop
from stackgan.data.cub import read_cub
from stackgan.inputs import cub_root, prepare_inputs
from stackgan.process import prepare_process

WARM_UP, STEPS = 20, 100


def configuration(*overrides: str) -> Config:
    register()
    with initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"):
        return typed(compose("config", list(overrides)))


def stream(config: Config, steps: int) -> BatchStream:
    inputs, scale = prepare_inputs(config), stage_scale(config)
    return BatchStream(
        inputs.store, inputs.table, image_size=scale.image_size, batch_size=scale.batch_size, seed=0, steps=steps
    )


class Timer(pl.Callback):
    """Seconds of the steps after the warm-up."""

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: object) -> None:
        if trainer.fit_loop.epoch_loop.batch_idx == WARM_UP:
            self.start = time.perf_counter()

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.seconds = time.perf_counter() - self.start


def step_rate(*overrides: str) -> float:
    """Images/s of a Stage-I training step."""
    config, timer = configuration(*overrides), Timer()
    prepare_process(config)
    module = build_module(config, prepare_inputs(config), 100_000, None)
    trainer = build_trainer(config, [timer], [])
    trainer.fit(module, DataLoader(stream(config, WARM_UP + STEPS + 1), batch_size=None))
    return STEPS * stage_scale(config).batch_size / timer.seconds


def rate(count: int, work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return count / (time.perf_counter() - start)


def loader_rates() -> tuple[float, float]:
    """Images/s of our batches, and of decoding, cropping and resizing each picture with PIL on one core."""
    config = configuration()
    batches = stream(config, 1000)
    batches.batch(0)
    ours = rate(200 * 64, lambda: [batches.batch(step) for step in range(200)])
    records = read_cub(cub_root(config), name="birds").records[:300]

    def decode() -> None:
        for record in records:
            picture = Image.open(record.path).convert("RGB")
            box = reference_crop(picture.size, record.box)
            np.asarray(picture.crop(box).resize((76, 76), Image.Resampling.BICUBIC))

    return ours, rate(len(records), decode)


def config_seconds() -> float:
    """From the command line to the printed configuration, the least of three."""
    command = [sys.executable, str(PROJECT / "src/train.py"), "--cfg", "job"]
    return min(1 / rate(1, lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)) for _ in range(3))


def main() -> None:
    ours, decoded = loader_rates()
    result = {
        "stage1_step_images_per_second": step_rate(),
        "recipe_step_images_per_second": step_rate("variant=recipe"),
        "loader_images_per_second": ours,
        "loader_ratio": ours / decoded,
        "config_seconds": config_seconds(),
        "precision": resolve_precision("auto", "auto"),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "machine": platform.platform(),
    }
    print(
        "\n".join(
            f"{name:32} {value:.2f}" if isinstance(value, float) else f"{name:32} {value}"
            for name, value in result.items()
        )
    )
    path = Path(__file__).parent / "results" / "latest.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(f"written: {path}")


if __name__ == "__main__":
    main()
