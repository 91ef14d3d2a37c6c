"""Data sets that lack a split, or have an image or two: what is said before training, and what a run still leaves."""

import csv
import math
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stackgan.errors import UserError
from stackgan.evaluation.feature_networks import efflite0_path
from stackgan.evaluation.record import recorded
from stackgan.evaluation.request import ScoreRequest
from stackgan.evaluation.run_scores import score_run
from stackgan.experiment import run
from stackgan.inputs import describe, prepare_inputs
from stackgan.reporting.demo import sample_captions
from stackgan.reporting.page import write_report
from stackgan.run_directory import locate_run, read_status
from stackgan.training.bundle import load_bundle
from support import TINY, composed, slow

pytestmark = pytest.mark.skipif(
    efflite0_path() is None, reason="the package of requirements/offline.txt is not installed"
)


@pytest.fixture
def folder(tmp_path):
    """folder(["train", "test"], *overrides): gives the configuration of a folder with an image of each split, anew at each call."""

    def make(splits, *overrides):
        root, rng = tmp_path / "images", np.random.default_rng(0)
        root.mkdir()
        rows = []
        for i, split in enumerate(splits):
            Image.fromarray(rng.integers(0, 255, (24, 24, 3), dtype=np.uint8)).save(root / f"{i}.png")
            rows.append(f"{i}.png,a bird of kind {i},{split}")
        (root / "captions.csv").write_text("\n".join(["file,caption,split", *rows]) + "\n")
        settings = [override for override in TINY if not override.startswith(("data.", "text="))]
        places = [f"data.root={root}", f"data.cache={tmp_path / 'cache'}", f"outputs={tmp_path}"]
        return lambda: composed(*settings, "data=folder", *places, *overrides)

    return make


def only_run(outputs: Path) -> Path:
    (found,) = outputs.glob("runs/*")
    return found


def test_a_list_without_test_images_is_scored_on_validation_captions_alone(folder, tmp_path, capsys):
    config = folder(["train"] * 8 + ["validation"] * 4)
    assert "No test images: the scores on test captions are left out" in describe(prepare_inputs(config()))
    assert run(config(), []) == 0
    before, _, after = capsys.readouterr().out.partition("run: ")
    assert "No test images" in before and "data.split=image" in before
    assert "kid/test, is/test (no test images)" in after
    status = read_status(only_run(tmp_path))
    assert status.state == "done" and set(status.scores) == {"kid_efflite0", "is_efflite0"}
    assert status.left_out == dict.fromkeys(["kid/test", "is/test"], "no test images")
    assert {row["captions"] for row in recorded(only_run(tmp_path))} == {"validation"}
    assert load_bundle(only_run(tmp_path) / "generator_best").images in (32, 64)
    assert run(config(), []) == 0
    assert "scores not taken: kid/test, is/test (no test images)" in capsys.readouterr().out


@pytest.mark.parametrize("variant", ["recipe", slow("reference_tf"), slow("reference_pytorch")])
def test_a_single_image_trains_and_leaves_finite_numbers_and_no_warnings(folder, tmp_path, capsys, variant):
    text = "minilm_tokens" if variant == "recipe" else "minilm"
    config = folder(["train"], f"variant={variant}", f"text={text}", "text.captions_per_image=3", "health.every=8")
    with warnings.catch_warnings():
        warnings.filterwarnings("error", module="stackgan")
        assert run(config(), []) == 0
    said = capsys.readouterr().out
    assert all(words in said for words in ("Only 1 training image", "No validation images", "No test images"))
    made = only_run(tmp_path)
    with (made / "metrics.csv").open(newline="") as file:
        rows = [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file)]
    assert all(math.isfinite(value) for row in rows for value in row.values())
    assert "health/black" in rows[0] and not {"health/mode_collapse", "health/ignores_text"} & set(rows[0])
    status = read_status(made)
    assert (status.state, status.images, status.scores) == ("done", 64, {})
    assert set(status.left_out) == {"kid", "is", "kid/test", "is/test"}
    assert load_bundle(made / "generator").images == 64
    assert sample_captions(made) == ["a bird of kind 0"]
    with pytest.raises(UserError, match="0 test images, and these scores need at least 8"):
        score_run(made, ScoreRequest(samples=10))
    write_report(tmp_path / "runs")
    for page in ("report.html", "report.md"):
        assert "no validation images" in (tmp_path / "runs" / page).read_text()


def test_scores_that_fail_cost_no_generator_and_are_tried_again(folder, tmp_path, capsys):
    config = folder(["train"] * 4 + ["validation"] * 4, "evaluation.every=null")
    broken = tmp_path / "cache" / "features"  # a file, where what the network says is to be kept
    broken.parent.mkdir()
    broken.touch()
    for _ in range(2):
        assert run(config(), []) == 0
        made = only_run(tmp_path)
        status = read_status(made)
        assert (status.state, status.scores) == ("done", {}) and "Error" in status.left_out["kid"]
        assert "could not be taken" in status.events[-1]["sentence"]
        assert load_bundle(made / "generator").images == 64
    broken.unlink()
    assert run(config(), []) == 0
    assert set(read_status(made).scores) == {"kid_efflite0", "is_efflite0"}
    assert set(read_status(made).left_out) == {"kid/test", "is/test"}
    capsys.readouterr()
    assert run(config(), []) == 0
    assert "already done" in capsys.readouterr().out


def test_what_fails_at_the_last_image_costs_neither_the_generator_nor_the_training(folder, tmp_path):
    config = folder(["train"] * 4, "evaluation=off")
    made = locate_run(config(), []).folder
    in_the_way = made / "samples" / "000000064.png"  # a folder, where the last grid is to be written
    in_the_way.mkdir(parents=True)
    with pytest.raises(OSError):
        run(config(), [])
    assert read_status(made).state == "failed"
    assert load_bundle(made / "generator").images == 64
    in_the_way.rmdir()
    assert run(config(), []) == 0
    assert read_status(made).state == "done"
    assert [event["images"] for event in read_status(made).events] == [64]  # it went on from there
    assert in_the_way.is_file()
