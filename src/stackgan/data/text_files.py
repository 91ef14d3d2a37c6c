"""Text files that people bring: one reader, which decodes by evidence and otherwise refuses by file and line."""

import codecs
import re
import unicodedata
from pathlib import Path

from stackgan.errors import UserError

MARKS = {  # byte order marks; UTF-32's begins with UTF-16's
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
NO_TEXT = ("Cc", "Cn", "Co", "Cs")  # Unicode's categories of control, unassigned, private and half characters
CONTROLS = "\t\n\r\f\v\x1a"  # those that old programs put into text; the last one ended a DOS file


def read_text(path: Path, encoding: str | None = None) -> str:
    """A text file without its byte order mark.

    A byte order mark says the encoding. Without one it is UTF-8, or UTF-16 where the bytes are text as UTF-16 and hold the NULs that
    UTF-8 text never has. Anything else (Windows' code pages, for example) cannot be told for certain, so it has to be said.

    Args:
        encoding: Python's name of it; None: by evidence.

    Raises:
        UserError: the file cannot be read, or is no text in that encoding; the first line that is none is named.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error}); give a text file.") from error
    mark = next((mark for mark in MARKS if raw.startswith(mark)), b"")
    name = MARKS[mark] if mark else encoding or _without_mark(raw)
    try:
        text = raw[len(mark) :].decode(name)
    except UnicodeDecodeError as error:
        raise _undecodable(path, raw[len(mark) :], error, name, encoding) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise UserError(f"{path} line {line} holds a NUL: this is no text file; save it as text in UTF-8.")
    return text


def check_encoding(name: str | None) -> None:
    """Whether Python knows a text encoding by that name. Raises UserError."""
    try:
        if name is not None and not codecs.lookup(name)._is_text_encoding:
            raise LookupError
    except (LookupError, ValueError) as error:
        raise UserError(
            f"data.encoding={name} is no encoding; such are utf-8, cp1252 (western Europe), cp949 (Korean), shift_jis."
        ) from error


def lines_of(text: str) -> list[str]:
    """The lines as an editor counts them: they end with a line feed, a carriage return or both, and with nothing else."""
    return re.split("\r\n|\n|\r", text)


def clean(caption: str) -> str:
    """A caption in one line with single blanks; marks of byte order that lie inside joined files are none of it."""
    return " ".join(caption.replace("\ufeff", " ").split())


def half_character(text: str) -> str | None:
    """The first surrogate without its other half, as `\\ud83d`; JSON's escapes can write such, and no file can hold them."""
    found = re.search("[\ud800-\udfff]", text)
    return f"\\u{ord(found[0]):04x}" if found else None


def _without_mark(raw: bytes) -> str:
    """UTF-16 in one of its orders, where only one of them makes text of bytes that hold NULs; else UTF-8."""
    if b"\0" not in raw or len(raw) % 2:
        return "utf-8"
    texts = [name for name in ("utf-16-le", "utf-16-be") if _is_text(raw, name)]
    return texts[0] if len(texts) == 1 else "utf-8"


def _is_text(raw: bytes, encoding: str) -> bool:
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        return False
    return all(c in CONTROLS or unicodedata.category(c) not in NO_TEXT for c in set(text))


def _undecodable(path: Path, raw: bytes, error: UnicodeDecodeError, name: str, given: str | None) -> UserError:
    before = raw[: error.start].decode(name, errors="replace")
    line = len(lines_of(before))
    what = f"{path} line {line} is not {name.upper()} (byte 0x{raw[error.start]:02X} after {before[-20:].splitlines()[-1:] or ['']!r})"
    if given is not None:
        return UserError(f"{what}; give the encoding that the file has, data.encoding=<name>.")
    return UserError(
        f"{what}; save the file as UTF-8, or say its encoding: data.encoding=cp1252 (western Europe), cp949 (Korean), ..."
    )
