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
NO_BREAK_SPACE = "\udca0"  # Python's escape of the byte 0xA0: a blank in all of Windows' western code pages; some of Reed's lines have it
NO_TEXT = ("Cc", "Cn", "Co", "Cs")  # Unicode's categories of control, unassigned, private and half characters
CONTROLS = "\t\n\r\f\v\x1a"  # those that old programs put into text; the last one ended a DOS file


def read_text(path: Path, encoding: str | None = None, key: str = "data.encoding") -> str:
    """A text file without its byte order mark.

    A byte order mark says the encoding. Without one it is UTF-8, or UTF-16 where the bytes are text as UTF-16 and hold the NULs that
    UTF-8 text never has. Anything else (Windows' code pages, for example) cannot be told for certain, so it has to be said.

    Args:
        encoding: Python's name of that of files which are not UTF-8; None: such are refused.
        key: the setting that gives the encoding; "" where there is none.

    Raises:
        UserError: the file cannot be read, or is no text in that encoding; the first line that is none is named.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error}); give a text file.") from error
    mark = next((mark for mark in MARKS if raw.startswith(mark)), b"")
    raw = raw[len(mark) :]
    name = MARKS[mark] if mark else _encoding_of(raw, encoding)
    try:
        text = raw.decode(name)
    except UnicodeDecodeError as error:
        text = raw.decode(name, errors="surrogateescape").replace(NO_BREAK_SPACE, " ") if name == "utf-8" else ""
        if not text or half_character(text):
            raise _undecodable(path, raw, error, name, encoding, key) from error
    text = text.lstrip("\ufeff")  # some programs put a second mark behind the first
    if "\0" in text:
        line = len(lines_of(text[: text.index("\0")]))
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


def _encoding_of(raw: bytes, given: str | None) -> str:
    """UTF-8 where the bytes are that; else the given one, else UTF-16 in the one of its orders that makes text of them."""
    if raw.isascii() and b"\0" not in raw:
        return given or "utf-8"  # a code that uses 7 bits only has to be asked for
    if b"\0" not in raw and _decodes(raw, "utf-8"):
        return "utf-8"
    if given is not None:
        return given
    orders = (
        [] if len(raw) % 2 else [name for name in ("utf-16-le", "utf-16-be") if b"\0" in raw and _is_text(raw, name)]
    )
    return orders[0] if len(orders) == 1 else "utf-8"


def _decodes(raw: bytes, encoding: str) -> bool:
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _is_text(raw: bytes, encoding: str) -> bool:
    return _decodes(raw, encoding) and all(
        c in CONTROLS or unicodedata.category(c) not in NO_TEXT for c in set(raw.decode(encoding))
    )


def _undecodable(
    path: Path, raw: bytes, error: UnicodeDecodeError, name: str, given: str | None, key: str
) -> UserError:
    lines = lines_of(raw[: error.start].decode(name, errors="replace"))
    what = f"{path} line {len(lines)} is not {name.upper()} (byte 0x{raw[error.start]:02X} after {lines[-1][-20:]!r})"
    if given is not None:
        return UserError(f"{what}; give the encoding that the file has, {key}=<name>.")
    said = f", or say its encoding, such as {key}=cp1252 (western Europe) or {key}=cp949 (Korean)" if key else ""
    return UserError(f"{what}; save the file as UTF-8{said}.")
