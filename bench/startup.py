"""How long one waits: for an answer of the command line, for the first step, for one more job of a sweep. Wall-clock seconds."""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from steps import DATA

from stackgan.config import PROJECT

TRAIN = [sys.executable, str(PROJECT / "src" / "train.py")]
# the shortest job that still trains, scores and saves
SHORT = [
    *DATA, "text=attributes", "scale=tiny", "images=8", "evaluation.samples=12", "evaluation.final_samples=12", "evaluation.splits=2",
    "logger.wandb=disabled", "logger.progress=false",
]  # fmt: skip


def run_seconds(*command: str) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def answer_seconds(flag: str, repetitions: int = 5) -> dict[str, float]:
    """From the command to the end of its answer, --help or --cfg job: the least and the median of several."""
    seconds = [run_seconds(*TRAIN, *flag.split()) for _ in range(repetitions)]
    return {"least": min(seconds), "median": statistics.median(seconds)}


def torch_seconds(repetitions: int = 3) -> float:
    """A process that imports torch and does nothing."""
    return min(run_seconds(sys.executable, "-c", "import torch") for _ in range(repetitions))


def libraries_seconds(repetitions: int = 3) -> float:
    """A process that imports what any run imports of others: Lightning, which imports torchmetrics."""
    return min(run_seconds(sys.executable, "-c", "import pytorch_lightning") for _ in range(repetitions))


def first_step_seconds() -> float:
    """From the command to the first row of losses, at scale=small on data that is prepared; the process is then ended."""
    overrides = [*DATA, "text=attributes", "logger.log_every=64", "logger.wandb=disabled", "images=64000"]
    with tempfile.TemporaryDirectory() as outputs:
        start = time.perf_counter()
        process = subprocess.Popen(
            [*TRAIN, *overrides, f"outputs={outputs}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            while not list(Path(outputs).glob("runs/*/metrics.csv")):
                if process.poll() is not None:
                    raise RuntimeError(f"train.py ended with {process.returncode} before its first step")
                time.sleep(0.02)
            return time.perf_counter() - start
        finally:
            process.kill()
            process.wait()


def sweep_seconds(jobs: int) -> float:
    """A sweep of so many jobs of one step each."""
    with tempfile.TemporaryDirectory() as outputs:
        seeds = ",".join(map(str, range(jobs)))
        return run_seconds(*TRAIN, "-m", f"seed={seeds}", *SHORT, f"outputs={outputs}")


def measure_startup(quick: bool = False) -> dict[str, Any]:
    """All of it. A job more in a sweep is the difference of two sweeps, less the import of torch."""
    result: dict[str, Any] = {
        "config_seconds": answer_seconds("--cfg job"),
        "help_seconds": answer_seconds("--help"),
        "launch_to_first_step_seconds": first_step_seconds(),
    }
    if not quick:
        importing = torch_seconds()
        result["import_torch_seconds"] = importing
        result["import_libraries_seconds_over_torch"] = libraries_seconds() - importing
        result["sweep_job_seconds_over_torch"] = sweep_seconds(3) - sweep_seconds(2) - importing
    return result
