import json
import os
import pickle
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from stackgan.data import store as store_module
from stackgan.data.crop import CROP, Fit
from stackgan.data.cub import read_cub
from stackgan.data.records import Record, Source
from stackgan.data.store import ImageStore, build_store, store_side
from stackgan.errors import UserError


@pytest.fixture
def decodings(monkeypatch):
    """How many pictures were decoded."""
    counted = []
    real = store_module.write_pixels

    def counting(records, *args):
        counted.extend(records)
        return real(records, *args)

    monkeypatch.setattr(store_module, "write_pixels", counting)
    return counted


def single(path, box=None, captions=("x",)):
    return Source("folder", path.parent, (Record(path.name, path, captions, "train", box=box),))


def test_the_references_sides():
    assert (store_side(64), store_side(256)) == (76, 304)


def test_the_store_holds_what_the_source_says(make_cub, tmp_path):
    source = read_cub(make_cub(attributes={1: [1, 4]}))
    store = build_store(source, tmp_path / "cache", 16)
    assert store.images.shape == (20, 16, 16, 3) and store.images.dtype == np.uint8
    assert isinstance(store.images, np.memmap)
    assert store.names == [r.name for r in source.records]
    assert store.captions == [list(r.captions) for r in source.records]
    assert store.class_ids.tolist() == [r.class_id for r in source.records]
    assert store.class_names == dict(source.class_names)
    assert store.attribute_names == list(source.attribute_names)
    np.testing.assert_array_equal(store.attributes, np.stack([r.attributes for r in source.records]))
    for split in "train", "validation", "test":
        assert store.indices(split).tolist() == [i for i, r in enumerate(source.records) if r.split == split]
    assert store.indices("train").dtype == np.int64
    assert (store.size, len(store), store.source) == (16, 20, "cub")


@pytest.mark.parametrize("resample", ["bilinear", "bicubic"])
def test_pixels_are_those_of_the_reference_recipe(tmp_path, resample):
    pixels = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    image.save(tmp_path / "a.png")
    store = build_store(single(tmp_path / "a.png", (60.0, 20.0, 40.0, 30.0)), tmp_path / "cache", 19, resample)
    # R = 30, centre (80, 35)
    expected = image.crop((50, 5, 110, 65)).resize((19, 19), getattr(Image.Resampling, resample.upper()))
    np.testing.assert_array_equal(store.images[0], np.asarray(expected))


def test_odd_pictures_become_rgb(tmp_path):
    Image.new("L", (8, 8), 77).save(tmp_path / "grey.png")
    Image.new("RGBA", (8, 8), (10, 20, 30, 0)).save(tmp_path / "clear.png")
    Image.new("CMYK", (8, 8), (255, 0, 0, 0)).save(tmp_path / "cmyk.jpg")
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([0, 0, 0, 200, 100, 50])
    palette.save(tmp_path / "palette.png")
    Image.fromarray(np.full((8, 8), 0x8040, dtype=np.uint16)).save(tmp_path / "deep.png")
    names = ["grey.png", "clear.png", "cmyk.jpg", "palette.png", "deep.png"]
    records = tuple(Record(n, tmp_path / n, ("x",), "train") for n in names)
    store = build_store(Source("folder", tmp_path, records), tmp_path / "cache", 4)
    colours = store.images[:, 1, 1].tolist()
    assert colours[0] == [77, 77, 77] and colours[1] == [255, 255, 255]
    assert colours[2][0] < 60 < colours[2][1]
    assert colours[3] == [200, 100, 50] and colours[4] == [128, 128, 128]


def test_a_cameras_rotation_is_obeyed_without_a_box_only(tmp_path):
    half = np.zeros((20, 20, 3), dtype=np.uint8)
    half[:10] = 255  # bright above; orientation 3 means: turn by 180 degrees
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.fromarray(half).save(tmp_path / "a.png", exif=exif)
    turned = build_store(single(tmp_path / "a.png"), tmp_path / "cache", 4).images[0]
    stored = build_store(single(tmp_path / "a.png", (0.0, 0.0, 20.0, 20.0)), tmp_path / "cache", 4).images[0]
    assert turned[0].max() == 0 and turned[-1].min() == 255
    assert stored[0].min() == 255 and stored[-1].max() == 0


def test_a_second_build_decodes_nothing(make_cub, tmp_path, decodings):
    source = read_cub(make_cub())
    first = build_store(source, tmp_path / "cache", 16)
    again = build_store(source, tmp_path / "cache", 16)
    assert len(decodings) == 20
    assert again.directory == first.directory and again.fingerprint == first.fingerprint


def test_other_captions_or_splits_share_the_pixels(make_cub, tmp_path, decodings):
    root = make_cub()
    first = build_store(read_cub(root), tmp_path / "cache", 16)
    (root / "text" / "001.Bird_1" / "Bird_1_0000.txt").write_text("changed\n")
    second = build_store(read_cub(root, split="image"), tmp_path / "cache", 16)
    assert len(decodings) == 20
    assert second.fingerprint != first.fingerprint
    assert second.captions[0] == ["changed"] and first.captions[0] != ["changed"]
    assert second.indices("test").tolist() == list(range(1, 20, 2))


def test_an_edited_picture_is_decoded_again_even_if_its_size_stays(tmp_path):
    path = tmp_path / "a.bmp"
    Image.new("RGB", (8, 8), (1, 2, 3)).save(path)
    before = build_store(single(path), tmp_path / "cache", 4)
    assert before.images[0, 0, 0].tolist() == [1, 2, 3]
    Image.new("RGB", (8, 8), (9, 8, 7)).save(path)
    os.utime(path, ns=(1, 1))
    after = build_store(single(path), tmp_path / "cache", 4)
    assert after.images[0, 0, 0].tolist() == [9, 8, 7]
    assert ImageStore.open(before.directory).images[0, 0, 0].tolist() == [9, 8, 7]


def test_a_store_of_another_format_is_made_anew(make_cub, tmp_path):
    source = read_cub(make_cub())
    store = build_store(source, tmp_path / "cache", 16)
    file = store.directory / "store.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"format": 0, "captions": None}))
    with pytest.raises(UserError, match="another version"):
        ImageStore.open(store.directory)
    assert build_store(source, tmp_path / "cache", 16).captions == store.captions


def test_size_and_resampling_make_another_store(make_cub, tmp_path):
    source = read_cub(make_cub())
    stores = [
        build_store(source, tmp_path / "c", *how) for how in [(16, "bilinear"), (16, "bicubic"), (19, "bilinear")]
    ]
    assert len({s.fingerprint for s in stores}) == len({s.directory for s in stores}) == 3


def test_the_fit_makes_another_store_and_says_what_is_lost(tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 40, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    fits = [CROP, Fit("squeeze"), Fit("pad"), Fit("pad", "white")]
    stores = [build_store(single(tmp_path / "a.png"), tmp_path / "c", 19, fit=fit) for fit in fits]
    assert len({s.fingerprint for s in stores}) == len({s.images.tobytes() for s in stores}) == 4
    assert stores[0].fingerprint == build_store(single(tmp_path / "a.png"), tmp_path / "c", 19).fingerprint
    assert [any("1 of 1 images" in note and "data.fit=pad" in note for note in s.notes) for s in stores] == [
        True, True, False, False,
    ]  # fmt: skip


def test_all_bad_pictures_are_named_and_nothing_is_left(make_cub, tmp_path):
    root = make_cub()
    for name in "002.Bird_2/Bird_2_0001.jpg", "010.Bird_10/Bird_10_0003.jpg":
        (root / "images" / name).write_bytes((root / "images" / name).read_bytes()[:200])
    with pytest.raises(UserError, match=r"2 images cannot be read: .*Bird_2_0001.*Bird_10_0003"):
        build_store(read_cub(root), tmp_path / "cache", 16)
    assert not [p for p in (tmp_path / "cache").rglob("*") if p.is_file() and p.suffix != ".lock"]


def test_a_box_outside_the_picture_is_named(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(UserError, match="outside the 8 x 8 pixels"):
        build_store(single(tmp_path / "a.png", (100.0, 100.0, 4.0, 4.0)), tmp_path / "cache", 4)


def test_sources_that_cannot_be_stored(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    good = single(tmp_path / "a.png")
    with pytest.raises(UserError, match="no caption"):
        build_store(single(tmp_path / "a.png", captions=()), tmp_path, 4)
    with pytest.raises(UserError, match="no pictures"):
        build_store(replace(good, records=()), tmp_path, 4)
    with pytest.raises(UserError, match="twice"):
        build_store(replace(good, records=good.records * 2), tmp_path, 4)


def test_all_splits_are_everything_with_split_all(make_cub, tmp_path):
    store = build_store(read_cub(make_cub(), split="all"), tmp_path / "cache", 16)
    assert store.indices("train").tolist() == store.indices("test").tolist() == list(range(20))


def test_a_pickled_store_is_its_path_and_not_its_pixels(make_cub, tmp_path):
    store = build_store(read_cub(make_cub()), tmp_path / "cache", 16)
    data = pickle.dumps(store)
    assert len(data) < 1000
    np.testing.assert_array_equal(pickle.loads(data).images, store.images)


def test_no_store_there_is_the_users_error(make_cub, tmp_path):
    with pytest.raises(UserError, match="prepare_data"):
        ImageStore.open(tmp_path)
    store = build_store(read_cub(make_cub()), tmp_path / "cache", 16)
    for path in (tmp_path / "cache" / "pixels").iterdir():
        path.unlink()
    with pytest.raises(UserError, match="is gone"):
        ImageStore.open(store.directory)


def test_real_photographs_match_a_plain_recomputation(cub10, tmp_path):
    source = read_cub(cub10)
    chosen = [0, 100, next(i for i, r in enumerate(source.records) if r.name.endswith("_0028_2682.jpg"))]
    store = build_store(replace(source, records=tuple(source.records[i] for i in chosen)), tmp_path / "cache", 76)
    for row, i in enumerate(chosen):
        record = source.records[i]
        image = Image.open(record.path).convert("RGB")
        width, height = image.size
        x, y, w, h = record.box
        radius = int(np.maximum(w, h) * 0.75)
        cx, cy = int((2 * x + w) / 2), int((2 * y + h) / 2)
        y1, y2 = np.maximum(0, cy - radius), np.minimum(height, cy + radius)
        x1, x2 = np.maximum(0, cx - radius), np.minimum(width, cx + radius)
        expected = image.crop([x1, y1, x2, y2]).resize((76, 76), Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(store.images[row], np.asarray(expected))
    grey = store.images[2].astype(int)
    assert (grey[..., 0] == grey[..., 1]).all() and grey.std() > 5
