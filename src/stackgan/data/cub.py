"""CUB-200-2011 (Wah et al. 2011) in its official layout, complete or a subset, captioned by Reed et al. 2016."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from stackgan.data.attribute_captions import write_captions
from stackgan.data.cub_attributes import read_attributes
from stackgan.data.records import Box, Record, Source, Split
from stackgan.data.splits import SplitRule, split_by_class, split_by_image
from stackgan.errors import UserError

CaptionRule = Literal["auto", "text", "attributes"]
CAPTION_FOLDERS = ("text", "text_c10")
TABLES = ("images.txt", "image_class_labels.txt", "bounding_boxes.txt", "train_test_split.txt", "classes.txt")


@dataclass(frozen=True)
class CubTable:
    """The rows of images.txt, in its order; reading it needs no photograph."""

    root: Path
    image_ids: list[int]
    names: list[str]  # "001.Black_footed_Albatross/Black_Footed_Albatross_0046_18.jpg"
    class_ids: list[int]
    boxes: list[Box]
    official_train: list[bool]
    class_names: dict[int, str]  # "001.Black_footed_Albatross"


def read_cub(
    root: Path,
    *,
    split: SplitRule = "class",
    captions: CaptionRule = "auto",
    name: str = "cub",
    test_classes: Sequence[int] = (),
) -> Source:
    """Read the data set at `root` (the folder with images.txt, or the folder that holds CUB_200_2011/).

    Args:
        split: "class", StackGAN's 150/50 classes; "image", train_test_split.txt; "all", every picture trains, and
            validation and test mean the same pictures.
        captions: "text" takes Reed's captions from text/ or text_c10/ (`<class>/<image>.txt`, one a line; in the root
            or beside it), "attributes" writes ten a picture from its attributes, "auto" does so where there is no text.
        name: of the source; painted birds, which have this layout, are "birds".
        test_classes: of split "class", instead of StackGAN's 50.

    Raises:
        UserError: a file of the layout, a photograph or the captions are missing, or a line cannot be read.
    """
    table = read_cub_table(root)
    paths = _photographs(table)
    splits, notes = _splits(table, split, test_classes)
    attributes = read_attributes(table.root, table.image_ids, table.class_ids)
    texts, caption_notes = _captions(table, captions, attributes.values, attributes.names)
    records = tuple(
        Record(
            name=image,
            path=paths[i],
            captions=texts[i],
            split=splits[i],
            class_id=table.class_ids[i],
            box=table.boxes[i],
            attributes=None if attributes.values is None else attributes.values[i],
        )
        for i, image in enumerate(table.names)
    )
    notes = [*notes, *attributes.notes, *caption_notes]
    return Source(
        name, table.root, records, table.class_names, tuple(notes), attributes.names, single_split=split == "all"
    )


def cub_files(root: Path) -> list[Path]:
    """Every file and folder that `read_cub` looks at: what has to be unchanged for its answer to be the same."""
    root = _find_root(Path(root))
    beside = [root.parent / "attributes.txt", *(root.parent / folder for folder in CAPTION_FOLDERS)]
    inside = [root / folder for folder in ("images", "attributes", *CAPTION_FOLDERS)]
    return [*sorted(root.glob("*.txt")), *inside, *beside]


def read_cub_table(root: Path) -> CubTable:
    """The data set's text files joined by image id. Boxes are x, y, width, height in pixels.

    Raises:
        UserError: a file is missing, a line cannot be read, or an image has no entry in one of the files.
    """
    root = _find_root(Path(root))
    names, labels, boxes, official, classes = (_read_rows(root / file) for file in TABLES)
    if not names:
        raise UserError(f"{root / 'images.txt'} is empty: it lists one picture a line, as `1 <class>/<image>.jpg`.")
    for file, rows in ("image_class_labels", labels), ("bounding_boxes", boxes), ("train_test_split", official):
        missing = names.keys() - rows.keys()
        if missing:
            raise UserError(
                f"{root / file}.txt has no row for {len(missing)} of the {len(names)} pictures of images.txt "
                f"(first: id {min(missing)}); unpack the archive again."
            )
    ids = list(names)
    try:
        return CubTable(
            root,
            ids,
            [names[i] for i in ids],
            [int(labels[i]) for i in ids],
            [_box(boxes[i]) for i in ids],
            [bool(int(official[i])) for i in ids],
            {i: name for i, name in classes.items()},
        )
    except ValueError as error:
        raise UserError(f"{root}: a row of CUB's files cannot be read ({error}); unpack it again.") from error


def check_cub(root: Path) -> None:
    """Whether the files of the layout are there; they are not read. Raises UserError."""
    root = _find_root(Path(root))
    for file in TABLES:
        _check_file(root / file)
    if not (root / "images").is_dir():
        raise UserError(f"data.root: {root} has no images/ with the photographs; unpack the archive again.")


def _find_root(root: Path) -> Path:
    for candidate in (root, root / "CUB_200_2011"):
        if (candidate / "images.txt").is_file():
            return candidate
    state = "has no images.txt" if root.is_dir() else "is no folder" if root.exists() else "does not exist"
    raise UserError(
        f"data.root: {root} {state}. CUB-200-2011 unpacks to CUB_200_2011/; give that folder, or "
        "data.archive=<CUB_200_2011.tgz>."
    )


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise UserError(f"{path} is missing: it belongs to CUB-200-2011; unpack the archive again.")


def _read_rows(path: Path) -> dict[int, str]:
    """`<id> <rest>` a line -> {id: rest}."""
    _check_file(path)
    rows = {}
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            key, rest = line.split(maxsplit=1)
            rows[int(key)] = rest.strip()
        except ValueError as error:
            raise UserError(f"{path} line {number} is not `<id> <value>`: {line!r}; unpack it again.") from error
    return rows


def _box(text: str) -> Box:
    x, y, width, height = (float(value) for value in text.split())
    return x, y, width, height


def _photographs(table: CubTable) -> list[Path]:
    """The path of each picture. Folders are listed once: 200 listings instead of 11,788 look-ups."""
    folder = table.root / "images"
    present = {
        f"{parent}/{name}"
        for parent in {name.rpartition("/")[0] for name in table.names}
        if (folder / parent).is_dir()
        for name in os.listdir(folder / parent)
    }
    missing = [name for name in table.names if name not in present]
    if missing:
        raise UserError(
            f"{folder} lacks {len(missing)} of the {len(table.names)} pictures of images.txt (first: {missing[0]}); "
            "unpack the archive again."
        )
    return [folder / name for name in table.names]


def _splits(table: CubTable, rule: SplitRule, test_classes: Sequence[int]) -> tuple[list[Split], list[str]]:
    if rule == "class":
        return split_by_class(table.names, table.class_ids, test_classes)
    if rule == "image":
        return split_by_image(table.names, table.official_train), []
    return ["train"] * len(table.names), ["Every picture trains; validation and test mean the same pictures."]


def _captions(
    table: CubTable, rule: CaptionRule, attributes: np.ndarray | None, attribute_names: tuple[str, ...]
) -> tuple[list[tuple[str, ...]], list[str]]:
    """Captions of each picture, and notes about where they come from."""
    texts: list[tuple[str, ...]] = [()] * len(table.names) if rule == "attributes" else _read_captions(table)
    missing = [i for i, text in enumerate(texts) if not text]
    if not missing:
        return texts, []
    first = table.names[missing[0]]
    if rule == "text":
        raise UserError(
            f"data.captions=text: {table.root} has no captions for {len(missing)} of {len(texts)} pictures (first: "
            f"{first}); put Reed's text files at text/<class>/<image>.txt, or use data.captions=auto."
        )
    if attributes is None:
        raise UserError(
            f"{table.root} has neither captions (text/<class>/<image>.txt) nor attributes for {len(missing)} pictures "
            f"(first: {first}); put Reed's text files at text/, or CUB's attributes/ folder beside images/."
        )
    for i in missing:
        texts[i] = write_captions(table.names[i], attributes[i], attribute_names)
    if rule == "attributes":
        return texts, []
    return texts, [f"{len(missing)} of {len(texts)} pictures have no caption file: attributes were put into words."]


def _read_captions(table: CubTable) -> list[tuple[str, ...]]:
    places = [base / folder for base in (table.root, table.root.parent) for folder in CAPTION_FOLDERS]
    places = [place for place in places if place.is_dir()]
    return [next(filter(None, (_read_caption_file(p, name) for p in places)), ()) for name in table.names]


def _read_caption_file(folder: Path, name: str) -> tuple[str, ...]:
    path = os.path.join(folder, os.path.splitext(name)[0] + ".txt")
    try:
        with open(path, "rb") as file:
            raw = file.read()
    except FileNotFoundError:
        return ()
    # Some of Reed's lines hold no-break spaces in a broken encoding; each run of undecodable bytes stands for a space.
    lines = raw.decode("utf-8", errors="replace").replace("\ufffd", " ").splitlines()
    return tuple(filter(None, (" ".join(line.split()) for line in lines)))
