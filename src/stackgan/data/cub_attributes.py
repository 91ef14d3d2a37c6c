"""The 312 binary attributes of CUB-200-2011, per picture where they are there, else per class."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stackgan.data.text_files import lines_of, read_text
from stackgan.errors import UserError

MINIMUM_CERTAINTY = 3  # 1 not visible, 2 guessing, 3 probably, 4 definitely (attributes/certainties.txt)
_DIGITS = 8  # of an id, at most
_BLOCK = 1 << 22  # bytes read at a time


@dataclass(frozen=True, eq=False)
class Attributes:
    values: np.ndarray | None  # float32 [N, A] in 0..1, in the order of the image ids asked for; None: there are none
    names: tuple[str, ...]  # "has_bill_shape::dagger"
    notes: tuple[str, ...]


def read_attributes(root: Path, image_ids: Sequence[int], class_ids: Sequence[int]) -> Attributes:
    """Attributes of the given pictures.

    Per picture (attributes/image_attribute_labels.txt): 1 where it is present with certainty >= 3, else 0. Without
    that file, the share of the class's pictures that have it (class_attribute_labels_continuous.txt, in percent), with
    a note. The names are in attributes.txt, which the official archive has one level above CUB_200_2011/.
    """
    names = _attribute_names(root)
    if not names:
        return Attributes(None, (), ("No attributes.txt: the pictures have no attributes.",))
    labels = root / "attributes" / "image_attribute_labels.txt"
    if labels.is_file():
        return Attributes(_image_labels(labels, image_ids, len(names)), names, ())
    by_class = root / "attributes" / "class_attribute_labels_continuous.txt"
    if by_class.is_file():
        note = "No image_attribute_labels.txt: each picture has the attribute shares of its class."
        return Attributes(_class_labels(by_class, class_ids, len(names)), names, (note,))
    return Attributes(None, names, ("No image_attribute_labels.txt: the pictures have no attributes.",))


def _attribute_names(root: Path) -> tuple[str, ...]:
    for path in (root / "attributes" / "attributes.txt", root.parent / "attributes.txt", root / "attributes.txt"):
        if path.is_file():
            rows = (line.split(maxsplit=1) for line in lines_of(read_text(path)) if line.strip())
            return tuple(row[-1].strip() for row in rows)
    return ()


def _image_labels(path: Path, image_ids: Sequence[int], count: int) -> np.ndarray:
    """Rows `<image id> <attribute id> <is present> <certainty> <seconds>` -> float32 [N, A] of 0 and 1."""
    values = np.zeros((len(image_ids), count), dtype=np.float32)
    row_of = np.full(max(image_ids) + 1, -1)
    row_of[np.asarray(image_ids)] = np.arange(len(image_ids))
    with open(path, "rb") as file:
        while block := file.read(_BLOCK) + file.readline():
            image, attribute, present, certainty = _first_integers(block, 4)
            holds = (present == 1) & (certainty >= MINIMUM_CERTAINTY)
            holds &= (image >= 0) & (image < len(row_of)) & (attribute >= 1) & (attribute <= count)
            rows, columns = row_of[image[holds]], attribute[holds] - 1
            values[rows[rows >= 0], columns[rows >= 0]] = 1.0
    return values


def _first_integers(block: bytes, columns: int) -> list[np.ndarray]:
    """The first numbers of each line that has so many; each int64 [lines].

    The official file has 3.7 million rows, some of them with extra columns. So numbers are found by where they begin,
    and lines by which number is the first one after a line break; nothing loops over rows.
    """
    data = np.frombuffer(block, dtype=np.uint8)
    space = (data == ord(" ")) | (data == ord("\n")) | (data == ord("\t")) | (data == ord("\r"))
    starts = np.flatnonzero(~space & np.concatenate(([True], space[:-1])))
    line_of = np.searchsorted(np.flatnonzero(data == ord("\n")), starts)
    first = np.flatnonzero(np.diff(line_of, prepend=-1))  # among `starts`, each line's first
    first = first[np.diff(first, append=len(starts)) >= columns]
    return [_integers(data, starts[first + i]) for i in range(columns)]


def _integers(data: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The integers that begin at `starts` in a text, read digit by digit for all at once; -1 where there is none."""
    value = np.zeros(len(starts), dtype=np.int64)
    going = np.ones(len(starts), dtype=bool)
    for place in range(_DIGITS):
        position = starts + place
        byte = data[np.minimum(position, len(data) - 1)]
        going &= (byte >= ord("0")) & (byte <= ord("9")) & (position < len(data))
        if place == 0:
            value[~going] = -1
        if not going.any():
            break
        value = np.where(going, value * 10 + byte - ord("0"), value)
    return value


def _class_labels(path: Path, class_ids: Sequence[int], count: int) -> np.ndarray:
    try:
        shares = np.loadtxt(path, dtype=np.float32, ndmin=2) / 100.0
    except ValueError as error:
        raise UserError(f"{path} cannot be read ({error}); unpack the archive again.") from error
    if shares.shape[1] != count or shares.shape[0] < max(class_ids):
        raise UserError(
            f"{path} is {shares.shape[0]} x {shares.shape[1]}, but the data set needs {max(class_ids)} classes x "
            f"{count} attributes; unpack the archive again."
        )
    return shares[np.asarray(class_ids) - 1].clip(0.0, 1.0)
