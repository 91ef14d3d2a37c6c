"""Any folder of pictures with captions.csv or captions.jsonl, and a validator that names every bad row.

    captions.csv      file,caption[,class][,split]                        a header, then one caption a row
    captions.jsonl    {"file": "a/b.png", "caption": "a red bird"}        one object a line, same keys

`file` is relative to the folder; a file may have several rows. `split` is train, validation or test.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import cast

from stackgan.data.folder_rows import Row, read_csv, read_jsonl
from stackgan.data.image_files import MISSING, BadImages, reasons_why_bad
from stackgan.data.records import SPLITS, Record, Source, Split, hash_fraction
from stackgan.data.splits import split_by_hash
from stackgan.errors import UserError

NAMED_AT_MOST = 20


@dataclass(frozen=True)
class Bad:
    """A row that cannot be used, and why."""

    line: int  # from 1, as an editor counts
    reason: str


def read_folder(root: Path, *, name: str = "folder", bad_images: BadImages = "stop") -> Source:
    """Read and check the folder; pictures without a `split` are divided 80/10/10 by a hash of their name.

    Args:
        bad_images: with "skip" the image files are not opened here; `build_store` leaves out those that cannot be read.

    Raises:
        UserError: one for all bad rows, naming the first 20 by line and how many there are: a missing or unreadable
            picture, an empty caption, an unknown split, a doubled row, two splits or classes for one picture, bad JSON.
    """
    root = Path(root)
    listing = find_listing(root)
    rows, bad_lines, unused = read_csv(listing) if listing.suffix == ".csv" else read_jsonl(listing)
    bad = [Bad(line, reason) for line, reason in bad_lines]
    bad += _bad_values(rows) + _conflicts(rows) + _bad_files(root, rows, bad_images)
    if bad:
        _refuse(listing, bad)
    if not rows:
        raise UserError(f"{listing} lists no picture; give it at least one row with a file and a caption.")
    splits, notes = _splits(rows)
    classes = {label: i for i, label in enumerate(sorted({row.label for row in rows if row.label}), start=1)}
    labels = {row.file: classes[row.label] for row in rows if row.label}
    captions: dict[str, list[str]] = {}
    for row in rows:
        captions.setdefault(row.file, []).append(row.caption)
    records = tuple(
        Record(file, root / file, tuple(texts), splits[file], labels.get(file)) for file, texts in captions.items()
    )
    if unused:
        notes.append(f"Columns of {listing.name} that are not used: {', '.join(sorted(unused))}.")
    return Source(name, root, records, {i: label for label, i in classes.items()}, tuple(notes))


def find_listing(root: Path) -> Path:
    """captions.csv or captions.jsonl. Raises UserError where the folder has neither or both."""
    found = [root / name for name in ("captions.csv", "captions.jsonl") if (root / name).is_file()]
    if len(found) == 2:
        raise UserError(f"data.root: {root} holds both captions.csv and captions.jsonl; keep one of them.")
    if not found:
        state = "is no folder" if root.exists() else "does not exist"
        state = "has no captions.csv or captions.jsonl" if root.is_dir() else state
        raise UserError(f"data.root: {root} {state}; write one row `file,caption` for each picture and caption.")
    return found[0]


def _bad_values(rows: Sequence[Row]) -> list[Bad]:
    bad: list[Bad] = []
    seen: dict[tuple[str, str], int] = {}
    for row in rows:
        if not row.caption:
            bad.append(Bad(row.line, "the caption is empty"))
        if row.split not in ("", *SPLITS):
            bad.append(Bad(row.line, f"split is {row.split!r}, not train, validation or test"))
        if (row.file, row.caption) in seen:
            bad.append(Bad(row.line, f"the same file and caption as line {seen[row.file, row.caption]}"))
        seen.setdefault((row.file, row.caption), row.line)
    return bad


def _conflicts(rows: Sequence[Row]) -> list[Bad]:
    """Rows that give a picture another split or class than its first row does, or no split where others have one."""
    bad = []
    first: dict[tuple[str, str], Row] = {}
    for row in rows:
        for kind, value in ("split", row.split), ("class", row.label):
            if value and value != getattr(before := first.setdefault((kind, row.file), row), _FIELDS[kind]):
                bad.append(Bad(row.line, f"{kind} {value!r} differs from line {before.line}'s for {row.file}"))
    if any(row.split for row in rows):
        told = {file for kind, file in first if kind == "split"}
        bad += [Bad(row.line, f"{row.file} has no split, though others have") for row in rows if row.file not in told]
    return bad


_FIELDS = {"split": "split", "class": "label"}


def _bad_files(root: Path, rows: Sequence[Row], bad_images: BadImages) -> list[Bad]:
    """Each image is opened and decoded once; a bad one is named at its first row."""
    lines: dict[str, int] = {}
    for row in rows:
        lines.setdefault(row.file, row.line)
    bad = [Bad(line, reason) for file, line in lines.items() if (reason := _bad_name(file))]
    if bad_images == "skip":
        return bad
    files = [file for file in lines if not _bad_name(file)]
    reasons = reasons_why_bad([(root / file, None) for file in files])
    return bad + [Bad(lines[file], _sentence(file, why)) for file, why in zip(files, reasons, strict=True) if why]


def _bad_name(file: str) -> str | None:
    if not file:
        return "the file is empty"
    parts = PurePosixPath(file)
    if parts.is_absolute() or ".." in parts.parts:
        return f"{file} lies outside the folder"
    return None


def _sentence(file: str, reason: str) -> str:
    return f"{file} does not exist" if reason == MISSING else f"{file} cannot be read as an image ({reason})"


def _refuse(listing: Path, bad: list[Bad]) -> None:
    bad = sorted(bad, key=lambda b: b.line)
    named = "; ".join(f"line {b.line}: {b.reason}" for b in bad[:NAMED_AT_MOST])
    more = f"; and {len(bad) - NAMED_AT_MOST} more" if len(bad) > NAMED_AT_MOST else ""
    raise UserError(f"{listing} has {len(bad)} bad rows ({named}{more}); mend or remove them.")


def _splits(rows: Sequence[Row]) -> tuple[dict[str, Split], list[str]]:
    told = {row.file: cast(Split, row.split) for row in rows if row.split}
    if told:
        if "train" not in told.values():
            raise UserError("captions.csv or .jsonl: no row has split=train, so there is nothing to train on.")
        empty = [split for split in SPLITS if split not in told.values()]
        return told, [f"No picture has split={split}." for split in empty]
    splits = {row.file: split_by_hash(row.file) for row in rows}
    order = sorted(splits, key=lambda file: hash_fraction(f"split:{file}"))
    # A handful of pictures may leave a split without any: the hash's own order then says which move.
    if "train" not in splits.values():
        splits[order[0]] = "train"
    for split in SPLITS[1:]:
        training = [file for file in order if splits[file] == "train"]
        if split not in splits.values() and len(training) > 1:
            splits[training[-1]] = split
    return splits, ["No split column: pictures are divided 80/10/10 by a hash of their name."]
