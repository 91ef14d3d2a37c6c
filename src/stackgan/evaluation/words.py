"""Scores of a run for people: what it came to, what it lacks and why. No torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stackgan.config import Evaluation
from stackgan.evaluation.record import ProtocolRecord, recorded
from stackgan.evaluation.registry import LEAST, by_name
from stackgan.run_directory import Status

if TYPE_CHECKING:
    from stackgan.data.store import ImageStore


def scores_in_words(final: Sequence[ProtocolRecord]) -> str:
    """The scores that runs are compared by, each beside that of real images."""
    shown = {record.metric: record for record in final if record.captions == "validation"}
    parts = []
    for name in by_name(shown.values()):
        value, real = shown[name].value, shown[name].real
        parts.append(f"{name} {value:.3f}" + ("" if real is None else f" (real {real:.3f})"))
    return f"{', '.join(parts)}, on validation captions" if parts else ""


def left_out_in_words(left_out: Mapping[str, str]) -> str:
    """The scores that were not taken, those of one reason together: `kid/test, is/test (no test images)`."""
    reasons: dict[str, list[str]] = {}
    for name, why in left_out.items():
        reasons.setdefault(why, []).append(name)
    return "; ".join(f"{', '.join(names)} ({why})" for why, names in reasons.items())


def lacking_in_words(plan: Evaluation, status: Status, run: Path, store: ImageStore) -> Iterator[str]:
    """Of a finished run: the scores that it could not take, and how to take those that this command asks for and it was not."""
    if status.left_out:
        yield f"scores not taken: {left_out_in_words(status.left_out)}"
    taken = {row["samples"] for row in recorded(run) if row["captions"] == "test" and row["images"] == status.images}
    lacking = (plan.final_samples is not None and not taken) or plan.full_samples not in (None, *taken)
    if lacking and len(store.indices("test")) >= LEAST:
        samples = plan.full_samples or plan.final_samples
        yield f"it was trained without these scores: python src/evaluate.py run='{run}' samples={samples}"
