import shutil
from collections import Counter

import numpy as np
import pytest

from stackgan.data.cub import read_cub, read_cub_table
from stackgan.data.splits import class_list, split_by_class
from stackgan.errors import UserError


def test_a_record_joins_the_files_by_image_id(make_cub):
    source = read_cub(make_cub())
    record = source.records[5]
    assert record.name == "002.Bird_2/Bird_2_0001.jpg"
    assert record.path.is_file()
    assert record.class_id == 2
    assert record.box == (10.0, 5.0, 20.0, 16.0)
    assert record.captions == ("a bird number 5", "bird 5 again")
    assert record.split == "train"
    assert source.class_names[2] == "002.Bird_2"
    assert {r.split for r in source.records if r.class_id == 10} == {"validation"}
    assert {r.split for r in source.records if r.class_id == 1} == {"test"}


def test_rows_are_joined_whatever_their_order(make_cub):
    root = make_cub()
    before = read_cub(root)
    labels = (root / "image_class_labels.txt").read_text().splitlines()
    (root / "image_class_labels.txt").write_text("\n".join(reversed(labels)) + "\n\n")
    assert [r.class_id for r in read_cub(root).records] == [r.class_id for r in before.records]


def test_the_folder_above_is_accepted(make_cub, tmp_path):
    make_cub(root=tmp_path / "above" / "CUB_200_2011")
    assert read_cub(tmp_path / "above").root == tmp_path / "above" / "CUB_200_2011"


def test_image_split_is_the_official_one(make_cub):
    source = read_cub(make_cub(), split="image")
    assert {r.split for r in source.records[1::2]} == {"test"}
    assert {r.split for r in source.records[0::2]} == {"train", "validation"}


def test_all_trains_on_every_picture(make_cub):
    source = read_cub(make_cub(), split="all")
    assert source.single_split and {r.split for r in source.records} == {"train"}


def test_broken_bytes_in_captions_become_spaces_and_empty_lines_go(make_cub):
    root = make_cub()
    path = root / "text" / "001.Bird_1" / "Bird_1_0000.txt"
    path.write_bytes("this\ufffd\ufffdbird  is red \r\n\n   \n".encode() + b"a\xa0blue bird")
    assert read_cub(root).records[0].captions == ("this bird is red", "a blue bird")
    path.write_bytes(b"a bird\na gr\xfcn bird")
    with pytest.raises(UserError, match=r"Bird_1_0000.txt line 2 is not UTF-8 \(byte 0xFC"):
        read_cub(root)
    assert read_cub(root, encoding="cp1252").records[0].captions == ("a bird", "a grün bird")


def test_captions_may_lie_beside_the_root_in_text_c10(make_cub):
    root = make_cub()
    shutil.move(root / "text", root.parent / "text_c10")
    assert read_cub(root, captions="text").records[3].captions == ("a bird number 3", "bird 3 again")


def test_without_captions_they_are_written_from_the_pictures_attributes(make_cub):
    root = make_cub(captions=False, attributes={1: [1, 3], 2: [2]})
    source = read_cub(root)
    assert all(len(r.captions) == 10 for r in source.records)
    assert any("blue wings" in c for c in source.records[0].captions)
    assert not any("red" in c for c in source.records[0].captions)
    assert any("red wings" in c for c in source.records[1].captions)
    assert any("have no captions of their own" in note for note in source.notes)
    assert [r.captions for r in read_cub(root).records] == [r.captions for r in source.records]


def test_attribute_captions_can_be_asked_for(make_cub):
    source = read_cub(make_cub(attributes={1: [1]}), captions="attributes")
    assert any("blue wings" in c for c in source.records[0].captions)


def test_neither_captions_nor_attributes_is_the_users_error(make_cub):
    with pytest.raises(UserError, match="neither captions"):
        read_cub(make_cub(captions=False))
    with pytest.raises(UserError, match=r"data\.captions=text"):
        read_cub(make_cub(captions=False), captions="text")


@pytest.mark.parametrize(
    "file", ["images.txt", "classes.txt", "image_class_labels.txt", "bounding_boxes.txt", "train_test_split.txt"]
)
def test_a_missing_file_is_named(make_cub, file):
    root = make_cub()
    (root / file).unlink()
    with pytest.raises(UserError, match=file):
        read_cub(root)


def test_no_data_set_says_what_to_give(tmp_path):
    with pytest.raises(UserError, match=r"has no images.txt.*CUB_200_2011/; give that folder, or data.archive="):
        read_cub(tmp_path)
    with pytest.raises(UserError, match="does not exist"):
        read_cub(tmp_path / "nowhere")


def test_a_missing_photograph_is_named(make_cub):
    root = make_cub()
    (root / "images" / "003.Bird_3" / "Bird_3_0002.jpg").unlink()
    with pytest.raises(UserError, match=r"lacks 1 of the 20 images.*Bird_3_0002"):
        read_cub(root)


def test_a_broken_row_is_named_with_its_line(make_cub):
    root = make_cub()
    (root / "image_class_labels.txt").write_text("1 1\nnonsense\n")
    with pytest.raises(UserError, match=r"image_class_labels\.txt line 2"):
        read_cub(root)
    (root / "image_class_labels.txt").write_text("1 1\n")
    with pytest.raises(UserError, match="no row for 19 of the 20 pictures"):
        read_cub(root)


def test_fingerprint_follows_what_the_data_says(make_cub):
    root = make_cub()
    first = read_cub(root)
    assert first.fingerprint() == read_cub(root).fingerprint()
    assert first.fingerprint() != read_cub(root, split="image").fingerprint()
    (root / "text" / "001.Bird_1" / "Bird_1_0000.txt").write_text("another caption\n")
    assert first.fingerprint() != read_cub(root).fingerprint()


def test_real_subset(cub10):
    source = read_cub(cub10)
    assert len(source.records) == 543
    assert Counter(r.split for r in source.records) == {"train": 215, "validation": 60, "test": 268}
    assert {r.class_id for r in source.records if r.split == "train"} == {2, 3, 5, 7}
    assert all(len(r.captions) == 10 for r in source.records)
    assert not any("\ufffd" in caption for r in source.records for caption in r.captions)
    broken = next(r for r in source.records if r.name.endswith("Brewer_Blackbird_0115_2279.jpg"))
    assert broken.captions[4] == "this bird has a dark brown body, black wings, and a short, pointed bill."
    assert len(source.attribute_names) == 312
    assert source.records[0].attributes[4] == pytest.approx(0.598540145985)
    assert any("image_attribute_labels.txt" in note for note in source.notes)


def test_real_subset_captions_from_class_attributes(cub10):
    source = read_cub(cub10, captions="attributes")
    assert all(len(set(r.captions)) >= 5 for r in source.records)
    black = [r for r in source.records if r.class_id == 9]  # Brewer's blackbird
    assert all(any("black" in caption for caption in r.captions) for r in black)


def test_real_class_split_has_stackgans_counts(cub_metadata):
    table = read_cub_table(cub_metadata)
    splits, notes = split_by_class(table.names, table.class_ids)
    assert len(table.names) == 11788 and len(table.class_names) == 200
    assert splits.count("test") == 2933
    assert splits.count("train") + splits.count("validation") == 8855
    assert notes == []
    assert sum(table.official_train) == 5994


def test_real_class_split_is_the_releases(cub_metadata):
    from stackgan.text import array_pickle

    released = array_pickle.load(cub_metadata / "reed_split" / "test" / "filenames.pickle")
    table = read_cub_table(cub_metadata)
    test = class_list("cub_test")
    ours = {n.removesuffix(".jpg") for n, c in zip(table.names, table.class_ids, strict=True) if c in test}
    assert ours == set(released)


def test_boxes_reach_the_table_in_pixels(cub_metadata):
    table = read_cub_table(cub_metadata)
    assert table.boxes[0] == (60.0, 27.0, 325.0, 304.0)
    assert np.asarray(table.boxes).min() >= 0


def test_a_part_of_the_class_folders(make_cub):
    root = make_cub()
    shutil.rmtree(root / "images" / "003.Bird_3")
    source = read_cub(root)
    assert {r.class_id for r in source.records} == {1, 2, 5, 10} and len(source.records) == 16
    assert any("1 of the 5 classes of images.txt have no folder" in note for note in source.notes)
    (root / "images" / "002.Bird_2" / "Bird_2_0000.jpg").unlink()
    with pytest.raises(UserError, match="lacks 1 of the 20 images"):
        read_cub(root)
    assert not read_cub(root, bad_images="skip").records[4].path.exists()  # the store leaves it out, and says so


def test_endings_and_letters_of_another_case(make_cub):
    root = make_cub((1, 2))
    for path in sorted(root.glob("images/*/*.jpg")):
        path.rename(path.with_name(path.stem.lower() + ".JPG"))
    source = read_cub(root)
    assert source.records[0].path.name == "bird_1_0000.JPG" and source.records[0].name.endswith("Bird_1_0000.jpg")


@pytest.mark.parametrize("place", ["text_c10", "../cvpr2016_cub/text_c10", "cvpr2016_cub/text", "../text"])
def test_captions_where_releases_and_mirrors_put_them(make_cub, place):
    root = make_cub()
    (root / place).parent.mkdir(exist_ok=True)
    (root / "text").rename(root / place)
    assert read_cub(root, captions="text").records[3].captions == ("a bird number 3", "bird 3 again")


def test_caption_files_that_match_no_image_are_never_replaced_in_silence(make_cub):
    root = make_cub(attributes={1: [1]})
    for path in sorted(root.glob("text/*/*.txt")):
        path.rename(path.with_stem(path.stem + "_2950"))
    with pytest.raises(UserError, match=r"holds 20 caption files, and none of them is named like an image"):
        read_cub(root)
    source = read_cub(root, captions="attributes")
    assert len(source.records[0].captions) == 10
    (root / "text" / "001.Bird_1" / "Bird_1_0000_2950.txt").rename(root / "text" / "001.Bird_1" / "Bird_1_0000.txt")
    (root / "text" / "001.Bird_1" / "Bird_1_0001.txt").write_text("\ufeff\n")
    notes = read_cub(root).notes
    assert any(
        "19 of 20 images have no captions of their own, caption files with nothing in them: 1" in note for note in notes
    )
    assert any("caption files named like no image: 19" in note for note in notes)


def test_text_files_of_other_encodings(make_cub):
    root = make_cub((1, 2))
    text = root / "text" / "001.Bird_1" / "Bird_1_0000.txt"
    text.write_bytes("새\r\n".encode("utf-16"))
    (root / "classes.txt").write_bytes("1 001.Bird_1\n2 002.Bird_\u00e9\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"classes\.txt line 2 is not UTF-8 .*data\.encoding"):
        read_cub(root)
    source = read_cub(root, encoding="latin-1")
    assert source.class_names[2] == "002.Bird_é" and source.records[0].captions == ("새",)


def test_divided_anew(make_cub):
    root = make_cub()
    by_class = read_cub(root, split="class", split_seed=0).records
    held = {r.class_id for r in by_class if r.split == "test"}
    assert len(held) == 1 and not held & {r.class_id for r in by_class if r.split == "train"}
    by_image = [[r.split for r in read_cub(root, split="image", split_seed=seed).records] for seed in (0, 1)]
    assert set(by_image[0]) == {"train", "validation", "test"} and by_image[0] != by_image[1]
