"""Draws the scaling part of a bench result: python bench/plot.py [bench/results/latest.json] [docs/images/scaling.png]

Needs matplotlib: pip install matplotlib
"""

import argparse
import json
import sys
from pathlib import Path

from run import RESULTS

AXES = {
    "stage1_small_by_batch": "Stage I, scale=small: batch",
    "stage2_small_by_batch": "Stage II, scale=small: batch",
    "stage1_by_width": "Stage I, batch 16: width (GF = DF)",
    "stage1_by_resolution": "Stage I, batch 16: side of the pictures",
    "stage1_small_by_ranks": "Stage I, batch 64: ranks on the CPU",
    "stage1_small_by_jobs": "Stage I, batch 64: jobs at a time, together",
}


def draw(result: dict, path: Path) -> None:
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        sys.exit("matplotlib is missing: pip install matplotlib")
    figure = Figure(figsize=(11, 6), layout="constrained")
    figure.suptitle(
        f"Images per second. {result['machine']}, {result['precision']}, {result['date']}, {result['commit']}"
    )
    for axes, (name, label) in zip(figure.subplots(2, 3).flat, AXES.items(), strict=True):
        rates = {int(value): rate for value, rate in result["scaling"].get(name, {}).items()}
        axes.plot(list(rates), list(rates.values()), marker="o")
        axes.set_xlabel(label)
        axes.set_xscale("log", base=2)
        axes.set_xticks(list(rates), list(map(str, rates)))
        axes.set_ylim(0, 1.1 * max(rates.values(), default=1))
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description="Draws the scaling part of a bench result.")
    parser.add_argument("result", nargs="?", type=Path, default=RESULTS / "latest.json")
    parser.add_argument("path", nargs="?", type=Path, default=Path("docs/images/scaling.png"))
    arguments = parser.parse_args()
    result = json.loads(arguments.result.read_text())
    if "scaling" not in result:
        sys.exit(f"{arguments.result} has no scaling; make it with: python bench/run.py --only scaling")
    draw(result, arguments.path)
    print(f"written: {arguments.path}")


if __name__ == "__main__":
    main()
