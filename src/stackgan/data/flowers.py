"""Oxford-102 flowers (Nilsback and Zisserman 2008), captioned by Reed et al. 2016: the second data set of the StackGAN papers.

jpg/image_00001.jpg ...                  8,189 images; or a folder for each class
imagelabels.mat                          their classes, 1 to 102, in the order of the images' numbers
cvpr2016_flowers/text_c10/class_00001/   Reed's release: image_06734.txt, ten captions a line each
cvpr2016_flowers/trainvalclasses.txt     and his class lists: 62 training, 20 validation and 20 test classes
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from scipy.io import loadmat

from stackgan.data.image_index import ImageIndex
from stackgan.data.records import Record, Source, Split
from stackgan.data.splits import SplitRule, divide_classes, divide_images
from stackgan.data.text_files import clean, lines_of, read_text
from stackgan.errors import UserError

RELEASE = ("", "cvpr2016_flowers", "flowers_icml", "102flowers")  # folders that the parts unpack to
IMAGE = re.compile(r"image_(\d{5})$", re.IGNORECASE)
CLASS = re.compile(r"(?:class_)?0*(\d{1,3})", re.IGNORECASE)
CLASS_LISTS = (
    ("validation", "valclasses.txt"),
    ("test", "testclasses.txt"),
)  # of Reed's release; all other classes train
CAPTIONS = "text_c10"


def read_flowers(
    root: Path,
    *,
    split: SplitRule = "class",
    split_seed: int | None = None,
    encoding: str | None = None,
) -> Source:
    """Read the data set, or a part of it.

    Args:
        split: "class", the class lists of Reed's release, as the StackGAN papers do (82 classes for training and validation, 20 for
            testing); without the lists, and with a seed, the classes are divided 80/10/10. "image" divides the images 80/10/10.
        split_seed: another number is another division.
        encoding: of caption files that are not UTF-8; None: such are refused.

    Raises:
        UserError: there are no images, captions or classes, or an image has none.
    """
    root = Path(root)
    images = find_flowers(root)
    texts = _caption_files(root)
    classes = _classes(root, images, texts)
    silent = [number for number in images if number not in texts]
    if silent:
        raise UserError(
            f"{root} has no captions of {len(silent)} of {len(images)} images (first: {images[silent[0]].name}); put Reed's release at "
            f"{CAPTIONS}/class_<number>/image_<number>.txt."
        )
    splits, notes = _splits(root, images, classes, split, split_seed, encoding)
    records = tuple(
        Record(
            path.relative_to(root).as_posix(), path, _captions(texts[number], encoding), splits[number], classes[number]
        )
        for number, path in images.items()
    )
    names = {i: f"class {i}" for i in sorted(set(classes.values()))}
    return Source("flowers", root, records, names, tuple(notes), single_split=split == "all")


def find_flowers(root: Path) -> dict[int, Path]:
    """The images by their numbers. Raises UserError where there is none."""
    if not root.is_dir():
        raise UserError(
            f"data.root: {root} {'is no folder' if root.exists() else 'does not exist'}; give the folder with jpg/."
        )
    found: dict[int, Path] = {}
    for name in ImageIndex(root).names:
        if (named := IMAGE.search(Path(name).stem)) is None:
            continue
        if (before := found.setdefault(int(named[1]), root / name)) != root / name:
            raise UserError(f"data.root: {root / name} and {before} have one number; keep one of them.")
    if not found:
        raise UserError(
            f"data.root: {root} holds no jpg/image_<number>.jpg; other images and captions are data=folder."
        )
    return dict(sorted(found.items()))


def flower_files(root: Path) -> list[Path]:
    """Every folder that `read_flowers` looks into."""
    return [
        Path(root),
        *(Path(root).parent / name / CAPTIONS for name in RELEASE),
        *(Path(root).parent / name for name in RELEASE[1:]),
    ]


def _caption_files(root: Path) -> dict[int, Path]:
    folders = [base / name / CAPTIONS for base in (root, root.parent) for name in RELEASE]
    found: dict[int, Path] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*.txt")):
            if named := IMAGE.search(path.stem):
                found.setdefault(int(named[1]), path)
    return found


def _classes(root: Path, images: Mapping[int, Path], texts: Mapping[int, Path]) -> dict[int, int]:
    """Of each image by its number: imagelabels.mat's, else that of the folder which its captions or itself lie in."""
    labels = next((path for name in RELEASE if (path := root / name / "imagelabels.mat").is_file()), None)
    if labels is not None:
        values = _labels(labels)
        beyond = [number for number in images if not 1 <= number <= len(values)]
        if beyond:
            raise UserError(
                f"{labels} has {len(values)} labels, and there is an image {beyond[0]}; take both from one release."
            )
        classes = {number: values[number - 1] for number in images}
        for number in images:
            folder = CLASS.fullmatch(texts[number].parent.name) if number in texts else None
            if folder and int(folder[1]) != classes[number]:
                raise UserError(
                    f"{labels} gives image {number} the class {classes[number]}, and its captions are {texts[number]}; take both from "
                    "one release."
                )
        return classes
    classes = dict[int, int]()
    for number, path in images.items():
        folders = [each.parent.name for each in (texts.get(number), path) if each is not None]
        named = [int(match[1]) for folder in folders if (match := CLASS.fullmatch(folder))]
        if not named:
            raise UserError(
                f"{root} has no imagelabels.mat, and {path.name} lies in no folder of a class; add imagelabels.mat."
            )
        classes[number] = named[0]
    return classes


def _labels(path: Path) -> list[int]:
    try:
        return [int(value) for value in loadmat(path)["labels"].reshape(-1)]
    except MemoryError:
        raise
    except Exception as error:  # scipy raises what its parts raise
        raise UserError(
            f"{path} cannot be read as the labels of Oxford-102 ({type(error).__name__}); download it again."
        ) from error


def _splits(
    root: Path,
    images: Mapping[int, Path],
    classes: Mapping[int, int],
    rule: SplitRule,
    seed: int | None,
    encoding: str | None,
) -> tuple[Mapping[int, Split], list[str]]:
    if rule == "all":
        return dict.fromkeys(images, "train"), ["Every image trains; validation and test mean the same images."]
    if rule == "image":
        by_image = divide_images([f"image_{number:05d}" for number in images], seed)
        return {number: by_image[f"image_{number:05d}"] for number in images}, []
    lists = {} if seed is not None else _class_lists(root, encoding)
    if lists:
        of_class: Mapping[int, Split] = {i: lists.get(i, "train") for i in classes.values()}
        if "train" not in of_class.values():
            raise UserError(f"{root}: all classes of its images are test or validation classes; use data.split=image.")
        return {number: of_class[classes[number]] for number in images}, []
    divided = divide_classes([str(i) for i in sorted(set(classes.values()))], seed)
    note = f"{root} has no {CLASS_LISTS[1][1]} of Reed's release: the classes are divided 80/10/10 by a hash, not as in the papers."
    return {number: divided[str(classes[number])] for number in images}, [] if seed is not None else [note]


def _class_lists(root: Path, encoding: str | None) -> dict[int, Split]:
    """Split of each class that a list names; a line is `class_00012`."""
    folders: Sequence[Path] = [base / name for base in (root, root.parent) for name in RELEASE]
    home = next((folder for folder in folders if (folder / CLASS_LISTS[1][1]).is_file()), None)
    found: dict[int, Split] = {}
    for split, file in CLASS_LISTS if home else ():
        path = cast(Path, home) / file
        for number, line in enumerate(lines_of(read_text(path, encoding)) if path.is_file() else (), start=1):
            if not line.strip():
                continue
            named = CLASS.fullmatch(line.strip())
            if named is None:
                raise UserError(
                    f"{path} line {number} is {line[:40]!r}, not a class such as class_00012; take Reed's list."
                )
            found[int(named[1])] = cast(Split, split)
    return found


def _captions(path: Path, encoding: str | None) -> tuple[str, ...]:
    captions = tuple(filter(None, map(clean, lines_of(read_text(path, encoding)))))
    if not captions:
        raise UserError(f"{path} holds no caption; take the file from Reed's release.")
    return captions
