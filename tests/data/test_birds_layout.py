"""The painted data set on disk, read here without the library's reader, as CUB-200-2011's own README describes it."""

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import stackgan.data.birds.layout as layout
from stackgan.data.birds import PARTS, all_species, attribute_names, paint_birds
from stackgan.errors import UserError

CLASSES, PER_CLASS, SIZE = 8, 3, 80


def digests(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def rows(path: Path) -> list[list[str]]:
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [line.split(" ") for line in text.splitlines()]


@pytest.fixture(scope="module")
def painted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return paint_birds(tmp_path_factory.mktemp("set") / "birds", classes=CLASSES, images_per_class=PER_CLASS, size=SIZE)


def test_tables_have_official_form_and_agree(painted):
    images = rows(painted / "images.txt")
    assert [int(i) for i, _ in images] == list(range(1, CLASSES * PER_CLASS + 1))
    classes = dict(rows(painted / "classes.txt"))
    assert list(classes) == [str(i) for i in range(1, CLASSES + 1)]
    assert list(classes.values()) == [kind.folder for kind in all_species()[:CLASSES]]
    labels = dict(rows(painted / "image_class_labels.txt"))
    split = dict(rows(painted / "train_test_split.txt"))
    assert set(split) == set(labels) == {i for i, _ in images} and set(split.values()) == {"0", "1"}
    for image_id, name in images:
        folder, file = name.split("/")
        assert folder == classes[labels[image_id]]
        assert re.fullmatch(rf"{folder[4:]}_\d{{4}}\.jpg", file)
    on_disk = {str(path.relative_to(painted / "images")) for path in (painted / "images").rglob("*.jpg")}
    assert on_disk == {name for _, name in images}


def test_pictures_are_full_quality_rgb(painted):
    for _, name in rows(painted / "images.txt"):
        with Image.open(painted / "images" / name) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (SIZE, SIZE))
            assert {component[1:3] for component in image.layer} == {(1, 1)}  # 4:4:4: no channel is subsampled
            assert max(image.quantization[0]) <= 13  # quality >= 95


def test_boxes_hold_masks_and_parts(painted):
    boxes = {i: tuple(map(float, values)) for i, *values in rows(painted / "bounding_boxes.txt")}
    assert [part for line in rows(painted / "parts" / "parts.txt") for part in [" ".join(line[1:])]] == list(PARTS)
    locations = rows(painted / "parts" / "part_locs.txt")
    assert len(locations) == CLASSES * PER_CLASS * 15
    for image_id, name in rows(painted / "images.txt"):
        left, top, width, height = boxes[image_id]
        mask = np.asarray(Image.open((painted / "segmentations" / name).with_suffix(".png")))
        ys, xs = np.nonzero(mask)
        assert mask.shape == (SIZE, SIZE) and set(np.unique(mask)) == {0, 255}
        assert (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1) == (left, top, left + width, top + height)
        mine = [line for line in locations if line[0] == image_id]
        assert [int(line[1]) for line in mine] == list(range(1, 16))
        for _, _, x, y, visible in mine:
            if visible == "1":
                assert left <= float(x) <= left + width and top <= float(y) <= top + height
            else:
                assert (x, y, visible) == ("0.0", "0.0", "0")


def test_attribute_files_agree_with_each_other_and_with_the_captions(painted):
    folder = painted / "attributes"
    names = [name for _, name in rows(folder / "attributes.txt")]
    assert names == list(attribute_names())
    assert [" ".join(line) for line in rows(folder / "certainties.txt")][-1] == "4 definitely"
    labels = np.array(rows(folder / "image_attribute_labels.txt"), dtype=float)
    count = CLASSES * PER_CLASS
    assert labels.shape == (count * 312, 5)
    np.testing.assert_array_equal(labels[:, 0], np.repeat(np.arange(1, count + 1), 312))
    np.testing.assert_array_equal(labels[:, 1], np.tile(np.arange(1, 313), count))
    present = labels[:, 2].reshape(count, 312)
    assert set(np.unique(present)) == {0.0, 1.0}
    by_class = np.array(rows(folder / "class_attribute_labels_continuous.txt"), dtype=float)
    np.testing.assert_allclose(by_class, 100 * present.reshape(CLASSES, PER_CLASS, 312).mean(1), rtol=1e-8)
    for image_id, name in rows(painted / "images.txt"):
        captions = (painted / "text" / name).with_suffix(".txt").read_text(encoding="utf-8").splitlines()
        assert len(captions) == len(set(captions)) == 10
        is_true = {names[j] for j in np.nonzero(present[int(image_id) - 1])[0]}
        for caption in captions:
            for part, noun in (("crown", "crown"), ("breast", "belly"), ("wing", "wings"), ("back", "back")):
                for color in re.findall(
                    rf"(blue|brown|grey|yellow|green|orange|black|white|red|purple) {noun}\b", caption
                ):
                    assert f"has_{part}_color::{color}" in is_true, caption


def test_same_bytes_for_any_number_of_workers_and_others_for_another_seed(painted, tmp_path, monkeypatch):
    monkeypatch.setattr(layout, "_IN_PROCESS_LIMIT", 0)
    request = {"classes": CLASSES, "images_per_class": PER_CLASS, "size": SIZE}
    assert digests(paint_birds(tmp_path / "two", workers=2, **request)) == digests(painted)
    other = digests(paint_birds(tmp_path / "other", seed=1, workers=1, **request))
    pictures = [name for name in other if name.endswith(".jpg")]
    assert len(pictures) == CLASSES * PER_CLASS and all(other[name] != digests(painted).get(name) for name in pictures)


def test_a_larger_set_contains_the_smaller_one(painted, tmp_path):
    small = digests(paint_birds(tmp_path / "small", classes=3, images_per_class=2, size=SIZE))
    large = digests(painted)
    pictures = [name for name in small if name.startswith(("images/", "text/", "segmentations/"))]
    assert len(pictures) == 3 * 2 * 3 and all(small[name] == large[name] for name in pictures)


def test_a_finished_set_is_left_alone(painted):
    before = {path: path.stat().st_mtime_ns for path in painted.rglob("*")}
    assert paint_birds(painted, classes=CLASSES, images_per_class=PER_CLASS, size=SIZE) == painted
    assert {path: path.stat().st_mtime_ns for path in painted.rglob("*")} == before


def test_an_interrupted_set_is_not_taken_for_a_finished_one(tmp_path, monkeypatch):
    def interrupted(*arguments, **keywords):
        raise KeyboardInterrupt

    root = tmp_path / "birds"
    with monkeypatch.context() as patch:
        patch.setattr(layout, "_write_attributes", interrupted)
        with pytest.raises(KeyboardInterrupt):
            paint_birds(root, classes=2, images_per_class=1, size=64)
    assert [path.name for path in tmp_path.iterdir()] == [".birds.lock"]  # nothing half done
    (tmp_path / ".birds-killed" / "images").mkdir(parents=True)  # a killed process cannot clean up: the next one does
    paint_birds(root, classes=2, images_per_class=1, size=64)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".birds.lock", "birds"]
    assert len(rows(root / "images.txt")) == 2
    assert json.loads((root / "birds.json").read_text())["classes"] == 2


def test_a_folder_with_other_contents_is_refused(painted, tmp_path):
    with pytest.raises(UserError, match="another set of painted birds"):
        paint_birds(painted, classes=CLASSES, images_per_class=PER_CLASS + 1, size=SIZE)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="something other than painted birds"):
        paint_birds(tmp_path, classes=2, images_per_class=1, size=64)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    empty = tmp_path / "empty"
    empty.mkdir()
    assert (paint_birds(empty, classes=1, images_per_class=1, size=64) / "images.txt").is_file()


@pytest.mark.parametrize(
    ("request_", "name"),
    [
        ({"classes": 0}, "classes"),
        ({"classes": 201}, "classes"),
        ({"images_per_class": 0}, "images_per_class"),
        ({"size": 40}, "picture_size"),
        ({"seed": -1}, "seed"),
    ],
)
def test_impossible_requests_name_the_setting(tmp_path, request_, name):
    with pytest.raises(UserError, match=rf"data\.{name}="):
        paint_birds(tmp_path / "birds", **request_)
    assert not (tmp_path / "birds").exists()
