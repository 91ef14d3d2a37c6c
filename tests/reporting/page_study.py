"""A made-up study in the exact format that training leaves behind: plausible curves, grids, verdicts and states."""

import csv
import fcntl
import json
import math
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from stackgan.evaluation.record import ProtocolRecord, append_record
from stackgan.health.verdicts import VERDICTS
from stackgan.reporting.grid import Column, draw_grid, save_grid
from stackgan.run_directory import Status
from support import composed

VARIANTS = ("nobn_adam", "nobn_rmsprop", "nobn_rmsprop_wgan", "bn_adam", "bn_adam_wgan_dropout", "lr_x10")
CAPTIONS = (
    "this bird has a white crown, a tiny bill and a purple breast", "a grey bird with an orange crest",
    "a yellow bird with a fan-shaped tail", "this bird has a hooked orange beak & brown wings",
)  # fmt: skip
HUES = ((150, 90, 190), (120, 120, 125), (220, 200, 60), (150, 90, 40))
VERSIONS = {"torch": "2.14.1", "pytorch-lightning": "2.6.6", "hydra-core": "1.3.8", "python": "3.11.7"}
PROVENANCE = {
    "commit": "54aaa6c0c1b2", "changed": False, "device": "AMD EPYC, 2 cores", "precision": "bf16-mixed", "ranks": 1, "threads": 2,
}  # fmt: skip
SCORES = ("is_efflite0", "kid_efflite0", "is_efflite0/test", "kid_efflite0/test")


def pictures(quality: float, side: int, noises: int, rng: np.random.Generator) -> list[Column]:
    """Columns of a real picture and some generated ones: coloured blobs under noise that fades with quality (0 to 1)."""
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    columns = []
    for caption, hue in zip(CAPTIONS, HUES, strict=True):
        cells = []
        for k in range(noises + 1):
            turn, fade = rng.uniform(0.6, 1.4), 1.0 if k == 0 else quality
            body = np.exp(-3 * ((x * turn) ** 2 + (y / turn) ** 2) ** 2)[..., None]
            picture = body * np.array(hue) + (1 - body) * np.array([170, 190, 200])
            picture = fade * picture + (1 - fade) * (128 + 70 * rng.standard_normal((side // 8, side // 8, 3))).repeat(
                8, 0
            ).repeat(8, 1)
            cells.append(picture.clip(0, 255).astype(np.uint8))
        columns.append(Column(caption, cells))
    return columns


def write_grid(run: Path, images: int, quality: float, side: int = 64, noises: int = 3, seed: int = 0) -> Path:
    """samples/<images>.png as training draws it."""
    columns = pictures(quality, side, noises, np.random.default_rng([seed, images]))
    page = draw_grid(columns, ["real", *(str(i + 1) for i in range(noises))], f"{images:,} images")
    path = run / "samples" / f"{images:09d}.png"
    save_grid(page, path)
    return path


def write_metrics(
    run: Path, images: Sequence[int], skill: float, rng: np.random.Generator, broken_at: int | None = None
) -> None:
    """metrics.csv with losses, judgements, health and speed; from `broken_at` on nothing is finite."""
    columns = ["images", "loss/d", "loss/g", "loss/kl", "d/real", "d/wrong", "d/fake", "pairs/no_mismatch", "grad_norm/d", "grad_norm/g",
               "images_per_second", "lr/d", "lr/g", *(f"health/{name}" for name in VERDICTS)]  # fmt: skip
    scores = [metric + part for metric in SCORES for part in ("", "_std", "_real")]
    with (run / "metrics.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*columns, *scores])
        for count in images:
            part = count / max(images)
            good = skill * (1 - math.exp(-3 * part))
            values = [
                1.38 - 0.5 * good, 0.7 + 1.2 * good, 0.3 + 0.1 * part, 0.5 + 0.2 * good, 0.48, 0.5 - 0.2 * good, 0.0, 2 + 4 * good,
                3 + 6 * good, 190, 2e-4, 2e-4, *(0.2 + 0.7 * good for _ in VERDICTS),
            ]  # fmt: skip
            noisy = [value * (1 + 0.05 * rng.standard_normal()) for value in values]
            noisy[10] = noisy[11] = 2e-4
            writer.writerow(
                [count, *(["nan"] * len(values) if broken_at is not None and count >= broken_at else noisy)]
            )


def record(
    metric: str, value: float, images: int, captions: str = "test", samples: int = 1000, **changes: object
) -> ProtocolRecord:
    """A score; the rest of its protocol as training measures it."""
    kid = metric.startswith("kid")
    values = {
        "metric": metric, "value": value, "std": abs(value) / 20, "real": -0.002 if kid else 7.31, "network": "efflite0",
        "weights": "579344248a93e230", "resize": "bilinear, antialias, 128", "samples": samples, "real_samples": samples,
        "splits": 100 if kid else 10, "seed": 0, "captions": captions, "generator": "ema", "images": images,
        "details": {"subset_size": 500.0} if kid else {}, "provenance": PROVENANCE,
    }  # fmt: skip
    return ProtocolRecord(**{**values, **changes})  # type: ignore[arg-type]


def write_scores(run: Path, skill: float, images: int, captions: str, samples: int = 1000) -> None:
    """Both scores that training takes."""
    for metric, value in (("is_efflite0", 1 + 5 * skill), ("kid_efflite0", 2.5 - 2 * skill)):
        append_record(run, record(metric, value, images, captions, samples))


@cache
def configuration(variant: str, stage: str) -> dict[str, Any]:
    """A variant's whole configuration."""
    return asdict(composed(f"variant={variant}", f"stage={stage}"))


def write_run(
    study: Path,
    variant: str = "bn_adam",
    stage: str = "one",
    seed: int = 0,
    state: str = "done",
    skill: float = 0.8,
    points: int = 6,
    budget: int = 60_000,
    grids: bool = True,
    **status: object,
) -> Path:
    """A run folder in the given state; one that broke has 60% of its budget."""
    overrides = [f"variant={variant}", f"stage={stage}", f"seed={seed}", f"study={study.name}"]
    config = {**configuration(variant, stage), "seed": seed, "study": study.name, "images": budget}
    name = ",".join([variant, *(["stage=two"] if stage == "two" else []), *([f"seed={seed}"] if seed else [])])
    signature = f"{zlib.crc32(name.encode()):08x}"
    run = study / f"{name}-{signature}"
    run.mkdir(parents=True)
    (run / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    (run / "overrides.txt").write_text("".join(f"{override}\n" for override in overrides))
    rng = np.random.default_rng([seed, VARIANTS.index(variant) if variant in VARIANTS else 99, stage == "two"])
    end = budget if state == "done" else budget * 6 // 10
    times = [budget * (i + 1) // points for i in range(points) if budget * (i + 1) // points <= end]
    write_metrics(
        run, [end * (i + 1) // 40 for i in range(40)], skill, rng, end * 9 // 10 if state == "diverged" else None
    )
    side = 64 if stage == "one" else 128
    for images in times:
        if grids:
            write_grid(run, images, skill * images / budget, side, seed=seed)
        write_scores(run, skill * images / budget, images, "validation", 500)
    if state == "done":
        write_scores(run, skill, end, "validation")
        write_scores(run, skill, end, "test")
    values = {"images": end, "budget": budget, "seconds": end / 180, "images_per_second": 181.5, "signature": signature,
              "data_fingerprint": f"data{side}", "train_images": 6000, "versions": VERSIONS, "provenance": PROVENANCE, "folder": run.name,
              "scores": dict(zip(SCORES[: 4 if state == "done" else 2], 2 * (1 + 5 * skill, 2.5 - 2 * skill), strict=False))}  # fmt: skip
    Status(state, **{**values, **status}).write(run)  # type: ignore[arg-type]
    return run


def write_study(
    study: Path, runs: Sequence[Path], waiting: Sequence[Sequence[str]] = (), finished: bool = False
) -> None:
    """study.json over these runs and over jobs that have not begun."""
    jobs: list[dict[str, object]] = []
    for run in runs:
        status = json.loads((run / "status.json").read_text())
        job = {key: status[key] for key in ("signature", "state", "reason", "images", "budget", "scores", "verdicts")}
        jobs.append({**job, "overrides": (run / "overrides.txt").read_text().split(), "folder": run.name})
    for overrides in waiting:
        nothing = {"state": "waiting", "reason": "", "images": 0, "budget": 60_000, "scores": {}, "verdicts": []}
        jobs.append({**nothing, "overrides": list(overrides), "folder": None})
    for number, job in enumerate(jobs):
        job |= {"job": number, "parent": None, "signature": job.get("signature", "")}
    about = {"name": study.name, "command": ["src/train.py", "sweep=six_variants"], "created": "2026-11-25T03:00:00",
             "updated": "2026-11-25T04:00:00", "finished": finished, "jobs": jobs}  # fmt: skip
    (study / "study.json").write_text(json.dumps(about))


@contextmanager
def locked(run: Path) -> Iterator[None]:
    """Hold a run's lock as the process that trains it does."""
    with (run / ".lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def mixed_study(study: Path, seeds: Sequence[int] = (0,), points: int = 6) -> list[Path]:
    """Six variants in many states, both stages: done, diverged, collapsed, failed, running or interrupted, waiting."""
    verdict = {
        "name": "mode_collapse", "images": 24_000, "value": 0.03, "threshold": 0.2,
        "sentence": "Different noise gives nearly the same picture: 0.03 of the spread (threshold 0.2). People try dropout",
    }  # fmt: skip
    runs = []
    for seed in seeds:
        skills = dict(zip(VARIANTS, (0.15, 0.4, 0.55, 0.7, 0.85, 0.5), strict=True))
        for variant in VARIANTS:
            extra: dict[str, object] = {"state": "done"}
            if variant == "lr_x10":
                extra = {"state": "diverged", "reason": "loss/d is not finite after 36,000 images"}
            if variant == "bn_adam":
                extra = {
                    "verdicts": [verdict],
                    "events": [{"images": 20_000, "sentence": "went on after an interruption"}],
                }
            if variant == "nobn_adam":
                black = {
                    "name": "black",
                    "images": 10_000,
                    "value": 0.001,
                    "threshold": 0.02,
                    "sentence": "The pictures are all of one colour",
                }
                extra = {"state": "collapsed", "reason": "stopped by health.policy=stop", "verdicts": [black]}
            runs.append(
                write_run(study, variant, "one", seed, skill=skills[variant] + 0.02 * seed, points=points, **extra)
            )  # type: ignore[arg-type]
        runs.append(write_run(study, "bn_adam", "two", seed, skill=0.75, points=points))
        runs.append(write_run(study, "bn_adam_wgan_dropout", "two", seed, state="running", skill=0.9, points=points))
    return runs
