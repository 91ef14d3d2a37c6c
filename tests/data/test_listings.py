"""What people have is read: the same 4 images with the same captions, listed in every form."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackgan.data.folder import read_folder
from stackgan.data.listings.find import read_list
from stackgan.data.prepared import prepare_folder
from stackgan.errors import UserError

CAPTIONS = {"a.png": ("a red bird",), "b.png": ("a blue bird, small", "a bird"), "c.png": ("grün",), "d.png": ("새",)}


def table(separator, header=("file", "caption")):
    rows = [header, *((name, text) for name, texts in CAPTIONS.items() for text in texts)]
    return "\n".join(separator.join(f'"{cell}"' if separator in cell else cell for cell in row) for row in rows)


def coco():
    images = [{"id": i, "file_name": name} for i, name in enumerate(CAPTIONS)]
    annotations = [{"image_id": i, "caption": text} for i, name in enumerate(CAPTIONS) for text in CAPTIONS[name]]
    return json.dumps({"images": images, "annotations": annotations})


def karpathy():
    images = [
        {"filename": name, "split": "train", "sentences": [{"raw": text} for text in texts]}
        for name, texts in CAPTIONS.items()
    ]
    return json.dumps({"images": images})


FORMS = {
    "captions.csv": table(","),
    "captions.csv ;": ("captions.csv", "\ufeff" + table(";", ("Image", "Caption"))),
    "captions.csv sep": ("captions.csv", "sep=|\n" + table("|")),
    "captions.tsv": table("\t", ("IMAGE_FILE", "Text")),
    "captions.txt": table(",", ("image", "caption")),
    "captions.txt CRLF and blanks": ("captions.txt", "\n" + table(",").replace("\n", "\r\n\r\n") + "\r\n,\r\n"),
    "metadata.csv": table(",", ("file_name", "text")),
    "pandas' index": ("captions.csv", "\n".join(f"{i or ''},{row}" for i, row in enumerate(table(",").split("\n")))),
    "results.csv": "\n".join(
        ["image_name| comment_number| comment", *(f"{n}| 0| {t}" for n, ts in CAPTIONS.items() for t in ts)]
    ),
    "metadata.jsonl": "\n".join(json.dumps({"file_name": n, "text": t}) for n, ts in CAPTIONS.items() for t in ts),
    "captions.jsonl": "\n".join(json.dumps({"file": n, "captions": ts}) for n, ts in CAPTIONS.items()),
    "captions.json": json.dumps(CAPTIONS, ensure_ascii=False),
    "captions.json list": ("captions.json", json.dumps([{"image": n, "caption": ts} for n, ts in CAPTIONS.items()])),
    "annotations/captions_train2017.json": coco(),
    "dataset_coco.json": karpathy(),
    "Flickr8k.token.txt": "\n".join(f"{n}#{i}\t{t}" for n, ts in CAPTIONS.items() for i, t in enumerate(ts)),
    "captions.csv numbered": (
        "captions.csv",
        'file,caption_1,caption 2\na.png,a red bird,\nb.png,"a blue bird, small",a bird\nc.png,grün,\nd.png,새,\n',
    ),
}


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
    with pytest.raises(UserError, match=r"1 bad row \(deep/b\.jpg: no caption file b\.txt is beside it\)"):
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
    ("text", "words"),
    [
        (
            "bild;Text\na.png;x\n",
            r"line 1 has no column file: its header is `bild;Text`; name the files' column file, file_name",
        ),
        ("a.png,a red bird\n", r"line 1 is `a\.png,a red bird`, a row already; write the header `file,caption`"),
        ("\n", "captions.csv is empty"),
        ("file,caption,caption\na/a.png,x,y\n", "line 1 names the column caption twice"),
        ("file,caption,\na/a.png,red, with wings\n", "line 2: a field under no name of the header"),
        (
            'file,caption\na/a.png,"red\nb/a.png,a 5"\n',
            "line 2: a field in quotes that runs over several lines and holds the name",
        ),
        (
            "file,caption\na/a.png,NaN\n",
            "line 2: the caption is 'NaN', which programs write for a value that is missing",
        ),
        (
            "file,caption\na/a.png,x\nb/a.png,x\nelse/a.png,x\na.png,x\n",
            r"line 4: else/a\.png does not exist; line 5: a\.png may be",
        ),
        ("file,caption,split\na/a.png,x,train\nb/a.png,y,held-out\n", r"line 3: split is 'held-out'; give train"),
        (
            "file,caption\n/etc/a.png,x\n../a.png,x\n",
            "line 2: /etc/a.png lies outside the folder; line 3: ../a.png lies",
        ),
        ("file,caption\na/a.png," + "x" * 140_000, "line 2: it is no row of a table"),
    ],
)
def test_what_is_not_understood_is_shown_as_found(picture_folder, text, words):
    root = picture_folder("a/a.png", "b/a.png")
    (root / "captions.csv").write_text(text)
    with pytest.raises(UserError, match=words):
        read_folder(root)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("captions.json", '{"a.png": "x", "a.png": "y"}', "the key 'a.png' is there twice"),
        (
            "captions.jsonl",
            '{"file": "a.png", "caption": "x", "caption": "y"}',
            "line 1: not JSON .*'caption' is there twice",
        ),
        ("captions.jsonl", '{"file": 3, "caption": "x"}', "line 1: the file is 3, no text"),
        ("captions.jsonl", '{"file": "a.png", "caption": 3}', "line 1: the caption is '3', no text"),
        (
            "annotations/captions_train.json",
            '{"images": [{"id": 1, "file_name": "a.png"}, {"id": 1, "file_name": "b.png"}], "annotations": []}',
            "image 2: its id 1 is that of another image",
        ),
        ("Data/mine.csv", "file,caption\n", r"data\.listing=Data/mine\.csv reads that file, for example"),
    ],
)
def test_json_and_lists_elsewhere(picture_folder, name, text, words):
    root = picture_folder("a.png", "b.png")
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text(text)
    with pytest.raises(UserError, match=words):
        read_folder(root)


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
    assert any("has one of its own ('three' ...)" in note or "('two' ...)" in note for note in read_folder(root).notes)


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


def test_half_a_character_is_named_by_its_line(picture_folder):
    root = picture_folder("a.png", "b.png")
    (root / "captions.jsonl").write_text(
        '{"file": "b.png", "caption": "b"}\n{"file": "a.png", "caption": "red \\ud83d"}\n'
    )
    with pytest.raises(UserError, match=r"line 2: it holds half a character, \\ud83d"):
        read_folder(root)


def test_of_several_lists_one_has_to_be_chosen(picture_folder):
    root = picture_folder("a.png")
    (root / "captions.csv").write_text("file,caption\na.png,one\n")
    (root / "metadata.csv").write_text("file_name,text\na.png,two\n")
    (root / "mine.txt").write_text("image;text\na.png;three\n")
    with pytest.raises(UserError, match=r"holds captions\.csv, metadata\.csv; keep one .* data\.listing=<name>"):
        read_folder(root)
    for name, caption in ("metadata.csv", "two"), ("mine.txt", "three"):
        assert read_folder(root, listing=name).records[0].captions == (caption,)
    for name in "none.csv", "../captions.csv":
        with pytest.raises(UserError, match=r"data\.listing=.* is no file inside"):
            read_folder(root, listing=name)


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


MUTATED = {
    "captions.csv": table(",").encode(),
    "captions.jsonl": FORMS["captions.jsonl"].encode(),
    "captions.json": FORMS["captions.json"].encode(),
    "annotations/captions_val.json": coco().encode(),
    "dataset_coco.json": karpathy().encode(),
    "Flickr8k.token.txt": FORMS["Flickr8k.token.txt"].encode(),
}


@settings(derandomize=True, deadline=None, max_examples=25)
@given(data=st.data())
@pytest.mark.parametrize("name", MUTATED)
def test_mutated_lists_are_read_or_refused_by_name(tmp_path_factory, name, data):
    root = tmp_path_factory.getbasetemp() / name.replace("/", "-")
    if not root.exists():
        from PIL import Image

        (root / name).parent.mkdir(parents=True)
        for image in CAPTIONS:
            Image.new("RGB", (2, 2)).save(root / image)
    whole = MUTATED[name]
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 12)))
    new = data.draw(
        st.binary(max_size=12) | st.sampled_from([b"\0", b"[" * 3000, b'"', b"9" * 5000, b"\xff\xfe", b"null"])
    )
    (root / name).write_bytes(whole[:start] + new + whole[end:])
    try:
        records = read_folder(root).records
    except UserError as error:
        assert str(root) in str(error)
        return
    for record in records:
        assert record.name in CAPTIONS and all(text == " ".join(text.split()) and text for text in record.captions)
        "".join(record.captions).encode()
