"""What of a caption a frozen encoder reads, and what of a data set's captions it does not.

An encoder of English splits a Korean, Russian or Arabic word into its letters, knows each of them, and understands nothing: the
vectors of a sentence and of its translation are then at right angles (docs/data.md has the numbers). Unknown pieces alone
would not show that, so a word in another script than the encoder's is one it does not know.
"""

import json
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Protocol

from stackgan.data.files import replacing
from stackgan.data.store import ImageStore

SHOWN = 5  # unknown words of a caption that are listed
LONGEST = 100  # characters of a word that WordPiece looks up
MANY = 4096  # captions tokenised together
LETTERS = ("Lu", "Ll", "Lt", "Lo")


@dataclass(frozen=True)
class Reading:
    """What of one caption does not count."""

    unknown: tuple[str, ...] = ()  # words
    nothing: bool = False  # no word of it is known
    until: str = ""  # the last words that are read, where the rest is beyond the limit

    def remarks(self) -> list[str]:
        """Plain sentences."""
        sentences = []
        if self.unknown:
            more = len(self.unknown) - SHOWN
            words = ", ".join(self.unknown[:SHOWN]) + (f" and {more} more words" if more > 0 else "")
            rest = ": none of the caption's words counts" if self.nothing else ""
            sentences.append(f"The text encoder does not know {words}{rest}.")
        if self.until:
            sentences.append(f"Only the caption's beginning is read, as far as “{self.until}”.")
        return sentences


class Reader(Protocol):
    """The part of an encoder that is asked here."""

    name: str
    LIMIT: int  # tokens

    def readings(self, captions: Sequence[str]) -> list[Reading]: ...


def reading(caption: str, spans: Sequence[tuple[int, int]], end: int | None, latin_only: bool) -> Reading:
    """Put together what a tokenizer found.

    Args:
        spans: of the characters that have no token.
        end: the first character beyond the limit; None where all fits.
        latin_only: the encoder was made for languages in Latin script.
    """
    read = caption[:end]
    words, unknown, start = read.split(), [], 0
    for word in words:
        start = read.index(word, start)
        stop = start + len(word)
        if any(a < stop and b > start for a, b in spans) or (latin_only and foreign(word)):
            unknown.append(word)
        start = stop
    until = "" if end is None else " ".join(words[-4:])
    known = (word for word in words if word not in set(unknown))
    nothing = not any(char.isalpha() for word in known for char in word)
    return Reading(tuple(dict.fromkeys(unknown)), bool(unknown) and nothing, until)


def foreign(word: str) -> bool:
    """Whether a letter of it is of another script than Latin."""
    return not word.isascii() and any(map(_foreign, word))


@lru_cache(maxsize=65536)
def _foreign(char: str) -> bool:
    return unicodedata.category(char) in LETTERS and "LATIN" not in unicodedata.name(char, "").split()


@dataclass(frozen=True)
class Unread:
    """How many of a data set's captions are not read in full, and the first of them (image and caption; -1: none)."""

    captions: int
    unknown: int = 0  # with unknown words
    nothing: int = 0  # of these: without a known one
    first_unknown: tuple[int, int] = (-1, -1)
    cut: int = 0  # longer than the limit
    first_cut: tuple[int, int] = (-1, -1)


def unread(store: ImageStore, encoder: Reader, directory: Path | None = None) -> Unread:
    """What the encoder does not read of a store's captions, kept in the folder of their table."""
    kept = directory / "unread.json" if directory else None
    if kept is not None and kept.is_file():
        return Unread(**json.loads(kept.read_text()))
    found = _count(store, encoder)
    if kept is not None:
        with suppress(OSError), replacing(kept) as temporary:  # a cache that others own may be read alone
            temporary.write_text(json.dumps(asdict(found)))
    return found


def _count(store: ImageStore, encoder: Reader) -> Unread:
    """Each distinct caption that may be unread is tokenised once."""
    captions = [text for texts in store.captions for text in texts]
    doubtful = iter(dict.fromkeys(text for text in captions if _doubtful(text, encoder.LIMIT)))
    readings: dict[str, Reading] = {}
    while part := list(islice(doubtful, MANY)):
        readings |= {text: read for text, read in zip(part, encoder.readings(part), strict=True) if read != Reading()}
    places = [
        (i, j, readings[t]) for i, texts in enumerate(store.captions) for j, t in enumerate(texts) if t in readings
    ]
    unknown = [place for place in places if place[2].unknown]
    cut = [place for place in places if place[2].until]
    return Unread(
        len(captions),
        len(unknown),
        sum(read.nothing for *_, read in unknown),
        unknown[0][:2] if unknown else (-1, -1),
        len(cut),
        cut[0][:2] if cut else (-1, -1),
    )


def _doubtful(caption: str, limit: int) -> bool:
    """Whether it has to be tokenised: ASCII characters are all known, and a caption has at most a token a character and three more."""
    if not caption.isascii() or len(caption) > limit - 3:
        return True
    return len(caption) > LONGEST and max(map(len, caption.split())) > LONGEST


def unread_notes(store: ImageStore, encoder: Reader, directory: Path | None = None) -> list[str]:
    """The same in sentences: none where every caption is read in full.

    Args:
        directory: of the captions' table, where the count is kept; None: it is made anew.
    """
    found, notes = unread(store, encoder, directory), []
    if found.unknown:
        image, caption = found.first_unknown
        word = encoder.readings([store.captions[image][caption]])[0].unknown[0]
        whole = f", {found.nothing:,} of them no other words" if found.nothing else ""
        advice = "" if encoder.name == "multilingual" else "; text=multilingual reads other languages"
        notes.append(
            f"{found.unknown:,} of {found.captions:,} captions hold words that text={encoder.name} does not know{whole}, such as "
            f"{word!r} (first: {store.names[image]}); they do not count{advice}."
        )
    if found.cut:
        image, _ = found.first_cut
        notes.append(
            f"{found.cut:,} of {found.captions:,} captions are longer than text={encoder.name} reads; only their beginnings "
            f"count (first: {store.names[image]})."
        )
    return notes
