"""A score with everything needed to compare it, or to see that it cannot be compared."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from stackgan.run_directory import write_atomically


@dataclass(frozen=True)
class ProtocolRecord:
    """One row of `evaluation.json`."""

    metric: str  # with the feature network in its name: is, is_efflite0
    value: float
    std: float | None  # over the splits or subsets; None where there are none
    real: float  # the same score of as many real pictures of the same split
    network: str
    weights: str  # sha256 of the feature network's weights, 16 hex digits
    resize: str
    samples: int
    real_samples: int
    splits: int
    seed: int
    captions: str  # which split's captions: validation | test
    generator: str  # ema | raw
    images: int  # images seen in training
    details: dict[str, float] = field(default_factory=dict)  # the value's parts


def append_record(run: Path, record: ProtocolRecord) -> None:
    """Add to the run's evaluation.json; a repeated measurement replaces the earlier one."""
    path = run / "evaluation.json"
    rows = json.loads(path.read_text()) if path.exists() else []
    key = ("metric", "captions", "samples", "images", "seed")
    new = asdict(record)
    rows = [row for row in rows if any(row[k] != new[k] for k in key)]
    write_atomically(path, json.dumps([*rows, new], indent=1) + "\n")


def describe(record: ProtocolRecord) -> str:
    """A record for the terminal: value, spread, the same of real pictures, how many pictures; then its parts, a line each."""
    std = "" if record.std is None else f" +- {record.std:.4f}"
    line = f"{record.metric:20} {record.value:.4f}{std}   (real pictures {record.real:.4f}; {record.samples} pictures)"
    return "\n".join([line, *(f"    {name:28} {value:.3f}" for name, value in record.details.items())])
