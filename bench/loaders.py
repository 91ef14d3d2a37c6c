"""Our batches and the baseline's loader, in turn in one process: each gives float pictures in -1..1 and the texts, batch by batch."""

import itertools
import statistics
from collections.abc import Iterator
from typing import Any

import numpy as np
from baseline import PictureFiles
from cases import Case
from limits import seconds_of
from steps import CAPTIONS, bench_inputs, case_configuration
from torch.utils.data import DataLoader

from stackgan.data.batches import BatchStream
from stackgan.data.cub import read_cub
from stackgan.inputs import cub_root
from stackgan.memory import keep_freed_memory
from stackgan.networks.text_to_image import from_pixels


def measure_loader(case: Case, repetitions: int = 5, count: int = 4) -> dict[str, float]:
    """Median ratio of neighbouring repetitions, and our images per second; the first repetition warms up."""
    keep_freed_memory()
    config = case_configuration(case, "cpu")
    inputs = bench_inputs(config, case.text_dim)
    batch = 32
    ours = BatchStream(
        inputs.store, inputs.table, image_size=case.size, batch_size=batch, seed=0, steps=10**6
    )  # fmt: skip
    records = read_cub(cub_root(config), name="birds").records
    vectors = np.asarray(inputs.table.vectors).reshape(len(records), CAPTIONS, -1)
    plain = endless(DataLoader(PictureFiles(records, vectors, case.size), batch_size=batch, shuffle=True))
    steps = itertools.count()
    ratios, rates = [], []
    for repetition in range(repetitions + 1):
        fast = seconds_of(lambda: one(ours, next(steps)), "cpu", 10 * count)
        slow = seconds_of(lambda: next(plain), "cpu", count)
        if repetition:
            ratios.append(slow / fast)
            rates.append(batch / fast)
    name = "loader" if case.size == 64 else "loader_stage2"
    return {
        name.replace("loader", "loader_ratio"): statistics.median(ratios),
        f"{name}_images_per_second": statistics.median(rates),
    }


def one(stream: BatchStream, step: int) -> tuple[Any, ...]:
    """A batch as a step reads it."""
    batch = stream.batch(step)
    return from_pixels(batch.images), batch.text, batch.wrong_text


def endless(loader: DataLoader[Any]) -> Iterator[Any]:
    while True:
        yield from loader
