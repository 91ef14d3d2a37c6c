"""What any list says: rows of file, caption, class and split, and which names of columns are understood."""

import ast
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from stackgan.data.text_files import clean, half_character

ALIASES: Mapping[str, tuple[str, ...]] = {  # of each column, the most certain name first
    "file": ("file", "file_name", "filename", "image_file", "image_name", "image_path", "file_path", "filepath", "image", "img", "path"),
    "caption": ("caption", "captions", "text", "description", "prompt", "sentence", "comment"),
    "class": ("class", "class_name", "label", "category", "species"),
    "split": ("split", "subset", "partition"),
}  # fmt: skip
MISSING_VALUES = ("nan", "null", "#n/a", "<na>")  # as pandas, databases and spreadsheets write them
NUMBERED = re.compile(r"(caption|text|description|sentence)_?\d+")
SPLIT_NAMES = {
    "train": "train", "training": "train", "restval": "train",
    "val": "validation", "valid": "validation", "validation": "validation", "dev": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One image with one caption, as written."""

    where: str  # "line 3"
    file: str
    caption: str
    label: str = ""  # "" where there is no class
    split: str = ""  # train, validation or test; "" where there is none; anything else as it stands

    def at(self, file: str) -> "Row":
        """The same of the file as it is called on disk."""
        return self if file == self.file else replace(self, file=file)


@dataclass
class Listing:
    """The rows of a list, and what of it are none."""

    rows: list[Row] = field(default_factory=list)
    bad: list[tuple[str, str]] = field(default_factory=list)  # where, why
    notes: list[str] = field(default_factory=list)

    def add(self, where: str, file: object, captions: object, label: object = "", split: object = "") -> None:
        """A row for each caption; what is no text is bad."""
        texts = _written_list(captions) if isinstance(captions, str) else captions
        if not isinstance(file, str):
            self.bad.append((where, f"the file is {file!r}, no text"))
            return
        if not isinstance(texts, list) or not all(isinstance(t, str) for t in texts):
            self.bad.append((where, f"the caption is {str(captions)[:40]!r}, no text"))
            return
        values = [file, *texts, plain(label), plain(split)]
        if half := next(filter(None, map(half_character, values)), None):
            whose = "the file's name is not UTF-8" if half_character(file) else "an emoji cut in two?"
            self.bad.append((where, f"it holds half a character, {half} ({whose})"))
            return
        if missing := next((text for text in texts if text.strip().lower() in MISSING_VALUES), None):
            self.bad.append((where, f"the caption is {missing!r}, which programs write for a value that is missing"))
            return
        named, wanted = file.strip().replace("\\", "/"), plain(split).strip()
        wanted = SPLIT_NAMES.get(wanted.lower(), wanted)
        for text in texts or [""]:
            self.rows.append(Row(where, named, clean(text), plain(label).strip(), wanted))

    def join(self, other: "Listing", folder: str = "", split: str = "", place: str = "") -> None:
        """Take over what another list says.

        Args:
            folder: which its files' names are relative to, with a slash at its end.
            split: of rows that say none.
            place: which list it is, before the places of its rows.
        """
        self.rows += [
            replace(row, where=place + row.where, file=folder + row.file, split=row.split or split)
            for row in other.rows
        ]
        self.bad += [(place + where, reason) for where, reason in other.bad]
        self.notes += other.notes


@dataclass(frozen=True)
class Columns:
    """Which of a list's own names stand for which column."""

    roles: Mapping[str, str]  # "file" -> "Image"
    captions: tuple[str, ...]  # one, or several numbered ones
    unused: tuple[str, ...]

    @property
    def lacking(self) -> list[str]:
        """Columns that a list cannot do without."""
        return [*([] if "file" in self.roles else ["file"]), *([] if self.captions else ["caption"])]

    def add_to(self, listing: Listing, where: str, fields: Mapping[str, Any]) -> None:
        """The row that the fields make."""
        texts: Any = fields.get(self.captions[0])
        if len(self.captions) > 1:
            several = [fields.get(name) for name in self.captions]
            texts = [text for text in several if text is not None and str(text).strip()]
        own = {role: fields.get(name) for role, name in self.roles.items()}
        listing.add(where, own["file"], texts, own.get("class"), own.get("split"))


def understand(names: Sequence[str]) -> Columns:
    """The columns that names in any case stand for; of several for one column the most certain one."""
    by_plain = {_plain_name(name): name for name in reversed(names) if name.strip()}
    roles = {}
    for role, aliases in ALIASES.items():
        found = next((by_plain[alias] for alias in aliases if alias in by_plain), None)
        if found is not None:
            roles[role] = found
    numbered = tuple(name for name in names if NUMBERED.fullmatch(_plain_name(name)))
    captions = (roles["caption"],) if "caption" in roles else numbered
    taken = {*roles.values(), *captions}
    index = ("", "index", "id", "unnamed:_0")
    unused = tuple(name for name in names if name not in taken and _plain_name(name) not in index)
    return Columns(roles, captions, unused)


def plain(value: object) -> str:
    """A class or split as text; nothing where it is missing. 1.0 is 1, and a list of one value is that value."""
    if isinstance(value, list) and len(value) == 1:
        return plain(value[0])
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = "" if value is None else str(value)
    return "" if text.strip().lower() in MISSING_VALUES else text


def _written_list(text: str) -> list[str]:
    """The captions of a cell that holds a list as Python or JSON writes it; else the text itself."""
    if re.fullmatch(r"""\s*\[\s*['"].*['"]\s*\]\s*""", text, re.DOTALL):
        with suppress(ValueError, SyntaxError, MemoryError, RecursionError):
            value = ast.literal_eval(text.strip())
            if isinstance(value, list) and all(isinstance(each, str) for each in value):
                return value
    return [text]


def _plain_name(name: str) -> str:
    return re.sub(r"[\s\-]+", "_", name.strip().lower())
