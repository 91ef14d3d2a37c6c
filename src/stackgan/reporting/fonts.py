"""Fonts that have a caption's letters.

Pillow's own font has Latin letters alone. Where a caption has others, fonts that systems come with are tried by their file
names, which Pillow finds in the system's folders, and the package of the `fonts` extra.
"""

import sys
import unicodedata
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from PIL import ImageFont
from tqdm import tqdm

from stackgan.install import extra

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
PACKAGE = "noto_cjk_sans_otc"  # pyproject.toml's `fonts`
CJK = "NotoSansCJK-Regular.ttc"
NAMES = (
    "DejaVuSans.ttf",  # Linux, and matplotlib: Greek, Cyrillic, Arabic, Hebrew
    CJK,  # Linux
    "NotoSans-Regular.ttf", "NotoSansArabic-Regular.ttf", "NotoSansHebrew-Regular.ttf", "NotoSansDevanagari-Regular.ttf",
    "NotoSansThai-Regular.ttf", "NanumGothic.ttf", "wqy-zenhei.ttc", "NotoEmoji-Regular.ttf", "Symbola.ttf",
    "Arial Unicode.ttf", "AppleSDGothicNeo.ttc", "PingFang.ttc", "Hiragino Sans GB.ttc",  # macOS
    "segoeui.ttf", "malgun.ttf", "msyh.ttc", "YuGothM.ttc", "Nirmala.ttc", "Nirmala.ttf", "leelawui.ttf", "seguiemj.ttf",  # Windows
)  # fmt: skip
NOWHERE = "\U0010ffff"  # no character: what a font draws for one that it lacks


def fonts_for(texts: Sequence[str], size: int) -> list[Font]:
    """For each text the first font that has all its letters, else the one that lacks the fewest; those are said once, on stderr.

    Args:
        size: in pixels.
    """
    fonts, lacking = [], set()
    for text in texts:
        letters = frozenset(char for char in text if unicodedata.category(char)[0] not in "MZC")
        name, without = _choose(letters)
        lacking |= set(without)
        fonts.append(_load(name, _face(name, letters), size) or ImageFont.load_default(size))
    if lacking:
        _say("".join(sorted(lacking)))
    return fonts


@cache
def _choose(letters: frozenset[str]) -> tuple[str, str]:
    """A font's name ("" is Pillow's own), and the letters that it lacks."""
    best = ("", _lacking("", letters))
    for name in NAMES:
        if not best[1]:
            break
        lacking = _lacking(name, letters)
        if len(lacking) < len(best[1]):
            best = (name, lacking)
    return best


def _lacking(name: str, letters: frozenset[str]) -> str:
    return "".join(sorted(char for char in letters if not _has(name, char)))


@cache
def _has(name: str, char: str) -> bool:
    font = _load(name, 0, 20)
    return font is not None and _drawn(font, char) != _drawn(font, NOWHERE)


def _drawn(font: Font, char: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(char)
    return mask.size, bytes(mask)


@cache
def _load(name: str, face: int, size: int) -> Font | None:
    if not name:
        return ImageFont.load_default(size)
    try:
        return ImageFont.truetype(_packaged(name), size, index=face)
    except OSError:
        return None


def _packaged(name: str) -> str:
    """The file in the package of the `fonts` extra; where there is none, the name alone, which Pillow looks up."""
    spec = find_spec(PACKAGE) if name == CJK else None
    places = [Path(place) / name for place in (spec.submodule_search_locations or ())] if spec else []
    return str(next((place for place in places if place.is_file()), name))


def _face(name: str, letters: frozenset[str]) -> int:
    """The face of a collection: Noto's has Chinese characters as Japanese (0), Korean (1) or Chinese (2) readers know them."""
    if name != CJK:
        return 0
    scripts = {unicodedata.name(char, "").split(" ")[0] for char in letters}
    return 1 if "HANGUL" in scripts else 0 if scripts & {"HIRAGANA", "KATAKANA"} else 2


@cache
def _say(lacking: str) -> None:
    shown = lacking[:20] + (" ..." if len(lacking) > 20 else "")
    asian = any(unicodedata.name(char, "").startswith(("CJK", "HANGUL", "HIRAGANA", "KATAKANA")) for char in lacking)
    font = f"such as Debian's fonts-noto-cjk, or: {extra('fonts')}" if asian else "such as one of Debian's fonts-noto"
    tqdm.write(f"note: no font here has {shown}, which grids show as boxes; install one, {font}", file=sys.stderr)
