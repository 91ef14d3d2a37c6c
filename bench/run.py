"""How fast is it here?      make bench      (about twenty minutes on two idle cores; ARGS='--quick', '--only stage1', '--device cuda')

Prints a table and writes bench/results/latest.json. Each measure is a ratio in one run on one machine: ours and the baseline that the
project carries (bench/baseline.py) take turns, and so does a look at the machine's limit, so that what else runs touches all alike.
What the numbers mean and what they were: docs/performance.md.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from cases import CASES
from first_run import measure_first_run
from limits import Limit, limit
from limits import measure as measure_limits
from loaders import measure_loader
from memory import measure_memory
from scaling import measure_scaling
from startup import measure_startup
from steps import measure_step, step_precision

from stackgan.config import PROJECT
from stackgan.run_directory import write_atomically

PACKAGES = ("torch", "torchvision", "pytorch-lightning", "numpy", "pillow", "hydra-core")
RESULTS = Path(__file__).parent / "results"
Values = dict[str, Any]


class Bench:
    """The measures by name; each gives the values it adds to the result.

    quick: smaller batches and fewer measures; device: cpu or cuda.
    """

    def __init__(self, quick: bool, device: str) -> None:
        self.quick, self.device = quick, device
        self.values: Values = {}
        self.measures: dict[str, Callable[[], Values]] = {"limits": lambda: {"limits": measure_limits(device)}}
        self.measures |= {name: lambda name=name: self.step(name) for name in CASES}  # type: ignore[misc]
        self.measures |= {"loader": self.loader, "startup": lambda: measure_startup(quick), "memory": self.memory}
        self.measures["first_run"] = lambda: measure_first_run(quick)
        if not quick:
            self.measures["scaling"] = lambda: {"scaling": measure_scaling(device)}

    def step(self, name: str) -> Values:
        case = CASES[name].quick() if self.quick else CASES[name]
        return measure_step(case, self.device, self.ceiling).result()

    @cached_property
    def ceiling(self) -> Limit:
        return limit(step_precision(self.device), self.device)

    def run(self, names: list[str], keep: Callable[[Values], None]) -> None:
        """Take the measures one after the other; `keep` gets what is known after each, so that a later one that fails loses nothing."""
        for name in names:
            print(f"{name} ...", flush=True)
            start = time.perf_counter()
            found = self.measures[name]()
            self.values |= found
            self._compare_loader()
            keep(self.values)
            print(f"{name}: {time.perf_counter() - start:.0f} s\n{table(found)}", flush=True)

    def loader(self) -> Values:
        return measure_loader(CASES["stage1"]) | measure_loader(CASES["stage2"], 3, 1)

    def memory(self) -> Values:
        """Of ours and the baseline at each size, in fresh processes."""
        names = ("stage1_small",) if self.quick else tuple(CASES)
        peaks = {
            f"{name} {which}": measure_memory(CASES[name], which, self.device)
            for name in names
            for which in ("ours", "plain")
        }
        for name in names:
            for saving in ("trainer.recompute=true", "trainer.accumulate=4"):
                peaks[f"{name} {saving}"] = measure_memory(CASES[name], "ours", self.device, saving)
        return {"peak_memory": peaks}

    def _compare_loader(self) -> None:
        """How many times the steps that it feeds the loader could feed: the fastest of Stage I, the fastest of Stage II."""
        pairs = (
            ("loader_over_step", "loader_images_per_second", ("stage1", "stage1_small")),
            ("loader_stage2_over_step", "loader_stage2_images_per_second", ("stage2",)),
        )
        for key, rate, names in pairs:
            steps = [self.values[f"{name}_images_per_second"] for name in names if f"{name}_step_ratio" in self.values]
            if steps and rate in self.values:
                self.values[key] = self.values[rate] / max(steps)


def machine(device: str) -> Values:
    """Where and when; no name of the host."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [
            line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0] if names else model
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    return {
        "machine": f"{model}, {os.cpu_count()} cores, {platform.system()}",
        "gpu": torch.cuda.get_device_name() if device == "cuda" else None,
        "load_before": round(os.getloadavg()[0], 1),
        "threads": torch.get_num_threads(),
        "precision": step_precision(device),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES}
        | {"python": platform.python_version()},
        "commit": commit.stdout.strip() or None,
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def write_json(path: Path, values: Values) -> None:
    write_atomically(path, json.dumps(values, indent=1) + "\n")


def table(values: Values) -> str:
    """Two columns; nested values with their keys joined by dots."""
    lines = []
    for name, value in values.items():
        if isinstance(value, dict):
            lines += table({f"{name}.{key}": inner for key, inner in value.items()}).splitlines()
        else:
            lines.append(f"{name:55} {value:.2f}" if isinstance(value, float) else f"{name:55} {value}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="How fast is it here?")
    parser.add_argument("--quick", action="store_true", help="smaller batches, fewer measures: about four minutes")
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="MEASURE",
        help="limits stage1 stage2 stage1_small stage2_small loader startup memory first_run scaling",
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--out", type=Path, default=RESULTS / "latest.json")
    arguments = parser.parse_args()
    bench = Bench(arguments.quick, arguments.device)
    names = arguments.only or list(bench.measures)
    if unknown := set(names) - set(bench.measures):
        parser.error(f"no measure is called {', '.join(sorted(unknown))}; there are {', '.join(bench.measures)}")
    values = machine(arguments.device)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    bench.run(names, lambda found: write_json(arguments.out, values | found))
    print(table(values | bench.values))
    print(f"written: {arguments.out}")


if __name__ == "__main__":
    main()
