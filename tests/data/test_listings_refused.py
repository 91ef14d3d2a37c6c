"""Lists that cannot be used are refused by one sentence: the file, the line, what to do."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from listings import CAPTIONS, FORMS, coco, karpathy, table
from PIL import Image

from stackgan.data.folder import read_folder
from stackgan.errors import UserError


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
