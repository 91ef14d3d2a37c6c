"""What the scripts beside train.py are asked for: their keys, types and checks. No torch here.

conf/<script>.yaml holds the defaults and says what each key means.
"""

import math
from dataclasses import dataclass, field
from typing import TypeVar

from omegaconf import DictConfig

from stackgan.cli.script import PATHS, Script
from stackgan.config import Config, Data, Text, as_schema
from stackgan.errors import UserError

MOST = 10_000
DEVICES = ("auto", "cpu", "cuda")


@dataclass
class Request:
    """What every script is asked for."""

    outputs: str = "outputs"

    def check(self) -> None:
        """Refuse what cannot be meant. Raises UserError."""


@dataclass
class GenerateRequest(Request):
    run: str | None = None
    caption: str | None = None
    captions: str | None = None
    count: int = 8
    seed: int = 0
    truncation: float = 1.0
    out: str | None = None
    device: str = "auto"

    def check(self) -> None:
        check_run(self.run)
        if self.caption is not None and self.captions is not None:
            raise UserError("caption and captions both say what to draw; give one of them.")
        if self.caption is None and self.captions is None:
            raise UserError("nothing to draw: give caption='a small red bird' or captions=<text file, one a line>.")
        check_device(self.device)
        check_least(self, count=1, seed=0)
        if self.count > MOST:
            raise UserError(f"count={self.count} must be at most {MOST:,}: pictures of each caption.")
        if not (math.isfinite(self.truncation) and self.truncation >= 0):
            raise UserError(f"truncation={self.truncation} must be a number of at least 0.")


@dataclass
class DemoRequest(Request):
    run: str | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    count: int = 8
    device: str = "auto"

    def check(self) -> None:
        check_run(self.run)
        check_device(self.device)
        check_least(self, count=1, port=0)
        if self.port > 65535:
            raise UserError(f"port={self.port} must be at most 65535; 0 takes a free one.")


@dataclass
class StudyRequest(Request):
    """Of report.py."""

    study: str | None = None


@dataclass
class TableRequest(Request):
    study: str | None = None
    run: str | None = None

    def check(self) -> None:
        if (self.study is None) == (self.run is None):
            raise UserError("give one of study=<folder of runs> and run=<run folder>.")


@dataclass
class WorkspaceRequest(Request):
    entity: str | None = None
    project: str = "stackgan"
    study: str | None = None
    metric: str = "kid_efflite0"

    def check(self) -> None:
        if self.entity is None:
            raise UserError("no entity: give entity=<your W&B user or team>.")


@dataclass
class EvaluateRequest(Request):
    """`data` and `text` belong to images=; the other keys go to ScoreRequest, which checks them."""

    run: str | None = None
    study: str | None = None
    images: str | None = None
    size: int | None = None
    bad_images: str = "stop"
    samples: int | None = None
    real_samples: int | None = None
    metrics: list[str] = field(default_factory=list)
    network: str = "auto"
    network_path: str | None = None
    clip: str | None = None
    weights: str = "ema"
    truncation: float = 1.0
    seed: int = 0
    splits: int = 10
    frames: str = "report"
    diversity_captions: int = 16
    diversity_noises: int = 8
    batch_size: int = 50
    devices: int = 1
    cache: str | None = None
    wandb: bool = False
    data: Data = field(default_factory=Data)
    text: Text = field(default_factory=Text)


@dataclass
class FitRequest(Config):
    """A run's configuration, of which the data set, seed, budget and device are read, and what fit_classifier.py is asked for."""

    network: str = "classifier"
    imagenet_weights: str | None = None
    image_size: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    folder: str | None = None


GENERATE = Script("generate", GenerateRequest, ("run", "captions", "out", "outputs"), texts=("caption",))
DEMO = Script("demo", DemoRequest, ("run", "outputs"))
REPORT = Script("report", StudyRequest, ("study", "outputs"))
TABLE = Script("table", TableRequest, ("study", "run", "outputs"))
WORKSPACE = Script("workspace", WorkspaceRequest, (), ("entity", "project", "study"))
EVALUATE = Script("evaluate", EvaluateRequest, ("run", "study", "images", "cache", "clip", "network_path", *PATHS))
FIT = Script("fit_classifier", FitRequest, (*PATHS, "imagenet_weights", "folder"), ("study",))
PREPARE = Script("prepare_data", Config, PATHS, ("study",))

R = TypeVar("R", bound=Request)


def request_of(composed: DictConfig, schema: type[R]) -> R:
    """The composed configuration of a script in its types, checked. Raises UserError."""
    request = as_schema(composed, schema)
    request.check()
    return request


def check_run(run: str | None) -> None:
    """Refuse to go on without one. Raises UserError."""
    if run is None:
        raise UserError("no run: give run=<folder of a finished run>, its signature, or run=latest.")


def check_device(device: str) -> None:
    """Refuse a device that is none. Raises UserError."""
    if device not in DEVICES:
        raise UserError(f"device={device} is not known; choose one of {', '.join(DEVICES)}.")


def check_least(request: Request, **least: int) -> None:
    """Refuse numbers below their least. Raises UserError."""
    for key, value in least.items():
        if getattr(request, key) < value:
            raise UserError(f"{key}={getattr(request, key)} must be at least {value}.")
