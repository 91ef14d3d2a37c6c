"""Do the verdicts fire where they should, and only there?      python bench/calibrate_health.py     (one run: ... lr_x100)

Trains small runs that are made to fail, each in its own way, and three seeds of the recipe that are not, and prints the numbers
of each run's last measurements with its verdicts beside those it should have. The exit code is 1 where they differ. About a
quarter of an hour on two idle cores; `images=<n>` changes the budget of each run.
"""

import csv
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from PIL import Image, ImageOps
from torch import Tensor, nn
from torch.utils.data import DataLoader

from stackgan.assembly import build_health_settings, build_module, build_trainer
from stackgan.cadence import in_images
from stackgan.config import PROJECT, Config, register, stage_scale, typed
from stackgan.data.batches import BatchStream
from stackgan.data.records import SPLITS
from stackgan.experiment import prepare_process
from stackgan.health.monitor import HealthMonitor, Reporter
from stackgan.health.probe import Probe
from stackgan.health.verdicts import VERDICTS
from stackgan.inputs import Inputs, prepare_inputs
from stackgan.tracking.metrics_csv import MetricsCsv
from stackgan.training.callbacks import Diverged, TrainingLog
from stackgan.training.module import TextToImageGAN

SMALL = [
    "scale=small", "scale.generator_channels=16", "scale.discriminator_channels=16", "scale.one.image_size=32",
    "scale.two.image_size=64", "scale.one.batch_size=16", "scale.ema_half_life=1000", "data.classes=60", "text=attributes",
    "data.images_per_class=6", "data.picture_size=96", "data.augment=off", "lr.warmup_images=0", "logger.log_every=250",
]  # fmt: skip


@dataclass(frozen=True)
class Run:
    """A run, the verdicts of which it must have one, and those it may have besides: what goes wrong seldom goes wrong alone."""

    overrides: tuple[str, ...]
    must: frozenset[str] = frozenset()
    may: frozenset[str] = frozenset()
    spoil: Callable[[TextToImageGAN], None] = lambda module: None
    padded: bool = False


def deaf(*inputs: int) -> Callable[[TextToImageGAN], None]:
    """Makes the generator see zeros instead of the given ones of its inputs: 0 text, 1 noise, 2 condition noise."""

    def hook(network: nn.Module, seen: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(torch.zeros_like(value) if place in inputs else value for place, value in enumerate(seen))

    def spoil(module: TextToImageGAN) -> None:
        module.generator.register_forward_pre_hook(hook)
        module.average.register_forward_pre_hook(hook)

    return spoil


ANY = frozenset(VERDICTS) - {"white_border"}
RUNS = {
    **{f"healthy_{seed}": Run(("variant=recipe", f"seed={seed}")) for seed in range(3)},
    "lr_x10": Run(("variant=lr_x10",), may=ANY),  # at this size it trains, and scores well
    "lr_x100": Run(("lr.generator=2e-2", "lr.discriminator=2e-2"), ANY, ANY),
    "lr_x1000": Run(("lr.generator=0.2", "lr.discriminator=0.2"), ANY, ANY),
    "overflow": Run(("optim=sgd", "lr.generator=1e12", "lr.discriminator=1e12", "norm=none"), frozenset({"nan"}), ANY),
    "unclipped_critic": Run(("loss=wgan_unclipped", "norm=none", "lr.discriminator=2e-3"), frozenset({"diverging"}), ANY),
    "saturated": Run(("norm=none", "lr.generator=1e-2"), frozenset({"black"}), ANY),
    "deaf_to_noise": Run(("variant=recipe",), frozenset({"mode_collapse"}), ANY, spoil=deaf(1, 2)),
    "deaf_to_text": Run(("variant=recipe",), frozenset({"ignores_text"}), ANY, spoil=deaf(0)),
    "strong_discriminator": Run(
        ("norm=none", "lr.discriminator=3e-4", "lr.generator=1e-6"), frozenset({"discriminator_wins"}), ANY
    ),
    "weak_discriminator": Run(
        ("lr.discriminator=1e-8", "lr.generator=1e-3"), frozenset({"generator_wins"}), ANY
    ),
    "padded_data": Run(("variant=recipe",), frozenset({"white_border"}), padded=True),
}  # fmt: skip


def configuration(run: Run, images: int, work: Path) -> Config:
    cadence = [f"images={images}", f"health.every={images // 8}", f"health.warm_up={images // 4}"]
    data = ["data=folder", f"data.root={padded_birds(work)}", "text=minilm"] if run.padded else []
    register()
    with initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"):
        overrides = [*SMALL, *run.overrides, *cadence, *data, f"data.cache={work / 'cache'}"]
        return typed(compose("config", overrides))


def padded_birds(work: Path) -> Path:
    """The painted birds as a folder of pictures, with a white margin of a sixth of the whole on each side."""
    folder = work / "padded"
    if not (folder / "captions.csv").exists():
        folder.mkdir(parents=True, exist_ok=True)
        store = prepare_inputs(configuration(Run(()), 1000, work)).store
        with (folder / "captions.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["file", "caption", "split"])
            for split in SPLITS:
                for row in store.indices(split):
                    picture = Image.fromarray(store.images[row])
                    ImageOps.expand(picture, picture.width // 4, "white").save(folder / f"{row:05d}.png")
                    writer.writerow([f"{row:05d}.png", store.captions[row][0], split])
    return folder


def watch(run: Run, images: int, work: Path) -> tuple[dict[str, dict[str, object]], dict[str, float]]:
    """Train it. Returns its verdicts by name and the last value of each series."""
    config = configuration(run, images, work)
    prepare_process(config)
    pl.seed_everything(config.seed, verbose=False)
    inputs = prepare_inputs(config)
    module = build_module(config, inputs, images, None)
    run.spoil(module)
    with tempfile.TemporaryDirectory() as folder:
        return fit(config, inputs, module, images, Path(folder))


def fit(
    config: Config, inputs: Inputs, module: TextToImageGAN, images: int, folder: Path
) -> tuple[dict[str, dict[str, object]], dict[str, float]]:
    verdicts: dict[str, dict[str, object]] = {}
    rows = TrainingLog(in_images(config.logger.log_every, images))
    probe = Probe(inputs.store, inputs.table, config.health.captions, config.health.noises)
    reporter = Reporter(lambda records: verdicts.update({str(record["name"]): record for record in records}))
    monitor = HealthMonitor(build_health_settings(config, images), rows, probe, folder, images, reporter)
    scale = stage_scale(config)
    stream = BatchStream(
        inputs.store, inputs.table, image_size=scale.image_size, batch_size=scale.batch_size, seed=config.seed,
        steps=images // scale.batch_size, wrong_texts=config.loss.wrong_texts,
    )  # fmt: skip
    trainer = build_trainer(config, [rows, monitor], [MetricsCsv(folder)])
    try:
        trainer.fit(module, DataLoader(stream, batch_size=None))
    except Diverged as error:
        print(f"ended: {error}")
    with (folder / "metrics.csv").open(newline="") as file:
        series = list(csv.DictReader(file))
    names = [f"health/{name}" for name in VERDICTS]
    return verdicts, {name: float(row[name]) for row in series for name in names if row.get(name)}


def main(names: list[str], images: int) -> int:
    work = PROJECT / "cache" / "calibration"
    lines, wrong = [], 0
    for name in names:
        run = RUNS[name]
        verdicts, values = watch(run, images, work)
        found = set(verdicts)
        right = bool(found & run.must or not run.must) and found <= run.must | run.may
        wrong += not right
        numbers = " ".join(f"{values.get(f'health/{verdict}', float('nan')):>18.3g}" for verdict in VERDICTS)
        given = ", ".join(f"{verdict} at {record['images']:,}" for verdict, record in verdicts.items()) or "none"
        lines.append(f"{name:22} {numbers}  {'ok   ' if right else 'WRONG'} {given}")
        print(lines[-1], flush=True)
    thresholds = configuration(Run(()), images, work).health.thresholds
    limits = " ".join(f"{getattr(thresholds, verdict):>18g}" for verdict in VERDICTS)
    print(
        "\n".join(
            [
                "",
                f"{'run':22} " + " ".join(f"{verdict:>18}" for verdict in VERDICTS),
                f"{'threshold':22} {limits}",
                *lines,
            ]
        )
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    chosen = [argument for argument in sys.argv[1:] if "=" not in argument]
    options = dict(argument.split("=") for argument in sys.argv[1:] if "=" in argument)
    sys.exit(main(chosen or list(RUNS), int(options.get("images", 12_000))))
