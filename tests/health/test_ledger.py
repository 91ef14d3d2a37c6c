"""When a verdict is given, kept and taken back; and that the numbers it rests on run through a checkpoint."""

import json
import math
from dataclasses import asdict

import pytest

from stackgan.config import PROJECT, Thresholds
from stackgan.health.ledger import Ledger
from stackgan.health.runaway import Runaway
from stackgan.health.verdicts import RULES, VERDICTS, remedy_words
from support import composed

WORDS = remedy_words(2e-4, 2e-4, 1, 2.0, 32)


def ledger(patience=2, warm_up=100, **thresholds):
    return Ledger({"mode_collapse": 0.03, "white_border": 0.5, "nan": 0.5} | thresholds, warm_up, patience, WORDS)


def test_a_verdict_needs_several_bad_measurements_in_a_row_after_the_warm_up():
    book = ledger()
    assert book.measure("mode_collapse", 0.0, 50) is None  # too early to count
    assert book.measure("mode_collapse", 0.0, 100) is None
    assert book.measure("mode_collapse", 0.2, 200) is None
    assert book.measure("mode_collapse", 0.01, 300) is None
    verdict = book.measure("mode_collapse", 0.02, 400, "half of them twins")
    assert (verdict.name, verdict.images, verdict.value, verdict.threshold) == ("mode_collapse", 400, 0.02, 0.03)
    assert "0.02" in verdict.sentence and "half of them twins" in verdict.sentence
    assert book.measure("mode_collapse", 0.02, 500) is None  # known
    assert book.holding(VERDICTS) == [verdict]


def test_a_verdict_that_no_longer_holds_stays_with_until_and_comes_back_once():
    book = ledger(patience=1)
    book.measure("white_border", 0.9, 100)
    book.measure("white_border", 0.1, 200)
    book.measure("white_border", 0.1, 300)
    assert book.holding(VERDICTS) == []
    assert [(record["images"], record["until"]) for record in book.records()] == [(100, 200)]
    assert book.measure("white_border", 0.9, 400) is None  # no second alert
    (record,) = book.records()
    assert record["images"] == 100 and "until" not in record


@pytest.mark.parametrize(("name", "threshold", "good"), [("white_border", 0.5, 0.49), ("mode_collapse", 0.03, 0.031)])
def test_a_measurement_at_the_threshold_itself_is_bad(name, threshold, good):
    book = ledger(patience=1)
    assert book.measure(name, good, 100) is None
    assert book.measure(name, threshold, 200).value == threshold


def test_nan_waits_for_nothing():
    assert ledger(patience=5).measure("nan", 1.0, 8, "The loss").name == "nan"


def test_what_cannot_be_measured_or_has_no_threshold_says_nothing():
    book = ledger(patience=1, mode_collapse=None)
    assert book.measure("mode_collapse", 0.0, 500) is None
    assert book.measure("white_border", float("nan"), 500) is None
    assert book.records() == []


def test_checkpoints_from_before_the_trouble_are_known():
    book = ledger()
    assert book.good_until(["mode_collapse"]) == 99  # the warm-up
    assert book.good_until(["nan"]) == book.good_until(["mode_collapse", "nan"]) == 0  # which has none
    book.measure("mode_collapse", 0.5, 300)
    assert book.clean(["mode_collapse", "nan"]) and book.good_until(["mode_collapse"]) == 300
    book.measure("mode_collapse", 0.0, 400)
    assert not book.clean(["mode_collapse"]) and book.clean(["nan"]) and book.good_until(["mode_collapse"]) == 300


def test_a_ledger_goes_on_where_another_stopped():
    book = ledger()
    book.measure("mode_collapse", 0.0, 200)
    book.measure("white_border", 0.9, 200)
    book.measure("white_border", 0.9, 300)
    again = ledger()
    again.restore(json.loads(json.dumps(book.records())), json.loads(json.dumps(book.state())))
    assert again.records() == book.records()
    assert again.measure("mode_collapse", 0.0, 300).images == 300  # the second in a row


def test_every_verdict_has_words():
    for rule in RULES.values():
        sentence = rule.sentence(0.123, 0.5, "Detail", WORDS)
        assert "0.123" in sentence and "0.5" in sentence and "People" in sentence and "{" not in sentence


def test_configuration_and_documents_say_of_a_verdict_what_the_registry_says():
    thresholds = asdict(composed().health.thresholds)
    assert thresholds == asdict(Thresholds()) == {name: rule.threshold for name, rule in RULES.items()}
    lines = (PROJECT / "docs/health.md").read_text().splitlines()
    for name, rule in RULES.items():
        (row,) = [line for line in lines if line.startswith(f"| `{name}` |")]
        sign = {"above": ">=", "below": "<="}[rule.bad]
        assert f"| {rule.meaning} |" in row and f"| {sign} {rule.threshold:g} |" in row


def test_the_first_measurement_that_counts_is_no_longer_within_the_warm_up():
    book = ledger(patience=1)
    assert book.good_until(["mode_collapse"]) == 99 and book.measure("mode_collapse", 0.0, 99) is None
    assert book.measure("mode_collapse", 0.0, 100).images == 100
    assert book.good_until(["mode_collapse"]) == 99  # a checkpoint at 100 images holds what was found to be bad


def rows(name, values):
    return [{name: value} for value in values]


def ratios(runaway, name, values):
    return [runaway.measure(row)[0] for row in rows(name, values)]


def test_a_loss_that_wanders_is_not_running_away():
    wander = [1.3 + 0.4 * (-1) ** i for i in range(60)]
    assert max(ratios(Runaway(), "loss/d", wander)[5:]) < 2


@pytest.mark.parametrize("growth", [lambda i: 1.05**i, lambda i: 1 + 0.002 * i**2.5, lambda i: -(1.0 + i**2)])
def test_steady_growth_is_seen_though_every_median_grows_with_it(growth):
    values = [growth(i) for i in range(200)]
    assert max(ratios(Runaway(), "loss/d", values)[5:]) > 50


def test_a_series_has_no_level_before_its_first_window():
    early = ratios(Runaway(window=3), "loss/d", [1.0, 50.0, 2.0, 6.0])
    assert all(math.isnan(ratio) for ratio in early[:3]) and early[3] == pytest.approx(3)


def test_a_spike_is_one_bad_row_and_small_numbers_have_no_scale():
    runaway = Runaway()
    ratios(runaway, "grad_norm/g", [8.0] * 10)
    assert runaway.measure({"grad_norm/g": 800.0})[0] == pytest.approx(100)
    assert runaway.measure({"grad_norm/g": 8.0})[0] == pytest.approx(1)
    assert max(ratios(Runaway(), "loss/d", [1e-6] * 10 + [0.5] * 5)[5:]) < 1


def test_other_columns_and_excluded_ones_are_not_looked_at():
    runaway = Runaway()
    for _ in range(6):
        runaway.measure({"loss/d": 1.0, "loss/g": 1.0, "images_per_second": 1.0})
    ratio, name = runaway.measure({"loss/d": 2.0, "loss/g": 1e6, "images_per_second": 1e6}, without=("loss/g",))
    assert (ratio, name) == (2.0, "loss/d")


def test_runaway_goes_on_where_another_stopped():
    first, again = Runaway(), Runaway()
    ratios(first, "loss/d", [3.0, 2.0, 2.5, 2.0, 2.2, 9.0])
    again.restore(json.loads(json.dumps(first.state())))
    assert again.measure({"loss/d": 44.0}) == first.measure({"loss/d": 44.0}) == (pytest.approx(20.0), "loss/d")
