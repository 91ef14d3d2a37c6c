"""Reading files of a run that may be missing, half-written, from another version or not ours: what can be read is read, the rest named."""

import csv
import json
import math
from pathlib import Path
from typing import Any

import yaml


def number(value: Any) -> float | None:
    """A finite number, or None."""
    try:
        result = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return result if math.isfinite(result) and not isinstance(value, bool) else None


def whole(value: Any) -> int:
    """A whole number; 0 where there is none."""
    result = number(value)
    return int(result) if result is not None else 0


def text(value: Any) -> str:
    """One line of text; "" for None."""
    return "" if value is None else " ".join(str(value).split())


def mapping(value: Any) -> dict[str, Any]:
    """A dict with text keys; {} for anything else."""
    return {str(key): content for key, content in value.items()} if isinstance(value, dict) else {}


def sequence(value: Any) -> list[Any]:
    """A list; [] for anything else."""
    return value if isinstance(value, list) else []


class FolderReader:
    """Reads files of one folder; `problems` has a sentence for each that is there but cannot be read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.problems: list[str] = []

    def json(self, name: str) -> Any:
        """A JSON file's content; None where it is missing or broken."""
        content = self._text(name)
        if content is None:
            return None
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            self.problems.append(f"{name} is not valid JSON.")
            return None

    def yaml(self, name: str) -> dict[str, Any]:
        """A YAML file's mapping; {} where it is missing or broken."""
        content = self._text(name)
        if content is None:
            return {}
        try:
            values = yaml.load(content, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except (yaml.YAMLError, ValueError, RecursionError):
            values = None
        if not isinstance(values, dict):
            self.problems.append(f"{name} is not valid YAML.")
        return mapping(values)

    def lines(self, name: str) -> list[str]:
        """A text file's lines that are not empty."""
        return [line.strip() for line in (self._text(name) or "").splitlines() if line.strip()]

    def table(self, name: str, key: str) -> list[dict[str, float]]:
        """A CSV file's rows as numbers, by rising `key`; a number that is not finite is kept, a cell that is no number left out."""
        rows: dict[float, dict[str, float]] = {}
        left_out = 0
        try:
            for row in csv.DictReader((self._text(name) or "").splitlines()):
                cells = {column: _cell(cell) for column, cell in row.items() if column and cell not in ("", None)}
                values = {column: value for column, value in cells.items() if value is not None}
                left_out += len(cells) - len(values) + (None in row)
                place = values.get(key)
                if place is None or not math.isfinite(place):
                    left_out += len(values)
                    continue
                rows[place] = values
        except csv.Error as error:
            self.problems.append(f"{name} can be read in part only ({error}).")
        if left_out:
            self.problems.append(f"{name}: {left_out} cells are no numbers or stand in rows without {key}; left out.")
        return [rows[place] for place in sorted(rows)]

    def _text(self, name: str) -> str | None:
        try:
            return (self.folder / name).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return None
        except OSError as error:
            self.problems.append(f"{name} cannot be read ({error.strerror}).")
            return None


def _cell(cell: Any) -> float | None:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return None
