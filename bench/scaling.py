"""Images per second of our step against batch, width, resolution, the ranks that share it and the jobs beside it."""

import csv
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
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

WARM_UP = 3  # steps: until the memory of a process has its size


class Rate(pl.Callback):
    """Seconds a step, after some to warm up."""

    def __init__(self, device: str, warm_up: int = 1) -> None:
        self.device, self.count = device, -warm_up
        self.start = self.end = time.perf_counter()

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: object) -> None:
        synchronise(self.device)
        self.end = time.perf_counter()
        self.count += 1
        if not self.count:
            self.start = self.end

    @property
    def seconds(self) -> float:
        return (self.end - self.start) / self.count


def images_per_second(
    case: Case, device: str, *overrides: str, memory: Callable[[], None] = keep_freed_memory
) -> float:
    """Of ours alone, over case.steps steps."""
    config, rate = case_configuration(case, device, *overrides), Rate(device, WARM_UP)
    memory()
    prepare_process(config)
    inputs = bench_inputs(config, case.text_dim)
    build_trainer(config, [rate], []).fit(build_ours(case, config, inputs), batches(case, inputs, case.steps + WARM_UP))
    return case.batch / rate.seconds


def swept(name: str, sizes: Sequence[int], change: Callable[[Case, int], Case], device: str) -> dict[int, float]:
    """Value -> images per second of the case changed to it, each over three steps or 128 images, whichever is more."""
    rates = {}
    for size in sizes:
        case = change(CASES[name], size)
        rates[size] = images_per_second(replace(case, steps=max(3, 128 // case.batch)), device)
    return rates


def by_batch(name: str, sizes: Sequence[int], device: str) -> dict[int, float]:
    return swept(name, sizes, lambda case, size: replace(case, batch=size), device)


def by_width(sizes: Sequence[int], device: str) -> dict[int, float]:
    """GF = DF of Stage I, at batch 16."""
    return swept("stage1_small", sizes, lambda case, width: replace(case, gf=width, df=width, batch=16), device)


def by_resolution(sizes: Sequence[int], device: str) -> dict[int, float]:
    """Sides of Stage I's pictures, at batch 16."""
    return swept(
        "stage1_small", sizes, lambda case, side: replace(case, size=side, stage_one_size=side, batch=16), device
    )


def by_ranks(ranks: Sequence[int] = (1, 2)) -> dict[int, float]:
    """Ranks -> images per second of src/train.py at scale=small: processes on the CPU that share one batch of 64."""
    return {count: sum(script_rates("trainer=ddp", f"trainer.devices={count}")) for count in ranks}


def by_jobs(jobs: Sequence[int] = (1, 2)) -> dict[int, float]:
    """Jobs at a time -> images per second of all together, in a sweep over so many seeds on one device."""
    return {
        count: sum(script_rates("-m", f"seed={','.join(map(str, range(count)))}", f"jobs={count}")) for count in jobs
    }


def script_rates(*arguments: str, images: int = 2560) -> list[float]:
    """Images per second of each run of a command, from the last row of its metrics."""
    with tempfile.TemporaryDirectory() as outputs:
        command = [
            *TRAIN, *arguments, *DATA, "text=attributes", "trainer.accelerator=cpu", f"images={images}", f"logger.log_every={images // 2}",
            "logger.wandb=disabled", "logger.progress=false", f"evaluation.every={10 * images}", "evaluation.final_samples=12",
            "evaluation.samples=12", "evaluation.splits=2", f"outputs={outputs}",
        ]  # fmt: skip
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return [last_rate(metrics) for metrics in Path(outputs).glob("*/*/metrics.csv")]


def last_rate(metrics: Path) -> float:
    with metrics.open(newline="") as file:
        return [float(row["images_per_second"]) for row in csv.DictReader(file) if row["images_per_second"]][-1]


def measure_scaling(device: str) -> dict[str, dict[int, float]]:
    """Everything, by the name of what varies."""
    rates = {
        "stage1_small_by_batch": by_batch("stage1_small", (4, 8, 16, 32, 64, 128), device),
        "stage2_small_by_batch": by_batch("stage2_small", (2, 4, 8, 16, 32), device),
        "stage1_by_width": by_width((8, 16, 32, 64, 128), device),
        "stage1_by_resolution": by_resolution((16, 32, 64, 128), device),
    }
    if device == "cpu":
        rates |= {"stage1_small_by_ranks": by_ranks(), "stage1_small_by_jobs": by_jobs()}
    return rates
