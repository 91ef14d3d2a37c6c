"""What people have is read, in whichever form: the same images and captions."""

import json
import math

import pytest
from listings import CAPTIONS, FORMS, coco

from stackgan.data.folder import read_folder
from stackgan.data.listings.find import read_list
from stackgan.data.prepared import prepare_folder
from stackgan.errors import UserError


@pytest.mark.parametrize("form", FORMS)
def test_every_form_says_the_same(picture_folder, form):
    root = picture_folder(*CAPTIONS)
    name, text = FORMS[form] if isinstance(FORMS[form], tuple) else (form, FORMS[form])
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text(text, encoding="utf-8", newline="")
    source = read_folder(root)
    assert {r.name: r.captions for r in source.records} == CAPTIONS
    assert not any("not used" in note for note in source.notes) or name == "results.csv"


def test_a_text_beside_each_image(picture_folder):
    root = picture_folder("a.png", "deep/b.jpg")
    (root / "a.txt").write_text("\ufeffa red bird\r\n\r\n a crimson  bird\r\n")
    (root / "deep/b.txt").write_text("a blue bird")
    (root / "notes.txt").write_text("nothing to do with it")
    assert [r.captions for r in read_folder(root).records] == [("a red bird", "a crimson bird"), ("a blue bird",)]
    (root / "deep/b.txt").unlink()
    with pytest.raises(UserError, match=r"1 bad row \(deep/b\.jpg: no caption file of its name is beside it\)"):
        read_folder(root)


def test_what_a_list_leaves_out_is_said(picture_folder):
    root = picture_folder("a.png", "b.png", "c.png")
    (root / "captions.csv").write_text("file,caption\na.png,a\n")
    (root / "b.txt").write_text("b")
    notes = read_folder(root).notes
    assert "2 images of the folder are in no row and are left out (first: b.png)." in notes
    assert "Text files beside the images are not read: captions.csv says the captions." in notes


def test_each_split_in_a_folder_with_its_own_list(picture_folder):
    root = picture_folder("train/a.png", "val/a.png", "test/b.png")
    for split, image in ("train", "a.png"), ("val", "a.png"), ("test", "b.png"):
        (root / split / "metadata.jsonl").write_text(json.dumps({"file_name": image, "text": f"{split} {image}"}))
    found = {r.name: (r.captions, r.split) for r in read_folder(root).records}
    assert found == {
        "train/a.png": (("train a.png",), "train"),
        "val/a.png": (("val a.png",), "validation"),
        "test/b.png": (("test b.png",), "test"),
    }


def test_the_folders_of_the_images_say_the_split_where_no_column_does(picture_folder):
    root = picture_folder("train/a.png", "train/b.png", "dev/c.png")
    (root / "captions.csv").write_text("file,caption\ntrain/a.png,a\ntrain/b.png,b\ndev/c.png,c\n")
    assert [r.split for r in read_folder(root).records] == ["train", "train", "validation"]
    assert {r.split for r in read_folder(root, split="image").records} == {"train", "validation", "test"}


def test_flickrs_lists_of_names_are_its_splits(picture_folder):
    root = picture_folder("Images/a.jpg", "Images/b.jpg", "Images/c.jpg", "Images/d.jpg")
    (root / "Flickr8k.token.txt").write_text(
        "a.jpg#0\tone\nb.jpg#0\ttwo\nb.jpg#1\tthree\nc.jpg#0\tfour\nd.jpg#0\tfive\n"
    )
    (root / "Flickr_8k.devImages.txt").write_text("d.jpg\n")
    (root / "Flickr_8k.trainImages.txt").write_text("a.jpg\n")
    (root / "Flickr_8k.testImages.txt").write_text("b.jpg\n")
    source = read_folder(root)
    assert {r.name: r.split for r in source.records} == {
        "Images/a.jpg": "train",
        "Images/b.jpg": "test",
        "Images/d.jpg": "validation",
    }
    assert any("1 images of Flickr8k.token.txt are in none of its split lists" in note for note in source.notes)


@pytest.mark.parametrize(
    ("files", "listed", "found"),
    [
        (["Bird_1.JPG"], "bird_1.jpg", "Bird_1.JPG"),
        (["a.jpeg"], "a.jpg", "a.jpeg"),
        (["a.png"], "a", "a.png"),
        (["images/sub/a.png"], "a.png", "images/sub/a.png"),
        (["images/sub/a.png", "b/a.png"], "sub/a.png", "images/sub/a.png"),
        (["cafe\u0301.png"], "caf\u00e9.png", "cafe\u0301.png"),  # as macOS writes names
        (["a.png"], "./a.png", "a.png"),
        (["sub/a.png"], "sub\\a.png", "sub/a.png"),
    ],
)
def test_images_are_found_by_the_names_that_lists_give_them(picture_folder, files, listed, found):
    root = picture_folder(*files)
    (root / "captions.jsonl").write_text(json.dumps({"file": listed, "caption": "x"}))
    assert [r.name for r in read_folder(root).records] == [found]


@pytest.mark.parametrize(
    ("name", "split"),
    [("captions_train.json", "train"), ("captions_retrieval_test.json", "test"), ("captions_latest.json", "")],
)
def test_a_split_is_a_whole_word_in_the_name_of_cocos_file(tmp_path, name, split):
    (tmp_path / name).write_text(coco())
    assert {row.split for row in read_list(tmp_path / name).rows} == {split}


def test_values_that_programs_write_otherwise(picture_folder):
    root = picture_folder("a.png", "b.png", "c.png")
    rows = [
        {"file": "a.png", "caption": "['red', \"it's blue\"]", "label": 1.0},
        {"file": "b.png", "caption": "b", "label": ["1"]},
    ]
    lines = [json.dumps(row) for row in [*rows, {"file": "c.png", "caption": "[c]", "label": math.nan}]]
    (root / "Captions.JSONL").write_text("\n".join(lines))
    source = read_folder(root)
    assert [r.captions for r in source.records] == [("red", "it's blue"), ("b",), ("[c]",)]
    assert [source.class_names.get(r.class_id) for r in source.records] == ["1", "1", None]


def test_split_folders_that_are_not_used_say_why(picture_folder):
    names = ["images/train2017/a.png", "images/val2017/b.png", "images/test/c.png"]
    root = picture_folder(*names, "extra/d.png")
    rows = [f"{name},x" for name in names]
    (root / "captions.csv").write_text("\n".join(["file,caption", *rows]))
    assert [r.split for r in read_folder(root).records] == ["train", "validation", "test"]
    (root / "captions.csv").write_text("\n".join(["file,caption", *rows, "extra/d.png,x"]))
    assert any("are not used, as extra/d.png lies in none" in note for note in read_folder(root).notes)


def test_a_class_of_its_own_for_each_image_is_doubted(picture_folder):
    root = picture_folder("a.png", "b.png", "c.png")
    (root / "captions.csv").write_text("file,caption,label\na.png,red, with wings\nb.png,b,two\nc.png,c,three\n")
    doubt = "Each of the 3 images with a class has one of its own ('three' ...): is that column a class?"
    assert doubt in read_folder(root).notes


def test_images_that_pillow_lacks_and_texts_without_images_are_said(picture_folder):
    root = picture_folder("a.png")
    for name in "a.txt", "b.txt":
        (root / name).write_text(name)
    assert any(
        "without an image of their name are not read: 1 (first: b.txt)" in note for note in read_folder(root).notes
    )
    (root / "b.heic").write_bytes(b"\0\0\0\x18ftypheic")
    with pytest.raises(UserError, match=r"b\.txt: b\.heic cannot be read as an image"):
        read_folder(root)


def test_links_and_folders_that_cannot_be_followed_do_no_harm(picture_folder, tmp_path):
    root = picture_folder("a.png", "b.png")
    (root / "captions.csv").write_text(f"file,caption\n{root}/a.png,a\nb.png,b\n")
    (root / "loop.png").symlink_to("loop.png")
    (root / "up").symlink_to(root)
    assert prepare_folder(root, tmp_path / "cache", 16).names == ["a.png", "b.png"]


def test_images_and_classes_can_be_divided_anew(picture_folder):
    names = [f"{i:02d}.png" for i in range(40)]
    root = picture_folder(*names)
    rows = [f"{name},bird {i},{'train' if i < 30 else 'test'},kind {i % 8}" for i, name in enumerate(names)]
    (root / "captions.csv").write_text("\n".join(["file,caption,split,class", *rows]))

    def splits(**options):
        return {r.name: r.split for r in read_folder(root, **options).records}

    by_image = [splits(split="image", split_seed=seed) for seed in (None, 0, 1, 0)]
    assert all(set(each.values()) == {"train", "validation", "test"} for each in by_image)
    assert by_image[1] == by_image[3] and by_image[0] != by_image[1] != by_image[2]
    by_class = read_folder(root, split="class", split_seed=3).records
    kinds = {split: {r.class_id for r in by_class if r.split == split} for split in ("train", "validation", "test")}
    assert [len(kinds[split]) for split in kinds] == [6, 1, 1] and len(set.union(*kinds.values())) == 8
    assert read_folder(root, split="all").single_split


def test_without_classes_there_is_no_division_by_class(picture_folder):
    root = picture_folder("a.png", "b.png")
    (root / "captions.csv").write_text("file,caption\na.png,a\nb.png,b\n")
    with pytest.raises(UserError, match=r"data\.split=class: .*gives a\.png no class; use data\.split=image"):
        read_folder(root, split="class")


def test_a_repeated_caption_counts_once(picture_folder):
    root = picture_folder("a.png", "b.png")
    (root / "captions.csv").write_text("file,caption\na.png,a\na.png,a \n./a.png,a\nb.png,a\n")
    source = read_folder(root)
    assert [r.captions for r in source.records] == [("a",), ("a",)]
    assert "2 of 4 rows repeat a caption of their image and count once." in source.notes
