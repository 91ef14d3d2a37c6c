"""What settings of a process are worth: python bench/environments.py stage1 [--batch 16] [--rounds 3] [--settings ...]

A setting counts from a process's start, so each measure is a fresh process, the default and a setting in turn. The case
`scoring` is passes of the scoring network over small pictures.
"""

import argparse
import os
import statistics
import subprocess
import sys
from dataclasses import replace

import torch
from cases import CASES, Case
from limits import seconds_of
from scaling import images_per_second

from stackgan.evaluation.feature_networks import build_feature_network
from stackgan.memory import keep_freed_memory, return_freed_memory

SETTINGS = {
    "freed memory goes back": {"BENCH_MEMORY": "return"},
    "huge pages": {"THP_MEM_ALLOC_ENABLE": "1"},
    "threads pinned": {"OMP_PROC_BIND": "close", "OMP_PLACES": "cores"},
    "threads wait passively": {"OMP_WAIT_POLICY": "passive"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
SCORING, PICTURES = "scoring", 50


def rate(name: str, batch: int | None, steps: int, setting: dict[str, str]) -> float:
    """Images per second in a fresh process."""
    command = [sys.executable, __file__, name, "--steps", str(steps), *(["--batch", str(batch)] if batch else [])]
    answer = subprocess.run(command, env=os.environ | setting, check=True, stdout=subprocess.PIPE, text=True).stdout
    return float(answer.splitlines()[-1])


def measure(name: str, batch: int | None, steps: int) -> float:
    """The same in this process."""
    memory = return_freed_memory if os.environ.get("BENCH_MEMORY") == "return" else keep_freed_memory
    if name == SCORING:
        memory()
        return scoring_rate(steps)
    case: Case = CASES[name]
    return images_per_second(replace(case, batch=batch or case.batch, steps=steps), "cpu", memory=memory)


def scoring_rate(passes: int) -> float:
    network = build_feature_network("efflite0", None)
    pictures = torch.randint(0, 256, (PICTURES, 3, 64, 64), dtype=torch.uint8)
    with torch.inference_mode():
        for _ in range(3):
            network.both(pictures)
        return PICTURES / seconds_of(lambda: network.both(pictures), "cpu", passes)


def main() -> None:
    parser = argparse.ArgumentParser(description="What settings of a process are worth.")
    parser.add_argument("case", choices=(*CASES, SCORING))
    parser.add_argument("--batch", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--settings", nargs="+", choices=tuple(SETTINGS), default=list(SETTINGS))
    parser.add_argument("--length", type=int, default=4, help="steps of a measure")
    parser.add_argument("--steps", type=int, help="only print the images per second of so many steps")
    arguments = parser.parse_args()
    if arguments.steps:
        print(measure(arguments.case, arguments.batch, arguments.steps))
        return
    for name in arguments.settings:
        ratios = []
        for _ in range(arguments.rounds):
            default = rate(arguments.case, arguments.batch, arguments.length, {})
            ratios.append(rate(arguments.case, arguments.batch, arguments.length, SETTINGS[name]) / default)
        print(f"{name:30}{statistics.median(ratios):6.2f} ({min(ratios):.2f} to {max(ratios):.2f})", flush=True)


if __name__ == "__main__":
    main()
