"""Tables: a header, then a row for each caption, separated by commas, semicolons, tabs or bars."""

import csv
import re
from collections import Counter
from pathlib import Path, PurePosixPath

from stackgan.data.image_index import SUFFIXES
from stackgan.data.listings.rows import ALIASES, Columns, Listing, understand
from stackgan.data.text_files import lines_of, read_text
from stackgan.errors import UserError

SEPARATORS: tuple[str, ...] = (",", ";", "\t", "|")
OTHER_ROW = re.compile(r"\n.*\.(?:png|jpe?g|webp|bmp|gif|tiff?)\b", re.IGNORECASE)  # inside a field
SHOWN = 120  # characters of a header that is not understood


def read_table(path: Path, encoding: str | None = None) -> Listing:
    """The rows of a table; the header says by what they are separated.

    Raises:
        UserError: the header does not name files and captions, or the file is no text.
    """
    lines = lines_of(read_text(path, encoding))
    skipped, separators = _first_line(lines), SEPARATORS
    if skipped < len(lines) and (said := re.fullmatch(r"sep=(.)", lines[skipped].strip())):  # Excel's own hint
        skipped, separators = skipped + 1, (said[1],)
    header, separator = _header(path, lines, skipped, separators)
    columns = understand(header)
    named = Counter(header)
    if doubled := next((name for name in (*columns.roles.values(), *columns.captions) if named[name] > 1), None):
        raise UserError(
            f"{path} line {skipped + 1} names the column {doubled} twice; give each a name of its own, such as caption_1, caption_2."
        )
    listing = Listing()
    rest = (line + "\n" for line in lines[skipped + 1 :])
    reader = csv.reader(rest, delimiter=separator, strict=True, skipinitialspace=True)
    line = skipped + 2
    try:
        for fields in reader:
            _add(listing, line, header, fields, columns)
            line = skipped + 2 + reader.line_num  # a quoted caption may run over several lines
    except csv.Error as error:
        listing.bad.append((f"line {line}", f"it is no row of a table ({error}), nor is what follows"))
    if columns.unused:
        listing.notes.append(f"Columns of {path.name} that are not used: {', '.join(columns.unused)}.")
    return listing


def _add(listing: Listing, line: int, header: list[str], fields: list[str], columns: Columns) -> None:
    if not any(field.strip() for field in fields):
        return
    if len(fields) > len(header):
        reason = "more fields than the header has (a caption that holds the separator belongs in quotes)"
        listing.bad.append((f"line {line}", reason))
    elif len(fields) < len(header):
        listing.bad.append((f"line {line}", "fewer fields than the header has"))
    elif any(cell.strip() and not name for name, cell in list(zip(header, fields, strict=True))[1:]):
        reason = "a field under no name of the header (a caption that holds the separator belongs in quotes)"
        listing.bad.append((f"line {line}", reason))
    elif any(OTHER_ROW.search(field) for field in fields):
        reason = (
            "a field in quotes that runs over several lines and holds the name of an image (is a quote not closed?)"
        )
        listing.bad.append((f"line {line}", reason))
    else:
        columns.add_to(listing, f"line {line}", dict(zip(header, fields, strict=True)))


def _first_line(lines: list[str]) -> int:
    return next((i for i, line in enumerate(lines) if line.strip()), len(lines))


def _header(path: Path, lines: list[str], first: int, separators: tuple[str, ...]) -> tuple[list[str], str]:
    """The header's fields, and the separator by which they name files and captions."""
    if first == len(lines):
        raise UserError(f"{path} is empty; write the header `file,caption` and a row for each image and caption.")
    text = lines[first]
    for separator in separators:
        fields = _fields(text, separator)
        if not understand(fields).lacking:
            return fields, separator
    files, captions = (", ".join(ALIASES[role][:5]) for role in ("file", "caption"))
    shown = text if len(text) <= SHOWN else text[:SHOWN] + " ..."
    if any(PurePosixPath(f.strip()).suffix.lower() in SUFFIXES for s in separators for f in _fields(text, s)):
        raise UserError(
            f"{path} line {first + 1} is `{shown}`, a row already; write the header `file,caption` above it."
        )
    closest = min((understand(_fields(text, s)).lacking for s in separators), key=len)
    raise UserError(
        f"{path} line {first + 1} has no column {' and no column '.join(closest)}: its header is `{shown}`; name the files' column "
        f"{files} and the captions' {captions}, separated by a comma, semicolon, tab or bar."
    )


def _fields(line: str, separator: str) -> list[str]:
    try:
        return [field.strip() for field in next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])]
    except csv.Error:
        return []
