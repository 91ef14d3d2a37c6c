"""Which pictures are trained on, which choose the best checkpoint, and which are only ever tested on."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from stackgan.data.records import SPLITS, Split, hash_fraction
from stackgan.errors import UserError

SplitRule = Literal["listed", "class", "image", "all"]  # "listed": of a folder, as its list says
VALIDATION_SHARE = 0.1


def class_list(name: Literal["cub_test", "cub_validation"]) -> frozenset[int]:
    """Class ids kept with the package.

    `cub_test`: the 50 test classes of Reed et al. 2016 that StackGAN uses (2,933 pictures; the other 150 classes hold
    8,855). `cub_validation`: 20 of those 150, ours, spread over 1..200, so that nothing is ever chosen on test classes.
    """
    return frozenset(int(line) for line in (Path(__file__).parent / "class_splits" / f"{name}.txt").read_text().split())


def split_by_class(
    names: Sequence[str], class_ids: Sequence[int], test_classes: Sequence[int] = ()
) -> tuple[list[Split], list[str]]:
    """StackGAN's class-disjoint split, with validation classes taken out of its training classes.

    `test_classes` are tested on instead of StackGAN's 50; of a part of CUB those can be most.

    A data set without any of the 20 validation classes gives its last training class, if it has at least three, else a
    tenth of its training pictures (by hash of the name).

    Returns:
        The split of each picture, and plain sentences about what was fallen back to.

    Raises:
        UserError: a test class does not exist, or no class is left to train on.
    """
    test, validation = frozenset(test_classes) or class_list("cub_test"), class_list("cub_validation")
    present = sorted(set(class_ids))
    unknown = sorted(set(test_classes).difference(present))
    if unknown:
        raise UserError(
            f"data.test_classes={unknown}: this data set's classes are {', '.join(map(str, present[:20]))}{', ...' * (len(present) > 20)}."
        )
    training = [c for c in present if c not in test]
    notes = []
    if not training:
        raise UserError(
            f"data.split=class: all {len(present)} classes of this data set are test classes, so nothing is left to "
            "train on; use data.test_classes, data.split=image or data.split=all."
        )
    if len(training) == len(present):
        notes.append("No class of StackGAN's 50 test classes is here: the test split is empty.")
    chosen = validation.intersection(training)
    if len(chosen) == len(training):  # nothing would be left to train on
        chosen = frozenset()
    if not chosen and len(training) >= 3:
        chosen = frozenset(training[-1:])
        notes.append(f"None of the 20 validation classes is here: class {training[-1]} validates instead.")
    splits: list[Split] = ["test" if c in test else "validation" if c in chosen else "train" for c in class_ids]
    if not chosen:
        notes.append("None of the 20 validation classes is here: a tenth of the training pictures validates instead.")
        splits = _hold_out(names, splits)
    return splits, notes


def split_by_image(names: Sequence[str], official_train: Sequence[bool]) -> list[Split]:
    """CUB's own train_test_split.txt, and a tenth of its training pictures (by hash of the name) to validate on."""
    return _hold_out(names, ["train" if t else "test" for t in official_train])


def split_by_hash(name: str, seed: int | None = None) -> Split:
    """80 % train, 10 % validation, 10 % test: a function of the name and the seed, so an added image moves no other one."""
    fraction = hash_fraction(_key(name, seed))
    return "train" if fraction < 0.8 else "validation" if fraction < 0.9 else "test"


def divide_images(names: Sequence[str], seed: int | None = None) -> dict[str, Split]:
    """`split_by_hash` of each; where a handful leaves a split without any, the hash's own order says which image moves."""
    splits = {name: split_by_hash(name, seed) for name in names}
    order = sorted(splits, key=lambda name: hash_fraction(_key(name, seed)))
    if order and "train" not in splits.values():
        splits[order[0]] = "train"
    for split in SPLITS[1:]:
        training = [name for name in order if splits[name] == "train"]
        if split not in splits.values() and len(training) > 1:
            splits[training[-1]] = split
    return splits


def divide_classes(classes: Sequence[str], seed: int | None = None) -> dict[str, Split]:
    """A tenth of the classes for validation and one for testing, at least one each where there are three, chosen by a hash.

    Raises:
        UserError: there is one class only.
    """
    if len(classes) < 2:
        raise UserError(
            "data.split=class: there is one class only, so nothing would be left to train on; use data.split=image."
        )
    order = sorted(classes, key=lambda name: hash_fraction(_key(name, seed)))
    held = max(1, round(len(order) / 10))
    test = order[:held] if len(order) > 2 else []
    validation = order[len(test) : len(test) + held]
    return {name: "test" if name in test else "validation" if name in validation else "train" for name in classes}


def with_validation(splits: Mapping[str, Split]) -> tuple[dict[str, Split], list[str]]:
    """A listed split, with a tenth of its training images (by hash of the name) as validation images where it has none.

    Nothing may be chosen by test images, so a list of training and test images alone would leave no choice of the best generator. A
    single training image stays one.

    Returns:
        The split of each name, and a plain sentence where any was changed.
    """
    if "validation" in splits.values():
        return dict(splits), []
    held = dict(zip(splits, _hold_out(list(splits), list(splits.values())), strict=True))
    if held == splits:
        return held, []
    return held, ["No image has split=validation: a tenth of the training images, by a hash of their name, validates."]


def _key(name: str, seed: int | None) -> str:
    return f"split:{name}" if seed is None else f"split {seed}:{name}"


def _hold_out(names: Sequence[str], splits: Sequence[Split]) -> list[Split]:
    """Turn a tenth of the training pictures into validation pictures; at least one where there are two or more."""
    fractions: Mapping[str, float] = {
        name: hash_fraction(f"validation:{name}") for name, split in zip(names, splits, strict=True) if split == "train"
    }
    held = {name for name, fraction in fractions.items() if fraction < VALIDATION_SHARE}
    if len(fractions) > 1 and len(held) in (0, len(fractions)):
        held = {min(fractions, key=lambda name: fractions[name])}
    return ["validation" if name in held else split for name, split in zip(names, splits, strict=True)]
