"""The most memory that one process needs for a step: python bench/memory.py stage2 ours [--batch 64] [--device cuda]

Prints JSON. Two steps are taken, because the optimizers' moments are made in the first. On a CPU it is the largest resident set of the
process, libraries included (`libraries_mb`: what they take before anything is built); on a GPU what torch allocated there.
"""

import argparse
import json
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from arithmetic import plain_batch, plain_step
from cases import CASES, Case
from limits import seconds_of
from scaling import Rate
from steps import batches, bench_inputs, build_ours, case_configuration

from stackgan.assembly import build_trainer
from stackgan.memory import keep_freed_memory
from stackgan.process import prepare_process


def peak_mb() -> float:
    """Largest resident set of this process so far. Linux' own count of it: getrusage's begins with that of the parent."""
    status = Path("/proc/self/status")
    if status.is_file():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def train_ours(case: Case, device: str, *overrides: str) -> float:
    """Seconds of the second step."""
    config = case_configuration(case, device, *overrides)
    keep_freed_memory()
    prepare_process(config)
    inputs = bench_inputs(config, case.text_dim)
    rate = Rate(device)
    build_trainer(config, [rate], []).fit(build_ours(case, config, inputs), batches(case, inputs, 2))
    return rate.seconds


def train_plain(case: Case, device: str) -> float:
    """Seconds of the second step."""
    with torch.device(device):
        step, batch = plain_step(case), plain_batch(case)
    step(batch)
    return seconds_of(lambda: step(batch), device)


def measure_memory(case: Case, which: str, device: str, *overrides: str) -> dict[str, Any]:
    """In a process of its own."""
    command = [sys.executable, __file__, case.name, which, *overrides, "--batch", str(case.batch), "--device", device]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(answer.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description="Peak memory of a training step.")
    parser.add_argument("case", choices=tuple(CASES))
    parser.add_argument("which", choices=("ours", "plain"))
    parser.add_argument("overrides", nargs="*", help="of ours: trainer.recompute=true trainer.accumulate=4")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    arguments = parser.parse_intermixed_args()
    case = CASES[arguments.case]
    case = replace(case, batch=arguments.batch or case.batch)
    libraries = peak_mb()
    seconds = (
        train_ours(case, arguments.device, *arguments.overrides)
        if arguments.which == "ours"
        else train_plain(case, arguments.device)
    )
    result = {
        "peak_mb": round(peak_mb()),
        "libraries_mb": round(libraries),
        "batch": case.batch,
        "step_seconds": round(seconds, 2),
    }
    if arguments.device == "cuda":
        result["cuda_mb"] = round(torch.cuda.max_memory_allocated() / 2**20)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
