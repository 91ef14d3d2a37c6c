"""Ours and the baseline's training step, in turn in one process.

Ours is the whole of what a run does for a step: the real module, assembled from a configuration, trained by the real Lightning Trainer on
the real batch stream, with the gate, the averages and the moving average of the weights that the baseline lacks. The baseline gets
its batch ready on the device.
"""

import statistics
import time
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pytorch_lightning as pl
import torch
from arithmetic import needed, plain_batch, plain_step
from cases import Case
from hydra import compose, initialize_config_dir
from limits import Limit, seconds_of, synchronise
from torch.utils.data import DataLoader

from stackgan.assembly import build_module, build_trainer
from stackgan.config import PROJECT, Config, register, typed
from stackgan.data.batches import BatchStream
from stackgan.inputs import Inputs, prepare_store
from stackgan.memory import keep_freed_memory, return_freed_memory
from stackgan.networks.text_to_image import TextToImage
from stackgan.precision import resolve_precision
from stackgan.process import prepare_process
from stackgan.text.table import EmbeddingTable
from stackgan.training.module import TextToImageGAN

DATA = ["data.classes=40", "data.images_per_class=10"]  # painted once: about a minute
CAPTIONS = 10  # vectors of each picture, as CUB has


@dataclass
class StepTimes:
    """Seconds of one step at each repetition, and the machine's rate right after it."""

    case: Case
    ours: list[float] = field(default_factory=list)
    plain: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)

    def result(self) -> dict[str, float]:
        """Medians: of the ratios of neighbouring repetitions, and of our share of the rate measured beside them."""
        name, flop = self.case.name, needed(self.case).total
        shares = [flop / seconds / rate for seconds, rate in zip(self.ours, self.rates, strict=True)]
        ratios = [plain / ours for ours, plain in zip(self.ours, self.plain, strict=True)]
        return {
            f"{name}_step_ratio": statistics.median(ratios),
            f"{name}_step_ratio_least": min(ratios),
            f"{name}_step_ratio_most": max(ratios),
            f"{name}_percent_of_limit": 100 * statistics.median(shares),
            f"{name}_step_seconds": statistics.median(self.ours),
            f"{name}_plain_step_seconds": statistics.median(self.plain),
            f"{name}_images_per_second": self.case.batch / statistics.median(self.ours),
            f"{name}_needed_gflop": flop / 1e9,
            f"{name}_batch": self.case.batch,
        }


def configuration(*overrides: str) -> Config:
    register()
    with initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"):
        return typed(compose("config", list(overrides)))


def case_configuration(case: Case, device: str, *overrides: str) -> Config:
    """The case as a user would write it."""
    above = case.size if case.stage == "two" else 2 * case.size  # of a Stage II that could stand on it
    return configuration(
        *DATA, "arch=pytorch", f"scale={case.scale}", f"stage={case.stage}", f"scale.generator_channels={case.gf}",
        f"scale.discriminator_channels={case.df}", f"scale.residual_blocks={case.residuals}",
        f"scale.one.image_size={case.stage_one_size}", f"scale.two.image_size={above}",
        f"scale.{case.stage}.batch_size={case.batch}", f"arch.condition_dim={case.condition_dim}",
        f"trainer.accelerator={'gpu' if device == 'cuda' else 'cpu'}", *overrides,
    )  # fmt: skip


def bench_inputs(config: Config, text_dim: int) -> Inputs:
    """The painted store, with random vectors of the paper's size in the place of embeddings: a step does not care."""
    store = prepare_store(config)
    return Inputs(store, random_table(len(store), text_dim))


@cache
def random_table(pictures: int, text_dim: int) -> EmbeddingTable:
    vectors = np.random.default_rng(0).standard_normal((pictures * CAPTIONS, text_dim), dtype=np.float32)
    return EmbeddingTable(vectors, np.arange(pictures + 1) * CAPTIONS, text_dim, "random", "random")


def build_ours(case: Case, config: Config, inputs: Inputs) -> TextToImageGAN:
    """The module of a run; Stage II stands on a fresh Stage I."""
    pl.seed_everything(0, verbose=False)
    below = None
    if case.stage == "two":
        first = case_configuration(case, "cpu", "stage=one")
        below = TextToImage(build_module(first, inputs, 10**6, None).generator)  # type: ignore[arg-type]
    return build_module(config, inputs, 10**6, below)


def batches(case: Case, inputs: Inputs, steps: int) -> DataLoader:
    stream = BatchStream(
        inputs.store, inputs.table, image_size=case.size, batch_size=case.batch, seed=0, steps=steps
    )  # fmt: skip
    return DataLoader(stream, batch_size=None)


class Alternation(pl.Callback):
    """After each block of our steps, as many of the baseline's and a look at the machine's rate; the first block warms up.

    Ours keeps its memory and the baseline does not, as in processes of their own; so the first step of a block of either finds none
    and is not counted.
    """

    def __init__(self, case: Case, device: str, ceiling: Limit) -> None:
        self.times, self.case, self.device, self.ceiling = StepTimes(case), case, device, ceiling
        with torch.device(device):
            self.step, self.batch = plain_step(case), plain_batch(case)
        self.count, self.blocks, self.start = 0, 0, 0.0

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: object) -> None:
        self.count += 1
        if self.count == 1:
            synchronise(self.device)
            self.start = time.perf_counter()
        if self.count <= self.case.steps:
            return
        synchronise(self.device)
        ours = (time.perf_counter() - self.start) / self.case.steps
        return_freed_memory()
        self.step(self.batch)
        plain = seconds_of(lambda: self.step(self.batch), self.device, self.case.steps)
        keep_freed_memory()
        rate = self.ceiling.work.flop / seconds_of(self.ceiling.work.run, self.device, 3)
        if self.blocks:
            self.times.ours.append(ours)
            self.times.plain.append(plain)
            self.times.rates.append(rate)
        self.blocks += 1
        self.count = 0


def measure_step(case: Case, device: str, ceiling: Limit) -> StepTimes:
    """Ours, the baseline, ours, ..."""
    config = case_configuration(case, device)
    keep_freed_memory()
    prepare_process(config)
    inputs = bench_inputs(config, case.text_dim)
    alternation = Alternation(case, device, ceiling)
    module = build_ours(case, config, inputs)
    trainer = build_trainer(config, [alternation], [])
    trainer.fit(module, batches(case, inputs, (case.repetitions + 1) * (case.steps + 1)))
    return alternation.times


def step_precision(device: str) -> str:
    """The precision that ours takes by itself, by its name in `limits`."""
    return "bf16" if resolve_precision("auto", "gpu" if device == "cuda" else "cpu") == "bf16-mixed" else "fp32"
