import json

import pytest
from PIL import Image

from stackgan.data.folder import read_folder
from stackgan.errors import UserError


def test_csv_rows_of_one_picture_become_its_captions(picture_folder):
    root = picture_folder("a.png", "deep/b.jpg", "c.png")
    (root / "captions.csv").write_text(
        "file,caption,class,split\n"
        "a.png,a red bird,finch,train\n"
        'deep/b.jpg,"a bird, blue and\nsmall",jay,validation\n'
        "a.png,  a crimson   bird ,finch,train\n"
        "c.png,no class,,test\n",
        encoding="utf-8-sig",
    )
    source = read_folder(root)
    first, second, third = source.records
    assert first.captions == ("a red bird", "a crimson bird")
    assert second.captions == ("a bird, blue and small",) and second.path == root / "deep/b.jpg"
    assert [r.split for r in source.records] == ["train", "validation", "test"]
    assert source.class_names == {1: "finch", 2: "jay"}
    assert [r.class_id for r in source.records] == [1, 2, None]
    assert all(r.box is None for r in source.records) and third.attributes is None


def test_jsonl_says_the_same(picture_folder):
    root = picture_folder("a.png", "b.png")
    rows = [{"file": "a.png", "caption": "eins"}, {"file": "b.png", "caption": "zwölf", "tags": 3}]
    (root / "captions.jsonl").write_text("\n".join(json.dumps(r, ensure_ascii=False) for r in rows) + "\n\n")
    source = read_folder(root)
    assert [r.captions for r in source.records] == [("eins",), ("zwölf",)]
    assert any("tags" in note for note in source.notes)


def test_without_split_pictures_are_divided_by_their_names(picture_folder):
    root = picture_folder(*(f"{i}.png" for i in range(60)))
    lines = [f"{i}.png,bird {i}" for i in range(60)]
    (root / "captions.csv").write_text("\n".join(["file,caption", *lines]))
    splits = {r.name: r.split for r in read_folder(root).records}
    assert set(splits.values()) == {"train", "validation", "test"}
    (root / "captions.csv").write_text("\n".join(["file,caption", *lines[:50:-1], *lines[:51]]))
    assert {r.name: r.split for r in read_folder(root).records} == splits


def test_even_three_pictures_give_each_split_one(picture_folder):
    root = picture_folder("a.png", "b.png", "c.png")
    (root / "captions.csv").write_text("file,caption\na.png,a\nb.png,b\nc.png,c\n")
    assert sorted(r.split for r in read_folder(root).records) == ["test", "train", "validation"]


def test_a_list_of_training_and_test_pictures_gives_some_of_the_training_ones_for_validation(picture_folder):
    root = picture_folder(*(f"{i}.png" for i in range(40)))
    rows = [f"{i}.png,bird {i},{'test' if i % 4 == 0 else 'train'}" for i in range(40)]
    (root / "captions.csv").write_text("\n".join(["file,caption,split", *rows]))
    source = read_folder(root)
    splits = {r.name: r.split for r in source.records}
    assert 1 <= list(splits.values()).count("validation") <= 9
    assert all((splits[f"{i}.png"] == "test") == (i % 4 == 0) for i in range(40))
    assert [note for note in source.notes if "validation" in note and "tenth" in note]
    (root / "captions.csv").write_text("file,caption,split\n0.png,a bird,train\n1.png,a bird,test\n")
    assert [r.split for r in read_folder(root).records] == ["train", "test"]  # a single training picture stays one


def test_every_bad_row_is_named_at_once(picture_folder):
    root = picture_folder("a.png", "b.png", "cut.png", "cut.jpg")
    (root / "text.png").write_text("no picture")
    Image.new("RGB", (9, 9)).save(root.parent / "a.png")
    for name in "cut.png", "cut.jpg":
        (root / name).write_bytes((root / name).read_bytes()[:-400])
    (root / "captions.csv").write_text(
        "file,caption,split\n"
        "a.png,fine,train\n"  # 2
        "gone.png,where,train\n"  # 3
        "a.png,  ,train\n"  # 4
        "a.png,fine,train\n"  # 5: as line 2, which does no harm
        "b.png,b,trian\n"  # 6
        "text.png,t,train\n"  # 7
        "cut.png,c,train\n"  # 8
        "../a.png,out,train\n"  # 9
        "a.png,a,b,c,d\n"  # 10
        "a.png,other split,test\n"  # 11
        "cut.jpg,c,train\n"  # 12
        "b.png\n"  # 13
    )
    with pytest.raises(UserError) as caught:
        read_folder(root)
    message = str(caught.value)
    for line in (3, 4, 6, 7, 8, 9, 10, 11, 12, 13):
        assert f"line {line}: " in message, message
    assert "line 2:" not in message
    assert "has 10 bad rows" in message
    assert "line 9: ../a.png lies outside the folder" in message


def test_bad_json_is_named_by_line(picture_folder):
    root = picture_folder("a.png")
    (root / "captions.jsonl").write_text('{"file": "a.png", "caption": "a"}\n{oops}\n[1]\n{"file": "a.png"}\n')
    with pytest.raises(UserError, match=r"3 bad rows \(line 2: not JSON.*line 3: .*line 4: "):
        read_folder(root)


def test_only_the_first_twenty_bad_rows_are_spelled_out(picture_folder):
    root = picture_folder("a.png")
    (root / "captions.csv").write_text("file,caption\n" + "".join(f"gone{i}.png,x\n" for i in range(50)))
    with pytest.raises(UserError, match=r"has 50 bad rows.*line 21: .*and 30 more") as caught:
        read_folder(root)
    assert "line 22:" not in str(caught.value)


def test_a_picture_left_out_of_the_split_column_is_named(picture_folder):
    root = picture_folder("a.png", "b.png")
    (root / "captions.csv").write_text("file,caption,split\na.png,a,train\na.png,again,\nb.png,b,\n")
    with pytest.raises(UserError, match=r"1 bad row \(line 4: b.png has no split"):
        read_folder(root)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "has no images and no captions.csv"),
        ({"captions.csv": "file,caption\n", "captions.jsonl": ""}, "holds captions.csv, captions.jsonl; keep one"),
        ({"captions.csv": "bird,caption\nx,y\n"}, "no column file: its header is `bird,caption`"),
        ({"captions.csv": "file,caption\n"}, "lists no image"),
        ({"captions.csv": b"file,caption\na.png,gr\xfcn\n"}, "line 2 is not UTF-8"),
    ],
)
def test_listings_that_cannot_be_used(tmp_path, files, message):
    for name, text in files.items():
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=message):
        read_folder(tmp_path)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        read_folder(tmp_path / "nowhere")


def test_grey_and_transparent_pictures_are_accepted(tmp_path):
    Image.new("L", (9, 9), 7).save(tmp_path / "grey.png")
    Image.new("RGBA", (9, 9), (1, 2, 3, 0)).save(tmp_path / "clear.png")
    (tmp_path / "captions.csv").write_text("file,caption\ngrey.png,grey\nclear.png,clear\n")
    assert len(read_folder(tmp_path).records) == 2
