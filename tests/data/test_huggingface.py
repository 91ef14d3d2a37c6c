import json
from pathlib import Path

import pytest

from stackgan.data.folder import read_folder
from stackgan.data.huggingface import write_dataset
from stackgan.errors import UserError

pytest.importorskip("datasets", reason="needs the package datasets: pip install -e '.[huggingface]'")


@pytest.fixture(autouse=True)
def no_network(monkeypatch, tmp_path):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")
    datasets.disable_progress_bars()


def imagefolder(picture_folder) -> Path:
    folder = picture_folder("train/a.png", "train/b.jpg", "val/d.png", "test/c.png")
    listed = {
        "train": [("a.png", "a red bird", 0), ("b.jpg", "새", 1)],
        "val": [("d.png", "d", 0)],
        "test": [("c.png", "c", 1)],
    }
    for split, rows in listed.items():
        lines = [json.dumps({"file_name": n, "text": t, "label": k}) for n, t, k in rows]
        (folder / split / "metadata.jsonl").write_text("\n".join(lines))
    return folder


def test_a_data_set_becomes_a_folder_with_its_own_bytes_and_splits(tmp_path, picture_folder):
    source = imagefolder(picture_folder)
    folder, notes = write_dataset(str(source), tmp_path / "cache")
    records = read_folder(folder, name="huggingface").records
    found = {r.captions[0]: (r.split, r.class_id) for r in records}
    assert found == {"a red bird": ("train", 1), "새": ("train", 2), "c": ("test", 2), "d": ("validation", 1)}
    bytes_of = {r.captions[0]: r.path.read_bytes() for r in records}
    assert bytes_of["a red bird"] == (source / "train/a.png").read_bytes()
    assert bytes_of["새"] == (source / "train/b.jpg").read_bytes()
    assert notes == [] and write_dataset(str(source), tmp_path / "cache") == (folder, [])


def test_columns_of_several_captions_and_named_classes(tmp_path):
    import datasets
    from PIL import Image

    features = datasets.Features(
        {
            "image": datasets.Image(),
            "captions": datasets.List(datasets.Value("string")),
            "label": datasets.ClassLabel(names=["owl", "jay"]),
        }
    )
    features |= {
        "split": datasets.Value("string"),
        "sentids": datasets.List(datasets.Value("int32")),
        "mask": datasets.Image(),
    }
    images = [Image.new("RGB", (4, 4), color) for color in ("red", "blue", "green", "white")]
    rows = {
        "image": images,
        "captions": [["a", "b"], ["c"], ["d"], []],
        "label": [1, 0, -1, 0],
        "split": ["train", "test", "val", "train"],
        "sentids": [[1]] * 4,
        "mask": images,
    }
    parquet = tmp_path / "parquet"
    parquet.mkdir()
    datasets.Dataset.from_dict(rows, features=features).to_parquet(parquet / "train.parquet")
    folder, notes = write_dataset(str(parquet), tmp_path / "cache")
    source = read_folder(folder, notes=notes)
    assert [r.captions for r in source.records] == [("a", "b"), ("c",), ("d",)]
    assert [source.class_names.get(r.class_id) for r in source.records] == ["jay", "owl", None]
    assert [r.split for r in source.records] == ["train", "test", "validation"]
    assert f"Columns of {parquet} that are not used: sentids, mask." in source.notes
    assert f"Rows of {parquet} without an image or a caption are left out: 1 of 4 (first: train 3)." in source.notes


@pytest.mark.parametrize(
    ("name", "words"), [("nobody/nothing-here", "cannot be loaded"), ("no/such/folder", "cannot be loaded")]
)
def test_what_cannot_be_loaded_is_one_sentence(tmp_path, name, words):
    with pytest.raises(UserError, match=f"data.dataset={name} {words}"):
        write_dataset(name, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_data_set_without_captions_shows_its_columns(tmp_path, picture_folder):
    folder = picture_folder("owl/a.png", "jay/b.png")
    with pytest.raises(UserError, match=r"has no column of captions .*: it has image, label"):
        write_dataset(str(folder), tmp_path / "cache")
