"""Evaluating a run and a folder of pictures, as src/evaluate.py does."""

import csv
import json
import math
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from stackgan.config import saved_config
from stackgan.data.views import centre_windows
from stackgan.errors import UserError
from stackgan.evaluation import panel, run_scores, subjects
from stackgan.evaluation.captions import split_captions
from stackgan.evaluation.feature_networks import efflite0_path
from stackgan.evaluation.feature_store import FeatureStore
from stackgan.evaluation.request import ScoreRequest
from stackgan.evaluation.run_scores import score_images, score_run
from stackgan.evaluation.samples import generated_pixels
from stackgan.evaluation.weights import chosen_bundle
from stackgan.experiment import run
from stackgan.inputs import prepare_inputs
from support import TINY, composed, slow

pytestmark = pytest.mark.skipif(
    efflite0_path() is None, reason="the package of requirements/offline.txt is not installed"
)
REQUEST = ScoreRequest(samples=120, splits=2, diversity_captions=2, diversity_noises=3)
FAMILIES = {"is_efflite0", "fid_efflite0", "kid_efflite0", "precision_efflite0", "recall_efflite0",
            "nearest_train_efflite0", "r_precision_efflite0", "lpips_diversity"}  # fmt: skip
SIZE = ["scale.one.image_size=64", "scale.two.image_size=128"]
QUICK = replace(REQUEST, samples=24, metrics=["is", "kid"])


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate")
    return [*TINY, f"data.cache={folder / 'cache'}", f"outputs={folder}", "data.images_per_class=4", "images=32"]


@pytest.fixture(scope="module")
def finished(settings):
    """A finished tiny run."""
    config = composed(*settings)
    run(config, [])
    return next(path for path in (Path(config.outputs) / "runs").iterdir() if path.is_dir())


@pytest.fixture(scope="module")
def scored(finished):
    return score_run(finished, REQUEST)


def values(scored):
    return {(record.metric, record.frames): record.value for record in scored.records}


def chunks(finished):
    return {
        path.parent.name: path.stat().st_mtime_ns for path in finished.parents[1].glob("cache/features/*/*.safetensors")
    }


def test_a_run_gets_every_score_with_its_protocol(finished, scored):
    assert {record.metric for record in scored.records if record.frames == "kept"} == FAMILIES
    by_name = {record.metric: record for record in scored.records if record.frames == "kept"}
    for record in by_name.values():
        assert math.isfinite(record.value) and record.real is not None and len(record.weights) == 16
        assert (record.captions, record.generator, record.images, record.image_size) == ("test", "ema", 32, 16)
        assert record.data and record.truncation == 1
    aligned = by_name["r_precision_efflite0"]
    assert aligned.network == "efflite0, attributes" and aligned.real > 0.1 > aligned.shuffled  # chance is 0.01
    assert by_name["nearest_train_efflite0"].real > 0
    assert by_name["fid_efflite0"].value > by_name["fid_efflite0"].real_train  # it has hardly been trained
    assert by_name["lpips_diversity"].samples == 6
    written = json.loads((finished / "evaluation.json").read_text())
    assert {(row["metric"], row["value"]) for row in written} >= {(r.metric, r.value) for r in scored.records}
    with (finished / "frames.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 120


def test_chunks_of_a_run_go_and_those_of_the_data_set_stay(finished, scored):
    kept = chunks(finished)
    assert {name.rpartition("-")[0] for name in kept} == {"birds-test", "birds-train", "birds-validation"}
    score_run(finished, QUICK)
    assert chunks(finished) == kept


@pytest.mark.parametrize("how", [{"batch_size": 7}, slow({"devices": 2, "batch_size": 11})], ids=str)
def test_scores_do_not_depend_on_batches_or_devices(finished, scored, how):
    before = json.loads((finished / "evaluation.json").read_text())
    again = score_run(finished, replace(REQUEST, **how))
    assert values(again) == pytest.approx(values(scored), rel=1e-4, abs=1e-5)  # few pictures: one pixel counts
    assert len(json.loads((finished / "evaluation.json").read_text())) == len(before)  # replaced, not doubled


def test_an_evaluation_that_dies_before_its_records_does_not_draw_again(finished, scored, monkeypatch):
    request = replace(QUICK, seed=5)
    with monkeypatch.context() as patch:
        patch.setattr(run_scores, "append_records", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            score_run(finished, request)
    monkeypatch.setattr(subjects, "generated_pixels", lambda *_: pytest.fail("drew again"))
    assert all(record.seed == 5 for record in score_run(finished, request).records)


def test_the_same_evaluation_at_the_same_time_waits_for_the_first(finished, scored, monkeypatch):
    """The first one's chunks are deleted when its records are written: the second must not be reading them then."""
    request, outcomes, read = replace(QUICK, seed=6), [], FeatureStore.read
    second = threading.Thread(target=lambda: outcomes.append(score_run(finished, request)))

    def interrupted(store, name):
        if not second.ident:
            second.start()
            second.join(timeout=10)  # it would be through by then
        return read(store, name)

    monkeypatch.setattr(FeatureStore, "read", interrupted)
    first = score_run(finished, request)
    second.join(timeout=120)
    (other,) = outcomes
    assert values(first) == values(other)


def test_raw_weights_and_truncation_make_other_pictures_and_are_recorded(finished, scored):
    raw = score_run(finished, replace(QUICK, weights="raw", truncation=0.5)).records[0]
    assert (raw.generator, raw.truncation, raw.images) == ("raw", 0.5, 32)
    assert raw.value != scored.records[0].value
    ema, live = chosen_bundle(finished, "ema").sampler, chosen_bundle(finished, "raw").sampler
    checkpoint = torch.load(finished / "checkpoints" / "last.ckpt", weights_only=True)["module"]
    for name, value in live.stage_one.state_dict().items():
        torch.testing.assert_close(value, checkpoint[f"generator.{name}"])
    assert any(not torch.equal(a, b) for a, b in zip(ema.parameters(), live.parameters(), strict=True))


class FirstColours:
    """In CLIP's place: the colour of a picture's first pixel, and of a caption three numbers of its own."""

    name, weights = "clip_colours", "0" * 16

    def __init__(self, source):
        assert source == "folder"

    def to(self, device):
        return self

    def image_vectors(self, images):
        return images[:, :, 0, 0].float()

    def text_vectors(self, captions):
        return torch.stack([torch.randn(3, generator=torch.Generator().manual_seed(len(text))) for text in captions])


def test_clip_judges_the_same_pictures_in_the_same_pass(finished, monkeypatch):
    monkeypatch.setattr(panel, "ClipScorer", FirstColours)
    (record,) = score_run(finished, replace(QUICK, clip="folder", metrics=["clip_score"])).records
    inputs = prepare_inputs(saved_config(finished))
    captions, rows = split_captions(inputs, "test", 24)
    sampler = chosen_bundle(finished, "ema").sampler
    drawn = torch.cat(list(generated_pixels(sampler, captions.vectors, 0, range(24), 50, torch.device("cpu"))))
    real = centre_windows(inputs.store, rows, 16)

    def mean(pictures, texts):
        similarity = torch.cosine_similarity(pictures[:, :, 0, 0].double(), FirstColours("folder").text_vectors(texts))
        return 100 * similarity.clamp(min=0).mean().item()

    texts = captions.texts
    assert record.value == pytest.approx(mean(drawn, texts), rel=1e-3)
    assert record.real == pytest.approx(mean(real, texts), rel=1e-6)
    assert record.shuffled == pytest.approx(mean(drawn, [*texts[1:], texts[0]]), rel=1e-3)
    assert (record.metric, record.network, record.weights) == ("clip_score", "clip_colours", "0" * 16)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"samples": 5}, "samples=5"), ({"splits": 121}, "splits=121"),
        ({"weights": "worst"}, "weights=worst"), ({"metrics": ["is", "iq"]}, "iq"), ({"metrics": []}, "metrics"),
        ({"devices": 0}, "devices=0"), ({"frames": "on"}, "frames=on"), ({"bad_images": "keep"}, "bad_images=keep"),
        ({"network": "vgg"}, "vgg"),
        ({"clip": "nowhere", "metrics": ["clip_score"]}, "nowhere|transformers"), ({"real_samples": 2}, "real_samples=2"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_not_possible_is_said_in_one_sentence(finished, changes, words):
    with pytest.raises(UserError, match=words) as caught:
        score_run(finished, replace(REQUEST, **changes))
    assert "\n" not in str(caught.value)


def test_a_run_without_a_generator_says_its_state(finished, tmp_path):
    (tmp_path / "config.yaml").write_text((finished / "config.yaml").read_text())
    (tmp_path / "status.json").write_text('{"state": "preempted"}')
    with pytest.raises(UserError, match=r"no generator/generator\.json \(its state: preempted\)"):
        score_run(tmp_path, REQUEST)
    with pytest.raises(UserError, match="no generator_best/"):
        score_run(tmp_path, replace(REQUEST, weights="best"))
    shutil.copytree(finished / "generator", tmp_path / "generator")
    with pytest.raises(UserError, match="has none; use weights=ema"):
        score_run(tmp_path, replace(REQUEST, weights="raw"))


def test_the_best_generator_is_another_subject_of_the_same_run(finished, tmp_path):
    (tmp_path / "config.yaml").write_text((finished / "config.yaml").read_text())
    shutil.copytree(finished / "generator", tmp_path / "generator_best")
    assert {record.generator for record in score_run(tmp_path, replace(QUICK, weights="best")).records} == {"best"}


@pytest.fixture
def real_folder(settings, tmp_path):
    """Real test pictures as files: what a perfect generator would leave."""
    store = prepare_inputs(composed(*settings, *SIZE)).store
    rows = store.indices("test")[::2]
    for i, picture in enumerate(centre_windows(store, rows, 64).permute(0, 2, 3, 1).numpy()):
        Image.fromarray(np.ascontiguousarray(picture)).save(tmp_path / f"{i:03d}.png")
    return tmp_path


def pad(folder):
    """A white frame of 6 px round every picture, as padding leaves it."""
    for path in folder.glob("*.png"):
        picture = Image.open(path).resize((52, 52))
        page = Image.new("RGB", (64, 64), "white")
        page.paste(picture, (6, 6))
        page.save(path)


def test_a_folder_is_judged_by_a_data_set_and_a_frame_costs_what_cropping_gives_back(settings, real_folder):
    request = replace(REQUEST, samples=None, metrics=["fid", "r_precision", "lpips_diversity"])
    clean = score_images(real_folder, composed(*settings), request)
    (fid,) = clean.records
    assert (fid.generator, fid.captions, fid.subject, fid.samples) == (
        "folder", "none", real_folder.name, len(list(real_folder.glob("*.png"))),
    )  # fmt: skip
    assert any("captions.csv" in note for note in clean.notes)
    pad(real_folder)
    framed = score_images(real_folder, composed(*settings), request)
    found = values(framed)
    kept, cropped = found["fid_efflite0", "kept"], found["fid_efflite0", "cropped"]
    assert fid.value < cropped < kept
    assert any("100.0 %" in note for note in framed.notes)
    with (real_folder / "frames.csv").open() as file:
        assert {row["top"] for row in csv.DictReader(file)} == {"6"}
    only = score_images(real_folder, composed(*settings), replace(request, frames="crop"))
    assert values(only) == pytest.approx({("fid_efflite0", "cropped"): cropped})
    off = score_images(real_folder, composed(*settings), replace(request, frames="off"))
    assert values(off) == pytest.approx({("fid_efflite0", "kept"): kept}) and not any("frames" in n for n in off.notes)


def test_a_folder_that_cannot_be_judged_says_why(settings, real_folder, tmp_path_factory):
    with pytest.raises(UserError, match="holds no image"):
        score_images(tmp_path_factory.mktemp("empty"), composed(*settings), REQUEST)
    with pytest.raises(UserError, match="is no folder"):
        score_images(real_folder / "nowhere", composed(*settings), REQUEST)
    with pytest.raises(UserError, match="too few"):
        score_images(real_folder, composed(*settings), replace(REQUEST, samples=None, splits=1000))
    (real_folder / "001.png").write_bytes(b"\x89PNG broken")
    with pytest.raises(UserError, match=r"001\.png cannot be read"):
        score_images(real_folder, composed(*settings), QUICK)
