"""A score with everything needed to compare it, or to see that it cannot be compared.

`evaluation.json` is the one source of every number that is shown: the study page, the table and the W&B summary read it.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from stackgan.evaluation.registry import whole_name
from stackgan.run_directory import write_atomically

RECORDS = "evaluation.json"

# What was found; all other fields say how, and two records that agree in those are two measurements of one thing.
FOUND = ("value", "std", "real", "real_train", "shuffled", "low", "high", "details", "provenance")


@dataclass(frozen=True)
class ProtocolRecord:
    """One row of `evaluation.json`. Fields with a default came later: rows of earlier versions lack them."""

    metric: str  # with the feature network in its name: is, is_efflite0
    value: float
    std: float | None  # over the splits, subsets or captions; None where there are none
    real: float | None  # the same score of real test pictures; None where it has no meaning
    network: str
    weights: str  # sha256 of the feature network's weights, 16 hex digits
    resize: str
    samples: int
    real_samples: int
    splits: int
    seed: int
    captions: str  # which split's captions: validation | test; or whose
    generator: str  # ema | raw | best; folder: pictures from elsewhere
    images: int  # images seen in training
    details: dict[str, float] = field(default_factory=dict)  # the value's parts
    real_train: float | None = None  # the same score of real training pictures in place of the generated ones
    shuffled: float | None = None  # the same score with each picture beside another one's caption
    low: float | None = None  # 95 % bootstrap interval over pictures
    high: float | None = None
    truncation: float = 1.0  # factor on the noise
    frames: str = "kept"  # kept | cropped: frames of one colour around pictures
    image_size: int = 0  # side of the pictures in pixels; 0: not recorded
    data: str = ""  # fingerprint of the data set; "": not recorded
    subject: str = ""  # name of the folder of pictures; "": the run's generator
    provenance: dict[str, Any] = field(default_factory=dict)  # of the measurement: stackgan.provenance


def append_records(folder: Path, records: Iterable[ProtocolRecord]) -> None:
    """Add to the folder's evaluation.json in one step; a repeated measurement replaces the earlier one."""
    rows = recorded(folder)
    for record in records:
        new = asdict(record)
        rows = [row for row in rows if _protocol(row) != _protocol(new)] + [new]
    write_atomically(folder / RECORDS, json.dumps(rows, indent=1) + "\n")


def recorded(folder: Path) -> list[dict[str, Any]]:
    """The rows of the folder's evaluation.json, none where there is none."""
    path = folder / RECORDS
    return json.loads(path.read_text()) if path.exists() else []  # type: ignore[no-any-return]


def append_record(folder: Path, record: ProtocolRecord) -> None:
    """`append_records` of one."""
    append_records(folder, [record])


def _protocol(row: dict[str, Any]) -> dict[str, Any]:
    return {each.name: row.get(each.name, each.default) for each in fields(ProtocolRecord) if each.name not in FOUND}


def summary(records: Iterable[ProtocolRecord]) -> dict[str, float]:
    """`score/<metric>/test` of each record of test captions; without frames: `score/<metric>_cropped/test`."""
    return {
        f"score/{whole_name(record.metric + ('_cropped' if record.frames == 'cropped' else ''), record.captions)}": record.value
        for record in records
    }


def describe(record: ProtocolRecord) -> str:
    """A record for the terminal: value, spread, what to hold beside it, how many pictures; then its parts, a line each."""
    name = record.metric + (" (frames cropped)" if record.frames == "cropped" else "")
    std = "" if record.std is None else f" +- {record.std:.4f}"
    anchors = {
        "real": record.real, "real train": record.real_train, "shuffled captions": record.shuffled,
    }  # fmt: skip
    beside = [f"{anchor} {value:.4f}" for anchor, value in anchors.items() if value is not None]
    if record.low is not None and record.high is not None:
        beside.insert(0, f"95 % {record.low:.4f}..{record.high:.4f}")
    line = f"{name:28} {record.value:.4f}{std}   ({'; '.join([*beside, f'{record.samples} pictures'])})"
    return "\n".join([line, *(f"    {part:28} {value:.3f}" for part, value in record.details.items())])
