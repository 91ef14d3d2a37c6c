"""CUB-200-2011 (Wah et al. 2011) in its official layout, complete or a subset, captioned by Reed et al. 2016."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from stackgan.data.attribute_captions import write_captions
from stackgan.data.cub_attributes import read_attributes
from stackgan.data.cub_files import CaptionFiles, caption_folders, find_photographs, read_captions
from stackgan.data.image_files import BadImages
from stackgan.data.records import Box, Record, Source, Split
from stackgan.data.splits import SplitRule, divide_classes, divide_images, split_by_class, split_by_image
from stackgan.data.text_files import lines_of, read_text
from stackgan.errors import UserError

CaptionRule = Literal["auto", "text", "attributes"]


def _box(text: str) -> Box:
    x, y, width, height = (float(value) for value in text.split())
    if not all(map(math.isfinite, (x, y, width, height))):
        raise ValueError("a box has finite sides")
    return x, y, width, height


def _flag(text: str) -> bool:
    return bool(int(text))


TABLES: dict[str, Callable[[str], Any]] = {  # of the layout, and what the rest of a line is
    "images.txt": str,
    "image_class_labels.txt": int,
    "bounding_boxes.txt": _box,
    "train_test_split.txt": _flag,
    "classes.txt": str,
}


@dataclass(frozen=True)
class CubTable:
    """The rows of images.txt, in its order; reading it needs no photograph."""

    root: Path
    image_ids: list[int]
    names: list[str]  # "001.Black_footed_Albatross/Black_Footed_Albatross_0046_18.jpg"
    class_ids: list[int]
    boxes: list[Box | None]
    official_train: list[bool]
    class_names: dict[int, str]  # "001.Black_footed_Albatross"

    def only(self, rows: Sequence[int]) -> "CubTable":
        """Some of the rows."""
        columns = ("image_ids", "names", "class_ids", "boxes", "official_train")
        chosen: dict[str, Any] = {column: [getattr(self, column)[i] for i in rows] for column in columns}
        return replace(self, **chosen)


def read_cub(
    root: Path,
    *,
    split: SplitRule = "class",
    captions: CaptionRule = "auto",
    name: str = "cub",
    test_classes: Sequence[int] = (),
    split_seed: int | None = None,
    encoding: str | None = None,
    bad_images: BadImages = "stop",
) -> Source:
    """Read the data set at `root` (the folder with images.txt, or one that holds it as CUB_200_2011/).

    Args:
        split: "class", StackGAN's 150/50 classes; "image", train_test_split.txt; "all", every image trains, and validation and test
            mean the same images.
        captions: "text" takes Reed's captions from text/ or text_c10/ (`<class>/<image>.txt`, one a line; in the root, beside it or in
            cvpr2016_cub/), "attributes" writes ten an image from its attributes, "auto" does so where there is no text.
        name: of the source; painted birds, which have this layout, are "birds".
        test_classes: of split "class", instead of StackGAN's 50.
        split_seed: divides classes or images anew, 80/10/10, whatever is published.
        encoding: of text files that are not UTF-8; None: by evidence.
        bad_images: with "skip" a missing image is left to `build_store`, which leaves it out.

    Raises:
        UserError: a file of the layout, an image or the captions are missing, or a line cannot be read.
    """
    table = read_cub_table(root, encoding)
    rows, paths, present_notes = find_photographs(table.root / "images", table.names, bad_images)
    table = table.only(rows)
    splits, notes = _splits(table, split, test_classes, split_seed)
    attributes = read_attributes(table.root, table.image_ids, table.class_ids)
    texts, caption_notes = _captions(table, captions, attributes.values, attributes.names, encoding)
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
    notes = [*present_notes, *notes, *attributes.notes, *caption_notes]
    return Source(
        name, table.root, records, table.class_names, tuple(notes), attributes.names, single_split=split == "all"
    )


def cub_files(root: Path) -> list[Path]:
    """Every file and folder that `read_cub` looks at: what has to be unchanged for its answer to be the same."""
    root = _find_root(Path(root))
    inside = [root / folder for folder in ("images", "attributes")]
    return [*sorted(root.glob("*.txt")), *inside, root.parent / "attributes.txt", *caption_folders(root)]


def read_cub_table(root: Path, encoding: str | None = None) -> CubTable:
    """The data set's text files joined by image id. Boxes are x, y, width, height in pixels.

    Raises:
        UserError: a file is missing, a line cannot be read, or an image has no entry in one of the files.
    """
    root = _find_root(Path(root))
    names, labels, boxes, official, classes = (
        _read_rows(root / file, convert, encoding) for file, convert in TABLES.items()
    )
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
    return CubTable(
        root, ids, [names[i] for i in ids], [labels[i] for i in ids], [boxes[i] for i in ids], [official[i] for i in ids], classes
    )  # fmt: skip


def check_cub(root: Path) -> None:
    """Whether the files of the layout are there; they are not read. Raises UserError."""
    root = _find_root(Path(root))
    for file in TABLES:
        _check_file(root / file)
    if not (root / "images").is_dir():
        raise UserError(f"data.root: {root} has no images/ with the photographs; unpack the archive again.")


def _find_root(root: Path) -> Path:
    """The folder with images.txt: this one, or one at most two levels below, as archives and mirrors nest it."""
    for candidate in (root, root / "CUB_200_2011", *sorted(root.glob("*")), *sorted(root.glob("*/*"))):
        if (candidate / "images.txt").is_file():
            return candidate
    state = "has no images.txt" if root.is_dir() else "is no folder" if root.exists() else "does not exist"
    raise UserError(
        f"data.root: {root} {state}. CUB-200-2011 unpacks to CUB_200_2011/; give that folder, or data.archive=<CUB_200_2011.tgz>; a folder "
        "of other images and captions is data=folder."
    )


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise UserError(f"{path} is missing: it belongs to CUB-200-2011; unpack the archive again.")


def _read_rows(path: Path, convert: Callable[[str], Any], encoding: str | None) -> dict[int, Any]:
    """`<id> <rest>` a line -> {id: what `convert` makes of the rest}."""
    _check_file(path)
    rows = {}
    for number, line in enumerate(lines_of(read_text(path, encoding)), start=1):
        if not line.strip():
            continue
        try:
            key, rest = line.split(maxsplit=1)
            rows[int(key)] = convert(rest.strip())
        except ValueError as error:
            raise UserError(
                f"{path} line {number} is {line[:80]!r}, not an id and its {path.stem}; unpack it again."
            ) from error
    return rows


def _splits(
    table: CubTable, rule: SplitRule, test_classes: Sequence[int], seed: int | None
) -> tuple[list[Split], list[str]]:
    if rule == "all":
        return ["train"] * len(table.names), ["Every picture trains; validation and test mean the same pictures."]
    if seed is not None and rule == "class":
        by_class = divide_classes([str(i) for i in sorted(set(table.class_ids))], seed)
        return [by_class[str(i)] for i in table.class_ids], []
    if seed is not None:
        by_image = divide_images(table.names, seed)
        return [by_image[name] for name in table.names], []
    if rule == "class":
        return split_by_class(table.names, table.class_ids, test_classes)
    return split_by_image(table.names, table.official_train), []


def _captions(
    table: CubTable,
    rule: CaptionRule,
    attributes: np.ndarray | None,
    attribute_names: tuple[str, ...],
    encoding: str | None,
) -> tuple[list[tuple[str, ...]], list[str]]:
    """Captions of each image, and notes about where they come from."""
    found = (
        CaptionFiles([()] * len(table.names), [], [])
        if rule == "attributes"
        else read_captions(table.root, table.names, encoding)
    )
    texts = found.captions
    missing = [i for i, text in enumerate(texts) if not text]
    if not missing:
        return texts, []
    first = table.names[missing[0]]
    if found.unused and len(missing) == len(texts):
        raise UserError(
            f"{found.unused[0].parent.parent} holds {len(found.unused)} caption files, and none of them is named like an image "
            f"({found.unused[0].name}, but {first}); rename them, or choose data.captions=attributes."
        )
    if rule == "text":
        raise UserError(
            f"data.captions=text: {table.root} has no captions for {len(missing)} of {len(texts)} images (first: {first})"
            f"{_unused(found)}; put Reed's text files at text/<class>/<image>.txt, or use data.captions=auto."
        )
    if attributes is None:
        raise UserError(
            f"{table.root} has neither captions (text/<class>/<image>.txt) nor attributes for {len(missing)} images (first: {first})"
            f"{_unused(found)}; put Reed's text files at text/, or CUB's attributes/ folder beside images/."
        )
    for i in missing:
        texts[i] = write_captions(table.names[i], attributes[i], attribute_names)
    if rule == "attributes":
        return texts, []
    note = f"{len(missing)} of {len(texts)} images have no captions of their own{_unused(found)}: attributes were put into words."
    return texts, [note]


def _unused(found: CaptionFiles) -> str:
    """What else is known of the caption files of images without captions."""
    said = ""
    if found.empty:
        said += f", caption files with nothing in them: {len(found.empty)} (first: {found.empty[0].name})"
    if found.unused:
        said += f", caption files named like no image: {len(found.unused)} (first: {found.unused[0].name})"
    return said
