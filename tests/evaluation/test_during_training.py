"""Scores while a run goes on, and the generator that is best by them."""

import csv
import json

import pytest

from stackgan.evaluation.feature_networks import efflite0_path
from stackgan.experiment import run
from stackgan.training.bundle import load_bundle
from stackgan.training.checkpoint import LAST, read_checkpoint

pytestmark = pytest.mark.skipif(
    efflite0_path() is None, reason="the package of requirements/offline.txt is not installed"
)


@pytest.fixture
def finished(tiny, tmp_path):
    assert run(tiny("evaluation.every=16", "images=96"), []) == 0
    (folder,) = tmp_path.glob("runs/*")
    return folder


def test_the_best_generator_is_the_one_nearest_to_the_validation_pictures(finished):
    with (finished / "metrics.csv").open(newline="") as file:
        scores = {int(row["images"]): float(row["kid_efflite0"]) for row in csv.DictReader(file) if row["kid_efflite0"]}
    assert list(scores) == [16, 32, 48, 64, 80, 96]
    best = min(scores, key=scores.__getitem__)
    assert load_bundle(finished / "generator_best").images == best
    assert read_checkpoint(finished / "checkpoints" / LAST)["extra"]["best"] == {
        "metric": "kid_efflite0", "value": pytest.approx(scores[best]), "images": best,
    }  # fmt: skip


def test_validation_scores_and_the_final_one_are_recorded_with_their_protocol(finished):
    records = json.loads((finished / "evaluation.json").read_text())
    found = [(record["metric"], record["captions"], record["images"]) for record in records]
    expected = [
        (metric, "validation", images) for images in range(16, 97, 16) for metric in ("is_efflite0", "kid_efflite0")
    ]
    # the last validation scores are of as many pictures as the ones before here, and stand in their place
    assert sorted(found) == sorted([*expected, ("is_efflite0", "test", 96), ("kid_efflite0", "test", 96)])
    assert all(record["data"] and record["image_size"] == 16 and record["real_samples"] > 1 for record in records)
    value = {(record["metric"], record["captions"]): record["value"] for record in records if record["images"] == 96}
    scores = json.loads((finished / "status.json").read_text())["scores"]
    assert list(scores) == [
        "kid_efflite0",
        "is_efflite0",
        "kid_efflite0/test",
        "is_efflite0/test",
    ]  # the objective first
    for name, found in scores.items():
        metric, _, test = name.partition("/")
        assert found == pytest.approx(value[metric, test or "validation"])
