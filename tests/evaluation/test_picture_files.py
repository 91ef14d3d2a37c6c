"""Which files of a folder are judged."""

import json

import numpy as np
import pytest
from PIL import Image

from stackgan.errors import UserError
from stackgan.evaluation.picture_files import list_images
from stackgan.evaluation.subjects import FolderPictures
from stackgan.reporting.grid import Column, draw_grid, save_grid

COLOURS = np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "deep").mkdir()
    for name in "grid_1.png", "grid.png", "a.bmp", "b.tif", "c.gif", "deep/grid-000.png", "d.JPG":
        Image.fromarray(COLOURS).save(tmp_path / name)
    Image.fromarray(COLOURS).save(tmp_path / "no suffix", "PNG")
    for name in "notes.txt", "captions.csv", "evaluation.json", "data.h5", "frames":
        (tmp_path / name).write_text("P1,nothing to see\n")
    (tmp_path / ".hidden.png").write_text("no image")
    return tmp_path


def test_every_image_is_listed_whatever_its_name_or_format(folder):
    found = list_images(folder)
    assert found.files == (
        "a.bmp",
        "b.tif",
        "c.gif",
        "d.JPG",
        "deep/grid-000.png",
        "grid.png",
        "grid_1.png",
        "no suffix",
    )
    assert set(found.sizes) == {(24, 16)} and not found.notes
    pixels = FolderPictures(folder, found.files[:2])
    (batch,) = pixels.batches(range(2), 8, "cpu")
    np.testing.assert_array_equal(batch[0].permute(1, 2, 0).numpy(), COLOURS)
    assert list_images(folder, 3).files == found.files[:3]


def test_grids_of_this_project_are_left_out_and_a_note_says_which(folder):
    (folder / "manifest.jsonl").write_text(json.dumps({"file": "a.bmp", "caption": "a"}) + "\n")
    save_grid(draw_grid([Column("a", [COLOURS[:, :16]])], ["1"]), folder / "page.png")
    found = list_images(folder)
    assert {"grid_1.png", "deep/grid-000.png"} < set(found.files)
    assert not {"grid.png", "page.png"} & set(found.files)
    assert any("2 grids" in note and "grid.png" in note and "page.png" in note for note in found.notes)


def test_what_cannot_be_judged_is_refused_or_left_out_by_name(folder):
    (folder / "broken.png").write_text("no image")
    Image.new("RGB", (4, 40)).save(folder / "small.png")
    (folder / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    with pytest.raises(UserError, match=r"broken\.png cannot be read as an image .*2 more .*bad_images=skip"):
        list_images(folder)
    (folder / "cut.bmp").write_bytes((folder / "a.bmp").read_bytes()[:-400])
    found = list_images(folder, bad_images="skip")
    assert len(found.files) == 8 and not {"broken.png", "small.png", "cut.bmp"} & set(found.files)
    (note,) = found.notes
    assert "4 of 12 images" in note and all(name in note for name in ("broken.png", "cut.bmp", "phone.heic", "1 more"))


def test_a_turned_photograph_is_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(COLOURS).save(tmp_path / "a.png", exif=exif)
    found = list_images(tmp_path)
    (batch,) = FolderPictures(tmp_path, found.files).batches(range(1), 1, "cpu")
    assert found.sizes == ((16, 24),) and batch.shape == (1, 3, 24, 16)
    np.testing.assert_array_equal(batch[0].permute(1, 2, 0).numpy(), np.rot90(COLOURS, -1))


def test_a_folder_of_grids_alone_says_so(tmp_path):
    save_grid(draw_grid([Column("a", [COLOURS[:, :16]])], ["1"]), tmp_path / "page.png")
    with pytest.raises(UserError, match=r"holds no image but 1 grids \(page\.png\)"):
        list_images(tmp_path)
