"""What each idea about speed is worth here: python bench/experiments.py stage1 [--ideas unfolded ...] [--batch 16] [--cycles 3]

Each idea that the code has is switched off, and each that it lacks is switched on, for one step at a time, between two steps of the code
as it is. The factor is how much faster the idea makes the step: above 1 it is worth keeping, or having. Findings: bench/NOTES.md.
"""

import argparse
import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import pytorch_lightning as pl
from cases import CASES, Case
from ideas import IDEAS
from limits import synchronise
from steps import batches, bench_inputs, build_ours, case_configuration

from stackgan.assembly import build_trainer
from stackgan.memory import keep_freed_memory
from stackgan.process import prepare_process
from stackgan.training.module import TextToImageGAN


@dataclass
class Cycle(pl.Callback):
    """As it is, the first idea changed, as it is, the second changed, as it is ...; the first round warms up."""

    names: list[str]
    device: str
    factors: dict[str, list[float]] = field(default_factory=dict)
    before: float = 0.0
    changed: float = 0.0

    def __post_init__(self) -> None:
        self.queue: list[str | None] = [None]
        for name in self.names:
            self.queue += [name] * (IDEAS[name].first_steps + 1) + [None]
        self.place = 0
        self.stack = ExitStack()

    @property
    def steps(self) -> int:
        return len(self.queue)

    def on_train_batch_start(self, trainer: pl.Trainer, module: TextToImageGAN, *_: object) -> None:  # type: ignore[override]
        name = self.queue[self.place % self.steps]
        if name is not None:
            self.stack.enter_context(IDEAS[name].change(module))
        synchronise(self.device)
        self.start = time.perf_counter()

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: object) -> None:
        synchronise(self.device)
        seconds = time.perf_counter() - self.start
        self.stack.close()
        name, previous = self.queue[self.place % self.steps], self.queue[(self.place - 1) % self.steps]
        if name is not None:
            self.changed = seconds
        else:
            if previous is not None and self.place >= self.steps:
                factor = self.changed / ((self.before + seconds) / 2)
                self.factors.setdefault(previous, []).append(factor if IDEAS[previous].kept else 1 / factor)
            self.before = seconds
        self.place += 1


def factors(case: Case, names: list[str], cycles: int, device: str, *overrides: str) -> dict[str, list[float]]:
    """How much faster each idea makes a step, at each cycle."""
    config, cycle = case_configuration(case, device, *overrides), Cycle(names, device)
    keep_freed_memory()
    prepare_process(config)
    inputs = bench_inputs(config, case.text_dim)
    data = batches(case, inputs, cycle.steps * (cycles + 1))
    build_trainer(config, [cycle], []).fit(build_ours(case, config, inputs), data)
    return cycle.factors


def main() -> None:
    parser = argparse.ArgumentParser(description="What each idea about speed is worth here.")
    parser.add_argument("case", choices=tuple(CASES))
    parser.add_argument("--ideas", nargs="+", choices=tuple(IDEAS), metavar="IDEA", help=" ".join(IDEAS))
    parser.add_argument("--batch", type=int)
    parser.add_argument("--cycles", type=int, default=3)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    arguments = parser.parse_args()
    case = CASES[arguments.case]
    case = replace(case, batch=arguments.batch or case.batch)
    names = arguments.ideas or [name for name in IDEAS if name not in ("bfloat16", "compile")]
    print(f"{case.name}, batch {case.batch}: factor (least to most)")
    for norm in dict.fromkeys(IDEAS[name].norm for name in names):
        chosen = [name for name in names if IDEAS[name].norm == norm]
        overrides = [] if norm is None else [f"norm={norm}"]
        for name, values in factors(case, chosen, arguments.cycles, arguments.device, *overrides).items():
            idea, spread = IDEAS[name], f"({min(values):.2f} to {max(values):.2f})"
            print(
                f"{'kept' if idea.kept else 'new':6}{idea.what:70}{statistics.median(values):6.2f} {spread}", flush=True
            )


if __name__ == "__main__":
    main()
