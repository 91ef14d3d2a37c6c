"""Oxford-102 with Reed's captions, in miniature and in its exact layout."""

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from stackgan.data.flowers import read_flowers
from stackgan.errors import UserError

LABELS = [77, 77, 1, 1, 5, 5, 102, 23]  # imagelabels.mat is in the order of the images' numbers, not of the classes


@pytest.fixture
def flowers(tmp_path):
    root = tmp_path / "flowers"
    release = root / "cvpr2016_flowers"
    (root / "jpg").mkdir(parents=True)
    savemat(root / "imagelabels.mat", {"labels": np.array([LABELS], dtype=np.uint8)})
    for number, label in enumerate(LABELS, start=1):
        Image.new("RGB", (50, 40), (number * 9, 0, 0)).save(root / f"jpg/image_{number:05d}.jpg")
        text = release / f"text_c10/class_{label:05d}/image_{number:05d}.txt"
        text.parent.mkdir(parents=True, exist_ok=True)
        text.write_text("".join(f"flower {number} said {i} \n" for i in range(10)))
    (release / "trainvalclasses.txt").write_text("class_00001\nclass_00005\nclass_00077\n")
    (release / "valclasses.txt").write_text("class_00005\n")
    (release / "testclasses.txt").write_text("class_00023\nclass_00102\n")
    return root


def splits(source):
    return {int(r.name[-9:-4]): r.split for r in source.records}


def test_classes_captions_and_the_papers_class_split(flowers):
    source = read_flowers(flowers)
    assert [r.class_id for r in source.records] == LABELS
    assert source.records[0].captions[9] == "flower 1 said 9" and len(source.records[0].captions) == 10
    assert splits(source) == {
        1: "train", 2: "train", 3: "train", 4: "train", 5: "validation", 6: "validation", 7: "test", 8: "test",
    }  # fmt: skip
    assert all(r.box is None for r in source.records) and source.notes == ()


def test_without_the_labels_the_folders_of_the_captions_are_the_classes(flowers):
    (flowers / "imagelabels.mat").unlink()
    assert [r.class_id for r in read_flowers(flowers).records] == LABELS


def test_images_in_folders_of_classes_and_captions_beside_the_root(flowers):
    (flowers / "imagelabels.mat").unlink()
    (flowers / "cvpr2016_flowers").rename(flowers.parent / "cvpr2016_flowers")
    for number, label in enumerate(LABELS, start=1):
        (flowers / f"train/{label}").mkdir(parents=True, exist_ok=True)
        (flowers / f"jpg/image_{number:05d}.jpg").rename(flowers / f"train/{label}/image_{number:05d}.jpg")
    source = read_flowers(flowers)
    assert [r.class_id for r in source.records] == LABELS and set(splits(source).values()) == {
        "train",
        "validation",
        "test",
    }


def test_without_the_lists_the_classes_are_divided_and_it_is_said(flowers):
    (flowers / "cvpr2016_flowers/testclasses.txt").unlink()
    source = read_flowers(flowers)
    assert set(splits(source).values()) == {"train", "validation", "test"}
    assert any("not as in the papers" in note for note in source.notes)


def test_divided_anew(flowers):
    assert splits(read_flowers(flowers, split_seed=1)) != splits(read_flowers(flowers))
    assert set(splits(read_flowers(flowers, split="image")).values()) == {"train", "validation", "test"}
    assert read_flowers(flowers, split="all").single_split


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda root: (root / "imagelabels.mat").write_bytes(b"MATLAB 5.0 no"), "imagelabels.mat cannot be read"),
        (lambda root: savemat(root / "imagelabels.mat", {"labels": [[1, 2]]}), "has 2 labels, and there is an image"),
        (
            lambda root: (root / "cvpr2016_flowers/text_c10/class_00001/image_00003.txt").unlink(),
            "no captions of 1 of 8",
        ),
        (
            lambda root: (root / "cvpr2016_flowers/text_c10/class_00001/image_00003.txt").write_text("\n"),
            "holds no caption",
        ),
        (
            lambda root: (root / "cvpr2016_flowers/testclasses.txt").write_text("rose\n"),
            "line 1 is 'rose', not a class",
        ),
        (
            lambda root: savemat(root / "imagelabels.mat", {"labels": [[5] * 8]}),
            "gives image 1 the class 5, and its captions are",
        ),
        (lambda root: Image.new("RGB", (9, 9)).save(root / "image_00001.png"), "have one number; keep one"),
        (lambda root: (root / "jpg").rename(root.parent / "elsewhere"), "holds no jpg/image_<number>.jpg"),
    ],
)
def test_what_is_lacking_is_named(flowers, change, words):
    change(flowers)
    with pytest.raises(UserError, match=words):
        read_flowers(flowers)
