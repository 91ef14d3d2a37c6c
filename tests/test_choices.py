"""What `health=off` and the choices of `evaluation` leave out, and what they must not: the run itself is the same."""

import csv
import json
import math

import pytest
import torch

from launcher_support import Sweep
from stackgan.evaluation import during_training
from stackgan.evaluation.feature_networks import efflite0_path
from stackgan.experiment import run
from stackgan.health.probe import Probe
from stackgan.losses.adversarial import AdversarialLoss
from stackgan.reporting.page import write_report
from stackgan.run_directory import read_status
from stackgan.training.bundle import load_bundle
from support import composed

needs_network = pytest.mark.skipif(
    efflite0_path() is None, reason="the package of requirements/offline.txt is not installed"
)
NO_SCORES = [
    "evaluation.every=null",
    "evaluation.final_samples=null",
]  # what evaluation=off sets, after the tests' own settings
FULL = "evaluation.full_samples=12"


def run_of(study):
    (folder,) = [path for path in study.iterdir() if path.is_dir()]
    return folder


def rows(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def weights(folder):
    return load_bundle(folder / "generator").sampler.state_dict()


@pytest.fixture
def no_network(monkeypatch):
    """A machine without the packages of the feature network."""

    def missing(*_, **__):
        raise AssertionError("a feature network was asked for")

    monkeypatch.setattr("stackgan.assembly.build_feature_network", missing)


def test_the_choices_are_what_they_say():
    assert composed("evaluation=off").evaluation.every is composed("evaluation=off").evaluation.final_samples is None
    assert composed("evaluation=full").evaluation.full_samples == 30_000
    fast, bare = composed("evaluation=fast").evaluation, composed().evaluation
    assert fast == bare and (fast.every, fast.final_samples, fast.full_samples) == (0.25, 2_000, None)
    assert {name: composed(f"health={name}").health.policy for name in ("off", "warn", "stop", "rollback")} == {
        name: name for name in ("off", "warn", "stop", "rollback")
    }
    assert composed().health == composed("health=warn").health


def test_without_scores_a_run_is_done_all_the_same_and_needs_no_network(tiny, tmp_path, no_network):
    assert run(tiny(*NO_SCORES, "health=off"), []) == 0
    folder = run_of(tmp_path / "runs")
    status = read_status(folder)
    assert (status.state, status.images, status.scores) == ("done", 64, {})
    assert not (folder / "evaluation.json").exists() and not (folder / "generator_best").exists()
    assert load_bundle(folder / "generator").images == 64
    assert not any("is_" in column or "kid" in column for column in rows(folder)[0])
    write_report(folder.parent)
    assert "health was not measured" in (folder.parent / "report.html").read_text()


@needs_network
def test_scores_that_are_asked_for_later_are_taken_from_there_on(tiny, tmp_path, capsys):
    run(tiny(*NO_SCORES, "images=32"), [])
    assert run(tiny("images=32"), []) == 0  # with scores: it is finished, and the command says how to get them
    said = capsys.readouterr().out
    assert "already done" in said and f"src/evaluate.py run='{run_of(tmp_path / 'runs')}' samples=12" in said
    run(tiny("images=64"), [])
    folder = run_of(tmp_path / "runs")
    assert read_status(folder).scores["is_efflite0"] >= 1
    assert [row["images"] for row in rows(folder) if row["is_efflite0"]] == ["64"]
    run(tiny(*NO_SCORES, "images=96"), [])
    assert read_status(folder).scores == {}  # those of 64 images say nothing of this generator


@needs_network
def test_full_takes_every_score_of_evaluate_and_goes_on_where_it_was_stopped(tiny, tmp_path, monkeypatch):
    config = tiny(FULL, "images=32")

    def stopped(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("stackgan.evaluation.run_scores.score_run", stopped)
        run(config, [])
    folder = run_of(tmp_path / "runs")
    assert read_status(folder).state == "failed"
    assert run(config, []) == 0
    status, records = read_status(folder), json.loads((folder / "evaluation.json").read_text())
    wanted = {"is_efflite0", "fid_efflite0", "kid_efflite0", "precision_efflite0", "recall_efflite0", "lpips_diversity"}
    assert status.state == "done" and {f"{name}/test" for name in wanted} <= set(status.scores)
    assert wanted <= {record["metric"] for record in records if record["captions"] == "test"}
    assert status.scores["fid_efflite0/test"] == next(r["value"] for r in records if r["metric"] == "fid_efflite0")


@needs_network
def test_full_scores_that_cannot_be_taken_cost_no_run(tiny, tmp_path):
    assert run(tiny(FULL, "images=16", "data.split=image", "data.classes=2", "data.images_per_class=6"), []) == 0
    status = read_status(run_of(tmp_path / "runs"))
    assert status.state == "done" and "is_efflite0" in status.scores
    assert any("at least 8" in event["sentence"] for event in status.events)


def test_without_health_nothing_is_measured_and_the_same_is_learned(tiny, tmp_path, monkeypatch):
    settings = [*NO_SCORES, "images=32"]
    assert run(tiny(*settings, "study=watched"), []) == 0

    def drawn(*_, **__):
        raise AssertionError("a probe was drawn")

    monkeypatch.setattr(Probe, "__init__", drawn)
    assert run(tiny(*settings, "health=off", "study=off"), []) == 0
    watched, off = run_of(tmp_path / "watched"), run_of(tmp_path / "off")
    assert watched.name == off.name  # the same run: health does not decide what is learned
    mine = weights(off)
    assert all(torch.equal(mine[name], value) for name, value in weights(watched).items())
    assert {column for column in rows(off)[0] if column.startswith("health/")} == {"health/nan"}
    assert read_status(off).verdicts == []


def test_without_health_a_run_that_is_not_finite_for_ever_still_ends(tiny, tmp_path, monkeypatch):
    plain, taken = AdversarialLoss.critic, []

    def critic(self, *scores):
        taken.append(None)
        return plain(self, *scores) + (math.nan if len(taken) > 3 else 0.0)

    monkeypatch.setattr(AdversarialLoss, "critic", critic)
    assert run(tiny("health=off", *NO_SCORES), []) == 3
    folder = run_of(tmp_path / "runs")
    status = read_status(folder)
    assert (status.state, [verdict["name"] for verdict in status.verdicts]) == ("diverged", ["nan"])
    assert all(value.isfinite().all() for value in weights(folder).values())  # kept, though nothing scored it


def test_a_run_goes_on_when_its_health_is_no_longer_watched_and_watched_again(tiny, tmp_path):
    always = ["health.thresholds.black=1000", "health.warm_up=8", "health.patience=1", "health.every=8", *NO_SCORES]
    for images, health in ((32, "warn"), (64, "off"), (96, "warn")):
        assert run(tiny(*always, f"health={health}", f"images={images}"), []) == 0
    folder = run_of(tmp_path / "runs")
    status = read_status(folder)
    assert (status.state, status.images) == ("done", 96)
    assert [(verdict["name"], verdict["images"]) for verdict in status.verdicts] == [("black", 8)]
    assert [row["images"] for row in rows(folder) if row["health/black"]] == [
        "8",
        "16",
        "24",
        "32",
        "72",
        "80",
        "88",
        "96",
    ]


def test_a_run_asked_for_with_and_without_health_is_trained_once(tmp_path):
    sweep = Sweep(tmp_path, "seed=0", "health=off,warn").run()
    assert sweep.code == 0 and sweep.states() == ["done", "done"]
    assert "health=warn: already done" in sweep.output
    assert len({job["folder"] for job in sweep.record()["jobs"]}) == 1


def test_a_run_that_diverged_is_not_tried_again_because_its_policy_is_spelled_otherwise(tmp_path):
    Sweep(tmp_path, "seed=0", "health=stop", ways={0: "diverge"}).run()
    assert "already diverged" in Sweep(tmp_path, "seed=0", "health.policy=stop").run().output
    assert "already" not in Sweep(tmp_path, "seed=0", "health=off").run().output


def test_a_plan_without_scores_says_so():
    plan = during_training.ScorePlan(every=None, samples=12, final_samples=None)
    assert not plan.scores and during_training.ScorePlan(every=None, samples=12, final_samples=12).scores
