"""Scores while a run goes on, and the generator that is best by them."""

import csv
import json

import pytest
import torch

from stackgan.evaluation.feature_networks import EfficientNetLite0, efflite0_path
from stackgan.evaluation.request import ScoreRequest
from stackgan.evaluation.run_scores import score_run
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


def test_evaluate_measures_the_same_again_by_the_same_protocol(finished):
    before = json.loads((finished / "evaluation.json").read_text())
    scored = score_run(finished, ScoreRequest(samples=12, splits=2, metrics=["is", "kid"], frames="off"))
    of_training = {row["metric"]: row for row in before if row["captions"] == "test"}
    assert {record.metric for record in scored.records} == set(of_training) == {"is_efflite0", "kid_efflite0"}
    for record in scored.records:
        row = of_training[record.metric]
        for found in ("value", "std", "real"):
            assert getattr(record, found) == pytest.approx(row[found], rel=1e-4, abs=1e-6)
    assert len(json.loads((finished / "evaluation.json").read_text())) == len(before)  # each in the place of training's


def test_scores_are_taken_in_full_float32_and_training_keeps_its_arithmetic(tiny, monkeypatch):
    seen, plain = [], EfficientNetLite0.both

    def both(self, images):
        seen.append((torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32))
        return plain(self, images)

    monkeypatch.setattr(EfficientNetLite0, "both", both)
    assert run(tiny("images=8"), []) == 0
    assert set(seen) == {("highest", False)} and torch.get_float32_matmul_precision() == "high"
