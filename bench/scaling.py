"""Images per second of our step against the batch, and against the ranks that share it."""

import csv
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytorch_lightning as pl
from cases import CASES, Case
from limits import synchronise
from startup import TRAIN
from steps import DATA, batches, bench_inputs, build_ours, case_configuration

from stackgan.assembly import build_trainer
from stackgan.memory import keep_freed_memory
from stackgan.process import prepare_process


class Rate(pl.Callback):
    """Seconds a step, after one to warm up."""

    def __init__(self, device: str) -> None:
        self.device, self.count = device, 0
        self.start = self.end = time.perf_counter()

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: object) -> None:
        synchronise(self.device)
        self.end = time.perf_counter()
        if not self.count:
            self.start = self.end
        self.count += 1

    @property
    def seconds(self) -> float:
        return (self.end - self.start) / (self.count - 1)


def images_per_second(case: Case, device: str, *overrides: str) -> float:
    """Of ours alone, over case.steps steps."""
    config, rate = case_configuration(case, device, *overrides), Rate(device)
    keep_freed_memory()
    prepare_process(config)
    inputs = bench_inputs(config, case.text_dim)
    build_trainer(config, [rate], []).fit(build_ours(case, config, inputs), batches(case, inputs, case.steps + 1))
    return case.batch / rate.seconds


def by_batch(name: str, sizes: tuple[int, ...], device: str, images: int = 256) -> dict[int, float]:
    """Batch -> images per second, each over `images` images or three steps, whichever is more."""
    case = CASES[name]
    return {size: images_per_second(replace(case, batch=size, steps=max(3, images // size)), device) for size in sizes}


def by_ranks(ranks: tuple[int, ...] = (1, 2), images: int = 1280) -> dict[int, float]:
    """Ranks -> images per second of src/train.py at scale=small, from its last row: processes on the CPU that share one batch of 64."""
    return {count: ranks_rate(count, images) for count in ranks}


def ranks_rate(ranks: int, images: int) -> float:
    with tempfile.TemporaryDirectory() as outputs:
        command = [
            *TRAIN, *DATA, "text=attributes", "trainer=ddp", f"trainer.devices={ranks}", "trainer.accelerator=cpu", f"images={images}",
            f"logger.log_every={images // 2}", "logger.wandb=disabled", "logger.progress=false", f"evaluation.every={10 * images}",
            "evaluation.final_samples=12", "evaluation.samples=12", "evaluation.splits=2", f"outputs={outputs}",
        ]  # fmt: skip
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        (metrics,) = Path(outputs).glob("runs/*/metrics.csv")
        with metrics.open(newline="") as file:
            rates = [float(row["images_per_second"]) for row in csv.DictReader(file) if row["images_per_second"]]
    return rates[-1]
