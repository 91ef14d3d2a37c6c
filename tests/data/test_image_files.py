"""Image files that are turned, damaged or missing."""

import csv
import io
import json
import struct
import warnings
import zlib
from functools import cache

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from stackgan.data.image_files import quiet, read_rgb, why_bad
from stackgan.data.prepared import prepare_cub, prepare_folder
from stackgan.data.records import Record, Source
from stackgan.data.store import build_store
from stackgan.errors import UserError

ORIENTATION, MAKER_NOTE, RESOLUTION = 0x0112, 0x927C, 282
PIXELS = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)


def with_exif(path, mark, damage=lambda block: block, **options):
    exif = Image.Exif()
    exif[ORIENTATION], exif[RESOLUTION] = mark, 72.0
    Image.fromarray(PIXELS).save(path, exif=damage(exif.tobytes()), **options)
    return path


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("mark", range(1, 9))
def test_each_rotation_mark_is_obeyed_once(tmp_path, suffix, mark):
    path = with_exif(tmp_path / f"a.{suffix}", mark)
    image, damaged = read_rgb(path)
    with Image.open(path) as plain:
        np.testing.assert_array_equal(np.asarray(image), np.asarray(ImageOps.exif_transpose(plain)))
    assert image.size == ((20, 12) if mark < 5 else (12, 20)) and not damaged
    assert suffix == "tif" or read_rgb(path, upright=False)[0].size == (20, 12)


def other_type(block):
    """The resolution says that it is text, at which Pillow fails once it looks at it."""
    entry = block.index(RESOLUTION.to_bytes(2, "big" if b"MM" in block[:12] else "little"))
    kind = b"\x00\x02" if b"MM" in block[:12] else b"\x02\x00"
    return block[: entry + 2] + kind + block[entry + 4 :]


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
@pytest.mark.parametrize(
    ("damage", "size"),
    [
        (other_type, (12, 20)),
        (lambda block: block[:6] + b"XX" + block[8:], (20, 12)),
        (lambda block: block[:9], (20, 12)),
    ],
    ids=["entry", "header", "cut"],
)
def test_a_damaged_exif_block_ends_nothing_and_its_file_is_named(tmp_path, suffix, damage, size):
    with_exif(tmp_path / f"a.{suffix}", 6, damage)
    record = Record(f"a.{suffix}", tmp_path / f"a.{suffix}", ("x",), "train")
    store = build_store(Source("folder", tmp_path, (record,)), tmp_path / "cache", 12)
    assert why_bad(record.path) is None
    assert read_rgb(record.path)[0].size == size
    assert [note for note in store.notes if f"damaged EXIF block (1: a.{suffix})" in note]
    assert store.images.std() > 30


def test_what_pillow_warns_of_is_not_printed(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 150)  # 240 pixels: a warning, and above 300 an error
    with_exif(tmp_path / "a.jpg", 6, lambda block: block[:30])
    (tmp_path / "captions.csv").write_text("file,caption\na.jpg,x\n")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        prepare_folder(tmp_path, tmp_path / "cache", 16)
    assert "Warning" not in capfd.readouterr().err
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(
        UserError, match=r"line 2: a.jpg cannot be read as an image \(it has more than 200 pixels; make it smaller\)"
    ):
        prepare_folder(tmp_path, tmp_path / "cache", 16)


@pytest.fixture
def thirty(picture_folder):
    root = picture_folder(*(f"{i:02}.png" for i in range(30)))
    rows = [f"{i:02}.png,bird {i},{('train', 'validation', 'test')[i % 3]}" for i in range(30)]
    (root / "captions.csv").write_text("\n".join(["file,caption,split", *rows]) + "\n")
    return root


def test_bad_images_are_left_out_and_listed(thirty, tmp_path):
    (thirty / "03.png").write_bytes((thirty / "03.png").read_bytes()[:-400])
    (thirty / "04.png").write_text("no image")
    (thirty / "05.png").unlink()
    with pytest.raises(UserError, match="3 bad rows"):
        prepare_folder(thirty, tmp_path / "cache", 16)
    store = prepare_folder(thirty, tmp_path / "cache", 16, bad_images="skip")
    assert len(store) == 27 == len(store.images) and not {"03.png", "04.png", "05.png"} & set(store.names)
    (note,) = [note for note in store.notes if "bad_images" in note]
    assert "images that cannot be read are left out (3;" in note and "05.png: it does not exist" in note
    assert str(store.directory / "left_out.csv") in note
    rows = list(csv.DictReader((store.directory / "left_out.csv").open()))
    assert [row["file"] for row in rows] == ["03.png", "04.png", "05.png"] and all(row["reason"] for row in rows)
    assert prepare_folder(thirty, tmp_path / "cache", 16, bad_images="skip").notes == store.notes


def test_the_store_is_that_of_the_images_that_are_left(thirty, tmp_path):
    (thirty / "04.png").write_text("no image")
    skipped = prepare_folder(thirty, tmp_path / "cache", 16, bad_images="skip")
    rows = (thirty / "captions.csv").read_text().replace("04.png,bird 4,validation\n", "")
    (thirty / "captions.csv").write_text(rows)
    clean = prepare_folder(thirty, tmp_path / "cache", 16)
    assert clean.fingerprint == skipped.fingerprint and clean.directory == skipped.directory
    assert not [note for note in clean.notes if "bad_images" in note]
    assert not (clean.directory / "left_out.csv").exists()


def test_more_than_a_tenth_bad_is_refused_all_the_same(thirty, tmp_path):
    for i in range(4):
        (thirty / f"{i:02}.png").write_text("no image")
    with pytest.raises(UserError, match=r"4 of 30 images cannot be read \(00.png: .*10 % at most"):
        prepare_folder(thirty, tmp_path / "cache", 16, bad_images="skip")


def test_a_split_is_not_emptied_silently(picture_folder, tmp_path):
    root = picture_folder(*(f"{i:02}.png" for i in range(20)))
    (root / "07.png").write_text("no image")
    rows = [f"{i:02}.png,bird {i},{'test' if i == 7 else 'train'}" for i in range(20)]
    (root / "captions.csv").write_text("\n".join(["file,caption,split", *rows]))
    with pytest.raises(UserError, match=r"07.png.*no image has split=test"):
        prepare_folder(root, tmp_path / "cache", 16, bad_images="skip")


def test_cub_leaves_out_too_a_box_outside_its_image_among_them(make_cub, tmp_path):
    root = make_cub()
    bad = root / "images" / "001.Bird_1" / "Bird_1_0001.jpg"
    bad.write_bytes(bad.read_bytes()[:200])
    boxes = (root / "bounding_boxes.txt").read_text().replace("\n9 10.0", "\n9 910.0")
    (root / "bounding_boxes.txt").write_text(boxes)
    store = prepare_cub(root, tmp_path / "cache", 16, bad_images="skip")
    assert len(store) == 18
    (note,) = [note for note in store.notes if "bad_images" in note]
    assert "Bird_1_0001.jpg" in note and "outside the 40 x 30 pixels" in note


@cache
def seeds():
    """Small files of many kinds, by their suffix."""
    exif = Image.Exif()
    exif[ORIENTATION], exif[RESOLUTION], exif[306] = 6, 72.0, "2024:01:01 00:00:00"
    exif.get_ifd(34665)[33434] = 0.01
    exif.get_ifd(34853)[2] = (1.0, 2.0, 3.0)
    colours, deep = Image.fromarray(PIXELS), Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 257)
    kinds = [
        ("png", colours),
        ("png", deep),
        ("jpg", colours),
        ("gif", colours),
        ("tif", colours),
        ("tif", deep),
        ("bmp", colours),
        ("webp", colours),
    ]
    files = []
    for suffix, image in kinds:
        file = io.BytesIO()
        image.save(
            file,
            Image.registered_extensions()["." + suffix],
            **({"exif": exif} if suffix in ("jpg", "webp", "tif") else {}),
        )
        files.append((suffix, file.getvalue()))
    return files


def with_checksums(png):
    """The PNG with its chunks' checksums put right, so that what is damaged in them is looked at."""
    mended, place = png[:8], 8
    while place + 12 <= len(png):
        end = place + 8 + int.from_bytes(png[place : place + 4], "big")
        mended += png[place:end] + struct.pack(">I", zlib.crc32(png[place + 4 : end]))
        place = end + 4
    return mended + png[place:]


def pillows_own(path):
    """The pixels by Pillow's plain reading, where its conversions are right."""
    with quiet(), Image.open(path) as image:
        if (
            image.mode not in ("1", "L", "P", "RGB", "CMYK", "YCbCr")
            or "transparency" in image.info
            or image.format == "TIFF"
        ):
            return None
        return np.asarray(image.convert("RGB"))


@settings(derandomize=True, deadline=None, max_examples=100)
@given(
    st.integers(0, 7),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6),
    st.booleans(),
    st.none() | st.integers(30, 400),
)
def test_damaged_files_are_refused_by_name_or_read_as_pillow_reads_them(tmp_path_factory, kind, changes, early, end):
    suffix, content = seeds()[kind]
    damaged = bytearray(content[:end])
    for place, value in changes:
        damaged[int(place * (min(len(damaged), 300) if early else len(damaged)))] = value
    path = tmp_path_factory.getbasetemp() / f"damaged.{suffix}"
    path.write_bytes(with_checksums(bytes(damaged)) if suffix == "png" else damaged)
    try:
        with quiet(), Image.open(path) as image:
            assume(image.width * image.height < 1_000_000)
    except Exception:
        pass
    source = Source("folder", path.parent, (Record(path.name, path, ("x",), "train"),))
    try:
        store = build_store(source, tmp_path_factory.getbasetemp() / "cache", 12)
    except UserError as error:
        assert path.name in str(error)
        store = None
    with quiet():
        assert (why_bad(path) is None) == (store is not None)
    if store is None:
        return
    assert store.images.shape == (1, 12, 12, 3)
    plain = pillows_own(path)
    if plain is not None:
        np.testing.assert_array_equal(np.asarray(read_rgb(path, upright=False)[0]), plain)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    st.sampled_from(["jpg", "png", "webp"]),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=8),
    st.binary(max_size=9),
)
def test_no_exif_block_costs_an_image(tmp_path_factory, suffix, changes, more):
    exif = Image.Exif()
    exif[ORIENTATION], exif[RESOLUTION], exif[306] = 1, 72.0, "2024:01:01 00:00:00"
    exif.get_ifd(34665)[33434] = 0.01
    block = bytearray(exif.tobytes() + more)
    for place, value in changes:
        block[6 + place % (len(block) - 6)] = value
    path = tmp_path_factory.getbasetemp() / f"exif.{suffix}"
    options = {"lossless": True} if suffix == "webp" else {}
    Image.fromarray(PIXELS).save(path, exif=bytes(block), **options)
    with quiet():
        assert why_bad(path) is None
        image = np.asarray(read_rgb(path)[0])
        with Image.open(path) as plain:
            assert sorted(image.ravel()) == sorted(np.asarray(plain).ravel())


def test_findings_are_kept_with_the_pixels(tmp_path, picture_folder):
    root = picture_folder("a.png", "b.png", "c.png")
    (root / "captions.jsonl").write_text("".join(json.dumps({"file": f"{n}.png", "caption": n}) + "\n" for n in "abc"))
    first = prepare_folder(root, tmp_path / "cache", 16)
    (root / "captions.jsonl").write_text(
        "".join(json.dumps({"file": f"{n}.png", "caption": n * 2}) + "\n" for n in "abc")
    )
    again = prepare_folder(root, tmp_path / "cache", 16)
    assert again.directory != first.directory
    for store in first, again:
        assert any("3 of 3 images lose more than a tenth" in note and "data.fit=pad" in note for note in store.notes)
