"""Grids taken apart, packed and kept within a budget of bytes."""

import base64
import io
import re
import shutil

import numpy as np
import pytest
from page_study import CAPTIONS, VARIANTS, locked, write_grid, write_run
from PIL import Image
from test_page_numbers import embedded

from stackgan.evaluation.feature_networks import efflite0_path
from stackgan.reporting.grid import Column, draw_grid, grid_layout, grid_pictures, save_grid
from stackgan.reporting.page import write_report
from stackgan.reporting.page.collect import read_study
from stackgan.reporting.page.report import LIMIT
from stackgan.reporting.page.sheets import LADDER, Fineness, make_album, sheet


def noise_grid(path, rng, side=64, columns=8, rows=6):
    """The grid that packs worst."""
    drawn = [
        Column(f"caption {i}", list(rng.integers(0, 256, (rows, side, side, 3), dtype=np.uint8)))
        for i in range(columns)
    ]
    save_grid(draw_grid(drawn, ["real", *(str(i) for i in range(1, rows))], "noise"), path)


@pytest.mark.parametrize("side", [16, 64, 128, 256])
def test_a_saved_grid_gives_back_the_networks_exact_pixels_and_captions(tmp_path, side):
    pictures = np.random.default_rng(0).integers(0, 256, (2, 3, side, side, 3), dtype=np.uint8)
    captions = ["a bird's “long” caption, with more words than fit into one line of the column", "b"]
    columns = [Column(caption, list(cells)) for caption, cells in zip(captions, pictures, strict=True)]
    path = tmp_path / "deep" / "grid.png"
    save_grid(draw_grid(columns, ["real", "1", "2"], "title"), path)
    with Image.open(path) as page:
        layout = grid_layout(page)
        assert (layout.captions, layout.rows) == (captions, ["real", "1", "2"])
        np.testing.assert_array_equal(grid_pictures(page, layout), pictures.transpose(1, 0, 2, 3, 4))
    assert [each.name for each in path.parent.iterdir()] == ["grid.png"]


@pytest.mark.parametrize(
    "chunk",
    [
        "",
        "{",
        "[]",
        '{"captions": ["a"]}',
        '{"captions":["a"],"rows":["1"],"left":0,"top":0,"side":99,"step":99,"factor":1}',
    ],
)
def test_a_layout_that_is_not_ours_is_none(chunk):
    page = Image.new("RGB", (50, 50))
    page.info["stackgan-grid"] = chunk
    assert grid_layout(page) is None


def sheets(page):
    return re.findall(r'"([A-Za-z0-9+/=]{40,})"', re.search(r'id="sheets">(.*?)</script>', page, re.S)[1])


def test_each_row_of_a_gallery_shows_the_runs_latest_grid_of_the_time(tmp_path):
    long = write_run(tmp_path, "bn_adam", points=4, budget=40_000)
    short = write_run(tmp_path, "lr_x10", points=4, budget=40_000, state="diverged")
    page = write_report(tmp_path)[0].read_text()
    data = embedded(page)
    (gallery,) = data["galleries"]
    assert (
        gallery["captions"] == list(CAPTIONS) and gallery["noises"] == ["1", "2", "3"] and gallery["cell"] == [64, 64]
    )
    assert gallery["positions"] == [10_000, 20_000, 30_000, 40_000]
    shown = {
        data["runs"][row["run"]]["key"]: [data["pictures"][frame] for frame in row["frames"]] for row in gallery["runs"]
    }
    assert [picture["images"] for picture in shown[long.name]] == [10_000, 20_000, 30_000, 40_000]
    assert [picture["images"] for picture in shown[short.name]] == [10_000, 20_000, 20_000, 20_000]
    assert all((tmp_path / picture["file"]).exists() for row in shown.values() for picture in row)
    assert len(sheets(page)) == 4 + 2 + 1  # and the real pictures once


def test_a_sheet_looks_like_the_grids_pictures(tmp_path):
    run = write_run(tmp_path, points=1, skill=1.0)
    page = write_report(tmp_path)[0].read_text()
    data = embedded(page)
    frame = data["galleries"][0]["runs"][0]["frames"][0]
    packed = np.asarray(Image.open(io.BytesIO(base64.b64decode(sheets(page)[frame]))).convert("RGB")).astype(float)
    with Image.open(next((run / "samples").glob("*.png"))) as grid:
        drawn = grid_pictures(grid, grid_layout(grid))[1:]
    mosaic = np.concatenate([np.concatenate(list(row), axis=1) for row in drawn], axis=0).astype(float)
    assert packed.shape == mosaic.shape and np.abs(packed - mosaic).mean() < 4


def test_grids_of_other_captions_noise_or_size_are_galleries_of_their_own(tmp_path):
    write_run(tmp_path, "bn_adam", points=1)
    write_run(tmp_path, "bn_adam", stage="two", points=1)
    other = write_run(tmp_path, "lr_x10", points=1)
    noise_grid(next((other / "samples").glob("*.png")), np.random.default_rng(0))
    wider = write_run(tmp_path, "nobn_adam", points=1)
    (wider / "config.yaml").write_text((wider / "config.yaml").read_text().replace("noise_dim: 100", "noise_dim: 50"))
    album = make_album(read_study(tmp_path).runs, tmp_path, 10**7)
    assert sorted((gallery.stage, len(gallery.captions), gallery.native[0]) for gallery in album.galleries) == [
        ("one", 4, 64), ("one", 4, 64), ("one", 8, 64), ("two", 4, 128),
    ]  # fmt: skip


def test_a_grid_that_does_not_say_where_its_pictures_are_is_shown_whole(tmp_path):
    run = write_run(tmp_path, points=1)
    path = next((run / "samples").glob("*.png"))
    Image.open(path).convert("RGB").save(path)
    (gallery,) = embedded(write_report(tmp_path)[0].read_text())["galleries"]
    assert gallery["captions"] == [] and gallery["real"] is None and gallery["runs"][0]["frames"] == [0]


def test_a_running_runs_half_written_status_and_grid_do_not_hide_its_pictures(tmp_path):
    run = write_run(tmp_path, points=2, state="running")
    (run / "samples" / "000099999.png").write_bytes(b"")
    with locked(run):
        page = write_report(tmp_path)[0].read_text()
    assert embedded(page)["galleries"][0]["positions"] == [30_000] and "000099999.png cannot be read" in page


@pytest.mark.parametrize("budget", [10_000_000, 1_000_000, 200_000, 30_000, 1_000])
def test_pictures_stay_within_any_budget_with_fewer_times_before_coarser_pictures(tmp_path, budget):
    rng = np.random.default_rng(0)
    for variant in VARIANTS[:3]:
        run = write_run(tmp_path, variant, grids=False, points=1)
        for images in range(1_000, 11_000, 1_000):
            noise_grid(run / "samples" / f"{images:09d}.png", rng, side=32, columns=4, rows=3)
    album = make_album(read_study(tmp_path).runs, tmp_path, budget)
    (gallery,) = album.galleries
    assert sum(map(len, album.sheets)) == album.size <= budget
    if budget >= 1_000_000:
        assert len(gallery.positions) == 10 and album.fineness == LADDER[0]
    if budget == 200_000:
        assert 1 <= len(gallery.positions) < 10 and gallery.positions[-1] == 10_000 and not album.left_out
    if budget == 1_000:
        assert album.left_out


def test_coarse_sheets_have_smaller_pictures():
    pictures = np.zeros((2, 3, 128, 128, 3), np.uint8)
    assert sheet(pictures, Fineness(50, 256))[1] == (128, 128) and sheet(pictures, Fineness(50, 32))[1] == (32, 32)
    packed = Image.open(io.BytesIO(base64.b64decode(sheet(pictures, Fineness(50, 32))[0])))
    assert packed.size == (96, 64)


@pytest.mark.slow
def test_six_variants_with_three_seeds_stay_below_twenty_megabytes(tmp_path):
    rng = np.random.default_rng(0)
    grids = []
    for side in (64, 256):
        for i in range(3):
            noise_grid(tmp_path / "made" / f"{side}-{i}.png", rng, side)
        grids.append([tmp_path / "made" / f"{side}-{i}.png" for i in range(3)])
    study = tmp_path / "study"
    for seed in range(3):
        for variant in VARIANTS:
            for stage, made in zip(("one", "two"), grids, strict=True):
                run = write_run(study, variant, stage, seed, grids=False, points=2)
                (run / "samples").mkdir()
                for i in range(20):
                    shutil.copy(made[i % 3], run / "samples" / f"{3000 * (i + 1):09d}.png")
    page = write_report(study)[0]
    assert 5_000_000 < page.stat().st_size <= LIMIT
    text = page.read_text()
    assert "of 20 time points are kept here" in text and len(embedded(text)["galleries"]) == 2
    assert all(len(gallery["runs"]) == 18 for gallery in embedded(text)["galleries"])


@pytest.mark.skipif(efflite0_path() is None, reason="the package of requirements/offline.txt is not installed")
def test_a_real_run_has_its_pictures_side_by_side(tiny, tmp_path):
    from stackgan.experiment import run

    assert run(tiny("images=32"), []) == 0
    page = write_report(tmp_path / "runs")[0].read_text()
    data = embedded(page)
    (gallery,) = data["galleries"]
    assert len(gallery["captions"]) == 8 and all(gallery["captions"]) and gallery["real"] is not None
    assert data["runs"][0]["state"] == "done" and {chart["section"] for chart in data["charts"]} >= {
        "Losses",
        "Gradient norms",
    }


def test_a_grid_can_be_written_while_the_page_is_made(tmp_path):
    run = write_run(tmp_path, points=1)
    path = write_grid(run, 60_001, 0.5)
    assert not list(path.parent.glob(".*"))
