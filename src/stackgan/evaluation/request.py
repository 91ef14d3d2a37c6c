"""What to measure, and how."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from stackgan.config import one_sentence
from stackgan.errors import UserError
from stackgan.evaluation.registry import FEATURES, KINDS, LEAST, METRICS
from stackgan.evaluation.weight_files import NETWORKS, TRAINED, official_or_packaged

BY_NETWORK = {kind.name for kind in KINDS if kind.judge == FEATURES}  # read from what the chosen network says
WEIGHTS, FRAMES = ("ema", "raw", "best"), ("report", "crop", "off")
SAMPLES = 1000
CHOICES = {"weights": WEIGHTS, "frames": FRAMES, "network": NETWORKS, "bad_images": ("stop", "skip")}


@dataclass(frozen=True)
class ScoreRequest:
    """The options of src/evaluate.py; conf/evaluate.yaml says what each means. Raises UserError for one that is not possible."""

    samples: int | None = None
    splits: int = 10
    seed: int = 0
    truncation: float = 1.0
    weights: str = "ema"
    network: str = "auto"
    network_path: Path | None = None
    metrics: list[str] = field(default_factory=lambda: list(METRICS))
    frames: str = "report"
    clip: Path | None = None
    diversity_captions: int = 16
    diversity_noises: int = 8
    real_samples: int | None = None
    size: int | None = None
    bad_images: str = "stop"
    batch_size: int = 50
    devices: int = 1
    cache: Path | None = None

    def __post_init__(self) -> None:
        for key, allowed in CHOICES.items():
            if getattr(self, key) not in allowed:
                raise UserError(f"{key}={getattr(self, key)} is not known; choose one of {', '.join(allowed)}.")
        unknown = [metric for metric in self.metrics if metric not in METRICS]
        if unknown or not self.metrics:
            raise UserError(f"metrics={list(self.metrics)}: choose of {', '.join(METRICS)}.")
        least = {"splits": 1, "batch_size": 1, "devices": 1, "diversity_captions": 1, "diversity_noises": 2}
        for key, value in least.items():
            if getattr(self, key) < value:
                raise UserError(f"{key}={getattr(self, key)} must be at least {value}.")
        if self.truncation < 0:
            raise UserError(f"truncation={self.truncation} must not be negative.")
        if self.real_samples is not None and self.real_samples < LEAST:
            raise UserError(f"real_samples={self.real_samples} must be at least {LEAST} (or null for all).")
        if self.size is not None and self.size < 16:
            raise UserError(f"size={self.size} must be at least 16 (or null).")
        if self.samples is not None:
            self.enough(self.samples)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "ScoreRequest":
        """From what a command line says. Raises UserError for a value of another type."""
        schema = OmegaConf.structured(cls)
        OmegaConf.set_readonly(schema, False)
        try:
            options: Any = OmegaConf.to_container(OmegaConf.merge(schema, dict(values)))
        except OmegaConfBaseException as error:
            raise UserError(one_sentence(error)) from error
        return cls(**options)

    def check_network(self) -> None:
        """Refuse a feature network whose files are not at hand, but for one trained on the data set. Raises UserError."""
        path = self.network_path
        if path is not None and self.network == "efflite0":
            raise UserError(f"network_path={path} changes nothing: network=efflite0 has the weights of its package.")
        if path is not None and not path.exists():
            raise UserError(
                f"network_path={path} does not exist; give a file of weights, or a folder of src/fit_classifier.py."
            )
        if self.network not in TRAINED and any(metric in BY_NETWORK for metric in self.metrics):
            official_or_packaged(self.network, None if path is None else str(path), "network_path")

    def enough(self, pictures: int, what: str = "samples") -> None:
        """Raises UserError where there are too few pictures to score."""
        least = max(self.splits, LEAST)
        if pictures < least:
            raise UserError(
                f"{what}={pictures} is too few: splits={self.splits} and the other scores need at least {least} pictures."
            )
