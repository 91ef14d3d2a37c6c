"""Which scores there are, which way is better, and what a choice is made by."""

from dataclasses import replace

import pytest

from stackgan.config import PROJECT
from stackgan.evaluation.record import ProtocolRecord
from stackgan.evaluation.registry import KINDS, METRICS, by_name, find, kind_of, way
from stackgan.evaluation.request import ScoreRequest


@pytest.mark.parametrize(
    ("metric", "better"),
    [("kid", -1), ("kid_efflite0", -1), ("kid_efflite0/test", -1), ("fid_inception_finetuned", -1),
     ("is_efflite0", 1), ("r_precision_efflite0", 1),
     ("precision", 1), ("lpips_diversity", 0), ("something_else", 0)],
)  # fmt: skip
def test_which_way_is_better(metric, better):
    assert way(metric) == better


def test_every_score_that_can_be_asked_for_is_known():
    assert set(ScoreRequest().metrics) == set(METRICS) == {kind.name for kind in KINDS}
    assert kind_of("r_precision").name == "r_precision" and kind_of("isolation") is None


def test_scores_by_name_begin_with_what_choices_are_made_by():
    record = ProtocolRecord("is_efflite0", 5.0, None, None, "efflite0", "w", "r", 12, 12, 1, 0, "test", "ema", 8)
    found = by_name(
        [record, replace(record, metric="kid_efflite0", value=2.0), replace(record, captions="validation", value=4.0),
         replace(record, captions="validation", metric="kid_efflite0", value=1.0)]
    )  # fmt: skip
    assert list(found.items()) == [
        ("kid_efflite0", 1.0), ("is_efflite0", 4.0), ("kid_efflite0/test", 2.0), ("is_efflite0/test", 5.0),
    ]  # fmt: skip


def test_an_objective_is_never_a_score_of_test_captions():
    scores = {"kid_efflite0/test": 2.0, "kid_efflite0": 1.0}
    assert find(scores, "kid") == find(scores, "kid_efflite0") == ("kid_efflite0", 1.0)
    assert find(scores, "kid_efflite0/test") is None and find(scores, "is") is None


def test_the_document_says_of_every_score_which_way_is_better():
    lines = (PROJECT / "docs/evaluation.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| `")]
    said = {name.strip(" `"): row[2] for row in rows if len(row) == 4 for name in row[0].split(",")}
    for name in METRICS:
        assert said[name] == {1: "higher", -1: "lower", 0: "neither"}[way(name)], name
