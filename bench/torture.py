"""Kill a run at random moments and give the same command again: is the result the one of a run that nobody killed?

    make torture                                        python bench/torture.py --kills 20
    two ranks on the CPU                                python bench/torture.py --kills 5 trainer=ddp trainer.accelerator=cpu

Trains both stages at tiny scale once in peace, then again and again with kill -9 at a random moment from the start of the process on
(so preparing the data, training, saving, scoring and writing the generator are all hit), until as many kills are done as
asked for. Compares weights, averages, optimizers, random states, metrics, scores and pictures bit by bit with the run in
peace; exit code 1 where anything differs. Moments are CPU seconds of the process, which measure how far it is however busy the
machine is (Linux).
"""

import argparse
import csv
import json
import math
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from stackgan.config import PROJECT
from stackgan.run_directory import read_status
from stackgan.training.bundle import load_bundle
from stackgan.training.checkpoint import read_checkpoint

# everything that has a state: dropout, batch norm, momentum, a critic with turns of its own, a schedule, augmentation, averages
# over steps that the checkpoint falls into
SETTINGS = [
    "variant=bn_adam_wgan_dropout", "scale=tiny", "loss.n_critic=2", "lr=cosine", "lr.warmup_images=160", "data.augment=on",
    "text=attributes", "data.classes=40", "data.images_per_class=2", "data.picture_size=64", "trainer=cpu", "trainer.precision=32-true",
    "trainer.deterministic=true", "evaluation.samples=12", "evaluation.final_samples=60", "evaluation.splits=2", "evaluation.every=400",
    "logger.wandb=disabled", "logger.log_every=56", "logger.samples_every=800", "logger.progress=false",
]  # fmt: skip
OFTEN = [
    "logger.checkpoint_images=120",
    "logger.checkpoint_minutes=0.02",
]  # of the killed runs: by images and by the clock
NOT_COMPARED = ("images_per_second",)


@dataclass(frozen=True)
class Kill:
    """One kill -9: of which stage, after how many CPU seconds, and what the run had reached."""

    round: int
    stage: str
    seconds: float
    images: int
    phase: str


class Runs:
    """Runs of both stages in one outputs folder with one cache."""

    def __init__(self, outputs: Path, cache: Path, settings: list[str]) -> None:
        self.outputs, self.settings = outputs, [*settings, f"outputs={outputs}", f"data.cache={cache}"]

    def train(self, stage: str, kill_after: float = math.inf) -> bool:
        """Whether train.py ended by itself, before it was killed at `kill_after` CPU seconds."""
        command = [sys.executable, str(PROJECT / "src/train.py"), *self.settings, f"stage={stage}"]
        with tempfile.TemporaryFile("w+") as errors:
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
            while process.poll() is None:
                if cpu_seconds(process.pid) > kill_after:
                    process.kill()
                time.sleep(0.002)
            if process.returncode not in (0, -signal.SIGKILL):
                errors.seek(0)
                sys.exit(f"{' '.join(command)}\nended with {process.returncode}:\n{errors.read()}")
        return process.returncode == 0

    def folder(self, stage: str) -> Path | None:
        """The stage's run folder, if it is there."""
        found = [path for path in self.outputs.glob("runs/*") if ("stage=two" in path.name) == (stage == "two")]
        return found[0] if found else None

    def reached(self, stage: str) -> tuple[int, str]:
        """Images in the last status, and what the run was doing."""
        folder = self.folder(stage)
        status = read_status(folder) if folder else None
        if status is None:
            return 0, "preparing"
        if status.images == 0:
            return 0, "starting"
        return status.images, "training" if status.images < status.budget else "scoring"


def cpu_seconds(pid: int) -> float:
    """CPU time of a process, its children not counted; 0 once it has ended."""
    try:
        values = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()  # see proc(5)
    except OSError:
        return 0.0
    return (int(values[11]) + int(values[12])) / os.sysconf("SC_CLK_TCK")


def children_seconds() -> float:
    """CPU time of all processes that this one started and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def results(folder: Path) -> dict[str, Any]:
    """All that must be equal, by name."""
    checkpoint = read_checkpoint(folder / "checkpoints" / "last.ckpt")
    with (folder / "metrics.csv").open(newline="") as file:
        rows = [{k: v for k, v in row.items() if k not in NOT_COMPARED} for row in csv.DictReader(file)]
    return {
        "generator": load_bundle(folder / "generator").sampler.state_dict(),
        "checkpoint": {
            k: checkpoint[k] for k in ("module", "optimizers", "images_seen", "step_count", "ranks", "identity")
        },
        "metrics": rows,
        "scores": json.loads((folder / "evaluation.json").read_text()),
        "samples": {path.name: path.read_bytes() for path in sorted((folder / "samples").iterdir())},
    }


def unequal(a: Any, b: Any, name: str = "") -> Iterator[str]:
    """The names of what differs; tensors bit by bit."""
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        for key in a:
            yield from unequal(a[key], b[key], f"{name}/{key}")
    elif isinstance(a, list | tuple) and isinstance(b, list | tuple) and len(a) == len(b):
        for place, pair in enumerate(zip(a, b, strict=True)):
            yield from unequal(*pair, f"{name}/{place}")
    elif isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        if a.dtype != b.dtype or a.shape != b.shape or not torch.equal(bits(a), bits(b)):
            yield name
    elif a != b:
        yield name


def bits(tensor: torch.Tensor) -> torch.Tensor:
    """Its bytes, uint8: NaN equals NaN, and 0 is not -0."""
    return tensor.contiguous().reshape(-1).view(torch.uint8)


def torture(kills: int, seed: int, folder: Path, settings: list[str]) -> int:
    """Number of rounds whose result differs from the run in peace."""
    peace = Runs(folder / "peace", folder / "cache", settings)
    seconds, wanted = {}, {}
    for stage in ("one", "two"):
        start = children_seconds()
        peace.train(stage)
        seconds[stage] = children_seconds() - start
        wanted[stage] = results(peace.folder(stage) or folder)
        print(f"in peace: stage {stage}, {seconds[stage]:.1f} CPU s", flush=True)
    done: list[Kill] = []
    rng, bad, number = random.Random(seed), 0, 0
    print("\n  kill  round  stage  after s   images  while", flush=True)
    while len(done) < kills:
        number += 1
        runs = Runs(folder / f"round{number}", folder / "killed_cache", [*settings, *OFTEN])
        for stage in ("one", "two"):
            for delay in moments(rng, seconds[stage], kills - len(done)):
                if runs.train(stage, delay):
                    break
                kill = Kill(number, stage, delay, *runs.reached(stage))
                done.append(kill)
                print(
                    f"{len(done):6} {number:6}  {stage:5} {kill.seconds:8.1f} {kill.images:8}  {kill.phase}", flush=True
                )
            differences = list(unequal(wanted[stage], results(runs.folder(stage) or folder)))
            bad += bool(differences)
            verdict = f"DIFFERS: {', '.join(differences[:5])}" if differences else "bit-equal"
            print(f"        {number:6}  {stage:5} finished: {verdict}", flush=True)
    phases = {kill.phase: sum(kill.phase == other.phase for other in done) for kill in done}
    print(f"\n{len(done)} kills in {number} rounds ({', '.join(f'{n} {p}' for p, n in sorted(phases.items()))}): "
          f"{'every result is bit-equal' if not bad else f'{bad} results differ'}")  # fmt: skip
    return bad


def moments(rng: random.Random, longest: float, count: int) -> Iterator[float]:
    """`count` random times in seconds, then infinity: not to be killed any more."""
    yield from (rng.uniform(0, longest) for _ in range(count))
    yield math.inf


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--images", type=int, default=2400, help="budget of each stage")
    parser.add_argument("overrides", nargs="*", help="more settings of the runs: loss=hinge trainer.devices=2")
    options = parser.parse_args()
    settings = [*SETTINGS, f"images={options.images}", *options.overrides]
    with tempfile.TemporaryDirectory(prefix="torture-") as folder:
        sys.exit(1 if torture(options.kills, options.seed, Path(folder), settings) else 0)


if __name__ == "__main__":
    main()
