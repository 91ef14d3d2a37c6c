"""Any folder of images with captions, in whichever of the common forms, and a validator that names every bad row.

    captions.csv      file,caption[,class][,split]                        a header, then one caption a row
    captions.jsonl    {"file": "a/b.png", "caption": "a red bird"}        one object a line, same keys

`stackgan.data.listings` says what else is read. `file` is relative to the folder; a file may have several rows.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import cast

from stackgan.data.image_files import MISSING, BadImages, reasons_why_bad
from stackgan.data.image_index import Found, ImageIndex
from stackgan.data.listings.find import read_lists
from stackgan.data.listings.rows import SPLIT_NAMES, Listing, Row
from stackgan.data.records import SPLITS, Record, Source, Split
from stackgan.data.splits import SplitRule, divide_classes, divide_images, with_validation
from stackgan.errors import UserError

NAMED_AT_MOST = 20
UNREADABLE = "cannot be read as an image"
LOST = "\ufffd"  # what a program writes in place of a letter that it could not read
Bad = tuple[str, str]  # a row's place and why it cannot be used


def read_folder(
    root: Path,
    *,
    name: str = "folder",
    listing: str | None = None,
    encoding: str | None = None,
    split: SplitRule = "listed",
    split_seed: int | None = None,
    bad_images: BadImages = "stop",
    notes: Sequence[str] = (),
) -> Source:
    """Read and check the folder.

    Args:
        listing: file of the captions inside the folder; None: the one that is there.
        encoding: of its text files; None: by evidence.
        split: "listed" takes what the list says, or the folders train/, test/ and so on that the images lie in, and without either is
            "image"; "image" divides the images 80/10/10 by a hash of their names and "class" the classes by a hash of theirs; "all"
            trains on everything, and validation and test mean the same images.
        split_seed: another number is another division.
        bad_images: with "skip" the image files are not opened here; `build_store` leaves out those that cannot be read or are missing.
        notes: sentences about where the folder comes from.

    Raises:
        UserError: one for all bad rows, naming the first 20 by line and how many there are: a missing or unreadable image, an empty
            caption, an unknown split, two splits or classes for one image, bad JSON.
    """
    root = Path(root)
    index = ImageIndex(root)
    found, place = read_lists(root, listing, encoding, index)
    rows, bad = _located(index, found, bad_images)
    bad = [*found.bad, *bad, *_bad_values(rows), *_conflicts(rows)]
    bad += _bad_files(root, rows) if bad_images == "stop" else []
    if bad:
        _refuse(place, bad, found)
    if not rows:
        raise UserError(f"{place} lists no image; give it at least one row with a file and a caption.")
    captions: dict[str, dict[str, None]] = {}
    for row in rows:
        captions.setdefault(row.file, {})[row.caption] = None
    labels = {row.file: row.label for row in rows if row.label}
    classes = {label: i for i, label in enumerate(sorted(set(labels.values())), start=1)}
    splits, said = _splits(rows, labels, split, split_seed, place)
    records = tuple(
        Record(file, root / file, tuple(texts), splits[file], classes.get(labels.get(file, "")))
        for file, texts in captions.items()
    )
    said = [*notes, *found.notes, *said, *_unlisted(index, captions.keys()), *_caption_notes(rows, records)]
    if len(classes) == len(labels) > 2:
        said.append(
            f"Each of the {len(labels)} images with a class has one of its own ({next(iter(classes))!r} ...): is that column a class?"
        )
    names = {i: label for label, i in classes.items()}
    return Source(name, root, records, names, tuple(said), single_split=split == "all")


def _located(index: ImageIndex, listing: Listing, bad_images: BadImages) -> tuple[list[Row], list[Bad]]:
    """The rows with the names that their files have on disk, and those whose file is not there or not to be used."""
    rows: list[Row] = []
    bad: dict[str, Bad] = {}  # a missing file is named at its first row only
    answers: dict[str, Found] = {}
    for row in listing.rows:
        if row.file not in answers:
            answers[row.file] = index.find(row.file)
        answer = answers[row.file]
        if answer.name:
            rows.append(row.at(answer.name))
        elif bad_images == "skip" and answer.missing:
            rows.append(row)
        else:
            bad.setdefault(row.file, (row.where, answer.reason))
    return rows, list(bad.values())


def _bad_values(rows: Sequence[Row]) -> list[Bad]:
    bad = [(row.where, "the caption is empty") for row in rows if not row.caption]
    known = "; give train, validation or test"
    return bad + [(row.where, f"split is {row.split!r}{known}") for row in rows if row.split not in ("", *SPLITS)]


def _conflicts(rows: Sequence[Row]) -> list[Bad]:
    """Rows that give an image another split or class than its first row does, or no split where others have one."""
    bad = []
    first: dict[tuple[str, str], Row] = {}
    for row in rows:
        for kind, value in ("split", row.split), ("class", row.label):
            if value and value != _value(before := first.setdefault((kind, row.file), row), kind):
                bad.append((row.where, f"{kind} {value!r} differs from {before.where}'s for {row.file}"))
    if any(row.split for row in rows):
        told = {file for kind, file in first if kind == "split"}
        bad += [(row.where, f"{row.file} has no split, though others have") for row in rows if row.file not in told]
    return bad


def _value(row: Row, kind: str) -> str:
    return row.split if kind == "split" else row.label


def _bad_files(root: Path, rows: Sequence[Row]) -> list[Bad]:
    """Each image is opened and decoded once; a bad one is named at its first row."""
    places: dict[str, str] = {}
    for row in rows:
        places.setdefault(row.file, row.where)
    reasons = reasons_why_bad([(root / file, None) for file in places])
    return [(places[file], _sentence(file, why)) for file, why in zip(places, reasons, strict=True) if why]


def _sentence(file: str, reason: str) -> str:
    return f"{file} does not exist" if reason == MISSING else f"{file} {UNREADABLE} ({reason})"


def _refuse(place: str, bad: list[Bad], listing: Listing) -> None:
    order = {where: i for i, where in enumerate([row.where for row in listing.rows])}
    bad = sorted(bad, key=lambda each: _number(each[0], order))
    named = "; ".join(f"{where}: {reason}" for where, reason in bad[:NAMED_AT_MOST])
    more = f"; and {len(bad) - NAMED_AT_MOST} more" if len(bad) > NAMED_AT_MOST else ""
    rows = "1 bad row" if len(bad) == 1 else f"{len(bad)} bad rows"
    few = 10 * len(bad) <= len({row.file for row in listing.rows})  # what data.bad_images=skip leaves out at most
    images = few and all(reason.endswith(" does not exist") or UNREADABLE in reason for _, reason in bad)
    skip = ", or leave them out with data.bad_images=skip" if images else ""
    raise UserError(f"{place} has {rows} ({named}{more}); mend or remove them{skip}.")


def _number(where: str, order: Mapping[str, int]) -> tuple[int, str]:
    digits = where.rpartition(" ")[2]
    return (int(digits), "") if digits.isdigit() else (order.get(where, len(order)), where)


def _splits(
    rows: Sequence[Row], labels: Mapping[str, str], rule: SplitRule, seed: int | None, place: str
) -> tuple[dict[str, Split], list[str]]:
    files = list(dict.fromkeys(row.file for row in rows))
    if rule == "all":
        return dict.fromkeys(files, "train"), ["Every image trains; validation and test mean the same images."]
    if rule == "class":
        if len(labels) < len(files):
            lacking = next(file for file in files if file not in labels)
            raise UserError(
                f"data.split=class: {place} gives {lacking} no class; use data.split=image, or add a column `class`."
            )
        by_class = divide_classes(sorted(set(labels.values())), seed)
        return {file: by_class[labels[file]] for file in files}, []
    told = {row.file: cast(Split, row.split) for row in rows if row.split} if rule == "listed" else {}
    folders, note = _split_folders(files) if rule == "listed" and not told else ({}, "")
    if told or folders:
        return _told(told or folders, place)
    divided = divide_images(files, seed)
    if rule == "image":
        return divided, []
    counts = ", ".join(str(list(divided.values()).count(each)) for each in SPLITS)
    return divided, [f"No split column{note}: images are divided about 80/10/10 by a hash of their name ({counts})."]


def _split_folders(files: Sequence[str]) -> tuple[dict[str, Split], str]:
    """The splits that folders are named after, where all images lie in such and one of them is for training; else what is in the way.

    COCO's folders carry a year, train2017/.
    """
    splits = {file: _split_folder(file) for file in files}
    named = set(splits.values()) - {""}
    if len(named) < 2:
        return {}, ""
    outside = [file for file, split in splits.items() if not split]
    if outside or "train" not in named:
        lacking = f"{outside[0]} lies in none" if outside else "none of them is train/"
        return {}, f", and folders named after splits are not used, as {lacking}"
    return cast("dict[str, Split]", splits), ""


def _split_folder(file: str) -> str:
    folders = [SPLIT_NAMES.get(part.lower().rstrip("0123456789"), "") for part in file.split("/")[:-1]]
    return next(filter(None, folders), "")


def _told(told: dict[str, Split], place: str) -> tuple[dict[str, Split], list[str]]:
    if "train" not in told.values():
        raise UserError(
            f"{place}: no row has split=train, so there is nothing to train on; mark rows as train, or divide anew with data.split=image."
        )
    return with_validation(told)


def _unlisted(index: ImageIndex, listed: Collection[str]) -> list[str]:
    """Images of the folder that no row names."""
    others = [name for name in index.names if name not in listed]
    return (
        [f"{len(others)} images of the folder are in no row and are left out (first: {others[0]})."] if others else []
    )


def _caption_notes(rows: Sequence[Row], records: Sequence[Record]) -> list[str]:
    notes = []
    if repeated := len(rows) - sum(len(record.captions) for record in records):
        notes.append(f"{repeated} of {len(rows)} rows repeat a caption of their image and count once.")
    lost = [row for row in rows if LOST in row.caption]
    if lost:
        notes.append(
            f"{len(lost)} captions hold U+FFFD, letters that were lost before they came here (first: {lost[0].where})."
        )
    return notes
