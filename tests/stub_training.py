"""A stand-in for src/train.py that the launcher's tests start: real configuration, run folders, locks and signals, no training.

It shows eight images at a time, and does after the first eight what the environment variable STUB says for its seed:
{"1": "raise"}; see `misbehave`.
"""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import hydra
import yaml
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from stackgan.cli.run import run_script, user_errors
from stackgan.cli.script import TRAIN
from stackgan.config import PROJECT, Config, typed
from stackgan.run_directory import Status, locate_run, lock_run, read_status

BATCH = 8


class Preempted(Exception):
    """SIGTERM came."""


def preempt(*_: object) -> None:
    raise Preempted


def misbehave(how: str, folder: Path) -> None:
    """Die or be slow in the way that is asked for."""
    match how:
        case "raise":
            raise RuntimeError("out of birds")
        case "kill":
            print("shown eight images", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        case "rank":  # leaves a process of its own behind
            rank = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            (folder / "rank").write_text(str(rank.pid))
            os.kill(os.getpid(), signal.SIGKILL)
        case "slow":
            time.sleep(600)
        case "until-2":  # until seed 2 is done
            while not any('"done"' in path.read_text() for path in folder.parent.glob("*seed=2*/status.json")):
                time.sleep(0.05)
        case "deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(600)
        case "short":
            time.sleep(0.5)


def train(config: Config, overrides: list[str]) -> int:
    folder = locate_run(config, overrides).folder
    how = json.loads(os.environ.get("STUB", "{}")).get(str(config.seed), "")
    if how == "refuse":
        print("the data set is not there; give another.", file=sys.stderr)
        return 2
    with lock_run(folder):
        before = read_status(folder)
        images = before.images if before else 0
        print(f"going on after {images} images", flush=True)
        status = Status("running", images=images, budget=config.images or 0, pid=os.getpid(), images_per_second=4.0)
        (folder / "config.yaml").write_text(yaml.safe_dump(asdict(config)))
        (folder / "environment.json").write_text(json.dumps(dict(os.environ)))
        status.write(folder)
        signal.signal(signal.SIGTERM, preempt)
        try:
            while status.images < status.budget:
                status.images += BATCH
                status.write(folder)
                misbehave(how, folder)
        except Preempted:
            time.sleep(0.3)  # saving
            status.state = "preempted"
            status.write(folder)
            return 75
        if how == "diverge":
            status.state, status.reason = "diverged", "loss/d is not finite"
            status.write(folder)
            return 3
        (folder / "generator").mkdir(exist_ok=True)
        (folder / "generator" / "weights.safetensors").write_text(f"{config.seed} {status.images}")
        worth = 1.0 + config.seed
        status.state, status.scores = "done", {"kid": worth, "is": worth, "kid/test": -1.0}
        status.write(folder)
        return 0


@hydra.main(version_base="1.3", config_path=str(PROJECT / "conf"), config_name="config")
def main(composed: DictConfig) -> None:
    with user_errors():
        raise SystemExit(train(typed(composed), list(HydraConfig.get().overrides.task)))


if __name__ == "__main__":
    run_script(main, TRAIN, __doc__)
