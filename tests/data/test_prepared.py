import os
import shutil

import pytest
from PIL import Image

from stackgan.data import prepared
from stackgan.data.prepared import prepare_cub, prepare_folder


@pytest.fixture
def readings(monkeypatch):
    """How many times a data set was read."""
    count = []
    for name in "read_cub", "read_folder":
        real = getattr(prepared, name)
        monkeypatch.setattr(prepared, name, lambda *a, real=real, **k: count.append(1) or real(*a, **k))
    return count


def test_the_second_run_reads_nothing(make_cub, tmp_path, readings):
    root = make_cub()
    first = prepare_cub(root, tmp_path / "cache", 16)
    second = prepare_cub(root, tmp_path / "cache", 16)
    assert len(readings) == 1
    assert second.directory == first.directory and second.size == 19


@pytest.mark.parametrize(
    "change", ["caption", "picture", "new caption file", "sibling captions", "class list", "same size"]
)
def test_any_change_of_the_files_is_noticed(make_cub, tmp_path, readings, change):
    root = make_cub()
    prepare_cub(root, tmp_path / "cache", 16)
    text = root / "text" / "001.Bird_1" / "Bird_1_0000.txt"
    if change == "caption":
        text.write_text("something else\n")
    elif change == "picture":
        os.utime(root / "images" / "002.Bird_2" / "Bird_2_0000.jpg", ns=(5, 5))
    elif change == "new caption file":
        (root / "text" / "more.txt").write_text("x")
    elif change == "sibling captions":
        shutil.copytree(root / "text", root.parent / "text_c10")
    elif change == "class list":
        (root / "classes.txt").write_text("1 other\n")
    else:
        (root / "train_test_split.txt").write_text((root / "train_test_split.txt").read_text().replace(" 1", " 0"))
        os.utime(root / "train_test_split.txt", ns=(5, 5))
    prepare_cub(root, tmp_path / "cache", 16)
    assert len(readings) == 2


def test_another_question_is_another_answer(make_cub, tmp_path):
    root = make_cub()
    stores = [prepare_cub(root, tmp_path / "cache", 16, split=split) for split in ("class", "image", "all")]
    stores.append(prepare_cub(root, tmp_path / "cache", 16, resample="bicubic"))
    stores.append(prepare_cub(root, tmp_path / "cache", 16, test_classes=[2]))
    stores.append(prepare_cub(root, tmp_path / "cache", 16, name="birds"))
    assert len({s.directory for s in stores}) == 6
    assert stores[-1].source == "birds"


def test_a_tidied_cache_is_built_again(make_cub, tmp_path):
    root = make_cub()
    first = prepare_cub(root, tmp_path / "cache", 16)
    shutil.rmtree(tmp_path / "cache" / "stores")
    assert prepare_cub(root, tmp_path / "cache", 16).fingerprint == first.fingerprint
    shutil.rmtree(tmp_path / "cache" / "pixels")
    assert prepare_cub(root, tmp_path / "cache", 16).images.shape == first.images.shape


def test_a_moved_cache_still_answers(make_cub, tmp_path, readings):
    root = make_cub()
    prepare_cub(root, tmp_path / "cache", 16)
    shutil.move(tmp_path / "cache", tmp_path / "elsewhere")
    prepare_cub(root, tmp_path / "elsewhere", 16)
    assert len(readings) == 1


def test_folders_and_linked_folders(picture_folder, tmp_path, readings):
    root = picture_folder("a.png", "sub/b.png")
    (root / "captions.csv").write_text("file,caption\na.png,a\nsub/b.png,b\n")
    (root / "sub" / "loop").symlink_to(root)
    assert prepare_folder(root, tmp_path / "cache", 16).images.shape == (2, 19, 19, 3)
    prepare_folder(root, tmp_path / "cache", 16)
    assert len(readings) == 1
    Image.new("RGB", (9, 9)).save(root / "sub" / "b.png")
    prepare_folder(root, tmp_path / "cache", 16)
    assert len(readings) == 2
