"""What a run does about its health: verdicts in status and logs, and the three policies."""

import csv
import json
import math
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest
import torch
import wandb

from stackgan.assembly import build_health_settings
from stackgan.config import Thresholds
from stackgan.evaluation.feature_networks import efflite0_path
from stackgan.experiment import run
from stackgan.health.monitor import HealthMonitor, HealthSettings, Reporter
from stackgan.health.probe import Pictures, Probe
from stackgan.health.verdicts import remedy_words
from stackgan.inputs import prepare_inputs
from stackgan.losses.adversarial import AdversarialLoss
from stackgan.losses.build import build_loss
from stackgan.run_directory import read_status
from stackgan.training.bundle import load_bundle
from stackgan.training.callbacks import TrainingLog
from stackgan.training.checkpoint import read_checkpoint
from stackgan.training.clock import Clock
from stackgan.training.gate import Skipped
from training_support import build_again, steps

pytestmark = pytest.mark.skipif(
    efflite0_path() is None, reason="the package of requirements/offline.txt is not installed"
)
ALWAYS = [
    "health.thresholds.black=1000",
    "health.acts_on=[black]",
    "health.warm_up=24",
    "health.patience=1",
    "health.every=8",
]


@pytest.fixture
def spoil(monkeypatch):
    """spoil(steps, value): the discriminator's loss has `value` added in these steps of every run from now on."""

    def install(steps, value):
        plain, taken = AdversarialLoss.critic, []

        def critic(self, *scores):
            taken.append(None)
            return plain(self, *scores) + (value if len(taken) - 1 in steps else 0.0)

        monkeypatch.setattr(AdversarialLoss, "critic", critic)

    return install


def only_run(folder: Path) -> Path:
    (found,) = folder.glob("runs/*")
    return found


def rows(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_whose_values_stay_bad_ends_as_diverged_with_the_scores_of_its_last_good_weights(tiny, tmp_path, spoil):
    spoil(range(3, 100), math.nan)
    assert run(tiny(), []) == 3
    folder = only_run(tmp_path)
    status = read_status(folder)
    assert (status.state, status.images) == ("diverged", 32)  # the row after the first bad step, of 64 images
    (verdict,) = status.verdicts
    assert (verdict["name"], verdict["images"], verdict["value"], verdict["threshold"]) == ("nan", 32, 1.0, 0.5)
    assert "discriminator" in verdict["sentence"] and "step 3 (24 images)" in verdict["sentence"]
    assert verdict["sentence"] in status.reason
    assert status.scores["is_efflite0"] >= 1
    weights = load_bundle(folder / "generator").sampler.state_dict()
    assert all(value.isfinite().all() for value in weights.values())
    assert [float(row["health/nan"]) for row in rows(folder)] == [0, 0, 0, 1]
    assert rows(folder)[-1]["loss/d"] == ""  # there was none


def test_one_bad_step_is_an_event_and_the_run_is_done(tiny, tmp_path, spoil):
    spoil([2], math.inf)
    assert run(tiny("logger.log_every=32"), []) == 0
    folder = only_run(tmp_path)
    status = read_status(folder)
    assert (status.state, status.verdicts) == ("done", [])
    (event,) = status.events
    assert event["images"] == 16 and "step 2 (16 images)" in event["sentence"]
    assert [float(row["health/nan"]) for row in rows(folder)] == [0.25, 0]
    assert all(math.isfinite(float(row["loss/d"])) for row in rows(folder))


def test_weights_that_are_not_finite_are_a_verdict_though_no_gradient_was(tiny, tmp_path, monkeypatch):
    def overflow(self, discriminator):
        next(discriminator.parameters()).data.fill_(math.inf)

    monkeypatch.setattr(AdversarialLoss, "after_critic_step", overflow)
    assert run(tiny("logger.log_every=64"), []) == 3
    status = read_status(only_run(tmp_path))
    assert status.state == "diverged" and status.verdicts[0]["sentence"].startswith("A weight")
    assert status.scores == {}  # there is nothing to score: no checkpoint was written before


def test_under_warn_a_verdict_is_listed_and_the_run_is_done(tiny, tmp_path, capsys):
    assert run(tiny(*ALWAYS), []) == 0
    folder = only_run(tmp_path)
    status = read_status(folder)
    assert status.state == "done"
    (verdict,) = status.verdicts
    assert (verdict["name"], verdict["images"], verdict["threshold"]) == ("black", 24, 1000) and "until" not in verdict
    assert capsys.readouterr().out.count("health: black at 24 images") == 1
    measured = [float(row["health/black"]) for row in rows(folder)]
    assert len(measured) == 8 and verdict["value"] == pytest.approx(measured[2])
    assert not (folder / "checkpoints" / "healthy.ckpt").exists()


def test_under_stop_the_run_ends_with_the_weights_from_before(tiny, tmp_path):
    assert run(tiny(*ALWAYS, "health.policy=stop", "logger.checkpoint_images=8"), []) == 3
    folder = only_run(tmp_path)
    status = read_status(folder)
    assert (status.state, status.images) == ("collapsed", 16)  # the verdict came at 24; 16 was saved before
    assert status.reason.startswith("black at 24 images:") and status.scores["is_efflite0"] >= 1
    saved = read_checkpoint(folder / "checkpoints" / "healthy.ckpt")
    assert saved["images_seen"] <= 24
    bundle = load_bundle(folder / "generator")
    assert bundle.images == 16
    saved = read_checkpoint(folder / "checkpoints" / "last.ckpt")["module"]
    average = {name.removeprefix("average."): value for name, value in saved.items() if name.startswith("average.")}
    written = {name.removeprefix("stage_one."): value for name, value in bundle.sampler.state_dict().items()}
    assert all(torch.equal(written[name], value) for name, value in average.items())


def test_under_rollback_the_run_goes_back_with_lower_learning_rates_and_stops_in_the_end(tiny, tmp_path):
    assert run(tiny(*ALWAYS, "health.policy=rollback", "health.rollbacks=2", "logger.checkpoint_images=8"), []) == 3
    folder = only_run(tmp_path)
    status = read_status(folder)
    assert status.state == "collapsed"
    first, second = status.events
    assert (first["images"], second["images"]) == (24, 24)
    assert "Rollback 1, learning rates x 0.5" in first["sentence"] and "went back to 16 images" in first["sentence"]
    assert "Rollback 2, learning rates x 0.25" in second["sentence"]
    assert float(rows(folder)[-1]["lr/d"]) == pytest.approx(2e-4 * 0.25)
    checkpoint = read_checkpoint(folder / "checkpoints" / "last.ckpt")
    assert (checkpoint["extra"]["rollbacks"], checkpoint["extra"]["lr_factor"]) == (2, 0.25)
    assert [verdict["name"] for verdict in status.verdicts] == ["black"]


def test_a_rollback_that_helps_leaves_a_done_run(tiny, tmp_path, spoil):
    spoil(range(4, 6), math.nan)  # counted over the whole test: the second attempt is good
    overrides = ["health.policy=rollback", "logger.checkpoint_images=8", "logger.log_every=16"]
    assert run(tiny(*overrides), []) == 0
    status = read_status(only_run(tmp_path))
    (event,) = status.events
    assert status.state == "done" and "nan" in event["sentence"]
    assert "went back to 32 images" in event["sentence"]  # where the last good measurement was, no further
    (verdict,) = status.verdicts
    assert verdict["name"] == "nan" and verdict["until"] == 48


def test_a_resumed_run_neither_forgets_nor_repeats_its_verdicts(tiny, tmp_path, capsys):
    settings = [*ALWAYS, "logger.checkpoint_images=8"]
    run(tiny(*settings, "images=32"), [])
    run(tiny(*settings, "images=64"), [])
    status = read_status(only_run(tmp_path))
    assert [(verdict["name"], verdict["images"]) for verdict in status.verdicts] == [("black", 24)]
    assert capsys.readouterr().out.count("health: black") == 1


def test_probes_change_nothing_that_is_learned(tiny, tmp_path):
    for study, every in (("often", 8), ("once", 64)):
        run(tiny(f"health.every={every}", f"study={study}", "dropout=on"), [])
    often, once = (
        load_bundle(next(tmp_path.glob(f"{study}/*/generator"))).sampler.state_dict() for study in ("often", "once")
    )
    assert all(torch.equal(often[name], once[name]) for name in often)


def test_the_last_pictures_are_measured_whatever_the_cadence(tiny, tmp_path):
    config = tiny("health.every=1000")
    inputs, module, measured = prepare_inputs(config), build_again(config), []

    class Watched(Probe):
        def draw(self, sampler, device):
            measured.append(module.images_seen)
            return super().draw(sampler, device)

    log, probe = TrainingLog(8), Watched(inputs.store, inputs.table, captions=4, noises=2)
    monitor = HealthMonitor(build_health_settings(config, 24), log, probe, tmp_path, budget=24, reporter=Reporter())
    steps(config, 3, module=module, callbacks=[log, monitor])
    assert measured == [24]


@pytest.fixture
def verdicts(tmp_path):
    """verdicts(rows, loss, pictures): the names of those given on rows of the log, one every 8 images, and on a probe's pictures."""

    def given(rows, loss="bce", pictures=None):
        every = 8 if pictures else 10**9
        settings = HealthSettings(vars(Thresholds()), remedy_words(2e-4, 2e-4, 1, 2.0, 32), "warn", (), every, 0, 1)
        log = SimpleNamespace(every=8, last={}, skipped=Skipped(0.0))
        probe = SimpleNamespace(draw=lambda sampler, device: pictures)
        monitor = HealthMonitor(settings, log, probe, tmp_path, 10**9, Reporter())
        module = SimpleNamespace(
            adversarial=build_loss(loss), clock=Clock(), extra={}, images_seen=0, device=torch.device("cpu"),
            settings=SimpleNamespace(batch_size=8), parameters=lambda: [torch.zeros(1)], sampler=lambda: None,
        )  # fmt: skip
        trainer = SimpleNamespace(is_global_zero=True, loggers=[], strategy=SimpleNamespace(broadcast=lambda x: x))
        for row in rows:
            log.last, module.images_seen = row, module.images_seen + 8
            monitor.on_train_batch_end(trainer, module)
        return [record["name"] for record in monitor.ledger.records()]

    return given


CALM = {"loss/d": 1.0, "loss/g": 1.0, "health/discriminator_wins": 0.5, "health/generator_wins": 0.8}


@pytest.mark.parametrize(
    ("loss", "bad", "expected"),
    [
        ("bce", {}, []),
        ("bce", {"loss/g": 1e6}, ["diverging"]),
        ("wgan", {"loss/g": 1e6}, []),  # where a critic's zero lies says nothing
        ("wgan", {"loss/d": 1e6}, ["diverging"]),
        ("bce", {"health/discriminator_wins": 0.0}, ["discriminator_wins"]),
        ("bce", {"health/generator_wins": 0.0}, ["generator_wins"]),
    ],
)
def test_each_number_of_a_row_has_its_verdict(verdicts, loss, bad, expected):
    assert verdicts([CALM] * 6 + [CALM | bad], loss) == expected


def test_black_pictures_have_no_other_fault(verdicts):
    pictures = Pictures(torch.full((4, 2, 3, 16, 16), 0.01), torch.rand(8, 3, 16, 16))
    assert verdicts([CALM], pictures=pictures) == ["black"]


def test_an_alert_is_sent_once(tiny, tmp_path, monkeypatch):
    alert = MagicMock()
    monkeypatch.setattr(wandb.Run, "alert", alert)
    run(tiny(*ALWAYS, "logger.wandb=offline"), [])
    (call,) = alert.call_args_list
    title, sentence = call.args
    assert title == "black at 24 images" and "contrast" in sentence and call.kwargs == {"level": "WARN"}


@pytest.mark.slow
def test_every_rank_ends_together(train, tmp_path):
    result = train(*ALWAYS, "health.policy=stop", "trainer.devices=2", "logger.checkpoint_images=8")
    assert result.returncode == 3, result.stderr
    status = json.loads((only_run(tmp_path) / "status.json").read_text())
    assert (status["state"], status["images"]) == ("collapsed", 16) and status["scores"]["is_efflite0"] >= 1
