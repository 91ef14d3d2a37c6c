"""Every source becomes a store and a table, and trains."""

import numpy as np
import pytest
from PIL import Image

from stackgan.config import PROJECT
from stackgan.experiment import run
from stackgan.inputs import describe, prepare_inputs
from support import TINY, composed, script

CUB10 = PROJECT.parent / "shared" / "data" / "cub10"
needs_photographs = pytest.mark.skipif(
    not CUB10.is_dir(), reason="../shared/data/cub10 (ten classes of CUB) is not here"
)


@pytest.fixture
def folder(tmp_path):
    """Thirty coloured squares with captions."""
    rng = np.random.default_rng(0)
    root = tmp_path / "squares"
    root.mkdir()
    lines = ["file,caption,class"]
    for i in range(30):
        color = ("red", "green", "blue")[i % 3]
        pixels = rng.integers(0, 60, (24, 20, 3), dtype=np.uint8)
        pixels[..., i % 3] += 180
        Image.fromarray(pixels).save(root / f"{i}.png")
        lines += [f"{i}.png,a {color} square,{color}", f"{i}.png,this square is {color},{color}"]
    (root / "captions.csv").write_text("\n".join(lines) + "\n")
    return root


def test_a_folder_of_pictures_trains(folder, cache, tmp_path, capsys):
    listing = (folder / "captions.csv").read_text().replace("0.png,this square is red", "0.png,빨간 사각형", 1)
    (folder / "captions.csv").write_text(listing, encoding="utf-8")
    tiny = [setting for setting in TINY if not setting.startswith(("text=", "data."))]
    overrides = [
        *tiny,
        "data=folder",
        f"data.root={folder}",
        f"data.cache={cache}",
        f"outputs={tmp_path}/outputs",
        "images=16",
    ]
    config = composed(*overrides)
    inputs = prepare_inputs(config)
    text = describe(inputs)
    assert "30 pictures at 19 px, 3 classes, 60 caption vectors" in text and "train:" in text
    note = "note: 1 of 60 captions hold words that text=minilm does not know, 1 of them no other words, such as '빨간' (first: 0.png)"
    assert note in text
    assert run(config, overrides) == 0
    assert capsys.readouterr().out.count(note) == 1


@pytest.mark.slow
def test_a_bad_row_is_named_before_any_work(folder, tmp_path):
    (folder / "captions.csv").write_text("file,caption\n0.png,a square\nnowhere.png,a ghost\n1.png,\n")
    result = script("prepare_data.py", "data=folder", f"data.root={folder}", f"data.cache={tmp_path}/cache")
    assert result.returncode == 2
    assert "line 3" in result.stderr and "nowhere.png" in result.stderr and "line 4" in result.stderr


def test_prepare_data_reports_what_it_found(tmp_path):
    settings = [setting for setting in TINY if setting.startswith(("scale=", "text=", "data."))]
    result = script("prepare_data.py", *settings, f"data.cache={tmp_path}")
    assert result.returncode == 0, result.stderr
    for words in (
        "birds: 80 pictures at 19 px, 40 classes",
        "birds: 80 pictures at 38 px",
        "test: 30 pictures of 15 classes",
    ):
        assert words in result.stdout


@needs_photographs
def test_real_photographs_with_real_captions_train_both_stages(cache, tmp_path):
    # the attribute vectors stand in for MiniLM here, which would take a minute for 5,430 captions
    for stage in ("one", "two"):
        overrides = [
            *(setting for setting in TINY if not setting.startswith("data.")),
            "data=cub",
            f"data.root={CUB10}",
            f"data.cache={cache}",
            f"outputs={tmp_path}",
            f"stage={stage}",
            "images=16",
        ]
        assert run(composed(*overrides), overrides) == 0
    assert len(list(tmp_path.glob("runs/*/generator"))) == 2
