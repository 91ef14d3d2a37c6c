"""What settings of the environment are worth: python bench/environments.py stage1 [--batch 16] [--rounds 3]

A setting counts from a process's start, so each measure is a fresh process, the default and a setting in turn.
"""

import argparse
import os
import statistics
import subprocess
import sys
from dataclasses import replace

from cases import CASES, Case
from scaling import images_per_second

SETTINGS = {
    "huge pages": {"THP_MEM_ALLOC_ENABLE": "1"},
    "threads pinned": {"OMP_PROC_BIND": "close", "OMP_PLACES": "cores"},
    "threads wait passively": {"OMP_WAIT_POLICY": "passive"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}


def rate(case: Case, setting: dict[str, str]) -> float:
    """Images per second in a fresh process."""
    command = [sys.executable, __file__, case.name, "--batch", str(case.batch), "--steps", str(case.steps)]
    answer = subprocess.run(command, env=os.environ | setting, check=True, stdout=subprocess.PIPE, text=True).stdout
    return float(answer.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description="What settings of the environment are worth.")
    parser.add_argument("case", choices=tuple(CASES))
    parser.add_argument("--batch", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--settings", nargs="+", choices=tuple(SETTINGS), default=list(SETTINGS))
    parser.add_argument("--steps", type=int, help="only print the images per second of so many steps")
    arguments = parser.parse_args()
    case = CASES[arguments.case]
    case = replace(case, batch=arguments.batch or case.batch, steps=arguments.steps or 3)
    if arguments.steps:
        print(images_per_second(case, "cpu"))
        return
    for name in arguments.settings:
        ratios = []
        for _ in range(arguments.rounds):
            default = rate(case, {})
            ratios.append(rate(case, SETTINGS[name]) / default)
        print(f"{name:30}{statistics.median(ratios):6.2f} ({min(ratios):.2f} to {max(ratios):.2f})", flush=True)


if __name__ == "__main__":
    main()
