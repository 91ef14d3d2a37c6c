"""dry_run=true: what a sweep would do, without doing any of it."""

import textwrap
from collections.abc import Sequence
from typing import Any

from hydra_plugins.isolated_launcher.jobs import Job, differences, varying
from hydra_plugins.isolated_launcher.study import columns
from stackgan.cli.spelling import shown
from stackgan.config import requested_budget
from stackgan.run_directory import is_running

WIDTH = 120  # of a line of text
UNBROKEN = "\u00a0"  # a space at which no line ends


def listing(jobs: Sequence[Job]) -> str:
    """What all jobs have in common, a table of what differs, and the settings that follow from it."""
    chosen = [dict(shown(override).split("=", 1) for override in varying(job, jobs)) for job in jobs]
    keys = list(dict.fromkeys(key for choices in chosen for key in choices))
    table = {key: [choices.get(key, "") for choices in chosen] for key in keys}
    table |= {"now": [_now(job) for job in jobs], "to train": [_to_train(job) for job in jobs]}
    same = [name for name in ("now", "to train") if len(jobs) > 1 and len(set(table[name])) == 1]
    common = [shown(override) for override in jobs[0].overrides if override not in varying(jobs[0], jobs)]
    said = [f"({name}: {table.pop(name)[0]})".replace(" ", UNBROKEN) for name in same]
    lines = [line.replace(UNBROKEN, " ") for line in _wrapped(" ".join(["all jobs:", *common, *said]))]
    numbers = [str(job.number) for job in jobs]
    lines += columns([("job", *table, "run"), *zip(numbers, *table.values(), map(_run, jobs), strict=True)])
    return "\n".join([*lines, *_consequences(jobs, keys), "", _total(jobs)])


def _consequences(jobs: Sequence[Job], chosen: Sequence[str]) -> list[str]:
    """Settings that differ because of what is chosen: of the first job those that do, of the others where they are not as its."""
    lines = []
    for job, changed in zip(jobs, differences(jobs), strict=True):
        values = {key: value for key, value in changed.items() if key.removesuffix(".name") not in chosen}
        if values:
            lines += _wrapped(f"{job.number}: {_settings(values)}")
    return ["", "settings that follow (after the first job: where they differ from its)", *lines] if lines else []


def _wrapped(line: str) -> list[str]:
    return textwrap.wrap(line, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


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
    """The signature at the end of its folder's name, by which it can be asked for anywhere."""
    if job.folder is not None:
        return job.folder.name.rpartition("-")[2]
    if job.parent is not None:
        return f"on job {job.parent.number}"
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
    return f"{len(jobs)} {'job' if len(jobs) == 1 else 'jobs'}, {sum(known):,} images to train{rest}; nothing was started (dry_run=true)"


def _settings(values: dict[str, Any]) -> str:
    words = (f"{key.removesuffix('.name')}={'null' if value is None else value}" for key, value in values.items())
    return " ".join(words)
