"""Drawings as somebody's own folder, to see what few images give.      python bench/own_data.py <folder> [--kinds heart geometric]

Writes that many of OpenMoji's drawings (data=emoji, which needs .[emoji]) as PNG files up to their edges, with captions.csv.
docs/own_data.md says what was trained on them.
"""

import argparse
import csv
from pathlib import Path

from PIL import Image

from stackgan.data.emoji import DRAWN_SHARE, find_packages, read_names, render
from stackgan.data.records import hash_fraction

KINDS = ("animal-", "food-", "plant-", "sky-")  # beginnings of Unicode's subgroups
SIDE = 304


def write_drawings(folder: Path, count: int, kinds: tuple[str, ...], cache: Path) -> None:
    """`count` drawings chosen by a hash of their names; a longer folder holds a shorter one's."""
    emoji = [each for each in read_names(find_packages())[0] if each.subgroup.startswith(kinds)]
    chosen = sorted(emoji, key=lambda each: hash_fraction(f"own data:{each.name}"))[:count]
    rendered = render(emoji, cache, SIDE)
    margin = round(SIDE * (1 - DRAWN_SHARE) / 2)
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "captions.csv", "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "caption"])
        for each in chosen:
            name = Path(each.file).name
            with Image.open(rendered / each.file) as image:
                image.crop((margin, margin, SIDE - margin, SIDE - margin)).save(folder / name)
            rows.writerows([name, caption] for caption in each.captions)
    print(f"{len(chosen)} drawings and captions.csv: {folder}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--kinds", nargs="+", default=KINDS)
    parser.add_argument("--cache", type=Path, default=Path("cache"))
    arguments = parser.parse_args()
    write_drawings(arguments.folder, arguments.count, tuple(arguments.kinds), arguments.cache)
