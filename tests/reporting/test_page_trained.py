"""What the page says of a study that training wrote, and that made-up studies are like it."""

import csv
import json
import re
import statistics

import pytest
from page_study import write_run
from test_page_numbers import embedded, tables

from stackgan.evaluation.feature_networks import efflite0_path
from stackgan.experiment import run
from stackgan.health.verdicts import RULES
from stackgan.reporting.page import write_report
from stackgan.reporting.score_table import write_table
from support import TINY, composed

pytestmark = pytest.mark.skipif(
    efflite0_path() is None, reason="the package of requirements/offline.txt is not installed"
)


SETTINGS = {"base": [], "lr=x10": ["lr=x10"]}
COLLAPSED = ["loss=hinge", "health=stop", "health.every=8", "health.warm_up=0", "health.patience=1", "health.thresholds.black=1e6",
             "health.acts_on=[black]"]  # fmt: skip


@pytest.fixture(scope="module")
def study(cache, tmp_path_factory):
    """A study that training wrote: two settings with two seeds each, one that a verdict ended; and its page."""
    outputs = tmp_path_factory.mktemp("trained")
    jobs = [[*choices, f"seed={seed}"] for choices in SETTINGS.values() for seed in (0, 1)]
    for choices in [*jobs, [*COLLAPSED, "seed=0"]]:
        overrides = [*TINY, *choices, "images=48", "logger=none", "study=small"]
        run(composed(*overrides, f"data.cache={cache}", f"outputs={outputs}"), overrides)
    write_report(outputs / "small")
    return outputs / "small"


def statuses(study):
    return {path.parent.name: json.loads(path.read_text()) for path in study.glob("*/status.json")}


def kids(study, setting):
    """KID on validation captions of a setting's finished runs, by folder."""
    found = {}
    for name, status in statuses(study).items():
        if status["state"] == "done" and ("lr=x10" in name) == (setting == "lr=x10"):
            found[name] = status["scores"]["kid_efflite0"]
    return found


def visible(page):
    """The page's words, without scripts, tags and doubled spaces."""
    text = re.sub(r"<script.*?</script>|<style>.*?</style>", "", page, flags=re.S)
    return " ".join(re.sub(r"<[^>]*>", "", text).split())


def test_the_answer_comes_first_and_is_that_of_the_scores(study):
    means = {label: statistics.mean(kids(study, label).values()) for label in SETTINGS}
    best, other = sorted(means, key=means.__getitem__)
    for text in (visible((study / "report.html").read_text()), (study / "report.md").read_text()):
        answer = text.partition("Made")[0] if text.startswith("#") else text[text.index("The answer") :]
        sentence = re.search(
            rf"{best} (is best|has the best mean).*?kid\\?_efflite0 ([-\d.]+) ± ([\d.]+) over 2 seeds", answer
        )
        assert float(sentence[2]) == pytest.approx(means[best], abs=0.006)
        assert float(sentence[3]) == pytest.approx(statistics.stdev(kids(study, best).values()), rel=0.06)
        assert ", real pictures " in answer
        behind = float(re.search(r"ehind by ([\d.]+)", answer)[1])
        assert behind == pytest.approx(means[other] - means[best], rel=0.5, abs=0.06)
    page = (study / "report.html").read_text()
    assert page.index("The answer") < page.index('id="table"') and (study / "report.md").read_text().split("\n\n")[
        1
    ].startswith("## The answer")


def test_what_went_wrong_is_said_with_its_meaning_and_when(study):
    (status,) = [status for status in statuses(study).values() if status["state"] == "collapsed"]
    (verdict,) = [verdict for verdict in status["verdicts"] if verdict["name"] == "black"]
    for text in (visible((study / "report.html").read_text()), (study / "report.md").read_text().replace("\\", "")):
        assert f"black from {verdict['images']:,} images on: {RULES['black'].meaning}." in text
        assert (
            f"collapsed at {status['images']:,} images: ended by black." in text
            and "Without a score of a finished run: loss=hinge." in text
        )


def test_the_strip_shows_each_settings_best_seed(study):
    data = embedded((study / "report.html").read_text())
    (strip,) = data["strips"]
    shown = [data["runs"][number]["key"] for number in strip["runs"]]
    means = {label: statistics.mean(kids(study, label).values()) for label in SETTINGS}
    order = sorted(means, key=means.__getitem__)
    assert shown[:2] == [min(kids(study, label), key=kids(study, label).__getitem__) for label in order]
    rows = {row["run"]: row["frames"] for row in data["galleries"][strip["gallery"]]["runs"]}
    assert len(shown) == 3 and all(
        data["pictures"][rows[number][-1]]["images"] == data["runs"][number]["images"] for number in strip["runs"][:2]
    )


def test_settings_are_called_by_what_differs_everywhere(study):
    page, text = (study / "report.html").read_text(), (study / "report.md").read_text()
    labels = {"base", "lr=x10", "loss=hinge"}
    assert set(embedded(page)["labels"]) == labels
    assert {row[0] for row in tables(text)[1:] if row[0] not in ("setting", "---")} == labels
    table = write_table(study)[0]
    assert {row[0] for row in tables(table)[2:]} == labels
    for words in (visible(page), text.replace("\\", ""), table.replace("\\", "")):
        assert "All runs: scale=tiny, text=attributes, data.classes=40" in words


def test_the_page_and_the_table_have_one_leaderboard(study):
    page, text = (study / "report.html").read_text(), (study / "report.md").read_text()
    board = tables(text)[: 2 + 5]
    assert tables(write_table(study)[0]) == board
    head = re.search(r"<thead>(.*?)</thead>", page, re.S)[1]
    names = [button.strip() for button in re.findall(r"<button>(.*?)</button>", head)]
    assert names == [re.sub(r" ?\\\[\d+]", "", cell).replace("\\", "") for cell in board[0]]
    scores = [name for name in names if name.partition("_")[0] in ("kid", "is")]
    assert names[3] == scores[0] == "kid_efflite0 ↓" and [name[:2] for name in scores] == ["ki", "ki", "is", "is"]
    assert "validation" in page[page.index("kid_efflite0 ↓") :][:200]
    assert names[4:9] == ["norm", "optim", "loss", "dropout", "lr"]


def test_epochs_versions_and_provenance_are_those_of_the_runs(study):
    page, status = (study / "report.html").read_text(), next(iter(statuses(study).values()))
    epochs = [float(row[-4]) for row in tables((study / "report.md").read_text())[2:7] if row[2] == "done"]
    assert epochs == [pytest.approx(48 / status["train_images"], rel=1e-3)] * 4
    words = visible(page)
    for key, value in status["provenance"].items():
        assert f"{key}{str(value).lower() if isinstance(value, bool) else value}" in words
    assert f"torch{status['versions']['torch']}" in words
    assert ("code differed from its commit" in words) == bool(status["provenance"]["changed"])


def header(run):
    with (run / "metrics.csv").open() as file:
        return set(next(csv.reader(file)))


def test_made_up_studies_are_like_trained_ones(study, tmp_path):
    made = write_run(
        tmp_path, points=1, verdicts=[{"name": "black", "images": 1, "value": 0.0, "threshold": 0.1, "sentence": "x"}]
    )
    done = next(study / name for name, status in statuses(study).items() if status["state"] == "done")
    ended = next(status for status in statuses(study).values() if status["state"] == "collapsed")
    assert header(made) == header(done)
    status, real = (json.loads((folder / "status.json").read_text()) for folder in (made, done))
    assert set(status) == set(real) and set(status["scores"]) == set(real["scores"])
    assert set(status["provenance"]) == set(real["provenance"]) and set(status["verdicts"][0]) == set(
        ended["verdicts"][0]
    )
    records, real_records = (json.loads((folder / "evaluation.json").read_text()) for folder in (made, done))
    assert {frozenset(row) for row in records} == {frozenset(row) for row in real_records}
    for key in ("metric", "captions", "generator", "network"):
        assert {row[key] for row in records} == {row[key] for row in real_records}, key
    assert {frozenset(row["details"]) for row in records} == {frozenset(row["details"]) for row in real_records}
