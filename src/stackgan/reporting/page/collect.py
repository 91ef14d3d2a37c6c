"""A study's folder as plain records: its jobs and runs, whatever state they are in."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from stackgan.evaluation.record import ProtocolRecord
from stackgan.reporting.page.files import FolderReader, mapping, number, sequence, text, whole
from stackgan.reporting.page.labels import label, setting_parts, shared_parts, spelled_out, varying_keys
from stackgan.run_directory import is_running

RUN_FILES = ("status.json", "config.yaml", "metrics.csv")
STATES = (
    "running", "done", "diverged", "collapsed", "preempted", "interrupted", "skipped", "failed", "waiting", "unknown",
)  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """Something that went wrong, as the health monitor recorded it."""

    name: str
    sentence: str = ""
    images: int | None = None  # when it was first seen
    until: int | None = None  # when it was over; None: it still holds
    value: float | None = None
    threshold: float | None = None


@dataclass(frozen=True)
class Sample:
    """A sample grid: images seen, and the picture."""

    images: int
    path: Path


@dataclass
class RunRecord:
    """One row of the study: a job, a run, or both."""

    name: str  # the folder's, or the job's overrides
    job: int | None = None
    folder: Path | None = None
    state: str = "unknown"  # one of STATES
    reason: str = ""
    images: int = 0
    budget: int = 0
    train_images: int = 0  # pictures of the training split; 0: not recorded
    seconds: float = 0.0
    images_per_second: float = 0.0
    signature: str = ""
    fingerprint: str = ""  # of the data
    versions: dict[str, str] = field(default_factory=dict)
    provenance: dict[str, str] = field(default_factory=dict)  # of the last session
    verdicts: list[Verdict] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    scores: dict[str, float] = field(default_factory=dict)  # as the status quotes them, without protocol
    left_out: dict[str, str] = field(default_factory=dict)  # scores that were due and not taken, as "kid/test": why
    records: list[ProtocolRecord] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)  # flat: {"optim.beta1": 0.5}
    overrides: list[str] = field(default_factory=list)  # the run's own
    asked: list[str] = field(default_factory=list)  # the job's, which may have found it finished under others
    rows: list[dict[str, float]] = field(default_factory=list)  # of metrics.csv
    samples: list[Sample] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)  # of the setting: the name's choices without stage and seed
    label: str = ""  # the setting by what differs in the study

    @property
    def stage(self) -> str:
        """one | two | "" where it is not known."""
        return text(self.config.get("stage.name")) or _choice(self.overrides, "stage")

    @property
    def seed(self) -> str:
        return text(self.config.get("seed")) or _choice(self.overrides, "seed")

    @property
    def key(self) -> str:
        """The row's name in the page, unique in a study."""
        return self.folder.name if self.folder else f"job-{self.job}"


@dataclass
class Study:
    """What a study's folder holds."""

    folder: Path
    name: str
    command: list[str]
    runs: list[RunRecord]
    shared: list[str]  # choices in the names of all runs, which their labels leave out
    problems: list[str]


def read_study(folder: Path) -> Study:
    """Read study.json, if there is one, and every run folder below. Raises nothing: what cannot be read is named."""
    reader = FolderReader(folder)
    about = mapping(reader.json("study.json"))
    jobs = [mapping(job) for job in sequence(about.get("jobs"))]
    runs = [_guarded(folder, job) for job in jobs]
    named = {run.folder for run in runs}
    runs += [_guarded(folder, {"folder": path.name}) for path in run_folders(folder) if path not in named]
    shared = shared_parts([run.parts for run in runs])
    vary = varying_keys([run.parts for run in runs], shared, [run.asked for run in runs])
    for run in runs:
        run.label = label(spelled_out(run.parts, [*run.asked, *run.overrides], vary), shared)
        run.name = run.name or run.label
    _name_apart(runs)
    command = [text(part) for part in sequence(about.get("command"))]
    command = ["python", *command] if command else []  # study.json has the arguments alone, the script first
    name = text(about.get("name")) or folder.resolve().name
    return Study(folder, name, command, runs, shared, reader.problems)


def run_folders(folder: Path) -> Iterator[Path]:
    """The folders of runs in a study's folder."""
    try:
        paths = sorted(folder.iterdir())
    except OSError:
        return
    for path in paths:
        if not path.name.startswith(".") and any((path / name).is_file() for name in RUN_FILES):
            yield path


def _guarded(study: Path, job: dict[str, Any]) -> RunRecord:
    """One odd folder must not cost the page: its row says what happened."""
    try:
        return _read_run(study, job)
    except Exception as error:
        name = text(job.get("folder")) or "a job"
        return RunRecord(name, parts=[name], problems=[f"could not be read ({type(error).__name__}: {error})."])


def _read_run(study: Path, job: dict[str, Any]) -> RunRecord:
    name = Path(text(job.get("folder"))).name  # a name, never a path out of the study
    folder = study / name if name else None
    there = folder is not None and folder.is_dir()
    run = RunRecord(name, job=whole(job["job"]) if number(job.get("job")) is not None else None)
    run.folder = folder if there else None
    run.overrides = run.asked = [text(override) for override in sequence(job.get("overrides"))]
    if folder is not None and there:
        reader = FolderReader(folder)
        run.overrides = reader.lines("overrides.txt") or run.overrides
        run.config = dict(_flat(reader.yaml("config.yaml")))
        run.rows = reader.table("metrics.csv", "images")
        run.records = _records(reader)
        run.samples = _samples(folder)
        _take_status(run, mapping(reader.json("status.json")), job, is_running(folder))
        run.problems = reader.problems
    else:
        _take_status(run, {}, job, False)
        if name and run.state not in ("waiting", "running", "skipped"):
            run.problems.append(f"Its folder {name} is not there.")
    variant = text(run.config.get("variant")) or _choice(run.overrides, "variant")
    run.parts = setting_parts(run.name, variant, run.overrides)
    return run


def _take_status(run: RunRecord, status: dict[str, Any], job: dict[str, Any], alive: bool) -> None:
    """The run's own record comes first; where it has none, the job's."""
    both = job | status
    run.state = text(both.get("state"))
    if alive and run.state != "done":
        run.state = "running"  # the lock says more than a status of its last session
    run.reason = text(both.get("reason")) or text(job.get("reason"))
    run.images, run.budget = whole(both.get("images")), whole(both.get("budget"))
    run.train_images = whole(both.get("train_images"))
    run.seconds = number(both.get("seconds")) or 0.0
    run.images_per_second = number(both.get("images_per_second")) or 0.0
    run.signature, run.fingerprint = text(both.get("signature")), text(both.get("data_fingerprint"))
    run.versions = {key: text(value) for key, value in mapping(both.get("versions")).items()}
    run.provenance = {key: _said(value) for key, value in mapping(both.get("provenance")).items() if _said(value)}
    run.verdicts = [_verdict(entry) for entry in sequence(both.get("verdicts"))]
    run.events = [_event(entry) for entry in sequence(both.get("events"))]
    scores = {key: number(value) for key, value in mapping(both.get("scores")).items()}
    run.scores = {key: value for key, value in scores.items() if value is not None}
    run.left_out = {key: text(value) for key, value in mapping(both.get("left_out")).items() if text(value)}
    if run.state == "running" and not status:
        run.reason = "starting"
    elif run.state == "running" and not alive:  # the lock is free: its process ended without a word
        run.state = "interrupted"
        run.reason = text(job.get("reason")) or "its process ended before it could say why; the same command goes on"
    if run.state not in STATES:
        run.reason = run.reason or (f"state {run.state!r} is not known" if run.state else "no readable status.json")
        run.state = "unknown"
    if run.rows:
        run.images = run.images or int(run.rows[-1]["images"])
        if not run.images_per_second:
            speeds = [row["images_per_second"] for row in run.rows if number(row.get("images_per_second"))]
            run.images_per_second = speeds[-1] if speeds else 0.0
    run.budget = run.budget or whole(run.config.get("images"))


def _said(value: Any) -> str:
    return text(value).lower() if isinstance(value, bool) else text(value)


def _verdict(entry: Any) -> Verdict:
    if not isinstance(entry, dict):
        return Verdict(text(entry))
    images, until = (whole(entry[key]) if number(entry.get(key)) is not None else None for key in ("images", "until"))
    name, sentence = text(entry.get("name")) or "unnamed", text(entry.get("sentence"))
    return Verdict(name, sentence, images, until, number(entry.get("value")), number(entry.get("threshold")))


def _event(entry: Any) -> str:
    if not isinstance(entry, dict):
        return text(entry)
    return f"{whole(entry.get('images')):,} images: {text(entry.get('sentence'))}"


def _records(reader: FolderReader) -> list[ProtocolRecord]:
    """The rows of evaluation.json that are whole; each takes the fields of today's record, whatever else it has."""
    names = [entry.name for entry in fields(ProtocolRecord)]
    found, broken = [], 0
    for row in map(mapping, sequence(reader.json("evaluation.json"))):
        value, images = number(row.get("value")), number(row.get("images"))
        values = {name: row[name] for name in names if name in row}
        values |= {"metric": text(row.get("metric")), "value": value, "images": whole(images)}
        values |= {"std": number(row.get("std")), "real": number(row.get("real"))}
        try:
            record = ProtocolRecord(**values)
        except TypeError:  # a field is missing
            value = None
        if value is None or images is None:
            broken += 1
        else:
            found.append(record)
    if broken:
        reader.problems.append(f"evaluation.json: {broken} records are incomplete or not finite; left out.")
    return found


def _samples(folder: Path) -> list[Sample]:
    paths = [path for path in (folder / "samples").glob("*.png") if path.stem.isdecimal()]
    return sorted((Sample(int(path.stem), path) for path in paths), key=lambda sample: sample.images)


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(mapping(value), f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _choice(overrides: list[str], key: str) -> str:
    values = [value for name, _, value in (o.partition("=") for o in overrides) if name == key]
    return values[-1] if values else ""


def _name_apart(runs: list[RunRecord]) -> None:
    """Runs of one label, stage and seed that are not the same run get their signature into the label."""
    places: dict[tuple[str, str, str], list[RunRecord]] = {}
    for run in runs:
        places.setdefault((run.label, run.stage, run.seed), []).append(run)
    for same in places.values():
        if len(same) > 1:
            for run in same:
                run.label += f" · {run.key.rpartition('-')[2]}"
