"""The rows of captions.csv and captions.jsonl, with their line numbers and without judging their values."""

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackgan.errors import UserError

COLUMNS = ("file", "caption", "class", "split")


@dataclass(frozen=True)
class Row:
    line: int  # from 1
    file: str
    caption: str
    label: str  # "" where there is no class
    split: str  # ""  where there is none


BadLine = tuple[int, str]


def read_csv(path: Path) -> tuple[list[Row], list[BadLine], set[str]]:
    """Rows, lines that are none, and the names of columns nobody uses.

    Raises:
        UserError: the header lacks `file` or `caption`, or the file is not UTF-8.
    """
    reader = csv.DictReader(io.StringIO(_decode(path), newline=""), strict=True)
    header = [(name or "").strip() for name in reader.fieldnames or []]
    lacking = [column for column in ("file", "caption") if column not in header]
    if lacking:
        raise UserError(f"{path} line 1 has no column {' and no column '.join(lacking)}; its header is `file,caption`.")
    reader.fieldnames = header
    rows: list[Row] = []
    bad: list[BadLine] = []
    line = 2
    try:
        for fields in reader:
            if None in fields:
                bad.append((line, "more fields than the header has (a caption with a comma belongs in quotes)"))
            elif None in fields.values():
                bad.append((line, "fewer fields than the header has"))
            else:
                rows.append(_row(line, fields))
            line = reader.line_num + 1  # a quoted caption may run over several lines
    except csv.Error as error:
        bad.append((line, f"not CSV ({error}), nor is what follows"))
    return rows, bad, set(header) - set(COLUMNS) - {""}


def read_jsonl(path: Path) -> tuple[list[Row], list[BadLine], set[str]]:
    """Rows, lines that are none, and the names of keys nobody uses."""
    rows: list[Row] = []
    bad: list[BadLine] = []
    unused: set[str] = set()
    for line, text in enumerate(_decode(path).split("\n"), start=1):
        if not text.strip():
            continue
        try:
            fields = json.loads(text)
        except json.JSONDecodeError as error:
            bad.append((line, f"not JSON ({error.msg})"))
            continue
        if not isinstance(fields, dict) or not all(isinstance(fields.get(key), str) for key in ("file", "caption")):
            bad.append((line, 'not an object with the texts "file" and "caption"'))
            continue
        unused |= fields.keys() - set(COLUMNS)
        rows.append(_row(line, fields))
    return rows, bad, unused


def _row(line: int, fields: dict[str, Any]) -> Row:
    file, caption, label, split = ("" if fields.get(c) is None else str(fields[c]) for c in COLUMNS)
    return Row(line, file.strip().replace("\\", "/"), " ".join(caption.split()), label.strip(), split.strip())


def _decode(path: Path) -> str:
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8-sig")  # spreadsheet programs put a byte order mark first
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path} line {line} is not UTF-8; save the file with that encoding.") from error
