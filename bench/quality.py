"""Does speed cost quality?      python bench/quality.py [--images 20000] [--out outputs/quality] [variant=recipe ...]

Trains one configuration for the same images three times, each in a process of its own: as the code is (`fast`), with its ideas about speed
taken out and in float32 (`plain`), and as it is with another seed (`other seed`), which says how much two runs differ anyway. Then scores
them with evaluate.py and prints KID and attribute accuracy beside each other. Killed, the same command goes on.
"""

import argparse
import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import pytorch_lightning as pl
from ideas import IDEAS
from steps import configuration

from stackgan import experiment
from stackgan.assembly import build_trainer
from stackgan.config import PROJECT
from stackgan.training.module import TextToImageGAN

RUNS = {"fast": ["seed=0"], "plain": ["seed=0", "trainer.precision=32-true"], "other seed": ["seed=1"]}
METRICS = ("kid", "attribute_accuracy")
LEFT_IN = ("all_cores", "no_host_read")  # they change no value


class WithoutIdeas(pl.Callback):
    """Takes the ideas out for as long as the module trains."""

    def on_train_start(self, trainer: pl.Trainer, module: TextToImageGAN) -> None:  # type: ignore[override]
        self.stack = ExitStack()
        for name, idea in IDEAS.items():
            if idea.kept and name not in LEFT_IN:
                self.stack.enter_context(idea.change(module))

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.stack.close()


def train(which: str, overrides: list[str]) -> int:
    """One of the runs, in this process; the exit code of train.py."""
    more = [WithoutIdeas()] if which == "plain" else []

    def extended(config, callbacks, loggers):
        return build_trainer(config, [*callbacks, *more], loggers)

    with mock.patch.object(experiment, "build_trainer", extended):
        return experiment.run(configuration(*overrides), overrides)


def scores(folder: Path) -> dict[str, float]:
    """Of a finished run, newly measured by evaluate.py."""
    command = [sys.executable, str(PROJECT / "src" / "evaluate.py"), f"run={folder}", f"metrics=[{','.join(METRICS)}]"]
    subprocess.run(command, check=True, stdout=sys.stderr)
    records = json.loads((folder / "evaluation.json").read_text())
    found = {}
    for metric in METRICS:
        last = [record for record in records if record["metric"].startswith(metric)][-1]
        found[last["metric"]] = last["value"]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Does speed cost quality?")
    parser.add_argument("overrides", nargs="*", help="the configuration; variant=recipe if none is given")
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--out", type=Path, default=Path("outputs/quality"))
    parser.add_argument("--train", choices=tuple(RUNS), help="only train this one")
    arguments = parser.parse_intermixed_args()
    common = [*(arguments.overrides or ["variant=recipe"]), f"images={arguments.images}", f"outputs={arguments.out}"]
    if arguments.train:
        overrides = [*common, f"study={arguments.train.replace(' ', '_')}", *RUNS[arguments.train]]
        sys.exit(train(arguments.train, overrides))
    for which in RUNS:
        command = [
            sys.executable,
            __file__,
            "--train",
            which,
            "--images",
            str(arguments.images),
            "--out",
            str(arguments.out),
        ]
        subprocess.run([*command, *arguments.overrides], check=True)
    for which in RUNS:
        (status,) = (arguments.out / which.replace(" ", "_")).glob("*/status.json")
        seconds = json.loads(status.read_text())["images_per_second"]
        values = ", ".join(f"{name} {value:.4f}" for name, value in scores(status.parent).items())
        print(f"{which:12}{values}, {seconds:.0f} images/s")


if __name__ == "__main__":
    main()
