"""The scores that a run takes of itself, by a network of mean colours: when, of what, and what is kept because of them."""

import json
import math
from dataclasses import replace

import pytest
import pytorch_lightning as pl
import torch
from extraction_job import MeanColours

from stackgan.assembly import build_module
from stackgan.data.views import centre_windows
from stackgan.evaluation.during_training import ScorePlan, TrainingScores, logged
from stackgan.evaluation.record import ProtocolRecord
from stackgan.evaluation.samples import caption_vectors, generated_pixels
from stackgan.evaluation.scores import Said, scores_of_training
from stackgan.inputs import prepare_inputs
from stackgan.training import clock
from stackgan.training.callbacks import Diverged
from training_support import steps

PLAN = ScorePlan(every=24, samples=12, final_samples=20, splits=2, seed=5)


@pytest.fixture
def config(tiny):
    return tiny("scale.one.image_size=32", "scale.two.image_size=64")


@pytest.fixture
def scores(config, tmp_path):
    """scores(plan): the callback; it counts how often the generator was kept."""

    def make(plan=PLAN, network=None):
        inputs = prepare_inputs(config)
        made = TrainingScores(
            tmp_path, inputs.store, inputs.table, network or MeanColours(), plan, tmp_path, lambda: made.kept.append(1)
        )
        made.kept = []
        return made

    return make


def records(folder):
    return json.loads((folder / "evaluation.json").read_text())


def test_they_are_taken_at_every_multiple_and_at_the_end_of_both_splits(config, scores, tmp_path):
    callback = scores()
    module = steps(config, 8, callbacks=[callback])
    assert module.images_seen == 64
    found = [(row["captions"], row["images"], row["samples"]) for row in records(tmp_path)]
    during = [("validation", images, 12) for images in (24, 48)]
    end = [("validation", 64, 20), ("test", 64, 20)]
    assert found == [each for each in during + end for _ in ("is", "kid")]
    for row in records(tmp_path):
        assert (row["seed"], row["generator"], row["network"], row["resize"]) == (5, "ema", "colours", "none")
        assert row["image_size"] == 32 and row["data"] == callback.store.fingerprint
    assert callback.final == [ProtocolRecord(**row) for row in records(tmp_path)[-4:]]
    assert callback.latest == {row["metric"]: row["value"] for row in records(tmp_path)[2:4]}


def test_they_are_of_the_averaged_generator_by_the_plans_seed(config, scores, tmp_path):
    callback = scores(replace(PLAN, every=None))
    module = steps(config, 3, callbacks=[callback])
    store, sampler, network = callback.store, module.sampler(), MeanColours()
    for split, rows in (("validation", records(tmp_path)[:2]), ("test", records(tmp_path)[2:])):
        text = caption_vectors(store, callback.table, split, 20)
        drawn = torch.cat(list(generated_pixels(sampler, text, 5, range(20), 50, torch.device("cpu"))))
        fake = Said(*network.both(drawn))
        real = Said(*network.both(centre_windows(store, store.indices(split), 32)))
        for row, score in zip(rows, scores_of_training(fake, real, "_colours", 2, 5), strict=True):
            assert (row["metric"], row["real_samples"]) == (score.metric, score.real_samples)
            for name in ("value", "std", "real"):
                assert row[name] == pytest.approx(getattr(score, name), rel=1e-4, abs=1e-6)


def test_without_a_final_score_none_is_taken_at_the_end(config, scores, tmp_path):
    callback = scores(replace(PLAN, final_samples=None))
    steps(config, 4, callbacks=[callback])
    assert callback.final == [] and {row["images"] for row in records(tmp_path)} == {24}


@pytest.mark.parametrize(("objective", "best"), [("kid", min), ("is", max), ("kid_colours", min)])
def test_the_generator_is_kept_whenever_it_is_better_than_all_before(config, scores, tmp_path, objective, best):
    callback = scores(replace(PLAN, every=8, objective=objective))
    module = steps(config, 8, callbacks=[callback])
    name = objective.partition("_")[0] + "_colours"
    values = [row["value"] for row in records(tmp_path) if row["metric"] == name and row["samples"] == 12]
    assert len(values) == 8 and module.extra["best"]["value"] == best(values)
    assert module.extra["best"] == {
        "metric": name,
        "value": best(values),
        "images": 8 * (values.index(best(values)) + 1),
    }
    assert len(callback.kept) == sum(best(values[: i + 1]) == value for i, value in enumerate(values))


def test_a_best_by_another_score_is_none(config, scores, tmp_path):
    callback = scores()
    module = build_module(config, prepare_inputs(config), 1000, None)
    module.extra["best"] = {"metric": "kid_other", "value": -math.inf, "images": 0}
    steps(config, 3, module=module, callbacks=[callback])
    assert module.extra["best"]["metric"] == "kid_colours" and callback.kept == [1]


class Raise(pl.Callback):
    """Ends training after two batches; `spoil`: with a number in the weights that is none."""

    def __init__(self, error, spoil=False):
        self.error, self.spoil = error, spoil

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        if batch_idx == 1:
            if self.spoil:
                next(module.parameters()).data.fill_(math.nan)
            raise self.error


@pytest.mark.parametrize(
    ("error", "spoil", "scored"),
    [(Diverged("black"), False, True), (Diverged("black"), True, False), (RuntimeError("out of birds"), False, False)],
    ids=["a verdict", "not finite", "a fault"],
)
def test_what_a_verdict_ended_is_scored_where_its_weights_are_finite(config, scores, error, spoil, scored):
    callback = scores()
    with pytest.raises(type(error)):
        steps(config, 8, callbacks=[callback, Raise(error, spoil)])
    assert (callback.final is not None) == scored
    assert not scored or [record.captions for record in callback.final] == ["validation"] * 2 + ["test"] * 2


def test_the_time_that_they_take_is_not_that_of_training(config, scores, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(clock.time, "perf_counter", lambda: now[0])

    class Slow(MeanColours):
        def pooled(self, images):
            now[0] += 1000
            return super().pooled(images)

    assert steps(config, 4, callbacks=[scores(network=Slow())]).clock.seconds == 0 < now[0]


def test_the_logs_have_each_score_with_its_spread_and_that_of_real_pictures():
    kid = ProtocolRecord("kid_net", 2.0, 0.5, 0.25, "net", "w", "r", 12, 12, 1, 0, "validation", "ema", 8)
    row = logged([kid, replace(kid, metric="is_net", value=3.0, std=None, real=None)], "validation")
    assert row == {
        "kid_net": 2.0, "kid_net_std": 0.5, "kid_net_real": 0.25, "is_net": 3.0, "is_net_std": 0.0,
    }  # fmt: skip
    assert set(logged([kid], "test")) == {"kid_net/test", "kid_net/test_std", "kid_net/test_real"}
