"""dry_run=true: what a sweep would do, without doing any of it."""

from collections.abc import Sequence
from typing import Any

from hydra_plugins.isolated_launcher.jobs import Job, differences, label
from hydra_plugins.isolated_launcher.study import columns
from stackgan.config import requested_budget
from stackgan.run_directory import is_running


def listing(jobs: Sequence[Job]) -> str:
    """A table of the jobs (what is there, images to train, run folder, the choice), and how their settings differ."""
    rows = [("job", "now", "to train", "run", "choices")]
    for job in jobs:
        rows.append((str(job.number), _now(job), _to_train(job), _run(job), label(job, jobs)))
    lines = columns(rows)
    changed = differences(jobs)
    if changed[0]:
        lines += ["", "settings that differ (after the first job: from its)"]
        lines += [f"{job.number}: {_settings(values)}" for job, values in zip(jobs, changed, strict=True)]
    return "\n".join([*lines, "", _total(jobs)])


def _now(job: Job) -> str:
    if job.waits_for_stage_one():
        return "waits for its Stage I"
    if job.twin is not None:
        return f"after job {job.twin.number}, the same run"
    if job.lacks is not None or job.folder is None:
        return "cannot start"  # without a folder its reason stands in the column of the run
    if job.finished():
        assert job.status is not None
        return job.status.state
    if is_running(job.folder):
        return f"being trained, at {job.images:,} images"
    return f"goes on at {job.images:,} images" if job.images else "new"


def _run(job: Job) -> str:
    if job.folder is not None:
        return job.folder.name
    if job.parent is not None:
        return f"{job.name} on job {job.parent.number}"
    return job.reason or job.name


def _left(job: Job) -> int | None:
    """Images to train; None where they depend on the size of a data set not yet seen."""
    if job.finished():
        return 0
    if job.budget is None:
        return None
    before = job.twin.budget or 0 if job.twin else 0
    return max(0, job.budget - max(before, job.images))


def _to_train(job: Job) -> str:
    left = _left(job)
    return f"{left:,}" if left is not None else f"{requested_budget(job.config)[1]} epochs"


def _total(jobs: Sequence[Job]) -> str:
    known = [left for job in jobs if (left := _left(job)) is not None]
    epochs = len(jobs) - len(known)
    rest = f", and {epochs} jobs whose budget is in epochs" if epochs else ""
    return f"{len(jobs)} jobs, {sum(known):,} images to train{rest}; nothing was started (dry_run=true)"


def _settings(values: dict[str, Any]) -> str:
    words = (f"{key.removesuffix('.name')}={'null' if value is None else value}" for key, value in values.items())
    return " ".join(words) or "the same"
